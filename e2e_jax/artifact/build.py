"""What goes into an artifact, made from a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from e2e_jax.artifact import archive, onnx_programs, params, programs, sample
from e2e_jax.artifact.describe import manifest
from e2e_jax.artifact.options import outputs
from e2e_jax.artifact.plan import Plan, ways_of
from e2e_jax.artifact.traced import Sizes, Traced
from e2e_jax.model import EndToEnd

STEPS = 7  # that `build` reports

type Step = Callable[[str, Callable[[], Any]], Any]  # reports what is being done, and does it


def build(model: EndToEnd, plan: Plan, step: Step, *, progress: bool) -> dict[str, bytes]:
    """All members of an artifact, the manifest first.

    Args:
        model: It is not changed.
        plan: What the artifact shall be.
        step: Called with the name of each of `STEPS` steps and the work.
        progress: Show a bar over the convolutions that are measured.

    Raises:
        ConfigError: The model cannot be traced with symbolic shapes, or a precision leads too far off.
        ArtifactError: The folder for temporary files has no room.
    """
    lowering = plan.lowering
    traced = Traced(model, plan.dtype, plan.pipelines)
    sizes = Sizes.symbolic(traced, plan.channels)
    ways = step("measuring convolutions", lambda: [*plan.ways, *lowering.measure(traced, sizes, progress)])
    given = ways_of(ways)
    variants = step("rewriting the network", lambda: lowering.variants(traced, sizes, given))
    photo, expected = step("running the sample", lambda: _sample(traced, plan))
    wish = onnx_programs.Wish(plan.onnx, lowering.max_difference)
    in_onnx = step("writing ONNX", lambda: onnx_programs.written(traced, sizes, photo, expected, wish))
    compiled = step("tracing programs", lambda: programs.serialize(traced, sizes, variants))
    accuracies = step("checking accuracy", lambda: lowering.accuracies(traced, compiled, photo, expected))
    stored = step("storing parameters", lambda: params.save(traced.leaves))
    samples = {sample.INPUT: sample.pack({"images": photo}), sample.OUTPUTS: sample.pack(expected)}
    members = {f"programs/{kind}.jax": content for kind, content in compiled.items()} | stored | samples
    members |= in_onnx.members
    said = manifest(model, traced, members, plan, accuracies=accuracies, ways=ways, onnx=in_onnx.record)
    return {archive.MANIFEST: said.to_json()} | members


def _sample(traced: Traced, plan: Plan) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    if plan.sample is not None:
        return plan.sample[0]["images"], plan.sample[1]
    photo = sample.picture(*sample.size(traced.whole), plan.channels, plan.dtype)
    return photo, outputs(traced.dense, traced, photo)
