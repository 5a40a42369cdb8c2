"""Honest timing: contestants in turn, after a warm-up, results waited for, quantiles reported."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from tqdm.auto import tqdm


@dataclasses.dataclass(frozen=True)
class Timing:
    """What one contestant took.

    Args:
        name: Of the contestant.
        first: Seconds of the first call, compilation included.
        seconds: Of each counted call.
    """

    name: str
    first: float
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Milliseconds."""
        return 1e3 * float(np.median(self.seconds))

    @property
    def p95(self) -> float:
        """Milliseconds; 95 % of the calls were at most that long."""
        return 1e3 * float(np.quantile(self.seconds, 0.95))


def interleave(
    contestants: Mapping[str, Callable[[], Any]], *, repeats: int = 30, warmup: int = 3, progress: bool = True
) -> list[Timing]:
    """Times functions in turn, A B A B …, so that a drifting machine treats them alike.

    Args:
        contestants: Name to function; a JAX result is waited for.
        repeats: Counted calls of each.
        warmup: Calls of each before, not counted.
        progress: Show a bar where it takes over a second.

    Returns:
        One `Timing` per contestant, in their order.

    Source:
        The order of burn-in, synchronise, repeat is that of most careful benchmarks, e.g. nanoGPT's bench.py.

    Example:
        >>> fast, slow = interleave({"fast": lambda: 1, "slow": lambda: time.sleep(0.01)}, repeats=3)
        >>> slow.median / fast.median > 2
        True
    """
    first = {name: _seconds(run) for name, run in contestants.items()}
    for run in contestants.values():
        for _ in range(warmup - 1):
            _seconds(run)
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in tqdm(range(repeats), disable=not progress, delay=1.0, leave=False, unit="round"):
        for name, run in contestants.items():
            taken[name].append(_seconds(run))
    return [Timing(name, first[name], tuple(taken[name])) for name in contestants]


def _seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    jax.block_until_ready(run())
    return time.perf_counter() - start


def ratio(first: Timing, second: Timing) -> float:
    """Median of the call-by-call ratios first / second: below 1 the first is faster."""
    return float(np.median(np.array(first.seconds) / np.array(second.seconds)))


def table(timings: list[Timing], *, title: str) -> str:
    """Timings as text, with the machine and versions they hold for; ratios are to the last contestant.

    Example:
        >>> print(table([Timing("a", 0.5, (0.001, 0.001)), Timing("b", 0.5, (0.002, 0.002))], title="t"))
        t
        ...
        a      1.00 ms   p95    1.00 ms   first    0.50 s   0.50x
        b      2.00 ms   p95    2.00 ms   first    0.50 s   1.00x
    """
    width = max(len(timing.name) for timing in timings)
    lines = [title, conditions()]
    for t in timings:
        figures = f"{t.median:9.2f} ms   p95 {t.p95:7.2f} ms   first {t.first:7.2f} s"
        lines.append(f"{t.name:{width}} {figures}   {ratio(t, timings[-1]):.2f}x")
    return "\n".join(lines)


def conditions() -> str:
    """Device and versions, which every published number needs."""
    device = jax.devices()[0]
    return f"{device.platform} {device.device_kind}, jax {jax.__version__}, numpy {np.__version__}"
