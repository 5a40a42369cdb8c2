"""Sharpness: an image mixed with itself smoothed, or the other way round."""

from __future__ import annotations

from typing import Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.ops.enhance import blend
from e2e_jax.ops.exact import Number
from e2e_jax.ops.levels import check_numerics, is_bytes, pinned, to_bytes, to_floats
from e2e_jax.ops.sizes import Extents, Size, value
from e2e_jax.types import Array

type Numerics = Literal["pillow", "torch"]
NUMERICS: tuple[str, ...] = get_args(Numerics.__value__)

MIDDLE, TOTAL = 5, 13  # weight of a pixel among neighbours of 1, and of all: Pillow, ImageFilter.SMOOTH


def sharpness(
    image: Array, *, factor: Number, numerics: Numerics = "pillow", size: Extents | None = None
) -> jax.Array:
    """Makes an image sharper or softer, by a factor.

    Args:
        image: ``(..., H, W, C)``, uint8 0..255 or floating 0..1.
        factor: 0 is smoothed, 1 leaves the image, more exaggerates its edges. A number or a traced scalar.
        numerics: ``"pillow"`` or ``"torch"``.
        size: Height and width of the part of the array that is the image, at its top left, if not all of it. May be
            traced.

    Returns:
        The same shape and dtype, clipped to 0..255 or 0..1; differentiable for floats. The outermost pixels stay.

    Raises:
        ImageError: The image is neither uint8 nor floating.
        ConfigError: The numerics are not known.

    Source:
        Pillow 13.0 ``ImageEnhance.Sharpness``, bit-exact for uint8; torchvision 0.29 ``adjust_sharpness`` on
        tensors, uint8 within one level, floats within 1e-6.

    Example:
        >>> import numpy as np
        >>> dot = np.array([[0, 0, 0], [0, 130, 0], [0, 0, 0]], np.uint8)[..., None]
        >>> [sharpness(dot, factor=factor)[1, 1, 0].item() for factor in (0.0, 0.5, 1.0, 2.0)]
        [50, 90, 130, 210]
    """
    check_numerics("Sharpness", numerics, NUMERICS)
    whole_levels = is_bytes("Sharpness", image)
    pixels = to_floats(image)
    smooth = _sum_of_neighbours(pixels) + (MIDDLE - 1) * pixels
    if whole_levels:  # never half way between two levels, so that only the nearer one counts
        smooth = jnp.floor((smooth + TOTAL / 2) * np.float32(1 / TOTAL))
    dull = jnp.where(_inner(image, size), smooth if whole_levels else smooth / TOTAL, pixels)
    if whole_levels and numerics == "pillow":
        return blend(image, degenerate=dull, factor=factor)
    with jax.enable_x64(True):
        rest = (1 - jnp.asarray(factor).astype(jnp.float64)).astype(pixels.dtype)
    mixed = pixels + pinned(rest * (dull - pixels))
    return to_bytes(mixed) if whole_levels else jnp.clip(mixed, 0, 1).astype(image.dtype)


def _sum_of_neighbours(pixels: jax.Array) -> jax.Array:
    """Of three rows and three columns; beyond the edge there is nothing."""
    for axis in (pixels.ndim - 3, pixels.ndim - 2):
        border = [(0, 0)] * pixels.ndim
        border[axis] = (1, 1)
        wide, length = jnp.pad(pixels, border), pixels.shape[axis]
        before, here, after = (_part(wide, start, length, axis) for start in range(3))
        pixels = jax.lax.optimization_barrier(before + here + after)
    return pixels


def _part(pixels: jax.Array, start: int, length: Size, axis: int) -> jax.Array:
    return jax.lax.dynamic_slice_in_dim(pixels, start, length, axis)


def _inner(image: Array, size: Extents | None) -> jax.Array:
    """``(H, W, 1)``, whether a pixel has neighbours on all sides."""
    height, width = size or image.shape[-3:-1]
    rows = jnp.arange(image.shape[-3], dtype=jnp.int32)[:, None, None]
    columns = jnp.arange(image.shape[-2], dtype=jnp.int32)[:, None]
    return (rows > 0) & (rows < value(height) - 1) & (columns > 0) & (columns < value(width) - 1)
