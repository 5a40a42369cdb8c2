"""Light along the principal axes of the colours of ImageNet."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.ops.levels import WHITE, check_channels, is_bytes, to_floats
from e2e_jax.types import Array

VARIANCES = (55.46, 4.794, 1.148)  # levels; eigenvalues of the RGB of ImageNet's pixels: MXNet, image_random-inl.h
AXES = (  # their eigenvectors, in columns, by R, G, B
    (-0.5675, 0.7192, 0.4009),
    (-0.5808, -0.0045, -0.8140),
    (-0.5836, -0.6948, 0.4203),
)


def lighting(image: Array, *, alpha: Array) -> jax.Array:
    """Adds light of a strength along each principal axis, the same to all pixels.

    Args:
        image: ``(..., H, W, 3)``, uint8 0..255 or floating 0..1.
        alpha: ``(3,)`` strengths, in multiples of the variance along the axis; may be traced.

    Returns:
        The same shape and dtype: for uint8 rounded half to even and clipped to 0..255, floats as they come.

    Raises:
        ImageError: The image has another number of channels, or is neither uint8 nor floating.

    Source:
        Krizhevsky et al. 2012 (AlexNet), 4.1, with the numbers of MXNet and GluonCV ``RandomLighting``, which cuts
        off where this rounds.

    Example:
        >>> import numpy as np
        >>> lighting(np.full((1, 1, 3), 100, np.uint8), alpha=np.array([-0.1, 0, 0])).tolist()
        [[[103, 103, 103]]]
    """
    levels_of_bytes = is_bytes("RandomLighting", image)
    check_channels("RandomLighting", image, (3,))
    levels = to_floats(image)
    axes = np.asarray(AXES, np.float64) * np.asarray(VARIANCES)
    unit = axes if levels_of_bytes else axes / WHITE
    light = (jnp.asarray(unit, levels.dtype) * jnp.asarray(alpha).astype(levels.dtype)).sum(-1)  # (3,): R, G, B
    if not levels_of_bytes:
        return (levels + light).astype(image.dtype)
    return jnp.clip(jnp.round(levels + light), 0, WHITE).astype(jnp.uint8)
