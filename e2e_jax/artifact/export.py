"""export: a model becomes one file."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
from tqdm.auto import tqdm

from e2e_jax.artifact import archive, params, programs, sample
from e2e_jax.artifact.manifest import FORMAT, Manifest
from e2e_jax.decoding import decoding_record
from e2e_jax.errors import ConfigError, known_arguments
from e2e_jax.model import EndToEnd
from e2e_jax.transforms.check import one_of, whole

WINDOW = datetime.timedelta(days=180)  # jax.export: six months of backward compatibility
PACKAGES = ("e2e_jax", "jax", "jaxlib", "flax", "orbax-checkpoint", "numpy", "pillow")
INPUT_RANGES = {"uint8": (0, 255), "float32": (0.0, 1.0)}


@known_arguments
def export(
    model: EndToEnd,
    path: str | os.PathLike[str],
    *,
    channels: int = 3,
    dtype: str = "uint8",
    name: str | None = None,
    directory: bool = False,
    progress: bool = True,
) -> Path:
    """Writes a model with its transforms, parameters, labels and a self-test as one artifact.

    Args:
        model: To export; it is not changed, its network is exported in evaluation mode.
        path: Where to, by convention ``something.e2e``. An existing file is replaced in one step.
        channels: Of the photos: 3 for RGB, 1 for gray.
        dtype: Of the photos: ``"uint8"`` (0..255) or ``"float32"`` (0..1).
        name: Of the model, shown by ``e2e-jax inspect``; the file's stem if absent.
        directory: Write a folder with the same members rather than one file.
        progress: Show a bar where it takes over a second.

    Returns:
        The path.

    Raises:
        ConfigError: The model is no `EndToEnd`, or cannot be traced with symbolic shapes.
        ArtifactError: The place cannot be written; what stood there before is unchanged.

    Source:
        Programs by ``jax.export``, parameters by Orbax's ``StandardCheckpointer``.

    Example:
        >>> import tempfile, numpy as np
        >>> from e2e_jax import transforms as T
        >>> net = (lambda params, x: x.mean((1, 2)) @ params, np.eye(3, 2, dtype=np.float32))
        >>> model = EndToEnd(T.Compose([T.Resize((8, 8)), T.ToTensor()]), net, T.Classify(["red", "green"]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     export(model, Path(folder, "tiny.e2e"), progress=False).name
        'tiny.e2e'
    """
    if not isinstance(model, EndToEnd):
        fix = "wrap it: EndToEnd(preprocess, network, postprocess)."
        raise ConfigError("export: the model must be an EndToEnd.", type(model).__name__, fix)
    one_of("export", "dtype", dtype, tuple(INPUT_RANGES))
    whole("export", "channels", channels, least=1)
    if not isinstance(name, str | None):
        raise ConfigError("export: name must be a str.", f"{name=}", "leave it out to use the file's name.")
    target = archive.as_path("export", path)
    with _steps(progress) as step:
        traced = programs.Traced(model)
        compiled = step("tracing programs", lambda: programs.serialize(traced, channels=channels, dtype=dtype))
        stored = step("storing parameters", lambda: params.save(traced.leaves))
        samples = step("running the sample", lambda: _sample_members(traced, channels, dtype))
        members = {f"programs/{kind}.jax": content for kind, content in compiled.items()} | stored | samples
        manifest = _manifest(model, traced, members, name or target.stem, channels, dtype)
        everything = {archive.MANIFEST: manifest.to_json()} | members
        step("writing", lambda: archive.write(target, everything, directory=directory))
    return target


class _steps:
    """A progress bar over the named steps of an export."""

    def __init__(self, shown: bool) -> None:
        self.bar = tqdm(total=4, disable=not shown, delay=1.0, leave=False, unit="step")

    def __enter__(self) -> Callable[[str, Callable[[], Any]], Any]:
        return self._run

    def _run(self, what: str, work: Callable[[], Any]) -> Any:
        self.bar.set_description(f"export: {what}")
        done = work()
        self.bar.update()
        return done

    def __exit__(self, *_: object) -> None:
        self.bar.close()


def _sample_members(traced: programs.Traced, channels: int, dtype: str) -> dict[str, bytes]:
    """The stored picture and what the model, before any export, makes of it."""
    photo = sample.picture(*sample.size(traced.whole), channels, dtype)
    outputs = jax.jit(traced.dense)(list(traced.leaves.values()), photo)
    return {sample.INPUT: sample.pack({"images": photo}), sample.OUTPUTS: sample.pack(sample.by_name(outputs))}


def _manifest(
    model: EndToEnd, traced: programs.Traced, members: dict[str, bytes], name: str, channels: int, dtype: str
) -> Manifest:
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    postprocess = model.postprocess.config if model.postprocess is not None else {}
    labels = postprocess.pop("labels", [])
    steps = [step.config for step in traced.whole.steps_flat]
    return Manifest(
        format=FORMAT,
        name=name,
        created=now.isoformat(),
        expires=(now + WINDOW).isoformat(),
        signature=_signature(members, channels, dtype),
        preprocess=model.preprocess.config,
        postprocess=postprocess or None,
        labels=list(labels),
        numerics={str(i): step["numerics"] for i, step in enumerate(steps) if "numerics" in step},
        decoding=decoding_record(),
        programs=_program_records(members),
        params=params.describe(traced.leaves),
        samples={"input": sample.INPUT, "outputs": sample.OUTPUTS, "tolerance": sample.TOLERANCE},
        versions={package: importlib.metadata.version(package) for package in PACKAGES},
        members={member: archive.digest(content) for member, content in members.items()},
    )


def _signature(members: dict[str, bytes], channels: int, dtype: str) -> dict[str, Any]:
    photos = {"dtype": dtype, "shape": ["b", "h", "w", channels], "range": list(INPUT_RANGES[dtype])}
    outputs = programs.outputs(members["programs/dense.jax"])
    return {"inputs": {"images": photos}, "outputs": outputs}


def _program_records(members: dict[str, bytes]) -> dict[str, Any]:
    kinds = {name.split("/")[1].removesuffix(".jax"): name for name in members if name.startswith("programs/")}
    return {kind: {"member": name, "platforms": list(programs.PLATFORMS)} for kind, name in kinds.items()}
