"""Boxes as numbers: their formats, their area, and which of them an image of a given size can hold."""

from __future__ import annotations

from typing import Literal, get_args

import jax
import jax.numpy as jnp

from e2e_jax.errors import ConfigError
from e2e_jax.ops.exact import Number
from e2e_jax.ops.sizes import Extents, value
from e2e_jax.types import Array

Format = Literal["xyxy", "xywh", "cxcywh", "xyxy_normalized", "xywh_normalized", "cxcywh_normalized"]
FORMATS: tuple[str, ...] = get_args(Format)
NORMALIZED = "_normalized"  # in units of the image's width and height instead of pixels


def convert(boxes: Array, *, source: Format, target: Format, size: Extents | None = None) -> jax.Array:
    """Changes how boxes are written down.

    Args:
        boxes: ``(..., 4)`` in the ``source`` format.
        source: ``"xyxy"`` (left, top, right, bottom), ``"xywh"`` (left, top, width, height) or ``"cxcywh"``
            (centre, width, height), in pixels; with the suffix ``"_normalized"`` in 0..1 of the image's width and
            height.
        target: Likewise.
        size: ``(height, width)`` of the image in pixels; needed from pixels to normalized and back.

    Returns:
        float32 ``(..., 4)``.

    Raises:
        ConfigError: A format is unknown, ``size`` is missing, or the last axis is not 4.

    Source:
        torchvision 0.29 ``box_convert``: through ``"xyxy"`` where neither format is it. Normalized formats as in
        YOLO's label files and Albumentations.

    Example:
        >>> import numpy as np
        >>> boxes = np.array([[10, 20, 30, 60]], np.float32)
        >>> convert(boxes, source="xyxy", target="cxcywh").tolist()
        [[20.0, 40.0, 20.0, 40.0]]
        >>> convert(boxes, source="xyxy", target="xywh_normalized", size=(80, 160)).tolist()
        [[0.0625, 0.25, 0.125, 0.5]]
    """
    boxes = as_boxes(boxes)
    old, new = _known("source", source), _known("target", target)
    before, after = source.endswith(NORMALIZED), target.endswith(NORMALIZED)
    if before != after and size is None:
        received = f"source={source!r}, target={target!r}, size=None"
        raise ConfigError(
            "convert: normalized boxes need the image's size.", received, "pass size=(height, width) in pixels."
        )
    if before and not after:
        boxes = boxes * _edges(size)
    boxes = boxes if old == new else _FROM_CORNERS[new](_TO_CORNERS[old](boxes))
    return boxes / _edges(size) if after and not before else boxes


def area(boxes: Array) -> jax.Array:
    """Width times height.

    Args:
        boxes: ``(..., 4)``, ``"xyxy"``.

    Returns:
        float32 ``(...)``; the sign means nothing where edges are swapped.

    Raises:
        ConfigError: The last axis is not 4.

    Source:
        torchvision 0.29 ``box_area``.

    Example:
        >>> import numpy as np
        >>> area(np.array([[10, 20, 30, 60]], np.float32)).tolist()
        [800.0]
    """
    boxes = as_boxes(boxes)
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def clamp(boxes: Array, *, size: Extents) -> jax.Array:
    """Moves every edge that lies outside the image onto its border.

    Args:
        boxes: ``(..., 4)``, ``"xyxy"``, in pixels.
        size: ``(height, width)`` of the image in pixels.

    Returns:
        float32 ``(..., 4)``; a box wholly outside keeps a side of 0, see `sanitize`. NaN stays NaN.

    Raises:
        ConfigError: The last axis is not 4.

    Source:
        torchvision 0.29 ``clip_boxes_to_image``.

    Example:
        >>> import numpy as np
        >>> clamp(np.array([[-5, 20, 30, 60]], np.float32), size=(50, 100)).tolist()
        [[0.0, 20.0, 30.0, 50.0]]
    """
    boxes = as_boxes(boxes)
    return jnp.minimum(jnp.maximum(boxes, jnp.float32(0)), _edges(size))


def sanitize(
    boxes: Array,
    *,
    size: Extents,
    min_size: Number = 1.0,
    min_area: Number = 1.0,
    valid: Array | None = None,
) -> jax.Array:
    """Says which boxes are worth keeping: finite, inside the image, and large enough.

    Args:
        boxes: ``(..., 4)``, ``"xyxy"``, in pixels.
        size: ``(height, width)`` of the image in pixels; an edge may lie on its border.
        min_size: Least width and height, in pixels.
        min_area: Least area, in square pixels.
        valid: bool ``(...)``, boxes to consider at all; None means all.

    Returns:
        bool ``(...)``; the number of boxes does not change, so shapes stay known.

    Raises:
        ConfigError: The last axis is not 4.

    Source:
        torchvision 0.29 ``sanitize_bounding_boxes``, whose mask this is.

    Example:
        >>> import numpy as np
        >>> boxes = np.array([[0, 0, 9, 9], [3, 3, 3.5, 9], [0, 0, 9, np.nan]], np.float32)
        >>> sanitize(boxes, size=(10, 10)).tolist()
        [True, False, False]
    """
    boxes = as_boxes(boxes)
    sides = boxes[..., 2:] - boxes[..., :2]
    inside = jnp.all((boxes >= 0) & (boxes <= _edges(size)), axis=-1)  # false for NaN
    large = jnp.all(sides >= _float(min_size), axis=-1) & (sides[..., 0] * sides[..., 1] >= _float(min_area))
    kept = inside & large
    return kept if valid is None else kept & jnp.asarray(valid, bool)


def as_boxes(boxes: Array) -> jax.Array:
    """Checks the last axis and takes any number for float32.

    Args:
        boxes: ``(..., 4)`` of any dtype.

    Returns:
        float32 ``(..., 4)``.

    Raises:
        ConfigError: The last axis is not 4.

    Source:
        This project: overlaps in half precision would be too coarse to rank.

    Example:
        >>> import numpy as np
        >>> as_boxes(np.array([1, 2, 3, 4])).tolist()
        [1.0, 2.0, 3.0, 4.0]
    """
    boxes = jnp.asarray(boxes)
    if boxes.ndim == 0 or boxes.shape[-1] != 4:
        fix = "pass four numbers per box, e.g. an array of shape (n, 4)."
        raise ConfigError("boxes: the last axis must have length 4.", f"shape {boxes.shape}", fix)
    return boxes.astype(jnp.float32)


def _known(name: str, given: str) -> str:
    """The format without its unit."""
    if given not in FORMATS:
        fix = f"pass one of {', '.join(map(repr, FORMATS))}."
        raise ConfigError(f"convert: {name} must be a known box format.", f"{name}={given!r}", fix)
    return given.removesuffix(NORMALIZED)


def _edges(size: Extents | None) -> jax.Array:
    """The greatest left, top, right, bottom: (4,)."""
    assert size is not None
    height, width = (_float(value(length)) for length in size)
    return jnp.stack([width, height, width, height])


def _float(number: Number) -> jax.Array:
    return jnp.asarray(number).astype(jnp.float32)


def _halves(boxes: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Two numbers for x and y, then two more."""
    return boxes[..., :2], boxes[..., 2:]


def _from_xywh(boxes: jax.Array) -> jax.Array:
    corner, sides = _halves(boxes)
    return jnp.concatenate([corner, corner + sides], axis=-1)


def _from_cxcywh(boxes: jax.Array) -> jax.Array:
    center, sides = _halves(boxes)
    return jnp.concatenate([center - sides * 0.5, center + sides * 0.5], axis=-1)


def _to_xywh(boxes: jax.Array) -> jax.Array:
    first, last = _halves(boxes)
    return jnp.concatenate([first, last - first], axis=-1)


def _to_cxcywh(boxes: jax.Array) -> jax.Array:
    first, last = _halves(boxes)
    return jnp.concatenate([(first + last) * 0.5, last - first], axis=-1)


def _unchanged(boxes: jax.Array) -> jax.Array:
    return boxes


_TO_CORNERS = {"xyxy": _unchanged, "xywh": _from_xywh, "cxcywh": _from_cxcywh}
_FROM_CORNERS = {"xyxy": _unchanged, "xywh": _to_xywh, "cxcywh": _to_cxcywh}
