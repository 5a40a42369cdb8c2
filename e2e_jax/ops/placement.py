"""Where the axes of an image come from once they are edited, as a 3x3 map that boxes and key points take too."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.ops.axis import Axis, Select
from e2e_jax.ops.plans import Geometry
from e2e_jax.ops.sizes import Size, is_static, value
from e2e_jax.types import Array

type Part = Literal["boxes", "keypoints"]


def placement(geometry: Geometry, *, part: Part) -> Array:
    """The map from output to source coordinates of a geometry, as those of `e2e_jax.ops.matrices`.

    Args:
        geometry: Edits of rows and columns.
        part: ``"boxes"`` lie between pixels: x runs from 0 to W, a mirror makes it W - x. ``"keypoints"`` name
            pixels: x runs from 0 to W - 1, a mirror makes it W - 1 - x. Scales multiply both.

    Returns:
        ``(3, 3)`` float64 for column vectors (x, y, 1) in pixels; a NumPy array where all sizes are known.

    Source:
        torchvision 0.29, ``horizontal_flip_bounding_boxes``, ``horizontal_flip_keypoints`` and their kin.

    Example:
        >>> from e2e_jax.ops.selections import flip_plan
        >>> mirrored = flip_plan("horizontal")(Geometry.of(4, 6))
        >>> [placement(mirrored, part=part)[0].tolist() for part in ("boxes", "keypoints")]
        [[-1.0, 0.0, 6.0], [-1.0, 0.0, 5.0]]
    """
    with jax.enable_x64(True):
        (sx, ox), (sy, oy) = (_axis_map(axis, part) for axis in (geometry.cols, geometry.rows))
        rows = ((sx, 0.0, ox), (0.0, sy, oy), (0.0, 0.0, 1.0))
        xp = jnp if any(isinstance(entry, jax.Array) for row in rows for entry in row) else np
        return xp.stack([xp.stack([xp.asarray(entry, np.float64) for entry in row]) for row in rows])


def _axis_map(axis: Axis, part: Part) -> tuple[Array, Array]:
    """Scale and offset of source = scale * output + offset."""
    scale: Array = np.float64(1)
    offset: Array = np.float64(0)
    for edit in reversed(axis.edits):
        if isinstance(edit, Select):
            step, first = _real(edit.step), _real(edit.offset)
            first = (
                first + (1 - step) / 2 if part == "boxes" else first
            )  # a mirrored box starts past the last pixel
            scale, offset = step * scale, step * offset + first
        else:
            ratio = _real(edit.step.scaling.source) / _real(edit.step.scaling.target)
            scale, offset = ratio * scale, ratio * offset
    return scale, offset


def _real(size: Size) -> Array:
    return np.float64(size) if is_static(size) else jnp.asarray(value(size)).astype(jnp.float64)
