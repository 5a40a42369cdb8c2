"""The depthwise convolution, which XLA computes well everywhere but on CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax

from e2e_jax.types import Array


def depthwise_conv(x: Array, kernel: Array, strides: Sequence[int], padding: Any, **options: Any) -> Array:
    """Filters each channel by itself; on CPU as a sum of shifted images.

    XLA's grouped convolution for CPU takes 8 to 24 times as long on the layers of EfficientNet-Lite0 (kernel 3 on
    ``(1, 112, 112, 32)`` float32: 6.2 ms against 0.26 ms, median of 10, two cores, jax 0.12.0.1); the price
    is about twice the compile time. Every other platform gets the convolution itself.

    Args:
        x: ``(b, h, w, c)`` float32.
        kernel: ``(k, k, 1, c)`` float32.
        strides: Step in pixels, the same for both axes.
        padding: ``"SAME"``.
        **options: Whatever `nnx.Conv` passes on to ``lax.conv_general_dilated``.

    Returns:
        ``(b, ceil(h / stride), ceil(w / stride), c)`` float32.

    Source:
        ``jax.lax.conv_general_dilated``, to rounding.

    Example:
        >>> import numpy as np
        >>> x, kernel = np.ones((1, 4, 4, 2), np.float32), np.ones((3, 3, 1, 2), np.float32)
        >>> from flax import nnx
        >>> convolve = nnx.Conv(2, 2, (3, 3), feature_group_count=2, use_bias=False, rngs=nnx.Rngs(0),
        ...     kernel_init=nnx.initializers.ones_init(), conv_general_dilated=depthwise_conv)
        >>> convolve(x)[0, :, :, 0].tolist()[:2]
        [[4.0, 6.0, 6.0, 4.0], [6.0, 9.0, 9.0, 6.0]]
    """

    def grouped(x: Array, kernel: Array) -> Array:
        return lax.conv_general_dilated(x, kernel, strides, padding, **options)

    def shifted(x: Array, kernel: Array) -> Array:
        return _sum_of_shifts(x, kernel, strides[0])

    return lax.platform_dependent(x, kernel, cpu=shifted, default=grouped)


def _sum_of_shifts(x: Array, kernel: Array, stride: int) -> Array:
    side = kernel.shape[0]
    (rows, top, bottom), (cols, left, right) = (_same(size, side, stride) for size in x.shape[1:3])
    x = jnp.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    return sum(
        x[:, i : i + (rows - 1) * stride + 1 : stride, j : j + (cols - 1) * stride + 1 : stride] * kernel[i, j, 0]
        for i in range(side)
        for j in range(side)
    )


def _same(size: int, side: int, stride: int) -> tuple[int, int, int]:
    """Output size, and padding before and after, in pixels."""
    out = -(-size // stride)
    total = max((out - 1) * stride + side - size, 0)
    return out, total // 2, total - total // 2
