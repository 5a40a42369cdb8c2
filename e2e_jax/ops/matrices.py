"""Maps of the plane as 3 x 3 matrices, from the output back to the source, in continuous pixel coordinates.

Pixel ``i`` covers ``[i, i + 1)``. Every map is float64, whatever JAX's setting, so that `e2e_jax.ops.warp` can
reproduce other libraries to the bit: a NumPy array from plain numbers, a JAX array as soon as one of them is
traced. Between two ops pass it on as it is: arithmetic on it in 32-bit mode rounds it to float32, and so does JAX
with a NumPy matrix that is an argument of a compiled function; make it inside. Images, masks, points and boxes of
one sample take the same matrix; `invert` turns it round.
"""

from __future__ import annotations

from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.errors import ConfigError
from e2e_jax.ops.exact import Number, circular, module_for, plus, radians, rounded, sum_of_products, to_numbers
from e2e_jax.ops.sizes import Extents, value
from e2e_jax.types import Array

type Point = tuple[Number, Number]  # x and y

TURN = 360.0  # degrees
CORNERS = ((0, 0), (1, 0), (1, 1), (0, 1))  # of the unit square, x and y, clockwise on the screen


def rotation(
    extent: Extents, *, angle: Number, center: Point | None = None, output: Extents | None = None
) -> Array:
    """Turns an image counter-clockwise.

    Args:
        extent: Height and width of the source in pixels.
        angle: Degrees, counter-clockwise on the screen.
        center: ``(x, y)`` of the fixed point in pixels from the top left corner; the image's centre by default.
        output: Height and width of the result, where it differs: the image is moved to its middle.

    Returns:
        (3, 3) float64, output to source; the last row is 0 0 1.

    Source:
        Pillow 13.0 ``Image.rotate``; torchvision 0.29 ``rotate`` takes the same map. Of a traced angle the 15th
        decimal of sine and cosine may differ, which odd multiples of 45 degrees show in a few bytes of an image.

    Example:
        >>> rotation((2, 2), angle=90).tolist()
        [[0.0, -1.0, 2.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    with jax.enable_x64(True):
        xp, (angle,) = to_numbers(np, angle)
        turn = -radians(angle % TURN)
        cos, sin = (rounded(function(turn)) for function in circular(xp)[:2])
        xp, (h, w) = to_numbers(xp, *extent)
        xp, (x, y) = to_numbers(xp, *(center or (w / 2, h / 2)))
        back = (sum_of_products(cos, -x, sin, -y) + x, sum_of_products(-sin, -x, cos, -y) + y)
        if output is not None:
            xp, (high, wide) = to_numbers(xp, *output)
            x, y = -(wide - w) / 2.0, -(high - h) / 2.0
            back = (sum_of_products(cos, x, sin, y) + back[0], sum_of_products(-sin, x, cos, y) + back[1])
        return _stack(xp, (cos, sin, back[0]), (-sin, cos, back[1]), (0.0, 0.0, 1.0))


def affine(
    extent: Extents,
    *,
    angle: Number = 0.0,
    translate: Point = (0.0, 0.0),
    scale: Number = 1.0,
    shear: Point = (0.0, 0.0),
    center: Point | None = None,
) -> Array:
    """Turns clockwise, scales, shears and moves an image.

    Args:
        extent: Height and width of the image in pixels.
        angle: Degrees, clockwise on the screen (`rotation` turns the other way, as in torchvision).
        translate: ``(x, y)`` in pixels, to the right and down.
        scale: Factor, above 0; above 1 enlarges.
        shear: Degrees along x and along y.
        center: ``(x, y)`` of the fixed point in pixels from the top left corner; the image's centre by default.

    Returns:
        (3, 3) float64, output to source; the last row is 0 0 1.

    Source:
        torchvision 0.29 ``_get_inverse_affine_matrix``.

    Example:
        >>> affine((4, 6), translate=(2, 1), scale=2.0).tolist()
        [[0.5, 0.0, 0.5], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]]
    """
    with jax.enable_x64(True):
        xp, angles = to_numbers(np, angle, *shear)
        turn, along_x, along_y = (radians(number) for number in angles)
        cos, sin, tan = circular(xp)
        xp, (h, w, scale, right, down) = to_numbers(xp, *extent, scale, *translate)
        xp, (x, y) = to_numbers(xp, *(center or (w * 0.5, h * 0.5)))
        a, c = cos(turn - along_y) / cos(along_y), sin(turn - along_y) / cos(along_y)
        b, d = -plus(sin(turn), a, tan(along_x)), plus(cos(turn), -c, tan(along_x))
        top, bottom = (d / scale, -b / scale), (-c / scale, a / scale)
        top_end, bottom_end = (
            plus(plus(start, -row[0], x + right), -row[1], y + down) for start, row in ((x, top), (y, bottom))
        )
        return _stack(xp, (*top, top_end), (*bottom, bottom_end), (0.0, 0.0, 1.0))


def perspective(start: Array, *, end: Array) -> Array:
    """Moves four points of the source to four places of the output.

    Args:
        start: (4, 2) x and y in pixels, e.g. the corners of the source; no three in a line.
        end: (4, 2) where they come to lie in the output.

    Returns:
        (3, 3) float64, output to source, its last element 1, and every element a float32 number as in torchvision.

    Raises:
        ConfigError: ``start`` or ``end`` is not four points.

    Source:
        torchvision 0.29 ``_get_perspective_coeffs``, there by least squares, here through the unit square.

    Example:
        >>> corners = [[0, 0], [4, 0], [4, 2], [0, 2]]
        >>> perspective(corners, end=[[1, 0], [5, 0], [5, 2], [1, 2]]).tolist()
        [[1.0, 0.0, -1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    for name, points in (("start", start), ("end", end)):
        if np.shape(points) != (4, 2):
            fix = "pass the corners in the same order, e.g. top left, top right, bottom right, bottom left."
            raise ConfigError(f"Perspective: {name} must be four points (x, y).", f"{np.shape(points)}", fix)
    with jax.enable_x64(True):
        xp = module_for(start, end)
        source, output = (_from_frame(xp, p) for p in (start, end))
        matrix = multiply(source, _adjugate(xp, output))
        return (matrix / matrix[2, 2]).astype(np.float32).astype(np.float64) + 0.0  # no -0


def compose(first: Array, second: Array) -> Array:
    """The map of two steps in one.

    Args:
        first: (3, 3) of the step that is done to the image first, output to source.
        second: (3, 3) of the step after it.

    Returns:
        (3, 3) float64, output of the second to source of the first.

    Source:
        The definition: the product.

    Example:
        >>> compose(rotation((4, 4), angle=90), rotation((4, 4), angle=-90)).tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    with jax.enable_x64(True):
        xp = module_for(first, second)
        return multiply(*(xp.asarray(m).astype(np.float64) for m in (first, second)))


def invert(matrix: Array) -> Array:
    """The map the other way, source to output.

    Args:
        matrix: (3, 3), which does not send the output's origin to infinity.

    Returns:
        (3, 3) float64, its last element 1; of an affine map again one.

    Source:
        Cramer's rule, as torchvision 0.29 ``_compute_perspective_thetas``.

    Example:
        >>> invert(affine((4, 6), translate=(2, 1), scale=2.0)).tolist()
        [[2.0, 0.0, -1.0], [0.0, 2.0, -1.0], [0.0, 0.0, 1.0]]
    """
    with jax.enable_x64(True):
        xp = module_for(matrix)
        adjugate = _adjugate(xp, xp.asarray(matrix).astype(np.float64))
        return adjugate / adjugate[2, 2] + 0.0  # no -0


def move_points(points: Array, *, matrix: Array) -> jax.Array:
    """Where points of the source come to lie in the output.

    Args:
        points: (..., 2) x and y in pixels from the top left corner.
        matrix: (3, 3) that moved the image, output to source.

    Returns:
        The same shape; of the points' dtype where that is floating, else float32.

    Source:
        torchvision 0.29 ``rotate_keypoints``, ``affine_keypoints`` and ``perspective_keypoints``, within float32
        rounding. With ``expand`` torchvision moves points by the exact corner of the turned image, we by the whole
        pixels the image moves by: up to a pixel apart, and ours stay on the same spot of the picture.

    Example:
        >>> import numpy as np
        >>> move_points(np.array([[0.0, 0.0], [2.0, 1.0]], np.float32), matrix=rotation((2, 2), angle=90)).tolist()
        [[0.0, 2.0], [1.0, 0.0]]
    """
    with jax.enable_x64(True):
        points = jnp.asarray(points)
        dtype = points.dtype if jnp.issubdtype(points.dtype, jnp.floating) else jnp.float32
        forward = jnp.asarray(invert(matrix))
        x, y = points[..., 0].astype(jnp.float64), points[..., 1].astype(jnp.float64)
        column, row, depth = (m[0] * x + m[1] * y + m[2] for m in forward)
        return jnp.stack([column / depth, row / depth], -1).astype(dtype)


def move_boxes(boxes: Array, *, matrix: Array, extent: Extents | None = None) -> jax.Array:
    """The upright boxes around moved boxes.

    Args:
        boxes: (..., 4) left, top, right and bottom in pixels (XYXY).
        matrix: (3, 3) that moved the image, output to source.
        extent: Height and width of the output, to which boxes are cut where given.

    Returns:
        The same shape; of the boxes' dtype where that is floating, else float32.

    Source:
        torchvision 0.29 ``rotate_bounding_boxes``, ``affine_bounding_boxes`` and ``perspective_bounding_boxes``:
        least and greatest of the four moved corners, within float32 rounding. torchvision always cuts.

    Example:
        >>> import numpy as np
        >>> move_boxes(np.array([0.0, 0.0, 2.0, 1.0], np.float32), matrix=rotation((2, 2), angle=90)).tolist()
        [0.0, 0.0, 1.0, 2.0]
    """
    return upright(move_points(corners_of(boxes), matrix=matrix), extent)


def corners_of(boxes: Array) -> Array:
    """The corners (..., 4, 2) of boxes (..., 4)."""
    boxes = jnp.asarray(boxes)
    return jnp.stack([boxes[..., (2 * i, 2 * j + 1)] for i, j in CORNERS], -2)


def upright(corners: Array, extent: Extents | None) -> jax.Array:
    """The boxes (..., 4) around corners (..., 4, 2), cut to an extent where one is given."""
    low, high = corners.min(-2), corners.max(-2)
    if extent is not None:
        limits = jnp.stack([jnp.asarray(value(n)) for n in reversed(extent)]).astype(low.dtype)
        low, high = jnp.clip(low, 0, limits), jnp.clip(high, 0, limits)
    return jnp.concatenate([low, high], -1)


def multiply(left: Array, right: Array) -> Array:
    """The product of two (3, 3) in float64, which JAX can only differentiate in 64-bit mode if it is a matmul."""
    return (left[:, :, None] * right[None]).sum(1)


def _stack(xp: ModuleType, *rows: tuple[Number, ...]) -> Array:
    return xp.stack([xp.stack([xp.asarray(v, dtype=np.float64) for v in row]) for row in rows]) + 0.0  # no -0


def _adjugate(xp: ModuleType, m: Array) -> Array:
    """The inverse times the determinant."""
    return xp.stack([xp.cross(m[1], m[2]), xp.cross(m[2], m[0]), xp.cross(m[0], m[1])], 1)


def _from_frame(xp: ModuleType, points: Array) -> Array:
    """The map that takes the three axes and their sum to four points (4, 2), up to a factor."""
    points = xp.asarray(points).astype(np.float64)
    columns = xp.concatenate([points, xp.ones_like(points[:, :1])], 1).T  # (3, 4)
    return columns[:, :3] * (_adjugate(xp, columns[:, :3]) * columns[:, 3]).sum(1)
