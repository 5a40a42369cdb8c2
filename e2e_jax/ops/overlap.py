"""How much boxes have in common: intersection over union, and its generalisation to boxes apart."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from e2e_jax.ops.boxes import as_boxes
from e2e_jax.types import Array

# Square pixels; below, a box counts as empty: the derivative needs 1 / area**2, which must fit float32.
LEAST_AREA = 1e-18


def iou(boxes: Array, others: Array) -> jax.Array:
    """Area two boxes share, divided by the area they cover together.

    Args:
        boxes: ``(..., n, 4)``, ``"xyxy"``; n may be 0.
        others: ``(..., m, 4)``, ``"xyxy"``, in the same unit; leading axes broadcast.

    Returns:
        float32 ``(..., n, m)`` in 0..1; 0 where both are empty (torchvision: NaN). Derivatives are finite.

    Raises:
        ConfigError: A last axis is not 4.

    Source:
        torchvision 0.29 ``box_iou``, equal within 1e-6.

    Example:
        >>> import numpy as np
        >>> boxes = np.array([[0, 0, 2, 2]], np.float32)
        >>> iou(boxes, np.array([[0, 0, 2, 4], [5, 5, 6, 6]], np.float32)).tolist()
        [[0.5, 0.0]]
    """
    return edges_iou(*_pairs(boxes, others))


def giou(boxes: Array, others: Array) -> jax.Array:
    """Intersection over union, less the part of the smallest box around both that neither covers.

    Args:
        boxes: ``(..., n, 4)``, ``"xyxy"``; n may be 0.
        others: ``(..., m, 4)``, ``"xyxy"``, in the same unit; leading axes broadcast.

    Returns:
        float32 ``(..., n, m)`` in -1..1; 0 where the box around both is empty. Derivatives are finite.

    Raises:
        ConfigError: A last axis is not 4.

    Source:
        Rezatofighi et al. 2019, "Generalized Intersection over Union"; torchvision 0.29
        ``generalized_box_iou``, equal within 1e-6.

    Example:
        >>> import numpy as np
        >>> boxes = np.array([[0, 0, 1, 1]], np.float32)
        >>> giou(boxes, np.array([[0, 0, 1, 1], [3, 0, 4, 1]], np.float32)).tolist()
        [[1.0, -0.5]]
    """
    a, b = _pairs(boxes, others)
    inter, union = _intersection_and_union(a, b)
    hull = _area(jnp.minimum(a[0], b[0]), jnp.minimum(a[1], b[1]), jnp.maximum(a[2], b[2]), jnp.maximum(a[3], b[3]))
    return _ratio(inter, union) - _ratio(hull - union, hull)


def edges_iou(boxes: Array, others: Array) -> jax.Array:
    """Intersection over union of boxes whose edges lie on the first axis, one pair per place.

    Args:
        boxes: float32 ``(4, ...)``: left, top, right, bottom.
        others: float32 ``(4, ...)``, broadcast against ``boxes``.

    Returns:
        float32 ``(...)``, see `iou`. Long rows of one edge each are what a processor adds and compares fastest.

    Source:
        torchvision 0.29 ``box_iou``.

    Example:
        >>> import numpy as np
        >>> edges_iou(np.array([0, 0, 2, 2], np.float32), np.array([0, 0, 2, 4], np.float32)).tolist()
        0.5
    """
    return _ratio(*_intersection_and_union(jnp.asarray(boxes), jnp.asarray(others)))


def _pairs(boxes: Array, others: Array) -> tuple[jax.Array, jax.Array]:
    """Edges first, then every box against every other."""
    a, b = (jnp.moveaxis(as_boxes(x), -1, 0) for x in (boxes, others))  # (4, ..., n), (4, ..., m)
    return a[..., :, None], b[..., None, :]  # (4, ..., n, 1), (4, ..., 1, m)


def _intersection_and_union(a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Areas; leading axes of ``a`` and ``b`` need not be equally many, so each edge is taken by itself."""
    inter = _area(
        jnp.maximum(a[0], b[0]), jnp.maximum(a[1], b[1]), jnp.minimum(a[2], b[2]), jnp.minimum(a[3], b[3])
    )
    return inter, _area(*a) + _area(*b) - inter


def _area(left: jax.Array, top: jax.Array, right: jax.Array, bottom: jax.Array) -> jax.Array:
    """Nothing where edges are swapped."""
    return jnp.maximum(right - left, jnp.float32(0)) * jnp.maximum(bottom - top, jnp.float32(0))


def _ratio(part: jax.Array, whole: jax.Array) -> jax.Array:
    """0 where there is no whole; the inner choice keeps NaN out of the derivative."""
    some = whole > LEAST_AREA
    return jnp.where(some, part / jnp.where(some, whole, 1.0), 0.0)
