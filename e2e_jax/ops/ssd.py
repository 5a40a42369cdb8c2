"""The crops of SSD: a window that holds enough of at least one box."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.ops.overlap import iou
from e2e_jax.ops.sizes import Size, value
from e2e_jax.types import Array

WHOLE = 2.0  # no overlap is that large: the option of leaving the image as it is


def centres_inside(boxes: Array, *, window: Array) -> jax.Array:
    """Whether the centres of boxes lie inside a window.

    Args:
        boxes: ``(..., n, 4)`` left, top, right, bottom.
        window: ``(..., 4)`` likewise.

    Returns:
        ``(..., n)`` bool; a centre on the edge is not inside.

    Source:
        torchvision 0.29 ``RandomIoUCrop``.

    Example:
        >>> boxes = np.array([[0, 0, 4, 4], [4, 4, 9, 9]], np.float32)
        >>> centres_inside(boxes, window=np.array([0, 0, 5, 5])).tolist()
        [True, False]
    """
    boxes, window = (jnp.asarray(b).astype(jnp.float32) for b in (boxes, window))
    centres = (boxes[..., :2] + boxes[..., 2:]) / 2
    low, high = window[..., None, :2], window[..., None, 2:]
    return ((low < centres) & (centres < high)).all(-1)


def draw_ssd_crop(
    key: jax.Array,
    boxes: Array,
    *,
    height: Size,
    width: Size,
    valid: Array,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    thresholds: tuple[float, ...],
    tries: int,
) -> dict[str, jax.Array]:
    """Draws a window that overlaps a box by a drawn threshold.

    Args:
        key: A JAX random key.
        boxes: ``(n, 4)`` float32 left, top, right, bottom in pixels; ``n`` may be 0.
        height: Of the image in pixels; may be traced.
        width: Likewise.
        valid: ``(n,)`` bool, which boxes count.
        scale: Least and greatest side of the window in sides of the image.
        ratio: Least and greatest width / height of the window.
        thresholds: Of the intersection over union with the window, one of which is drawn; `WHOLE` asks for the
            image as it is.
        tries: Windows drawn; the first that suits is taken.

    Returns:
        ``top``, ``left``, ``height``, ``width``, int32 in pixels, and ``whole``, bool: the option was drawn, no
        window suits or there are no boxes, and the window is the image.

    Source:
        torchvision 0.29 ``RandomIoUCrop``, which draws another threshold where no window suits; Liu et al. 2016,
        2.2.

    Example:
        >>> options = {"scale": (0.5, 0.5), "ratio": (0.5, 2.0), "thresholds": (0.1,), "tries": 50}
        >>> boxes, valid = np.array([[2.0, 2.0, 8.0, 8.0]], np.float32), np.ones(1, bool)
        >>> found = draw_ssd_crop(jax.random.key(0), boxes, height=10, width=10, valid=valid, **options)
        >>> int(found["height"]), int(found["width"]), bool(found["whole"])
        (5, 5, False)
    """
    option, sides, corners = jax.random.split(key, 3)
    tall, wide = (jnp.asarray(value(n)).astype(jnp.float32) for n in (height, width))
    shares = jax.random.uniform(sides, (tries, 2), minval=scale[0], maxval=scale[1])
    rows, cols = jnp.floor(tall * shares[:, 0]), jnp.floor(wide * shares[:, 1])
    places = jax.random.uniform(corners, (tries, 2))
    top, left = jnp.floor((tall - rows) * places[:, 0]), jnp.floor((wide - cols) * places[:, 1])
    windows = jnp.stack([left, top, left + cols, top + rows], -1)
    threshold = jax.random.choice(option, jnp.asarray(np.array(thresholds, np.float32)))
    boxes = jnp.asarray(boxes).astype(jnp.float32)
    inside = centres_inside(boxes, window=windows) & jnp.asarray(valid)
    overlaps = jnp.where(inside, iou(windows, boxes), -1)
    shape = cols / jnp.maximum(rows, 1)
    suits = (rows >= 1) & (cols >= 1) & (shape >= ratio[0]) & (shape <= ratio[1])
    suits &= overlaps.max(-1, initial=-1) >= threshold
    chosen, whole = jnp.argmax(suits), ~suits.any()
    drawn = {"top": top, "left": left, "height": rows, "width": cols}
    image = {"top": jnp.zeros_like(tall), "left": jnp.zeros_like(tall), "height": tall, "width": wide}
    window = {name: jnp.where(whole, image[name], drawn[name][chosen]).astype(jnp.int32) for name in drawn}
    return window | {"whole": whole}
