"""OpenCV's windows and nearest pixels (modules/imgproc/src/resize.cpp), in its single precision.

No window widens where the image shrinks. Positions past an edge are read at the edge and keep their own weight.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType

import jax
import numpy as np

from e2e_jax.ops.filters import SHARP
from e2e_jax.ops.interpolation import (
    Arithmetic,
    Interpolation,
    Step,
    Window,
    floor_centre,
    in_singles,
    one_in_singles,
)
from e2e_jax.ops.sizes import Scaling, Size, value
from e2e_jax.types import Array

COEF_BITS = 11  # INTER_RESIZE_COEF_BITS
LANCZOS_TAPS = 8  # INTER_LANCZOS4: four lobes
AT_A_PIXEL = np.float32(1e-6)  # interpolateLanczos4: closer than this, one pixel takes all weight
ALL_WEIGHT = np.float32(1e30)  # and this stands for it before the weights are normalised
SLIVER = 1e-3  # computeResizeAreaTab: a smaller part of a pixel is not counted
EPSILON = np.finfo(np.float64).eps  # DBL_EPSILON: how close to a whole number a scale must be for exact blocks


def _scale(xp: ModuleType, scaling: Scaling) -> Array:
    """Source pixels per output pixel, rounded twice: the reciprocal of the reciprocal, not simplified."""
    inverse = scaling.inverse(xp)
    return 1.0 / (inverse if xp is np else jax.lax.optimization_barrier(inverse))


def floored(xp: ModuleType, position: Array, scaling: Scaling) -> Array:
    """``floor(position * scale)`` in double (resizeNN)."""
    return xp.floor(position * _scale(xp, scaling)).astype(np.int64)


def convolved(taps: int, coefficients: Callable[[ModuleType, Array], list[Array]]) -> Callable[..., Window]:
    """The window of ``taps`` pixels around ``(position + 0.5) * scale - 0.5``."""

    def window(xp: ModuleType, position: Array, step: Step) -> Window:
        centre = (((2 * position + 1) * _scale(xp, step.scaling) - 1.0) * 0.5).astype(np.float32)
        floor = floor_centre(position, step.scaling)
        weight = xp.concatenate(coefficients(xp, centre - floor.astype(np.float32)), axis=1)
        return Window(floor - (taps // 2 - 1), weight)  # (n, 1), (n, taps)

    return window


def linear_coefficients(xp: ModuleType, x: Array) -> list[Array]:
    """Two weights for a point ``x`` past the first of two pixels."""
    return [np.float32(1) - x, x]


def lanczos_coefficients(xp: ModuleType, x: Array) -> list[Array]:
    """interpolateLanczos4: for a point ``x`` past the fourth of eight pixels."""
    angle = -(x + np.float32(3)).astype(np.float64) * (math.pi / 4)
    sine, cosine = xp.sin(angle), xp.cos(angle)
    raw = []
    for tap in range(LANCZOS_TAPS):
        distance = x + np.float32(3 - tap)
        close = xp.abs(distance) < AT_A_PIXEL
        y = xp.where(close, np.float32(1), distance).astype(np.float64) * (math.pi / 4)
        turned = math.cos(tap * 5 * math.pi / 4) * sine + math.sin(tap * 5 * math.pi / 4) * cosine
        raw.append(xp.where(close, ALL_WEIGHT, (turned / (y * y)).astype(np.float32)))
    total = raw[0]
    for weight in raw[1:]:
        total = total + weight
    return [weight * (np.float32(1) / total) for weight in raw]


def cubic(xp: ModuleType, position: Array, step: Step) -> Window:
    """Four pixels around the centre, in double: so does Intel's IPP, which x86 builds of OpenCV call for this."""
    floor = floor_centre(position, step.scaling)
    x = ((2 * position + 1) * step.scaling.ratio(xp) - 1.0) * 0.5 - floor
    return Window(floor - 1, SHARP.weight(xp, xp.arange(-1, 3) - x))


def grown(xp: ModuleType, position: Array, step: Step) -> Window:
    """INTER_AREA where an axis grows: a pixel, and a blend only where an output pixel straddles two."""
    first = floored(xp, position, step.scaling)
    blend = ((position + 1) - (first + 1) * step.scaling.inverse(xp)).astype(np.float32)
    blend = xp.where(blend <= 0, np.float32(0), blend - xp.floor(blend))
    return Window(first, xp.concatenate(linear_coefficients(xp, blend), axis=1))


def covered(xp: ModuleType, position: Array, step: Step) -> Window:
    """INTER_AREA where both axes shrink or stay: how much of the output pixel each source pixel covers."""
    source, target = value(step.scaling.source), value(step.scaling.target)
    scale = _scale(xp, step.scaling)
    start = position * scale
    stop = start + scale
    first, last = xp.ceil(start), xp.minimum(xp.floor(stop), source - 1)
    first = xp.minimum(first, last)
    cell = xp.minimum(scale, source - start)
    lowest = position * source // target
    tap = lowest + xp.arange(_most_covered(step, position))  # (n, taps)
    head = xp.where((tap == first - 1) & (first - start > SLIVER), first - start, 0.0)
    body = xp.where((tap >= first) & (tap < last), 1.0, 0.0)
    rest = xp.minimum(xp.minimum(stop - last, 1.0), cell)
    tail = xp.where((tap == last) & (stop - last > SLIVER), rest, 0.0)
    return Window(lowest, ((head + body + tail) / cell).astype(np.float32))


def _most_covered(step: Step, position: Array) -> Size:
    source, target = step.scaling.source, step.scaling.target
    if isinstance(position, np.ndarray) and step.scaling.is_static:
        return int((-(-(position + 1) * source // target) - position * source // target).max(initial=1))
    return step.scaling.most_pixels(1) + 2


def shrinks(step: Step) -> bool | Array:
    """Whether INTER_AREA covers pixels: no axis grows."""
    assert step.across
    pairs = [(value(s.source), value(s.target)) for s in (step.scaling, step.across)]
    return (pairs[0][0] >= pairs[0][1]) & (pairs[1][0] >= pairs[1][1])


def block(xp: ModuleType, scaling: Scaling) -> tuple[Array, Array]:
    """The scale as a whole number, and whether it is one."""
    scale = _scale(xp, scaling)
    return xp.rint(scale), xp.abs(scale - xp.rint(scale)) < EPSILON


def blocks(xp: ModuleType, step: Step) -> Array:
    """Whether each output pixel is a whole block of source pixels: then they are summed first, and divided once."""
    assert step.across
    return block(xp, step.scaling)[1] & block(xp, step.across)[1]


def to_11_bits(xp: ModuleType, weight: Array, step: Step) -> Array:
    """Rounded half to even."""
    return xp.rint(weight * np.float32(1 << COEF_BITS)).astype(np.int32)


def to_sums(xp: ModuleType, weight: Array, step: Step) -> Array:
    """Weights of one where whole blocks are summed."""
    return xp.where(blocks(xp, step) & (weight > 0), np.float32(1), weight)


def one_in_11_bits(xp: ModuleType, step: Step) -> Array:
    """The weight of a pixel that is copied."""
    return xp.asarray(1 << COEF_BITS, np.int32)


def one_in_sums(xp: ModuleType, step: Step) -> Array:
    """The weight of a pixel that is copied: as many as are summed."""
    whole = block(xp, step.scaling)[0]
    return xp.where(blocks(xp, step), whole, 1.0).astype(np.float32)


def _eleven(window: Callable[..., Window], arithmetic: Arithmetic) -> Interpolation:
    return Interpolation(
        window=window, to_fixed=to_11_bits, one=one_in_11_bits, arithmetic=arithmetic, together=True
    )


LINEAR = _eleven(convolved(2, linear_coefficients), "opencv_linear")
CUBIC = Interpolation(window=cubic, to_fixed=in_singles, one=one_in_singles, arithmetic="doubles", together=True)
LANCZOS = _eleven(convolved(LANCZOS_TAPS, lanczos_coefficients), "opencv_lanczos")
GROWN = _eleven(grown, "opencv_linear")
AREA = Interpolation(
    window=covered,
    to_fixed=to_sums,
    one=one_in_sums,
    arithmetic="opencv_area",
    together=True,
    applies=shrinks,
    otherwise=GROWN,
)
