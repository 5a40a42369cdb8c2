"""Suppression against stored torchvision, installed OpenCV and a plain NumPy loop; ties, NaN, no boxes, export."""

from __future__ import annotations

import functools

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from e2e_jax.errors import ConfigError
from e2e_jax.ops.nms import batched_nms, nms
from e2e_jax.ops.overlap import iou

SPREAD = np.array([[0, 0, 9, 9], [20, 0, 29, 9], [40, 0, 49, 9], [60, 0, 69, 9]], np.float32)  # all apart


def scene(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes that overlap often, scores with many ties, a few classes."""
    rng = np.random.default_rng(seed)
    corner = rng.integers(0, 40, (n, 2))
    boxes = np.concatenate([corner, corner + rng.integers(5, 25, (n, 2))], axis=-1).astype(np.float32)
    return boxes, rng.integers(0, 12, n).astype(np.float32) / 16, rng.integers(0, 3, n).astype(np.int32)


def by_numpy(boxes, scores, threshold, classes=None, valid=None) -> list[int]:
    """Every pair looked at, one box after the other."""
    valid = np.ones(len(boxes), bool) if valid is None else valid
    overlaps = np.asarray(iou(boxes, boxes))
    chosen: list[int] = []
    for i in sorted(np.flatnonzero(valid & ~np.isnan(scores)), key=lambda i: (-scores[i], i)):
        rivals = [j for j in chosen if classes is None or classes[i] == classes[j]]
        if all(overlaps[i, j] <= threshold for j in rivals):
            chosen.append(int(i))
    return chosen


def indices(result) -> list[int]:
    """The chosen ones, after checking the padding."""
    chosen, count = result
    assert chosen.dtype == count.dtype == jnp.int32
    assert int(count) <= len(chosen)
    assert np.all(chosen[int(count) :] == -1)
    return chosen[: int(count)].tolist()


@pytest.mark.parametrize("threshold", [0.4, 0.7])
def test_nms_chooses_as_torchvision(stored, threshold):
    them = stored("torchvision_boxes")
    want = them[f"nms_{threshold}"].tolist()
    call = functools.partial(nms, them["boxes"], them["scores"], iou_threshold=threshold)
    assert 50 < len(want) < 300
    assert indices(call(max_detections=300)) == want
    assert indices(call(max_detections=20)) == want[:20]


def test_batched_nms_chooses_as_torchvision(stored):
    them = stored("torchvision_boxes")
    got = batched_nms(them["boxes"], them["scores"], them["classes"], iou_threshold=0.5, max_detections=300)
    assert indices(got) == them["batched_nms_0.5"].tolist()


@pytest.mark.parametrize("seed", range(4))
def test_nms_chooses_as_opencv(seed):
    boxes, _, classes = scene(80, seed)
    scores = (
        np.random.default_rng(seed).permutation(80).astype(np.float32) + 1
    )  # no ties: OpenCV's order is its own
    corners = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=-1).astype(np.float64)
    plain = cv2.dnn.NMSBoxes(corners, scores, 0, 0.45)
    apart = cv2.dnn.NMSBoxesBatched(corners, scores, classes, 0, 0.45)
    assert indices(nms(boxes, scores, iou_threshold=0.45, max_detections=80)) == list(plain)
    assert indices(batched_nms(boxes, scores, classes, iou_threshold=0.45, max_detections=80)) == list(apart)
    assert 5 < len(plain) < len(apart) < 80


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("threshold", [0.0, 0.3, 1.0])
def test_ties_and_doubtful_scores_as_a_plain_loop(seed, threshold):
    boxes, scores, classes = scene(60, seed)
    scores[::7], scores[3], scores[4] = np.nan, np.inf, -np.inf
    valid = np.random.default_rng(seed).random(60) < 0.8
    options = {"iou_threshold": threshold, "max_detections": 60}
    assert indices(nms(boxes, scores, **options)) == by_numpy(boxes, scores, threshold)
    got = batched_nms(boxes, scores, classes, valid=valid, **options)
    assert indices(got) == by_numpy(boxes, scores, threshold, classes, valid)


def test_equal_scores_go_by_index():
    scores = np.array([0.5, 0.9, 0.5, 0.9], np.float32)
    assert indices(nms(SPREAD, scores, iou_threshold=0.5, max_detections=4)) == [1, 3, 0, 2]
    signed = np.array([-0.0, 0.0, -0.0, 0.0], np.float32)
    assert indices(nms(SPREAD, signed, iou_threshold=0.5, max_detections=3)) == [0, 1, 2]


def test_a_box_at_the_threshold_stays():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 4]], np.float32)  # 2 / 5 in common
    scores = np.array([1, 0.5], np.float32)
    assert indices(nms(boxes, scores, iou_threshold=0.4, max_detections=2)) == [0, 1]
    assert indices(nms(boxes, scores, iou_threshold=0.3999, max_detections=2)) == [0]


def test_classes_far_from_zero_stay_apart():
    boxes = np.array([[1e6, 0, 1e6 + 8, 8], [1e6, 0, 1e6 + 8, 7], [1e6, 0, 1e6 + 8, 6]], np.float32)
    classes = np.array([-(2**30), 2**30, 2**30 + 1], np.int32)  # the last two are one number in float32
    got = batched_nms(boxes, np.array([1, 2, 3]), classes, iou_threshold=0.1, max_detections=3)
    assert indices(got) == [2, 1, 0]


@pytest.mark.parametrize("boxes", [SPREAD[:0], SPREAD], ids=["no boxes", "none valid"])
def test_nothing_to_choose(boxes):
    scores, none = np.zeros(len(boxes), np.float32), np.zeros(len(boxes), bool)
    assert indices(nms(boxes, scores, iou_threshold=0.5, max_detections=3, valid=none)) == []
    assert indices(nms(boxes, scores * np.nan, iou_threshold=0.5, max_detections=3)) == []
    got = batched_nms(boxes, scores, none.astype(int), iou_threshold=0.5, max_detections=3, valid=none)
    assert got[0].tolist() == [-1, -1, -1]
    assert indices(got) == []


def test_batches_thresholds_and_export():
    batch = [np.stack(x) for x in zip(scene(40, 1), scene(40, 2), scene(40, 3), strict=True)]

    def program(boxes, scores, classes, threshold):
        call = functools.partial(batched_nms, iou_threshold=threshold, max_detections=27)
        return jax.vmap(call)(boxes, scores, classes)

    rows = jax.export.symbolic_shape("b, n")
    shapes = [jax.ShapeDtypeStruct((*rows, *x.shape[2:]), x.dtype) for x in batch]
    exported = jax.export.export(jax.jit(program))(*shapes, jax.ShapeDtypeStruct((), jnp.float32))
    for threshold in (0.6, 0.05):
        chosen, counts = exported.call(*batch, np.float32(threshold))
        for k, (boxes, scores, classes) in enumerate(zip(*batch, strict=True)):
            want = by_numpy(boxes, scores, np.float32(threshold), classes)[:27]
            assert indices((chosen[k], counts[k])) == want
    assert len(set(counts.tolist())) > 1  # the loops of a batch end at different times


def test_derivatives_pass_through_what_was_chosen():
    def best(boxes, scores):
        chosen, _ = nms(boxes, scores, iou_threshold=0.5, max_detections=2)
        return scores[chosen].sum() + boxes[chosen[0], 2]

    scores = np.array([0.1, 0.9, 0.2, 0.8], np.float32)
    by_box, by_score = jax.grad(best, (0, 1))(SPREAD, scores)
    assert by_score.tolist() == [0, 1, 0, 1]
    assert np.argwhere(by_box).tolist() == [[1, 2]]


WRONG = {
    "a batch": ({"boxes": SPREAD[None]}, "(1, 4, 4)"),
    "scores": ({"scores": np.zeros(3, np.float32)}, "scores (3,)"),
    "valid": ({"valid": np.ones((4, 1), bool)}, "valid (4, 1)"),
    "room": ({"max_detections": 0}, "max_detections=0"),
    "half": ({"max_detections": 2.5}, "max_detections=2.5"),
    "percent": ({"iou_threshold": 50}, "iou_threshold=50"),
}


@pytest.mark.parametrize(("change", "received"), WRONG.values(), ids=WRONG)
def test_nms_refuses(change, received):
    given = {"boxes": SPREAD, "scores": np.zeros(4, np.float32), "iou_threshold": 0.5, "max_detections": 4} | change
    with pytest.raises(ConfigError, match="^nms: ") as error:
        nms(given.pop("boxes"), given.pop("scores"), **given)
    assert received in error.value.received


def test_batched_nms_refuses_classes_of_another_length():
    with pytest.raises(ConfigError, match=r"^batched_nms: ") as error:
        batched_nms(SPREAD, np.zeros(4), np.zeros(5, int), iou_threshold=0.5, max_detections=4)
    assert "classes (5,)" in error.value.received
