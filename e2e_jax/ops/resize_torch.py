"""torch's windows and nearest pixels, as torchvision's tensor path has them (ATen: cpu/UpSampleKernel.cpp).

Bytes are weighed as in Pillow, but with 16-bit weights whose precision follows from the largest weight of the axis.
Shifted left to 22 bits they give the same sums, so that Pillow's arithmetic serves.
"""

from __future__ import annotations

from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.ops.filters import Filter
from e2e_jax.ops.interpolation import FIXED_POINT_BITS, Interpolation, Step, Window, floor_centre
from e2e_jax.ops.resize_pillow import weighed
from e2e_jax.ops.sizes import Scaling, is_dimension, to_single, value
from e2e_jax.types import Array

INT16_BITS = 15  # _compute_index_ranges_int16_weights: the largest weight stays below 2**15
CHUNK = 128  # output positions looked at together where their number is not known when tracing


def floored(xp: ModuleType, position: Array, scaling: Scaling) -> Array:
    """``floor(position * scale)`` in single precision; exact where the size is doubled (nearest_idx)."""
    reached = xp.floor(to_single(xp, position * to_single(xp, scaling.ratio(xp)))).astype(np.int64)
    return xp.where(value(scaling.target) == 2 * value(scaling.source), position // 2, reached)


def centred(xp: ModuleType, position: Array, scaling: Scaling) -> Array:
    """``floor((position + 0.5) * scale)``, single precision (nearest_neighbor_exact_compute_source_index)."""
    return xp.floor(to_single(xp, (position + 0.5) * to_single(xp, scaling.ratio(xp)))).astype(np.int64)


def torch(smooth: Filter, plain: Filter) -> Interpolation:
    """The interpolation that torch makes of a kernel with antialias, and of one without."""

    def window(xp: ModuleType, position: Array, step: Step) -> Window:
        if step.antialias:
            return weighed(xp, position, step, kernel=smooth)
        return _clamped(xp, position, step.scaling, plain)

    def to_fixed(xp: ModuleType, weight: Array, step: Step) -> Array:
        bits = _precision(xp, _largest(xp, window, step))
        scaled = weight * xp.asarray(2.0) ** bits
        rounded = xp.trunc(scaled + xp.where(scaled < 0, -0.5, 0.5)).astype(np.int32)
        return rounded << (FIXED_POINT_BITS - bits).astype(np.int32)

    return Interpolation(window=window, to_fixed=to_fixed)


def _clamped(xp: ModuleType, position: Array, scaling: Scaling, kernel: Filter) -> Window:
    """The pixels around ``(position + 0.5) * scale - 0.5``; those past an edge count for the edge pixel.

    Source: ``_compute_indices_min_size_weights``; linear interpolation starts at 0 at the earliest.
    """
    half, last = kernel.width // 2, value(scaling.source) - 1
    centre = ((2 * position + 1) * scaling.ratio(xp) - 1.0) * 0.5
    floor = xp.minimum(floor_centre(position, scaling), last)
    if half == 1:
        centre, floor = xp.maximum(centre, 0.0), xp.maximum(floor, 0)
    fraction = xp.clip(centre - floor, 0.0, 1.0)
    tap = floor + xp.arange(1 - half, 1 + half)  # (n, taps)
    weight = kernel.weight(xp, xp.arange(1 - half, 1 + half) - fraction)
    before, after = tap < 0, tap > last
    merged = weight + xp.where(tap == 0, xp.where(before, weight, 0.0).sum(axis=1, keepdims=True), 0.0)
    merged = merged + xp.where(tap == last, xp.where(after, weight, 0.0).sum(axis=1, keepdims=True), 0.0)
    return Window(floor - (half - 1), xp.where(before | after, 0.0, merged))


def _precision(xp: ModuleType, largest: Array) -> Array:
    """Bits after the point: as many as keep the largest weight in 16 bits, at most 22."""
    tried = xp.trunc(0.5 + largest * 2.0 ** xp.arange(1, FIXED_POINT_BITS + 1))
    return (tried < (1 << INT16_BITS)).sum()


def _largest(xp: ModuleType, window: object, step: Step) -> Array:
    """The largest weight of the whole axis, whatever part of it is computed."""
    target = step.scaling.target

    def of(position: Array) -> Array:
        weight = window(xp, position[:, None], step).weight  # type: ignore[operator]
        return xp.where(position[:, None] < value(target), weight, 0.0).max()

    if is_dimension(target):
        return of(xp.arange(target))
    chunks = (target + CHUNK - 1) // CHUNK
    more = lambda i, most: jnp.maximum(most, of(i * CHUNK + jnp.arange(CHUNK)))  # noqa: E731
    return jax.lax.fori_loop(0, chunks, more, jnp.zeros((), jnp.float64))
