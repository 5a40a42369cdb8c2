"""A rectangle of an image painted over."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.errors import ImageError
from e2e_jax.ops.noise import pixel_noise
from e2e_jax.ops.sizes import Size, value
from e2e_jax.types import Array

TRIES = 10  # torchvision, RandomErasing.get_params
LEVELS = 256


def draw_erasing(
    key: jax.Array, height: Size, width: Size, *, scale: tuple[float, float], ratio: tuple[float, float]
) -> dict[str, jax.Array]:
    """Draws a rectangle inside an image.

    Args:
        key: A JAX random key.
        height: Of the image in pixels, an int or traced.
        width: Likewise.
        scale: Least and greatest share of the image's area.
        ratio: Least and greatest height / width, drawn evenly in its logarithm.

    Returns:
        ``top``, ``left``, ``height``, ``width``, int32 in pixels; of no area where none of ten rectangles fits.

    Source:
        torchvision 0.29 ``RandomErasing``; the ten tries are drawn at once, of which the first that fits counts. It
        must be smaller than the image in both directions.

    Example:
        >>> found = draw_erasing(jax.random.key(0), 40, 60, scale=(0.25, 0.25), ratio=(1.0, 1.0))
        >>> int(found["height"]), int(found["width"])
        (24, 24)
    """
    areas, shapes, rows, cols = jax.random.split(key, 4)
    h, w = (jnp.asarray(value(n)).astype(jnp.int32) for n in (height, width))
    area = (h * w).astype(jnp.float32) * jax.random.uniform(areas, (TRIES,), minval=scale[0], maxval=scale[1])
    shape = jnp.exp(jax.random.uniform(shapes, (TRIES,), minval=math.log(ratio[0]), maxval=math.log(ratio[1])))
    tall, wide = (jnp.round(jnp.sqrt(side)).astype(jnp.int32) for side in (area * shape, area / shape))
    fits = (tall < h) & (wide < w)
    first = jnp.argmax(fits)
    tall, wide = (jnp.where(fits.any(), side[first], 0) for side in (tall, wide))
    top, left = jax.random.randint(rows, (), 0, h - tall + 1), jax.random.randint(cols, (), 0, w - wide + 1)
    return {"top": top, "left": left, "height": tall, "width": wide}


def erase(image: Array, *, top: Array, left: Array, height: Array, width: Array, content: Array) -> jax.Array:
    """Paints a rectangle over.

    Args:
        image: ``(H, W, C)``.
        top: Of the rectangle in pixels; may be traced, as all others.
        left: Likewise.
        height: Likewise; 0 leaves the image.
        width: Likewise.
        content: What is painted, of the image's dtype and a shape that broadcasts to the image's.

    Returns:
        ``(H, W, C)`` of the image's dtype.

    Raises:
        ImageError: The content is for another number of channels.

    Source:
        The definition; torchvision's ``erase``.

    Example:
        >>> photo = np.zeros((1, 4, 1), np.uint8)
        >>> erase(photo, top=0, left=1, height=1, width=2, content=np.uint8(9)).ravel().tolist()
        [0, 9, 9, 0]
    """
    content = jnp.asarray(content)
    if content.ndim and content.shape[-1] not in (1, image.shape[-1]):
        seen = f"{content.shape[-1]} values, image {image.shape}"
        raise ImageError("erase: there must be one value, or one per channel.", seen, "match the channels.")
    rows, cols = (jnp.arange(n, dtype=jnp.int32) for n in image.shape[:2])
    down, across = (rows >= top) & (rows < top + height), (cols >= left) & (cols < left + width)
    return jnp.where((down[:, None] & across)[..., None], content.astype(image.dtype), jnp.asarray(image))


def random_content(seed: Array, *, height: Size, width: Size, channels: int, dtype: np.dtype) -> jax.Array:
    """Noise to paint with, which depends on the place of a pixel and not on the array it lies in.

    Args:
        seed: ``(2,)`` uint32, of `e2e_jax.ops.noise.draw_seed`.
        height: Rows of the array; may be symbolic.
        width: Columns of the array; may be symbolic.
        channels: Of the image.
        dtype: Of the image: uint8, or floating.

    Returns:
        ``(height, width, channels)`` of that dtype: bytes, all equally likely; floats of the standard normal.

    Source:
        torchvision 0.29 ``RandomErasing(value="random")`` draws normal numbers; it leaves bytes undefined.

    Example:
        >>> random_content(np.array([1, 2], np.uint32), height=2, width=3, channels=3, dtype=np.uint8).shape
        (2, 3, 3)
    """
    pairs = [
        pixel_noise(jnp.asarray(seed) + jnp.uint32(number), height=height, width=width)
        for number in range(channels)
    ]
    if dtype == jnp.uint8:
        return jnp.stack([jnp.floor(pair[..., 0] * LEVELS) for pair in pairs], -1).astype(jnp.uint8)
    normal = [
        jnp.sqrt(-2 * jnp.log1p(-pair[..., 0])) * jnp.cos(2 * np.float32(math.pi) * pair[..., 1]) for pair in pairs
    ]  # Box and Muller 1958
    return jnp.stack(normal, -1).astype(dtype)
