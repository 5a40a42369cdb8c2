"""The canvas a turned image needs: ``expand=True``."""

from __future__ import annotations

import math
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.errors import ConfigError
from e2e_jax.ops.exact import Number, module_for, to_numbers
from e2e_jax.ops.matrices import CORNERS, Point, rotation
from e2e_jax.ops.sizes import Extents, is_dimension, is_static
from e2e_jax.types import Array

HALF_TURN = 180.0  # degrees
TORCH_STEPS, TORCH_STEP = np.float32(1e4), np.float32(1e-4)  # torchvision, _compute_affine_output_size_tensor


def expanded_size(
    extent: Extents, *, angle: Number, center: Point | None = None, numerics: str = "pillow"
) -> Extents:
    """Height and width of the smallest canvas that holds a whole turned image.

    Args:
        extent: Height and width of the image in pixels.
        angle: Degrees.
        center: ``(x, y)`` of the fixed point in pixels; it moves the corners, and so decides how they round.
        numerics: ``"pillow"``, or ``"torch"``, which computes in float32 and ignores what lies beyond the fourth
            decimal. OpenCV does not expand.

    Returns:
        Two ints; two traced int32 scalars where the extent or the angle is traced. Those cannot be the shape of an
        array: draw on a canvas of `expanded_bound`.

    Raises:
        ConfigError: The numerics have no rule for it.

    Source:
        Pillow 13.0 ``Image.rotate``; torchvision 0.29 ``_compute_affine_output_size``. A traced result can be one
        pixel off where a corner lies within rounding of a whole pixel.

    Example:
        >>> expanded_size((61, 133), angle=33), expanded_size((61, 133), angle=33, numerics="torch")
        ((125, 145), (125, 145))
    """
    if numerics not in ("pillow", "torch"):
        raise ConfigError('Rotate: expand needs numerics "pillow" or "torch".', f"{numerics=}", "expand=False.")
    with jax.enable_x64(True):
        xp, (h, w) = to_numbers(module_for(*extent, angle, *(center or ())), *extent)
        x, y = center or (w / 2, h / 2)
        if numerics == "pillow":
            wide, high = _canvas_by_pillow(xp, rotation(extent, angle=angle, center=(x, y)), w, h)
        else:
            from_middle = (x - w / 2, y - h / 2)
            wide, high = _canvas_by_torch(xp, rotation(extent, angle=angle, center=from_middle), w, h)
        if center is None:  # a quarter turn on its own is not calculated, but transposed
            upright = xp.asarray(angle % HALF_TURN == HALF_TURN / 2)
            wide, high = xp.where(upright, h, wide), xp.where(upright, w, high)
        return (int(high), int(wide)) if xp is np else (high.astype(jnp.int32), wide.astype(jnp.int32))


def expanded_bound(extent: Extents) -> Extents:
    """Height and width of a canvas that holds the image at any angle.

    Args:
        extent: Height and width of the image in pixels, numbers or symbolic.

    Returns:
        Two dimensions of an array, at least what `expanded_size` gives for every angle.

    Raises:
        ConfigError: The extent is traced, so that no array can be made to fit.

    Source:
        The diagonal, and one pixel for rounding at both ends; for symbolic sizes height + width.

    Example:
        >>> expanded_bound((3, 4))
        (6, 6)
    """
    if not all(is_dimension(n) for n in extent):
        fix = "pass the extent of the array the image lies in, and the image's own to expanded_size."
        raise ConfigError("Rotate: the canvas of expand must have a size known while tracing.", f"{extent}", fix)
    h, w = extent
    most = math.ceil(math.hypot(h, w)) + 1 if is_static(h) and is_static(w) else h + w + 1
    return most, most


def _canvas_by_pillow(xp: ModuleType, matrix: Array, w: Number, h: Number) -> list[Array]:
    ends = [[m[0] * (i * w) + m[1] * (j * h) + m[2] for i, j in CORNERS] for m in matrix[:2]]
    return [xp.ceil(xp.stack(e).max()) - xp.floor(xp.stack(e).min()) for e in ends]


def _canvas_by_torch(xp: ModuleType, matrix: Array, w: Number, h: Number) -> list[Array]:
    single = [[xp.asarray(v).astype(np.float32) for v in row] for row in matrix[:2]]
    half = [xp.asarray(n * 0.5).astype(np.float32) for n in (w, h)]
    signs = [(np.float32(2 * i - 1), np.float32(2 * j - 1)) for i, j in CORNERS]
    sizes = []
    for row, shift in zip(single, half, strict=True):
        ends = xp.stack([row[0] * (i * half[0]) + row[1] * (j * half[1]) + row[2] for i, j in signs])
        low, high = (xp.trunc((end + shift) * TORCH_STEPS) * TORCH_STEP for end in (ends.min(), ends.max()))
        sizes.append((xp.ceil(high) - xp.floor(low)).astype(np.float64))
    return sizes
