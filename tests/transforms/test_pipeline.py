"""Whole pipelines: torchvision's evaluation recipe, lists of sizes, and errors that name their step."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from e2e_jax import transforms as T
from e2e_jax.errors import ConfigError, ImageError
from e2e_jax.types import PaddedImages

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet, torchvision's references/classification
RECIPE = T.Compose([T.Resize(256), T.CenterCrop(224), T.ToTensor(), T.Normalize(MEAN, STD)])


def photo(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, channels), np.uint8)


def normalized(pixels: np.ndarray) -> np.ndarray:
    return (pixels / np.float32(255) - np.float32(MEAN)) / np.float32(STD)


@pytest.mark.parametrize("name", ["wide", "tall", "square"])
def test_recipe_matches_torchvisions_pil_path(name, stored):
    """Stored: F.resize(pil, 40). The rest of the recipe is a slice at round(d / 2), and arithmetic in float32."""
    arrays = stored("torchvision_geometry")
    resized = arrays[f"{name}/pil_resize_40_bilinear"]
    top, left = (round((extent - 32) / 2) for extent in resized.shape[:2])
    recipe = T.Compose([T.Resize(40), T.CenterCrop(32), T.ToTensor(), T.Normalize(MEAN, STD)])
    expected = normalized(resized[top : top + 32, left : left + 32])
    np.testing.assert_allclose(recipe(arrays[f"{name}/image"]), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(300, 401), (500, 375), (61, 90)])
def test_recipe_at_full_size_matches_pillow(height, width, pillow):
    image = photo(height, width)
    scale = 256 / min(height, width)
    long = int(256 * max(height, width) / min(height, width))
    new_h, new_w = (256, long) if height < width else (long, 256)
    assert abs(new_h - height * scale) < 1
    top, left = round((new_h - 224) / 2), round((new_w - 224) / 2)
    cropped = pillow(image, new_h, new_w, "bilinear")[top : top + 224, left : left + 224]
    np.testing.assert_allclose(RECIPE(image), normalized(cropped), rtol=0, atol=1e-6)


@pytest.mark.parametrize("numerics", ["pillow", "pillow13"])
def test_recipe_gives_each_image_of_a_list_what_it_gets_alone(numerics):
    steps = [
        T.Resize(40, method="lanczos", numerics=numerics),
        T.CenterCrop((33, 32)),
        T.HorizontalFlip(),
        T.ToTensor(),
    ]
    recipe = T.Compose([*steps, T.Normalize(MEAN, STD), T.ToLayout("CHW")])
    images = [photo(50, 60), photo(120, 41), photo(33, 33), photo(41, 100)]
    together = recipe(images)
    assert together.shape == (4, 3, 33, 32)
    for one, image in zip(together, images, strict=True):
        np.testing.assert_array_equal(one, recipe(image))


@pytest.mark.parametrize("method", ["nearest", "bicubic", "area"])
def test_a_resize_with_a_limit_gives_images_of_different_sizes(method):
    resize = T.Compose([T.Resize(24, max_size=37, method=method), T.Pad((1, 2, 3, 4), fill=8)])
    images = [photo(50, 60), photo(120, 41), photo(12, 90), photo(5, 5)]
    together = resize(images)
    assert isinstance(together, PaddedImages)
    assert together.sizes.dtype == np.int32
    for pixels, (h, w), image in zip(together.pixels, together.sizes.tolist(), images, strict=True):
        alone = np.asarray(resize(image))
        assert (h, w) == alone.shape[:2] == resize.output_size(*image.shape[:2])
        np.testing.assert_array_equal(pixels[:h, :w], alone)


def test_images_of_different_sizes_pass_through_pointwise_steps_with_their_sizes():
    scaled = T.ToTensor()([photo(5, 6), photo(9, 2)])
    assert scaled.sizes.tolist() == [[5, 6], [9, 2]]
    np.testing.assert_array_equal(scaled.pixels[1, :9, :2], photo(9, 2) / np.float32(255))


def test_gradients_flow_through_a_pipeline():
    recipe = T.Compose([T.Resize(12), T.CenterCrop(8), T.Normalize(0.5, 0.25)])
    image = photo(20, 30).astype(np.float32) / np.float32(255)
    gradient = jax.grad(lambda x: recipe(x).sum())(image)
    np.testing.assert_allclose(gradient.sum(), 8 * 8 * 3 / 0.25, rtol=1e-4)
    assert np.asarray(gradient)[:, 0].max() == 0  # cropped away


def notes(error: pytest.ExceptionInfo) -> str:
    return "\n".join(error.value.__notes__)


@pytest.mark.parametrize("many", [False, True])
def test_an_error_names_the_step_and_what_it_met(many):
    pipeline = T.Compose([T.ToTensor(), T.CenterCrop(64, smaller="refuse"), T.HorizontalFlip()])
    image = photo(50, 70)
    with pytest.raises(
        ImageError, match="CenterCrop: the window must lie inside the image.\n  Received: "
    ) as error:
        pipeline([photo(64, 64), image] if many else image)
    assert "in step 1 of the pipeline: CenterCrop(64, smaller='refuse'), input " in notes(error)
    assert "image 50x70" in str(error.value)


def test_the_step_is_counted_across_nested_pipelines():
    pipeline = T.Compose([T.Pad(1), T.Compose([T.HorizontalFlip(), T.Crop(0, 0, 9, 9)])])
    with pytest.raises(ImageError) as error:
        pipeline(photo(5, 5))
    assert "in step 2 of the pipeline: Crop(0, 0, 9, 9), input (5, 5, 3) uint8" in notes(error)


def test_output_size_refuses_what_the_pipeline_would_refuse():
    pipeline = T.Compose([T.Resize(40), T.CenterCrop(64, smaller="refuse")])
    with pytest.raises(ImageError, match="image 40x80") as error:
        pipeline.output_size(10, 20)
    assert "in step 1 of the pipeline: CenterCrop(64, smaller='refuse'), input 40x80" in notes(error)


def test_an_error_of_fused_steps_names_them():
    with pytest.raises(ImageError, match="level of uint8") as error:
        T.Compose([T.ListToBatch(), T.Resize((4, 4)), T.Pad(1, fill=300)])(photo(5, 5))
    assert "run as one: 1 Resize((4, 4)), 2 Pad((1, 1, 1, 1), fill=(300.0,)), input (5, 5, 3) uint8" in notes(error)


def test_an_open_end_for_images_of_different_sizes_is_refused():
    open_end = T.Compose([T.Resize(32), T.ToTensor()])
    assert open_end(photo(40, 64)).shape == (32, 51, 3)
    with pytest.raises(ConfigError, match="\n  Received: .*\n  Fix: add CenterCrop or Crop .*, or .* max_size"):
        open_end([photo(40, 64), photo(50, 64)])


@pytest.mark.parametrize(
    "images", [photo(5, 5)[..., 0], photo(5, 5)[:0], "photo.jpg", None, [[1, 2], [3, 4]], np.float32(3)]
)
def test_what_is_no_image_is_refused(images):
    with pytest.raises(ImageError, match="(?s)image.*\n  Received: .*\n  Fix: "):
        T.HorizontalFlip()(images)


ROOM = np.zeros((2, 8, 8, 3), np.uint8)


@pytest.mark.parametrize(
    ("pixels", "sizes"),
    [
        (ROOM, np.array([[8, 9], [1, 1]], np.int32)),
        (ROOM, np.array([[8, 8], [0, 1]], np.int32)),
        (ROOM, np.array([[8, 8]], np.int32)),
        (ROOM, np.array([[8, 8], [1, 1]], np.float32)),
        (ROOM[0], np.array([[8, 8], [1, 1]], np.int32)),
        (ROOM, [[8, 8], [1, 1]]),
    ],
)
def test_sizes_that_do_not_fit_their_pixels_are_refused(pixels, sizes):
    with pytest.raises(
        ImageError, match="PaddedImages: .*\n  Received: pixels .*, sizes .*\n  Fix: .*list_to_batch"
    ):
        T.HorizontalFlip()(PaddedImages(pixels, sizes))
