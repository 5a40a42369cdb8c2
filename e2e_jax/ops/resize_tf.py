"""TensorFlow's windows and nearest pixel (tensorflow/core/kernels/image), placed in its single precision.

Without antialias bilinear, bicubic and area have kernels of their own; all else is ``scale_and_translate_op.cc``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from types import ModuleType

import jax
import numpy as np

from e2e_jax.ops.filters import KEYS, TRIANGLE, Filter
from e2e_jax.ops.interpolation import Interpolation, Step, Window, floor_centre, in_singles, one_in_singles
from e2e_jax.ops.sizes import Scaling, Size, to_single, value
from e2e_jax.types import Array

TABLE_STEPS = 1024  # resize_bicubic_op.cc: kTableSize
AT_A_PIXEL = 1e-3  # LanczosKernelFunc: closer than this, the weight is one
SIGMA = 0.5  # CreateGaussianKernel: of the Gaussian, in pixels of the coarser grid


def _centre(xp: ModuleType, position: Array, scale: Array) -> Array:
    """``(position + 0.5) * scale`` in single precision."""
    return to_single(xp, (position + 0.5) * scale)


def _scale(xp: ModuleType, scaling: Scaling) -> Array:
    """Source pixels per output pixel (CalculateResizeScale)."""
    return to_single(xp, scaling.ratio(xp))


def floored(xp: ModuleType, position: Array, scaling: Scaling) -> Array:
    """``floor((position + 0.5) * scale)`` (HalfPixelScalerForNN)."""
    return xp.floor(_centre(xp, position, _scale(xp, scaling))).astype(np.int64)


def _fraction(xp: ModuleType, position: Array, scaling: Scaling) -> tuple[Array, Array]:
    """The pixel at or before the centre, and how far past it the centre lies (HalfPixelScaler)."""
    floor = floor_centre(position, scaling)
    centre = to_single(xp, _centre(xp, position, _scale(xp, scaling)) - 0.5)
    return floor, xp.clip(centre - floor, 0.0, 1.0)


def linear(xp: ModuleType, position: Array, step: Step) -> Window:
    """Two pixels; past an edge both are the edge's (resize_bilinear_op.cc)."""
    floor, x = _fraction(xp, position, step.scaling)
    return Window(floor, xp.concatenate([1.0 - x, x], axis=1))


def tabled(xp: ModuleType, position: Array, step: Step) -> Window:
    """Four pixels, weights for 1024 positions between two; those past an edge count nothing."""
    floor, x = _fraction(xp, position, step.scaling)
    x = xp.rint(x * TABLE_STEPS) * (1 / TABLE_STEPS)
    tap = floor + xp.arange(-1, 3)  # (n, taps)
    weight = KEYS.weight(xp, xp.arange(-1, 3) - x)
    weight = xp.where((tap >= 0) & (tap < value(step.scaling.source)), weight, 0.0)
    return Window(floor - 1, weight / weight.sum(axis=1, keepdims=True))


def covered(xp: ModuleType, position: Array, step: Step) -> Window:
    """How much of the output pixel each source pixel covers (resize_area_op.cc)."""
    scale = _scale(xp, step.scaling)
    start, stop = to_single(xp, position * scale), to_single(xp, (position + 1) * scale)
    source, target = value(step.scaling.source), value(step.scaling.target)
    lowest = position * source // target - 1  # one early: in single precision the start may lie before
    tap = lowest + xp.arange(_most_covered(step))  # (n, taps)
    ends = tap + 1 > stop
    part = xp.where(tap < start, xp.where(ends, scale, tap + 1 - start), xp.where(ends, stop - tap, 1.0))
    return Window(lowest, xp.where((tap + 1 > start) & (tap < stop), part, 0.0) / scale)


def _most_covered(step: Step) -> Size:
    if step.scaling.is_static:
        return -(-int(step.scaling.source) // int(step.scaling.target)) + 3
    return step.scaling.most_pixels(1) + 4


def _mitchell(xp: ModuleType, x: Array) -> Array:
    x = xp.abs(x)
    near = ((7 * x - 12) * x * x + 16 / 3) / 6
    far = (((36 - 7 * x) * x - 60) * x + 32) / 18
    return xp.where(x < 1.0, near, xp.where(x < 2.0, far, 0.0))


def _gaussian(xp: ModuleType, x: Array) -> Array:
    return xp.where(xp.abs(x) < 3 * SIGMA, xp.exp(-x * x / (2 * SIGMA**2)), 0.0)


def _lanczos(lobes: int) -> Filter:
    def weight(xp: ModuleType, x: Array) -> Array:
        x = xp.abs(x)
        angle = xp.where(x <= AT_A_PIXEL, 1.0, x) * math.pi
        waves = lobes * xp.sin(angle) * xp.sin(angle / lobes) / (angle * angle)
        return xp.where(x <= AT_A_PIXEL, 1.0, xp.where(x > lobes, 0.0, waves))

    return Filter(weight, 2 * lobes)


def _sampled(kernel: Filter, xp: ModuleType, position: Array, step: Step) -> Window:
    """A kernel around the centre, cut off at the border and normalised (ComputeSpansCore)."""
    scale = to_single(xp, 1.0 / to_single(xp, step.scaling.inverse(xp)))
    stretch = xp.maximum(scale, 1.0) if step.antialias else xp.ones_like(scale)
    centre, reach = _centre(xp, position, scale), to_single(xp, kernel.width / 2 * stretch)
    start = xp.ceil(to_single(xp, to_single(xp, centre - reach) - 0.5))
    end = xp.floor(to_single(xp, to_single(xp, centre + reach) - 0.5))
    source, target = value(step.scaling.source), value(step.scaling.target)
    coarse = xp.maximum(source, target) if step.antialias else target
    lowest = xp.maximum(((2 * position + 1) * source - target - kernel.width * coarse) // (2 * target), 0)
    tap = lowest + xp.arange(_taps(kernel, step, lowest, end))  # (n, taps)
    inside = (tap >= start) & (tap <= end) & (tap < source)
    weight = xp.where(inside, kernel.weight(xp, (tap + 0.5 - centre) * (1.0 / stretch)), 0.0)
    return Window(lowest, weight / weight.sum(axis=1, keepdims=True))


def _taps(kernel: Filter, step: Step, lowest: Array, end: Array) -> Size:
    if isinstance(lowest, np.ndarray):
        return max(int((np.minimum(end, step.scaling.source - 1) - lowest).max(initial=0)) + 1, 1)
    widest = step.scaling.most_pixels(kernel.width) if step.antialias else kernel.width
    return jax.core.max_dim(kernel.width, widest) + 3


def tf(kernel: Filter, plain: Callable[[ModuleType, Array, Step], Window] | None = None) -> Interpolation:
    """The interpolation that TensorFlow makes of a kernel, and of ``plain`` where there is no antialias."""

    def window(xp: ModuleType, position: Array, step: Step) -> Window:
        if plain and not step.antialias:
            return plain(xp, position, step)
        return _unless_kept(xp, position, step, _sampled(kernel, xp, position, step))

    return Interpolation(
        window=window, to_fixed=in_singles, one=one_in_singles, arithmetic="doubles", together=True
    )


def _unless_kept(xp: ModuleType, position: Array, step: Step, window: Window) -> Window:
    """An image that keeps its size is not touched, though some kernels would blur it."""
    assert step.across
    kept = step.scaling.keeps & step.across.keeps
    alone = window.first + xp.arange(window.weight.shape[1]) == position
    return window._replace(weight=xp.where(kept, alone * 1.0, window.weight))


BILINEAR, BICUBIC = tf(TRIANGLE, linear), tf(KEYS, tabled)
AREA = dataclasses.replace(BILINEAR, window=covered)
LANCZOS, LANCZOS5 = tf(_lanczos(3)), tf(_lanczos(5))
MITCHELL, GAUSSIAN = tf(Filter(_mitchell, 4)), tf(Filter(_gaussian, int(6 * SIGMA)))
