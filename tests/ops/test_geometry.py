"""Crop, centre crop, pad and flip against NumPy and stored torchvision results; where a centred window starts."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from e2e_jax.errors import ImageError
from e2e_jax.ops.geometry import center_crop, crop, flip, pad
from e2e_jax.ops.selections import ROUNDINGS, center_offset

IMAGES = ("wide", "tall", "square")
DTYPES = ("uint8", "int32", "float32", "bool")


def picture(dtype: str) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 13, 17, 3)).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_crop_is_a_slice(dtype):
    image = picture(dtype)
    cut = crop(image, top=2, left=5, height=7, width=9)
    assert cut.dtype == dtype
    np.testing.assert_array_equal(cut, image[:, 2:9, 5:14])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("direction", "axis"), [("horizontal", -2), ("vertical", -3)])
def test_flip_is_numpy_flip(dtype, direction, axis):
    image = picture(dtype)
    mirrored = flip(image, direction=direction)
    assert mirrored.dtype == dtype
    np.testing.assert_array_equal(mirrored, np.flip(image, axis))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_pad_is_numpy_pad_channel_by_channel(dtype):
    image, fill = picture(dtype), (7, 0, 255)
    padded = pad(image, left=1, top=2, right=3, bottom=4, fill=fill)
    assert padded.dtype == dtype
    for channel, level in enumerate(fill):
        expected = np.pad(image[..., channel], ((0, 0), (2, 4), (1, 3)), constant_values=level)
        np.testing.assert_array_equal(padded[..., channel], expected)


def test_crop_that_leaves_the_image_is_filled_on_every_side():
    image = picture("uint8")
    cut = crop(image, top=-3, left=-1, height=20, width=25, padding=True, fill=(9,))
    np.testing.assert_array_equal(cut, np.pad(image, ((0, 0), (3, 4), (1, 7), (0, 0)), constant_values=9))


def test_crop_that_leaves_the_image_is_refused_without_padding():
    with pytest.raises(
        ImageError, match=r"inside the image.\n  Received: top=8.*image 13x17.*\n  Fix: .*padding=True"
    ):
        crop(picture("uint8"), top=8, left=0, height=6, width=17)
    for height, width in ((14, 17), (13, 18)):
        with pytest.raises(ImageError, match="image 13x17"):
            center_crop(picture("uint8"), height=height, width=width, padding=False)
    assert crop(picture("uint8"), top=7, left=0, height=6, width=17).shape == (2, 6, 17, 3)


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("size", [(41, 41), (40, 31), (32, 31), (70, 70)])
def test_center_crop_matches_torchvision(name, size, stored):
    arrays = stored("torchvision_geometry")
    expected = arrays[f"{name}/center_crop_{'41' if size == (41, 41) else 'x'.join(map(str, size))}"]
    np.testing.assert_array_equal(center_crop(arrays[f"{name}/image"], height=size[0], width=size[1]), expected)


@pytest.mark.parametrize("name", IMAGES)
def test_pad_matches_torchvision(name, stored):
    arrays = stored("torchvision_geometry")
    padded = pad(arrays[f"{name}/image"], left=5, top=7, right=11, bottom=13)
    np.testing.assert_array_equal(padded, arrays[f"{name}/pad_constant"])


def by_definition(difference: int, rounding: str) -> int:
    if difference < 0:
        return -(-difference // 2)  # torchvision pads (window - image) // 2 in front
    half = difference / 2
    return {"half_even": round(half), "floor": difference // 2, "half_up": math.floor(half + 0.5)}[rounding]


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_center_offset_rounds_as_defined_for_ints_and_traced_sizes(rounding):
    differences = range(-300, 301)
    expected = [by_definition(d, rounding) for d in differences]
    assert [center_offset(d, rounding=rounding) for d in differences] == expected
    traced = jax.jit(lambda d: center_offset(d, rounding=rounding))(jnp.arange(-300, 301))
    assert traced.tolist() == expected


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_center_crop_starts_at_its_offset(rounding):
    image = np.arange(30, dtype=np.uint8).reshape(1, 30, 1)
    for width in (1, 23, 25, 27, 30):
        start = by_definition(30 - width, rounding)
        cut = center_crop(image, height=1, width=width, rounding=rounding)
        assert cut.ravel().tolist() == list(range(start, start + width))
