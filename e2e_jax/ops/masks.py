"""Masks of single objects: the boxes around them, pasting into an image, run-length code."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.errors import ConfigError
from e2e_jax.ops.boxes import as_boxes
from e2e_jax.types import Array


def masks_to_boxes(masks: Array) -> jax.Array:
    """Finds the smallest box around each mask.

    Args:
        masks: ``(..., h, w)`` bool, or numbers where all but 0 belongs to the object.

    Returns:
        float32 ``(..., 4)``, ``"xyxy"`` with right and bottom one past the last pixel, so that width and area count
        pixels; zeros for an empty mask.

    Raises:
        ConfigError: The masks have fewer than two axes.

    Source:
        torchvision 0.29 ``masks_to_boxes``, whose right and bottom are the last pixel itself, one less.

    Example:
        >>> import numpy as np
        >>> mask = np.zeros((1, 5, 6), bool)
        >>> mask[0, 2:4, 1] = True
        >>> masks_to_boxes(mask).tolist()
        [[1.0, 2.0, 2.0, 4.0]]
    """
    masks = jnp.asarray(masks)
    if masks.ndim < 2:
        raise ConfigError("masks_to_boxes: masks need rows and columns.", f"shape {masks.shape}", "pass (n, h, w).")
    masks = masks.astype(bool)
    left, right = _span(masks.any(axis=-2))
    top, bottom = _span(masks.any(axis=-1))
    return jnp.stack([left, top, right, bottom], axis=-1).astype(jnp.float32)


def paste_masks(
    masks: Array, boxes: Array, *, size: tuple[int, int], threshold: float | jax.Array | None = None
) -> jax.Array:
    """Scales each object's mask to its box and puts it into an image of zeros.

    Args:
        masks: ``(..., n, h, w)``, probabilities within the box, e.g. 28x28 of Mask R-CNN.
        boxes: ``(..., n, 4)``, ``"xyxy"``, in pixels of the image; they may leave it.
        size: ``(height, width)`` of the image in pixels.
        threshold: Probability from which a pixel belongs to the object; None keeps probabilities.

    Returns:
        ``(..., n, height, width)``, float32, or bool with a ``threshold``; zeros for a box without area.

    Raises:
        ConfigError: Masks and boxes do not belong together.

    Source:
        detectron2 0.6 ``paste_masks_in_image`` without its uint8 path: bilinear at pixel centres, zero outside the
        mask (``grid_sample``, ``align_corners=False``), so that values fade out half a cell around the box.
        torchvision's own function rounds boxes to whole pixels first.

    Example:
        >>> import numpy as np
        >>> mask, box = np.ones((1, 2, 2), np.float32), np.array([[1, 1, 3, 3]], np.float32)
        >>> paste_masks(mask, box, size=(4, 4), threshold=0.5)[0].astype(int).tolist()
        [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    masks, boxes = jnp.asarray(masks).astype(jnp.float32), as_boxes(boxes)
    if masks.ndim < 3 or masks.shape[:-2] != boxes.shape[:-1]:
        received, fix = f"masks {masks.shape}, boxes {boxes.shape}", "pass masks (n, h, w) and boxes (n, 4)."
        raise ConfigError("paste_masks: there must be one box per mask.", received, fix)
    rows = _weights(boxes[..., 1], boxes[..., 3], masks.shape[-2], size[0])  # (..., n, height, h)
    columns = _weights(boxes[..., 0], boxes[..., 2], masks.shape[-1], size[1])  # (..., n, width, w)
    pasted = jnp.einsum("...yh,...hw,...xw->...yx", rows, masks, columns, precision="highest")
    return pasted if threshold is None else pasted >= jnp.asarray(threshold, jnp.float32)


def encode_rle(mask: Array) -> list[int]:
    """Writes a mask as lengths of runs, down one column after the other; on the host.

    Args:
        mask: ``(h, w)`` bool, or numbers where all but 0 belongs to the object.

    Returns:
        Counts of pixels, outside and inside in turn; the first is of outside and may be 0.

    Raises:
        ConfigError: The mask has not two axes.

    Source:
        COCO's uncompressed run-length code: ``{"counts": [...], "size": [h, w]}``, pycocotools 2.0 maskApi.c.

    Example:
        >>> import numpy as np
        >>> encode_rle(np.array([[0, 1], [0, 1], [1, 0]], bool))
        [2, 3, 1]
    """
    mask = np.asarray(mask).astype(bool)
    if mask.ndim != 2:
        raise ConfigError("encode_rle: a mask has rows and columns.", f"shape {mask.shape}", "pass (h, w).")
    pixels = mask.ravel(order="F")
    starts = np.flatnonzero(np.diff(pixels, prepend=False))  # where inside and outside change over
    return np.diff(starts, prepend=0, append=pixels.size).tolist()


def decode_rle(counts: Sequence[int], *, size: tuple[int, int]) -> np.ndarray:
    """Reads what `encode_rle` wrote; on the host.

    Args:
        counts: Counts of pixels, outside and inside in turn, down one column after the other.
        size: ``(height, width)`` of the mask in pixels.

    Returns:
        bool ``(height, width)``.

    Raises:
        ConfigError: The counts are not whole numbers from 0, or do not add up to the size.

    Source:
        COCO's uncompressed run-length code, pycocotools 2.0 maskApi.c. Compressed counts, a string, are refused.

    Example:
        >>> decode_rle([2, 3, 1], size=(3, 2)).astype(int).tolist()
        [[0, 1], [0, 1], [1, 0]]
    """
    height, width = size
    whole = all(isinstance(n, int | np.integer) and n >= 0 for n in counts)
    if not whole or sum(counts) != height * width:
        fix = "pass the counts and the size of one COCO annotation; compressed counts need pycocotools."
        received = f"counts={str(counts)[:60]}, size={size}"
        raise ConfigError("decode_rle: counts must be whole and add up to height times width.", received, fix)
    inside = np.arange(len(counts)) % 2 == 1
    return np.repeat(inside, np.asarray(counts, np.int64)).reshape(height, width, order="F")


def _span(hit: jax.Array) -> tuple[jax.Array, jax.Array]:
    """First place hit and one past the last, along the last axis; 0 and 0 where there is none."""
    length = hit.shape[-1]
    places = jnp.arange(length, dtype=jnp.int32)
    first = jnp.min(jnp.where(hit, places, length), axis=-1, initial=length)
    return jnp.where(hit.any(axis=-1), first, 0), jnp.max(jnp.where(hit, places + 1, 0), axis=-1, initial=0)


def _weights(first: jax.Array, last: jax.Array, cells: int, length: int) -> jax.Array:
    """Share of each cell (last axis) in each pixel: bilinear weights as a matrix, without one gather per pixel."""
    extent = (last - first)[..., None]
    centers = jnp.arange(length, dtype=jnp.float32) + 0.5 - first[..., None]  # (..., length), from the box's edge
    position = centers * cells / jnp.where(extent > 0, extent, 1.0) - 0.5  # in cells
    distance = jnp.abs(position[..., None] - jnp.arange(cells, dtype=jnp.float32))
    return jnp.where(extent[..., None] > 0, jnp.maximum(1 - distance, 0.0), 0.0)
