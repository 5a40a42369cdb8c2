"""A transform is its config: it survives JSON, its repr builds it again, equal configs are equal transforms."""

from __future__ import annotations

import json

import numpy as np
import pytest
from flax import nnx

from e2e_jax import transforms as T
from e2e_jax.errors import ConfigError


def test_config_survives_json(step):
    again = T.Transform.from_config(json.loads(json.dumps(step.config)))
    assert type(again) is type(step)
    assert again == step
    assert again.config == step.config
    assert hash(again) == hash(step)


def test_repr_builds_it_again(step):
    assert eval(repr(step), vars(T)) == step
    assert str(step) == repr(step)


def test_repr_leaves_defaults_out():
    steps = T.Compose([T.Resize(256), T.CenterCrop((2, 3), fill=1), T.HorizontalFlip(), T.Normalize(127, 128)])
    shown = (
        "Compose([Resize(256), CenterCrop((2, 3), fill=(1.0,)), HorizontalFlip(), Normalize((127.0,), (128.0,))])"
    )
    assert repr(steps) == shown


def test_transforms_differ_where_an_argument_differs():
    assert T.Resize(256) != T.Resize(257)
    assert T.Resize(256) != T.Resize(256, antialias=False)
    assert T.HorizontalFlip() != T.VerticalFlip()
    assert T.ToTensor() != T.ListToBatch()
    assert T.Compose([T.HorizontalFlip(), T.Pad(1)]) != T.Compose([T.Pad(1), T.HorizontalFlip()])
    assert T.HorizontalFlip() != {"type": "Flip", "direction": "horizontal"}


def test_equal_transforms_are_one_key():
    assert len({T.CenterCrop(3, fill=0), T.CenterCrop(3, fill=0.0), T.CenterCrop(3, fill=[0])}) == 1
    assert len({T.Pad(1), T.Pad((1, 1)), T.Pad([1, 1, 1, 1]), T.Pad(2)}) == 2


def test_config_of_a_pipeline_is_the_configs_of_its_steps():
    steps = [T.Resize((8, 9)), T.ToTensor()]
    config = T.Compose(steps).config
    assert config == {"type": "Compose", "steps": [step.config for step in steps]}
    assert config["steps"][0]["size"] == [8, 9]
    assert T.Compose(config["steps"]) == T.Compose(steps)


def test_postprocessors_survive_json_and_are_no_transforms():
    classify = T.Classify(["a", "b"], top_k=2, activation="sigmoid")
    config = json.loads(json.dumps(classify.config))
    assert T.Postprocess.from_config(config) == classify
    assert eval(repr(classify), vars(T)) == classify
    with pytest.raises(ConfigError, match="type must be known.\n  Received: 'Classify'\n  Fix: one of Affine, "):
        T.Transform.from_config(config)


@pytest.mark.parametrize("config", [{"type": "Smear"}, {}, "Classify", {"type": "Transform"}])
def test_configs_of_no_transform_are_refused(config):
    with pytest.raises(ConfigError, match="type must be known.\n  Received: .*\n  Fix: (one of|did you mean) "):
        T.Transform.from_config(config)


def test_config_with_an_unknown_argument_is_refused():
    with pytest.raises(ConfigError, match=r"ListToBatch\(\).\n  Received: .*'angle'\n  Fix: check the spelling"):
        T.Transform.from_config({"type": "ListToBatch", "angle": 3})


def test_compose_copies_the_list():
    steps = [T.HorizontalFlip(), T.Pad(1)]
    pipeline = T.Compose(steps)
    steps.append(T.Pad(9))
    assert len(steps) == 3
    assert pipeline == T.Compose([T.HorizontalFlip(), T.Pad(1)])
    pipeline(np.zeros((2, 2, 1), np.uint8))
    assert steps == [T.HorizontalFlip(), T.Pad(1), T.Pad(9)]


class Model(nnx.Module):
    """A transform beside parameters, as in a network of the user's own."""

    def __init__(self) -> None:
        self.prepare = T.Compose([T.Resize((4, 5)), T.ToTensor()])
        self.linear = nnx.Linear(3, 2, rngs=nnx.Rngs(0))

    def __call__(self, image):
        return self.linear(self.prepare(image).mean((-3, -2)))


def test_transforms_hold_no_state_and_live_in_nnx_modules():
    image = np.random.default_rng(0).integers(0, 256, (9, 8, 3), np.uint8)
    model = Model()
    assert not nnx.to_flat_state(nnx.state(model.prepare))
    assert {path[0] for path, _ in nnx.to_flat_state(nnx.state(model))} == {"linear"}
    again = nnx.merge(*nnx.split(model))
    assert again.prepare == model.prepare
    expected = np.asarray(model(image))
    np.testing.assert_allclose(again(image), expected, rtol=1e-6)
    np.testing.assert_allclose(nnx.jit(lambda m, x: m(x))(model, image), expected, rtol=1e-5)
    assert np.abs(expected).max() > 0.1


def test_a_pipeline_is_called_under_nnx_jit():
    image = np.random.default_rng(0).integers(0, 256, (9, 8, 3), np.uint8)
    pipeline = T.Compose([T.Resize((4, 5)), T.HorizontalFlip()])
    np.testing.assert_array_equal(nnx.jit(lambda p, x: p(x))(pipeline, image), pipeline(image))


def test_statistics_may_be_arrays_and_the_config_stays_plain():
    step = T.Normalize(np.array([0.5, 0.25]), np.float32(0.5))
    assert step == T.Normalize((0.5, 0.25), 0.5)
    assert json.loads(json.dumps(step.config)) == step.config
