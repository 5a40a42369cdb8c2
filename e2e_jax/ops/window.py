"""A range of values that becomes black to white: chosen, as for scans with more levels than a screen, or found."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.errors import ConfigError, ImageError
from e2e_jax.ops.exact import Number, module_for
from e2e_jax.ops.sizes import Extents, filled, fills_array, value
from e2e_jax.types import Array

SIGN = np.uint32(1 << 31)  # of an IEEE 754 single


def window(image: Array, *, center: Number, width: Number) -> jax.Array:
    """Stretches a range of values to 0..1; what lies below is black, what lies above white.

    Args:
        image: ``(..., H, W, C)`` of any integers, exact up to 24 bits, or floats.
        center: Of the range, in the image's units. A number or a traced scalar.
        width: Of the range, at least 1; of 1, values up to ``center - 0.5`` are black and others white. Likewise.

    Returns:
        float32 of the same shape, 0..1; differentiable for floats.

    Raises:
        ImageError: The image holds no numbers.
        ConfigError: The width is below 1.

    Source:
        DICOM PS3.3 C.11.2.1.2.1, function LINEAR: ``(x - (center - 0.5)) / (width - 1) + 0.5``.

    Example:
        >>> import numpy as np
        >>> scan = np.array([[[-1000], [0], [40], [2000]]], np.int16)
        >>> window(scan, center=40, width=101).ravel().tolist()
        [0.0, 0.10499999672174454, 0.5049999952316284, 1.0]
    """
    pixels = _to_singles("Window", image)
    if module_for(width) is np and not width >= 1:
        raise ConfigError("Window: width must be at least 1.", f"{width=}", "pass the number of levels shown.")
    with jax.enable_x64(True):
        center, width = (jnp.asarray(number).astype(jnp.float64) for number in (center, width))
        low, high = (center - width / 2, center + width / 2 - 1)
        low, span = low.astype(jnp.float32), (high - low).astype(jnp.float32)
    return jnp.where(span > 0, _ramp(pixels, low, span), (pixels > low).astype(jnp.float32))


def percentile(image: Array, *, low: Number, high: Number, size: Extents | None = None) -> jax.Array:
    """Stretches each image from one of its percentiles to another; a few odd pixels then do not matter.

    Args:
        image: ``(..., H, W, C)`` of any integers, exact up to 16 bits, or floats without NaN.
        low: Percentage of all values of the image that may become black, 0..100. A number or a traced scalar.
        high: Percentage above which they are white; more than ``low``. Likewise.
        size: Height and width of the part of the array that is the image, at its top left, if not all of it; what
            lies outside does not count. May be traced.

    Returns:
        float32 of the same shape, 0..1, and 0 where both percentiles are equal; differentiable for floats.

    Raises:
        ImageError: The image holds no numbers.
        ConfigError: The percentages do not rise within 0..100.

    Source:
        NumPy's ``percentile`` of ``method="linear"``, over rows, columns and channels: exact but for float32.

    Example:
        >>> import numpy as np
        >>> ramp = np.arange(0, 1010, 10, dtype=np.uint16).reshape(1, 101, 1)
        >>> percentile(ramp, low=5, high=85)[0, [0, 5, 25, 85, 100], 0].tolist()
        [0.0, 0.0, 0.25, 1.0, 1.0]
    """
    if module_for(low, high) is np and not 0 <= low < high <= 100:
        fix = "pass e.g. low=1, high=99."
        raise ConfigError("Percentile: low and high must rise within 0..100.", f"{low=}, {high=}", fix)
    pixels = _to_singles("Percentile", image)
    height, width = size or image.shape[-3:-1]
    partly = size is not None and not fills_array(size)
    inside = filled(image.shape, (height, width)) if partly else jnp.ones((1, 1, 1), bool)
    counted = (value(height), value(width), image.shape[-1])
    black, white = (_percentile(jnp.asarray(image), pixels, inside, counted, q) for q in (low, high))
    span = white - black
    return jnp.where(span > 0, _ramp(pixels, black, span), 0)


def _to_singles(step: str, image: Array) -> jax.Array:
    if not jnp.issubdtype(image.dtype, jnp.integer) and not jnp.issubdtype(image.dtype, jnp.floating):
        fix = 'pass integers or floats, e.g. after Cast("float32").'
        raise ImageError(f"{step}: an image must hold numbers.", f"{image.shape} {image.dtype}", fix)
    return jnp.asarray(image).astype(jnp.float32)


def _ramp(pixels: jax.Array, low: jax.Array, span: jax.Array) -> jax.Array:
    """``(pixels - low) / span``, cut to 0..1.

    XLA would multiply with the rounded reciprocal of one span for all pixels, so it must seem to be of each.
    """
    above = pixels - low
    return jnp.clip(above / jnp.where(jnp.isnan(above), above, jnp.where(span > 0, span, 1)), 0, 1)


def _percentile(
    image: jax.Array, pixels: jax.Array, inside: jax.Array, counted: tuple[Array, ...], percentage: Number
) -> jax.Array:
    """``(..., 1, 1, 1)`` float32, between the two values next to that rank."""
    with jax.enable_x64(True):
        height, width, channels = (jnp.asarray(n).astype(jnp.float64) for n in counted)
        rank = jnp.asarray(percentage).astype(jnp.float64) / 100 * (height * width * channels - 1)
        before = jnp.floor(rank)
        part, before = (rank - before).astype(jnp.float32), before.astype(jnp.int32)
    lower = _ranked(image, pixels, inside, before)
    at_most = ((pixels <= lower) & inside).sum((-3, -2, -1), keepdims=True, dtype=jnp.int32)
    next_one = jnp.where((pixels > lower) & inside, pixels, jnp.inf).min((-3, -2, -1), keepdims=True)
    beyond = (at_most <= before + 1) & (part > 0)
    return lower + part * jnp.where(beyond, next_one - lower, 0)


def _ranked(image: jax.Array, pixels: jax.Array, inside: jax.Array, rank: jax.Array) -> jax.Array:
    """The value that so many are not above, ``(..., 1, 1, 1)``: found bit by bit, which is faster than a sort."""
    keys, back = _keys(jax.lax.stop_gradient(image))
    bits = 8 * keys.dtype.itemsize

    def with_bit(step: jax.Array, found: jax.Array) -> jax.Array:
        larger = found | (jnp.asarray(1, keys.dtype) << (bits - 1 - step).astype(keys.dtype))
        below = ((keys < larger) & inside).sum((-3, -2, -1), keepdims=True, dtype=jnp.int32)
        return jnp.where(below <= rank, larger, found)

    start = jnp.zeros((*image.shape[:-3], 1, 1, 1), keys.dtype)
    found = back(jax.lax.fori_loop(np.int32(0), np.int32(bits), with_bit, start))
    same = (pixels == found) & inside
    moved = jnp.where(same, pixels - jax.lax.stop_gradient(pixels), 0).sum((-3, -2, -1), keepdims=True)
    return found + moved / jnp.maximum(same.sum((-3, -2, -1), keepdims=True, dtype=jnp.int32), 1).astype(
        jnp.float32
    )


def _keys(image: jax.Array) -> tuple[jax.Array, Callable[[jax.Array], jax.Array]]:
    """Unsigned numbers in the order of the values, and the way back to values in float32."""
    if jnp.issubdtype(image.dtype, jnp.integer) and image.dtype.itemsize <= 2:
        least = int(jnp.iinfo(image.dtype).min)
        unsigned = jnp.dtype(f"uint{8 * image.dtype.itemsize}")
        keys = (image.astype(jnp.int32) - least).astype(unsigned)
        return keys, lambda keys: (keys.astype(jnp.int32) + least).astype(jnp.float32)
    bits = jax.lax.bitcast_convert_type(image.astype(jnp.float32), jnp.uint32)
    return jnp.where(bits < SIGN, bits | SIGN, ~bits), _single_of


def _single_of(keys: jax.Array) -> jax.Array:
    """Floats in order: those below 0 count down, so all their bits are turned round."""
    return jax.lax.bitcast_convert_type(jnp.where(keys >= SIGN, keys ^ SIGN, ~keys), jnp.float32)
