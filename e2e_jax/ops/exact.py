"""Arithmetic to the last bit: in Python's floats where numbers are known, in float64 where they are traced.

Functions of numbers take and give both. XLA may round a traced calculation in its own way; here it must not.
"""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.ops.sizes import value
from e2e_jax.types import Array

type Number = float | Array  # a plain number or a traced scalar

LOWEST = -1e300  # below every product of a position, a coefficient and a level
DECIMALS = 15  # of a cosine: Pillow, Image.rotate


def module_for(*values: Any) -> ModuleType:
    """NumPy for plain numbers; jax.numpy where one is traced or symbolic, or a JAX array."""
    leaves = jax.tree.leaves(values)
    return np if all(isinstance(leaf, int | float | np.ndarray | np.generic) for leaf in leaves) else jnp


def to_numbers(xp: ModuleType, *values: Number) -> tuple[ModuleType, list[Number]]:
    """Plain floats, or float64 arrays as soon as one is traced or the module already is jax.numpy."""
    xp = jnp if xp is jnp else module_for(*values)
    return xp, [float(v) if module_for(v) is np else jnp.asarray(value(v)).astype(jnp.float64) for v in values]


def rounded_product(a: Array, b: Array) -> Array:
    """A product in float64 that is rounded before anything is added to it; in other dtypes it may not be.

    XLA's CPU compiler fuses ``a * b + c`` into one operation with one rounding, which moves a position on the edge
    of a pixel, or a level on the edge of a byte, to the other side. It fuses nothing through a comparison. (Not
    jnp.maximum: JAX cannot differentiate that in float64 outside 64-bit mode.)

    Example:
        >>> rounded_product(3.0, 0.5)
        1.5
    """
    product = a * b
    if isinstance(product, jax.Array) and product.dtype == jnp.float64:
        return jnp.where(product > LOWEST, product, LOWEST)
    return product


def plus(start: Number, a: Number, b: Number) -> Number:
    """``start + a * b``, rounded twice."""
    return start + rounded_product(a, b)


def sum_of_products(a: Number, b: Number, c: Number, d: Number) -> Number:
    """``a * b + c * d``, rounded three times."""
    return plus(rounded_product(a, b), c, d)


def circular(xp: ModuleType) -> tuple[Any, Any, Any]:
    """Cosine, sine and tangent; those of the C library for plain numbers, which Pillow and torchvision use."""
    return (math.cos, math.sin, math.tan) if xp is np else (jnp.cos, jnp.sin, jnp.tan)


def radians(degrees: Number) -> Number:
    return math.radians(degrees) if isinstance(degrees, float) else degrees * (math.pi / 180.0)


def rounded(number: Number) -> Number:
    """A sine or cosine rounded to `DECIMALS`, with its own derivative; XLA would multiply by a reciprocal."""
    if isinstance(number, float):
        return round(number, DECIMALS)
    one = jnp.where(number > 2, number, 10.0**DECIMALS)  # never above 1, but XLA cannot know
    return number + jax.lax.stop_gradient(jnp.round(number * one) / one - number)
