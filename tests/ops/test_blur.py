"""Gaussian blur against OpenCV and stored torchvision."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from e2e_jax.errors import ConfigError, ImageError
from e2e_jax.ops.blur import gaussian_blur

with np.load(Path(__file__).parents[1] / "golden/torchvision_blur.npz") as stored:
    GOLDEN = dict(stored)
ULPS = {"float32": 5e-7, "float16": 1e-3}
each_numerics = pytest.mark.parametrize("numerics", ["torch", "opencv"])


def picture(height: int = 33, width: int = 47, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels)).astype(np.uint8)


def by_opencv(image, kernel_size, sigma):
    across, down = sigma if isinstance(sigma, tuple) else (sigma or 0, sigma or 0)
    size = kernel_size if isinstance(kernel_size, tuple) else (kernel_size, kernel_size)
    return cv2.GaussianBlur(image, size, across, sigmaY=down).reshape(image.shape)


def by_torchvision(image, kernel_size, sigma):
    """Its formula in float64: gaussian_blur_image with a kernel of two dimensions."""
    place = np.linspace(-(kernel_size - 1) / 2, (kernel_size - 1) / 2, kernel_size)
    bell = np.exp(-0.5 * (place / sigma) ** 2)
    kernel = np.outer(bell, bell) / bell.sum() ** 2
    half = kernel_size // 2
    wide = np.pad(image.astype(np.float64), [(half, half), (half, half), (0, 0)], mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(wide, kernel.shape, (0, 1))  # (h, w, C, k, k)
    return (windows * kernel).sum((-2, -1))


def test_floats_are_torchvisions():
    image = GOLDEN["tall/image"].astype(np.float32) / 255
    result = gaussian_blur(image, kernel_size=7, sigma=1.5)
    np.testing.assert_allclose(result, GOLDEN["tall/float_gaussian_blur_7_1.5"], atol=1e-6)


@pytest.mark.parametrize(("kernel_size", "sigma"), [(3, 0.8), (9, None), (5, 0.2), (23, 4.0)])
def test_bytes_are_torchvisions_formula_rounded(kernel_size, sigma):
    image = picture()
    expected = by_torchvision(image, kernel_size, sigma or 0.15 * kernel_size + 0.35)
    result = np.asarray(gaussian_blur(image, kernel_size=kernel_size, sigma=sigma)).astype(int)
    away = np.abs(result - expected)
    assert away.max() <= 0.5 + 1e-4  # of a level: the nearest one, and at a tie one of both
    np.testing.assert_array_equal(result[away < 0.499], np.rint(expected)[away < 0.499])


def test_ties_go_to_the_even_level():
    image = np.array([[1, 1, 4, 1, 1], [0, 2, 0, 2, 0]], np.uint8)[..., None]  # halves with weights 1, 2, 1
    sigma = (1 / np.sqrt(2 * np.log(2)), 1.0)
    result = gaussian_blur(image, kernel_size=(3, 1), sigma=sigma)
    assert result[..., 0].tolist() == [[1, 2, 2, 2, 1], [1, 1, 1, 1, 1]]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kernel_size", [1, 3, 5, 7, 9, 11, 31, 51])
def test_bytes_are_opencvs_to_the_bit(kernel_size, channels):
    image = picture(60, 70, channels)
    call = jax.jit(partial(gaussian_blur, kernel_size=kernel_size, numerics="opencv"))
    for sigma in (0.3, 0.5, 0.8, 1.0, 1.7, 3.3, 20.0):  # traced
        np.testing.assert_array_equal(call(image, sigma=sigma), by_opencv(image, kernel_size, sigma))
        fixed = gaussian_blur(image, kernel_size=kernel_size, sigma=sigma, numerics="opencv")
        np.testing.assert_array_equal(fixed, by_opencv(image, kernel_size, sigma))
    np.testing.assert_array_equal(call(image), by_opencv(image, kernel_size, None))


@pytest.mark.parametrize("shape", [(1, 9, 3), (9, 1, 3), (3, 2, 3), (1, 1, 1), (4, 50, 1)])
def test_images_smaller_than_the_kernel_are_opencvs(shape):
    image = picture(*shape)
    result = gaussian_blur(image, kernel_size=15, sigma=3.0, numerics="opencv")
    np.testing.assert_array_equal(result, by_opencv(image, 15, 3.0))


def test_two_sizes_and_sigmas_are_along_x_and_y():
    image = picture()
    how = {"kernel_size": (9, 3), "sigma": (2.0, 0.7)}
    np.testing.assert_array_equal(gaussian_blur(image, **how, numerics="opencv"), by_opencv(image, *how.values()))


@pytest.mark.parametrize("sigma", [None, 0.7, 2.5])
def test_floats_are_opencvs(sigma):
    image = picture().astype(np.float32) * 3 - 200
    result = gaussian_blur(image, kernel_size=7, sigma=sigma, numerics="opencv")
    np.testing.assert_allclose(result, by_opencv(image, 7, sigma), atol=1e-6 * np.abs(image).max())


@each_numerics
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float16"])
def test_what_lies_outside_does_not_show(numerics, dtype):
    image = picture(13, 11).astype(dtype)
    expected = gaussian_blur(image, kernel_size=7, sigma=1.5, numerics=numerics)
    assert expected.dtype == dtype
    call = jax.jit(lambda x, size: gaussian_blur(x, kernel_size=7, sigma=1.5, numerics=numerics, size=size))
    for extents in ((13, 11), (14, 12), (40, 32)):
        results = []
        for outside in (0, 255 if dtype == "uint8" else np.nan):
            room = np.full((*extents, 3), outside, dtype)
            room[:13, :11] = image
            results.append(np.asarray(call(room, (np.int32(13), np.int32(11)))[:13, :11]))
        np.testing.assert_array_equal(*results)
        np.testing.assert_allclose(results[0], expected, rtol=0 if dtype == "uint8" else ULPS[dtype])


@each_numerics
def test_batches_are_their_images(numerics):
    batch = np.stack([picture(seed=seed) for seed in range(3)])
    call = partial(gaussian_blur, kernel_size=(5, 7), sigma=1.1, numerics=numerics)
    expected = [call(image) for image in batch]
    np.testing.assert_array_equal(call(batch), expected)
    np.testing.assert_array_equal(jax.vmap(call)(batch), expected)
    assert call(batch[:0]).shape == (0, 33, 47, 3)


def test_symbolic_sizes_export():
    h, w = export.symbolic_shape("h, w")
    call = partial(gaussian_blur, kernel_size=9, sigma=1.6, numerics="opencv")
    program = export.export(jax.jit(call))(jax.ShapeDtypeStruct((h, w, 3), jnp.uint8))
    for size in ((33, 47), (2, 5), (20, 1)):
        np.testing.assert_array_equal(program.call(picture(*size)), by_opencv(picture(*size), 9, 1.6))


@each_numerics
def test_gradients_are_finite_differences(numerics):
    rng = np.random.default_rng(0)
    image, way, weight = (rng.random((6, 5, 2)).astype(np.float32) for _ in range(3))

    def total(image, sigma):
        return (gaussian_blur(image, kernel_size=5, sigma=sigma, numerics=numerics) * weight).sum()

    by_image, by_sigma = jax.grad(total, (0, 1))(image, np.float32(1.3))
    there, back = (float(total(image + sign * way, np.float32(1.3))) for sign in (1, -1))
    np.testing.assert_allclose((by_image * way).sum(), (there - back) / 2, rtol=1e-5)
    there, back = (float(total(image, np.float32(1.3 + sign))) for sign in (0.01, -0.01))
    np.testing.assert_allclose(by_sigma, (there - back) / 0.02, rtol=2e-3)


def test_wrong_arguments_are_refused():
    for size in (4, 0, (3, 2)):
        with pytest.raises(ConfigError, match="kernel_size must be odd.\n  Received: kernel_size="):
            gaussian_blur(picture(), kernel_size=size)
    with pytest.raises(ConfigError, match="numerics must be known.\n  Received: numerics='pillow'"):
        gaussian_blur(picture(), kernel_size=3, numerics="pillow")
    with pytest.raises(ImageError, match="uint8 0..255 or floating"):
        gaussian_blur(picture().astype(np.int32), kernel_size=3)
