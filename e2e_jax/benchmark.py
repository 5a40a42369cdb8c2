"""Honest timing: contestants in turn, after a warm-up, results waited for, quantiles reported."""

from __future__ import annotations

import dataclasses
import html
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from tqdm.auto import tqdm

from e2e_jax import machine
from e2e_jax.errors import ConfigError
from e2e_jax.transforms.check import whole


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


@dataclasses.dataclass(frozen=True, repr=False)
class Measurement(Timing):
    """What one function took, and where: the answer of `measure`.

    Args:
        name: Of the function.
        first: Seconds of the first call, compilation included.
        seconds: Of each counted call.
        samples: Images, or whatever is counted, in one call.
        arguments: Dtype and shape of each array the function was given, ``"uint8[1,300,300,3]"``.
        conditions: Device, threads and versions, as `facts` names them.

    Example:
        >>> Measurement("f", 0.5, (0.002, 0.002), samples=2).per_sample
        1.0
    """

    samples: int = 1
    arguments: tuple[str, ...] = ()
    conditions: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def per_sample(self) -> float:
        """Milliseconds of the median call, divided by its samples."""
        return self.median / self.samples

    def __repr__(self) -> str:
        per = f" ({self.per_sample:.3g} ms per sample)" if self.samples > 1 else ""
        calls = f"median of {len(self.seconds)} calls {self.median:.3g} ms{per}, p95 {self.p95:.3g} ms"
        return f"<{self.name}: {calls}, first {self.first:.2g} s; {self._where()}>"

    def _repr_html_(self) -> str:
        calls = 1e3 * np.array(self.seconds)
        figures = {"fastest": calls.min(), "median": self.median, "p95": self.p95, "slowest": calls.max()}
        rows = "".join(_bar(name, value, value / calls.max()) for name, value in figures.items())
        rows += _bar("first call", 1e3 * self.first, None)
        if self.samples > 1:
            rows += _bar("median per sample", self.per_sample, None)
        caption = html.escape(f"{self.name}, {len(self.seconds)} calls; {self._where()}")
        return f'<table><caption style="text-align:left">{caption}</caption>{rows}</table>'

    def _where(self) -> str:
        return ", ".join([*self.arguments, *([sentence(self.conditions)] if self.conditions else [])])


BAR = 160  # pixels of the longest


def _bar(name: str, milliseconds: float, share: float | None) -> str:
    """One line of a table for a notebook: a name, a figure, and a bar where it can be compared with the others."""
    style = f"width:{BAR * share:.0f}px;height:0.8em;background:#4c72b0" if share is not None else ""
    cells = (f"{name}", f'<span style="float:right">{milliseconds:.3g} ms</span>', f'<div style="{style}"></div>')
    return "<tr>" + "".join(f'<td style="text-align:left">{cell}</td>' for cell in cells) + "</tr>"


def measure(
    function: Callable[..., Any],
    *arguments: Any,
    repeats: int = 30,
    warmup: int = 3,
    samples: int = 1,
    name: str | None = None,
    progress: bool = True,
) -> Measurement:
    """Times one function, compiled or not; in a notebook the answer shows itself as a table.

    Args:
        function: Called as ``function(*arguments)``; a JAX result is waited for.
        *arguments: Its arguments, any pytrees.
        repeats: Counted calls.
        warmup: Calls before, not counted; the first of them compiles.
        samples: Images, or whatever is to be counted, in one call.
        name: To show; the function's own if absent.
        progress: Show a bar where it takes over a second.

    Returns:
        A `Measurement`. To compare functions, time them in turn with `interleave`.

    Raises:
        ConfigError: There is nothing to call, or a count is no whole number of at least 1.

    Source:
        As `interleave`.

    Example:
        >>> result = measure(jax.jit(lambda x: x + 1), np.zeros((4, 3), np.float32), repeats=5, samples=4)
        >>> len(result.seconds), result.arguments, result.per_sample == result.median / 4
        (5, ('float32[4,3]',), True)
    """
    if not callable(function):
        fix = "pass the function and its arguments apart: measure(f, x), not measure(f(x))."
        raise ConfigError("measure: the first argument must be a function.", type(function).__name__, fix)
    for count, value in (("repeats", repeats), ("warmup", warmup), ("samples", samples)):
        whole("measure", count, value, least=1)
    shown = name or str(getattr(function, "__name__", type(function).__name__))
    run = {shown: lambda: function(*arguments)}
    (timing,) = interleave(run, repeats=repeats, warmup=warmup, progress=progress)
    shapes = tuple(_shape(leaf) for leaf in jax.tree.leaves(arguments) if hasattr(leaf, "shape"))
    return Measurement(shown, timing.first, timing.seconds, samples, shapes, facts())


def _shape(array: Any) -> str:
    return f"{array.dtype}[{','.join(map(str, array.shape))}]"


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a measurement; the rounds that were complete are not lost.

    Args:
        timings: Of the contestants so far; none if not one round was complete.
    """

    def __init__(self, timings: list[Timing]) -> None:
        super().__init__()
        self.timings = timings


def interleave(
    contestants: Mapping[str, Callable[[], Any]],
    *,
    repeats: int = 30,
    warmup: int = 3,
    progress: bool = True,
    budget: float = float("inf"),
    check: Callable[[dict[str, Any]], None] | None = None,
) -> list[Timing]:
    """Times functions in turn, A B A B …, so that a drifting machine treats them alike.

    Args:
        contestants: Name to function; a JAX result is waited for.
        repeats: Counted calls of each.
        warmup: Calls of each before, not counted.
        progress: Show a bar where it takes over a second.
        budget: Seconds after which no further round begins; one is always run.
        check: Given what the first calls returned, by name, before anything is counted; may raise.

    Returns:
        One `Timing` per contestant, in their order.

    Raises:
        Interrupted: Ctrl-C; it carries what was measured.

    Source:
        The order of burn-in, synchronise, repeat is that of most careful benchmarks, e.g. nanoGPT's bench.py.

    Example:
        >>> fast, slow = interleave({"fast": lambda: 1, "slow": lambda: time.sleep(0.01)}, repeats=3)
        >>> slow.median / fast.median > 2
        True
    """
    first: dict[str, float] = {}
    rounds: list[dict[str, float]] = []

    def so_far() -> list[Timing]:
        return [Timing(name, first[name], tuple(one[name] for one in rounds)) for name in contestants if rounds]

    try:
        results = {name: _timed(run, first, name) for name, run in contestants.items()}
        if check is not None:
            check(results)
        for run in contestants.values():
            for _ in range(warmup - 1):
                _seconds(run)
        end = time.monotonic() + budget
        for _ in tqdm(range(repeats), disable=not progress, delay=1.0, leave=False, unit="round"):
            rounds.append({name: _seconds(run) for name, run in contestants.items()})
            if time.monotonic() > end:
                break
    except KeyboardInterrupt:
        raise Interrupted(so_far()) from None
    return so_far()


def _seconds(run: Callable[[], Any]) -> float:
    taken: dict[str, float] = {}
    _timed(run, taken, "")
    return taken[""]


def _timed(run: Callable[[], Any], taken: dict[str, float], name: str) -> Any:
    """One call; its seconds are noted under its name."""
    start = time.perf_counter()
    result = run()
    jax.block_until_ready(result)
    taken[name] = time.perf_counter() - start
    return result


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
    """Device, threads and versions, which every published number needs, in one line."""
    return sentence(facts())


def facts() -> dict[str, Any]:
    """The same as data.

    Example:
        >>> sorted(facts())
        ['device', 'features', 'processor', 'threads', 'versions']
    """
    device = jax.devices()[0]
    return {
        "device": f"{device.platform} {device.device_kind}",
        "processor": machine.processor(),
        "threads": machine.threads(),
        "features": list(machine.features()),
        "versions": {"jax": jax.__version__, "numpy": np.__version__},
    }


def sentence(known: Mapping[str, Any]) -> str:
    """Facts in one line."""
    versions = (f"{name} {version}" for name, version in known["versions"].items())
    count = known["threads"]
    cores = f"{count} thread{'s' * (count != 1)} of {known['processor']}"
    return ", ".join([known["device"], " ".join([cores, *known["features"]]), *versions])
