"""A value that is another one scaled and shifted per channel, which an unpadded layer can do in its weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp

from e2e_jax.types import Array


@dataclasses.dataclass(frozen=True)
class Scaled:
    """``value``, which is ``base * scale + shift``.

    Args:
        value: ``(b, …, c)``, as the program computes it.
        base: ``(b, …, c)``, what it computes it from; of any dtype.
        scale: ``(c,)`` or scalar constant, float32.
        shift: ``(c,)`` or scalar constant, float32.
    """

    value: jax.Array
    base: jax.Array
    scale: Array
    shift: Array

    def times(self, factor: Array, value: jax.Array) -> Scaled:
        """Multiplied by a constant ``(c,)`` or scalar, which gave ``value``."""
        scale, shift = (_narrow(jnp.multiply)(part, factor) for part in (self.scale, self.shift))
        return Scaled(value, self.base, scale, shift)

    def plus(self, term: Array, value: jax.Array) -> Scaled:
        """With a constant ``(c,)`` or scalar added, which gave ``value``."""
        return Scaled(value, self.base, self.scale, _narrow(jnp.add)(self.shift, term))

    @property
    def source(self) -> jax.Array:
        """``base`` in the dtype of ``value``."""
        return self.base.astype(self.value.dtype)

    def into(self, kernel: Array) -> tuple[Array, Array]:
        """A kernel ``(…, c, out)`` to use on `source` instead, and the ``(out,)`` to add to what that gives."""
        return _scaled_kernel(kernel, self.scale), _shift_seen(kernel, self.shift)


def _narrow(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """The same in float32, whatever the width in which the program works."""
    return lambda *arrays: function(*(jnp.asarray(array).astype(jnp.float32) for array in arrays))


def _scaled_kernel(kernel: Array, scale: Array) -> jax.Array:
    each = jnp.broadcast_to(scale, kernel.shape[-2:-1])[:, None]  # (c, 1)
    return (kernel * each).astype(kernel.dtype)


def _shift_seen(kernel: Array, shift: Array) -> jax.Array:
    each = jnp.broadcast_to(shift, kernel.shape[-2:-1])[:, None]  # (c, 1)
    return (kernel * each).sum(range(kernel.ndim - 1)).astype(kernel.dtype)  # (out,)
