"""HSV: the wheel of colours, and Pillow's form of it in bytes."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from e2e_jax.ops.exact import Number, module_for
from e2e_jax.ops.levels import WHITE, Planes, larger, pack, smaller, unpack
from e2e_jax.types import Array

SECTORS = 6.0  # of the wheel: red, yellow, green, cyan, blue, magenta
HALF_TURN = 0.5


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
    with jax.enable_x64(True):
        turn = place(red, green, blue, most, least).astype(jnp.float64) * (1 / SECTORS)
        turn = jnp.where(turn < 0, 1.0 + turn, turn).astype(jnp.float32)
    hue = jnp.where(most > least, _floor_255(turn), 0.0)
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
    sector = jnp.floor((hue * SECTORS + 0.5) * (1 / WHITE))
    share = hue * SECTORS - WHITE * sector
    falls = (sector == 1) | (sector == 3) | (sector == 5)
    low = jnp.floor((most * (WHITE - strength) + WHITE / 2) * (1 / WHITE))
    product = most * strength * jnp.where(falls, share, WHITE - share)  # below 2 ** 24: exact in float32
    slope = most - jnp.round(product * (1 / WHITE**2))
    red, green, blue = (_channel(sector, turn, most, low, slope) for turn in (0.0, 4.0, 2.0))
    return red, green, blue


def _channel(sector: Array, turn: float, high: Array, low: Array, slope: Array) -> jax.Array:
    """Red by sector is high, slope, low, low, slope, high; green and blue come two and four sectors later."""
    at = sector + turn
    from_cyan = abs(jnp.where(at >= SECTORS, at - SECTORS, at) - (SECTORS - 1) / 2)
    return jnp.where(from_cyan > 2, high, jnp.where(from_cyan < 1, low, slope))
