"""Writes tf_resize.npz: TensorFlow resizes of the images of torchvision_geometry.npz, with and without antialias.

Run in an environment of its own, from the root of the repository:

    pip install tensorflow-cpu==2.21.0 numpy && python tests/golden/tf_resize.py

Arrays are named "<image>/resize_<height>x<width>_<method>_aa<0 or 1>", float32 (H, W, 3) in 0..255.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

ALL_IMAGES = ("bilinear", "bicubic", "lanczos3")  # from each image to 45x30
ONE_IMAGE = ("nearest", "area", "lanczos5", "mitchellcubic", "gaussian")  # from one of them
GROWN = ("nearest_aa0", "bilinear_aa0", "bicubic_aa0", "bicubic_aa1", "area_aa0")  # from a square to 80x170
UNFILTERED = ("nearest", "area")  # no antialias to choose


def wanted() -> Iterator[tuple[str, tuple[int, int], str, bool]]:
    """Image, size, method and antialias of what is stored."""
    for name in ("wide", "tall", "square"):
        for method in ALL_IMAGES + ONE_IMAGE * (name == "tall"):
            for antialias in (False, True):
                if not (antialias and method in UNFILTERED):
                    yield name, (45, 30), method, antialias
    for label in GROWN:
        method, _, antialias = label.partition("_aa")
        yield "square", (80, 170), method, antialias == "1"


def main() -> None:
    import tensorflow as tf

    source = np.load(Path(__file__).with_name("torchvision_geometry.npz"))
    out = {"versions": np.array([tf.__version__])}
    for name, (height, width), method, antialias in wanted():
        resized = tf.image.resize(source[f"{name}/image"], (height, width), method, antialias=antialias)
        label = f"{name}/resize_{height}x{width}_{method}_aa{int(antialias)}"
        out[label] = resized.numpy().astype(np.float32)
    np.savez_compressed(Path(__file__).with_suffix(".npz"), **out)


if __name__ == "__main__":
    main()
