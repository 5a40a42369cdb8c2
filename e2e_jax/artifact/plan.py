"""What an artifact shall be: all that `export` is told beside the model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from flax import nnx

from e2e_jax.artifact.manifest import Manifest
from e2e_jax.artifact.options import LoweringOptions
from e2e_jax.artifact.record import Record
from e2e_jax.lowering.convolution import Convolution
from e2e_jax.transforms.base import Transform


@dataclasses.dataclass(frozen=True)
class Plan:
    """What an artifact shall be.

    Args:
        channels: Of the photos.
        dtype: Of the photos.
        record: What is said of the model.
        lowering: How the network is made fast.
        pipelines: Further transforms by name.
        ways: Convolutions whose way has been measured before, as the manifest has it.
        onnx: Which ONNX programs are added.
        sample: An input and its outputs to be stored, in the place of a picture and what the model makes of it.
    """

    channels: int
    dtype: str
    record: Record
    lowering: LoweringOptions
    pipelines: Mapping[str, Transform] = dataclasses.field(default_factory=dict)
    ways: tuple[dict[str, Any], ...] = ()
    onnx: bool | Literal["network"] = False
    sample: tuple[dict[str, np.ndarray], dict[str, np.ndarray]] | None = None


def plan_of(stored: Manifest) -> Plan:
    """The plan an artifact was made by, for making it again.

    Raises:
        ConfigError: Its transforms are code that this process does not have.
    """
    photos = stored.signature["inputs"]["images"]
    options = (stored.rebuild or {}).get("options", {"lower": True, "precisions": list(stored.precisions)})
    return Plan(
        channels=int(photos["shape"][-1]),
        dtype=photos["dtype"],
        record=Record(stored.name, stored.step, stored.epoch, stored.revision, stored.metadata),
        lowering=LoweringOptions.of(options),
        pipelines={name: in_mode(name, Transform.from_config(config)) for name, config in stored.pipelines.items()},
        ways=tuple(stored.ways),
    )


def in_mode(name: str, pipeline: Transform) -> Transform:
    """A copy of further transforms in the mode of its name: random steps draw in all but ``"validation"``."""
    copy = nnx.clone(pipeline)
    copy.eval() if name == "validation" else copy.train()
    return copy


def ways_of(recorded: Sequence[dict[str, Any]]) -> dict[Convolution, str]:
    """The way of each convolution that was measured, as the manifest has it."""
    return {Convolution.from_json(way["convolution"]): str(way["way"]) for way in recorded}
