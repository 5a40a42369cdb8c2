"""The whole benchmark: prepare, check, time in turn, gather rows; what Ctrl-C leaves is kept."""

from __future__ import annotations

import dataclasses
import functools
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from tqdm.auto import tqdm

from e2e_jax.bench import agreement, report
from e2e_jax.bench.contestants import NETWORK_ONLY, Contestant, Ours, field
from e2e_jax.bench.report import Report, Row
from e2e_jax.bench.work import Work
from e2e_jax.benchmark import Interrupted, Timing, facts, interleave
from e2e_jax.engines import catalog


@dataclasses.dataclass(frozen=True)
class Plan:
    """How much to measure.

    Args:
        runs: Counted calls of each contestant, by samples in a call.
        engines: Keys of `catalog.ENGINES` that take part beside JAX; those installed if absent.
        warmup: Calls of each contestant before, not counted.
        limit: Seconds for everything, kept by leaving out rounds; preparing and compiling are not cut short.
        progress: Show bars.
    """

    runs: dict[int, int]
    engines: Sequence[str] | None = None
    warmup: int = 3
    limit: float = float("inf")
    progress: bool = True


def run(work: Work, plan: Plan, ours: Ours | None = None) -> Report:
    """Measures a work by a plan; Ctrl-C ends it early, with a report that says so.

    Args:
        work: What to do.
        plan: How often.
        ours: Makes the contestants of this project; `contestants.artifacts` if absent.

    Returns:
        A report with one row per contestant and batch size.

    Raises:
        ConfigError: An engine asked for is not installed, or the network does not convert for it.
        ArtifactError: The contestants do not give the same answer.
    """
    engines, missing = _engines(plan.engines)
    gathered: list[Row] = []
    end = time.monotonic() + plan.limit
    with tempfile.TemporaryDirectory(prefix="e2e-bench-") as folder:
        prepare = functools.partial(_prepared, work, engines, Path(folder), ours, plan.progress)
        for left, (batch, repeats) in zip(range(len(plan.runs), 0, -1), plan.runs.items(), strict=True):
            try:
                contestants = prepare(batch)
                budget = (end - time.monotonic()) / (2 * left - 1)  # the rest of the time has as much to prepare
                gathered += _timed(work, contestants, batch, repeats, plan, budget)
            except KeyboardInterrupt as stop:
                gathered += stop.rows if isinstance(stop, _Stopped) else []
                return _report(work, gathered, missing, complete=False)
    return _report(work, gathered, missing, complete=True)


class _Stopped(KeyboardInterrupt):
    """Ctrl-C, with the rows there are."""

    def __init__(self, rows: list[Row]) -> None:
        super().__init__()
        self.rows = rows


def _engines(asked: Sequence[str] | None) -> tuple[list[str], dict[str, str]]:
    """Which take part, and what would install the others."""
    if asked is not None:
        catalog.require(asked)
        return list(asked), {}
    missing = {engine.title: engine.command for name, engine in catalog.ENGINES.items() if catalog.missing(name)}
    return [name for name in catalog.ENGINES if not catalog.missing(name)], missing


def _prepared(
    work: Work, engines: list[str], folder: Path, ours: Ours | None, progress: bool, batch: int
) -> list[Contestant]:
    name = f"preparing {'single' if batch == 1 else f'batch of {batch}'}"
    contestants = field(work, batch, engines, folder, ours)
    return list(tqdm(contestants, name, disable=not progress, leave=False, unit="contestant"))


def _timed(
    work: Work, contestants: list[Contestant], batch: int, repeats: int, plan: Plan, budget: float
) -> list[Row]:
    photos = work.photos(batch)
    x = work.by_hand(photos)
    calls = {one.name: _call(one, x if one.flow == NETWORK_ONLY else photos) for one in contestants}
    differences: dict[str, float] = {}

    def rows(timings: list[Timing]) -> list[Row]:
        return report.rows(contestants, timings, differences, batch)

    def check(answers: dict[str, Any]) -> None:
        differences.update(agreement.check(contestants, answers))

    try:
        return rows(interleave(calls, repeats=repeats, warmup=plan.warmup, progress=plan.progress, budget=budget,
                               check=check))  # fmt: skip
    except Interrupted as stop:
        raise _Stopped(rows(stop.timings)) from None


def _call(one: Contestant, given: np.ndarray) -> Callable[[], Any]:
    return lambda: one.run(given)


def _report(work: Work, rows: list[Row], missing: dict[str, str], *, complete: bool) -> Report:
    conditions = facts() | {"photo": f"uint8{[*work.photo, 3]}", "input": f"float32{list(work.input)}"}
    conditions["versions"]["pillow"] = PIL.__version__
    conditions["versions"] |= {row.engine: row.version for row in rows if row.engine != "JAX"}
    return Report(work.title, work.task, conditions, tuple(rows), missing, complete)
