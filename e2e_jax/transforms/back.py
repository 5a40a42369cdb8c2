"""The way back from what a pipeline made to the photo it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from e2e_jax.errors import ImageError
from e2e_jax.ops.matrices import compose, invert, move_boxes, move_points
from e2e_jax.ops.placement import Part
from e2e_jax.ops.sizes import Extents
from e2e_jax.transforms.notes import in_step
from e2e_jax.types import Array

PARTS: dict[int, Part] = {2: "keypoints", 4: "boxes"}  # by the length of their last axis


def inverse(steps: Sequence[Any], points: Array, size: Extents) -> jax.Array:
    """See `Transform.inverse`."""
    part = PARTS.get(np.shape(points)[-1] if np.ndim(points) else 0)
    if part is None:
        fix = "pass key points (..., 2) or boxes (..., 4) in pixels of the result."
        raise ImageError(
            "inverse: the last axis must be x, y or left, top, right, bottom.", f"{np.shape(points)}", fix
        )
    back = invert(way(steps, size, part))
    points = jax.numpy.asarray(points, jax.numpy.float32)
    return move_boxes(points, matrix=back, extent=size) if part == "boxes" else move_points(points, matrix=back)


def way(steps: Sequence[Any], size: Extents, part: Part) -> Array:
    """``(3, 3)`` float64 from the result of all steps to an image of ``size``."""
    matrix: Array = np.eye(3)
    for number, step in enumerate(steps):
        with in_step(number, step, f"{size[0]}x{size[1]}"):
            one, size = step.placement(size, part)
        matrix = compose(matrix, one)
    return matrix
