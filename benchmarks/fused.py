"""The fused chain against OpenCV + NumPy and Pillow + NumPy: resize, crop, mirror, normalise."""

from __future__ import annotations

import cv2
import jax
import numpy as np
from PIL import Image

from benchmarks.photo import MEAN, STD, photo
from e2e_jax import transforms as T
from e2e_jax.benchmark import interleave, ratio, table

EDGE, CROP = 256, 224
GOALS = {"OpenCV + NumPy": 0.5, "Pillow + NumPy": 0.3}


def main() -> None:
    pixels = photo(512)
    image, mean, std = Image.fromarray(pixels), np.array(MEAN, np.float32), np.array(STD, np.float32)
    start = (EDGE - CROP) // 2

    def finished(resized: np.ndarray) -> np.ndarray:
        cropped = resized[start : start + CROP, start : start + CROP][:, ::-1]
        return (cropped.astype(np.float32) / 255 - mean) / std

    def by_opencv() -> np.ndarray:
        return finished(cv2.resize(pixels, (EDGE, EDGE), interpolation=cv2.INTER_LINEAR))

    def by_pillow() -> np.ndarray:
        return finished(np.asarray(image.resize((EDGE, EDGE), Image.Resampling.BILINEAR)))

    for name, by_hand, numerics in (
        ("OpenCV + NumPy", by_opencv, "opencv"),
        ("Pillow + NumPy", by_pillow, "pillow"),
    ):
        pipeline = T.Compose(
            [
                T.Resize(EDGE, numerics=numerics),
                T.CenterCrop(CROP),
                T.HorizontalFlip(),
                T.ToTensor(),
                T.Normalize(MEAN, STD),
            ]
        )
        compiled = jax.jit(lambda x, pipeline=pipeline: pipeline(x))
        np.testing.assert_allclose(compiled(pixels), by_hand(), rtol=0, atol=1e-5)
        timings = interleave({"e2e_jax": lambda compiled=compiled: compiled(pixels), name: by_hand}, repeats=300)
        title = f"512x512 -> {EDGE} -> {CROP}, mirrored, normalised, by the rules of {numerics}"
        print(f"\n{table(timings, title=title)}")
        print(f"ratio {ratio(*timings):.2f}, goal: at most {GOALS[name]}")
