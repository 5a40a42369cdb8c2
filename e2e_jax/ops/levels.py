"""What the colour operations share: the range of values of a picture, and whose arithmetic is asked for."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.errors import ConfigError, ImageError
from e2e_jax.ops.sizes import to_single
from e2e_jax.types import Array

type Planes = tuple[jax.Array, jax.Array, jax.Array]  # three channels (..., H, W)
type Numerics = Literal["pillow", "torch", "opencv", "tf"]

WHITE = 255  # the largest uint8 level
TF_ROUNDING = 255.5  # levels to the unit, then cut off: TensorFlow, image_ops_impl.py, convert_image_dtype
WHOLE = float(1 << 23)  # added to a level in float32, whose last bits then are the level as a whole number
PACKED = (0, 8, 16)  # bits at which three levels lie in one whole number
FINITE = 3e38  # beyond every product of levels, below the largest float32


def check_numerics(step: str, numerics: str, known: tuple[str, ...]) -> None:
    """Refuses arithmetic that a library does not have, or not in this operation."""
    if numerics not in known:
        fix = f"one of {', '.join(known)}."
        raise ConfigError(f"{step}: numerics must be known.", f"numerics={numerics!r}", fix)


def is_bytes(step: str, image: Array) -> bool:
    """Whether values are levels 0..255; otherwise they are floating, 0..1."""
    if image.dtype != jnp.uint8 and not jnp.issubdtype(image.dtype, jnp.floating):
        fix = 'put ToTensor() or Cast("uint8") before it.'
        raise ImageError(
            f"{step}: an image must be uint8 0..255 or floating 0..1.", f"{image.shape} {image.dtype}", fix
        )
    return bool(image.dtype == jnp.uint8)


def check_channels(step: str, image: Array, counts: tuple[int, ...]) -> int:
    """The number of channels, if it is one of these."""
    if image.shape[-1] not in counts:
        expected = f"{step}: an image must have {' or '.join(map(str, counts))} channels."
        raise ImageError(expected, f"{image.shape} {image.dtype}", "put ToRGB() before it.")
    return int(image.shape[-1])


def channels_of(image: Array) -> Planes:
    """Each of three channels, ``(..., H, W)``."""
    return image[..., 0], image[..., 1], image[..., 2]


def to_floats(image: Array) -> jax.Array:
    """float32, or what is more."""
    return jnp.asarray(image).astype(np.promote_types(image.dtype, np.float32))


def pinned(product: jax.Array) -> jax.Array:
    """A float32 product that is rounded before anything is added; XLA fuses nothing through a comparison."""
    return smaller(product, FINITE)


def fused(start: jax.Array, a: Array, b: Array) -> jax.Array:
    """``start + a * b`` rounded once to single precision, where all are singles held in float64."""
    return to_single(jnp, start + a * b)


def smaller(a: Array, b: Array | float) -> jax.Array:
    """Of two numbers, in one instruction of the processor; jnp.minimum takes three, for it cares for NaN."""
    return jnp.where(a < b, a, b)


def larger(a: Array, b: Array | float) -> jax.Array:
    """See `smaller`."""
    return jnp.where(a > b, a, b)


def to_bytes(levels: jax.Array) -> jax.Array:
    """Levels cut off to whole ones and to 0..255."""
    return jnp.clip(levels, 0, WHITE).astype(jnp.uint8)


def pack(planes: Planes) -> jax.Array:
    """Three planes of whole levels in one int32: XLA computes it once, but three planes one after the other."""
    whole = (jax.lax.bitcast_convert_type(plane + WHOLE, jnp.int32) & WHITE for plane in planes)
    first, second, third = (plane << bits for plane, bits in zip(whole, PACKED, strict=True))
    return jax.lax.optimization_barrier(first | second | third)


def unpack(pixels: jax.Array) -> Planes:
    """Three planes of whole levels in float32."""
    first, second, third = (((pixels >> bits) & WHITE).astype(jnp.float32) for bits in PACKED)
    return first, second, third


def to_image(pixels: jax.Array) -> jax.Array:
    """``(..., H, W, 3)`` uint8 from packed pixels."""
    return ((pixels[..., None] >> jnp.asarray(PACKED, jnp.int32)) & WHITE).astype(jnp.uint8)
