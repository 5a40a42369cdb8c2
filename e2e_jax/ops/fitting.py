"""How large an image becomes when it has to fit a frame: letterbox, longest edge, crop to an aspect ratio."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.ops.axis import Size, is_static, value
from e2e_jax.types import Array

type Extents = tuple[Size, Size]  # height and width in pixels


def letterbox_size(height: Size, width: Size, *, frame: tuple[int, int], numerics: str = "pillow") -> Extents:
    """Height and width of the largest copy of an image that lies inside a frame.

    Args:
        height: Pixels, an int or a traced int32.
        width: Pixels, likewise.
        frame: ``(height, width)`` of the frame in pixels.
        numerics: The edge that does not touch the frame is rounded half to even by ``"pillow"``, ``"pillow13"`` and
            ``"opencv"``, and cut by ``"torch"`` and ``"tf"``. No edge falls below one pixel.

    Returns:
        ``(height, width)``, ints for ints.

    Source:
        Pillow 13.0 ``ImageOps.contain`` (float64); the letterbox of OpenCV-based detectors,
        ``round(height * min(frame / image))``; torchvision 0.29 ``_compute_resized_output_size`` with ``max_size``
        alone; TF 2.21 ``tf.image.resize_with_pad`` (float32).

    Example:
        >>> [letterbox_size(61, 133, frame=(50, 50), numerics=rule) for rule in ("pillow", "tf")]
        [(23, 50), (22, 50)]
    """
    rule = {"opencv": _by_least_ratio, "torch": _by_integers, "tf": _by_float32}.get(numerics, _by_pillow)
    if is_static(height) and is_static(width):
        tall, wide = rule(np, _scalar(np, height), _scalar(np, width), frame)
        return max(int(tall), 1), max(int(wide), 1)
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        fitted = rule(jnp, _scalar(jnp, height), _scalar(jnp, width), frame)
        tall, wide = (jnp.maximum(edge.astype(jnp.int32), 1) for edge in fitted)
    return tall, wide


def _scalar(xp: Any, size: Size) -> Array:
    return xp.asarray(value(size)).astype(np.int64)


def _by_pillow(xp: Any, height: Array, width: Array, frame: tuple[int, int]) -> tuple[Array, Array]:
    h, w = height.astype(np.float64), width.astype(np.float64)
    tall, wide = frame
    wider, taller = w / h > wide / tall, w / h < wide / tall
    return xp.where(wider, xp.round(h / w * wide), tall), xp.where(taller, xp.round(w / h * tall), wide)


def _by_least_ratio(xp: Any, height: Array, width: Array, frame: tuple[int, int]) -> tuple[Array, Array]:
    h, w = height.astype(np.float64), width.astype(np.float64)
    ratio = xp.minimum(frame[0] / h, frame[1] / w)
    return xp.round(h * ratio), xp.round(w * ratio)


def _by_integers(xp: Any, height: Array, width: Array, frame: tuple[int, int]) -> tuple[Array, Array]:
    tall, wide = frame
    return xp.minimum(tall, wide * height // width), xp.minimum(wide, tall * width // height)


def _by_float32(xp: Any, height: Array, width: Array, frame: tuple[int, int]) -> tuple[Array, Array]:
    h, w = height.astype(np.float32), width.astype(np.float32)
    ratio = xp.maximum(w / np.float32(frame[1]), h / np.float32(frame[0]))
    return xp.floor(h / ratio), xp.floor(w / ratio)


def longest_edge(height: Size, width: Size, *, size: int) -> Extents:
    """Height and width once the longer edge has ``size`` pixels, the other edge truncated, at least one pixel.

    Args:
        height: Pixels, an int or a traced int32.
        width: Pixels, likewise.
        size: Of the longer edge, in pixels.

    Returns:
        ``(height, width)``, ints for ints.

    Source:
        torchvision 0.29, ``Resize(None, max_size=size)``.

    Example:
        >>> longest_edge(300, 400, size=100), longest_edge(7, 3, size=5)
        ((75, 100), (5, 2))
    """
    return letterbox_size(height, width, frame=(size, size), numerics="torch")


def aspect_window(height: Size, width: Size, *, frame: tuple[int, int]) -> Extents:
    """Height and width of the largest window inside an image that has the aspect ratio of a frame.

    Args:
        height: Pixels, an int or a traced int32.
        width: Pixels, likewise.
        frame: ``(height, width)`` whose ratio counts, in pixels.

    Returns:
        ``(height, width)``, at least one pixel; ints for ints.

    Source:
        Keras 3 ``Resizing(crop_to_aspect_ratio=True)``: lengths truncated.

    Example:
        >>> aspect_window(61, 133, frame=(45, 30)), aspect_window(151, 47, frame=(45, 30))
        ((61, 40), (70, 47))
    """
    tall, wide = frame
    least, most = _extremes(height, width)
    h, w = value(height), value(width)
    return most(least(h, w * tall // wide), 1), most(least(w, h * wide // tall), 1)


def _extremes(*sizes: Size) -> tuple[Callable[..., Any], Callable[..., Any]]:
    return (min, max) if all(is_static(size) for size in sizes) else (jnp.minimum, jnp.maximum)
