"""Gaussian blur: a weighted mean of neighbours along each axis, mirrored at the edge without repeating it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.errors import ConfigError
from e2e_jax.ops.exact import Number, to_numbers
from e2e_jax.ops.extend import mirrored
from e2e_jax.ops.levels import check_numerics, is_bytes, to_floats
from e2e_jax.ops.sizes import Extents, Size, is_dimension, value
from e2e_jax.types import Array

type Numerics = Literal["torch", "opencv"]
NUMERICS: tuple[str, ...] = get_args(Numerics.__value__)

SIGMA = (0.35, 0.15)  # without one: the first, and the second per pixel of the kernel; torchvision, gaussian_blur
UNIT = 1 << 8  # whole numbers that make up 1: OpenCV, fixedpoint.inl.hpp, ufixedpoint16
BINOMIAL = {  # in these units, without a sigma: OpenCV, smooth.dispatch.cpp, getGaussianKernelBitExact
    1: (256,),
    3: (64, 128, 64),
    5: (16, 64, 96, 64, 16),
    7: (8, 28, 56, 72, 56, 28, 8),
    9: (4, 13, 30, 51, 60, 51, 30, 13, 4),
}


def gaussian_blur(
    image: Array,
    *,
    kernel_size: int | tuple[int, int],
    sigma: Number | tuple[Number, Number] | None = None,
    numerics: Numerics = "torch",
    size: Extents | None = None,
) -> jax.Array:
    """Blurs an image with a Gaussian that is cut to a number of pixels.

    Args:
        image: ``(..., H, W, C)``, uint8 0..255 or floating.
        kernel_size: Odd number of pixels along x and y, or one for both.
        sigma: Standard deviation in pixels along x and y, or one for both, above 0; may be traced. If absent, 0.15
            per pixel of the kernel and 0.35.
        numerics: Whose rounding, ``"torch"`` or ``"opencv"``.
        size: Height and width of the part of the array that is the image, at its top left, if not all of it; its
            edge is where that part ends. May be traced.

    Returns:
        The same shape and dtype; differentiable for floats. What lies outside ``size`` means nothing.

    Raises:
        ImageError: The image is neither uint8 nor floating.
        ConfigError: A kernel size is even, or the numerics are not known.

    Source:
        torchvision 0.29 ``gaussian_blur``: floats within 1e-6; uint8 is rounded half to even like there, within one
        level. OpenCV 5.0 ``GaussianBlur`` with its default border, bit-exact for uint8 (kernels of whole 256ths;
        without sigma those of up to 9 pixels are binomial); floats within 1e-6 of the largest.

    Example:
        >>> import numpy as np
        >>> dot = np.array([[0, 0, 255, 0, 0]], np.uint8)[..., None]
        >>> gaussian_blur(dot, kernel_size=3, sigma=0.8).ravel().tolist()
        [0, 61, 133, 61, 0]
    """
    check_numerics("GaussianBlur", numerics, NUMERICS)
    whole_levels = is_bytes("GaussianBlur", image)
    lengths = _both(kernel_size)
    if any(length < 1 or length % 2 == 0 for length in lengths):
        fix = "pass an odd number of pixels, e.g. 3 or 5."
        raise ConfigError("GaussianBlur: kernel_size must be odd.", f"{kernel_size=}", fix)
    kernels = [
        _weights(length, number, numerics, whole_levels)
        for length, number in zip(lengths, _both(sigma), strict=True)
    ]
    pixels = jnp.asarray(image) if whole_levels else to_floats(image)
    blurred = _along_both(pixels, kernels, size)
    return _finish(blurred, numerics).astype(image.dtype) if whole_levels else blurred.astype(image.dtype)


def _both(numbers: Any) -> tuple[Any, Any]:
    """Along x and along y."""
    across, down = numbers if isinstance(numbers, Sequence) else (numbers, numbers)
    return across, down


def _finish(sums: jax.Array, numerics: Numerics) -> jax.Array:
    """Whole levels; those of OpenCV are sums of levels in 2**16 parts, below 2**24 and so exact."""
    return jnp.round(sums) if numerics == "torch" else jnp.floor((sums + UNIT * UNIT // 2) / (UNIT * UNIT))


def _along_both(pixels: jax.Array, kernels: list[Array], size: Extents | None) -> jax.Array:
    """``(..., H, W, C)`` float32; each pass is computed before the next, or XLA would multiply their costs."""
    height, width = size or pixels.shape[-3:-1]
    (rows, columns), (across, down) = pixels.shape[-3:-1], kernels
    tall = _extended(pixels, height, len(down) // 2, pixels.ndim - 3)
    sums = jax.lax.optimization_barrier(_weighted(tall, down, rows, pixels.ndim - 3))
    wide = _extended(sums, width, len(across) // 2, pixels.ndim - 2)
    return _weighted(wide, across, columns, pixels.ndim - 2)


def _weighted(pixels: jax.Array, weights: Array, length: Size, axis: int) -> jax.Array:
    """A sum of shifted images; the kernel is the same from both ends."""
    dtype = np.promote_types(pixels.dtype, np.float32)

    def shifted(by: int) -> jax.Array:
        start = [0] * pixels.ndim
        start[axis] = by
        shape = list(pixels.shape)
        shape[axis] = length
        return jax.lax.dynamic_slice(pixels, start, shape).astype(dtype)

    count = len(weights)
    terms = [(shifted(n) + shifted(count - 1 - n)) * weights[n].astype(dtype) for n in range(count // 2)]
    return functools.reduce(jnp.add, terms, shifted(count // 2) * weights[count // 2].astype(dtype))


def _extended(pixels: jax.Array, size: Size, radius: int, axis: int) -> jax.Array:
    """An axis with its mirror image before it and after the part that counts."""
    if radius == 0:
        return pixels

    def mirror(start: Size) -> jax.Array:
        places = mirrored(jnp, value(start) + np.arange(radius, dtype=np.int32), value(size))
        return jnp.take(pixels, places, axis, mode="clip")

    before, after = mirror(-radius), mirror(size)
    if is_dimension(size):
        return jnp.concatenate([before, pixels, after], axis)
    room = jnp.concatenate([before, pixels, after], axis)
    return jax.lax.dynamic_update_slice_in_dim(room, after, size + radius, axis)


def _weights(length: int, sigma: Number | None, numerics: Numerics, whole: bool) -> Array:
    """``(length,)`` float32, or whole numbers that sum up to `UNIT`."""
    if numerics == "opencv" and sigma is None and length in BINOMIAL:
        units = np.asarray(BINOMIAL[length], np.float64)
        return (units if whole else units / UNIT).astype(np.float32)
    with jax.enable_x64(True):
        xp, (deviation,) = to_numbers(np, SIGMA[0] + SIGMA[1] * length if sigma is None else sigma)
        distance = np.arange(length, dtype=np.float64) - length // 2
        bell = xp.exp(-0.5 * (distance / deviation) ** 2)
        weights = bell / bell.sum()
        if numerics == "opencv" and whole:
            weights = _whole_units(xp, weights)
        return weights.astype(np.float32)


def _whole_units(xp: ModuleType, weights: Array) -> Array:
    """OpenCV, getGaussianKernelFixedPoint_ED: what rounding leaves over is carried to the next pixel."""
    units, left = [], xp.zeros(())
    for n in range(len(weights) // 2):
        exact = weights[n] * UNIT + left
        units.append(xp.round(exact))
        left = exact - units[-1]
    middle = UNIT - 2 * sum(units, xp.zeros(()))
    return xp.stack([*units, middle, *units[::-1]])
