"""A report as a table for the terminal."""

from __future__ import annotations

from itertools import groupby

from e2e_jax.bench.report import Report, Row
from e2e_jax.benchmark import sentence

HEADINGS = ("language", "engine", "precision", "flow", "median", "p95", "gain", "load", "first")
NUMBERS = 5  # the last of them


def as_text(report: Report) -> str:
    """The report, one block per batch size.

    Example:
        >>> facts_of = ("Python", "JAX", "0.12", "cpu", "float32", "separate", "single", 1, 9)
        >>> row = Row(*facts_of, 20.0, 22.0, None, None, 1.0, 0.0)
        >>> facts = {"device": "cpu", "processor": "x", "threads": 2, "features": [], "versions": {"jax": "0.12"}}
        >>> print(as_text(Report("ResNet-18", "photo to logits", facts, (row,), {})))
        ResNet-18: photo to logits
        cpu, 2 threads of x, jax 0.12
        <BLANKLINE>
        single, 9 runs; milliseconds per sample, load and first call in seconds
        language  engine  precision  flow      median    p95  gain  load  first
        Python    JAX     float32    separate   20.00  22.00               1.00
    """
    lines = [f"{report.network}: {report.task}", sentence(report.conditions)]
    for (kind, batch), found in groupby(report.rows, key=lambda row: (row.kind, row.batch)):
        rows = list(found)
        title = kind if batch == 1 else f"{kind} of {batch}"
        lines += [
            "",
            f"{title}, {rows[0].runs} runs; milliseconds per sample, load and first call in seconds",
        ]
        lines += _columns([HEADINGS, *map(_cells, rows)])
    if any(row.gain_percent is not None for row in report.rows):
        lines += ["", "gain: of the time of JAX with separate transforms (Pillow, NumPy), what one program saves"]
    lines += [f"{title} did not take part: {fix}" for title, fix in report.missing.items()]
    if not report.complete:
        lines += ["", "interrupted: this is what had been measured"]
    return "\n".join(lines)


def _cells(row: Row) -> tuple[str, ...]:
    engine = row.engine if row.device == "cpu" else f"{row.engine} ({row.device})"
    gain = "" if row.gain_percent is None else f"{row.gain_percent:+.1f} %"
    load = "" if row.load_s is None else f"{row.load_s:.2f}"
    figures = (f"{row.median_ms:.2f}", f"{row.p95_ms:.2f}", gain, load, f"{row.first_s:.2f}")
    return (row.language, engine, row.precision, row.flow, *figures)


def _columns(table: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[at]) for row in table) for at in range(len(HEADINGS))]
    words = len(HEADINGS) - NUMBERS
    return [
        "  ".join(
            c.ljust(w) if at < words else c.rjust(w) for at, (c, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in table
    ]
