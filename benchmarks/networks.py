"""The networks of the zoo behind transforms: plain JAX, lowered, other engines, and the goals between them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from PIL import Image

from e2e_jax import zoo
from e2e_jax.bench.contestants import END_TO_END, NETWORK_ONLY, SEPARATE, VERSION, Contestant, in_jax, precisions
from e2e_jax.bench.report import Report, Row
from e2e_jax.bench.run import Plan, run
from e2e_jax.bench.text import as_text
from e2e_jax.bench.work import Work, original
from e2e_jax.compiler import compiler_options
from e2e_jax.lowering.lower import lower

RUNS = {1: 40, 25: 5}  # calls, by photos in a call
SECONDS = 75.0  # per network; rounds stop then
PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}
TOP = 5


class Goal(NamedTuple):
    """At most so many times another contestant's time, both doing the same.

    Args:
        ours: Engine and precision.
        other: Engine and precision.
        most: The ratio to reach.
    """

    ours: tuple[str, str]
    other: tuple[str, str]
    most: float


PLAIN, ORT = ("JAX", "float32"), ("ONNX Runtime", "float32")
F32, BF16 = ("e2e_jax", "float32"), ("e2e_jax", "bfloat16")
GOALS = {
    "EfficientNet-Lite0": (Goal(F32, PLAIN, 0.25), Goal(F32, ORT, 1.3), Goal(BF16, ORT, 1.0)),
    "ResNet-18": (
        Goal(F32, PLAIN, 0.85),
        Goal(F32, ORT, 1.3),
        Goal(BF16, ORT, 0.8),
        Goal(BF16, ("OpenVINO", "bfloat16"), 1.6),
    ),
    "MobileNetV2": (Goal(F32, PLAIN, 0.25),),
}
FUSED = 1.0  # times the separate steps


def main() -> str:
    sections = []
    for work in (efficientnet_lite0(), original("resnet18"), original("mobilenet_v2")):
        report = run(work, Plan(RUNS, limit=SECONDS, warmup=2), ours=lowered)
        sections.append(f"{as_text(report)}\n\n{verdicts(report)}")
        print(f"\n{sections[-1]}", flush=True)
        if not report.complete:
            raise KeyboardInterrupt
    return "\n\n".join(f"```\n{section}\n```" for section in sections)


def lowered(work: Work, _: Path) -> Iterator[Contestant]:
    """The network through the lowering pass, in each precision that this processor multiplies in hardware."""
    for precision in precisions():

        def compiled(function: Any, precision: str = precision) -> Any:
            return jax.jit(lower(function, precision=precision), compiler_options=compiler_options())

        yield from in_jax(work, work.network_as_is, "e2e_jax", VERSION, precision, compiled)


def verdicts(report: Report) -> str:
    """Each goal with what was reached, image to answer and network alone, for every batch size."""
    lines = []
    for batch in sorted({row.batch for row in report.rows}):
        rows = {(row.engine, row.precision, row.flow): row for row in report.rows if row.batch == batch}
        for engine, precision in (PLAIN, F32, BF16):
            lines += _fused(rows, engine, precision, batch)
        for goal in GOALS[report.network]:
            lines += _reached(rows, goal, batch)
    return "\n".join(lines)


def _fused(rows: dict[Any, Row], engine: str, precision: str, batch: int) -> Iterator[str]:
    ours, other = rows.get((engine, precision, END_TO_END)), rows.get((engine, precision, SEPARATE))
    if ours and other:
        who = f"{engine} {PRECISIONS[precision]}"
        yield _line(batch, f"{who}, one program / separate transforms", ours.median_ms / other.median_ms, FUSED)


def _reached(rows: dict[Any, Row], goal: Goal, batch: int) -> Iterator[str]:
    other_flow = END_TO_END if goal.other[0] == "JAX" else SEPARATE  # engines have their transforms by hand
    for what, flows in (("photo to answer", (END_TO_END, other_flow)), ("network alone", (NETWORK_ONLY,) * 2)):
        ours, other = rows.get((*goal.ours, flows[0])), rows.get((*goal.other, flows[1]))
        if ours and other:
            names = " / ".join(f"{engine} {PRECISIONS[precision]}" for engine, precision in (goal.ours, goal.other))
            yield _line(batch, f"{names}, {what}", ours.median_ms / other.median_ms, goal.most)


def _line(batch: int, what: str, ratio: float, most: float) -> str:
    return f"batch {batch:2}  {what:58} {ratio:5.2f}x  goal {most}x  {'reached' if ratio <= most else 'MISSED'}"


def efficientnet_lite0() -> Work:
    """A photo to the five most probable classes, with trained weights."""
    model = zoo.classifier("efficientnet_lite0", top_k=TOP)
    task = f"uniform random 300x300x3 uint8, {model.preprocess!r}, to top {TOP}"
    return Work("EfficientNet-Lite0", task, model.preprocess, _lite0_by_hand, model.network,
                finish=model.postprocess, finish_by_hand=_top)  # fmt: skip


def _lite0_by_hand(photos: np.ndarray) -> np.ndarray:
    return np.stack([_one_by_hand(Image.fromarray(photo)) for photo in photos])


def _one_by_hand(image: Image.Image) -> np.ndarray:
    resized = image.resize((256, 256), Image.Resampling.BICUBIC)
    pixels = np.asarray(resized.crop((16, 16, 240, 240)), np.float32)
    return (pixels - np.float32(127)) / np.float32(128)


def _top(logits: np.ndarray) -> dict[str, np.ndarray]:
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    scores = powers / powers.sum(-1, keepdims=True)
    ids = np.argsort(-scores, -1)[:, :TOP]
    return {"ids": ids, "scores": np.take_along_axis(scores, ids, -1)}
