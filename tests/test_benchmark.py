"""The arithmetic of timings, and the order of calls."""

import numpy as np
import pytest

from e2e_jax import benchmark
from e2e_jax.benchmark import Timing, interleave, ratio, table


def test_contestants_take_turns_after_their_warm_up():
    calls = []
    timings = interleave({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, repeats=3, warmup=2,
                         progress=False)  # fmt: skip
    assert "".join(calls) == "ab" + "a" + "b" + "ab" * 3
    assert [timing.name for timing in timings] == ["a", "b"]
    assert [len(timing.seconds) for timing in timings] == [3, 3]


def test_seconds_are_those_between_start_and_end(monkeypatch):
    clock = iter([0.0, 5.0, 10.0, 10.5, 20.0, 21.0, 30.0, 31.5])
    monkeypatch.setattr(benchmark.time, "perf_counter", lambda: next(clock))
    (timing,) = interleave({"a": lambda: None}, repeats=2, warmup=2, progress=False)
    assert timing == Timing("a", 5.0, (1.0, 1.5))  # first call, one uncounted, two counted


def test_results_are_waited_for(monkeypatch):
    waited = []
    monkeypatch.setattr(benchmark.jax, "block_until_ready", waited.append)
    interleave({"a": lambda: "result"}, repeats=2, warmup=1, progress=False)
    assert waited == ["result"] * 3


def test_median_and_p95_are_milliseconds():
    timing = Timing("a", 1.0, tuple(np.arange(1, 102) / 1000))
    assert timing.median == pytest.approx(51)
    assert timing.p95 == pytest.approx(96)


def test_ratio_is_the_median_of_the_rounds():
    slowing = Timing("a", 1.0, (1.0, 2.0, 30.0)), Timing("b", 1.0, (2.0, 4.0, 10.0))
    assert ratio(*slowing) == 0.5  # a ratio of medians would say 0.5 of 2 / 4 by chance only
    assert ratio(*slowing[::-1]) == 2
    assert ratio(Timing("a", 1.0, (1.0, 8.0, 9.0)), Timing("b", 1.0, (1.0, 2.0, 10.0))) == 1  # medians: 4


def test_table_shows_every_figure_and_its_conditions():
    text = table([Timing("fused", 2.0, (0.010,) * 3), Timing("by hand", 0.5, (0.0125,) * 3)], title="one photo")
    title, conditions, fused, by_hand = text.splitlines()
    assert title == "one photo"
    assert "jax " in conditions
    assert "numpy " + np.__version__ in conditions
    assert fused.split() == ["fused", "10.00", "ms", "p95", "10.00", "ms", "first", "2.00", "s", "0.80x"]
    assert by_hand.endswith("1.00x")
