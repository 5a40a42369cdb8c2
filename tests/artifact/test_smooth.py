"""Transforms without rounding: the same numbers but for it, and a gradient down to the bytes of a photo."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from model_fixtures import photo, tiny_model

import e2e_jax as e2e
from e2e_jax import transforms as T
from e2e_jax.artifact import archive
from e2e_jax.artifact.smooth import smooth

IMAGE = photo(40, 50)[None]
FLOATS = IMAGE.astype(np.float32)  # the same levels

#: Pipelines for bytes, and how far rounding may lead off in the units of their results.
PIPELINES = {
    "resize": (T.Compose([T.Resize(20), T.CenterCrop(16), T.ToTensor()]), 1.0 / 255),
    "levels": (T.Compose([T.Resize((30, 20), method="bicubic"), T.Normalize(127, 128)]), 1.5 / 128),
    "colours": (T.Compose([T.Brightness(0.7), T.Grayscale(), T.ToTensor()]), 1.5 / 255),
    "a border in levels": (T.Compose([T.Pad(3, fill=200), T.Resize((8, 8)), T.ToTensor()]), 1.0 / 255),
    "turned": (T.Compose([T.Rotate(20, fill=90), T.Crop(0, 0, 30, 30), T.Rescale(1 / 255)]), 1.5 / 255),
    "floats at once": (T.Compose([T.ToTensor(), T.Resize((10, 10)), T.Brightness(1.1)]), 1e-6),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_it_differs_from_the_bytes_by_their_rounding(name):
    pipeline, rounding = PIPELINES[name]
    inner = 60 + IMAGE // 4  # so that no kernel overshoots what bytes hold
    np.testing.assert_allclose(smooth(pipeline, np.float32(inner), "uint8"), pipeline(inner), atol=rounding)


def test_a_resize_is_pillows_of_floats(pillow):
    gray = FLOATS[0, ..., :1]
    found = smooth(T.Resize((13, 17)), gray[None], "uint8")[0]
    np.testing.assert_allclose(found, pillow(gray, 13, 17, "bilinear"), atol=1e-3)


@pytest.mark.parametrize("name", PIPELINES)
def test_the_gradient_is_that_of_differences(name):
    pipeline, _ = PIPELINES[name]
    weights = np.random.default_rng(0).normal(size=pipeline(IMAGE).shape).astype(np.float32)
    step = np.random.default_rng(1).normal(size=FLOATS.shape).astype(np.float32)
    inner = 60 + FLOATS / 4  # where nothing is cut off

    def value(images):
        return (smooth(pipeline, images, "uint8") * weights).sum()

    slope = (jax.grad(value)(jnp.asarray(inner)) * step).sum()
    expected = (value(inner + 4 * step) - value(inner - 4 * step)) / 8
    np.testing.assert_allclose(slope, expected, rtol=0.02, atol=2e-3 * np.abs(weights).sum() / 255)
    assert abs(slope) > 1e-3


def test_photos_of_floats_pass_the_pipeline_itself():
    pipeline = T.Compose([T.Resize((8, 8)), T.Brightness(1.5)])
    np.testing.assert_array_equal(smooth(pipeline, FLOATS / 255, "float32"), pipeline(FLOATS / 255))


def test_a_loaded_file_has_gradients_down_to_the_bytes(predictor):
    module = predictor.as_module()
    found = jax.grad(lambda images: module(images)["scores"][:, 0].sum())(jnp.asarray(FLOATS))

    def exact(images):
        steps = smooth(tiny_model().preprocess, images, "uint8")
        return tiny_model().finish(steps)["scores"][:, 0].sum()

    np.testing.assert_allclose(found, jax.grad(exact)(jnp.asarray(FLOATS)), atol=1e-7)
    assert np.abs(found).max() > 1e-6
    jitted = jax.jit(jax.grad(lambda images: module(images)["scores"][:, 0].sum()))(jnp.asarray(FLOATS))
    np.testing.assert_allclose(jitted, found, atol=1e-7)


def test_a_step_that_counts_levels_has_no_gradient_and_the_file_says_so(tmp_path):
    steps = T.Compose([T.CenterCrop(16), T.Equalize(), T.ToTensor()])
    path = e2e.export(tiny_model(preprocess=steps), tmp_path / "x.e2e", progress=False)
    assert "programs/smooth.jax" not in archive.read(path)
    module = e2e.load(path).as_module()
    assert module(IMAGE)["scores"].shape == (1, 3)
    with pytest.raises(e2e.ImageError, match="must fit the artifact's signature") as caught:
        module(FLOATS)
    assert "pass uint8 arrays" in caught.value.fix
