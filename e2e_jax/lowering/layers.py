"""A convolution or dense layer that waits: constant scales and shifts after it go into its weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from e2e_jax.lowering.choose import Choices
from e2e_jax.lowering.convolution import Convolution
from e2e_jax.lowering.product import operand, product
from e2e_jax.lowering.ways import WAYS, convolve
from e2e_jax.types import Array

type Layer = Callable[[Array], jax.Array]  # from its kernel to its output


def convolution_layer(
    x: Array, convolution: Convolution, choices: Choices, *, constant: bool, exactness: Any = None
) -> Layer:
    """A convolution of ``x`` as a function of the kernel ``(…, in / groups, out)``."""
    way = choices(convolution, constant=constant)

    def layer(kernel: Array) -> jax.Array:
        prepared = WAYS[way].prepare(kernel, choices.precision)
        options = {"way": way, "precision": choices.precision, "exactness": exactness}
        return convolve(x, kernel, prepared, convolution, **options)

    return layer


def dense_layer(x: Array, dimensions: Any, choices: Choices, exactness: Any = None) -> Layer:
    """A matrix product of ``x`` as a function of the kernel, whose last axis is that of the output."""

    def elsewhere(x: Array, kernel: Array, prepared: Array) -> jax.Array:
        return product(x, kernel, dimensions, "float32", exactness)

    def here(x: Array, kernel: Array, prepared: Array) -> jax.Array:
        return product(x, prepared, dimensions, choices.precision, exactness)

    def layer(kernel: Array) -> jax.Array:
        prepared = operand(kernel, choices.precision)
        if choices.precision == "float32":
            return elsewhere(x, kernel, prepared)
        return lax.platform_dependent(x, kernel, prepared, cpu=here, default=elsewhere)

    return layer


@dataclasses.dataclass(frozen=True)
class Waiting:
    """``layer(kernel) * scale + shift``, not computed yet.

    Args:
        layer: From its kernel to its output ``(b, …, out)``.
        kernel: ``(…, out)`` constant.
        scale: ``(out,)`` constant, or ``None`` for 1.
        shift: ``(out,)`` constant, or ``None`` for 0.
    """

    layer: Layer
    kernel: Array
    scale: Array | None = None
    shift: Array | None = None

    def times(self, factor: Array) -> Waiting:
        """Multiplied by a constant ``(out,)`` or scalar."""
        scale = factor if self.scale is None else jnp.multiply(self.scale, factor)
        shift = None if self.shift is None else jnp.multiply(self.shift, factor)
        return dataclasses.replace(self, scale=scale, shift=shift)

    def plus(self, term: Array) -> Waiting:
        """With a constant ``(out,)`` or scalar added."""
        shift = term if self.shift is None else jnp.add(self.shift, term)
        return dataclasses.replace(self, shift=shift)

    def compute(self) -> jax.Array:
        """The value."""
        kernel = self.kernel if self.scale is None else jnp.multiply(self.kernel, self.scale)
        output = self.layer(kernel)
        return output if self.shift is None else output + self.shift
