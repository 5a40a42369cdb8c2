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

from e2e_jax.ops.filters import FILTERS
from e2e_jax.types import Array

type Size = int | Array  # pixels; an int, a symbolic dimension of jax.export, or a traced int32 scalar
type Bound = tuple[Size, Size]  # numerator and denominator of a scale that is never exceeded

FIXED_POINT_BITS = 22  # Pillow, Resample.c: PRECISION_BITS = 32 - 8 - 2
FIXED_POINT_ONE = 1 << FIXED_POINT_BITS


class Taps(NamedTuple):
    """What each output position reads: ``position`` and ``weight`` are (n, taps), ``outside`` is (n, 1), the
    weight that fell outside the image and takes the fill value instead."""

    position: Array
    weight: Array
    outside: Array


@dataclasses.dataclass(frozen=True)
class Select:
    """Output position p reads position ``offset + step * p`` of an axis with ``size`` positions, or the fill."""

    offset: Size
    step: Size
    size: Size

    @property
    def is_static(self) -> bool:
        return is_static(self.offset) and is_static(self.size)

    def pull(self, xp: ModuleType, taps: Taps, fixed: bool) -> Taps:
        size = value(self.size)
        position = value(self.offset) + self.step * taps.position
        inside = (position >= 0) & (position < size)
        lost = xp.where(inside, 0, taps.weight).sum(axis=1, keepdims=True, dtype=taps.weight.dtype)
        weight = xp.where(inside, taps.weight, 0)
        return Taps(xp.clip(position, 0, size - 1), weight, taps.outside + lost)


@dataclasses.dataclass(frozen=True)
class Resample:
    """Output position p reads a window around ``(p + 0.5) * source / target`` of an axis of ``source`` pixels.

    Args:
        source: Extent before, in pixels.
        target: Extent after, in pixels.
        method: ``"nearest"`` or a key of `FILTERS`.
        antialias: Whether the filter widens with the scale when the axis shrinks.
        bound: A scale that ``source / target`` cannot exceed; sizes the window where the sizes are traced.
    """

    source: Size
    target: Size
    method: str
    antialias: bool
    bound: Bound

    @property
    def is_static(self) -> bool:
        return is_static(self.source) and is_static(self.target)

    def pull(self, xp: ModuleType, taps: Taps, fixed: bool) -> Taps:
        if self.method == "nearest":
            return taps._replace(position=self._nearest(xp, taps.position))
        lowest, inside, weight = self._window(xp, taps.position)
        weight = weight / weight.sum(axis=1, keepdims=True)
        if fixed:
            weight = _to_fixed_point(xp, weight)
        position = xp.clip(lowest + xp.arange(weight.shape[1]), 0, value(self.source) - 1)
        return Taps(position, xp.where(inside & (taps.weight != 0), weight, 0), taps.outside)

    def _window(self, xp: ModuleType, position: Array) -> tuple[Array, Array, Array]:
        """First position (n, 1) of each window, which taps (n, taps) lie inside, and their raw weights.

        Source: ``precompute_coeffs`` of Pillow's Resample.c, in the same double arithmetic. The first position is
        taken from integers, so that XLA cannot compute it twice with two roundings; half of an exact product
        stays the same whether or not the compiler fuses it with the subtraction that follows.
        """
        kernel = FILTERS[self.method]
        scale = self._scale(xp)
        stretch = xp.maximum(scale, 1.0) if self.antialias else xp.ones_like(scale)
        centre = ((2 * position + 1) * scale) * 0.5  # (n, 1)
        reach = kernel.width / 2 * stretch
        source, target = value(self.source), value(self.target)
        coarse = xp.maximum(source, target) if self.antialias else target
        twice_start = (2 * position + 1) * source + target - kernel.width * coarse
        lowest = xp.maximum((twice_start - kernel.jumps) // (2 * target), 0)
        start, end = xp.floor(centre - reach + 0.5), xp.floor(centre + reach + 0.5)
        tap = lowest + xp.arange(self._taps(lowest, end))  # (n, taps)
        inside = (tap >= start) & (tap < end) & (tap < source)
        weight = kernel.weight(xp, (tap - centre + 0.5) * (1.0 / stretch))
        return lowest, inside, xp.where(inside, weight, 0.0)

    def _scale(self, xp: ModuleType) -> Array:
        """Source pixels per output pixel, correctly rounded.

        XLA divides by a constant, or by one number for a whole batch, by multiplying with its rounded reciprocal.
        So the divisor is made to look different for every image: no size is negative, but XLA cannot know.
        """
        if self.is_static:
            return xp.asarray(np.float64(self.source) / np.float64(self.target))
        source, target = xp.asarray(value(self.source)), value(self.target)
        divisor = xp.where(source >= 0, target, source)
        return source.astype(np.float64) / divisor.astype(np.float64)

    def _taps(self, lowest: Array, end: Array) -> Size:
        """Length of the longest window: exact where it is known now, else an upper bound from ``bound``."""
        if isinstance(lowest, np.ndarray):
            return max(int((np.minimum(end, self.source) - lowest).max(initial=1)), 1)
        kernel = FILTERS[self.method]
        most = kernel.width + 1 + kernel.jumps
        if not self.antialias:
            return most
        numerator, denominator = self.bound
        return jax.core.max_dim(most, (kernel.width * numerator) // denominator + 1 + kernel.jumps)

    def _nearest(self, xp: ModuleType, position: Array) -> Array:
        """Pillow's ImagingScaleAffine: the position is reached by adding the scale again and again, in double."""
        scale = self._scale(xp)
        if xp is np:
            walk = np.add.accumulate(np.concatenate([[scale * 0.5], np.full(self.target - 1, scale)]))
            reached = walk[np.clip(position, 0, self.target - 1)]
        else:
            reached = _walk(position, scale)
        return xp.clip(reached.astype(np.int64), 0, value(self.source) - 1)


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
    def only_selects(self) -> bool:
        """Whether each output position copies one source position, or the fill."""
        return all(isinstance(edit, Select) or edit.method == "nearest" for edit in self.edits)

    def select(self, *, offset: Size, step: Size = 1, size: Size, capacity: Size | None = None) -> Axis:
        """Adds a crop, pad or flip; ``size`` is the extent afterwards."""
        edit = Select(offset, step, self.size)
        return Axis(self.source, size, size if is_dimension(size) else capacity, (*self.edits, edit))

    def resample(self, size: Size, *, method: str, antialias: bool, bound: Bound, capacity: Size | None) -> Axis:
        """Adds a resize to ``size`` pixels; none is added where it changes nothing."""
        if is_static(size) and is_static(self.size) and size == self.size:
            return self
        edit = Resample(self.size, size, method, antialias, bound)
        return Axis(self.source, size, size if is_dimension(size) else capacity, (*self.edits, edit))


def is_dimension(size: Size) -> bool:
    """Whether a size can be the extent of an array: a number, or symbolic, but not a traced value."""
    return not isinstance(size, jax.Array)


def value(size: Size) -> Size:
    """A size to calculate with: numbers stay, symbolic dimensions become traced."""
    return size if is_static(size) or not is_dimension(size) else jnp.asarray(size, jnp.int32)


def is_static(size: Size | None) -> bool:
    """Whether a size is a plain number, known at trace time."""
    return isinstance(size, int | np.integer)


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
        return Taps(*jax.lax.optimization_barrier(tuple(_pull(jnp, axis, fixed))))


def _pull(xp: ModuleType, axis: Axis, fixed: bool) -> Taps:
    position = xp.arange(axis.capacity, dtype=np.int64)[:, None]  # (n, 1)
    one = xp.full(position.shape, FIXED_POINT_ONE if fixed else 1.0, np.int32 if fixed else np.float64)
    taps = Taps(position, one, xp.zeros_like(one))
    for edit in reversed(axis.edits):
        taps = edit.pull(xp, taps, fixed)
    dtype = np.int32 if fixed else np.float32
    return Taps(taps.position.astype(np.int32), taps.weight.astype(dtype), taps.outside.astype(dtype))


def _to_fixed_point(xp: ModuleType, weight: Array) -> Array:
    """Rounded half away from zero, as ``normalize_coeffs_8bpc`` in Pillow's Resample.c."""
    return xp.trunc(weight * FIXED_POINT_ONE + xp.where(weight < 0, -0.5, 0.5)).astype(np.int32)


def _walk(position: Array, scale: Array) -> Array:
    """Where repeated addition of ``scale`` stands at each position; positions are consecutive, either way round."""
    first = jnp.maximum(jnp.minimum(position[0, 0], position[-1, 0]), 0)
    start = jax.lax.fori_loop(0, first, lambda _, at: at + scale, scale * 0.5)
    _, walk = jax.lax.scan(lambda at, _: (at + scale, at), start, position)
    return walk[jnp.clip(position[:, 0] - first, 0, position.shape[0] - 1)][:, None]
