"""Random numbers by place: a pixel draws the same whatever array it lies in."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.random import threefry_2x32

from e2e_jax.types import Array

MANTISSA = 24  # bits of a uniform float32


def draw_seed(key: jax.Array) -> jax.Array:
    """Draws what `pixel_noise` starts from: small enough to be kept with the other numbers of a step.

    Args:
        key: A JAX random key of any kind.

    Returns:
        ``(2,)`` uint32.

    Source:
        `jax.random.bits`.

    Example:
        >>> draw_seed(jax.random.key(0)).shape
        (2,)
    """
    return jax.random.bits(key, (2,), jnp.uint32)


def pixel_noise(seed: Array, *, height: int, width: int) -> jax.Array:
    """Draws two numbers for each pixel, which depend on its row, its column and the seed alone.

    Args:
        seed: ``(2,)`` uint32, of `draw_seed`.
        height: Rows of the array; may be symbolic.
        width: Columns of the array; may be symbolic.

    Returns:
        ``(height, width, 2)`` float32, uniform in 0..1 without 1.

    Source:
        Threefry-2x32 (Salmon et al. 2011) of row and column, the 24 upper bits of each word.

    Example:
        >>> seed = np.array([1, 2], np.uint32)
        >>> whole, part = pixel_noise(seed, height=4, width=6), pixel_noise(seed, height=2, width=3)
        >>> bool((whole[:2, :3] == part).all())
        True
    """
    rows, cols = (jnp.arange(n, dtype=jnp.uint32) for n in (height, width))
    places = jnp.stack(jnp.broadcast_arrays(rows[:, None], cols[None]))
    words = threefry_2x32(jnp.asarray(seed), places.reshape(-1)).reshape(2, height, width)
    return jnp.moveaxis((words >> (32 - MANTISSA)).astype(jnp.float32) * np.float32(2.0**-MANTISSA), 0, -1)
