"""A convolution as one matrix product: what lies under the kernel, written out for each pixel, times the kernel."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from e2e_jax.lowering.convolution import Convolution
from e2e_jax.lowering.product import operand, product
from e2e_jax.lowering.taps import windows
from e2e_jax.types import Array


def prepare(kernel: Array, precision: str) -> jax.Array:
    """``(…, in, out)`` to the matrix ``(… * in, out)``."""
    rows = math.prod(kernel.shape[:-1])
    return operand(kernel.reshape(rows, kernel.shape[-1]), precision)


def convolve(x: Array, matrix: Array, convolution: Convolution, precision: str) -> jax.Array:
    """``(b, …, in)`` float32 and what `prepare` gives to ``(b, …, out)`` float32.

    A kernel of one pixel needs no copy.
    """
    parts = [operand(tap, precision) for _, tap in windows(x, convolution)]
    under = jnp.concatenate(parts, axis=-1)  # (b, …, kernel * in)
    last = len(convolution.extents) + 1
    return product(under, matrix, (((last,), (0,)), ((), ())), precision)
