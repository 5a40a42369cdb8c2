"""Writes tf_resize.npz: TensorFlow resizes of the images of torchvision_geometry.npz, with and without antialias.

Run in an environment of its own, from the root of the repository:

    pip install tensorflow-cpu==2.21.0 numpy && python tests/golden/tf_resize.py

Arrays are named "<image>/resize_45x30_<method>_aa<0 or 1>", float32 (45, 30, 3) in 0..255.
"""

from pathlib import Path

import numpy as np

METHODS = ("bilinear", "bicubic", "lanczos3")


def main() -> None:
    import tensorflow as tf

    source = np.load(Path(__file__).with_name("torchvision_geometry.npz"))
    out = {"versions": np.array([tf.__version__])}
    for name in ("wide", "tall", "square"):
        for method in METHODS:
            for antialias in (False, True):
                resized = tf.image.resize(source[f"{name}/image"], (45, 30), method, antialias=antialias)
                out[f"{name}/resize_45x30_{method}_aa{int(antialias)}"] = resized.numpy().astype(np.float32)
    np.savez_compressed(Path(__file__).with_suffix(".npz"), **out)


if __name__ == "__main__":
    main()
