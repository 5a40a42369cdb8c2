"""Resize, crop, pad and flip: each carries out its plan on its own."""

from __future__ import annotations

from e2e_jax.ops.dialects import Method, Numerics
from e2e_jax.ops.plans import resize_plan, transform
from e2e_jax.ops.selections import (
    Direction,
    PadMode,
    Rounding,
    center_crop_plan,
    crop_plan,
    flip_plan,
    pad_plan,
)
from e2e_jax.types import Array


def resize(
    image: Array,
    *,
    size: int | tuple[int, int],
    max_size: int | None = None,
    method: Method = "bilinear",
    antialias: bool | None = None,
    numerics: Numerics = "pillow",
) -> Array:
    """Resizes to an exact size, or until the shorter edge has ``size`` pixels.

    Args:
        image: ``(..., H, W, C)``, uint8 0..255 or floating.
        size: ``(height, width)`` in pixels, or the length of the shorter edge.
        max_size: Upper limit of the longer edge in pixels, for an int ``size``.
        method: ``"nearest"``, ``"bilinear"``, ``"bicubic"``, ``"lanczos"`` or ``"area"``.
        antialias: Widen the filter where the image shrinks; Pillow always does.
        numerics: ``"pillow"`` filters columns first, as every Pillow before 13; ``"pillow13"`` chooses the order
            as Pillow 13.0 does. They differ by one level in some bytes.

    Returns:
        ``(..., h, w, C)`` of the image's dtype. uint8 with antialias is bit-exact with Pillow.

    Source:
        Pillow 12.1.1 and 13.0.0, src/libImaging/Resample.c and Geometry.c (nearest). Channels are independent:
        Pillow's own premultiplication of RGBA is not applied.

    Example:
        >>> import numpy as np
        >>> resize(np.arange(4, dtype=np.uint8).reshape(1, 4, 1), size=(1, 2)).ravel().tolist()
        [1, 2]
    """
    plan = resize_plan(size, max_size=max_size, method=method, antialias=antialias, numerics=numerics)
    return transform(image, [plan])[0]


def crop(
    image: Array,
    *,
    top: int,
    left: int,
    height: int,
    width: int,
    padding: bool = False,
    fill: tuple[float, ...] = (0,),
) -> Array:
    """Cuts out a window.

    Args:
        image: ``(..., H, W, C)`` of any dtype.
        top: First row, in pixels.
        left: First column, in pixels.
        height: Rows, in pixels.
        width: Columns, in pixels.
        padding: Whether the window may leave the image and is filled there.
        fill: Value outside, one or one per channel, in the image's units.

    Returns:
        ``(..., height, width, C)`` of the image's dtype.

    Raises:
        ImageError: The window leaves the image and ``padding`` is off.

    Source:
        torchvision 0.29 ``crop``.

    Example:
        >>> import numpy as np
        >>> crop(np.arange(9, dtype=np.uint8).reshape(3, 3, 1), top=1, left=1, height=1, width=2).ravel().tolist()
        [4, 5]
    """
    plan = crop_plan(top, left, height, width, padding=padding, fill=fill)
    return transform(image, [plan])[0]


def center_crop(
    image: Array,
    *,
    height: int,
    width: int,
    rounding: Rounding = "half_even",
    padding: bool = True,
    fill: tuple[float, ...] = (0,),
) -> Array:
    """Cuts out the middle; a smaller image is padded.

    Args:
        image: ``(..., H, W, C)`` of any dtype.
        height: Rows, in pixels.
        width: Columns, in pixels.
        rounding: How an odd difference is halved, see `center_offset`.
        padding: Whether smaller images are filled up rather than refused.
        fill: Value outside, one or one per channel, in the image's units.

    Returns:
        ``(..., height, width, C)`` of the image's dtype.

    Raises:
        ImageError: The image is smaller and ``padding`` is off.

    Source:
        torchvision 0.29 ``center_crop``.

    Example:
        >>> import numpy as np
        >>> center_crop(np.arange(5, dtype=np.uint8).reshape(1, 5, 1), height=1, width=2).ravel().tolist()
        [2, 3]
    """
    plan = center_crop_plan(height, width, rounding=rounding, padding=padding, fill=fill)
    return transform(image, [plan])[0]


def pad(
    image: Array,
    *,
    left: int,
    top: int,
    right: int,
    bottom: int,
    fill: tuple[float, ...] = (0,),
    mode: PadMode = "constant",
) -> Array:
    """Adds a border.

    Args:
        image: ``(..., H, W, C)`` of any dtype.
        left: Columns before, in pixels, at least 0.
        top: Rows before.
        right: Columns after.
        bottom: Rows after.
        fill: Value of a constant border, one or one per channel, in the image's units.
        mode: ``"constant"``; ``"edge"`` repeats the last pixel; ``"reflect"`` mirrors around it, ``"symmetric"``
            mirrors with it, to and fro where the border is longer than the image.

    Returns:
        ``(..., top + H + bottom, left + W + right, C)`` of the image's dtype.

    Source:
        torchvision 0.29 ``pad`` and its ``padding_mode``; ``numpy.pad`` for borders longer than the image.

    Example:
        >>> import numpy as np
        >>> row = np.array([1, 2, 3], np.uint8).reshape(1, 3, 1)
        >>> pad(row, left=2, top=0, right=1, bottom=0, mode="reflect").ravel().tolist()
        [3, 2, 1, 2, 3, 2]
    """
    return transform(image, [pad_plan(left, top, right, bottom, fill=fill, mode=mode)])[0]


def flip(image: Array, *, direction: Direction = "horizontal") -> Array:
    """Mirrors the image.

    Args:
        image: ``(..., H, W, C)`` of any dtype.
        direction: ``"horizontal"`` swaps left and right, ``"vertical"`` top and bottom.

    Returns:
        The same shape and dtype.

    Source:
        ``numpy.flip`` along W or H.

    Example:
        >>> import numpy as np
        >>> flip(np.arange(3).reshape(1, 3, 1)).ravel().tolist()
        [2, 1, 0]
    """
    return transform(image, [flip_plan(direction)])[0]
