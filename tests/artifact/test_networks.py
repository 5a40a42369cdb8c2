"""export of networks of every make: in evaluation mode, without touching the model, or with a plain refusal."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from model_fixtures import WEIGHTS, assert_same, mean_colour, photo, tiny_model

import e2e_jax as e2e
from e2e_jax import transforms as T


class Noisy(nnx.Module):
    """Everything that differs between training and evaluation."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.norm = nnx.BatchNorm(3, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)
        self.out = nnx.Linear(3, 4, rngs=rngs)

    def __call__(self, x):
        return self.out(self.drop(self.norm(x)).mean((1, 2)))


class BareArrays(nnx.Module):
    """Keeps arrays without wrapping them in variables."""

    def __init__(self) -> None:
        self.weights, self.offset = jnp.asarray(WEIGHTS), np.full(4, 2, np.float32)

    def __call__(self, x):
        return mean_colour(self.weights, x) * self.offset


class Restless(nnx.Module):
    """Draws random numbers in evaluation mode too."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.rngs = rngs

    def __call__(self, x):
        return x.mean((1, 2)) + jax.random.normal(self.rngs.noise(), (3,))


class Tied(nnx.Module):
    """One parameter under two names."""

    def __init__(self) -> None:
        self.there = self.back = nnx.Param(jnp.asarray(WEIGHTS))

    def __call__(self, x):
        return mean_colour(self.there[...], x) + mean_colour(self.back[...], x)


Pair = collections.namedtuple("Pair", "a b")


def exported(network, tmp_path, **parts):
    model = tiny_model(network=network, **parts)
    return model, e2e.load(e2e.export(model, tmp_path / "n.e2e", progress=False))


def test_export_runs_in_evaluation_mode_and_leaves_the_model_as_it_was(tmp_path):
    network = Noisy(nnx.Rngs(0))
    for seed in range(3):  # running averages other than their start
        network(np.random.default_rng(seed).uniform(0, 1, (4, 5, 5, 3)).astype(np.float32))
    before = [np.asarray(jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x)
              for x in jax.tree.leaves(nnx.state(network))]  # fmt: skip
    model, predictor = exported(network, tmp_path)
    assert network.drop.deterministic is False
    assert network.norm.use_running_average is False
    after = [np.asarray(jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x)
             for x in jax.tree.leaves(nnx.state(network))]  # fmt: skip
    assert [x.tolist() for x in after] == [x.tolist() for x in before]

    model.network.eval()
    (expected,) = model.postprocess.build(model(photo()[None]))
    assert_same(predictor.predict(photo()), expected)
    assert_same(predictor.predict(photo()[None])[0], expected)


def every_kind_of_leaf(params, x):
    """Twelve arrays in a list (their order is not that of their names as text), a scalar, and five dtypes."""
    ordered = sum(np.float32(n) * w for n, w in enumerate(params["list"]))
    chosen = jnp.where(params["bool"], params["int8"].astype(np.float32), params["bfloat16"].astype(np.float32))
    return mean_colour((ordered + chosen) * params["scalar"], x)


LEAVES = {
    "list": [WEIGHTS * np.float32(n % 3) for n in range(12)],
    "scalar": 0.05,
    "none": None,
    "empty": np.zeros((0, 3), np.float32),
    "bool": WEIGHTS > 0,
    "int8": WEIGHTS.astype(np.int8),
    "bfloat16": jnp.asarray(WEIGHTS, jnp.bfloat16),
}
NETWORKS = {
    "bare arrays": BareArrays(),
    "tied": Tied(),
    "every kind of leaf": (every_kind_of_leaf, LEAVES),
    "no parameters": (lambda params, x: mean_colour(WEIGHTS, x), ()),
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_networks_survive_the_round_trip(kind, tmp_path):
    model, predictor = exported(NETWORKS[kind], tmp_path)
    (expected,) = model.postprocess.build(model(photo()[None]))
    assert_same(predictor.predict(photo()[None])[0], expected)


REFUSED = {
    "restless": (Restless(nnx.Rngs(noise=0)), "must not change its state"),
    "branches on values": ((lambda p, x: x if x.sum() > 0 else p, 1.0), "must be traceable"),
    "NumPy": ((lambda p, x: np.asarray(x), ()), "must be traceable"),
    "own bug": ((lambda p, x: x.nothing_of_this_name, ()), "must be traceable"),
    "fixed size": ((lambda p, x: x.reshape(x.shape[0], -1) @ p, np.ones((48, 4), np.float32)), "must be traceable"),
    "namedtuple": ((lambda p, x: Pair(x, x), ()), "must be traceable"),
    "no batch axis": ((lambda p, x: (x, x.mean()), ()), "one row per image"),
    "nothing": ((lambda p, x: None, ()), "one row per image"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_exported_is_refused_in_three_lines(kind, tmp_path):
    network, why = REFUSED[kind]
    with pytest.raises(e2e.ConfigError, match=why) as caught:
        exported(network, tmp_path, preprocess=T.ToTensor(), postprocess=None)
    assert str(caught.value).splitlines()[-1].startswith("  Fix: ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "options",
    [{"channels": 0}, {"channels": "3"}, {"channels": True}, {"dtype": "float64"}, {"dtype": [1]}, {"name": 5},
     {"chanels": 3}],
    ids=str,
)  # fmt: skip
def test_wrong_options_are_refused(options, tmp_path):
    with pytest.raises(e2e.ConfigError):
        e2e.export(tiny_model(), tmp_path / "x.e2e", progress=False, **options)
    assert not list(tmp_path.iterdir())


def test_only_an_end_to_end_model_is_exported(tmp_path):
    with pytest.raises(e2e.ConfigError, match="must be an EndToEnd"):
        e2e.export(Tied(), tmp_path / "x.e2e")


def test_a_crop_larger_than_the_usual_sample_gets_a_larger_sample(tmp_path):
    steps = T.Compose([T.CenterCrop(300, smaller="refuse"), T.Resize((8, 8)), T.ToTensor()])
    _, predictor = exported((mean_colour, WEIGHTS), tmp_path, preprocess=steps)
    assert predictor._bundle.sample[0]["images"].shape == (1, 480, 640, 3)
    with pytest.raises(e2e.ImageError, match="must lie inside"):
        predictor.predict(photo(299, 400))
