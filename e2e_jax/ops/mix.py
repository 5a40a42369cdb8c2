"""Images of a batch mixed with one another, and their labels with them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.ops.sizes import Size, value
from e2e_jax.types import Array


def mix_up(images: Array, *, share: Array) -> jax.Array:
    """Mixes each image with the one before it, the first with the last.

    Args:
        images: ``(b, H, W, C)`` uint8 or floating.
        share: ``(b,)`` float32 0..1, how much of each image stays.

    Returns:
        The same shape and dtype; bytes are rounded half to even.

    Source:
        Zhang et al. 2017; torchvision 0.29 ``MixUp``, whose partner is ``roll(1)`` too.

    Example:
        >>> import numpy as np
        >>> pair = np.array([10, 30], np.uint8).reshape(2, 1, 1, 1)
        >>> mix_up(pair, share=np.array([0.75, 0.5], np.float32)).ravel().tolist()
        [15, 20]
    """
    images = jnp.asarray(images)
    kept = jnp.asarray(share).astype(jnp.float32)[:, None, None, None]
    levels = images.astype(np.promote_types(images.dtype, np.float32))
    mixed = kept * levels + (1 - kept) * jnp.roll(levels, 1, 0)
    if jnp.issubdtype(images.dtype, jnp.integer):
        mixed = jnp.round(mixed)
    return mixed.astype(images.dtype)


def cut_mix(images: Array, *, window: Array) -> jax.Array:
    """Puts a window of the image before it into each image, of the last into the first.

    Args:
        images: ``(b, H, W, C)``.
        window: ``(b, 4)`` int32 left, top, right, bottom in pixels, right and bottom exclusive.

    Returns:
        The same shape and dtype.

    Source:
        Yun et al. 2019; torchvision 0.29 ``CutMix``, whose partner is ``roll(1)`` too.

    Example:
        >>> import numpy as np
        >>> pair = np.array([[1, 1, 1], [2, 2, 2]], np.uint8).reshape(2, 1, 3, 1)
        >>> cut_mix(pair, window=np.array([[0, 0, 1, 1], [1, 0, 3, 1]])).reshape(2, 3).tolist()
        [[2, 1, 1], [2, 1, 1]]
    """
    images = jnp.asarray(images)
    left, top, right, bottom = jnp.moveaxis(jnp.asarray(window).astype(jnp.int32), -1, 0)[..., None]
    rows, cols = (jnp.arange(n, dtype=jnp.int32) for n in images.shape[1:3])
    down, across = (rows >= top) & (rows < bottom), (cols >= left) & (cols < right)
    inside = (down[:, :, None] & across[:, None])[..., None]
    return jnp.where(inside, jnp.roll(images, 1, 0), images)


def draw_cut(key: jax.Array, height: Size, width: Size, *, share: Array) -> jax.Array:
    """Draws a window that leaves about a share of the image.

    Args:
        key: A JAX random key.
        height: Of the images in pixels; may be symbolic or traced.
        width: Likewise.
        share: 0..1, how much of the area stays.

    Returns:
        ``(4,)`` int32 left, top, right, bottom in pixels; cut where it leaves the image.

    Source:
        torchvision 0.29 ``CutMix``: the centre is drawn evenly, both sides are ``sqrt(1 - share)`` of the image's.

    Example:
        >>> window = draw_cut(jax.random.key(0), 40, 60, share=1.0)
        >>> int(window[2] - window[0])
        0
    """
    extent = jnp.stack([jnp.asarray(value(n)).astype(jnp.int32) for n in (width, height)])
    places = jax.random.uniform(key, (2,))
    centre = jnp.minimum((places * extent.astype(jnp.float32)).astype(jnp.int32), extent - 1)
    half = (jnp.sqrt(1 - jnp.asarray(share).astype(jnp.float32)) * extent.astype(jnp.float32) / 2).astype(jnp.int32)
    zero = jnp.zeros_like(extent)
    return jnp.concatenate([jnp.maximum(centre - half, zero), jnp.minimum(centre + half, extent)])


def mix_labels(classes: Array, *, share: Array) -> jax.Array:
    """Mixes the label of each image with that of the one before it, the first with the last.

    Args:
        classes: ``(b, K)`` float32, the weight of each class.
        share: ``(b,)`` float32 0..1, how much of each label stays.

    Returns:
        ``(b, K)`` float32.

    Source:
        As for `mix_up`.

    Example:
        >>> import numpy as np
        >>> mix_labels(np.eye(2, dtype=np.float32), share=np.array([0.75, 0.5], np.float32)).tolist()
        [[0.75, 0.25], [0.5, 0.5]]
    """
    kept = jnp.asarray(share).astype(jnp.float32)[:, None]
    classes = jnp.asarray(classes).astype(jnp.float32)
    return kept * classes + (1 - kept) * jnp.roll(classes, 1, 0)
