"""The main job, start to end: export a real network, load it in a second process, name what is in real photos."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
from PIL import Image

from e2e_jax.artifact.export import export
from e2e_jax.benchmark import interleave, ratio, table
from e2e_jax.decoding import decode
from e2e_jax.errors import E2EError, ImageError
from e2e_jax.loading import load
from e2e_jax.predictor import Predictor
from e2e_jax.zoo.classifier import CROP_FRACTION, INPUT, MEAN, STD, classifier
from e2e_jax.zoo.efficientnet import efficientnet_lite0

NOT_PHOTOS = {".md", ".py", ".txt"}


def run(output: str, photos: str, *, onnx: bool = False) -> int:
    """Exports EfficientNet-Lite0 to ``output`` and labels the files in ``photos`` from another process.

    With ``onnx`` a second artifact, with ONNX programs, is written beside it, and labels them in ONNX Runtime.
    """
    folder = Path(photos)
    if not folder.is_dir():
        fix = "run it from the project's folder, or name a folder of photos: e2e-jax demo FOLDER."
        raise ImageError("demo: the photos must be in a folder.", photos, fix)
    print("exporting EfficientNet-Lite0 with its transforms, labels and a self-test …", flush=True)
    model = classifier("efficientnet_lite0")
    path = export(model, output)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, one file\n", flush=True)
    code = _in_another_process(path, photos, "xla")
    if code or not onnx:
        return code
    print("\nexporting it again with ONNX programs for other engines …", flush=True)
    second = export(model, path.with_name(f"{path.stem}_onnx{path.suffix}"), onnx=True)
    print(f"{second}: {second.stat().st_size / 1e6:.1f} MB, labelled by ONNX Runtime\n", flush=True)
    return _in_another_process(second, photos, "onnxruntime")


def _in_another_process(path: Path, photos: str, engine: str) -> int:
    return subprocess.run([sys.executable, "-m", "e2e_jax.demo", str(path), photos, engine], check=False).returncode


def label_photos(predictor: Predictor, folder: Path) -> None:
    """Prints file, size, label and score of every photo."""
    files = sorted(file for file in folder.iterdir() if file.is_file() and file.suffix not in NOT_PHOTOS)
    results = predictor.predict(list(files), on_error="skip")
    width = max((len(file.name) for file in files), default=0)
    print(f"{'file':{width}}  {'height x width':>14}  label")
    for file, result in zip(files, results, strict=True):
        if isinstance(result, E2EError):
            print(f"{file.name:{width}}  {result}")
            continue
        height, size = decode(file).shape[:2]
        print(f"{file.name:{width}}  {f'{height} x {size}':>14}  {result.label} ({result.score:.1%})")


def compare_latency(predictor: Predictor, photo: np.ndarray) -> str:
    """One photo through the artifact, and through Pillow, NumPy and the bare network: a table with the ratio."""
    network = efficientnet_lite0(pretrained=True)
    bare = jax.jit(lambda x: jax.lax.top_k(jax.nn.softmax(network(x)), 5))
    image = Image.fromarray(photo)
    fused, separate = interleave(
        {
            "photo -> labels, one program": lambda: predictor.predict(photo[None]),
            "Pillow + NumPy + network": lambda: bare(_by_hand(image)),
        }
    )
    title = f"latency, one {photo.shape[0]} x {photo.shape[1]} photo (median of {len(fused.seconds)} in turn)"
    return (
        f"{table([fused, separate], title=title)}\nratio {ratio(fused, separate):.2f} (below 1: one program wins)"
    )


def _by_hand(image: Image.Image) -> np.ndarray:
    """The preprocessing as people write it for deployment."""
    edge = round(INPUT / CROP_FRACTION)
    scale = edge / min(image.size)
    width, height = int(image.width * scale), int(image.height * scale)
    resized = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = round((width - INPUT) / 2), round((height - INPUT) / 2)
    pixels = np.asarray(resized.crop((left, top, left + INPUT, top + INPUT)), np.float32)
    return ((pixels - np.float32(MEAN)) / np.float32(STD))[None]


def main(arguments: list[str]) -> int:
    """The second process: knows the artifact, not how it was made."""
    artifact, photos, engine = arguments
    predictor = load(artifact, engine=engine)  # type: ignore[arg-type]  # a word from the command line
    label_photos(predictor, Path(photos))
    if engine != "xla":
        return 0
    first: Any = next(file for file in sorted(Path(photos).iterdir()) if file.suffix in {".jpg", ".png"})
    print("\n" + compare_latency(predictor, decode(first)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
