"""What an artifact says about itself, gathered while it is made."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
from collections.abc import Mapping, Sequence
from typing import Any

from e2e_jax.artifact import archive, params, programs, sample
from e2e_jax.artifact.accuracy import Accuracy
from e2e_jax.artifact.manifest import FORMAT, Manifest
from e2e_jax.artifact.plan import Plan
from e2e_jax.artifact.traced import Traced
from e2e_jax.decoding import decoding_record
from e2e_jax.model import EndToEnd

WINDOW = datetime.timedelta(days=180)  # jax.export: six months of backward compatibility
PACKAGES = ("e2e_jax", "jax", "jaxlib", "flax", "orbax-checkpoint", "numpy", "pillow")
INPUT_RANGES = {"uint8": (0, 255), "float32": (0.0, 1.0)}


def manifest(
    model: EndToEnd,
    traced: Traced,
    members: dict[str, bytes],
    plan: Plan,
    *,
    accuracies: Mapping[str, Accuracy],
    ways: Sequence[dict[str, Any]],
    onnx: dict[str, Any] | None = None,
) -> Manifest:
    """Of an artifact with these members."""
    postprocess = model.postprocess.config if model.postprocess is not None else {}
    labels = postprocess.pop("labels", [])
    steps = [step.config for step in traced.whole.steps_flat]
    return Manifest(
        format=FORMAT,
        **dataclasses.asdict(plan.record),
        created=_now().isoformat(),
        expires=expiry(),
        rebuild={
            "network": None if model.factory is None else model.factory.record,
            "options": plan.lowering.record,
        },
        signature=_signature(members, plan.channels, plan.dtype),
        preprocess=model.preprocess.config,
        postprocess=postprocess or None,
        labels=list(labels),
        pipelines={name: pipeline.config for name, pipeline in plan.pipelines.items()},
        numerics={str(i): step["numerics"] for i, step in enumerate(steps) if "numerics" in step},
        decoding=decoding_record(),
        programs=_program_records(members),
        precisions={precision: found._asdict() for precision, found in accuracies.items()},
        ways=list(ways),
        onnx=onnx,
        params=params.describe(traced.leaves),
        samples={"input": sample.INPUT, "outputs": sample.OUTPUTS, "tolerance": sample.TOLERANCE},
        versions=versions(),
        members={member: archive.digest(content) for member, content in members.items()},
    )


def _signature(members: dict[str, bytes], channels: int, dtype: str) -> dict[str, Any]:
    photos = {"dtype": dtype, "shape": ["b", "h", "w", channels], "range": list(INPUT_RANGES[dtype])}
    dense = next(name for name in members if name.startswith("programs/dense"))
    outputs = programs.outputs(members[dense])
    return {"inputs": {"images": photos}, "outputs": outputs}


def _program_records(members: dict[str, bytes]) -> dict[str, Any]:
    kinds = {name.split("/")[1].removesuffix(".jax"): name for name in members if name.startswith("programs/")}
    return {kind: {"member": name, "platforms": list(programs.PLATFORMS)} for kind, name in kinds.items()}


def versions() -> dict[str, str]:
    """Of the packages that have a part in an artifact."""
    return {package: importlib.metadata.version(package) for package in PACKAGES}


def expiry() -> str:
    """When JAX stops promising to read programs that are written now, ISO 8601."""
    return (_now() + WINDOW).isoformat()


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)
