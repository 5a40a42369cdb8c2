"""What every transform promises: one result for one image, however it comes and however it is compiled."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from e2e_jax import transforms as T
from e2e_jax.errors import ImageError
from e2e_jax.ops.batch import list_to_batch
from e2e_jax.types import PaddedImages

H, W = 37, 26  # every test here uses one shape, for one compilation
COUNT_LEVELS = (T.Equalize, T.AutoContrast)  # need bytes


def images(channels: int, dtype: str = "uint8") -> np.ndarray:
    return np.random.default_rng(channels).integers(0, 256, (3, H, W, channels)).astype(dtype)


def unpadded(result: jax.Array | PaddedImages) -> list[np.ndarray]:
    if not isinstance(result, PaddedImages):
        return list(np.asarray(result))
    return [np.asarray(p)[:h, :w] for p, (h, w) in zip(result.pixels, result.sizes.tolist(), strict=True)]


def assert_same(step: T.Transform, actual: np.ndarray, expected: np.ndarray) -> None:
    """To the byte, but for arithmetic in floats that is rounded at the end: there a tie may fall either way."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    if not ROUNDED_FLOATS.search(repr(step)) or actual.dtype != np.uint8:
        np.testing.assert_array_equal(actual, expected)
    assert actual.shape == expected.shape
    apart = np.abs(actual.astype(np.int32) - expected.astype(np.int32))
    assert apart.max(initial=0) <= 1
    assert (apart > 0).sum() <= max(0.005 * apart.size, 1)


ROUNDED_FLOATS = re.compile("numerics='tf'|Hue.*torch|Rotate|Affine|Perspective")


def layout_follows_padding(step: T.Transform) -> bool:
    """ToLayout on its own leaves sizes behind that name the wrong axes; it belongs after the last resize."""
    return step == T.ToLayout("CHW")


#: What mixes channels, and so needs as many as it knows what to do with.
MIXES = re.compile("Grayscale|ToRGB|ChannelOrder|Contrast|Saturation|Hue|ColorJitter|Lighting|Percentile")


def test_image_batch_and_list_give_the_same_bytes(step):
    batch = images(3)
    alone = [np.asarray(step(image)) for image in batch]
    together = step(batch)
    assert_same(step, together, alone)
    assert together.dtype == alone[0].dtype
    if layout_follows_padding(step):
        return
    for one, expected in zip(unpadded(step(list(batch))), alone, strict=True):
        if isinstance(step, T.Tile):  # a slot of 64 x 64 has more tiles, 5 x 11 rather than 3 x 4
            one = one.reshape(5, 11, *expected.shape[1:])[:3, :4].reshape(expected.shape)
        assert_same(step, one, expected)


def test_padding_never_shows(step):
    if layout_follows_padding(step):
        return
    batch = images(3)
    clean = list_to_batch([batch[0], batch[1][:30, :20], batch[2][:24, :26]])
    inside = np.arange(64)[:, None, None] < clean.sizes[:, 0, None, None, None]
    inside = inside & (np.arange(64)[:, None] < clean.sizes[:, 1, None, None, None])
    noise = np.random.default_rng(0).integers(0, 256, clean.pixels.shape, np.uint8)
    dirty = PaddedImages(np.where(inside, clean.pixels, noise), clean.sizes)
    for one, other in zip(unpadded(step(clean)), unpadded(step(dirty)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_compiled_mapped_and_eager_agree(step):
    batch = images(3)
    expected = np.asarray(step(batch))
    assert_same(step, jax.jit(step)(batch), expected)
    assert_same(step, jax.jit(jax.vmap(step))(batch), expected)


def test_channels_are_independent_however_many(step):
    if MIXES.search(repr(step)):
        return
    batch = images(4)
    everything = np.asarray(step(batch))
    axis = -3 if "ToLayout" in repr(step) else -1
    assert everything.shape[axis] == 4
    gray = np.asarray(step(batch[..., -1:]))
    assert gray.shape[axis] == 1
    np.testing.assert_array_equal(np.take(everything, [3], axis), gray)


def test_empty_batch_gives_an_empty_batch_of_the_same_kind(step):
    full, empty = step(images(3)), step(images(3)[:0])
    assert empty.shape == (0, *full.shape[1:])
    assert empty.dtype == full.dtype


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_geometry_keeps_the_dtype(step, dtype):
    if isinstance(step, T.Geometric):
        assert step(images(3, dtype)).dtype == dtype


def test_flat_images_stay_flat_and_have_finite_gradients(step):
    def total(x):
        result = step(x)
        return result.astype(jnp.float32).sum(), result

    gradient_of = jax.jit(jax.grad(total, has_aux=True))
    if isinstance(step, COUNT_LEVELS):
        with pytest.raises(ImageError, match="must be uint8"):
            gradient_of(np.zeros((1, H, W, 3), np.float32))
        return
    for level in (0.0, 0.5, 255.0):
        gradient, result = gradient_of(np.full((1, H, W, 3), level, np.float32))
        assert np.isfinite(gradient).all()
        if isinstance(step, T.Resize):
            np.testing.assert_allclose(result, level, rtol=1e-5)
            np.testing.assert_allclose(gradient.sum(), result.size, rtol=1e-4)


def test_output_size_is_the_size_that_comes_out(step):
    shape = step(images(3)).shape
    assert step.output_size(H, W) == (shape[-2:] if "ToLayout" in repr(step) else shape[-3:-1])
