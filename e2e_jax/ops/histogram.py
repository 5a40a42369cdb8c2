"""Contrast out of the histogram of each channel: equalize and autocontrast, as tables of 256 levels."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.errors import ConfigError, ImageError
from e2e_jax.ops.exact import rounded_product
from e2e_jax.ops.levels import WHITE, Numerics, check_numerics, is_bytes
from e2e_jax.ops.sizes import Extents, filled, to_single
from e2e_jax.types import Array

LEVELS = 256
PERCENT = 100
EQUALIZE_NUMERICS = ("pillow", "torch", "opencv")
AUTOCONTRAST_NUMERICS = ("pillow", "torch")


def histogram(image: Array, *, size: Extents | None = None) -> jax.Array:
    """Counts how often each level occurs in each channel.

    Args:
        image: ``(..., H, W, C)`` uint8.
        size: Height and width of the part that counts, at the top left; may be traced. All of it if absent.

    Returns:
        ``(..., C, 256)`` int32.

    Raises:
        ImageError: The image is not uint8.

    Source:
        The definition; Pillow's ``Image.histogram``.

    Example:
        >>> histogram(np.array([[[7], [9]], [[7], [7]]], np.uint8))[0, 7:10].tolist()
        [3, 0, 1]
    """
    if image.dtype != jnp.uint8:
        fix = 'put Cast("uint8") before it; floating values have no levels to count.'
        raise ImageError("Histogram: an image must be uint8 0..255.", f"{image.shape} {image.dtype}", fix)
    *lead, height, width, channels = image.shape
    counts = jnp.ones((1, 1, 1), jnp.int32) if size is None else filled(image.shape, size).astype(jnp.int32)
    bins = jnp.asarray(image).astype(jnp.int32) + jnp.arange(channels, dtype=jnp.int32) * LEVELS

    def one(bins: jax.Array) -> jax.Array:
        weights = jnp.broadcast_to(counts, bins.shape)
        return jnp.zeros(channels * LEVELS, jnp.int32).at[bins.reshape(-1)].add(weights.reshape(-1))

    counted = jax.vmap(one)(bins.reshape(-1, height, width, channels)) if lead else one(bins)
    return counted.reshape(*lead, channels, LEVELS)


def look_up(image: Array, *, table: Array) -> jax.Array:
    """Replaces each level by what a table says.

    Args:
        image: ``(..., H, W, C)`` uint8.
        table: ``(..., C, 256)`` uint8.

    Returns:
        The image's shape, uint8.

    Source:
        The definition; Pillow's ``Image.point``.

    Example:
        >>> look_up(np.array([[[7], [9]]], np.uint8), table=255 - np.arange(256, dtype=np.uint8)[None]).tolist()
        [[[248], [246]]]
    """
    *lead, height, width, channels = image.shape
    places = jnp.asarray(image).astype(jnp.int32) + jnp.arange(channels, dtype=jnp.int32) * LEVELS
    flat = jnp.asarray(table).reshape(-1, channels * LEVELS)
    found = jax.vmap(jnp.take)(flat, places.reshape(-1, height, width, channels))
    return found.reshape(*lead, height, width, channels)


def equalize(image: Array, *, numerics: Numerics = "pillow", size: Extents | None = None) -> jax.Array:
    """Spreads the levels of each channel so that all are about equally frequent.

    Args:
        image: ``(..., H, W, C)`` uint8.
        numerics: Whose table: ``"pillow"``, ``"torch"`` (the same) or ``"opencv"``.
        size: Height and width of the part that counts, at the top left; may be traced. All of it if absent.

    Returns:
        The image's shape, uint8.

    Raises:
        ImageError: The image is not uint8.
        ConfigError: The numerics are not known.

    Source:
        Pillow 13.0 ``ImageOps.equalize``, torchvision 0.29 ``equalize``, OpenCV 5.0 ``equalizeHist`` (for one
        channel; here each on its own). Bit-exact.

    Example:
        >>> equalize(np.array([[[3], [7]]], np.uint8), numerics="opencv").ravel().tolist()
        [0, 255]
    """
    check_numerics("Equalize", numerics, EQUALIZE_NUMERICS)
    return look_up(image, table=equalize_table(histogram(image, size=size), numerics=numerics))


def equalize_table(counts: Array, *, numerics: Numerics = "pillow") -> jax.Array:
    """What each level becomes in `equalize`.

    Args:
        counts: ``(..., C, 256)`` int32, a `histogram`.
        numerics: As for `equalize`.

    Returns:
        ``(..., C, 256)`` uint8.

    Source:
        See `equalize`. Pillow: a step of the result for every 255th part of the pixels below the highest level in
        use. OpenCV: the share of the pixels above the lowest level in use, rounded half to even.

    Example:
        >>> equalize_table(np.full((1, 256), 4))[0, ::51].tolist()
        [0, 51, 102, 153, 204, 255]
    """
    return (_equalized_by_opencv if numerics == "opencv" else _equalized_by_pillow)(jnp.asarray(counts))


def _equalized_by_pillow(counts: jax.Array) -> jax.Array:
    total = counts.sum(-1, keepdims=True)
    step = (total - _at(counts, _last(counts > 0))) // WHITE
    below = jnp.cumsum(counts, -1) - counts
    levels = (below + step // 2) // jnp.maximum(step, 1)
    return jnp.where(step > 0, jnp.minimum(levels, WHITE), jnp.arange(LEVELS)).astype(jnp.uint8)


def _equalized_by_opencv(counts: jax.Array) -> jax.Array:
    first = jnp.argmax(counts > 0, -1, keepdims=True)
    total = counts.sum(-1, keepdims=True)
    rest = total - _at(counts, first)
    share = jnp.float32(WHITE) / jnp.maximum(rest, 1).astype(jnp.float32)
    above = (jnp.cumsum(counts, -1) - _at(counts, first)).astype(jnp.float32)
    levels = jnp.clip(jnp.round(above * share), 0, WHITE)
    return jnp.where(rest > 0, levels, first.astype(jnp.float32)).astype(jnp.uint8)


def autocontrast(
    image: Array,
    *,
    cutoff: tuple[float, float] = (0.0, 0.0),
    numerics: Numerics = "pillow",
    size: Extents | None = None,
) -> jax.Array:
    """Stretches each channel until its darkest pixel is black and its lightest white.

    Args:
        image: ``(..., H, W, C)`` uint8, or floating 0..1 with ``numerics="torch"``.
        cutoff: Percent of the darkest and of the lightest pixels that may be lost; 0 with ``numerics="torch"``.
        numerics: ``"pillow"`` or ``"torch"``.
        size: Height and width of the part that counts, at the top left; may be traced. All of it if absent.

    Returns:
        The image's shape and dtype; a channel of one level stays. Differentiable for floats.

    Raises:
        ImageError: The image is not of these types.
        ConfigError: The numerics are not known, or do not know a cutoff.

    Source:
        Pillow 13.0 ``ImageOps.autocontrast``; torchvision 0.29 ``autocontrast`` on tensors. Bit-exact for uint8.

    Example:
        >>> autocontrast(np.array([[[50], [60], [101]]], np.uint8)).ravel().tolist()
        [0, 50, 255]
    """
    check_numerics("AutoContrast", numerics, AUTOCONTRAST_NUMERICS)
    if numerics == "torch" and any(cutoff):
        raise ConfigError("AutoContrast: torchvision has no cutoff.", f"{cutoff=}", 'choose numerics="pillow".')
    if numerics == "torch" and not is_bytes("AutoContrast", image):
        return _stretched(jnp.asarray(image), size)
    table = autocontrast_table(histogram(image, size=size), cutoff=cutoff, numerics=numerics)
    return look_up(image, table=table)


def autocontrast_table(
    counts: Array, *, cutoff: tuple[float, float] = (0.0, 0.0), numerics: Numerics = "pillow"
) -> jax.Array:
    """What each level becomes in `autocontrast`.

    Args:
        counts: ``(..., C, 256)`` int32, a `histogram`.
        cutoff: As for `autocontrast`.
        numerics: As for `autocontrast`.

    Returns:
        ``(..., C, 256)`` uint8.

    Source:
        See `autocontrast`.

    Example:
        >>> counts = np.zeros((1, 256), np.int32)
        >>> counts[0, [50, 101]] = 1
        >>> autocontrast_table(counts)[0, [49, 50, 60, 101, 102]].tolist()
        [0, 0, 50, 255, 255]
    """
    low, high = _kept(jnp.asarray(counts), cutoff)
    table = (_by_pillow if numerics == "pillow" else _by_torch)(low, high)
    return jnp.where(high > low, table, jnp.arange(LEVELS)).astype(jnp.uint8)


def _kept(counts: jax.Array, cutoff: tuple[float, float]) -> tuple[jax.Array, jax.Array]:
    """The lowest and the highest level once so many percent of the pixels are gone; equal where none is left."""
    total = counts.sum(-1, keepdims=True)
    with jax.enable_x64(True):
        pixels = total.astype(jnp.float64)
        dark, light = (jnp.floor_divide(pixels * share, float(PERCENT)).astype(jnp.int32) for share in cutoff)
    up_to = jnp.cumsum(counts, -1)
    low = jnp.argmax(up_to > dark, -1, keepdims=True)
    high = _last(total - up_to + counts > light)
    return low, jnp.where(dark + light < total, high, low)


def _by_pillow(low: jax.Array, high: jax.Array) -> jax.Array:
    with jax.enable_x64(True):
        darkest = low.astype(jnp.float64)
        scale = float(WHITE) / jnp.maximum(high - low, 1).astype(jnp.float64)
        stretched = rounded_product(jnp.arange(LEVELS).astype(jnp.float64), scale)
        return jnp.clip(stretched - rounded_product(darkest, scale), 0, WHITE).astype(jnp.int32)


def _by_torch(low: jax.Array, high: jax.Array) -> jax.Array:
    unit = to_single(jnp, (high - low).astype(jnp.float32) * np.float32(1 / WHITE))
    above = (jnp.arange(LEVELS) - low).astype(jnp.float32)
    return jnp.clip(above / jnp.where(high > low, unit, jnp.ones_like(unit)), 0, WHITE).astype(jnp.int32)


def _stretched(image: jax.Array, size: Extents | None) -> jax.Array:
    low, high = (_extreme(image, size, most) for most in (False, True))
    span = high - low
    return jnp.where(span > 0, jnp.clip((image - low) / jnp.where(span > 0, span, 1), 0, 1), image).astype(
        image.dtype
    )


def _extreme(image: jax.Array, size: Extents | None, most: bool) -> jax.Array:
    """The least or greatest value of each channel in the part that counts."""
    reduce: Callable[..., jax.Array] = jnp.max if most else jnp.min
    if size is not None:
        beyond = jnp.asarray(-jnp.inf if most else jnp.inf, image.dtype)
        image = jnp.where(filled(image.shape, size), image, beyond)
    return reduce(image, axis=(-3, -2), keepdims=True)


def _last(found: jax.Array) -> jax.Array:
    """The index of the last true along the last axis, kept as an axis of one."""
    return LEVELS - 1 - jnp.argmax(found[..., ::-1], -1, keepdims=True)


def _at(counts: jax.Array, level: jax.Array) -> jax.Array:
    return jnp.take_along_axis(counts, level, -1)
