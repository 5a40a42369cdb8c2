"""Elastic: parts follow the pixels, each sample has a field of its own, whatever array it lies in."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from e2e_jax import transforms as T

KEY = jax.random.key(5)
STEP = T.Elastic(alpha=60, sigma=5)
PLACE = (41, 23)  # x, y


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (50, 70, 3)).astype(np.uint8)


def test_single_is_batch_is_list_and_replays(photo):
    alone, draws = STEP(photo, key=KEY, return_draws=True)
    assert (np.asarray(alone) != photo).mean() > 0.5
    np.testing.assert_array_equal(STEP(photo, draws=draws), alone)
    batch = STEP(np.stack([photo, photo]), key=KEY)
    np.testing.assert_array_equal(batch[0], alone)
    assert (np.asarray(batch[0]) != np.asarray(batch[1])).mean() > 0.5
    ragged = STEP([photo, np.zeros((90, 30, 3), np.uint8)], key=KEY)
    np.testing.assert_array_equal(ragged.pixels[0, :50, :70], alone)


def test_parts_follow_the_pixels():
    x, y = PLACE
    image = np.zeros((50, 70, 1), np.float32)
    image[y - 2 : y + 3, x - 2 : x + 3] = 1  # its centre is the key point, its outline the box
    mask = (image[..., 0] > 0).astype(np.int32)
    box = np.array([[x - 2, y - 2, x + 3, y + 3]], np.float32)
    points = np.array([[x, y]], np.float32)
    moved = T.Elastic(alpha=400, sigma=12)(T.Sample(image, boxes=box, mask=mask, keypoints=points), key=KEY)
    rows, cols = np.nonzero(np.asarray(moved.mask))
    weights = np.asarray(moved.image)[..., 0]
    centre = [
        (weights.sum(0) * np.arange(70)).sum() / weights.sum(),
        (weights.sum(1) * np.arange(50)).sum() / weights.sum(),
    ]
    assert np.abs(moved.keypoints - points).max() > 0.5, "the field must do something here"
    np.testing.assert_allclose(moved.keypoints[0], centre, rtol=0, atol=0.4)
    outline = [cols.min(), rows.min(), cols.max() + 1, rows.max() + 1]
    np.testing.assert_allclose(moved.boxes[0], outline, rtol=0, atol=1.2)


def test_nothing_moves_without_strength_or_in_evaluation(photo):
    np.testing.assert_array_equal(T.Elastic(alpha=0)(photo, key=KEY), photo)
    still = T.Compose([T.Elastic()])
    still.eval()
    np.testing.assert_array_equal(still(photo), photo)


def test_boxes_stay_inside_the_image():
    whole = np.array([[0, 0, 70, 50]], np.float32)
    moved = np.asarray(T.Elastic(alpha=400, sigma=9)(T.Sample(np.zeros((50, 70, 1)), boxes=whole), key=KEY).boxes)[
        0
    ]
    assert (moved >= 0).all()
    assert (moved <= [70, 50, 70, 50]).all()
    assert (moved != whole[0]).any(), "the field must do something here"
