"""Writes tf_framing.npz: letterboxes, crops to an aspect and centre crops by TensorFlow and Keras.

Run in an environment of its own, from the root of the repository:

    pip install tensorflow-cpu==2.21.0 numpy
    python tests/golden/tf_framing.py

Arrays are named "<image>/<operation>", float32 0..255, of the images in torchvision_geometry.npz.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf

HERE = Path(__file__).parent
source = np.load(HERE / "torchvision_geometry.npz")
out = {"versions": np.array([tf.__version__])}
layer = tf.keras.layers.Resizing
for name in ("wide", "tall", "square"):
    pixels = source[f"{name}/image"]
    real = pixels.astype(np.float32)
    out[f"{name}/resize_with_pad_50x50"] = tf.image.resize_with_pad(pixels, 50, 50).numpy()
    out[f"{name}/keras_resizing_45x30_crop_to_aspect"] = layer(45, 30, crop_to_aspect_ratio=True)(real).numpy()
    out[f"{name}/keras_resizing_45x30_pad_to_aspect"] = layer(45, 30, pad_to_aspect_ratio=True)(real).numpy()
    out[f"{name}/keras_center_crop_40x31"] = tf.keras.layers.CenterCrop(40, 31)(real).numpy()
np.savez_compressed(HERE / "tf_framing.npz", **out)
