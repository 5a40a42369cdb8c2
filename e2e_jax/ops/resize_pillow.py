"""Pillow's windows (src/libImaging/Resample.c), and its nearest pixel (Geometry.c)."""

from __future__ import annotations

from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.ops.filters import Filter
from e2e_jax.ops.interpolation import Interpolation, Step, Window
from e2e_jax.ops.sizes import Scaling, Size, value
from e2e_jax.types import Array


def walked(xp: ModuleType, position: Array, scaling: Scaling) -> Array:
    """The pixel at the centre, reached by adding the scale again and again, in double.

    Source: Pillow's ImagingScaleAffine; OpenCV's resizeNN_bitexact_tab.
    """
    scale = scaling.ratio(xp)
    if xp is np:
        walk = np.add.accumulate(np.concatenate([[scale * 0.5], np.full(scaling.target - 1, scale)]))
        reached = walk[np.clip(position, 0, scaling.target - 1)]
    else:
        reached = _walk(position, scale)
    return reached.astype(np.int64)


def _walk(position: Array, scale: Array) -> Array:
    """Where repeated addition of ``scale`` stands at each position; positions are consecutive, either way round."""
    first = jnp.maximum(jnp.minimum(position[0, 0], position[-1, 0]), 0)
    start = jax.lax.fori_loop(0, first, lambda _, at: at + scale, scale * 0.5)
    _, walk = jax.lax.scan(lambda at, _: (at + scale, at), start, position)
    return walk[jnp.clip(position[:, 0] - first, 0, position.shape[0] - 1)][:, None]


def weighed(xp: ModuleType, position: Array, step: Step, *, kernel: Filter) -> Window:
    """A kernel around the centre ``(position + 0.5) * scale``, cut off at the border and normalised.

    Source: ``precompute_coeffs`` of Pillow's Resample.c, in the same double arithmetic. The first position is
    taken from integers, so that XLA cannot compute it twice with two roundings; half of an exact product
    stays the same whether or not the compiler fuses it with the subtraction that follows.
    """
    scale = step.scaling.ratio(xp)
    stretch = xp.maximum(scale, 1.0) if step.antialias else xp.ones_like(scale)
    centre = ((2 * position + 1) * scale) * 0.5  # (n, 1)
    reach = kernel.width / 2 * stretch
    source, target = value(step.scaling.source), value(step.scaling.target)
    coarse = xp.maximum(source, target) if step.antialias else target
    twice_start = (2 * position + 1) * source + target - kernel.width * coarse
    lowest = xp.maximum((twice_start - kernel.jumps) // (2 * target), 0)
    start, end = xp.floor(centre - reach + 0.5), xp.floor(centre + reach + 0.5)
    tap = lowest + xp.arange(_taps(step, kernel, lowest, end))  # (n, taps)
    inside = (tap >= start) & (tap < end) & (tap < source)
    weight = xp.where(inside, kernel.weight(xp, (tap - centre + 0.5) * (1.0 / stretch)), 0.0)
    return Window(lowest, weight / weight.sum(axis=1, keepdims=True))


def _taps(step: Step, kernel: Filter, lowest: Array, end: Array) -> Size:
    """Length of the longest window: exact where it is known now, else an upper bound."""
    if isinstance(lowest, np.ndarray):
        return max(int((np.minimum(end, step.scaling.source) - lowest).max(initial=1)), 1)
    most = kernel.width + 1 + kernel.jumps
    if not step.antialias:
        return most
    return jax.core.max_dim(most, step.scaling.most_pixels(kernel.width) + 1 + kernel.jumps)


def pillow(kernel: Filter) -> Interpolation:
    """The interpolation that Pillow makes of a kernel."""

    def window(xp: ModuleType, position: Array, step: Step) -> Window:
        return weighed(xp, position, step, kernel=kernel)

    return Interpolation(window=window)
