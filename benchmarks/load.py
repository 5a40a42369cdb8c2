"""Under load: a hundred threads on one predictor for a minute, and ten thousand photos through one iterator."""

from __future__ import annotations

import itertools
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import e2e_jax as e2e
from benchmarks.overhead import tiny
from benchmarks.photo import photo
from e2e_jax.predictor import Predictor

THREADS, SECONDS, SETTLED = 100, 60.0, 10.0
PHOTOS, BATCH, BAD_EVERY = 10_000, 32, 100
SIZES = [(40 + 37 * n % 400, 40 + 53 * n % 560) for n in range(24)]  # pixels


def resident() -> float:
    """Bytes of memory this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096.0


def photos() -> list[np.ndarray]:
    large = photo(640)
    return [large[:height, :width].copy() for height, width in SIZES]


def hammered(predictor: Predictor, seconds: float = SECONDS, threads: int = THREADS) -> dict[str, Any]:
    """Calls from many threads with photos of mixed sizes, single and in lists; every answer is compared.

    Returns:
        ``calls``, ``wrong`` answers, ``programs`` compiled, and bytes of memory ``before`` and ``after``: once
        things have settled, and at the end.
    """
    images = photos()
    expected = [predictor.predict(image) for image in images]
    end, counts, wrong = time.monotonic() + seconds, [0] * threads, []

    def work(number: int) -> None:
        random = np.random.default_rng(number)
        while time.monotonic() < end:
            chosen = random.integers(0, len(images), random.integers(1, 5)).tolist()
            if len(chosen) == 1:
                found = [predictor.predict(images[chosen[0]])]
            else:
                found = predictor.predict([images[n] for n in chosen], progress=False)
            counts[number] += 1
            wrong.extend(n for n, one in zip(chosen, found, strict=True) if not close(one, expected[n]))

    pool = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in pool:
        thread.start()
    time.sleep(min(SETTLED, seconds / 2))
    before = resident()
    for thread in pool:
        thread.join()
    programs = [(done.program, done.shape) for done in predictor.compilations]
    return {
        "calls": sum(counts),
        "wrong": len(wrong),
        "programs": len(programs),
        "doubled": len(programs) - len(set(programs)),
        "before": before,
        "after": resident(),
    }


def close(found: Any, expected: Any) -> bool:
    """The same classes, and scores that differ by the order of sums at most."""
    pairs = zip(found.top, expected.top, strict=True)
    return all(one.id == other.id and abs(one.score - other.score) < 1e-5 for one, other in pairs)


def streamed(predictor: Predictor, count: int = PHOTOS, *, progress: bool = True) -> dict[str, Any]:
    """Photos through one iterator, one in a hundred of them bad."""
    images = photos()
    peaks: list[float] = []

    def sources() -> Iterator[Any]:
        for number, image in zip(range(count), itertools.cycle(images), strict=False):
            peaks.append(resident())
            yield None if number % BAD_EVERY == BAD_EVERY // 2 else image

    start = time.perf_counter()
    stream = predictor.predict(sources(), batch_size=BATCH, on_error="skip", progress=progress)
    bad = [number for number, result in enumerate(stream) if isinstance(result, e2e.ImageError)]
    settled = peaks[len(peaks) // 10 :]
    return {
        "photos": count,
        "bad": len(bad),
        "in place": bad == list(range(BAD_EVERY // 2, count, BAD_EVERY)),
        "seconds": time.perf_counter() - start,
        "grown": max(settled) - settled[0],
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        predictor = e2e.load(tiny(folder))
        found = hammered(predictor)
        before, after = found["before"] / 1e6, found["after"] / 1e6  # MB
        calls, programs = found["calls"], found["programs"]
        print(
            f"\n{THREADS} threads, {SECONDS:g} s, {len(SIZES)} sizes: {calls} calls, {found['wrong']} wrong answers"
        )
        print(f"{programs} programs compiled, {found['doubled']} of them twice")
        print(f"memory after {SETTLED:g} s {before:.0f} MB, at the end {after:.0f} MB")
        stream = streamed(predictor)
        speed, grown = stream["photos"] / stream["seconds"], stream["grown"] / 1e6
        print(f"{stream['photos']} photos in batches of {BATCH}: {speed:.0f} per second")
        print(f"{stream['bad']} bad ones, each in its place: {stream['in place']}")
        print(f"memory grew by {grown:.0f} MB after the first tenth")
