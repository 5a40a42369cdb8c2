"""HSV: the wheel of colours, and Pillow's form of it in bytes."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from e2e_jax.ops.exact import Number, module_for
from e2e_jax.ops.levels import WHITE, Planes, larger, pack, smaller, unpack
from e2e_jax.types import Array

SECTORS = 6.0  # of the wheel: red, yellow, green, cyan, blue, magenta
HALF_TURN = 0.5
FULL = 510.0  # two sectors in which a channel is low, in 1/255 of a sector


def whole_shift(factor: Number) -> Array:
    """Of 1/255 turns, cut off: torchvision, _functional_pil.py, adjust_hue."""
    if module_for(factor) is not jnp:
        return jnp.asarray(int(factor * WHITE), jnp.int32)
    with jax.enable_x64(True):
        return jnp.trunc(jnp.asarray(factor).astype(jnp.float64) * WHITE).astype(jnp.int32)


def place(red: Array, green: Array, blue: Array, most: Array, least: Array) -> jax.Array:
    """Where on the wheel, -1..5 from magenta to magenta by red, rounded as in Convert.c; 0 or 1 for grey."""
    spread = most - least
    middle = larger(smaller(red, green), smaller(larger(red, green), blue))
    share = _share(most - middle, spread)
    by_red = jnp.where(green >= blue, 1.0 - share, share - 1.0)
    by_green = jnp.where(red >= blue, 1.0 + share, 3.0 - share)
    by_blue = jnp.where(green >= red, 3.0 + share, 5.0 - share)
    return jnp.where(red == most, by_red, jnp.where(green == most, by_green, by_blue))


def turned(planes: Planes, factor: Number) -> Planes:
    """Levels in float32 through HSV of 8 bits, whose H turns."""
    hsv = pack(to_hsv(planes))
    turned = (hsv & ~WHITE) | ((hsv + jax.lax.optimization_barrier(whole_shift(factor))) & WHITE)
    return to_planes(unpack(turned))


def to_hsv(planes: Planes) -> Planes:
    """Convert.c, rgb2hsv_row, for whole levels in float32."""
    red, green, blue = planes
    most, least = larger(larger(red, green), blue), smaller(smaller(red, green), blue)
    sectors = jnp.where(most >= 0, SECTORS, most)  # always SECTORS; XLA would multiply by a constant's reciprocal
    turn = place(red, green, blue, most, least) / sectors
    turn = jnp.where(turn < 0, turn + 1.0, turn)  # in singles, as in doubles: tried for every colour
    hue = jnp.where(most > least, jnp.floor(turn * WHITE), 0.0)
    return hue, _floor_255(_share(most - least, most)), most


def _share(part: jax.Array, whole: jax.Array) -> jax.Array:
    """0..1, correctly rounded. XLA would store a quotient that has several users; the minimum it computes again."""
    return jnp.minimum(part / jnp.where(whole > 0, whole, jnp.ones((), whole.dtype)), 1)


def _floor_255(unit: jax.Array) -> jax.Array:
    """Of 255 times a single, as if by doubles: 256 times it is exact, and so is what is left."""
    near = jnp.round(unit * WHITE)
    left = (unit * 256.0 - near) - unit
    return jnp.where(left < 0, near - 1.0, near)


def to_planes(hsv: Planes) -> Planes:
    """Convert.c, hsv2rgb, for whole levels in float32.

    Pillow's doubles round to what the exact fractions round to, for all 2 ** 24 arguments, and so do these singles.
    """
    hue, strength, most = hsv
    at = hue * SECTORS  # 1/255 of a sector; red is low around 3, green low but for 2 and blue but for 4 sectors
    depths = FULL - abs(at - 3.0 * WHITE), abs(at - 2.0 * WHITE) - WHITE, abs(at - 4.0 * WHITE) - WHITE
    spread = most * strength
    red, green, blue = (_fallen(most, spread, depth) for depth in depths)
    return red, green, blue


def _fallen(most: jax.Array, spread: jax.Array, depth: jax.Array) -> jax.Array:
    """A channel, as far below the largest as its depth says: 0 in its own sectors, 255 in those opposite."""
    product = spread * larger(smaller(depth, float(WHITE)), 0.0)  # below 2 ** 24: exact in float32
    return most - jnp.round(product * (1 / WHITE**2))
