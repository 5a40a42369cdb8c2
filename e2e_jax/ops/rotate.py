"""Rotate, affine and perspective: each makes its matrix and warps with it."""

from __future__ import annotations

import jax

from e2e_jax.errors import ConfigError
from e2e_jax.ops import matrices
from e2e_jax.ops.canvas import expanded_size
from e2e_jax.ops.exact import Number
from e2e_jax.ops.matrices import Point
from e2e_jax.ops.sampling import Fill, Method, Numerics
from e2e_jax.ops.sizes import Extents, is_dimension
from e2e_jax.ops.warp import warp
from e2e_jax.types import Array


def rotate(
    image: Array,
    *,
    angle: Number,
    method: Method = "nearest",
    expand: bool = False,
    center: Point | None = None,
    fill: Fill = (0,),
    numerics: Numerics = "pillow",
) -> jax.Array:
    """Turns an image counter-clockwise.

    Args:
        image: ``(..., H, W, C)``, uint8 or floating; any dtype with ``method="nearest"``.
        angle: Degrees, counter-clockwise on the screen. May be traced, without ``expand``.
        method: ``"nearest"``, ``"bilinear"``, or ``"bicubic"`` (not with ``"torch"``).
        expand: Make the canvas large enough for the whole turned image.
        center: ``(x, y)`` of the fixed point in pixels from the top left corner; the image's centre by default.
        fill: Value outside the image: one, or one per channel; ``None`` is black, see `e2e_jax.ops.warp.warp`.
        numerics: ``"pillow"``, ``"torch"`` or ``"opencv"``.

    Returns:
        ``(..., h, w, C)`` of the image's dtype; h and w are H and W, or those of `expanded_size`.

    Raises:
        ConfigError: ``expand`` with an angle or a size that is only known at run time, or with ``"opencv"``; other
            numerics or methods that do not exist.

    Source:
        Pillow 13.0 ``Image.rotate``: bit-exact for uint8 (traced angles: see `e2e_jax.ops.matrices.rotation`).
        Others: see `e2e_jax.ops.warp.warp`.

    Example:
        >>> import numpy as np
        >>> rotate(np.arange(4, dtype=np.uint8).reshape(2, 2, 1), angle=90)[..., 0].tolist()
        [[1, 3], [0, 2]]
    """
    extent = image.shape[-3:-1]
    output = _canvas(extent, angle, center, numerics) if expand else None
    matrix = matrices.rotation(extent, angle=angle, center=center, output=output)[:2]
    return warp(image, matrix=matrix, size=output or extent, method=method, fill=fill, numerics=numerics)


def affine(
    image: Array,
    *,
    angle: Number = 0.0,
    translate: Point = (0.0, 0.0),
    scale: Number = 1.0,
    shear: Point = (0.0, 0.0),
    method: Method = "nearest",
    center: Point | None = None,
    fill: Fill = (0,),
    numerics: Numerics = "pillow",
) -> jax.Array:
    """Turns clockwise, scales, shears and moves an image.

    Args:
        image: ``(..., H, W, C)``, uint8 or floating; any dtype with ``method="nearest"``.
        angle: Degrees, clockwise on the screen (`rotate` turns the other way, as in torchvision). May be traced.
        translate: ``(x, y)`` in pixels, to the right and down. May be traced.
        scale: Factor, above 0; above 1 enlarges. May be traced.
        shear: Degrees along x and along y. May be traced.
        method: ``"nearest"``, ``"bilinear"``, or ``"bicubic"`` (not with ``"torch"``).
        center: ``(x, y)`` of the fixed point in pixels from the top left corner; the image's centre by default.
        fill: Value outside the image: one, or one per channel; ``None`` is black, see `e2e_jax.ops.warp.warp`.
        numerics: ``"pillow"``, ``"torch"`` or ``"opencv"``.

    Returns:
        ``(..., H, W, C)`` of the image's dtype.

    Source:
        torchvision 0.29 ``affine`` on PIL images: bit-exact for uint8. Others: see `e2e_jax.ops.warp.warp`.

    Example:
        >>> import numpy as np
        >>> affine(np.arange(4, dtype=np.uint8).reshape(2, 2, 1), translate=(1, 0), fill=(9,))[..., 0].tolist()
        [[9, 0], [9, 2]]
    """
    extent = image.shape[-3:-1]
    matrix = matrices.affine(extent, angle=angle, translate=translate, scale=scale, shear=shear, center=center)
    return warp(image, matrix=matrix[:2], size=extent, method=method, fill=fill, numerics=numerics)


def perspective(
    image: Array,
    *,
    start: Array,
    end: Array,
    method: Method = "bilinear",
    fill: Fill = (0,),
    numerics: Numerics = "pillow",
) -> jax.Array:
    """Moves four points of an image to four places, and the rest of the plane with them.

    Args:
        image: ``(..., H, W, C)``, uint8 or floating; any dtype with ``method="nearest"``.
        start: (4, 2) x and y in pixels from the top left corner, e.g. the corners of the image. May be traced.
        end: (4, 2) where they come to lie. May be traced.
        method: ``"nearest"``, ``"bilinear"``, or ``"bicubic"`` (not with ``"torch"``).
        fill: Value outside the image: one, or one per channel; ``None`` is black, see `e2e_jax.ops.warp.warp`.
        numerics: ``"pillow"``, ``"torch"`` or ``"opencv"``.

    Returns:
        ``(..., H, W, C)`` of the image's dtype.

    Source:
        torchvision 0.29 ``perspective`` on PIL images: bit-exact for uint8 given the same coefficients, which
        torchvision finds by least squares; a map that happens to be affine is drawn as Pillow draws AFFINE. Others:
        see `e2e_jax.ops.warp.warp`.

    Example:
        >>> import numpy as np
        >>> image = np.arange(4, dtype=np.uint8).reshape(2, 2, 1)
        >>> start, end = [[0, 0], [2, 0], [2, 2], [0, 2]], [[1, 0], [3, 0], [3, 2], [1, 2]]
        >>> perspective(image, start=start, end=end, fill=(9,))[..., 0].tolist()
        [[9, 0], [9, 2]]
    """
    matrix = matrices.perspective(start, end=end)
    return warp(image, matrix=matrix, size=image.shape[-3:-1], method=method, fill=fill, numerics=numerics)


def _canvas(extent: Extents, angle: Number, center: Point | None, numerics: str) -> Extents:
    size = expanded_size(extent, angle=angle, center=center, numerics=numerics)
    if not all(is_dimension(n) for n in size):
        fix = "expand=False, or warp onto a canvas of ops.canvas.expanded_bound."
        raise ConfigError("Rotate: expand needs an angle and a size known while tracing.", f"{angle=}", fix)
    return size
