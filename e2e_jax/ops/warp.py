"""Moves an image by a 3 x 3 map of the plane: rotation, shear, scale, perspective."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.errors import ConfigError
from e2e_jax.ops.exact import rounded_product
from e2e_jax.ops.matrices import multiply
from e2e_jax.ops.sampling import Fill, Method, Numerics, check_method, copy, sample
from e2e_jax.ops.sizes import Extents, Size, is_static, value
from e2e_jax.types import Array

FIXED_POINT_BITS = 16  # fraction bits of a position: Pillow, Geometry.c, affine_fixed
FIXED_POINT_LIMIT = 32768.0  # pixels; beyond it Pillow counts in double: Geometry.c, check_fixed


def warp(
    image: Array,
    *,
    matrix: Array,
    size: Extents,
    method: Method = "bilinear",
    fill: Fill = (0,),
    numerics: Numerics = "pillow",
    source_size: Extents | None = None,
) -> jax.Array:
    """Draws an image anew, each output pixel from where a map of the plane says.

    Coordinates are continuous: pixel ``i`` covers ``[i, i + 1)``, its centre is ``i + 0.5``. The map goes from the
    output to the source, ``(x', y', w') = matrix @ (x, y, 1)`` and ``(x' / w', y' / w')``.

    Args:
        image: ``(..., H, W, C)``, uint8 or floating; any dtype with ``method="nearest"``.
        matrix: (3, 3), or (2, 3) where the last row is known to be 0 0 1, which saves a division per pixel when the
            matrix is traced. From `e2e_jax.ops.matrices`; computed with in float64. May be traced.
        size: Height and width of the output, numbers or symbolic.
        method: ``"nearest"``, ``"bilinear"``, or ``"bicubic"`` (not with ``"torch"``, which has none).
        fill: Value outside the image: one, or one per channel, in the image's own units; ``None`` is black. With
            ``"torch"`` they differ at the rim, see `e2e_jax.ops.sampling.sample`.
        numerics: ``"pillow"``, ``"torch"`` or ``"opencv"``. TensorFlow and Keras have no one rule for it.
        source_size: Height and width of the part of the array that is the image, at its top left; what lies outside
            never shows. May be traced.

    Returns:
        ``(..., h, w, C)`` of the image's dtype; differentiable in a floating image, and, but for
        ``method="nearest"``, in the matrix.

    Raises:
        ConfigError: The numerics are not known or have no such method, or the matrix has another shape.
        ImageError: The pixels are weighed and neither uint8 nor floating, or the fill does not suit them.

    Source:
        ``"pillow"``: Pillow 13.0 ``Image.transform`` with AFFINE where the last row is 0 0 1, else PERSPECTIVE
        (src/libImaging/Geometry.c): bit-exact for uint8. ``"torch"``: torchvision 0.29 on float tensors, within
        1e-4 of the range of values; nearest differs where a position is within float32 rounding of a tie.
        ``"opencv"``: OpenCV 5.0 ``warpAffine`` and ``warpPerspective`` with a constant border, for uint8 of 1, 3 or
        4 channels within one level and exact for more than 99.9 % of the bytes; nearest is exact but for ties.

    Example:
        >>> import numpy as np
        >>> image = np.arange(4, dtype=np.uint8).reshape(2, 2, 1)
        >>> quarter_turn = np.array([[0, -1, 2], [1, 0, 0], [0, 0, 1]])
        >>> warp(image, matrix=quarter_turn, size=(2, 2))[..., 0].tolist()
        [[1, 3], [0, 2]]
    """
    check_method(numerics, method)
    with jax.enable_x64(True):
        matrix, affine = _normal(matrix)
        if isinstance(matrix, jax.Array):
            matrix = jax.lax.optimization_barrier(matrix)  # XLA would make it anew for every pixel
        if numerics == "pillow" and method == "nearest":
            matrix = jax.lax.stop_gradient(matrix) if isinstance(matrix, jax.Array) else matrix
            column, row = _pillow_nearest(matrix, size, affine)
            return copy(image, column=column, row=row, fill=fill, source_size=source_size)
        x, y = POSITIONS[numerics](matrix, size, affine is True, method)
        return sample(image, x=x, y=y, method=method, fill=fill, numerics=numerics, source_size=source_size)


def _normal(matrix: Array) -> tuple[Array, bool | None]:
    """The matrix as (3, 3) float64 with 1 for its last element, and whether it is affine; ``None``: not known."""
    if np.shape(matrix) not in ((2, 3), (3, 3)):
        raise ConfigError("Warp: the matrix must be (3, 3) or (2, 3).", f"{np.shape(matrix)}", "see ops.matrices.")
    xp = jnp if isinstance(matrix, jax.Array) else np
    matrix = xp.asarray(matrix).astype(np.float64)
    if matrix.shape == (2, 3):
        return xp.concatenate([matrix, xp.asarray([[0.0, 0.0, 1.0]])]), True
    same = matrix == matrix  # XLA would divide all elements by one number with its rounded reciprocal
    matrix = matrix / xp.where(same, matrix[2, 2], matrix)
    return matrix, None if xp is jnp else bool((matrix[2] == (0, 0, 1)).all())


def _pillow_positions(matrix: Array, size: Extents, affine: bool, method: str = "") -> tuple[Array, Array]:
    """Geometry.c, affine_transform and perspective_transform: the same doubles."""
    x, y = _centres(size)
    column, row = (rounded_product(m[0], x) + rounded_product(m[1], y) + m[2] for m in matrix[:2])
    if affine:
        return column, row
    depth = rounded_product(matrix[2, 0], x) + rounded_product(matrix[2, 1], y) + matrix[2, 2]
    return _divided(column, depth), _divided(row, depth)


def _torch_positions(matrix: Array, size: Extents, affine: bool, method: str) -> tuple[Array, Array]:
    column, row = _pillow_positions(matrix, size, affine)
    return (column - 0.5).astype(jnp.float32), (row - 0.5).astype(jnp.float32)


def _opencv_positions(matrix: Array, size: Extents, affine: bool, method: str) -> tuple[Array, Array]:
    """imgwarp.cpp (bicubic) and warp_kernels.simd.hpp: float32, the products with x fused but for bicubic.

    Products of float32 are exact in float64, and so a fused product is one in float64 rounded once. The last
    columns, fewer than a vector of the processor holds, OpenCV computes without fusing.
    """
    rows = [[_single(element) for element in row] for row in _from_pixel_centres(matrix)]
    x, y = (centre - 0.5 for centre in _centres(size))
    once = _single if method == "bicubic" else lambda product: product
    bases = [_single(_single(row[1] * y) + row[2]) for row in rows]
    if affine:
        column, line = (bases[i] + once(rows[i][0] * x) for i in range(2))
        return column.astype(jnp.float32), line.astype(jnp.float32)
    column, line, depth = (base + row[0] * x for row, base in zip(rows, bases, strict=True))
    if method != "bicubic":
        column, line, depth = (a.astype(jnp.float32) for a in (column, line, depth))
    return _divided(column, depth).astype(jnp.float32), _divided(line, depth).astype(jnp.float32)


POSITIONS: dict[str, Callable[[Array, Extents, bool, str], tuple[Array, Array]]] = {
    "pillow": _pillow_positions,
    "torch": _torch_positions,
    "opencv": _opencv_positions,
}


def _divided(along: Array, depth: Array) -> Array:
    """Outside the image where the depth is 0, with finite derivatives."""
    flat = depth == 0
    return jnp.where(flat, -jnp.full_like(depth, jnp.inf), along / jnp.where(flat, jnp.ones_like(depth), depth))


def _centres(size: Extents) -> tuple[Array, Array]:
    """The centres of the output's columns (w,) and rows (h, 1)."""
    return jnp.arange(size[1], dtype=jnp.float64) + 0.5, (jnp.arange(size[0], dtype=jnp.float64) + 0.5)[:, None]


def _single(array: Array) -> Array:
    """Rounded to float32, still in float64."""
    return jnp.asarray(array).astype(jnp.float32).astype(jnp.float64)


def _from_pixel_centres(matrix: Array) -> Array:
    """The same map between coordinates that count from the centre of the first pixel."""
    to_edge, to_centre = np.eye(3), np.eye(3)
    to_edge[:2, 2], to_centre[:2, 2] = 0.5, -0.5
    return multiply(multiply(to_centre, matrix), to_edge)


def _pillow_nearest(matrix: Array, size: Extents, affine: bool | None) -> tuple[Array, Array]:
    """The column and row each output pixel copies: Geometry.c, ImagingTransformAffine, in its three ways.

    Scaling adds the step again and again, in double; other affine maps count in 16.16 fixed point; where that
    overflows, and in perspective, positions are doubles. Beyond the overflow Pillow adds steps again and again
    while we multiply: positions may differ in their last bits.
    """
    column, row = (jnp.floor(along) for along in _pillow_positions(matrix, size, affine is True))
    if affine is False:
        return column, row
    is_affine = True if affine else (matrix[2] == np.asarray([0.0, 0.0, 1.0])).all()
    fits, scales = _fits_fixed_point(matrix, size), (matrix[0, 1] == 0) & (matrix[1, 0] == 0)
    for way, applies in ((_fixed_point, fits & is_affine), (_steps, scales & is_affine)):
        if not isinstance(applies, jax.Array) and not applies:
            continue
        columns, rows = way(matrix, size, applies)
        column, row = jnp.where(applies, columns, column), jnp.where(applies, rows, row)
    return column, row


def _fits_fixed_point(matrix: Array, size: Extents) -> Array:
    """Whether the four corners of the output stay in reach of 16.16 fixed point."""
    xp = np if isinstance(matrix, np.ndarray) and is_static(size[0]) and is_static(size[1]) else jnp
    height, width = (xp.asarray(value(n)).astype(np.float64) for n in size)
    corners = [abs(x * m[0] + y * m[1] + m[2]) for m in matrix[:2] for x in (0, width) for y in (0, height)]
    return (xp.stack([xp.asarray(c) for c in corners]) < FIXED_POINT_LIMIT).all()


def _fixed_point(matrix: Array, size: Extents, wanted: Array) -> tuple[Array, Array]:
    """Geometry.c, affine_fixed."""
    x, y = jnp.arange(size[1], dtype=jnp.int32), jnp.arange(size[0], dtype=jnp.int32)[:, None]
    xp = jnp if isinstance(matrix, jax.Array) else np

    def fix(number: Array) -> Array:
        return xp.floor(number * (1 << FIXED_POINT_BITS) + 0.5).astype(np.int32)

    starts = [m[2] + m[0] * 0.5 + m[1] * 0.5 for m in matrix[:2]]
    fixed = (fix(start) + y * fix(m[1]) + x * fix(m[0]) for start, m in zip(starts, matrix[:2], strict=True))
    return tuple((position >> FIXED_POINT_BITS).astype(jnp.float64) for position in fixed)


def _steps(matrix: Array, size: Extents, wanted: Array) -> tuple[Array, Array]:
    """Geometry.c, ImagingScaleAffine: columns (w,) and rows (h, 1)."""
    columns = _walk(matrix[0, 2] + matrix[0, 0] * 0.5, matrix[0, 0], size[1], wanted)
    rows = _walk(matrix[1, 2] + matrix[1, 1] * 0.5, matrix[1, 1], size[0], wanted)
    return jnp.floor(columns), jnp.floor(rows)[:, None]


def _walk(start: Array, step: Array, length: Size, wanted: Array) -> Array:
    """Where repeated addition stands, (length,); a loop of no steps where that is not wanted."""
    if isinstance(start, np.float64) and is_static(length):
        return np.add.accumulate(np.concatenate([[start], np.full(max(length - 1, 0), step)]))[:length]
    start, step = jnp.asarray(start), jnp.asarray(step)

    def add(i: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        walk, at = state
        return walk.at[i].set(at), at + step

    steps = jnp.where(wanted, jnp.asarray(value(length), jnp.int32), np.int32(0))
    return jax.lax.fori_loop(np.int32(0), steps, add, (jnp.zeros((length,), start.dtype), start))[0]
