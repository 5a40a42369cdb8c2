"""One gather per axis: the only place where geometry touches pixels.

uint8 pixels travel packed, up to four channels in one 32-bit word, and are summed in 22-bit fixed point with a
rounding after each pass: the arithmetic of Pillow's Resample.c, to the bit. Floats are summed in float32.
Passes are kept apart by barriers, since XLA would otherwise recompute the first one for every tap of the second.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.lax import optimization_barrier

from e2e_jax.errors import ImageError
from e2e_jax.ops.axis import FIXED_POINT_BITS, Axis, Taps, tables
from e2e_jax.types import Array

PACKED = 4  # uint8 channels in one uint32 word
ROWS, COLS = -2, -1  # the spatial axes of planes (groups, ..., H, W)

LONGEST_REDUCTION = 32  # taps; XLA's CPU compiler rewrites longer reductions (TreeReductionRewriter), much slower
FOLD = 8  # taps in a row of a folded reduction

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
    level = _fill_levels(fill, channels, image.dtype)
    if rows.only_selects and cols.only_selects:
        return _select(_select(image, -3, rows, level), -2, cols, level)
    packed = image.dtype == jnp.uint8
    if not packed and not jnp.issubdtype(image.dtype, jnp.floating):
        fix = 'Cast("float32") or Cast("uint8") first, or resize with method="nearest".'
        raise ImageError("Resize: an image must be uint8 0..255 or floating.", f"{image.shape} {image.dtype}", fix)
    planes = optimization_barrier(_pack(image) if packed else _to_planes(image))
    planes = _in_order(planes, (ROWS, rows), (COLS, cols), level, rows_first)
    return _unpack(planes, channels) if packed else jnp.moveaxis(planes, 0, -1).astype(image.dtype)


def _fill_levels(fill: tuple[float, ...], channels: int, dtype: np.dtype) -> np.ndarray:
    """The fill value of each channel, (channels,)."""
    level = np.asarray(fill)
    if level.size not in (1, channels):
        fix = "pass one fill value, or one per channel."
        raise ImageError("Fill: there must be one value, or one per channel.", f"{fill=}, {channels=}", fix)
    if jnp.issubdtype(dtype, jnp.integer):
        limits = jnp.iinfo(dtype)
        if not np.all((level == np.trunc(level)) & (level >= limits.min) & (level <= limits.max)):
            fix = f"pass whole numbers {limits.min}..{limits.max}, the image's own units."
            raise ImageError(f"Fill: every value must be a level of {dtype}.", f"{fill=}", fix)
    return np.broadcast_to(level, (channels,))


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


def _in_order(planes: Array, rows: Pass, cols: Pass, level: np.ndarray, rows_first: bool | Array) -> Array:
    if isinstance(rows_first, bool):
        return _passes(planes, rows, cols, level) if rows_first else _passes(planes, cols, rows, level)
    return jax.lax.cond(
        rows_first, lambda p: _passes(p, rows, cols, level), lambda p: _passes(p, cols, rows, level), planes
    )


def _passes(planes: Array, first: Pass, second: Pass, level: np.ndarray) -> Array:
    packed = planes.dtype == jnp.uint32
    later = tables(second[1], fixed=packed)
    planes, later = _narrow(planes, second[0], later)
    if first[1].edits:
        planes = optimization_barrier(_weigh(planes, first[0], tables(first[1], fixed=packed), level))
    if second[1].edits:
        planes = optimization_barrier(_weigh(planes, second[0], later, level))
    return planes


def _narrow(planes: Array, axis: int, later: Taps) -> tuple[Array, Taps]:
    """Drops what the second pass never reads before the first pass computes it, where that is known."""
    if not isinstance(later.position, np.ndarray) or later.position.size == 0:
        return planes, later
    start, stop = int(later.position.min()), int(later.position.max()) + 1
    planes = jax.lax.slice_in_dim(planes, start, stop, axis=planes.ndim + axis)
    return planes, later._replace(position=later.position - start)


def _weigh(planes: Array, axis: int, taps: Taps, level: np.ndarray) -> Array:
    """One weighted pass over planes (groups, ..., H, W): gather, weigh, sum over the taps."""
    column = axis == COLS
    read = _take(planes, taps.position if column else taps.position.T, axis)  # (..., H, w, taps), (..., taps, h, W)
    weight = taps.weight if column else taps.weight.T[:, :, None]  # (w, taps) or (taps, h, 1)
    outside = taps.outside[:, 0] if column else taps.outside  # (w,) or (h, 1)
    tap_axis = -1 if column else -3
    if planes.dtype != jnp.uint32:
        fill = level.astype(np.float32).reshape(-1, *(1,) * (planes.ndim - 1))
        return _sum_taps(read * weight, tap_axis) + outside * fill
    return _weigh_bytes(read, weight, outside, tap_axis, level)


def _weigh_bytes(read: Array, weight: Array, outside: Array, tap_axis: int, level: np.ndarray) -> Array:
    """The same for packed words: each byte is summed on its own, rounded, clipped to 0..255 and packed again.

    All bytes are summed by one reduction, and by at least two: XLA's CPU compiler splits a single reduction over
    more than 32 taps into two passes through memory, 40 times slower here.
    """
    fills = _fill_bytes(level, read.ndim - 1)
    values = [
        ((read >> np.uint32(8 * byte)) & np.uint32(255)).astype(jnp.int32) * weight for byte in range(len(fills))
    ]
    values = values if len(values) > 1 else values * 2
    totals = jax.lax.reduce(values, [np.int32(0)] * len(values), _add_each, (tap_axis + read.ndim,))
    words = jnp.uint32(0)
    for byte, fill in enumerate(fills):
        total = totals[byte] + outside * fill + (1 << (FIXED_POINT_BITS - 1))
        rounded = jnp.clip(total >> FIXED_POINT_BITS, 0, 255).astype(jnp.uint32)
        words = words | (rounded << np.uint32(8 * byte))
    return words


def _add_each(left: list[Array], right: list[Array]) -> list[Array]:
    return [a + b for a, b in zip(left, right, strict=True)]


def _sum_taps(products: Array, tap_axis: int) -> Array:
    """A differentiable sum over taps, folded into rows of `FOLD` where there may be too many for one reduction."""
    axis = tap_axis + products.ndim
    taps = products.shape[axis]
    if isinstance(taps, int) and taps <= LONGEST_REDUCTION:
        return products.sum(axis)
    widths = [(0, -taps % FOLD) if i == axis else (0, 0) for i in range(products.ndim)]
    shape = products.shape
    folded = jnp.pad(products, widths).reshape(*shape[:axis], -(-taps // FOLD), FOLD, *shape[axis + 1 :])
    return folded.sum((axis, axis + 1))


def _fill_bytes(level: np.ndarray, rank: int) -> list[np.ndarray]:
    """The fill value of each byte of a word, per group: (groups, 1, …)."""
    groups, used = -(-level.size // PACKED), min(level.size, PACKED)
    padded = np.pad(level.astype(np.int32), (0, groups * PACKED - level.size)).reshape(groups, PACKED)
    return [padded[:, byte].reshape(groups, *(1,) * (rank - 1)) for byte in range(used)]


def _take(x: Array, position: Array, axis: int) -> Array:
    """Gathers along one axis; positions are known to be valid, consecutive static ones become a slice."""
    axis += x.ndim
    if isinstance(position, np.ndarray) and position.ndim == 1 and position.size:
        start, stop = int(position[0]), int(position[0]) + position.size
        if np.array_equal(position, np.arange(start, stop)):
            return jax.lax.slice_in_dim(jnp.asarray(x), start, stop, axis=axis)
    index = (slice(None),) * axis + (position,)
    return jnp.asarray(x).at[index].get(mode="promise_in_bounds", wrap_negative_indices=False)


def _to_planes(image: Array) -> Array:
    """(..., H, W, C) -> (C, ..., H, W) float32."""
    return jnp.moveaxis(jnp.asarray(image), -1, 0).astype(jnp.float32)


def _pack(image: Array) -> Array:
    """uint8 (..., H, W, C) -> uint32 (groups, ..., H, W), the first channel in the lowest byte."""
    channels = image.shape[-1]
    return jnp.stack(
        [_pack_word(jnp.asarray(image)[..., at : at + PACKED]) for at in range(0, max(channels, 1), PACKED)]
    )


def _pack_word(image: Array) -> Array:
    word = jnp.zeros(image.shape[:-1], jnp.uint32)
    for byte in range(image.shape[-1]):
        word = word | (image[..., byte].astype(jnp.uint32) << np.uint32(8 * byte))
    return word


def _unpack(words: Array, channels: int) -> Array:
    """uint32 (groups, ..., H, W) -> uint8 (..., H, W, C)."""
    planes = [(words[c // PACKED] >> np.uint32(8 * (c % PACKED))).astype(jnp.uint8) for c in range(channels)]
    return jnp.stack(planes, -1)  # (..., H, W, C)
