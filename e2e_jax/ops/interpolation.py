"""What an interpolation is: which source pixels an output pixel reads, with which weights, in which arithmetic.

The libraries' own rules are in ``resize_pillow.py``, ``resize_torch.py``, ``resize_opencv.py`` and
``resize_tf.py``; the table of all pairs is in ``dialects.py``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from types import ModuleType
from typing import Literal, NamedTuple

import numpy as np

from e2e_jax.ops.sizes import Scaling, value
from e2e_jax.types import Array

FIXED_POINT_BITS = 22  # Pillow, Resample.c: PRECISION_BITS = 32 - 8 - 2
FIXED_POINT_ONE = 1 << FIXED_POINT_BITS

#: How uint8 pixels are summed. ``words``: 22-bit fixed point, a byte after each pass (Pillow, torch). ``opencv_*``:
#: OpenCV's own, whose intermediate is no byte. ``doubles``: in double, rounded once at the end (tf).
type Arithmetic = Literal["words", "opencv_linear", "opencv_lanczos", "opencv_area", "doubles"]


class Window(NamedTuple):
    """Source positions ``first + tap`` (n, 1) + (taps,) and what each counts: (n, taps), rows that sum to one."""

    first: Array
    weight: Array


@dataclasses.dataclass(frozen=True)
class Step:
    """What one axis is asked for.

    Args:
        scaling: From how many pixels to how many.
        antialias: Whether the filter widens with the scale when the axis shrinks.
        across: The scaling of the other axis; some libraries choose their rule by both.
    """

    scaling: Scaling
    antialias: bool
    across: Scaling | None = None

    @property
    def is_static(self) -> bool:
        return self.scaling.is_static and (self.across is None or self.across.is_static)


def to_22_bits(xp: ModuleType, weight: Array, step: Step) -> Array:
    """Rounded half away from zero, as ``normalize_coeffs_8bpc`` in Pillow's Resample.c."""
    return xp.trunc(weight * FIXED_POINT_ONE + xp.where(weight < 0, -0.5, 0.5)).astype(np.int32)


def one_in_22_bits(xp: ModuleType, step: Step) -> Array:
    """The weight of a pixel that is copied."""
    return xp.asarray(FIXED_POINT_ONE, np.int32)


def in_singles(xp: ModuleType, weight: Array, step: Step) -> Array:
    """The weights in single precision."""
    return weight.astype(np.float32)


def one_in_singles(xp: ModuleType, step: Step) -> Array:
    """The weight of a pixel that is copied."""
    return xp.asarray(1.0, np.float32)


@dataclasses.dataclass(frozen=True)
class Interpolation:
    """One method of one library: either it picks a pixel or it weighs a window of them.

    Args:
        pick: ``(xp, position, scaling)`` to the source position each output position (n, 1) copies.
        window: ``(xp, position, step)`` to the `Window` of each output position (n, 1).
        to_fixed: ``(xp, weight, step)`` to the weights of the arithmetic of bytes.
        one: ``(xp, step)`` to the weight, in that arithmetic, of a pixel that is copied.
        arithmetic: How uint8 pixels are summed.
        rows_first: Whether the rows are filtered before the columns.
        together: Whether both axes are one rule, so that none is left out where its size stays.
        applies: ``step`` to whether this rule holds for these sizes; always if absent.
        otherwise: What holds instead.
    """

    pick: Callable[[ModuleType, Array, Scaling], Array] | None = None
    window: Callable[[ModuleType, Array, Step], Window] | None = None
    to_fixed: Callable[[ModuleType, Array, Step], Array] = to_22_bits
    one: Callable[[ModuleType, Step], Array] = one_in_22_bits
    arithmetic: Arithmetic = "words"
    rows_first: bool = False
    together: bool = False
    applies: Callable[[Step], bool | Array] | None = None
    otherwise: Interpolation | None = None


def floor_centre(position: Array, scaling: Scaling) -> Array:
    """The source position at or before the centre ``(position + 0.5) * scale - 0.5``.

    Taken from integers: a float may be computed twice with two roundings, and index and weight then disagree.
    """
    source, target = value(scaling.source), value(scaling.target)
    return ((2 * position + 1) * source - target) // (2 * target)
