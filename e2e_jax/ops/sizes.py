"""Sizes in pixels, known when tracing or not, and the scale between two of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.types import Array

type Size = int | Array  # pixels; an int, a symbolic dimension of jax.export, or a traced int32 scalar
type Extents = tuple[Size, Size]  # height and width in pixels
type Bound = tuple[Size, Size]  # numerator and denominator of a scale that is never exceeded

SINGLE_PRECISION = (8, 23)  # bits of exponent and mantissa: IEEE 754 binary32


def is_dimension(size: Size) -> bool:
    """Whether a size can be the extent of an array: a number, or symbolic, but not a traced value."""
    return not isinstance(size, jax.Array)


def fills_array(size: Extents) -> bool:
    """Whether an image fills its array: its size is the array's own."""
    return all(is_dimension(n) for n in size)


def filled(shape: Sequence[Size], size: Extents) -> jax.Array:
    """Which pixels of an array ``(..., H, W, C)`` an image at its top left fills, bool ``(H, W, 1)``.

    Example:
        >>> filled((8, 2, 3, 1), (2, 1))[..., 0].tolist()
        [[True, False, False], [True, False, False]]
    """
    *_, height, width, _ = shape
    rows = jnp.arange(height, dtype=jnp.int32)[:, None, None] < value(size[0])
    cols = jnp.arange(width, dtype=jnp.int32)[:, None] < value(size[1])
    return rows & cols


def value(size: Size) -> Size:
    """A size to calculate with: numbers stay, symbolic dimensions become traced."""
    return size if is_static(size) or not is_dimension(size) else jnp.asarray(size, jnp.int32)


def is_static(size: Size | None) -> bool:
    """Whether a size is a plain number, known at trace time."""
    return isinstance(size, int | np.integer)


@dataclasses.dataclass(frozen=True)
class Scaling:
    """One axis on its way from ``source`` to ``target`` pixels.

    Args:
        source: Extent before, in pixels.
        target: Extent after, in pixels.
        bound: A scale that ``source / target`` cannot exceed; sizes windows where the sizes are traced.
    """

    source: Size
    target: Size
    bound: Bound

    @property
    def is_static(self) -> bool:
        return is_static(self.source) and is_static(self.target)

    @property
    def keeps(self) -> bool | Array:
        """Whether the size stays as it is."""
        return value(self.source) == value(self.target)

    def ratio(self, xp: ModuleType) -> Array:
        """Source pixels per output pixel, a correctly rounded double."""
        return _divided(xp, self.source, self.target)

    def inverse(self, xp: ModuleType) -> Array:
        """Output pixels per source pixel, a correctly rounded double."""
        return _divided(xp, self.target, self.source)

    def most_pixels(self, width: int) -> Size:
        """Source pixels that ``width`` output pixels span at most, rounded down."""
        numerator, denominator = self.bound
        return (width * numerator) // denominator


def to_single(xp: Any, x: Array) -> Array:
    """Doubles rounded to single precision, as doubles: XLA may drop a cast there and back, but not this."""
    return jax.lax.reduce_precision(x, *SINGLE_PRECISION) if xp is jnp else x.astype(np.float32).astype(np.float64)


def _divided(xp: ModuleType, numerator: Size, denominator: Size) -> Array:
    """XLA divides by a constant, or by one number for a whole batch, by multiplying with its rounded reciprocal.

    So the divisor is made to look different for every image: no size is negative, but XLA cannot know.
    """
    if is_static(numerator) and is_static(denominator):
        return xp.asarray(np.float64(numerator) / np.float64(denominator))
    over, under = xp.asarray(value(numerator)), value(denominator)
    divisor = xp.where(over >= 0, under, over)
    return over.astype(np.float64) / divisor.astype(np.float64)
