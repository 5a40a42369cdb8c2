"""A 3 x 3 convolution by Winograd's F(2 x 2, 3 x 3): sixteen matrix products with 4/9 of the multiplications."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.lowering.convolution import Convolution
from e2e_jax.lowering.product import product
from e2e_jax.lowering.taps import pad
from e2e_jax.types import Array

# Lavin and Gray, arXiv:1509.09308, section 4.1: transforms of the data, the kernel and the result.
DATA = ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1))
KERNEL = np.array(((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)), np.float32)
RESULT = ((1, 1, 1, 0), (0, 1, -1, -1))
TILE, STEP = len(DATA), len(RESULT)  # pixels: read by a tile, and left by it


def fits(convolution: Convolution) -> bool:
    """Whether it is a dense 3 x 3 convolution that takes every pixel."""
    same = convolution.kernel == (3, 3) and convolution.strides == convolution.dilation == (1, 1)
    return same and convolution.groups == 1


def prepare(kernel: Array) -> jax.Array:
    """``(3, 3, in, out)`` to sixteen matrices ``(16, in, out)``."""
    turned = jnp.einsum("ai,bj,ijcd->abcd", KERNEL, KERNEL, kernel, precision="highest")
    return turned.reshape(TILE * TILE, *kernel.shape[2:])  # (16, in, out)


def convolve(x: Array, matrices: Array, convolution: Convolution) -> jax.Array:
    """``(b, h, w, in)`` float32 and what `prepare` gives to ``(b, h, w, out)``."""
    tiles = [-(-n // STEP) for n in convolution.result]
    needed = [STEP * (count - 1) + TILE for count in tiles]
    sizes = zip(convolution.padding, needed, convolution.padded, strict=True)
    padded = pad(x, [(before, after + more - has) for (before, after), more, has in sizes])
    b, c = x.shape[0], convolution.inputs
    rows = _mix(DATA, [padded[:, i : i + needed[0] - TILE + 1 : STEP] for i in range(TILE)])
    data = [
        tile
        for row in rows
        for tile in _mix(DATA, [row[:, :, j : j + needed[1] - TILE + 1 : STEP] for j in range(TILE)])
    ]  # 16 of (b, tiles, tiles, in)
    stacked = jnp.stack(data).reshape(len(data), b * math.prod(tiles), c)  # (16, pixels, in)
    products = product(stacked, matrices, (((2,), (1,)), ((0,), (0,))), "float32")
    return _untile(products.reshape(TILE, TILE, b, *tiles, convolution.outputs), convolution)


def _untile(products: jax.Array, convolution: Convolution) -> jax.Array:
    """``(4, 4, b, th, tw, out)`` to ``(b, h, w, out)``."""
    _, _, b, th, tw, out = products.shape
    rows = _mix(RESULT, list(products))  # 2 of (4, b, th, tw, out)
    pairs = jnp.stack([jnp.stack(_mix(RESULT, list(row)), axis=3) for row in rows], axis=2)
    whole = pairs.reshape(b, STEP * th, STEP * tw, out)  # (b, th, 2, tw, 2, out) -> (b, h, w, out)
    height, width = convolution.result
    return whole[:, :height, :width]


def _mix(weights: Sequence[Sequence[int]], parts: Sequence[jax.Array]) -> list[jax.Array]:
    """Sums of the parts with weights -1, 0 and 1, without the multiplications."""
    signed = (
        (part if weight > 0 else -part for weight, part in zip(row, parts, strict=True) if weight)
        for row in weights
    )
    return [functools.reduce(operator.add, terms) for terms in signed]
