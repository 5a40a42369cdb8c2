"""Samples: boxes, masks and key points go where torchvision puts them, and wrong ones are refused at the door."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from e2e_jax import transforms as T
from e2e_jax.errors import ImageError
from e2e_jax.types import PaddedImages, Sample

MOVES = {
    "hflip": T.HorizontalFlip(),
    "vflip": T.VerticalFlip(),
    "resize_45x30": T.Resize((45, 30)),
    "crop": T.Crop(8, 6, 30, 25),
    "rotate_33": T.Rotate(33.0),
    "pad": T.Pad((5, 7, 11, 13)),
}
NAMES = ("wide", "tall", "square")
SIZES = {"wide": (61, 133), "tall": (151, 47), "square": (64, 64)}


def sample(arrays: dict[str, np.ndarray], name: str) -> Sample:
    height, width = SIZES[name]
    mask = np.random.default_rng(1).integers(0, 5, (height, width)).astype(np.int32)
    image = np.random.default_rng(2).integers(0, 256, (height, width, 3), np.uint8)
    return Sample(image, arrays[f"{name}/boxes"], mask, arrays[f"{name}/points"], np.arange(6))


@pytest.mark.parametrize("move", list(MOVES))
@pytest.mark.parametrize("name", NAMES)
def test_boxes_and_key_points_are_torchvisions(name, move, stored):
    arrays = stored("torchvision_parts")
    given = sample(arrays, name)
    moved = MOVES[move](given)
    np.testing.assert_allclose(moved.boxes, arrays[f"{name}/boxes_{move}"], rtol=0, atol=2e-4)
    np.testing.assert_allclose(moved.keypoints, arrays[f"{name}/points_{move}"], rtol=0, atol=2e-4)
    np.testing.assert_array_equal(moved.label, np.arange(6))
    np.testing.assert_array_equal(moved.image, MOVES[move](given.image))


@pytest.mark.parametrize("move", [move for move in MOVES if "crop" not in move])
def test_masks_take_the_nearest_class(move, stored):
    given = sample(stored("torchvision_parts"), "wide")
    if move == "rotate_33":
        expected = np.asarray(Image.fromarray(given.mask.astype(np.uint8)).rotate(33))
    elif move == "resize_45x30":
        expected = np.asarray(
            Image.fromarray(given.mask.astype(np.uint8)).resize((30, 45), Image.Resampling.NEAREST)
        )
    else:
        edits = {"hflip": lambda m: m[:, ::-1], "vflip": lambda m: m[::-1], "pad": pad}
        expected = edits[move](given.mask)
    moved = MOVES[move](given).mask
    assert moved.dtype == np.int32
    np.testing.assert_array_equal(moved, expected)


def pad(mask: np.ndarray) -> np.ndarray:
    return np.pad(mask, ((7, 13), (5, 11)))


def test_an_image_fill_never_enters_the_mask(stored):
    given = sample(stored("torchvision_parts"), "square")
    moved = T.Compose([T.Pad(9, fill=255), T.Resize((41, 41), method="bicubic")])(given)
    assert set(np.unique(moved.mask)) == {0, 1, 2, 3, 4}
    assert moved.image[0, 0].tolist() == [255, 255, 255]


def test_fused_steps_move_boxes_as_single_ones_do(stored):
    """A crop cuts a box before a pad moves it away from the edge."""
    steps = [T.Crop(8, 6, 30, 25), T.Pad(10), T.HorizontalFlip(), T.Resize((31, 77))]
    one_by_one = whole = sample(stored("torchvision_parts"), "wide")
    for step in steps:
        one_by_one = step(one_by_one)
    whole = T.Compose(steps)(whole)
    for part in ("image", "mask"):
        np.testing.assert_array_equal(getattr(whole, part), getattr(one_by_one, part))
    np.testing.assert_allclose(whole.boxes, one_by_one.boxes, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(whole.keypoints, one_by_one.keypoints, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    "step", [T.Compose([T.Resize(30), T.HorizontalFlip(), T.CenterCrop((28, 26))]), T.Rotate(20)]
)
def test_a_list_of_samples_gives_each_what_it_gets_alone(step, stored):
    arrays = stored("torchvision_parts")
    samples = [sample(arrays, name) for name in NAMES]
    together = step(samples)
    for i, one in enumerate(samples):
        alone = step(one)
        height, width = alone.image.shape[:2]
        pixels = together.image.pixels if isinstance(together.image, PaddedImages) else together.image
        np.testing.assert_array_equal(pixels[i, :height, :width], alone.image)
        np.testing.assert_array_equal(together.mask[i, :height, :width], alone.mask)
        np.testing.assert_allclose(together.boxes[i], alone.boxes, atol=1e-3)
        np.testing.assert_allclose(together.keypoints[i], alone.keypoints, atol=1e-3)


def test_short_lists_of_boxes_are_filled_up_and_marked():
    photo = np.zeros((20, 30, 3), np.uint8)
    boxes = [np.array([[1, 2, 11, 12], [3, 4, 5, 6]]), np.zeros((0, 4))]
    moved = T.HorizontalFlip()([Sample(photo, boxes=b, label=np.arange(len(b)) + 1) for b in boxes])
    assert moved.boxes.shape == (2, 2, 4)
    assert moved.boxes[0].tolist() == [[19, 2, 29, 12], [25, 4, 27, 6]]
    assert moved.valid.tolist() == [[True, True], [False, False]]
    assert moved.label.tolist() == [[1, 2], [0, 0]]


@pytest.mark.parametrize("none", [(np.zeros((0, 4)), np.zeros((0, 2))), ([], [])], ids=["arrays", "lists"])
@pytest.mark.parametrize("step", [T.Resize((9, 8)), T.Rotate(5), T.ToTensor(), T.Crop(1, 1, 5, 5)])
def test_no_boxes_are_boxes_too(step, none):
    given = Sample(np.zeros((20, 30, 3), np.uint8), boxes=none[0], keypoints=none[1])
    moved = step(given)
    assert moved.boxes.shape == (0, 4)
    assert moved.keypoints.shape == (0, 2)


PHOTO = np.zeros((20, 30, 3), np.uint8)
WRONG = {
    "boxes must be float32": {"boxes": np.zeros(4)},
    "boxes must be finite": {"boxes": [[0, 0, np.nan, 4]]},
    "run from left, top": {"boxes": [[9, 0, 3, 4]]},
    "touch the image": {"boxes": [[1, 1, 4, 4], [40, 0, 50, 4]]},
    "keypoints must be float32": {"keypoints": [[1, 2, 3]]},
    "keypoints must be finite": {"keypoints": [[np.inf, 2]]},
    "mask must have the image's": {"mask": np.zeros((20, 31))},
    "valid must say": {"boxes": np.zeros((0, 4)), "valid": np.ones(2, bool)},
    "label must belong": {"boxes": [[0, 0, 1, 1]], "label": np.arange(3)},
    "must be an array": {"image": "photo.jpg"},
}


@pytest.mark.parametrize("said", list(WRONG))
def test_wrong_parts_are_refused_in_three_lines(said):
    with pytest.raises(ImageError, match=said) as error:
        T.HorizontalFlip()(Sample(**{"image": PHOTO} | WRONG[said]))
    assert [line.split(":")[0] for line in str(error.value).split("\n")[1:]] == ["  Received", "  Fix"]


def test_samples_that_differ_in_their_parts_do_not_make_a_batch():
    with pytest.raises(ImageError, match="alike in their parts"):
        T.HorizontalFlip()([Sample(PHOTO, keypoints=[[1, 2]]), Sample(PHOTO)])
    with pytest.raises(ImageError, match="alike in their parts"):
        T.HorizontalFlip()([Sample(PHOTO, keypoints=[[1, 2]]), Sample(PHOTO, keypoints=[[1, 2], [3, 4]])])
