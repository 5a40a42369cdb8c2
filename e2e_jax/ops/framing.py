"""Bringing an image of any shape into a frame: letterbox, crop to aspect, centre crop of images too small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from e2e_jax.ops.dialects import Method, Numerics
from e2e_jax.ops.fitting import aspect_window, letterbox_size, letterbox_start, longest_edge, scale_down
from e2e_jax.ops.plans import Fit, Geometry, Plan, resize_plan
from e2e_jax.ops.selections import center_crop_plan, crop_plan, pad_plan
from e2e_jax.ops.sizes import Extents, Size, is_static, value

type Frame = tuple[int, int]  # height and width in pixels


def letterbox_plan(
    frame: Frame,
    *,
    fill: tuple[float, ...] = (0,),
    method: Method = "bilinear",
    antialias: bool | None = None,
    numerics: Numerics = "pillow",
    pad_first: bool = False,
) -> Plan:
    """Resizes until the image touches the frame, then fills the rest on both sides.

    See `letterbox_size` and `letterbox_start` for the rules. With
    ``pad_first`` the image is filled up to the frame's aspect ratio and then resized, as Keras does: the border
    blurs into the picture, and an odd rest loses a pixel.
    """

    def inside(geometry: Geometry) -> Fit:
        return _fit(geometry, frame, letterbox_size(*geometry.size, frame=frame, numerics=numerics))

    def plan(geometry: Geometry) -> Geometry:
        if pad_first:
            return resize_plan(frame, **how)(_padded_to_aspect(geometry, frame, fill))
        resized = resize_plan(inside, **how)(geometry)
        top, left = letterbox_start(*geometry.size, fitted=resized.size, frame=frame, numerics=numerics)
        return crop_plan(-top, -left, *frame, padding=True, fill=fill)(resized)

    how: dict[str, Any] = {"method": method, "antialias": antialias, "numerics": numerics}
    return plan


def _padded_to_aspect(geometry: Geometry, frame: Frame, fill: tuple[float, ...]) -> Geometry:
    """Keras 3, ``Resizing(pad_to_aspect_ratio=True)``: both sides get half of the missing pixels, truncated."""
    height, width = geometry.size
    tall, wide = frame
    top = value(_most(height, value(width) * tall // wide) - height) // 2
    left = value(_most(width, value(height) * wide // tall) - width) // 2
    rows, cols = geometry.room
    room = (_most(rows, cols * tall // wide), _most(cols, rows * wide // tall))
    return pad_plan(left, top, left, top, fill=fill, room=room)(geometry)


def _most(first: Size, second: Size) -> Size:
    if any(isinstance(size, jax.Array) for size in (first, second)):
        return jnp.maximum(value(first), value(second))
    return jax.core.max_dim(first, second)


def longest_edge_plan(
    size: int, *, method: Method = "bilinear", antialias: bool | None = None, numerics: Numerics = "pillow"
) -> Plan:
    """Resizes until the longer edge has ``size`` pixels."""

    def fitting(geometry: Geometry) -> Fit:
        return _fit(geometry, (size, size), longest_edge(*geometry.size, size=size))

    return resize_plan(fitting, method=method, antialias=antialias, numerics=numerics)


def _fit(geometry: Geometry, frame: Frame, new: Extents) -> Fit:
    """The scale is at most twice image / frame: an edge of x >= 1 pixels is cut to at least x / 2."""
    tall, wide = frame
    rows, cols = geometry.room
    bound = (2 * jax.core.max_dim(rows * wide, cols * tall), tall * wide)
    return Fit(new, (bound, bound), frame)


def crop_to_aspect_plan(
    frame: Frame, *, method: Method = "bilinear", antialias: bool | None = None, numerics: Numerics = "pillow"
) -> Plan:
    """Cuts the middle out at the frame's aspect ratio, then resizes it to the frame."""
    window = _in_middle(lambda height, width: aspect_window(height, width, frame=frame))

    def plan(geometry: Geometry) -> Geometry:
        return resize_plan(frame, method=method, antialias=antialias, numerics=numerics)(window(geometry))

    return plan


def _in_middle(window_of: Callable[[Size, Size], Extents]) -> Plan:
    def plan(geometry: Geometry) -> Geometry:
        height, width = geometry.size
        tall, wide = window_of(height, width)
        top, left = value(height - tall) // 2, value(width - wide) // 2
        return crop_plan(top, left, tall, wide)(geometry)

    return plan


def center_crop_or_resize_plan(frame: Frame, *, numerics: Numerics) -> Plan:
    """Cuts out the middle; where the image is smaller, resizes a smaller window of the frame's aspect ratio.

    ``"opencv"`` shrinks the frame into the image as MXNet does, ``"tf"`` cuts the image to the frame's aspect ratio
    as Keras' ``smart_resize``. Both resize linearly without antialiasing, by their own numerics.
    """

    def window(height: Size, width: Size) -> Extents:
        if numerics == "opencv":
            return scale_down(height, width, frame=frame)
        tall, wide = aspect_window(height, width, frame=frame)
        small = (value(height) < frame[0]) | (value(width) < frame[1])
        if is_static(height) and is_static(width):
            return (tall, wide) if small else frame
        return jnp.where(small, tall, frame[0]), jnp.where(small, wide, frame[1])

    def plan(geometry: Geometry) -> Geometry:
        if all(is_static(n) and n >= edge for n, edge in zip(geometry.size, frame, strict=True)):
            return center_crop_plan(*frame, rounding="floor")(geometry)
        resize = resize_plan(frame, method="bilinear", antialias=False, numerics=numerics)
        return resize(_in_middle(window)(geometry))

    return plan


def crop_resize_plan(
    top: Size,
    left: Size,
    height: Size,
    width: Size,
    *,
    size: Frame,
    method: Method = "bilinear",
    antialias: bool | None = None,
    numerics: Numerics = "pillow",
) -> Plan:
    """Cuts out a window and resizes it, in one resampling; the window may be traced."""
    crop = crop_plan(top, left, height, width)
    resize = resize_plan(size, method=method, antialias=antialias, numerics=numerics)
    return lambda geometry: resize(crop(geometry))
