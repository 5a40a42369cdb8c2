"""Masks against NumPy, installed OpenCV and codes worked out by hand; empty masks, export, derivatives."""

from __future__ import annotations

import functools

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from e2e_jax.errors import ConfigError
from e2e_jax.ops.masks import decode_rle, encode_rle, masks_to_boxes, paste_masks

H, W = 31, 44
BOXES = {
    "inside": [5.3, 4.1, 30.2, 20.9],
    "whole pixels": [4, 6, 32, 27],
    "smaller than a cell": [10.2, 10.4, 11.1, 10.9],
    "over the edge": [-12.5, -3.25, 20.75, 50.5],
    "outside": [60, 60, 80, 90],
    "the whole image": [0, 0, W, H],
}
each_mask = arrays.arrays(bool, st.tuples(st.integers(0, 6), st.integers(0, 6)))


def soft(n: int, h: int = 7, w: int = 7) -> np.ndarray:
    return np.random.default_rng(n * h * w).random((n, h, w), np.float32)


def by_opencv(mask: np.ndarray, box: list[float]) -> np.ndarray:
    """Where each pixel's centre lies in the mask, looked up by OpenCV, since 5.0 without rounding."""
    x0, y0, x1, y1 = np.asarray(box, np.float64)
    xs = (np.arange(W) + 0.5 - x0) / (x1 - x0) * mask.shape[1] - 0.5
    ys = (np.arange(H) + 0.5 - y0) / (y1 - y0) * mask.shape[0] - 0.5
    xs, ys = np.meshgrid(xs.astype(np.float32), ys.astype(np.float32))
    return cv2.remap(mask, xs, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)


@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)
def test_paste_masks_matches_opencv_remap(box):
    masks = soft(2, 7, 5)
    got = jax.jit(functools.partial(paste_masks, size=(H, W)))(masks, np.array([box, box], np.float32))
    want = np.stack([by_opencv(mask, box) for mask in masks])
    np.testing.assert_allclose(got, want, atol=1e-5)
    assert bool(want.any()) == (box[0] < W)


def test_paste_masks_matches_opencv_resize_inside_the_box():
    mask = soft(1, 8, 8)
    got = paste_masks(mask, np.array([[4, 3, 36, 27]], np.float32), size=(H, W))[0]
    want = cv2.resize(mask[0], (32, 24), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(got[5:25, 6:34], want[2:-2, 2:-2], atol=1e-5)  # nearer the edge zeros mix in
    assert not got[0].any() and not got[:, -5:].any()


def test_a_mask_in_a_box_of_its_size_is_copied():
    masks = soft(3, 5, 6)
    boxes = np.array([[2, 1, 8, 6], [38, 26, 44, 31], [-3, -2, 3, 3]], np.float32)
    got = np.asarray(paste_masks(masks, boxes, size=(H, W)))
    for pasted, mask, (x, y) in zip(got, masks, [(2, 1), (38, 26), (-3, -2)], strict=True):
        want = np.zeros((H + 9, W + 9), np.float32)
        want[y + 4 : y + 9, x + 4 : x + 10] = mask
        np.testing.assert_allclose(pasted, want[4 : H + 4, 4 : W + 4], atol=1e-6)


def test_threshold_is_reached_by_an_equal_probability():
    mask, box = np.array([[[0.25, 0.5], [0.75, 1]]], np.float32), np.array([[1, 1, 3, 3]], np.float32)
    call = jax.jit(lambda level: paste_masks(mask, box, size=(4, 4), threshold=level))
    assert call(0.5).dtype == bool
    assert np.argwhere(call(0.5)[0]).tolist() == [[1, 2], [2, 1], [2, 2]]
    assert np.argwhere(call(0.8)[0]).tolist() == [[2, 2]]


def test_paste_masks_of_poor_boxes_is_empty_and_has_finite_derivatives():
    boxes = np.array([[3, 3, 3, 9], [9, 9, 3, 3], [4, 4, 4, 4], [2, 2, 9, 9]], np.float32)
    call = functools.partial(paste_masks, size=(12, 12))
    assert call(soft(4), boxes).any(axis=(1, 2)).tolist() == [False, False, False, True]
    slopes = jax.grad(lambda m, b: call(m, b).sum(), (0, 1))(soft(4), boxes)
    assert all(np.isfinite(slope).all() for slope in slopes)
    assert slopes[0][3].all() and slopes[1][3].all()


def test_masks_have_any_leading_axes_and_may_be_none():
    masks, boxes = soft(6).reshape(2, 3, 7, 7), np.array(list(BOXES.values()), np.float32).reshape(2, 3, 4)
    got = paste_masks(masks, boxes, size=(H, W))
    np.testing.assert_allclose(got[1, 2], paste_masks(masks[1, 2:], boxes[1, 2:], size=(H, W))[0], atol=1e-6)
    np.testing.assert_allclose(jax.vmap(lambda m, b: paste_masks(m, b, size=(H, W)))(masks, boxes), got, atol=1e-6)
    assert paste_masks(masks[0, :0], boxes[0, :0], size=(H, W)).shape == (0, H, W)
    assert masks_to_boxes(np.zeros((2, 0, 5, 6), bool)).shape == (2, 0, 4)


def around(mask: np.ndarray) -> list[int]:
    """By listing the pixels."""
    ys, xs = np.nonzero(mask)
    return [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1] if len(ys) else [0, 0, 0, 0]


@settings(deadline=None)  # the first mask of a shape is compiled
@given(each_mask)
def test_masks_to_boxes_matches_listed_pixels(mask):
    got = masks_to_boxes(mask[None])
    assert got.dtype == jnp.float32
    np.testing.assert_array_equal(got, [around(mask)])


def test_torchvision_counts_boxes_of_masks_to_the_last_pixel():
    mask = np.zeros((1, 9, 12), bool)
    mask[0, 2:7, 3:4] = True
    torchvision = np.array([[3, 2, 3, 6]], np.float32)  # masks_to_boxes of 0.29: no width
    np.testing.assert_array_equal(masks_to_boxes(mask) - torchvision, [[0, 0, 1, 1]])


def test_masks_of_numbers_count_where_they_are_not_zero():
    np.testing.assert_array_equal(masks_to_boxes(np.array([[0, 0, 200], [0, 0, 1]], np.uint8)), [2, 0, 3, 2])


def test_exported_for_any_number_of_masks():
    n, h = jax.export.symbolic_shape("n, h")

    def program(masks, boxes):
        return masks_to_boxes(paste_masks(masks, boxes, size=(H, W), threshold=0.4))

    shapes = jax.ShapeDtypeStruct((n, h, h), jnp.float32), jax.ShapeDtypeStruct((n, 4), jnp.float32)
    exported = jax.export.export(jax.jit(program))(*shapes)
    masks, boxes = soft(6), np.array(list(BOXES.values()), np.float32)
    want = [around(mask) for mask in np.asarray(paste_masks(masks, boxes, size=(H, W))) >= 0.4]
    np.testing.assert_array_equal(exported.call(masks, boxes), want)


CODES = {
    "down the columns": ([[0, 1, 0], [0, 1, 1]], [2, 2, 1, 1]),
    "begins inside": ([[1, 0], [1, 0]], [0, 2, 2]),
    "all inside": ([[1, 1, 1]], [0, 3]),
    "all outside": ([[0], [0]], [2]),
    "chequered": ([[1, 0], [0, 1]], [0, 1, 2, 1]),
}


@pytest.mark.parametrize(("mask", "counts"), CODES.values(), ids=CODES)
def test_run_lengths_by_hand(mask, counts):
    mask = np.array(mask, bool)
    assert encode_rle(mask) == counts
    decoded = decode_rle(counts, size=mask.shape)
    assert decoded.dtype == bool
    np.testing.assert_array_equal(decoded, mask)


@settings(deadline=None)
@given(each_mask)
def test_run_lengths_come_back(mask):
    counts = encode_rle(jnp.asarray(mask))
    assert all(type(count) is int for count in counts)
    assert all(count > 0 for count in counts[1:])  # no shorter code
    np.testing.assert_array_equal(decode_rle(counts, size=mask.shape), mask)


@pytest.mark.parametrize("counts", [[2, 3], [2, 3, 2], [7, -1], [2.5, 3.5], "06", b"06"])
def test_decode_rle_refuses(counts):
    with pytest.raises(ConfigError, match="^decode_rle: ") as error:
        decode_rle(counts, size=(3, 2))
    assert str(counts) in error.value.received


@pytest.mark.parametrize(
    ("call", "received"),
    [
        (lambda: encode_rle(soft(1)), "(1, 7, 7)"),
        (lambda: masks_to_boxes(np.ones(3, bool)), "(3,)"),
        (lambda: paste_masks(soft(2), np.ones((3, 4)), size=(H, W)), "boxes (3, 4)"),
        (lambda: paste_masks(soft(1)[0], np.ones(4), size=(H, W)), "masks (7, 7)"),
    ],
    ids=["encode_rle", "masks_to_boxes", "paste_masks", "paste_masks of one"],
)
def test_masks_of_other_shapes_are_refused(call, received):
    with pytest.raises(ConfigError) as error:
        call()
    assert received in error.value.received
