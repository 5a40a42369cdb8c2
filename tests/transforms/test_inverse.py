"""The way back: where points of the result lie in the photo, found again by the way there."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from e2e_jax import transforms as T
from e2e_jax.errors import ConfigError, ImageError

SIZE = (61, 133)
POINTS = np.array([[60, 30], [80.5, 25.25], [70, 40]], np.float32)
BOXES = np.array([[50, 20, 80, 40], [60.5, 22, 71, 33]], np.float32)
INVERTIBLE = [
    T.Resize(40),
    T.Resize((99, 31), numerics="torch"),
    T.CenterCrop(50),
    T.Crop(3, 5, 50, 120),
    T.Pad((1, 2, 3, 4)),
    T.Letterbox((70, 50), fill=9),
    T.CropToAspect((30, 50)),
    T.HorizontalFlip(),
    T.VerticalFlip(),
    T.Affine(translate=(3, -2), scale=1.25),
    T.Normalize(0.5, 0.5),
    T.Compose([T.Resize(48), T.CenterCrop(40), T.HorizontalFlip(), T.ToTensor(), T.Pad(3)]),
]


@pytest.mark.parametrize("step", INVERTIBLE, ids=repr)
def test_points_and_boxes_come_back(step):
    image = np.zeros((*SIZE, 3), np.uint8)
    moved = step(T.Sample(image, boxes=BOXES, keypoints=POINTS))
    np.testing.assert_allclose(step.inverse(moved.keypoints, size=SIZE), POINTS, rtol=0, atol=1e-3)
    found = np.asarray(moved.boxes)
    whole = np.all((found[:, :2] > 0) & (found[:, 2:] < moved.image.shape[1::-1]), -1)  # not clipped
    assert whole.any()
    np.testing.assert_allclose(step.inverse(moved.boxes, size=SIZE)[whole], BOXES[whole], rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    "step", [T.Rotate(30, expand=True), T.Rotate(-75), T.Affine(shear=(10, 0), angle=9)], ids=repr
)
def test_points_come_back_from_a_turn(step):
    moved = step(T.Sample(np.zeros((*SIZE, 3), np.uint8), keypoints=POINTS))
    assert np.abs(np.asarray(moved.keypoints) - POINTS).max() > 1
    np.testing.assert_allclose(step.inverse(moved.keypoints, size=SIZE), POINTS, rtol=0, atol=1e-3)


def test_boxes_are_clipped_to_the_photo():
    padded = T.Pad(10)
    back = padded.inverse(np.array([[0, 0, 200, 200]], np.float32), size=SIZE)
    assert back.tolist() == [[0, 0, 133, 61]]


def test_a_pixel_at_the_place_led_back_to_is_the_one():
    """The result at a point is the photo at the way back, where a photo holds the coordinates of its own pixels."""
    rows, cols = np.indices(SIZE, np.float32) + np.float32(0.5)
    steps = T.Compose([T.CropToAspect((45, 80)), T.HorizontalFlip(), T.Affine(angle=7, scale=1.5)])
    result = np.asarray(steps(np.stack([cols, rows], -1)))
    for x, y in [(20, 15), (40, 22), (60, 30)]:
        centre = np.array([x + 0.5, y + 0.5] * 2, np.float32)  # a box without area
        np.testing.assert_allclose(result[y, x], steps.inverse(centre, size=SIZE)[:2], rtol=0, atol=0.05)


def test_zero_points_are_fine_and_other_shapes_are_refused():
    assert T.Resize(9).inverse(np.zeros((0, 4), np.float32), size=SIZE).shape == (0, 4)
    with pytest.raises(ImageError, match="last axis"):
        T.Resize(9).inverse(np.zeros((3, 5), np.float32), size=SIZE)


def test_a_random_step_has_no_way_back_until_it_is_switched_off():
    steps = T.Compose([T.RandomHorizontalFlip(1.0), T.Resize(20)])
    with pytest.raises(ConfigError, match="no fixed way back"):
        steps.inverse(POINTS, size=SIZE)
    steps.eval()
    np.testing.assert_array_equal(steps.inverse(POINTS, size=SIZE), T.Resize(20).inverse(POINTS, size=SIZE))


def test_the_way_back_is_traceable():
    steps = T.Compose([T.Letterbox((70, 50)), T.HorizontalFlip()])
    traced = jax.jit(lambda points: steps.inverse(points, size=SIZE))(POINTS)
    np.testing.assert_allclose(traced, steps.inverse(POINTS, size=SIZE), rtol=0, atol=1e-4)
