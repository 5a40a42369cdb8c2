"""How large an image becomes when it has to fit a frame: letterbox, longest edge, crop to an aspect ratio."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.ops.sizes import Extents, Size, is_static, to_single, value
from e2e_jax.types import Array


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
    rule = LETTERBOXES[numerics]
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
    tall, wide = _exact_float32(xp, height, width, frame)
    return xp.floor(tall), xp.floor(wide)


#: Numerics to the rule for both sides of a letterbox, written for NumPy, JAX and sizes in an ONNX graph alike.
LETTERBOXES = {
    "pillow": _by_pillow,
    "pillow13": _by_pillow,
    "opencv": _by_least_ratio,
    "torch": _by_integers,
    "tf": _by_float32,
}


def _exact_float32(xp: Any, height: Array, width: Array, frame: tuple[int, int]) -> tuple[Array, Array]:
    h, w = height.astype(np.float64), width.astype(np.float64)
    ratio = xp.maximum(to_single(xp, w / frame[1]), to_single(xp, h / frame[0]))
    return to_single(xp, h / ratio), to_single(xp, w / ratio)


def letterbox_start(
    height: Size, width: Size, *, fitted: Extents, frame: tuple[int, int], numerics: str = "pillow"
) -> Extents:
    """First row and column of an image in its frame.

    Args:
        height: Of the image before it was resized, in pixels; an int or a traced int32.
        width: Likewise.
        fitted: Height and width from `letterbox_size`.
        frame: ``(height, width)`` of the frame in pixels.
        numerics: ``"pillow"`` and ``"pillow13"`` round half of an odd rest to even, ``"torch"`` and ``"opencv"``
            down; ``"tf"`` halves the rest before lengths are cut to whole pixels, and rounds down.

    Returns:
        ``(top, left)``, ints for ints.

    Source:
        As `letterbox_size`; for ``"torch"``, which has no letterbox, the rule of most.

    Example:
        >>> [letterbox_start(61, 133, fitted=(22, 50), frame=(50, 50), numerics=rule) for rule in ("pillow", "tf")]
        [(14, 0), (13, 0)]
    """
    if numerics != "tf":
        tall, wide = (_half(value(edge - n), numerics) for edge, n in zip(frame, fitted, strict=True))
        return tall, wide
    xp: Any = np if is_static(height) and is_static(width) else jnp
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        exact = _exact_float32(xp, _scalar(xp, height), _scalar(xp, width), frame)
        rest = [xp.floor((edge - n) / 2).astype(np.int32) for edge, n in zip(frame, exact, strict=True)]
        top, left = (xp.maximum(n, 0) for n in rest)
    return (int(top), int(left)) if xp is np else (top, left)


def _half(rest: Size, numerics: str) -> Size:
    half = rest >> 1
    return half + (rest & half & 1) if numerics in ("pillow", "pillow13") else half


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


def scale_down(height: Size, width: Size, *, frame: tuple[int, int]) -> Extents:
    """Height and width of a frame made smaller, at its aspect ratio, until it lies inside an image.

    Args:
        height: Of the image in pixels, an int or a traced int32.
        width: Likewise.
        frame: ``(height, width)`` in pixels.

    Returns:
        ``(height, width)``, truncated, at least one pixel; the frame's own where the image is large enough.

    Source:
        MXNet 1.9 ``mx.image.scale_down``, in float64.

    Example:
        >>> scale_down(300, 200, frame=(224, 224)), scale_down(300, 260, frame=(224, 224))
        ((200, 200), (224, 224))
    """
    if is_static(height) and is_static(width):
        tall, wide = _scaled_down(np, np.float64(height), np.float64(width), frame)
        return max(int(tall), 1), max(int(wide), 1)
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        h, w = (_scalar(jnp, size).astype(np.float64) for size in (height, width))
        fitted = _scaled_down(jnp, h, w, frame)
        tall, wide = (jnp.maximum(edge.astype(jnp.int32), 1) for edge in fitted)
    return tall, wide


def _scaled_down(xp: Any, height: Array, width: Array, frame: tuple[int, int]) -> tuple[Array, Array]:
    tall, wide = frame
    wide = xp.where(height < tall, wide * height / tall, wide)
    tall = xp.minimum(height, tall)
    tall = xp.where(width < wide, tall * width / wide, tall)
    return tall, xp.minimum(width, wide)


def _extremes(*sizes: Size) -> tuple[Callable[..., Any], Callable[..., Any]]:
    return (min, max) if all(is_static(size) for size in sizes) else (jnp.minimum, jnp.maximum)
