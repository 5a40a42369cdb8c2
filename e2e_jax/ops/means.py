"""Means over an image that may fill its array only partly."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from e2e_jax.ops.sizes import Extents, filled, fills_array, value


def within(image: jax.Array, size: Extents | None) -> tuple[jax.Array, Extents]:
    """An image ``(..., H, W, C)`` with 0 outside its size, and its size."""
    if size is None or fills_array(size):
        return image, (image.shape[-3], image.shape[-2])
    return jnp.where(filled(image.shape, size), image, jnp.zeros((), image.dtype)), size


def mean(image: jax.Array, size: Extents | None) -> jax.Array:
    """Of each channel, ``(..., 1, 1, C)``."""
    inside, (height, width) = within(image, size)
    total = inside.sum((-3, -2), keepdims=True)
    return total / (jnp.asarray(value(height)).astype(total.dtype) * jnp.asarray(value(width)).astype(total.dtype))


def whole_mean(grey: jax.Array, size: Extents | None) -> jax.Array:
    """Of levels ``(..., H, W)``, rounded half up, ``(..., 1, 1, 1)``."""
    inside, (height, width) = within(grey[..., None], size)
    rows = inside.astype(jnp.int32).sum((-2, -1), keepdims=True, dtype=jnp.int32)
    with jax.enable_x64(True):
        total = rows.astype(jnp.int64).sum(-3, keepdims=True)
        count = jnp.asarray(value(height)).astype(jnp.int64) * jnp.asarray(value(width)).astype(jnp.int64)
        return jnp.floor_divide(2 * total + count, 2 * count).astype(jnp.int32)
