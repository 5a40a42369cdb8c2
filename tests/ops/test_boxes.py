"""Boxes and their overlaps against hand-worked numbers and stored torchvision; empty sets, export, derivatives."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from e2e_jax.errors import ConfigError
from e2e_jax.ops.boxes import FORMATS, area, clamp, convert, sanitize
from e2e_jax.ops.overlap import edges_iou, giou, iou

SIZE = (50, 200)  # height, width
SAME = {  # two boxes, by hand
    "xyxy": [[10, 20, 40, 25], [0, 0, 200, 50]],
    "xywh": [[10, 20, 30, 5], [0, 0, 200, 50]],
    "cxcywh": [[25, 22.5, 30, 5], [100, 25, 200, 50]],
    "xyxy_normalized": [[0.05, 0.4, 0.2, 0.5], [0, 0, 1, 1]],
    "xywh_normalized": [[0.05, 0.4, 0.15, 0.1], [0, 0, 1, 1]],
    "cxcywh_normalized": [[0.125, 0.45, 0.15, 0.1], [0.5, 0.5, 1, 1]],
}


def boxes_of(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 30, (n, 2))
    return np.concatenate([corner, corner + rng.uniform(1, 25, (n, 2))], axis=-1).astype(np.float32)


def by_counting(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """IoU and GIoU of two boxes with whole edges, from the pixels they cover."""
    ys, xs = np.mgrid[:60, :60]
    first, second = ((xs >= x0) & (xs < x1) & (ys >= y0) & (ys < y1) for x0, y0, x1, y1 in (a, b))
    both, either = (first & second).sum(), (first | second).sum()
    hull = np.ptp(np.sort([a[[0, 2]], b[[0, 2]]], None)) * np.ptp(np.sort([a[[1, 3]], b[[1, 3]]], None))
    return both / either, both / either - (hull - either) / hull


@pytest.mark.parametrize(("source", "target"), list(itertools.product(FORMATS, FORMATS)))
def test_formats_are_the_same_boxes(source, target):
    given = np.array(SAME[source], np.float32)
    got = jax.jit(lambda boxes: convert(boxes, source=source, target=target, size=SIZE))(given)
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, SAME[target], rtol=1e-6, atol=1e-6)


def test_convert_takes_traced_sizes_leading_axes_and_no_boxes():
    boxes = boxes_of(6).reshape(2, 3, 4)
    normal = jax.jit(lambda b, h, w: convert(b, source="xyxy", target="xyxy_normalized", size=(h, w)))
    np.testing.assert_allclose(normal(boxes, 64, 32.0), boxes / np.float32([32, 64, 32, 64]), rtol=1e-6)
    assert convert(np.zeros((5, 0, 4), np.float32), source="xywh", target="cxcywh").shape == (5, 0, 4)


def test_one_format_leaves_boxes_exactly_alone():
    boxes = boxes_of(9)
    np.testing.assert_array_equal(convert(boxes, source="cxcywh", target="cxcywh"), boxes)


@pytest.mark.parametrize(
    ("source", "target", "received"),
    [
        ("yxyx", "xyxy", "source='yxyx'"),
        ("xyxy", "XYWH", "target='XYWH'"),
        ("xywh", "xywh_normalized", "size=None"),
    ],
)
def test_convert_refuses(source, target, received):
    with pytest.raises(ConfigError) as error:
        convert(boxes_of(1), source=source, target=target)
    assert received in error.value.received


@pytest.mark.parametrize("call", [area, lambda b: clamp(b, size=SIZE), lambda b: iou(boxes_of(1), b)])
def test_boxes_have_four_numbers(call):
    with pytest.raises(ConfigError, match="last axis") as error:
        call(np.zeros((2, 5), np.float32))
    assert "(2, 5)" in error.value.received


def test_area_is_width_times_height():
    np.testing.assert_array_equal(area(np.array([SAME["xyxy"]], np.int32)), [[150, 10000]])


def test_clamp_stops_each_edge_at_its_own_border():
    boxes = np.array([[-3, -4, 300, 400], [250, 60, 260, 70], [5, 6, 7, 8], [np.nan, -1, 1, 2]], np.float32)
    want = [[0, 0, 200, 50], [200, 50, 200, 50], [5, 6, 7, 8], [np.nan, 0, 1, 2]]
    np.testing.assert_array_equal(jax.jit(clamp)(boxes, size=SIZE), want)


SUSPECTS = {
    "whole image": ([0, 0, 200, 50], True),
    "just large enough": ([1, 1, 3, 4], True),
    "too narrow": ([1, 1, 2.9, 40], False),
    "too low": ([1, 1, 40, 2.9], False),
    "too small an area": ([1, 1, 3, 3.5], False),
    "swapped": ([20, 20, 10, 10], False),
    "left of the image": ([-0.1, 1, 9, 9], False),
    "above": ([1, -0.1, 9, 9], False),
    "right of it": ([1, 1, 200.5, 9], False),
    "below": ([1, 1, 60, 50.5], False),
    "not a number": ([1, 1, np.nan, 9], False),
    "endless": ([1, 1, np.inf, 9], False),
}


@pytest.mark.parametrize(("box", "kept"), SUSPECTS.values(), ids=SUSPECTS)
def test_sanitize_keeps_what_an_image_can_hold(box, kept):
    call = jax.jit(lambda b, least: sanitize(b, size=SIZE, min_size=least, min_area=6))
    assert call(np.array([box], np.float32), 2.0).tolist() == [kept]


def test_sanitize_counts_only_valid_boxes():
    boxes = np.array(SAME["xyxy"], np.float32)
    assert sanitize(boxes, size=SIZE, valid=np.array([False, True])).tolist() == [False, True]
    assert sanitize(boxes[:0], size=SIZE).shape == (0,)


@pytest.mark.parametrize(("name", "call"), [("iou", iou), ("giou", giou)])
def test_overlaps_match_torchvision(stored, name, call):
    them = stored("torchvision_boxes")
    got = jax.jit(call)(them["boxes"][:20], them["boxes"][20:50])
    np.testing.assert_allclose(got, them[name], rtol=0, atol=1e-6)
    assert np.ptp(them[name]) > 0.4


def test_overlaps_match_counted_pixels():
    boxes, others = np.round(boxes_of(8, 1)), np.round(boxes_of(5, 2))
    want = np.array([[by_counting(a, b) for b in others] for a in boxes])
    np.testing.assert_allclose(iou(boxes, others), want[..., 0], atol=1e-6)
    np.testing.assert_allclose(giou(boxes, others), want[..., 1], atol=1e-6)


@pytest.mark.parametrize("call", [iou, giou])
def test_leading_axes_broadcast_and_sets_may_be_empty(call):
    boxes, others = boxes_of(6, 3).reshape(2, 3, 4), boxes_of(5, 4)
    got = call(boxes, others)
    np.testing.assert_array_equal(got[1], call(boxes[1], others))
    np.testing.assert_array_equal(jax.vmap(call, (0, None))(boxes, others), got)
    assert call(boxes[:, :0], others).shape == (2, 0, 5)
    assert call(boxes, others[:0]).shape == (2, 3, 0)


def test_edges_first_is_the_same_overlap():
    boxes, others = boxes_of(7, 5), boxes_of(7, 6)
    np.testing.assert_array_equal(edges_iou(boxes.T, others.T), np.diag(iou(boxes, others)))


POOR = np.array(
    [[3, 3, 3, 3], [3, 3, 9, 3], [9, 9, 3, 3], [3, 3, 9, 9], [0, 0, 1e-30, 1e-30], [3, 3, 3 + 1e-6, 9]],
    np.float32,
)


@pytest.mark.parametrize("unit", [1.0, 1e-5, 1e-10, 1e5])
def test_poor_boxes_overlap_with_nothing_and_have_finite_derivatives(unit):
    boxes = POOR * np.float32(unit)
    got = np.asarray(iou(boxes, boxes))
    assert not got[[0, 1, 2, 4]].any()
    assert got[3, 3] == (unit > 1e-9)
    for call in (iou, giou):
        assert np.isfinite(call(boxes, boxes)).all()
        for argument in (0, 1):
            slope = jax.jacobian(call, argument)(boxes, boxes)
            assert np.isfinite(slope).all()


def test_derivatives_match_differences():
    boxes, others = boxes_of(3, 7), boxes_of(4, 8)
    for call in (iou, giou):
        check_grads(call, (boxes, others), order=1, modes=["fwd", "rev"], atol=2e-2, rtol=2e-2)


def test_exported_for_any_number_of_boxes():
    b, n = jax.export.symbolic_shape("b, n")
    shape = jax.ShapeDtypeStruct((b, n, 4), jnp.float32)

    def program(boxes):
        kept = sanitize(clamp(boxes, size=SIZE), size=SIZE)
        return jnp.where(kept[..., None], giou(boxes, boxes), 0.0)

    boxes = boxes_of(6, 9).reshape(2, 3, 4)
    exported = jax.export.export(jax.jit(program))(shape)
    np.testing.assert_allclose(exported.call(boxes), program(boxes), atol=1e-6)
