"""One gather per axis: the only place where geometry touches pixels.

How pixels are weighed is the business of an arithmetic (``arithmetic.py``, ``arithmetic_exact.py``). Passes are
kept apart by barriers, since XLA would otherwise recompute the first one for every tap of the second.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.lax import optimization_barrier

from e2e_jax.errors import ImageError
from e2e_jax.ops.arithmetic import Arithmetic, Floats, Gathered
from e2e_jax.ops.arithmetic_of import arithmetic_of
from e2e_jax.ops.axis import Axis, Taps, tables
from e2e_jax.ops.fill import fill_levels
from e2e_jax.types import Array

ROWS, COLS = -2, -1  # the spatial axes of planes (..., H, W)

type Pass = tuple[int, Axis]


def resample(
    image: Array, *, rows: Axis, cols: Axis, fill: tuple[float, ...] = (0,), rows_first: bool | Array = False
) -> Array:
    """Carries out two axis plans.

    Args:
        image: ``(..., H, W, C)``, uint8 or floating; any dtype where both plans only select.
        rows: Plan for H.
        cols: Plan for W.
        fill: Value of positions outside the image: one, or one per channel, in the image's own units.
        rows_first: Which pass runs first; columns first unless true. May be traced.

    Returns:
        ``(..., rows.capacity, cols.capacity, C)`` of the image's dtype; uint8 rounds and clips after each pass.

    Raises:
        ImageError: The fill does not suit the image's channels or dtype, or pixels of other dtypes are weighed.

    Source:
        Pillow, ``ImagingResample`` (src/libImaging/Resample.c): bit-exact for uint8.

    Example:
        >>> import numpy as np
        >>> image = np.arange(6, dtype=np.uint8).reshape(1, 6, 1)
        >>> flipped = Axis.of(6).select(offset=5, step=-1, size=6)
        >>> resample(image, rows=Axis.of(1), cols=flipped).ravel().tolist()
        [5, 4, 3, 2, 1, 0]
    """
    channels = image.shape[-1]
    level = fill_levels(fill, channels, image.dtype)
    if rows.only_selects and cols.only_selects:
        return _select(_select(image, -3, rows, level), -2, cols, level)
    applies = _applies(rows, cols)
    if not isinstance(applies, bool):
        run = functools.partial(_weighed, image, level=level, rows_first=rows_first)
        return jnp.where(applies, run(rows=rows, cols=cols), run(rows=rows.otherwise(), cols=cols.otherwise()))
    if not applies:
        rows, cols = rows.otherwise(), cols.otherwise()
    return _weighed(image, rows=rows, cols=cols, level=level, rows_first=rows_first)


def _applies(rows: Axis, cols: Axis) -> bool | Array:
    """Whether the interpolation holds for these sizes, or else another one."""
    edit = cols.resampling or rows.resampling
    if edit is None or edit.interpolation.applies is None:
        return True
    return edit.interpolation.applies(edit.step)


def _weighed(image: Array, *, rows: Axis, cols: Axis, level: np.ndarray, rows_first: bool | Array) -> Array:
    channels = image.shape[-1]
    if image.dtype != jnp.uint8 and not jnp.issubdtype(image.dtype, jnp.floating):
        fix = 'Cast("float32") or Cast("uint8") first, or resize with method="nearest".'
        raise ImageError("Resize: an image must be uint8 0..255 or floating.", f"{image.shape} {image.dtype}", fix)
    arithmetic = arithmetic_of(rows, cols, channels) if image.dtype == jnp.uint8 else Floats()
    planes = optimization_barrier(arithmetic.enter(image))
    planes = _in_order(planes, (ROWS, rows), (COLS, cols), level, rows_first, arithmetic)
    return arithmetic.leave(planes, channels, image.dtype)


def _select(image: Array, axis: int, plan: Axis, level: np.ndarray) -> Array:
    """Crop, pad, flip and nearest copy pixels (..., H, W, C) without arithmetic."""
    if not plan.edits:
        return image
    taps = tables(plan, fixed=True)
    copied = _take(image, taps.position[:, 0], axis)
    if isinstance(taps.outside, np.ndarray) and not taps.outside.any():
        return copied
    outside = taps.outside if axis == -2 else taps.outside[:, :, None]  # (w, 1) or (h, 1, 1)
    return jnp.where(outside != 0, jnp.asarray(level, image.dtype), copied)


def _in_order(
    planes: Array, rows: Pass, cols: Pass, level: np.ndarray, rows_first: bool | Array, arithmetic: Arithmetic
) -> Array:
    run = functools.partial(_passes, level=level, arithmetic=arithmetic)
    if isinstance(rows_first, bool):
        return run(planes, rows, cols) if rows_first else run(planes, cols, rows)
    return jax.lax.cond(rows_first, lambda p: run(p, rows, cols), lambda p: run(p, cols, rows), planes)


def _passes(planes: Array, first: Pass, second: Pass, *, level: np.ndarray, arithmetic: Arithmetic) -> Array:
    later = tables(second[1], fixed=arithmetic.fixed)
    planes, later = _narrow(planes, second[0], later)
    gather = functools.partial(_gather, apart=arithmetic.apart)
    if first[1].edits:
        taps = tables(first[1], fixed=arithmetic.fixed)
        planes = optimization_barrier(arithmetic.weigh(gather(planes, first[0], taps, later=False), level))
    if second[1].edits:
        planes = optimization_barrier(arithmetic.weigh(gather(planes, second[0], later, later=True), level))
    return planes


def _narrow(planes: Array, axis: int, later: Taps) -> tuple[Array, Taps]:
    """Drops what the second pass never reads before the first pass computes it, where that is known."""
    if not isinstance(later.position, np.ndarray) or later.position.size == 0:
        return planes, later
    start, stop = int(later.position.min()), int(later.position.max()) + 1
    planes = jax.lax.slice_in_dim(planes, start, stop, axis=planes.ndim + axis)
    return planes, later._replace(position=later.position - start)


def _gather(planes: Array, axis: int, taps: Taps, *, apart: bool, later: bool) -> Gathered:
    """What one weighted pass over planes (..., H, W) reads, tap axis last for columns and before H for rows."""
    weight, outside = taps.weight, taps.outside
    if axis == COLS:
        read = _take(planes, taps.position, axis)  # (..., H, w, taps)
        return Gathered(read, weight, outside if apart else outside[:, 0], -1, later)
    read = _take(planes, taps.position.T, axis)  # (..., taps, h, W)
    return Gathered(read, weight.T[:, :, None], outside.T[:, :, None] if apart else outside, -3, later)


def _take(x: Array, position: Array, axis: int) -> Array:
    """Gathers along one axis; positions are known to be valid, consecutive static ones become a slice."""
    axis += x.ndim
    if isinstance(position, np.ndarray) and position.ndim == 1 and position.size:
        start, stop = int(position[0]), int(position[0]) + position.size
        if np.array_equal(position, np.arange(start, stop)):
            return jax.lax.slice_in_dim(jnp.asarray(x), start, stop, axis=axis)
    index = (slice(None),) * axis + (position,)
    return jnp.asarray(x).at[index].get(mode="promise_in_bounds", wrap_negative_indices=False)
