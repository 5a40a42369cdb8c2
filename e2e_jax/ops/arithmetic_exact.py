"""Bytes weighed as OpenCV and TensorFlow do: no byte between the passes, each rounding where theirs is.

Planes are packed words before the first pass, and (byte, groups, ..., H, W) of int32 or float32 after it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.lax import bitcast_convert_type, optimization_barrier

from e2e_jax.ops.arithmetic import PACKED, Gathered, fill_bytes, pack, sum_bytes, sum_each
from e2e_jax.types import Array

COEF_BITS = 11  # OpenCV's INTER_RESIZE_COEF_BITS
BLOCK_ROUNDED_UP = (1, 3, 4)  # channels for which OpenCV has its own code for blocks of two by two pixels
ONCE = np.float32(1)  # how often a fill value counts where it is not summed before


def _level_planes(level: np.ndarray, rank: int) -> np.ndarray:
    """The fill value for planes (byte, groups, ...) of ``rank`` axes."""
    return np.stack(fill_bytes(level, rank - 1))


def _to_image(planes: Array, channels: int) -> Array:
    """(byte, groups, ..., H, W) of levels -> uint8 (..., H, W, C)."""
    levels = jnp.clip(planes, 0, 255).astype(jnp.uint8)
    return jnp.stack([levels[c % PACKED, c // PACKED] for c in range(channels)], -1)


@dataclasses.dataclass(frozen=True)
class ElevenBits:
    """OpenCV's fixed point: 11-bit weights, 19 bits between the passes.

    Args:
        finish: ``(products of the second pass summed) -> level``.
        short: Whether the second pass drops bits before it sums (linear interpolation, VResizeLinear).
    """

    finish: Callable[[Array], Array]
    short: bool = False
    fixed = True
    apart = False
    by_tap = False

    def enter(self, image: Array) -> Array:
        return pack(image)

    def weigh(self, gathered: Gathered, level: np.ndarray) -> Array:
        if not gathered.later:
            fills = fill_bytes(level, gathered.read.ndim - 1)
            totals = sum_bytes(gathered, len(fills))
            return jnp.stack([t + gathered.outside * fill for t, fill in zip(totals, fills, strict=False)])
        fill = _level_planes(level, gathered.read.ndim - 1) << COEF_BITS
        if self.short:
            read = (gathered.weight * (gathered.read >> 4)) >> 16
            return self._sum(read, gathered) + ((gathered.outside * (fill >> 4)) >> 16)
        return self._sum(gathered.read * gathered.weight, gathered) + gathered.outside * fill

    def _sum(self, products: Array, gathered: Gathered) -> Array:
        return products.sum(gathered.tap_axis, dtype=jnp.int32)

    def leave(self, planes: Array, channels: int, dtype: np.dtype) -> Array:
        return _to_image(self.finish(planes), channels)


def round_quarters(total: Array, *, half_even: bool | Array) -> Array:
    """Sums in quarters to levels, halves up or to even."""
    even = (total + 1 + ((total >> 2) & 1)) >> 2
    return jnp.where(half_even, even, (total + 2) >> 2)


def round_22_bits(total: Array) -> Array:
    """Sums in 22 bits to levels, halves up."""
    return (total + (1 << (2 * COEF_BITS - 1))) >> (2 * COEF_BITS)


class Doubles:
    """Sums in double, single precision between the passes, rounded half to even once at the end.

    In single precision the compiler's choice of fused instructions would decide sums that lie at a half; in double
    the sums of bytes are exact, so that they are the same wherever they are computed.
    """

    fixed = True
    apart = True
    by_tap = False

    def enter(self, image: Array) -> Array:
        return pack(image)

    def weigh(self, gathered: Gathered, level: np.ndarray) -> Array:
        pixels = _pixels(gathered, level)
        with jax.enable_x64(True):
            weight = jnp.asarray(gathered.weight + gathered.outside).astype(jnp.float64)
            totals = sum_each([pixel.astype(jnp.float64) * weight for pixel in pixels], gathered.tap_axis)
            return jnp.stack(totals[: len(pixels)]).astype(jnp.float32)

    def leave(self, planes: Array, channels: int, dtype: np.dtype) -> Array:
        return _to_image(jnp.round(planes), channels)


@dataclasses.dataclass(frozen=True)
class Areas:
    """OpenCV's areas: single precision, each product rounded and then added, first tap to last.

    Args:
        whole: Whether each output pixel is a whole block, summed with weights of one and divided at the end.
        rows: Height of the block, float32.
        cols: Width of the block, float32.
    """

    whole: Array
    rows: Array
    cols: Array
    fixed = True
    apart = True
    by_tap = False

    def enter(self, image: Array) -> Array:
        return pack(image)

    def weigh(self, gathered: Gathered, level: np.ndarray) -> Array:
        zero = _zero(gathered.read)
        carried = jnp.where(self.whole, self.cols, np.float32(1)) if gathered.later else ONCE
        weight = gathered.weight + gathered.outside
        products = [_kept(pixel * weight, zero) for pixel in _pixels(gathered, level, carried)]
        return jnp.stack(sum_each(products, gathered.tap_axis)[: len(products)])

    def leave(self, planes: Array, channels: int, dtype: np.dtype) -> Array:
        mean = planes * jnp.where(self.whole, np.float32(1) / (self.rows * self.cols), np.float32(1))
        pairs = self.whole & (self.rows == 2) & (self.cols == 2) & (channels in BLOCK_ROUNDED_UP)
        halves_up = jnp.floor(planes * np.float32(0.25) + np.float32(0.5))
        return _to_image(jnp.where(pairs, halves_up, jnp.round(mean)), channels)


def _pixels(gathered: Gathered, level: np.ndarray, carried: Array = ONCE) -> list[Array]:
    """What was read as float32, one array per byte, and ``carried`` times the fill value where that was outside."""
    read, outside = gathered.read, gathered.outside
    if gathered.later:
        pixels = list(read)
        fills: list[Array] = [fill * carried for fill in _level_planes(level, read.ndim).astype(np.float32)]
    else:
        fills = [fill.astype(np.float32) for fill in fill_bytes(level, read.ndim)]
        pixels = [_byte(read, number).astype(jnp.float32) for number in range(len(fills))]
    if isinstance(outside, np.ndarray) and not outside.any():
        return pixels
    return [jnp.where(outside != 0, fill, pixel) for fill, pixel in zip(fills, pixels, strict=True)]


def _byte(words: Array, number: int) -> Array:
    return ((words >> np.uint32(8 * number)) & np.uint32(255)).astype(jnp.int32)


def _zero(planes: Array) -> Array:
    """A zero that no compiler can foresee: a product of three consecutive integers, modulo six."""
    some = planes[..., :1, :1, :1]
    bits = bitcast_convert_type(some, jnp.uint32).sum(dtype=jnp.uint32) & np.uint32(1023)
    return optimization_barrier((bits * (bits + np.uint32(1)) * (bits + np.uint32(2))) % np.uint32(6))


def _kept(product: Array, zero: Array) -> Array:
    """The rounded product: compilers fuse it with the sum that follows unless its bits are touched in between."""
    return bitcast_convert_type(bitcast_convert_type(product, jnp.uint32) ^ zero, jnp.float32)
