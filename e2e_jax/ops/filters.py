"""Reconstruction filters: how much a source pixel at a distance counts. Written for NumPy and JAX arrays alike."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from types import ModuleType

from e2e_jax.types import Array

KEYS_A = (
    -0.5
)  # sharpness of the cubic: Keys, "Cubic convolution interpolation", IEEE ASSP 29(6), 1981; Pillow's choice
LANCZOS_LOBES = 3  # Pillow's LANCZOS is the 3-lobed window


def _box(xp: ModuleType, x: Array) -> Array:
    return xp.where((x > -0.5) & (x <= 0.5), 1.0, 0.0)


def _triangle(xp: ModuleType, x: Array) -> Array:
    return xp.maximum(1.0 - xp.abs(x), 0.0)


def _cubic(xp: ModuleType, x: Array) -> Array:
    x = xp.abs(x)
    near = ((KEYS_A + 2.0) * x - (KEYS_A + 3.0)) * x * x + 1.0
    far = (((x - 5.0) * x + 8.0) * x - 4.0) * KEYS_A
    return xp.where(x < 1.0, near, xp.where(x < 2.0, far, 0.0))


def _sinc(xp: ModuleType, x: Array) -> Array:
    angle = xp.where(x == 0.0, 1.0, x) * math.pi  # a safe divisor where x is 0
    return xp.where(x == 0.0, 1.0, xp.sin(angle) / angle)


def _lanczos(xp: ModuleType, x: Array) -> Array:
    window = (x >= -LANCZOS_LOBES) & (x < LANCZOS_LOBES)
    return xp.where(window, _sinc(xp, x) * _sinc(xp, x / LANCZOS_LOBES), 0.0)


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


#: Filters by the name of the interpolation method they make. Source: Pillow's ``src/libImaging/Resample.c``.
FILTERS = {
    "area": Filter(_box, 1, jumps=True),
    "bilinear": Filter(_triangle, 2),
    "bicubic": Filter(_cubic, 4),
    "lanczos": Filter(_lanczos, 2 * LANCZOS_LOBES),
}
