"""Windows against the formula of DICOM, percentiles against NumPy."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from e2e_jax.errors import ConfigError, ImageError
from e2e_jax.ops.window import percentile, window

DTYPES = ["uint8", "uint16", "int16", "int8", "int32", "float32", "float16"]
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def scan(dtype: str, shape: tuple[int, ...] = (23, 17, 3), seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if np.issubdtype(dtype, np.floating):
        return rng.normal(30, 300, shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(max(limits.min, -2000), min(limits.max, 60000), shape).astype(dtype)


def by_dicom(image, center, width):
    """PS3.3 C.11.2.1.2.1 with 0 for the least and 1 for the largest output."""
    x, half = image.astype(np.float64), (width - 1) / 2
    with np.errstate(all="ignore"):
        between = (x - (center - 0.5)) / (width - 1) + 0.5
    return np.where(x <= center - 0.5 - half, 0, np.where(x > center - 0.5 + half, 1, between))


def by_numpy(image, low, high):
    black, white = np.percentile(image.astype(np.float64), (low, high))
    return np.clip((image.astype(np.float64) - black) / (white - black), 0, 1)


@each_dtype
@pytest.mark.parametrize(("center", "width"), [(40, 400), (127.5, 256), (-600, 1500), (30.5, 2), (100, 1.5)])
def test_window_is_the_formula_of_dicom(dtype, center, width):
    image = scan(dtype)
    expected = by_dicom(image, center, width)
    for call in (window, jax.jit(window)):  # the latter traces center and width
        result = call(image, center=center, width=width)
        assert result.dtype == jnp.float32
        np.testing.assert_allclose(result, expected, atol=2e-7 * max(1, 300 / width))


@pytest.mark.parametrize("call", [window, jax.jit(window)])
def test_window_of_one_level_is_a_threshold(call):
    image = np.arange(-3, 4, dtype=np.int16).reshape(1, -1, 1)
    assert call(image, center=1, width=1).ravel().tolist() == [0, 0, 0, 0, 1, 1, 1]
    for center in (1, 1.5):
        np.testing.assert_array_equal(call(image, center=center, width=1), by_dicom(image, center, 1))


def test_window_reaches_black_and_white():
    image = np.arange(256, dtype=np.uint8).reshape(1, -1, 1)
    result = np.asarray(window(image, center=128, width=256)).ravel()
    np.testing.assert_array_equal(result, (np.arange(256, dtype=np.float32) / np.float32(255)))


@each_dtype
@pytest.mark.parametrize(("low", "high"), [(0, 100), (1, 99), (2.5, 60), (50, 51)])
def test_percentile_is_numpys(dtype, low, high):
    image = scan(dtype)
    for call in (percentile, jax.jit(percentile)):  # the latter traces the percentages
        result = call(image, low=low, high=high)
        assert result.dtype == jnp.float32
        black, white = np.percentile(image.astype(np.float64), (low, high))
        unit = 2e-7 * max(abs(black), abs(white)) / (white - black)  # of float32, as what it is divided by
        np.testing.assert_allclose(result, by_numpy(image, low, high), atol=max(unit, 2e-7))


def test_percentile_with_many_equal_values_and_one_pixel_of_others():
    image = np.full((9, 9, 1), 7, np.int16)
    image[0, 0], image[5, 5] = -300, 90
    for low, high in ((0, 100), (0.5, 99), (1.25, 99.5), (0.1, 99.9)):
        np.testing.assert_allclose(percentile(image, low=low, high=high), by_numpy(image, low, high), atol=1e-6)


@each_dtype
def test_percentile_of_a_constant_image_is_black(dtype):
    image = np.full((5, 4, 3), 7, dtype)
    np.testing.assert_array_equal(percentile(image, low=1, high=99), np.zeros((5, 4, 3), np.float32))
    np.testing.assert_array_equal(percentile(image[:1, :1, :1], low=0, high=100), np.zeros((1, 1, 1), np.float32))


def test_percentile_of_a_batch_is_of_each_image():
    batch = np.stack([scan("uint16", seed=seed) // (seed + 1) for seed in range(3)])
    expected = [percentile(image, low=3, high=90) for image in batch]
    np.testing.assert_array_equal(percentile(batch, low=3, high=90), expected)
    np.testing.assert_array_equal(jax.vmap(lambda x: percentile(x, low=3, high=90))(batch), expected)
    assert percentile(batch[:0], low=3, high=90).shape == (0, 23, 17, 3)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_percentile_does_not_see_what_lies_outside(dtype):
    image = scan(dtype)
    call = jax.jit(lambda x, size: percentile(x, low=2, high=97, size=size))
    room = scan(dtype, (40, 30, 3), seed=4) // 2
    room[:23, :17] = image
    if dtype == "float32":
        room[25:] = np.nan
    result = call(room, (np.int32(23), np.int32(17)))
    np.testing.assert_array_equal(result[:23, :17], percentile(image, low=2, high=97))


def test_both_export_with_symbolic_sizes():
    h, w = export.symbolic_shape("h, w")
    for call in (
        lambda x: percentile(x, low=2, high=97, size=x.shape[:2]),
        lambda x: window(x, center=50, width=90),
    ):
        program = export.export(jax.jit(call))(jax.ShapeDtypeStruct((h, w, 3), jnp.int16))
        np.testing.assert_array_equal(program.call(scan("int16")), call(scan("int16")))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: percentile(x, low=13, high=77),
        lambda x: percentile(x, low=0, high=100),
        lambda x: window(x, center=0.7, width=1.9),
    ],
)
def test_gradients_are_finite_differences(call):
    rng = np.random.default_rng(0)
    image = (rng.permutation(5 * 4 * 2) / 40 + 0.1).astype(np.float32).reshape(5, 4, 2)
    weight = rng.random(image.shape).astype(np.float32)
    gradient = jax.grad(lambda x: (call(x) * weight).sum())(image)
    way = rng.random(image.shape).astype(np.float32)
    step = np.float32(1e-3)
    there, back = (np.sum(np.float64(call(image + sign * step * way)) * weight) for sign in (1, -1))
    np.testing.assert_allclose(np.sum(gradient * way), (there - back) / (2 * step), rtol=2e-3)


def test_gradients_of_flat_images_are_finite():
    for level in (0.0, 1.0):
        flat = np.full((4, 4, 3), level, np.float32)
        for call in (lambda x: percentile(x, low=1, high=99), lambda x: window(x, center=1, width=1)):
            assert np.isfinite(jax.grad(lambda x, call=call: call(x).sum())(flat)).all()


def test_wrong_numbers_are_refused():
    image = scan("uint8")
    with pytest.raises(ConfigError, match="width must be at least 1.\n  Received: width=0.5\n  Fix: pass"):
        window(image, center=3, width=0.5)
    for low, high in ((5, 5), (-1, 50), (0, 101), (60, 40)):
        with pytest.raises(ConfigError, match=f"rise within 0..100.\n  Received: low={low}, high={high}\n  Fix:"):
            percentile(image, low=low, high=high)
    with pytest.raises(ImageError, match=r"hold numbers.\n  Received: \(23, 17, 3\) bool"):
        window(image > 3, center=3, width=5)
