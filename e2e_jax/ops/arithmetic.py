"""How gathered pixels are weighed and summed: bytes in Pillow's fixed point, four in one word; floats in float32.

An arithmetic turns an image into planes (…, H, W) to gather from, sums what each pass has gathered, and turns the
planes back into an image. Those of other libraries are in ``arithmetic_exact.py``.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.ops.interpolation import FIXED_POINT_BITS
from e2e_jax.types import Array

PACKED = 4  # uint8 channels in one uint32 word
LONGEST_REDUCTION = 32  # taps; XLA's CPU compiler rewrites longer reductions (TreeReductionRewriter), much slower
FOLD = 8  # taps in a row of a folded reduction


@dataclasses.dataclass(frozen=True)
class Gathered:
    """What one pass has read.

    Args:
        read: Planes with a tap axis; or, for few taps at traced places, the planes that each of them has read.
        weight: Broadcasts to ``read``; likewise one for each.
        outside: The weight of the fill value; broadcasts to a plane, or to ``read`` where taps keep their own.
        tap_axis: -1 for columns (..., H, w, taps), -3 for rows (..., taps, h, W).
        later: Whether another pass came before.
    """

    read: Any
    weight: Any
    outside: Array
    tap_axis: int
    later: bool

    @property
    def by_tap(self) -> bool:
        """Whether each tap has planes of its own."""
        return isinstance(self.read, list)

    @property
    def rank(self) -> int:
        """Axes of what one tap has read, and one."""
        return self.read[0].ndim + 1 if self.by_tap else self.read.ndim


class Arithmetic(Protocol):
    """Sums of one kind.

    Args:
        fixed: Whether tables hold the weights of bytes.
        apart: Whether each tap keeps its own weight outside.
        by_tap: Whether it can do with planes for each tap.
    """

    fixed: bool
    apart: bool
    by_tap: bool

    def enter(self, image: Array) -> Array:
        """(..., H, W, C) to planes."""

    def weigh(self, gathered: Gathered, level: np.ndarray) -> Array:
        """Gathered pixels to planes; ``level`` is the fill value of each channel, (channels,)."""

    def leave(self, planes: Array, channels: int, dtype: np.dtype) -> Array:
        """Planes to (..., H, W, C)."""


class Floats:
    """Sums in float32."""

    fixed = False
    apart = False
    by_tap = False

    def enter(self, image: Array) -> Array:
        return jnp.moveaxis(jnp.asarray(image), -1, 0).astype(jnp.float32)  # (C, ..., H, W)

    def weigh(self, gathered: Gathered, level: np.ndarray) -> Array:
        products = gathered.read * gathered.weight
        fill = level.astype(np.float32).reshape(-1, *(1,) * (products.ndim - 2))
        return _sum_taps(products, gathered.tap_axis) + gathered.outside * fill

    def leave(self, planes: Array, channels: int, dtype: np.dtype) -> Array:
        return jnp.moveaxis(planes, 0, -1).astype(dtype)  # (..., H, W, C)


class Words:
    """Packed bytes, rounded and clipped after each pass."""

    fixed = True
    apart = False
    by_tap = True

    def enter(self, image: Array) -> Array:
        return pack(image)

    def weigh(self, gathered: Gathered, level: np.ndarray) -> Array:
        fills = fill_bytes(level, gathered.rank - 1)
        totals = sum_bytes(gathered, len(fills))
        words = jnp.uint32(0)
        for byte, fill in enumerate(fills):
            total = totals[byte] + gathered.outside * fill + (1 << (FIXED_POINT_BITS - 1))
            rounded = jnp.clip(total >> FIXED_POINT_BITS, 0, 255).astype(jnp.uint32)
            words = words | (rounded << np.uint32(8 * byte))
        return words

    def leave(self, planes: Array, channels: int, dtype: np.dtype) -> Array:
        return unpack(planes, channels)


def sum_bytes(gathered: Gathered, used: int) -> list[Array]:
    """The weighted sum of each byte of the words, in int32."""
    read, weight = gathered.read, gathered.weight
    if gathered.by_tap:
        return _sum_bytes_by_tap(read, weight, used)
    values = [((read >> np.uint32(8 * byte)) & np.uint32(255)).astype(jnp.int32) * weight for byte in range(used)]
    return sum_each(values, gathered.tap_axis)


def _sum_bytes_by_tap(read: list[Array], weight: list[Array], used: int) -> list[Array]:
    """One plane at the end, not a reduction to several: XLA's CPU compiler runs those on one core.

    It computes what a gather gives together with what comes of it, only if the gather has a single user: the words
    seen as int32.
    """
    seen = [jax.lax.bitcast_convert_type(words, jnp.int32) for words in read]
    terms = [
        [(jax.lax.shift_right_logical(words, np.int32(8 * byte)) & 255) * each for byte in range(used)]
        for words, each in zip(seen, weight, strict=True)
    ]
    return functools.reduce(_add_each, terms)


def sum_each(values: list[Array], tap_axis: int) -> list[Array]:
    """Each array summed over its taps, first to last.

    All are summed by one reduction, and by at least two: XLA's CPU compiler splits a single reduction over
    more than 32 taps into two passes through memory, 40 times slower here, and in another order.
    """
    values = values if len(values) > 1 else values * 2
    zeros = [np.zeros((), values[0].dtype)] * len(values)
    return jax.lax.reduce(values, zeros, _add_each, (tap_axis + values[0].ndim,))


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


def fill_bytes(level: np.ndarray, rank: int) -> list[np.ndarray]:
    """The fill value of each byte of a word, per group: (groups, 1, …)."""
    groups, used = -(-level.size // PACKED), min(level.size, PACKED)
    padded = np.pad(level.astype(np.int32), (0, groups * PACKED - level.size)).reshape(groups, PACKED)
    return [padded[:, byte].reshape(groups, *(1,) * (rank - 1)) for byte in range(used)]


def pack(image: Array) -> Array:
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


def unpack(words: Array, channels: int) -> Array:
    """uint32 (groups, ..., H, W) -> uint8 (..., H, W, C)."""
    planes = [(words[c // PACKED] >> np.uint32(8 * (c % PACKED))).astype(jnp.uint8) for c in range(channels)]
    return jnp.stack(planes, -1)  # (..., H, W, C)
