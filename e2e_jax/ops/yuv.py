"""Video frames as cameras deliver them: brightness of every pixel, colour of every second, one below the other."""

from __future__ import annotations

from typing import Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.errors import ConfigError, ImageError
from e2e_jax.ops.levels import WHITE
from e2e_jax.ops.sizes import Extents, Size, is_static, value
from e2e_jax.types import Array

type Layout = Literal["nv12", "i420"]
LAYOUTS: tuple[str, ...] = get_args(Layout.__value__)

#: ITU-R BT.601 with Y 16..235, in units of 2**-20: OpenCV, color_yuv.simd.hpp, ITUR_BT_601_*
BITS, BLACK, GREY = 20, 16, 128
LUMA, BLUE_OF_U, GREEN_OF_U, GREEN_OF_V, RED_OF_V = 1220542, 2116026, -409993, -852492, 1673527


def yuv_to_rgb(image: Array, *, layout: Layout, size: Extents | None = None) -> jax.Array:
    """Turns a YUV 4:2:0 frame into RGB; each colour sample serves a square of four pixels.

    Args:
        image: ``(..., h * 3 / 2, w, 1)`` uint8: h rows of Y, then those of U and V; h and w even.
        layout: ``"nv12"``, U and V alternate in each row; or ``"i420"``, the plane of U, then that of V, two lines
            to a row.
        size: Height ``h * 3 / 2`` and width of the part of the array that is the frame, at its top left, if not all
            of it; may be traced.

    Returns:
        uint8 ``(..., h, w, 3)``. What lies outside two thirds of ``size`` means nothing.

    Raises:
        ImageError: The frame is not uint8 of one channel, or its size does not suit.
        ConfigError: The layout is not known.

    Source:
        ITU-R BT.601 as in OpenCV 5.0 ``cvtColor``, ``COLOR_YUV2RGB_NV12`` and ``COLOR_YUV2RGB_I420``: bit-exact.

    Example:
        >>> import numpy as np
        >>> frame = np.array([[81, 81], [81, 16], [90, 240]], np.uint8)[..., None]
        >>> yuv_to_rgb(frame, layout="nv12").tolist()
        [[[254, 0, 0], [254, 0, 0]], [[254, 0, 0], [179, 0, 0]]]
    """
    if layout not in LAYOUTS:
        raise ConfigError("YUVToRGB: layout must be known.", f"{layout=}", f"one of {', '.join(LAYOUTS)}.")
    if image.dtype != jnp.uint8 or image.shape[-1] != 1:
        fix = "pass the bytes of the frame as (height * 3 / 2, width, 1)."
        raise ImageError("YUVToRGB: a frame must be uint8 of one channel.", f"{image.shape} {image.dtype}", fix)
    height, width = size or image.shape[-3:-1]
    half = (image.shape[-3] // 3, image.shape[-2] // 2)
    luma = jnp.asarray(image)[..., : 2 * half[0], : 2 * half[1], 0]
    chroma = _rows(jnp.asarray(image)[..., 0], value(frame_size(height, width)[0]), half[0])
    planes = _alternating(chroma, half) if layout == "nv12" else _in_turn(chroma, half, height, width)
    return _to_rgb(luma, *planes, half)


def frame_size(height: Size, width: Size) -> Extents:
    """Height and width of the picture in a YUV 4:2:0 frame.

    Args:
        height: Of the frame, ``h * 3 / 2`` in pixels.
        width: Likewise, of frame and picture.

    Returns:
        ``(h, w)`` in pixels; of sizes known only at run time, traced.

    Raises:
        ImageError: The height does not divide by 3 or the width by 2.

    Source:
        OpenCV 5.0 ``cvtColor``, which demands the same.

    Example:
        >>> frame_size(6, 4)
        (4, 4)
    """
    if (is_static(height) and height % 3) or (is_static(width) and width % 2):
        fix = "pass h * 3 / 2 rows, h of them brightness, where h and the width are even."
        raise ImageError("YUVToRGB: the height must divide by 3 and the width by 2.", f"{height}x{width}", fix)
    return 2 * (height // 3), width


def _rows(plane: jax.Array, start: Size, count: Size) -> jax.Array:
    """Some rows of ``(..., H, W)``; the first may be known only at run time."""
    return _slice(plane, start, count, plane.ndim - 2)


def _slice(plane: jax.Array, start: Size, count: Size, axis: int) -> jax.Array:
    if is_static(start) and is_static(count):
        return jax.lax.slice_in_dim(plane, start, start + count, axis=axis)
    return jax.lax.dynamic_slice_in_dim(plane, start, count, axis)


def _alternating(chroma: jax.Array, half: Extents) -> tuple[jax.Array, jax.Array]:
    """U and V ``(..., h / 2, w / 2)`` from rows in which they alternate."""
    pairs = chroma[..., : 2 * half[1]].reshape(*chroma.shape[:-1], half[1], 2)  # (..., h / 2, w / 2, U or V)
    return pairs[..., 0], pairs[..., 1]


def _in_turn(chroma: jax.Array, half: Extents, height: Size, width: Size) -> tuple[jax.Array, jax.Array]:
    """U and V ``(..., h / 2, w / 2)`` from rows that hold two lines each, first all of U, then all of V."""
    left = chroma[..., : half[1]]
    right = _slice(chroma, value(width) // 2, half[1], chroma.ndim - 1)
    lines = jnp.stack([left, right], -2)  # (..., row, left or right, w / 2)
    lines = lines.reshape(*lines.shape[:-3], 2 * half[0], half[1])  # (..., line, w / 2)
    return lines[..., : half[0], :], _rows(lines, value(height) // 3, half[0])


def _to_rgb(luma: jax.Array, blueness: jax.Array, redness: jax.Array, half: Extents) -> jax.Array:
    """``(..., h, w, 3)`` from Y ``(..., h, w)``, U and V ``(..., h / 2, w / 2)``.

    Levels travel packed in whole numbers: XLA reads and writes them at once, but planes one after the other.
    """
    pairs = jax.lax.optimization_barrier(blueness.astype(jnp.int32) | (redness.astype(jnp.int32) << 8))
    squares = (*luma.shape[:-2], half[0], 2, half[1], 2)  # (..., h / 2, row, w / 2, column)
    pairs = jnp.broadcast_to(pairs[..., None, :, None], squares).reshape(luma.shape)  # (..., h, w)
    u, v = (pairs & WHITE) - GREY, (pairs >> 8) - GREY
    y = jnp.maximum(luma.astype(jnp.int32) - BLACK, 0) * LUMA + (1 << (BITS - 1))
    sums = (y + RED_OF_V * v, y + GREEN_OF_V * v + GREEN_OF_U * u, y + BLUE_OF_U * u)
    red, green, blue = (jnp.clip(total >> BITS, 0, WHITE) for total in sums)
    pixels = jax.lax.optimization_barrier(red | (green << 8) | (blue << 16))
    return ((pixels[..., None] >> np.array([0, 8, 16], np.int32)) & WHITE).astype(jnp.uint8)
