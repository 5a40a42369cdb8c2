"""Axis plans: which source positions, with which weights, make each output position of one image axis.

A plan is a short list of edits, each written from the output's point of view. `Select` renames positions
(crop, pad, flip), `Resample` replaces one position by a weighted window. Nothing touches pixels here; `tables`
turns a plan into two small arrays that `e2e_jax.ops.resample` gathers with. Sizes known at trace time make NumPy
tables in float64; traced sizes make traced tables by the same lines, in a local 64-bit scope.
"""

from __future__ import annotations

import dataclasses
from types import ModuleType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.ops.interpolation import FIXED_POINT_ONE, Interpolation, Step
from e2e_jax.ops.sizes import Scaling, Size, is_dimension, is_static, value
from e2e_jax.types import Array


class Taps(NamedTuple):
    """What each output position reads: ``position`` and ``weight`` are (n, taps), ``outside`` is (n, 1), the
    weight that fell outside the image and takes the fill value instead; (n, taps) where each tap keeps its own."""

    position: Array
    weight: Array
    outside: Array


class Form(NamedTuple):
    """How the weights of a table are written.

    Args:
        fixed: Whether for uint8 pixels, in the arithmetic of the interpolation.
        one: The weight of a position that copies a single pixel.
        apart: Whether each tap keeps its own weight outside, because the order of the sum matters.
    """

    fixed: bool
    one: Array
    apart: bool = False

    @property
    def dtype(self) -> np.dtype:
        """Of the finished table."""
        return np.dtype(np.float32) if self.one.dtype == np.float64 else self.one.dtype


@dataclasses.dataclass(frozen=True)
class Select:
    """Output position p reads position ``offset + step * p`` of an axis with ``size`` positions, or the fill."""

    offset: Size
    step: Size
    size: Size

    @property
    def is_static(self) -> bool:
        return is_static(self.offset) and is_static(self.size)

    def pull(self, xp: ModuleType, taps: Taps, form: Form) -> Taps:
        size = value(self.size)
        position = value(self.offset) + self.step * taps.position
        inside = (position >= 0) & (position < size)
        lost = xp.where(inside, 0, taps.weight)
        lost = lost if form.apart else lost.sum(axis=1, keepdims=True, dtype=lost.dtype)
        weight = xp.where(inside, taps.weight, 0)
        return Taps(xp.clip(position, 0, size - 1), weight, taps.outside + lost)


@dataclasses.dataclass(frozen=True)
class Resample:
    """Output position p copies one source pixel near ``(p + 0.5) * scale``, or weighs a window around it.

    Args:
        interpolation: Which pixel, or which window.
        step: The sizes before and after.
    """

    interpolation: Interpolation
    step: Step

    @property
    def is_static(self) -> bool:
        return self.step.is_static

    def pull(self, xp: ModuleType, taps: Taps, form: Form) -> Taps:
        rule, last = self.interpolation, value(self.step.scaling.source) - 1
        if rule.pick:
            return taps._replace(position=xp.clip(rule.pick(xp, taps.position, self.step.scaling), 0, last))
        assert rule.window
        first, weight = rule.window(xp, taps.position, self.step)
        if form.fixed:
            weight = rule.to_fixed(xp, weight, self.step)
        tap = xp.arange(weight.shape[1])
        outside = xp.where(tap == 0, taps.outside, 0) if form.apart else taps.outside
        return Taps(xp.clip(first + tap, 0, last), xp.where(taps.weight != 0, weight, 0), outside)


type Edit = Select | Resample


@dataclasses.dataclass(frozen=True)
class Axis:
    """One axis of an image on its way through edits.

    Args:
        source: Extent of the image the plan starts from, in pixels.
        size: Extent after the edits.
        capacity: Positions to compute, at least ``size``; ``None`` where no bound is known.
        edits: First to last.

    Example:
        >>> axis = Axis.of(6).select(offset=5, step=-1, size=6)
        >>> tables(axis, fixed=False).position.ravel().tolist()
        [5, 4, 3, 2, 1, 0]
    """

    source: Size
    size: Size
    capacity: Size | None
    edits: tuple[Edit, ...] = ()

    @classmethod
    def of(cls, size: Size, capacity: Size | None = None) -> Axis:
        """The untouched axis of an image; ``capacity`` is the array's extent where the image fills it partly."""
        return cls(size, size, size if capacity is None else capacity)

    @property
    def is_static(self) -> bool:
        """Whether every number of the plan is known at trace time."""
        return is_static(self.source) and is_static(self.capacity) and all(e.is_static for e in self.edits)

    @property
    def resamplings(self) -> int:
        """How many edits weigh pixels; more than one cannot be done in one pass."""
        return sum(isinstance(edit, Resample) for edit in self.edits)

    @property
    def resampling(self) -> Resample | None:
        """The first edit that resizes."""
        return next((edit for edit in self.edits if isinstance(edit, Resample)), None)

    @property
    def only_selects(self) -> bool:
        """Whether each output position copies one source position, or the fill."""
        return all(isinstance(edit, Select) or edit.interpolation.pick for edit in self.edits)

    def select(self, *, offset: Size, step: Size = 1, size: Size, capacity: Size | None = None) -> Axis:
        """Adds a crop, pad or flip; ``size`` is the extent afterwards."""
        edit = Select(offset, step, self.size)
        return Axis(self.source, size, size if is_dimension(size) else capacity, (*self.edits, edit))

    def otherwise(self) -> Axis:
        """The same axis by the rule that holds where its own does not apply."""
        edits = (
            dataclasses.replace(edit, interpolation=edit.interpolation.otherwise or edit.interpolation)
            if isinstance(edit, Resample)
            else edit
            for edit in self.edits
        )
        return dataclasses.replace(self, edits=tuple(edits))

    def resample(
        self,
        scaling: Scaling,
        *,
        rule: Interpolation,
        antialias: bool,
        capacity: Size | None,
        across: Scaling | None = None,
    ) -> Axis:
        """Adds a resize; none is added where it changes nothing, unless the rule is one for both axes together."""
        size = scaling.target
        if not rule.together and is_static(size) and is_static(self.size) and size == self.size:
            return self
        edit = Resample(rule, Step(scaling, antialias, across if rule.together else None))
        return Axis(self.source, size, size if is_dimension(size) else capacity, (*self.edits, edit))


def tables(axis: Axis, *, fixed: bool) -> Taps:
    """The gather table of a plan.

    Args:
        axis: The plan; its capacity must be known.
        fixed: Whether weights are 22-bit fixed-point int32 (for uint8 pixels) or floats.

    Returns:
        `Taps`: position (n, taps) int32, always a valid index; weight (n, taps) and outside (n, 1), int32 or
        float32. NumPy arrays for static plans, traced ones otherwise.
    """
    if axis.is_static:
        return _pull(np, axis, fixed)
    # Integers meet doubles as in NumPy; the barrier keeps XLA from recomputing weights for every pixel using them.
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        taps = Taps(*jax.lax.optimization_barrier(tuple(_pull(jnp, axis, fixed))))
    if any(isinstance(edit, Select) for edit in axis.edits):
        return taps
    return taps._replace(outside=np.zeros((1, 1), taps.outside.dtype))  # known now, though the sizes are not


def _pull(xp: ModuleType, axis: Axis, fixed: bool) -> Taps:
    form = _form(xp, axis, fixed)
    position = xp.arange(axis.capacity, dtype=np.int64)[:, None]  # (n, 1)
    one = xp.broadcast_to(form.one, position.shape)
    taps = Taps(position, one, xp.zeros_like(one))
    for edit in reversed(axis.edits):
        taps = edit.pull(xp, taps, form)
    return Taps(taps.position.astype(np.int32), taps.weight.astype(form.dtype), taps.outside.astype(form.dtype))


def _form(xp: ModuleType, axis: Axis, fixed: bool) -> Form:
    edit = axis.resampling
    if not fixed:
        return Form(False, xp.asarray(1.0, np.float64))
    if edit is None:
        return Form(True, xp.asarray(FIXED_POINT_ONE, np.int32))
    one = edit.interpolation.one(xp, edit.step)
    return Form(True, one, apart=one.dtype == np.float32)
