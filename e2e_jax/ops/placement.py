"""Where boxes and key points go when the axes of their image are edited, as 3x3 maps of (x, y, 1)."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.ops.axis import Axis, Select, Size, is_static, value
from e2e_jax.ops.plans import Geometry
from e2e_jax.types import Array

type Part = Literal["boxes", "keypoints"]


def placement(geometry: Geometry, *, part: Part) -> jax.Array:
    """The map from source to output coordinates of a geometry.

    Args:
        geometry: Edits of rows and columns.
        part: ``"boxes"`` lie between pixels: x runs from 0 to W, a mirror makes it W - x. ``"keypoints"`` name
            pixels: x runs from 0 to W - 1, a mirror makes it W - 1 - x. Scales multiply both.

    Returns:
        ``(3, 3)`` float32, for column vectors (x, y, 1) in pixels.

    Source:
        torchvision 0.29, ``horizontal_flip_bounding_boxes``, ``horizontal_flip_keypoints`` and their kin.

    Example:
        >>> from e2e_jax.ops.selections import flip_plan
        >>> mirrored = flip_plan("horizontal")(Geometry.of(4, 6))
        >>> [placement(mirrored, part=part)[0].tolist() for part in ("boxes", "keypoints")]
        [[-1.0, 0.0, 6.0], [-1.0, 0.0, 5.0]]
    """
    (sx, ox), (sy, oy) = (_axis_map(axis, part) for axis in (geometry.cols, geometry.rows))
    rows = ((sx, 0.0, ox), (0.0, sy, oy), (0.0, 0.0, 1.0))
    return jnp.stack([jnp.stack([jnp.asarray(entry, jnp.float32) for entry in row]) for row in rows])


def _axis_map(axis: Axis, part: Part) -> tuple[Array, Array]:
    """Scale and offset of output = scale * source + offset."""
    scale: Array = np.float64(1)
    offset: Array = np.float64(0)
    for edit in axis.edits:
        if isinstance(edit, Select):
            step, first = _real(edit.step), _real(edit.offset)
            first = (
                first + (1 - step) / 2 if part == "boxes" else first
            )  # a mirrored box starts past the last pixel
            scale, offset = scale * step, (offset - first) * step
        else:
            ratio = _real(edit.target) / _real(edit.source)
            scale, offset = scale * ratio, offset * ratio
    return scale, offset


def _real(size: Size) -> Array:
    return np.float64(size) if is_static(size) else jnp.asarray(value(size)).astype(jnp.float32)
