"""The arithmetic of timings, and the order of calls."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from e2e_jax import benchmark, machine
from e2e_jax.benchmark import Measurement, Timing, interleave, measure, ratio, table
from e2e_jax.errors import ConfigError


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


def test_ctrl_c_keeps_the_complete_rounds():
    calls = []

    def stops():
        calls.append("b")
        if len(calls) == 4:  # one warm-up, two rounds, and in the third
            raise KeyboardInterrupt
        return 0

    with pytest.raises(benchmark.Interrupted) as caught:
        interleave({"a": lambda: 0, "b": stops}, repeats=9, warmup=1, progress=False)
    assert [(timing.name, len(timing.seconds)) for timing in caught.value.timings] == [("a", 2), ("b", 2)]


def test_ctrl_c_before_the_first_round_leaves_nothing():
    def stops():
        raise KeyboardInterrupt

    with pytest.raises(benchmark.Interrupted) as caught:
        interleave({"a": lambda: 0, "b": stops}, progress=False)
    assert caught.value.timings == []


def test_a_budget_ends_the_rounds_when_it_is_spent(monkeypatch):
    clock = iter([0.0, 1.0, 2.0, 3.5, 4.0])  # the start, then after each round
    monkeypatch.setattr(benchmark.time, "monotonic", lambda: next(clock))
    (timing,) = interleave({"a": lambda: None}, repeats=9, warmup=1, progress=False, budget=3.0)
    assert len(timing.seconds) == 3


def test_first_results_are_checked_before_anything_is_counted():
    calls = []

    def check(results):
        assert results == {"a": 1, "b": 2}
        assert calls == ["a", "b"]
        raise ValueError("they differ")

    with pytest.raises(ValueError, match="they differ"):
        interleave({"a": lambda: calls.append("a") or 1, "b": lambda: calls.append("b") or 2}, check=check)
    assert calls == ["a", "b"]


def test_measure_calls_with_its_arguments_and_names_them():
    given = []
    x = np.zeros((4, 3), np.float32)
    result = measure(
        lambda *a: given.append(a), x, {"n": 2}, repeats=3, warmup=2, samples=4, name="f", progress=False
    )
    assert given == [(x, {"n": 2})] * 5
    assert (result.name, len(result.seconds), result.samples) == ("f", 3, 4)
    assert result.arguments == ("float32[4,3]",)
    assert result.conditions["threads"] == machine.threads()
    assert result.conditions["versions"]["numpy"] == np.__version__


def test_measure_wants_a_function_and_its_arguments_apart():
    with pytest.raises(ConfigError, match="measure: the first argument must be a function"):
        measure(np.zeros(3))
    assert measure(len, (), repeats=1).name == "len"


@pytest.mark.parametrize("count", ["repeats", "warmup", "samples"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True])
def test_measure_wants_counts(count, value):
    with pytest.raises(ConfigError, match=f"measure: {count} must be a whole number"):
        measure(len, (), **{count: value})


def result(**changes) -> Measurement:
    fields = {
        "name": "<f>",
        "first": 1.5,
        "seconds": (0.002, 0.004, 0.008),
        "samples": 2,
        "arguments": ("uint8[2,3]",),
    }
    return Measurement(**fields | {"conditions": benchmark.facts()} | changes)


def test_a_measurement_tells_its_figures_and_where_they_hold():
    assert repr(result()).startswith(
        "<<f>: median of 3 calls 4 ms (2 ms per sample), p95 7.6 ms, first 1.5 s; uint8[2,3], cpu"
    )
    assert f"{machine.threads()} thread" in repr(result())
    assert "per sample" not in repr(result(samples=1))


def test_a_measurement_in_a_notebook_has_bars_and_no_script():
    page = result()._repr_html_()
    ElementTree.fromstring(page)  # well formed
    assert "&lt;f&gt;, 3 calls" in page
    assert "script" not in page
    assert [int(width) for width in re.findall(r"width:(\d+)px", page)] == [40, 80, 152, 160]  # of 8 ms
    assert "1.5e+03 ms" in page  # the first call, which would dwarf the rest
    assert page.count("<tr>") == 6
    assert result(samples=1)._repr_html_().count("<tr>") == 5
