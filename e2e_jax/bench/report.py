"""What was measured, as rows that any language and engine can add to, and as JSON."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np

from e2e_jax.bench.contestants import END_TO_END, Contestant
from e2e_jax.benchmark import Timing

FORMAT = 1  # of the JSON


@dataclasses.dataclass(frozen=True)
class Row:
    """One contestant at one batch size; times are milliseconds per sample unless named otherwise.

    Args:
        language: That calls the engine.
        engine: That runs the network.
        version: Of the engine.
        device: Kind of device, ``"cpu"`` or ``"gpu"``.
        precision: ``"float32"`` or ``"bfloat16"``.
        flow: ``"separate"``, ``"end to end"`` or ``"network only"``.
        kind: ``"single"`` or ``"batch"``.
        batch: Samples in a call.
        runs: Counted calls.
        median_ms: Of the calls.
        p95_ms: 95 % of the calls took at most that.
        gain_percent: Of the time of plain JAX with separate transforms that is saved; end to end only.
        load_s: Seconds to load, where there is something to load.
        first_s: Seconds of the first call, compilation included.
        difference: Of its answer from the first row's, as a share of the largest value.
    """

    language: str
    engine: str
    version: str
    device: str
    precision: str
    flow: str
    kind: str
    batch: int
    runs: int
    median_ms: float
    p95_ms: float
    gain_percent: float | None
    load_s: float | None
    first_s: float
    difference: float


@dataclasses.dataclass(frozen=True)
class Report:
    """A whole benchmark.

    Args:
        network: Its name for people.
        task: What was done with it.
        conditions: Device, threads and versions, as `benchmark.facts` names them.
        rows: In the order they are shown.
        missing: Engines that did not take part, and what would install them.
        complete: Whether everything asked for was measured.
    """

    network: str
    task: str
    conditions: dict[str, Any]
    rows: tuple[Row, ...]
    missing: dict[str, str]
    complete: bool = True

    def to_json(self) -> str:
        """As JSON; `from_json` reads it."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Report:
        """What `to_json` wrote, for instance on another machine or from another language.

        Example:
            >>> report = Report("net", "task", {}, (), {})
            >>> Report.from_json(report.to_json()) == report
            True
        """
        fields = json.loads(text)
        del fields["format"]
        return cls(**fields | {"rows": tuple(Row(**row) for row in fields["rows"])})


def rows(
    contestants: list[Contestant], timings: list[Timing], differences: dict[str, float], batch: int
) -> list[Row]:
    """One row per contestant that was timed.

    Example:
        >>> jax_ = Contestant("JAX", "1", "separate", "float32", lambda x: x)
        >>> fused = Contestant("e2e_jax", "1", "end to end", "float32", lambda x: x)
        >>> timings = [Timing(jax_.name, 1.0, (0.04,)), Timing(fused.name, 1.0, (0.03,))]
        >>> [row.gain_percent for row in rows([jax_, fused], timings, {jax_.name: 0, fused.name: 0}, 1)]
        [None, 25.0]
    """
    taken = {timing.name: timing for timing in timings}
    base = next((taken.get(one.name) for one in contestants if one.is_baseline), None)
    return [
        _row(one, taken[one.name], base, differences[one.name], batch) for one in contestants if one.name in taken
    ]


def _row(one: Contestant, timing: Timing, base: Timing | None, difference: float, batch: int) -> Row:
    return Row(
        language=one.language,
        engine=one.engine,
        version=one.version,
        device=one.device,
        precision=one.precision,
        flow=one.flow,
        kind="single" if batch == 1 else "batch",
        batch=batch,
        runs=len(timing.seconds),
        median_ms=timing.median / batch,
        p95_ms=timing.p95 / batch,
        gain_percent=_gain(timing, base) if base and one.flow == END_TO_END else None,
        load_s=one.load,
        first_s=timing.first,
        difference=difference,
    )


def _gain(timing: Timing, base: Timing) -> float:
    """From the medians that stand in the table, so that a reader gets the same number."""
    return float(np.round(100 * (1 - timing.median / base.median), 1))
