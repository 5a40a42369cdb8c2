"""as_module: a loaded artifact inside other models, under jit and grad."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from model_fixtures import WEIGHTS, mean_colour, photo, tiny_model

import e2e_jax as e2e

IMAGES = np.stack([photo(seed=n) for n in range(2)])


class TwoLayers(nnx.Module):
    """Enough parameters to mix up."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv = nnx.Conv(3, 5, (3, 3), rngs=rngs)
        self.out = nnx.Linear(5, 4, rngs=rngs)

    def __call__(self, x):
        return self.out(jax.nn.tanh(self.conv(x)).mean((1, 2)))


class Doubled(nnx.Module):
    """A loaded model with a layer of its own behind it."""

    def __init__(self, inner: nnx.Module) -> None:
        self.inner, self.scale = inner, nnx.Param(jnp.float32(2))

    def __call__(self, images):
        return self.inner(images) * self.scale[...]


@pytest.fixture(scope="module")
def original():
    return tiny_model(network=TwoLayers(nnx.Rngs(0)), postprocess=None)


@pytest.fixture(scope="module")
def loaded(original, tmp_path_factory):
    path = e2e.export(original, tmp_path_factory.mktemp("module") / "two.e2e", progress=False)
    return e2e.load(path)


def squares(model):
    return (model(IMAGES) ** 2).sum()


def test_batch_and_single_give_the_models_outputs(loaded, original):
    module = loaded.as_module()
    np.testing.assert_allclose(module(IMAGES), original(IMAGES), atol=1e-5)
    np.testing.assert_allclose(module(IMAGES[0]), original(IMAGES[0]), atol=1e-5)
    np.testing.assert_allclose(nnx.jit(lambda m, x: m(x))(module, IMAGES), original(IMAGES), atol=1e-5)


def test_the_post_processor_is_part_of_it(predictor):
    outputs, result = predictor.as_module()(IMAGES[0]), predictor.predict(IMAGES[0])
    assert outputs["ids"].tolist() == [c.id for c in result.top]


def test_gradients_equal_those_of_the_original_network(loaded, original):
    found = nnx.grad(squares)(loaded.as_module())["params"]
    expected = nnx.grad(squares)(original)["network"]
    pairs = {"conv/kernel": ("conv", "kernel"), "conv/bias": ("conv", "bias"),
             "out/kernel": ("out", "kernel"), "out/bias": ("out", "bias")}  # fmt: skip
    assert set(found) == set(pairs)
    for name, (layer, part) in pairs.items():
        wanted = expected[layer][part][...]
        np.testing.assert_allclose(found[name][...], wanted, atol=1e-5, rtol=1e-5)
        assert np.abs(wanted).max() > 1e-3


def test_it_composes_inside_another_module_and_both_are_trained(loaded, original):
    model = Doubled(loaded.as_module())
    np.testing.assert_allclose(model(IMAGES), 2 * original(IMAGES), atol=1e-5)
    grads = nnx.jit(nnx.grad(squares))(model)
    np.testing.assert_allclose(grads["scale"][...], squares(model), rtol=1e-4)  # d(s²f²)/ds = 2sf², s = 2
    assert np.abs(grads["inner"]["params"]["out/kernel"][...]).max() > 1e-3


def test_training_the_module_leaves_the_predictor_alone(loaded, original):
    module = loaded.as_module()
    before = loaded.predict(IMAGES)
    for leaf in module.params.values():
        leaf[...] = leaf[...] * 0
    assert np.abs(module(IMAGES)).max() == 0
    np.testing.assert_array_equal(loaded.predict(IMAGES), before)
    np.testing.assert_allclose(loaded.as_module()(IMAGES), original(IMAGES), atol=1e-5)


def test_gradients_with_respect_to_float_photos(tmp_path):
    path = e2e.export(tiny_model(), tmp_path / "f.e2e", progress=False, dtype="float32")
    module, image = e2e.load(path).as_module(), photo() / np.float32(255)
    found = jax.grad(lambda x: module(x)["scores"][0])(image)
    expected = jax.grad(lambda x: tiny_model()(x)["scores"][0])(image)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(expected).max() > 1e-5


BAD = {
    "doubles": IMAGES / np.float64(255),
    "list": list(IMAGES),
    "None": None,
    "gray": IMAGES[..., 0],
    "channels": IMAGES[..., :2],
    "five axes": IMAGES[None],
    "empty": IMAGES[:, :0],
}


@pytest.mark.parametrize("kind", BAD)
def test_other_inputs_are_image_errors(loaded, kind):
    with pytest.raises(e2e.ImageError, match=r"Fix: pass uint8 or float32 arrays \(b, h, w, 3\) or \(h, w, 3\)"):
        loaded.as_module()(BAD[kind])


def test_mean_colour_is_what_the_tiny_model_computes(predictor):
    steps = tiny_model().preprocess(IMAGES)
    scores = jax.nn.softmax(mean_colour(WEIGHTS, steps))
    np.testing.assert_allclose(
        predictor.as_module()(IMAGES)["scores"], -np.sort(-np.asarray(scores))[:, :3], atol=1e-5
    )
