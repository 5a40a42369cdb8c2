"""Turning the colours of an image round the wheel: RGB to HSV and back, in bytes as Pillow or in floats."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from e2e_jax.errors import ConfigError
from e2e_jax.ops.enhance import CURVE
from e2e_jax.ops.exact import Number
from e2e_jax.ops.hsv import HALF_TURN, SECTORS, place, turned
from e2e_jax.ops.levels import (
    TF_ROUNDING,
    WHITE,
    Numerics,
    channels_of,
    check_channels,
    check_numerics,
    is_bytes,
    larger,
    pack,
    smaller,
    to_bytes,
    to_floats,
    to_image,
)
from e2e_jax.types import Array

KNOWN = ("pillow", "torch", "tf")


def hue(image: Array, *, factor: Number, numerics: Numerics = "pillow") -> jax.Array:
    """Turns colours round the wheel of HSV.

    Args:
        image: ``(..., H, W, C)``, uint8 0..255 or floating 0..1; of one channel it is returned as it is.
        factor: Turns, -0.5..0.5; 1/3 makes red green. A number or a traced scalar.
        numerics: For uint8, ``"pillow"`` goes through HSV of 8 bits, ``"torch"`` and ``"tf"`` through floats. For
            floats all are alike, but ``"tf"`` does not clip to 0..1.

    Returns:
        The same shape and dtype; differentiable for floats.

    Raises:
        ConfigError: A plain factor is outside -0.5..0.5, or the numerics are not known.
        ImageError: The image has neither 1 nor 3 channels, or is neither uint8 nor floating.

    Source:
        torchvision 0.29 ``adjust_hue``: of PIL images (Pillow 13.0, Convert.c, and a shift cut off to whole 1/255
        turns), bit-exact; of uint8 tensors within one level, of floats within 1e-5. TensorFlow 2.21 ``adjust_hue``
        of floats within 1e-5.

    Example:
        >>> import numpy as np
        >>> hue(np.array([[[255, 0, 0]]], np.uint8), factor=1 / 3).tolist()
        [[[0, 255, 0]]]
    """
    check_numerics("Hue", numerics, KNOWN)
    if isinstance(factor, int | float) and not -HALF_TURN <= factor <= HALF_TURN:
        raise ConfigError("Hue: factor must be -0.5..0.5.", f"{factor=}", "pass turns, e.g. 0.1.")
    levels = is_bytes("Hue", image)
    if check_channels("Hue", image, (1, 3)) == 1:
        return jnp.asarray(image)
    if levels and numerics == "pillow":
        return to_image(pack(turned(channels_of(jnp.asarray(image).astype(jnp.float32)), factor)))
    if levels:
        scale = TF_ROUNDING if numerics == "tf" else CURVE
        return to_bytes(_turned(to_floats(image) / WHITE, factor) * scale)
    floats = _turned(to_floats(image), factor)
    return (floats if numerics == "tf" else jnp.clip(floats, 0, 1)).astype(image.dtype)


def _turned(image: jax.Array, factor: Number) -> jax.Array:
    """In floats: a channel falls below the largest by as much as its place on the wheel says."""
    red, green, blue = channels_of(image)
    most, least = larger(larger(red, green), blue), smaller(smaller(red, green), blue)
    spread = most - least
    at = place(red, green, blue, most, least) + SECTORS * jnp.asarray(factor).astype(image.dtype)
    fallen = [most - spread * _depth(at + start) for start in (5.0, 3.0, 1.0)]
    return jnp.stack(fallen, axis=-1)


def _depth(at: jax.Array) -> jax.Array:
    """1 in the two sectors opposite to a channel, 0 in its own two, and a slope between."""
    at = at - SECTORS * jnp.floor(at / SECTORS)
    return jnp.clip(jnp.minimum(at, 4.0 - at), 0, 1)
