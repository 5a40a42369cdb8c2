"""Transforms one after the other."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from flax import nnx

from e2e_jax.errors import ConfigError
from e2e_jax.transforms.base import Transform
from e2e_jax.transforms.values import ToLayout


class Compose(Transform):
    """Runs transforms in order; consecutive geometric ones are fused into one gather per axis.

    Args:
        steps: Transforms, or their configs. The list is copied.

    Raises:
        ConfigError: A step is not a `Transform`, one follows ``ToLayout("CHW")``, or one reads boxes of another
            format than a `ConvertBoxes` before it leaves.

    Source:
        The name and meaning of torchvision's and Gluon's ``Compose``.

    Example:
        >>> import numpy as np
        >>> from e2e_jax import transforms as T
        >>> pipeline = T.Compose([T.Resize(8), T.CenterCrop(6), T.ToTensor()])
        >>> pipeline(np.zeros((10, 20, 3), np.uint8)).shape
        (6, 6, 3)
    """

    def __init__(self, steps: Sequence[Transform | dict[str, Any]]) -> None:
        built = as_steps("Compose", steps)
        _check_layout(built)
        _check_boxes(built)
        self.steps = nnx.List(built)

    @property
    def steps_flat(self) -> tuple[Transform, ...]:
        """The steps of nested pipelines in one row."""
        return tuple(flat for step in self.steps for flat in step.steps_flat)


def as_steps(name: str, steps: Sequence[Transform | dict[str, Any]]) -> list[Transform]:
    """Transforms from transforms or their configs.

    Raises:
        ConfigError: One is neither, or there is no list.
    """
    fix = "pass a list of transforms, e.g. [Resize(256), CenterCrop(224)]."
    if not isinstance(steps, Iterable):
        raise ConfigError(f"{name}: steps must be a list.", repr(steps), fix)
    built: list[Any] = [Transform.from_config(step) if isinstance(step, dict) else step for step in steps]
    for step in built:
        if not isinstance(step, Transform):
            raise ConfigError(f"{name}: every step must be a Transform.", repr(step), fix)
    return built


def _check_layout(steps: list[Transform]) -> None:
    """Every step expects channels last, so nothing may follow the step that moves them."""
    flat = [step for outer in steps for step in outer.steps_flat]
    for step, after in itertools.pairwise(flat):
        if isinstance(step, ToLayout) and step.layout != "HWC":
            fix = "move ToLayout to the end."
            raise ConfigError("Compose: ToLayout must be the last step.", f"{after!r} after {step!r}", fix)


def _check_boxes(steps: list[Transform]) -> None:
    """What moves pixels moves boxes too, and takes them for left, top, right, bottom in pixels."""
    written, writer = None, None
    for step in (step for outer in steps for step in outer.steps_flat):
        if written is not None and step.reads_boxes not in (None, written):
            fix = f'put ConvertBoxes("{written}", "{step.reads_boxes}") between them, or the conversion last.'
            expected = f"Compose: {type(step).__name__} must get boxes as {step.reads_boxes}."
            raise ConfigError(expected, f"{step!r} after {writer!r}", fix)
        if step.writes_boxes is not None:
            written, writer = step.writes_boxes, step
