"""Sharpness against Pillow and stored torchvision."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from PIL import Image, ImageEnhance

from e2e_jax.errors import ConfigError, ImageError
from e2e_jax.ops.sharpness import sharpness

with np.load(Path(__file__).parents[1] / "golden/torchvision_blur.npz") as stored:
    GOLDEN = dict(stored)
FACTORS = (0.0, 0.1, 0.4, 0.75, 1.0, 1.1, 1.7, 3.3, 20.0)
ULPS = {"float32": 5e-7, "float16": 1e-3}
each_numerics = pytest.mark.parametrize("numerics", ["pillow", "torch"])


def picture(height: int = 41, width: int = 57, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels)).astype(np.uint8)


def by_pillow(image, factor):
    source = Image.fromarray(image if image.shape[-1] == 3 else image[..., 0])
    return np.asarray(ImageEnhance.Sharpness(source).enhance(factor)).reshape(image.shape)


@pytest.mark.parametrize(
    "shape", [(41, 57, 3), (41, 57, 1), (200, 300, 3), (3, 3, 3), (2, 9, 3), (9, 2, 1), (1, 5, 3)]
)
def test_bytes_are_pillows_to_the_bit(shape):
    image, call = picture(*shape), jax.jit(sharpness)  # the factor is traced
    for factor in FACTORS:
        np.testing.assert_array_equal(call(image, factor=factor), by_pillow(image, factor))
        np.testing.assert_array_equal(sharpness(image, factor=factor), by_pillow(image, factor))


@pytest.mark.parametrize("factor", [0.4, 1.7])
@pytest.mark.parametrize("name", ["tall", "square"])
def test_bytes_are_torchvisions(name, factor):
    image = GOLDEN[f"{name}/image"]
    expected = GOLDEN[f"{name}/tensor_sharpness_{factor}"]
    np.testing.assert_array_equal(sharpness(image, factor=factor, numerics="torch"), expected)
    traced = np.asarray(jax.jit(partial(sharpness, numerics="torch"))(image, factor=factor))
    assert np.abs(traced.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("factor", [0.4, 1.7])
@each_numerics
def test_floats_are_torchvisions(numerics, factor):
    image = GOLDEN["square/image"].astype(np.float32) / 255
    expected = GOLDEN[f"square/float_sharpness_{factor}"]
    np.testing.assert_allclose(sharpness(image, factor=factor, numerics=numerics), expected, atol=1e-6)


@each_numerics
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float16"])
def test_what_lies_outside_does_not_show(numerics, dtype):
    image = (picture(13, 11) / (1 if dtype == "uint8" else 255)).astype(dtype)
    expected = sharpness(image, factor=1.7, numerics=numerics)
    assert expected.dtype == dtype
    call = jax.jit(lambda x, size: sharpness(x, factor=1.7, numerics=numerics, size=size))
    for extents in ((13, 11), (14, 12), (40, 32)):
        results = []
        for outside in (0, 255 if dtype == "uint8" else np.nan):
            room = np.full((*extents, 3), outside, dtype)
            room[:13, :11] = image
            results.append(np.asarray(call(room, (np.int32(13), np.int32(11)))[:13, :11]))
        np.testing.assert_array_equal(*results)
        np.testing.assert_allclose(results[0], expected, rtol=0, atol=0 if dtype == "uint8" else ULPS[dtype])


@each_numerics
def test_batches_are_their_images(numerics):
    batch = np.stack([picture(seed=seed) for seed in range(3)])
    call = partial(sharpness, factor=0.3, numerics=numerics)
    expected = [call(image) for image in batch]
    np.testing.assert_array_equal(call(batch), expected)
    np.testing.assert_array_equal(jax.vmap(call)(batch), expected)
    assert call(batch[:0]).shape == (0, 41, 57, 3)


def test_symbolic_sizes_export():
    h, w = export.symbolic_shape("h, w")
    program = export.export(jax.jit(partial(sharpness, factor=1.7)))(jax.ShapeDtypeStruct((h, w, 3), jnp.uint8))
    for size in ((41, 57), (2, 3)):
        np.testing.assert_array_equal(program.call(picture(*size)), by_pillow(picture(*size), 1.7))


@each_numerics
def test_gradients_are_finite_differences(numerics):
    rng = np.random.default_rng(0)
    image = (0.4 + 0.2 * rng.random((6, 5, 2))).astype(np.float32)
    way, weight = (rng.random((6, 5, 2)).astype(np.float32) / 50 for _ in range(2))

    def total(image, factor):
        return (sharpness(image, factor=factor, numerics=numerics) * weight).sum()

    by_image, by_factor = jax.grad(total, (0, 1))(image, np.float32(1.3))
    there, back = (float(total(image + sign * way, np.float32(1.3))) for sign in (1, -1))
    np.testing.assert_allclose((by_image * way).sum(), (there - back) / 2, rtol=1e-3)
    there, back = (float(total(image, np.float32(1.3 + sign))) for sign in (0.2, -0.2))
    np.testing.assert_allclose(by_factor, (there - back) / 0.4, rtol=1e-2)


def test_wrong_arguments_are_refused():
    with pytest.raises(ConfigError, match="numerics must be known.\n  Received: numerics='opencv'"):
        sharpness(picture(), factor=1.0, numerics="opencv")
    with pytest.raises(ImageError, match="uint8 0..255 or floating"):
        sharpness(picture().astype(np.int32), factor=1.0)
