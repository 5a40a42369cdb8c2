"""Writes pillow13_resize.npz: Pillow 13.0.0 resizes of the images of torchvision_geometry.npz.

Run in an environment of its own, from the root of the repository:

    pip install pillow==13.0.0 numpy && python tests/golden/pillow13_resize.py

Arrays are named "<image>/resize_<height>x<width>_<method>", uint8 (H, W, 3).
"""

from pathlib import Path

import numpy as np
import PIL
from PIL import Image

METHODS = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")
#: Rows first in all but the last: the height shrinks by over twice what the width does.
SIZES = {"tall": ((45, 30), (40, 47), (80, 170)), "square": ((20, 60),), "wide": ((45, 30),)}


def main() -> None:
    source = np.load(Path(__file__).with_name("torchvision_geometry.npz"))
    out = {"versions": np.array([PIL.__version__])}
    for name, sizes in SIZES.items():
        image = Image.fromarray(source[f"{name}/image"])
        for height, width in sizes:
            for method in METHODS:
                resized = image.resize((width, height), Image.Resampling[method.upper()])
                out[f"{name}/resize_{height}x{width}_{method}"] = np.asarray(resized)
    np.savez_compressed(Path(__file__).with_suffix(".npz"), **out)


if __name__ == "__main__":
    main()
