"""What is known before the images: parameters, literals and what is computed from them alone."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.types import Array


@dataclasses.dataclass(frozen=True)
class Constant:
    """A value that no image has a part in.

    Args:
        value: The array; a tracer where it is computed from traced parameters.
        channels: The same as ``(c,)`` or a scalar, where it only varies along the last axis.
    """

    value: Array
    channels: Array | None = None

    @staticmethod
    def of(value: Any) -> Constant:
        """With ``channels`` found from the shape."""
        shape = np.shape(value)
        if math.prod(shape) == 1:
            return Constant(value, worked_out(lambda x: jnp.reshape(x, ()), value))
        if shape and math.prod(shape) == shape[-1]:
            return Constant(value, worked_out(lambda x: jnp.reshape(x, shape[-1:]), value))
        return Constant(value)

    def spread(self, value: Any, dimensions: tuple[int, ...]) -> Constant:
        """After ``broadcast_in_dim``: still one number per channel if the channels are still the last axis."""
        last = self.channels is not None and (
            np.ndim(self.channels) == 0 or (dimensions and dimensions[-1] == np.ndim(value) - 1)
        )
        found = Constant.of(value)
        return Constant(value, self.channels) if last and found.channels is None else found


def worked_out(function: Callable[..., Any], *arguments: Any) -> Any:
    """``function(*arguments)``, at once where all arguments are arrays rather than tracers.

    Under `jax.jit` an operation on arrays is otherwise traced, and done again in each run.
    """
    if any(isinstance(argument, jax.core.Tracer) for argument in arguments):
        return function(*arguments)
    with jax.ensure_compile_time_eval():
        return function(*arguments)
