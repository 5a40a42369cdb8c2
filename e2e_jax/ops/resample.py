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
FEW = 8  # taps read one by one: as many as lanczos needs where nothing shrinks

type Pass = tuple[int, Taps | None]


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
    down, across = (tables(plan, fixed=arithmetic.fixed) if plan.edits else None for plan in (rows, cols))
    image, down = _narrow(image, ROWS - 1, down)
    image, across = _narrow(image, COLS - 1, across)
    planes = arithmetic.enter(image)
    if any(taps is not None and _stride(taps.position) is None for taps in (down, across)):
        planes = optimization_barrier(planes)  # or pixels would be packed again for each window they lie in
    planes = _in_order(planes, (ROWS, down), (COLS, across), level, rows_first, arithmetic)
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


def _passes(planes: Array, *passes: Pass, level: np.ndarray, arithmetic: Arithmetic) -> Array:
    for number, (axis, taps) in enumerate(passes):
        if taps is not None:
            gather = _gather_by_tap if arithmetic.by_tap and _few(taps.position) else _gather
            read = gather(planes, axis, taps, apart=arithmetic.apart, later=number > 0)
            planes = optimization_barrier(arithmetic.weigh(read, level))
    return planes


def _narrow(image: Array, axis: int, taps: Taps | None) -> tuple[Array, Taps | None]:
    """Drops what no pass reads before anything is computed of it, where that is known."""
    if taps is None or not isinstance(taps.position, np.ndarray) or taps.position.size == 0:
        return image, taps
    start, stop = int(taps.position.min()), int(taps.position.max()) + 1
    image = jax.lax.slice_in_dim(jnp.asarray(image), start, stop, axis=image.ndim + axis)
    return image, taps._replace(position=taps.position - start)


def _gather(planes: Array, axis: int, taps: Taps, *, apart: bool, later: bool) -> Gathered:
    """What one weighted pass over planes (..., H, W) reads, tap axis last for columns and before H for rows."""
    weight, outside = taps.weight, taps.outside
    if axis == COLS:
        windows = _windows(planes, taps.position, planes.ndim + axis)
        read = _take(planes, taps.position, axis) if windows is None else windows  # (..., H, w, taps)
        return Gathered(read, weight, outside if apart else outside[:, 0], -1, later)
    windows = _windows(planes, taps.position, planes.ndim + axis)
    read = (
        _take(planes, taps.position.T, axis) if windows is None else windows.swapaxes(-3, -2)
    )  # (..., taps, h, W)
    return Gathered(read, weight.T[:, :, None], outside.T[:, :, None] if apart else outside, -3, later)


def _few(position: Array) -> bool:
    """Whether traced positions (count, taps) have few taps."""
    taps = position.shape[1]
    return not isinstance(position, np.ndarray) and isinstance(taps, int) and taps <= FEW


def _gather_by_tap(planes: Array, axis: int, taps: Taps, *, apart: bool, later: bool) -> Gathered:
    """As `_gather`, with planes (..., h, w) for each tap instead of a tap axis."""
    assert not apart
    count = taps.position.shape[1]
    read = [_take(planes, taps.position[:, tap], axis) for tap in range(count)]
    weight = [taps.weight[:, tap] if axis == COLS else taps.weight[:, tap, None] for tap in range(count)]
    return Gathered(read, weight, taps.outside[:, 0] if axis == COLS else taps.outside, 0, later)


def _take(x: Array, position: Array, axis: int) -> Array:
    """Gathers along one axis; positions are known to be valid, consecutive static ones become a slice."""
    axis += x.ndim
    if isinstance(position, np.ndarray) and position.ndim == 1 and position.size:
        start, stop = int(position[0]), int(position[0]) + position.size
        if np.array_equal(position, np.arange(start, stop)):
            return jax.lax.slice_in_dim(jnp.asarray(x), start, stop, axis=axis)
    index = (slice(None),) * axis + (position,)
    return jnp.asarray(x).at[index].get(mode="promise_in_bounds", wrap_negative_indices=False)


def _windows(x: Array, position: Array, axis: int) -> Array | None:
    """Windows that lie side by side, (…, count, taps, …): a reshape, which XLA reads without an index."""
    stride = _stride(position)
    if stride is None:
        return None
    count, taps = position.shape
    start, wide = int(position.min()), abs(stride)
    spare = max(start + count * wide - x.shape[axis], 0)  # after the last window, which need not be there
    widths = [(0, spare if i == axis else 0) for i in range(x.ndim)]
    used = jax.lax.slice_in_dim(jnp.pad(x, widths) if spare else x, start, start + count * wide, axis=axis)
    apart = used.reshape(*x.shape[:axis], count, wide, *x.shape[axis + 1 :])
    windows = jax.lax.slice_in_dim(apart, 0, taps, axis=axis + 1)
    return windows if stride > 0 else jax.lax.rev(windows, (axis,))


def _stride(position: Array) -> int | None:
    """The step between windows of known positions (count, taps) that share no pixel, as where a scale is whole."""
    if not isinstance(position, np.ndarray) or position.ndim != 2 or position.shape[0] < 2:
        return None
    count, taps = position.shape
    stride = int(position[1, 0]) - int(position[0, 0])
    expected = position[0, 0] + np.arange(count)[:, None] * stride + np.arange(taps)
    return stride if taps <= abs(stride) and np.array_equal(position, expected) else None
