"""Writes torchvision_resize.npz: resizes on torchvision's tensor path of the images of torchvision_geometry.npz.

Run in an environment of its own, from the root of the repository:

    pip install torch==2.14.1 torchvision==0.29.1 numpy && python tests/golden/torchvision_resize.py

Arrays are named "<image>/<kind>_resize_<size>_<method>[_aa<0 or 1>]", (H, W, 3): ``tensor`` uint8, ``float``
float32 of the image / 255. Stored: torchvision 0.29.1 with torch 2.14.1, on a processor with AVX2.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

METHODS = ("nearest", "nearest_exact", "bilinear", "bicubic")
SIZES = {"40": [40], "45x30": [45, 30], "80x170": [80, 170]}


def wanted() -> Iterator[tuple[str, str, str, str]]:
    """Image, kind, size and method of what is stored."""
    for name in ("wide", "tall", "square"):
        for method in METHODS:
            exact = method.startswith("nearest")
            if name == "tall" and not exact:
                yield name, "float", "45x30", method
            yield name, "tensor", "45x30", method
            if name == "wide" or exact:
                yield name, "tensor", "40", method
            if name != "square":
                yield name, "tensor", "80x170", method


def main() -> None:
    import torch
    import torchvision
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2 import functional as F

    source = np.load(Path(__file__).with_name("torchvision_geometry.npz"))
    out = {"versions": np.array([torch.__version__, torchvision.__version__])}
    for name, kind, size, method in wanted():
        tensor = torch.from_numpy(source[f"{name}/image"].copy()).permute(2, 0, 1)
        pixels = tensor if kind == "tensor" else tensor.float() / 255
        for antialias in (True,) if method.startswith("nearest") else (True, False):
            mode = InterpolationMode(method.replace("_", "-"))
            resized = F.resize(pixels, SIZES[size], mode, antialias=antialias).permute(1, 2, 0).numpy()
            suffix = "" if method.startswith("nearest") else f"_aa{int(antialias)}"
            out[f"{name}/{kind}_resize_{size}_{method}{suffix}"] = resized
    np.savez_compressed(Path(__file__).with_suffix(".npz"), **out)


if __name__ == "__main__":
    main()
