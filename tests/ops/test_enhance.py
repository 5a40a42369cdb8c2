"""Brightness, contrast, saturation and gamma against Pillow, and stored torchvision and TensorFlow."""

from __future__ import annotations

import colorsys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageEnhance

from e2e_jax.errors import ConfigError, ImageError
from e2e_jax.ops.enhance import blend, brightness, contrast, gamma, saturation

with np.load(Path(__file__).parents[1] / "golden/torchvision_color.npz") as stored:
    GOLDEN = dict(stored)
UNIT = GOLDEN["square/image"].astype(np.float32) / 255
MIXES = {"brightness": brightness, "contrast": contrast, "saturation": saturation}
ENHANCE = {
    "brightness": ImageEnhance.Brightness,
    "contrast": ImageEnhance.Contrast,
    "saturation": ImageEnhance.Color,
}
FACTORS = (0.0, 0.1, 0.4, 0.75, 1.0, 1.1, 1.7, 3.3)
each_mix = pytest.mark.parametrize("name", list(MIXES))


def change(name, image, number, **how):
    """One of the four, as torchvision names them."""
    call = {**MIXES, "gamma": gamma}[name]
    return call(image, **{"gamma" if name == "gamma" else "factor": number}, **how)


def picture(height: int = 41, width: int = 57, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(channels).integers(0, 256, (height, width, channels)).astype(np.uint8)


def every_colour() -> np.ndarray:
    levels = np.arange(0, 256, 5, dtype=np.uint8)
    return np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(len(levels), -1, 3)


def by_pillow(name, image, factor):
    source = Image.fromarray(image if image.shape[-1] == 3 else image[..., 0])
    return np.asarray(ENHANCE[name](source).enhance(factor)).reshape(image.shape)


@each_mix
@pytest.mark.parametrize("channels", [1, 3])
def test_mixes_are_pillows_to_the_bit(name, channels):
    call = jax.jit(MIXES[name])  # the factor is traced
    image = every_colour() if channels == 3 else picture(channels=1)
    for factor in FACTORS:
        np.testing.assert_array_equal(call(image, factor=factor), by_pillow(name, image, factor))
        np.testing.assert_array_equal(MIXES[name](image, factor=factor), by_pillow(name, image, factor))


def test_blend_is_pillows_between_two_pictures():
    one, other = picture(), picture()[::-1]
    for factor in (*FACTORS, -0.6):
        expected = Image.blend(Image.fromarray(one), Image.fromarray(other), factor)
        np.testing.assert_array_equal(blend(other, degenerate=one, factor=factor), expected)


@pytest.mark.parametrize("mean", [99, 100])
def test_contrast_rounds_its_mean_half_up_as_pillow(mean):
    image = np.array([[mean, mean + 1]], np.uint8)[..., None]  # a tie
    np.testing.assert_array_equal(contrast(image, factor=0.0), by_pillow("contrast", image, 0.0))
    assert (contrast(image, factor=0.0) == mean + 1).all()


@pytest.mark.parametrize("factor", [0.4, 1.7])
@pytest.mark.parametrize("name", [*MIXES, "gamma"])
@pytest.mark.parametrize("source", ["wide", "square"])
def test_bytes_are_torchvisions_tensor_path_to_the_bit(name, factor, source):
    image, single = GOLDEN[f"{source}/image"], np.float32(factor)
    alone = change(name, image, factor, numerics="torch")
    np.testing.assert_array_equal(alone, GOLDEN[f"{source}/tensor_{name}_{factor}"])
    traced = jax.jit(lambda x, f: change(name, x, f, numerics="torch"))(image, single)  # as random factors come
    np.testing.assert_array_equal(traced, change(name, image, float(single), numerics="torch"))


@pytest.mark.parametrize(("name", "factor"), [("contrast", 0.4), ("saturation", 1.7)])
def test_floats_are_torchvisions(name, factor):
    actual = change(name, UNIT, factor, numerics="torch")
    np.testing.assert_allclose(actual, GOLDEN[f"square/float_{name}_{factor}"], rtol=0, atol=1e-6)


@pytest.mark.parametrize(("name", "number"), [("contrast", 1.7), ("saturation", 0.4), ("gamma", 0.5)])
def test_floats_are_tensorflows(name, number):
    actual = change(name, UNIT, number, numerics="tf")
    np.testing.assert_allclose(actual, GOLDEN[f"square/tf_{name}_{number}"], rtol=0, atol=1e-6)
    in_bytes = change(name, GOLDEN["square/image"], number, numerics="tf")
    expected = np.floor(np.clip(GOLDEN[f"square/tf_{name}_{number}"], 0, 1) * 255.5)
    assert np.abs(in_bytes.astype(np.float32) - expected).max() <= 1


@pytest.mark.parametrize("factor", [0.0, 0.4, 1.8, 9.0])
def test_saturation_of_tensorflow_is_that_of_colorsys(factor):
    image = np.random.default_rng(0).random((5, 7, 3))
    image[0, :3] = [[0, 0, 0], [1, 1, 1], [0.3, 0.3, 0.3]]

    def stronger(pixel):
        h, s, v = colorsys.rgb_to_hsv(*pixel)
        return colorsys.hsv_to_rgb(h, min(s * factor, 1.0), v)

    expected = np.apply_along_axis(stronger, -1, image)
    actual = saturation(image.astype(np.float32), factor=factor, numerics="tf")
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("gain", [1.0, 0.6, 2.0])
@pytest.mark.parametrize("power", [0.0, 0.4, 1.0, 2.2])
def test_gamma_is_torchvisions_table_for_pillow(power, gain):
    image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    table = [int((255 + 1 - 1e-3) * gain * pow(level / 255.0, power)) for level in range(256)]
    expected = np.asarray(Image.fromarray(image[..., 0]).point(table))[..., None]
    np.testing.assert_array_equal(gamma(image, gamma=power, gain=gain), expected)
    np.testing.assert_array_equal(jax.jit(gamma)(image, gamma=power, gain=gain), expected)


@pytest.mark.parametrize("numerics", ["pillow", "torch", "tf"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_contrast_counts_only_the_picture(numerics, dtype):
    small = picture(23, 31).astype(dtype) / np.asarray(255 if dtype == "float32" else 1, dtype)
    slot = np.full((40, 40, 3), 200, dtype)
    slot[:23, :31] = small
    call = jax.jit(lambda x, s: contrast(x, factor=1.6, numerics=numerics, size=(s[0], s[1])))
    inside = call(slot, jnp.array([23, 31], jnp.int32))[:23, :31]
    expected = contrast(small.astype(dtype), factor=1.6, numerics=numerics)
    np.testing.assert_allclose(inside, expected, rtol=0, atol=0 if dtype == "uint8" else 1e-6)


def test_contrast_of_a_large_picture_does_not_overflow():
    white = jnp.full((4100, 4100, 1), 254, jnp.uint8)  # its sum is above 2 ** 31
    assert (contrast(white, factor=0.0) == 254).all()


@pytest.mark.parametrize("name", [*MIXES, "gamma"])
def test_dtypes_stay(name):
    assert change(name, UNIT.astype(np.float16), 1.2).dtype == jnp.float16
    assert change(name, GOLDEN["square/image"], 1.2).dtype == jnp.uint8
    np.testing.assert_allclose(change(name, UNIT, 1.0), UNIT, rtol=0, atol=1e-6)


@pytest.mark.parametrize("numerics", ["pillow", "tf"])
@pytest.mark.parametrize("name", [*MIXES, "gamma"])
def test_derivatives_are_those_of_finite_differences(name, numerics):
    if (name, numerics) == ("brightness", "tf"):
        return
    rng = np.random.default_rng(0)
    image = rng.uniform(0.35, 0.65, (5, 6, 3))  # far from clipping, channels far from each other
    image = image + np.array([-0.1, 0.0, 0.1]) * np.sign(rng.normal(size=(5, 6, 1)))
    weights, direction = rng.normal(size=(2, 5, 6, 3))
    with jax.enable_x64(True):

        def loss(x, number):
            return (change(name, x, number, numerics=numerics) * weights).sum()

        by_image, by_number = jax.grad(loss, (0, 1))(jnp.asarray(image), jnp.asarray(1.2))
        step = 1e-6
        along = (loss(image + step * direction, 1.2) - loss(image - step * direction, 1.2)) / (2 * step)
        across = (loss(image, 1.2 + step) - loss(image, 1.2 - step)) / (2 * step)
        np.testing.assert_allclose((by_image * direction).sum(), along, rtol=1e-5)
        np.testing.assert_allclose(by_number, across, rtol=1e-5)


def test_gamma_has_a_finite_slope_in_black():
    slope = jax.grad(lambda x: gamma(x, gamma=0.4).sum())(np.array([-0.1, 0.0, 0.5], np.float32))
    np.testing.assert_allclose(slope, [0, 0, 0.4 * 0.5**-0.6], rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: contrast(picture(channels=4), factor=2.0), ImageError, "Contrast: an image must have 1 or 3"),
        (lambda: saturation(picture(channels=2), factor=2.0), ImageError, "Saturation: an image must have 1 or 3"),
        (
            lambda: brightness(picture().astype(np.int32), factor=2.0),
            ImageError,
            "Brightness: an image must be uint8",
        ),
        (lambda: gamma(picture().astype(np.int16), gamma=2.0), ImageError, "Gamma: an image must be uint8"),
        (lambda: brightness(picture(), factor=0.1, numerics="tf"), ConfigError, r"use Rescale\(1, delta\)"),
        (lambda: contrast(picture(), factor=1.0, numerics="opencv"), ConfigError, "numerics must be known"),
    ],
)
def test_what_does_not_suit_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
