"""A batch of 32 random-augmented images against the same chain in Albumentations, where that is installed."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import jax
import numpy as np

from benchmarks.photo import photo
from e2e_jax import transforms as T
from e2e_jax.benchmark import interleave, ratio, table

COUNT, SOURCE, EDGE = 32, 256, 224
STRENGTH = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}
GOAL = 1.5  # times the images per second
PLAIN: dict[str, Any] = {"numerics": "torch", "antialias": False}  # reads as many pixels as Albumentations


def main() -> None:
    batch = np.stack([np.roll(photo(SOURCE), shift * 8, 1) for shift in range(COUNT)])
    key = jax.random.key(0)
    for title, jitter in (("with hue", STRENGTH), ("without hue", STRENGTH | {"hue": 0.0})):
        crops = {"e2e_jax": T.RandomResizedCrop(EDGE), "two by two pixels": T.RandomResizedCrop(EDGE, **PLAIN)}
        contestants = {
            name: _ours([crop, T.RandomHorizontalFlip(), T.ColorJitter(**jitter)], batch, key)
            for name, crop in crops.items()
        }
        if importlib.util.find_spec("albumentations"):
            theirs = _albumentations(jitter)
            contestants["Albumentations"] = lambda run=theirs: [run(image=image)["image"] for image in batch]
        timings = interleave(contestants, repeats=30)
        heading = f"{COUNT} images {SOURCE}x{SOURCE} -> {EDGE}x{EDGE}: RandomResizedCrop, flip, ColorJitter {title}"
        print(f"\n{table(timings, title=heading)}")
        print(", ".join(f"{t.name} {COUNT / t.median * 1e3:.0f} images/s" for t in timings))
        for timing in timings[:-1] if "Albumentations" in contestants else []:
            print(f"{timing.name}: {1 / ratio(timing, timings[-1]):.2f}x, goal: at least {GOAL}x")
    if not importlib.util.find_spec("albumentations"):
        print("Albumentations is not installed; pip install albumentations to compare")


def _ours(steps: list[Any], batch: np.ndarray, key: jax.Array) -> Any:
    chain = T.Compose(steps)
    compiled = jax.jit(lambda images, key: chain(images, key=key))
    return lambda: compiled(batch, key)


def _albumentations(jitter: dict[str, float]) -> Any:
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks the network for a newer version otherwise
    import albumentations as A  # noqa: PLC0415, N812

    return A.Compose([A.RandomResizedCrop((EDGE, EDGE)), A.HorizontalFlip(), A.ColorJitter(**jitter, p=1.0)])
