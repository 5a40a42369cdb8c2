"""Letterbox, crops to an aspect, centre crops of small images, several crops, against Pillow, NumPy and TF."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from PIL import Image, ImageOps

from e2e_jax import transforms as T
from e2e_jax.errors import ImageError
from e2e_jax.ops.fitting import letterbox_size, longest_edge, scale_down
from e2e_jax.types import Sample

SIZES = [(61, 133), (151, 47), (64, 64), (7, 90), (30, 20), (1, 50)]


def photo(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("frame", [(40, 61), (50, 50), (33, 8)])
@pytest.mark.parametrize("method", ["bilinear", "bicubic"])
def test_letterbox_is_pillows_pad(frame, method, live_pillow):
    step = T.Letterbox(frame, fill=9, method=method, numerics=live_pillow[1])
    filters = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    for size in SIZES[:5]:  # Pillow cannot make an edge of no pixels one of one
        image = photo(*size)
        expected = ImageOps.pad(Image.fromarray(image), frame[::-1], filters[method], color=(9, 9, 9))
        np.testing.assert_array_equal(step(image), expected, err_msg=f"{size}")


def test_letterbox_in_a_list_is_what_it_is_alone():
    images = [photo(*size) for size in SIZES]
    for step in (
        T.Letterbox((40, 61), fill=9),
        T.Letterbox(50, numerics="tf"),
        T.Letterbox((9, 31), pad_first=True),
    ):
        for together, image in zip(step(images), images, strict=True):
            apart = np.abs(np.asarray(together, int) - np.asarray(step(image), int))
            assert apart.max() <= (step.numerics == "tf")


def by_detectors(height: int, width: int, frame: tuple[int, int]) -> tuple[int, int]:
    """The letterbox of OpenCV-based detectors."""
    ratio = min(frame[0] / height, frame[1] / width)
    return max(round(height * ratio), 1), max(round(width * ratio), 1)


@pytest.mark.parametrize(("numerics", "rule"), [("opencv", by_detectors)])
def test_letterbox_sizes_known_and_traced(numerics, rule):
    sizes = np.random.default_rng(0).integers(1, 2000, (2000, 2)).astype(np.int32)
    expected = [rule(h, w, (50, 77)) for h, w in sizes.tolist()]
    assert [letterbox_size(h, w, frame=(50, 77), numerics=numerics) for h, w in sizes.tolist()] == expected
    traced = jax.jit(jax.vmap(lambda s: letterbox_size(s[0], s[1], frame=(50, 77), numerics=numerics)))(sizes)
    assert list(zip(*(t.tolist() for t in traced), strict=True)) == expected


def test_longest_edge_is_torchvisions_rule():
    for height, width in np.random.default_rng(0).integers(1, 900, (500, 2)).tolist():
        short, long = sorted((height, width))
        expected = max(int(100 * short / long), 1)
        assert sorted(longest_edge(height, width, size=100)) == [min(expected, 100), 100]


@pytest.mark.parametrize("name", ["wide", "tall", "square"])
@pytest.mark.parametrize(
    ("stored_as", "step"),
    [
        ("resize_with_pad_50x50", T.Letterbox(50, numerics="tf")),
        ("keras_resizing_45x30_crop_to_aspect", T.CropToAspect((45, 30), numerics="tf")),
        ("keras_resizing_45x30_pad_to_aspect", T.Letterbox((45, 30), numerics="tf", pad_first=True)),
        ("keras_center_crop_40x31", T.CenterCrop((40, 31), numerics="tf")),
    ],
)
def test_frames_are_tensorflows_and_keras(name, stored_as, step, stored):
    image = stored("torchvision_geometry")[f"{name}/image"].astype(np.float32)
    np.testing.assert_allclose(step(image), stored("tf_framing")[f"{name}/{stored_as}"], rtol=0, atol=2e-3)


@pytest.mark.parametrize("size", [(30, 20), (20, 90), (90, 20)])
def test_small_images_are_resized_from_mxnets_window(size):
    """mx.image.center_crop: scale_down, crop at (d / 2), cv2.resize to the size asked for."""
    cv2 = pytest.importorskip("cv2")
    image, (th, tw) = photo(*size), (40, 31)
    height, width = scale_down(*size, frame=(th, tw))
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    expected = cv2.resize(image[top : top + height, left : left + width], (tw, th), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(T.CenterCrop((th, tw), numerics="opencv")(image), expected)


@pytest.mark.parametrize(("size", "window"), [((30, 20), (25, 20)), ((20, 90), (20, 15)), ((40, 31), (40, 31))])
def test_scale_down_is_mxnets(size, window):
    """MXNet 1.9's docstring arithmetic by hand: (31, 40) in (20, 30) -> (20, 25)."""
    assert scale_down(*size, frame=(40, 31)) == window


def test_crop_resize_is_crop_then_resize(pillow):
    image = photo(61, 90)
    expected = pillow(image[3:40, 7:70], 20, 24, "bicubic")
    np.testing.assert_array_equal(T.CropResize(3, 7, 37, 63, (20, 24), method="bicubic")(image), expected)


def test_five_and_ten_crops_are_slices():
    image = photo(30, 41)
    five = [image[:8, :9], image[:8, -9:], image[-8:, :9], image[-8:, -9:], image[11:19, 16:25]]
    np.testing.assert_array_equal(T.FiveCrop((8, 9))(image), five)
    mirrored = image[:, ::-1]
    more = [mirrored[:8, :9], mirrored[:8, -9:], mirrored[-8:, :9], mirrored[-8:, -9:], mirrored[11:19, 16:25]]
    np.testing.assert_array_equal(T.TenCrop((8, 9))(image), five + more)
    np.testing.assert_array_equal(T.TenCrop((8, 9), vertical=True)(image)[5], image[::-1][:8, :9])


@pytest.mark.parametrize("step", [T.FiveCrop(40), T.TenCrop(40)])
def test_several_crops_refuse_small_images_and_parts(step):
    with pytest.raises(ImageError, match="must lie inside the image"):
        step([photo(50, 50), photo(30, 50)])
    with pytest.raises(ImageError, match="need one view"):
        step(Sample(photo(50, 50), keypoints=[[1, 2]]))


@pytest.mark.parametrize(("size", "overlap"), [((16, 9), (4, 3)), (32, 0), ((7, 100), (6, 50)), (200, 10)])
def test_tiles_go_back_in_place(size, overlap):
    image, step = photo(61, 90), T.Tile(size, overlap=overlap, fill=255)
    tiles = np.asarray(step(image))
    np.testing.assert_array_equal(
        tiles[0], np.pad(image, ((0, 200), (0, 200), (0, 0)), constant_values=255)[: step.size[0], : step.size[1]]
    )
    np.testing.assert_array_equal(step.back(tiles, 61, 90), image)
    np.testing.assert_allclose(step.back(tiles.astype(np.float32) / 4, 61, 90), image / 4, rtol=1e-6)


def test_a_missing_tile_is_noticed():
    with pytest.raises(ImageError, match="every place must have its tile"):
        T.Tile(16).back(np.zeros((3, 16, 16, 3)), 61, 90)
