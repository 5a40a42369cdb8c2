"""Non-maximum suppression: of boxes that overlap too much, only the one with the best score stays."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from e2e_jax.errors import ConfigError
from e2e_jax.ops.boxes import as_boxes
from e2e_jax.ops.exact import Number
from e2e_jax.ops.overlap import edges_iou
from e2e_jax.types import Array

NONE = -1  # stands where no box was left to choose


def nms(
    boxes: Array, scores: Array, *, iou_threshold: Number, max_detections: int, valid: Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """Chooses boxes by falling score, each time dropping those that overlap the chosen one.

    Args:
        boxes: ``(n, 4)``, ``"xyxy"``; n may be 0. For a batch, `jax.vmap`.
        scores: ``(n,)``; equal scores go by index, NaN is never chosen.
        iou_threshold: A box goes when its intersection over union with a chosen one is greater, in float32.
        max_detections: Most boxes to choose, at least 1.
        valid: bool ``(n,)``, boxes to consider at all; None means all.

    Returns:
        Indices into ``boxes``, int32 ``(max_detections,)``, filled up with -1, and their number, int32 ``()``.

    Raises:
        ConfigError: Shapes do not fit, or a number is out of range.

    Source:
        torchvision 0.29 ``nms``: the same boxes in the same order, as far as there is room.

    Example:
        >>> import numpy as np
        >>> boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [20, 0, 30, 10]], np.float32)
        >>> chosen, count = nms(boxes, np.array([0.8, 0.9, 0.1]), iou_threshold=0.5, max_detections=4)
        >>> chosen.tolist(), int(count)
        ([1, 2, -1, -1], 2)
    """
    return _suppress("nms", boxes, scores, None, iou_threshold, max_detections, valid)


def batched_nms(
    boxes: Array,
    scores: Array,
    classes: Array,
    *,
    iou_threshold: Number,
    max_detections: int,
    valid: Array | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Likewise, where only boxes of the same class drop one another.

    Args:
        boxes: ``(n, 4)``, ``"xyxy"``; n may be 0. For a batch, `jax.vmap`.
        scores: ``(n,)``; equal scores go by index, NaN is never chosen.
        classes: ``(n,)``, any integers.
        iou_threshold: A box goes when its intersection over union with a chosen one is greater, in float32.
        max_detections: Most boxes to choose in all classes together, at least 1.
        valid: bool ``(n,)``, boxes to consider at all; None means all.

    Returns:
        Indices into ``boxes``, int32 ``(max_detections,)``, filled up with -1, and their number, int32 ``()``.

    Raises:
        ConfigError: Shapes do not fit, or a number is out of range.

    Source:
        torchvision 0.29 ``batched_nms``; classes are compared, where torchvision moves each class to coordinates of
        its own and loses digits.

    Example:
        >>> import numpy as np
        >>> boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 8]], np.float32)
        >>> scores, classes = np.array([0.8, 0.9, 0.1]), np.array([3, 7, 7])
        >>> batched_nms(boxes, scores, classes, iou_threshold=0.5, max_detections=3)[0].tolist()
        [1, 0, -1]
    """
    return _suppress("batched_nms", boxes, scores, classes, iou_threshold, max_detections, valid)


def _suppress(
    name: str,
    boxes: Array,
    scores: Array,
    classes: Array | None,
    threshold: Number,
    most: int,
    valid: Array | None,
) -> tuple[jax.Array, jax.Array]:
    boxes, scores = as_boxes(boxes), jnp.asarray(scores).astype(jnp.float32)
    _check(name, boxes, {"scores": scores, "classes": classes, "valid": valid}, threshold, most)
    if boxes.shape[0] == 0:
        return jnp.full(most, NONE, jnp.int32), jnp.int32(0)
    alive = ~jnp.isnan(scores) if valid is None else ~jnp.isnan(scores) & jnp.asarray(valid, bool)
    order = jnp.argsort(scores, descending=True, stable=True).astype(jnp.int32)
    kinds = None if classes is None else jnp.asarray(classes)[order]
    chosen, count = _greedy(boxes[order].T, kinds, alive[order], jnp.asarray(threshold, jnp.float32), most)
    return jnp.where(chosen == NONE, NONE, order[chosen]), count


def _greedy(
    edges: jax.Array, kinds: jax.Array | None, alive: jax.Array, threshold: jax.Array, most: int
) -> tuple[jax.Array, jax.Array]:
    """Boxes come sorted, so the best one left is the first one left: one row of overlaps per step."""
    type State = tuple[jax.Array, jax.Array, jax.Array, jax.Array]
    places = jnp.arange(alive.shape[0], dtype=jnp.int32)
    end = jnp.int32(alive.shape[0])

    def first(alive: jax.Array) -> jax.Array:
        return jnp.min(jnp.where(alive, places, end))  # a plain minimum is many times faster than argmax

    def more(state: State) -> jax.Array:
        _, _, best, count = state
        return (best < end) & (count < most)

    def step(state: State) -> State:
        alive, chosen, best, count = state
        same = edges_iou(edges[:, best, None], edges) > threshold  # (4, 1) with (4, n)
        if kinds is not None:
            same &= kinds == kinds[best]
        alive &= ~same & (places > best)
        return alive, chosen.at[count].set(best), first(alive), count + 1

    start = alive, jnp.full(most, NONE, jnp.int32), first(alive), jnp.int32(0)
    _, chosen, _, count = jax.lax.while_loop(more, step, start)
    return chosen, count


def _check(name: str, boxes: jax.Array, rows: dict[str, Array | None], threshold: Number, most: int) -> None:
    for row, values in rows.items():
        if boxes.ndim != 2 or (values is not None and jnp.shape(values) != boxes.shape[:1]):
            received = f"boxes {boxes.shape}, {row} {jnp.shape(values) if values is not None else None}"
            fix = "pass boxes (n, 4) with one of each per box, and jax.vmap over a batch."
            raise ConfigError(f"{name}: boxes and {row} must belong together.", received, fix)
    if not isinstance(most, int) or most < 1:
        fix = "pass the most boxes you need, e.g. 100."
        raise ConfigError(f"{name}: max_detections must be an int of at least 1.", f"max_detections={most!r}", fix)
    if isinstance(threshold, int | float) and not 0 <= threshold <= 1:
        fix = "pass a ratio, e.g. 0.5."
        raise ConfigError(f"{name}: iou_threshold must be in 0..1.", f"iou_threshold={threshold!r}", fix)
