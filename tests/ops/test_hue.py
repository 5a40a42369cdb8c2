"""Hue against Pillow's HSV for every colour, stored torchvision and TensorFlow, and colorsys."""

from __future__ import annotations

import colorsys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from e2e_jax.errors import ConfigError, ImageError
from e2e_jax.ops.hue import hue

with np.load(Path(__file__).parents[1] / "golden/torchvision_color.npz") as stored:
    GOLDEN = dict(stored)
UNIT = GOLDEN["square/image"].astype(np.float32) / 255
FACTORS = (-0.5, -0.3, -0.01, 0.0, 0.1, 0.2, 0.5)


def by_pillow(image: np.ndarray, factor: float) -> np.ndarray:
    """What torchvision does with a PIL image: _functional_pil.py, adjust_hue."""
    h, s, v = Image.fromarray(image).convert("HSV").split()
    turned = (np.asarray(h).astype(int) + int(factor * 255)).astype(np.uint8)
    return np.asarray(Image.merge("HSV", (Image.fromarray(turned), s, v)).convert("RGB"))


def colours(red: np.ndarray) -> np.ndarray:
    """Every colour with one of these levels of red, (n, 65536, 3)."""
    levels = np.arange(256, dtype=np.uint8)
    return np.stack(np.meshgrid(red, levels, levels, indexing="ij"), -1).reshape(len(red), -1, 3)


def test_hue_is_pillows_for_every_colour():
    turn = jax.jit(hue)
    for start in range(0, 256, 32):
        image = colours(np.arange(start, start + 32, dtype=np.uint8))
        np.testing.assert_array_equal(turn(image, factor=0.1), by_pillow(image, 0.1))


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("factor", FACTORS)
def test_hue_is_pillows_for_every_shift(factor, compiled):
    image = colours(np.array([0, 93, 255], np.uint8))
    turn = jax.jit(hue) if compiled else hue
    np.testing.assert_array_equal(turn(image, factor=factor), by_pillow(image, factor))


@pytest.mark.parametrize("factor", [-0.3, 0.2])
@pytest.mark.parametrize("source", ["wide", "square"])
def test_bytes_are_torchvisions_tensor_path_within_a_level(source, factor):
    turned = hue(GOLDEN[f"{source}/image"], factor=factor, numerics="torch")
    apart = np.abs(np.asarray(turned).astype(int) - GOLDEN[f"{source}/tensor_hue_{factor}"])
    assert apart.max() <= 1
    assert (apart > 0).mean() <= 1e-3


def test_floats_are_torchvisions_and_tensorflows():
    turned = hue(UNIT, factor=0.2, numerics="torch")
    np.testing.assert_allclose(turned, GOLDEN["square/float_hue_0.2"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(hue(UNIT, factor=0.1, numerics="tf"), GOLDEN["square/tf_hue_0.1"], rtol=0, atol=1e-5)
    in_bytes = hue(GOLDEN["square/image"], factor=0.1, numerics="tf").astype(np.float32)
    assert np.abs(in_bytes - GOLDEN["square/tf_hue_0.1"] * 255).max() <= 1


@pytest.mark.parametrize("factor", FACTORS)
def test_floats_are_colorsys(factor):
    image = np.random.default_rng(0).random((5, 7, 3))
    image[0, :4] = [[0, 0, 0], [1, 1, 1], [0.3, 0.3, 0.3], [1, 1, 0]]

    def turned(pixel):
        h, s, v = colorsys.rgb_to_hsv(*pixel)
        return colorsys.hsv_to_rgb((h + factor) % 1.0, s, v)

    expected = np.apply_along_axis(turned, -1, image)
    np.testing.assert_allclose(hue(image.astype(np.float32), factor=factor), expected, rtol=0, atol=1e-5)


def test_derivatives_are_those_of_finite_differences():
    rng = np.random.default_rng(0)
    image = rng.uniform(0.45, 0.5, (6, 7, 3)) + rng.permuted(np.tile([-0.3, 0.0, 0.2], (6, 7, 1)), axis=-1)
    weights, direction = rng.normal(size=(2, 6, 7, 3))
    with jax.enable_x64(True):

        def loss(x, factor):
            return (hue(x, factor=factor) * weights).sum()

        by_image, by_factor = jax.grad(loss, (0, 1))(jnp.asarray(image), jnp.asarray(0.123))
        step = 1e-7
        along = (loss(image + step * direction, 0.123) - loss(image - step * direction, 0.123)) / (2 * step)
        across = (loss(image, 0.123 + step) - loss(image, 0.123 - step)) / (2 * step)
        np.testing.assert_allclose((by_image * direction).sum(), along, rtol=1e-5)
        np.testing.assert_allclose(by_factor, across, rtol=1e-5)
        assert abs(across) > 0.1


@pytest.mark.parametrize("numerics", ["pillow", "torch", "tf"])
def test_grey_stays_and_has_finite_derivatives(numerics):
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    np.testing.assert_array_equal(hue(grey, factor=0.3, numerics=numerics), grey)
    alike = grey.repeat(3, -1)
    np.testing.assert_array_equal(hue(alike, factor=0.3, numerics=numerics), alike)
    slope = jax.grad(lambda x: hue(x, factor=0.3, numerics=numerics).sum())(alike.astype(np.float32) / 255)
    assert np.isfinite(slope).all()
    assert hue(UNIT.astype(np.float16), factor=0.1, numerics=numerics).dtype == jnp.float16


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: hue(UNIT, factor=0.6), ConfigError, r"factor must be -0.5\.\.0.5"),
        (lambda: hue(UNIT, factor=0.1, numerics="opencv"), ConfigError, "numerics must be known"),
        (lambda: hue(UNIT[..., :2], factor=0.1), ImageError, "Hue: an image must have 1 or 3 channels"),
        (lambda: hue(UNIT.astype(np.int32), factor=0.1), ImageError, "Hue: an image must be uint8"),
    ],
)
def test_what_does_not_suit_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
