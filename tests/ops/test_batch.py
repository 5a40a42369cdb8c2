"""Images of different sizes in one array: the ladder of sizes, and where each image lies."""

from __future__ import annotations

import numpy as np
import pytest

from e2e_jax.errors import ImageError
from e2e_jax.ops.batch import LARGEST_SQUARE, bucket, list_to_batch, slot


def test_bucket_is_the_least_power_of_two_that_holds():
    for extent in range(1, 5000):
        rung = bucket(extent, smallest=1)
        assert rung // 2 < extent <= rung
        assert rung & (rung - 1) == 0
        assert bucket(extent) == max(rung, 64)


def test_slot_is_a_square_but_for_oblong_and_huge_images():
    assert slot(100, 65) == (128, 128)
    assert slot(64, 512) == (512, 512)
    assert slot(64, 1000) == (64, 1024)
    assert slot(1000, 5) == (1024, 64)
    assert slot(LARGEST_SQUARE, LARGEST_SQUARE // 2) == (LARGEST_SQUARE, LARGEST_SQUARE)
    assert slot(LARGEST_SQUARE + 1, 3000) == (2 * LARGEST_SQUARE, 4096)


def test_every_image_lies_in_the_top_left_corner_of_its_slot():
    rng = np.random.default_rng(0)
    images = [rng.integers(1, 256, (h, w, 3), np.uint8) for h, w in ((5, 70), (64, 64), (1, 1))]
    batch = list_to_batch(images)
    assert batch.pixels.shape == (3, 128, 128, 3)
    assert batch.pixels.dtype == np.uint8
    assert batch.sizes.dtype == np.int32
    for pixels, (h, w), image in zip(batch.pixels, batch.sizes, images, strict=True):
        np.testing.assert_array_equal(pixels[:h, :w], image)
        assert not pixels[h:].any()
        assert not pixels[:, w:].any()


@pytest.mark.parametrize(
    ("images", "received"),
    [
        ([], "an empty list"),
        ([np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 3), np.float32)], "uint8.*float32"),
        ([np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 1), np.uint8)], r"\(4, 4, 3\).*\(4, 4, 1\)"),
        ([np.zeros((4, 4), np.uint8)], r"uint8\(4, 4\)"),
        ([np.zeros((2, 4, 4, 3), np.uint8)], r"\(2, 4, 4, 3\)"),
        ([np.zeros((4, 0, 3), np.uint8)], r"\(4, 0, 3\)"),
    ],
)
def test_lists_that_are_no_images_alike_are_refused(images, received):
    expected = f"list must hold images.*\n  Received: .*{received}.*\n  Fix: convert"
    with pytest.raises(ImageError, match=expected):
        list_to_batch(images)
