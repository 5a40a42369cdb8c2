"""Reconstruction filters: how much a source pixel at a distance counts. Written for NumPy and JAX arrays alike."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from types import ModuleType

from e2e_jax.types import Array

KEYS_A = -0.5  # sharpness of the cubic: Keys, "Cubic convolution interpolation", IEEE ASSP 29(6), 1981
SHARP_A = -0.75  # OpenCV's sharpness (interpolateCubic), and torch's without antialias (cubic_convolution1)
LANCZOS_LOBES = 3  # Pillow's LANCZOS and TensorFlow's lanczos3
HAMMING = (0.5400000214576721, 0.46000000834465027)  # 0.54f and 0.46f: single precision in Pillow's hamming_filter


def _box(xp: ModuleType, x: Array) -> Array:
    return xp.where((x > -0.5) & (x <= 0.5), 1.0, 0.0)


def triangle(xp: ModuleType, x: Array) -> Array:
    """Linear interpolation."""
    return xp.maximum(1.0 - xp.abs(x), 0.0)


def cubic(xp: ModuleType, x: Array, *, a: float) -> Array:
    """Cubic convolution of sharpness ``a``."""
    x = xp.abs(x)
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    far = (((x - 5.0) * x + 8.0) * x - 4.0) * a
    return xp.where(x < 1.0, near, xp.where(x < 2.0, far, 0.0))


def _sinc(xp: ModuleType, x: Array) -> Array:
    angle = xp.where(x == 0.0, 1.0, x) * math.pi  # a safe divisor where x is 0
    return xp.where(x == 0.0, 1.0, xp.sin(angle) / angle)


def _lanczos(xp: ModuleType, x: Array) -> Array:
    window = (x >= -LANCZOS_LOBES) & (x < LANCZOS_LOBES)
    return xp.where(window, _sinc(xp, x) * _sinc(xp, x / LANCZOS_LOBES), 0.0)


def _hamming(xp: ModuleType, x: Array) -> Array:
    flat, wave = HAMMING
    return xp.where(xp.abs(x) < 1.0, _sinc(xp, x) * (flat + wave * xp.cos(x * math.pi)), 0.0)


@dataclasses.dataclass(frozen=True)
class Filter:
    """A reconstruction filter.

    Args:
        weight: ``(xp, distance) -> weight``; the distance is in pixels of the coarser grid.
        width: Full width of the window in those pixels (twice the support), an integer.
        jumps: Whether the weight does not fall to zero at the ends of the window, so that a rounding decides
            whether a pixel exactly there counts.
    """

    weight: Callable[[ModuleType, Array], Array]
    width: int
    jumps: bool = False


TRIANGLE = Filter(triangle, 2)
KEYS = Filter(functools.partial(cubic, a=KEYS_A), 4)
SHARP = Filter(functools.partial(cubic, a=SHARP_A), 4)

#: Filters by the name of the interpolation method they make. Source: Pillow's ``src/libImaging/Resample.c``.
FILTERS = {
    "area": Filter(_box, 1, jumps=True),
    "bilinear": TRIANGLE,
    "hamming": Filter(_hamming, 2),
    "bicubic": KEYS,
    "lanczos": Filter(_lanczos, 2 * LANCZOS_LOBES),
}
