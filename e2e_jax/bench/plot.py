"""A report as a chart: horizontal bars, fastest at the top, each with its figure."""

from __future__ import annotations

import io
from typing import Any

from e2e_jax.bench.contestants import NETWORK_ONLY
from e2e_jax.bench.report import Report, Row
from e2e_jax.benchmark import sentence

WIDTH, BAR, MARGIN, DPI = 9.0, 0.32, 1.5, 150  # inches; inches per bar; inches above and below; dots per inch
OURS, OTHERS, LESS, INK, QUIET = "#0b6e99", "#9aa5b1", "#d5dbe1", "#1f2933", "#616e7c"


def draw(report: Report) -> bytes:
    """The chart as PNG, one panel per batch size.

    Args:
        report: With at least one row.

    Returns:
        The bytes of the file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # late: a chart is seldom wanted
    from matplotlib.figure import Figure

    batches = sorted({row.batch for row in report.rows})
    panels = [sorted((r for r in report.rows if r.batch == b), key=lambda r: r.median_ms) for b in batches]
    height = MARGIN + sum(BAR * (len(rows) + 2) for rows in panels)
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=[len(rows) + 1 for rows in panels])[:, 0]
    longest = max(row.median_ms for row in report.rows)
    for rows, panel in zip(panels, axes, strict=True):
        _panel(panel, rows, longest)
    figure.suptitle(f"{report.network}: milliseconds per photo", x=0.01, ha="left", color=INK, weight="bold")
    notes = (report.task, sentence(report.conditions), "less, more: than JAX with separate transforms")
    figure.supxlabel("\n".join(notes), x=0.01, ha="left", fontsize=6.5, color=QUIET)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _panel(axes: Any, rows: list[Row], longest: float) -> None:
    places = range(len(rows))
    axes.barh(places, [row.median_ms for row in rows], color=[_colour(row) for row in rows], height=0.72)
    for place, row in zip(places, rows, strict=True):
        axes.text(row.median_ms + longest * 0.01, place, _label(row), va="center", fontsize=8, color=INK)
    axes.set_yticks(places, [_name(row) for row in rows], fontsize=8, color=INK)
    for tick, row in zip(axes.get_yticklabels(), rows, strict=True):
        tick.set_weight("bold" if row.engine == "e2e_jax" else "normal")
    batch, runs = rows[0].batch, rows[0].runs
    axes.set_title(f"{'one photo' if batch == 1 else f'{batch} photos'} per call, median of {runs}", loc="left",
                   fontsize=9, color=QUIET)  # fmt: skip
    axes.set_xlim(0, longest * 1.18)  # room for the labels; one scale for all panels
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.set_xticks([])
    for side in ("top", "right", "bottom", "left"):
        axes.spines[side].set_visible(False)


def _colour(row: Row) -> str:
    if row.engine == "e2e_jax":
        return OURS
    return LESS if row.flow == NETWORK_ONLY else OTHERS


def _name(row: Row) -> str:
    precision = "" if row.precision == "float32" else f" {row.precision}"
    language = "" if row.language == "Python" else f"{row.language}, "
    device = "" if row.device == "cpu" else f" ({row.device})"
    return f"{language}{row.engine}{precision}{device}, {row.flow}"


def _label(row: Row) -> str:
    if row.gain_percent is None:
        return f"{row.median_ms:.1f}"
    return f"{row.median_ms:.1f}   {abs(row.gain_percent):.0f} % {'less' if row.gain_percent >= 0 else 'more'}"
