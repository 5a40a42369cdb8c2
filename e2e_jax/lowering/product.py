"""Matrix products in the precision that was asked for."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from e2e_jax.types import Array

PRECISIONS = ("float32", "bfloat16")


def operand(matrix: Array, precision: str) -> jax.Array:
    """A factor of `product` as it is multiplied; sums are float32 in any case."""
    return jnp.asarray(matrix).astype(precision)


def product(left: Array, right: Array, dimensions: Any, precision: str, exactness: Any = None) -> jax.Array:
    """``lax.dot_general`` of two factors, summed in float32; `jax.lax.Precision` of GPUs."""
    left, right = operand(left, precision), operand(right, precision)
    return lax.dot_general(left, right, dimensions, precision=exactness, preferred_element_type=jnp.float32)
