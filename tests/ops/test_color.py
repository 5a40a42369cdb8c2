"""Grey, RGB, order, negative, posterize and solarize against Pillow, OpenCV, stored torchvision and TensorFlow."""

from __future__ import annotations

from pathlib import Path

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageOps

from e2e_jax.errors import ConfigError, ImageError
from e2e_jax.ops.color import channel_order, grayscale, invert, posterize, solarize, to_rgb

with np.load(Path(__file__).parents[1] / "golden/torchvision_color.npz") as stored:
    GOLDEN = dict(stored)
LEVELS = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
UNIT = GOLDEN["square/image"].astype(np.float32) / 255
each_picture = pytest.mark.parametrize("name", ["wide", "square"])


def picture(height: int = 41, width: int = 57, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(channels).integers(0, 256, (height, width, channels)).astype(np.uint8)


def every_colour(step: int = 3) -> np.ndarray:
    """A picture (H, W, 3) of every third level of each channel with every other, white among them."""
    levels = np.arange(0, 256, step, dtype=np.uint8)
    return np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(len(levels), -1, 3)


@pytest.mark.parametrize("compiled", [False, True])
def test_grayscale_is_pillows_to_the_bit(compiled):
    call = jax.jit(grayscale) if compiled else grayscale
    expected = np.asarray(Image.fromarray(every_colour()).convert("L"))
    np.testing.assert_array_equal(call(every_colour())[..., 0], expected)


def test_grayscale_is_opencvs_to_the_bit():
    expected = cv2.cvtColor(every_colour(), cv2.COLOR_RGB2GRAY)
    np.testing.assert_array_equal(grayscale(every_colour(), numerics="opencv")[..., 0], expected)


@each_picture
def test_grayscale_is_torchvisions_to_the_bit(name):
    grey = jax.jit(lambda x: grayscale(x, channels=3, numerics="torch"))(GOLDEN[f"{name}/image"])
    np.testing.assert_array_equal(grey, GOLDEN[f"{name}/tensor_grayscale"])


def test_grayscale_of_floats_is_tensorflows_and_opencvs():
    np.testing.assert_allclose(grayscale(UNIT, numerics="tf"), GOLDEN["square/tf_grayscale"], rtol=0, atol=1e-6)
    expected = cv2.cvtColor(UNIT, cv2.COLOR_RGB2GRAY)
    np.testing.assert_allclose(grayscale(UNIT, numerics="opencv")[..., 0], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("numerics", ["pillow", "torch", "opencv", "tf"])
def test_grayscale_of_every_kind_of_image(numerics):
    white = grayscale(np.full((2, 2, 3), 255, np.uint8), channels=3, numerics=numerics)
    assert white.shape == (2, 2, 3)
    assert white.dtype == jnp.uint8
    assert white.min() >= 254  # torchvision's weights add up to 0.9999
    assert grayscale(UNIT.astype(np.float16), numerics=numerics).dtype == jnp.float16
    np.testing.assert_array_equal(grayscale(LEVELS, numerics=numerics), LEVELS)
    np.testing.assert_array_equal(grayscale(LEVELS, channels=3, numerics=numerics), LEVELS.repeat(3, -1))


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_to_rgb_is_pillows_convert(channels, mode):
    image = picture(channels=channels)
    expected = Image.frombytes(mode, image.shape[1::-1], image.tobytes()).convert("RGB")
    np.testing.assert_array_equal(to_rgb(image), expected)


def test_channel_order_is_opencvs():
    np.testing.assert_array_equal(
        channel_order(picture(), order=(2, 1, 0)), cv2.cvtColor(picture(), cv2.COLOR_RGB2BGR)
    )
    four = picture(channels=4)
    np.testing.assert_array_equal(channel_order(four, order=(3, 0, 1, 2)), four[..., [3, 0, 1, 2]])


def test_invert_is_pillows_and_torchvisions():
    np.testing.assert_array_equal(invert(picture()), ImageOps.invert(Image.fromarray(picture())))
    np.testing.assert_array_equal(invert(GOLDEN["wide/image"]), GOLDEN["wide/tensor_invert"])
    np.testing.assert_array_equal(invert(UNIT), np.float32(1) - UNIT)


@pytest.mark.parametrize("bits", range(1, 9))
def test_posterize_is_pillows(bits):
    np.testing.assert_array_equal(
        posterize(picture(), bits=bits), ImageOps.posterize(Image.fromarray(picture()), bits)
    )


def test_posterize_is_torchvisions():
    np.testing.assert_array_equal(posterize(GOLDEN["wide/image"], bits=3), GOLDEN["wide/tensor_posterize3"])
    assert not posterize(LEVELS, bits=0).any()
    floats = np.array([-0.1, 0.0, 0.12, 0.125, 0.99, 1.0, 1.5], np.float32)  # torchvision: floor, clamp, divide
    assert posterize(floats, bits=3).tolist() == [0, 0, 0, 0.125, 0.875, 0.875, 0.875]


@pytest.mark.parametrize("threshold", [0, 1, 100, 128, 255, 256])
def test_solarize_is_pillows(threshold):
    expected = ImageOps.solarize(Image.fromarray(LEVELS[..., 0]), threshold)
    np.testing.assert_array_equal(jax.jit(solarize)(LEVELS, threshold=threshold)[..., 0], expected)


@each_picture
def test_solarize_is_torchvisions(name):
    image, expected = GOLDEN[f"{name}/image"], GOLDEN[f"{name}/tensor_solarize128"]
    np.testing.assert_array_equal(solarize(image, threshold=128), expected)


def test_solarize_turns_floats_in_their_own_units():
    assert solarize(np.array([0.25, 0.5, 0.75], np.float32), threshold=0.5).tolist() == [0.25, 0.5, 0.25]


@pytest.mark.parametrize("numerics", ["pillow", "tf"])
def test_gradients_are_the_weights(numerics):
    slope = jax.grad(lambda x: grayscale(x, numerics=numerics).sum())(UNIT)
    weights = np.float32([0.299 if numerics == "pillow" else 0.2989, 0.587, 0.114])
    np.testing.assert_allclose(slope, np.broadcast_to(weights, UNIT.shape), rtol=1e-6)
    np.testing.assert_array_equal(jax.grad(lambda x: invert(x).sum())(UNIT), -np.ones_like(UNIT))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: grayscale(picture(channels=4)), "Grayscale: an image must have 1 or 3 channels"),
        (lambda: grayscale(picture().astype(np.int32)), "Grayscale: an image must be uint8"),
        (lambda: to_rgb(picture(channels=2)), "ToRGB: an image must have 1, 3 or 4 channels"),
        (lambda: channel_order(picture(), order=(1, 0)), "ChannelOrder: an image must have 2 channels"),
        (lambda: invert(picture().astype(bool)), "Invert: an image must be uint8"),
        (lambda: solarize(picture().astype(np.int16), threshold=3), "Solarize: an image must be uint8"),
    ],
)
def test_unsuitable_images_are_refused(call, message):
    with pytest.raises(ImageError, match=message):
        call()


def test_wrong_arguments_are_refused():
    with pytest.raises(ConfigError, match="numerics must be known"):
        grayscale(picture(), numerics="mxnet")
    with pytest.raises(ConfigError, match=r"bits must be 0\.\.8"):
        posterize(picture(), bits=9)
