"""EndToEnd: the forms of a network it takes, the inputs, and how it composes with Flax."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from model_fixtures import WEIGHTS, mean_colour, photo, tiny_model

import e2e_jax as e2e
from e2e_jax import transforms as T
from e2e_jax.model import Functional

STEPS = T.Compose([T.Resize((8, 8)), T.ToTensor()])


class MeanColour(nnx.Module):
    """`mean_colour` as an nnx module."""

    def __init__(self, weights: np.ndarray) -> None:
        self.weights = nnx.Param(jnp.asarray(weights))

    def __call__(self, x):
        return mean_colour(self.weights[...], x)


class LinenMeanColour(nn.Module):
    """`mean_colour` as a linen module."""

    @nn.compact
    def __call__(self, x):
        return mean_colour(self.param("weights", lambda _: jnp.asarray(WEIGHTS)), x)


def linen_pair():
    module = LinenMeanColour()
    return module, module.init(jax.random.key(0), np.zeros((1, 8, 8, 3), np.float32))


NETWORKS = {
    "nnx": lambda: MeanColour(WEIGHTS),
    "linen": linen_pair,
    "function": lambda: (mean_colour, WEIGHTS),
    "tree": lambda: (
        lambda params, x: mean_colour(params["w"][0] + params["w"][1], x),
        {"w": [WEIGHTS, 0 * WEIGHTS]},
    ),
}


@pytest.mark.parametrize("form", NETWORKS)
def test_every_form_of_a_network_gives_the_same_numbers(form):
    image = photo()
    logits = e2e.EndToEnd(STEPS, NETWORKS[form]())(image)
    expected = (np.asarray(STEPS(image)).mean((0, 1)) - 0.5) @ WEIGHTS
    np.testing.assert_allclose(logits, expected, atol=1e-5)


@pytest.mark.parametrize(
    "network",
    [None, 3, mean_colour, MeanColour, nnx.Module(), (1, 2), (mean_colour, WEIGHTS, 3), [mean_colour, WEIGHTS]],
)
def test_another_network_is_refused(network):
    with pytest.raises(e2e.ConfigError, match="network must be an nnx.Module or a pair"):
        e2e.EndToEnd(STEPS, network)


def test_other_parts_are_refused():
    with pytest.raises(e2e.ConfigError, match="preprocess must be a Transform"):
        e2e.EndToEnd([T.Resize(8)], (mean_colour, WEIGHTS))
    with pytest.raises(e2e.ConfigError, match="postprocess must be a Postprocess"):
        e2e.EndToEnd(STEPS, (mean_colour, WEIGHTS), ["red", "green"])
    with pytest.raises(e2e.ConfigError, match=r"EndToEnd\(preprocess, network, postprocess, factory\)"):
        e2e.EndToEnd(STEPS, net=(mean_colour, WEIGHTS))


def test_single_batch_and_list_agree():
    model, images = tiny_model(), [photo(40, 50, seed=n) for n in range(3)]
    batch, listed = model(np.stack(images)), model(images)
    for n, image in enumerate(images):
        single = model(image)
        assert single["ids"].tolist() == batch["ids"][n].tolist() == listed["ids"][n].tolist()
        np.testing.assert_allclose(single["scores"], batch["scores"][n], atol=1e-6)
        np.testing.assert_allclose(single["scores"], listed["scores"][n], atol=1e-6)


def test_a_list_of_different_sizes_agrees_with_each_alone():
    model, images = tiny_model(), [photo(40, 50), photo(90, 30), photo(16, 200)]
    listed = model(images)["scores"]
    for image, scores in zip(images, listed, strict=True):
        np.testing.assert_allclose(model(image)["scores"], scores, atol=1e-6)


def test_images_left_at_different_sizes_are_refused():
    model = tiny_model(preprocess=T.Compose([T.HorizontalFlip(), T.ToTensor()]))
    with pytest.raises(e2e.ConfigError, match="network needs images of one size") as caught:
        model([photo(40, 50), photo(50, 40)])
    assert "Compose([HorizontalFlip(), ToTensor()])" in str(caught.value)


def test_without_postprocess_the_output_tree_comes_back_without_the_batch_axis():
    network = (lambda params, x: {"mean": x.mean((1, 2)), "parts": (x[:, 0], params * x[:, 0, 0])}, np.float32(2))
    outputs = e2e.EndToEnd(STEPS, network)(photo())
    first = STEPS(photo())
    np.testing.assert_allclose(outputs["parts"][0], first[0], atol=1e-6)
    np.testing.assert_allclose(outputs["parts"][1], 2 * first[0, 0], atol=1e-6)
    assert outputs["mean"].shape == (3,)


def test_jit_and_gradient_pass_through():
    model = e2e.EndToEnd(STEPS, MeanColour(WEIGHTS))
    images = np.stack([photo(seed=n) for n in range(2)])
    np.testing.assert_allclose(nnx.jit(lambda m, x: m(x))(model, images), model(images), atol=1e-5)

    grads = nnx.grad(lambda m: m(images).sum())(model)
    means = STEPS(images).mean((1, 2)) - np.float32(0.5)  # (b, 3): each logit's derivative by its column
    expected = np.repeat(means.sum(0)[:, None], 4, axis=1)
    np.testing.assert_allclose(grads["network"]["weights"][...], expected, atol=1e-5)


def test_functional_keeps_the_shape_of_its_parameters():
    module = Functional(lambda params, x: params["a"] * x + params["b"][1], {"a": 2.0, "b": (0.0, 3.0)})
    assert float(module(np.float32(5))) == 13
    assert len(jax.tree.leaves(nnx.state(module, nnx.Param))) == 3
