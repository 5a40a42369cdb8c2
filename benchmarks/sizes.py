"""A list of 60 images of 60 sizes: how many programs are compiled. Goal: at most 12, and none the second time."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

import e2e_jax as e2e
from benchmarks.start import ARTIFACT, artifact


def main() -> None:
    predictor = e2e.load(artifact())
    print(f"\n60 images of 60 sizes, 40 to 2000 pixels, through {Path(ARTIFACT).name}")
    random = np.random.default_rng(0)
    sizes = random.integers(40, 2001, (60, 2))
    images = [random.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in sizes]
    for attempt in ("first", "second"):
        before, start = len(predictor.compilations), time.perf_counter()
        predictor.predict(images, progress=False)
        compiled = len(predictor.compilations) - before
        print(f"{attempt} pass: {time.perf_counter() - start:.1f} s, {compiled} programs compiled")
    print("goal: at most 12, then 0")
