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


def main() -> None:
    batch = np.stack([np.roll(photo(SOURCE), shift * 8, 1) for shift in range(COUNT)])
    key = jax.random.key(0)
    for name, jitter in (("with hue", STRENGTH), ("without hue", STRENGTH | {"hue": 0.0})):
        chain = T.Compose(
            [
                T.RandomResizedCrop(EDGE),
                T.RandomHorizontalFlip(),
                T.ColorJitter(**jitter),
            ]
        )
        compiled = jax.jit(lambda images, key, chain=chain: chain(images, key=key))
        contestants = {"e2e_jax": lambda run=compiled: run(batch, key)}
        if importlib.util.find_spec("albumentations"):
            theirs = _albumentations(jitter)
            contestants["Albumentations"] = lambda run=theirs: [run(image=image)["image"] for image in batch]
        timings = interleave(contestants, repeats=30)
        title = f"{COUNT} images {SOURCE}x{SOURCE} -> {EDGE}x{EDGE}: RandomResizedCrop, flip, ColorJitter {name}"
        print(f"\n{table(timings, title=title)}")
        rates = ", ".join(f"{t.name} {COUNT / t.median * 1e3:.0f} images/s" for t in timings)
        print(rates if len(timings) == 1 else f"{rates}; {1 / ratio(*timings):.2f}x, goal: at least {GOAL}x")
    if not importlib.util.find_spec("albumentations"):
        print("Albumentations is not installed; pip install albumentations to compare")


def _albumentations(jitter: dict[str, float]) -> Any:
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks the network for a newer version otherwise
    import albumentations as A  # noqa: PLC0415, N812

    return A.Compose([A.RandomResizedCrop((EDGE, EDGE)), A.HorizontalFlip(), A.ColorJitter(**jitter, p=1.0)])
