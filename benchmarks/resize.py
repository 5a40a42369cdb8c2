"""Resize and normalise against Pillow + NumPy; the goals stand beside the cases."""

from __future__ import annotations

import jax
import numpy as np
from PIL import Image

from e2e_jax import transforms as T
from e2e_jax.benchmark import interleave, table

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CASES = (((300, 300), 0.35), ((1080, 1920), 0.8))  # (height, width), goal


def main() -> None:
    for size, goal in CASES:
        print(f"\n{measure(size)}\ngoal: at most {goal}x")


def measure(size: tuple[int, int]) -> str:
    """A table for one source size: compiled pipeline first, Pillow + NumPy last."""
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    pipeline = T.Compose([T.Resize((224, 224)), T.ToTensor(), T.Normalize(MEAN, STD)])
    compiled = jax.jit(lambda image: pipeline(image))
    image, mean, std = Image.fromarray(pixels), np.array(MEAN, np.float32), np.array(STD, np.float32)

    def by_hand() -> np.ndarray:
        resized = image.resize((224, 224), Image.Resampling.BILINEAR)
        return (np.asarray(resized, np.float32) / 255 - mean) / std

    timings = interleave({"e2e_jax": lambda: compiled(pixels), "Pillow + NumPy": by_hand}, repeats=200)
    return table(timings, title=f"{size[0]}x{size[1]} uint8 -> 224x224 bilinear, normalised, batch 1")
