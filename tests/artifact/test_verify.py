"""verify: the stored sample replays, and anything else than the recorded outputs is reported."""

import io

import jax.numpy as jnp
import numpy as np
import pytest
from model_fixtures import WEIGHTS, rewrite, tiny_model

import e2e_jax as e2e
from e2e_jax.artifact import archive, sample

OUTPUTS = "samples/outputs.npz"


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def outputs(tiny_file):
    return sample.unpack(tiny_file, archive.read(tiny_file)[OUTPUTS])


def test_the_sample_replays_through_every_program(tiny_file):
    predictor = e2e.load(tiny_file)
    assert 0 <= predictor.replay() <= 1e-6
    assert {c.program for c in predictor.compilations} == {"prepare", "dense", "ragged", "network", "finish"}


ALTERED = {
    "a score": lambda o: o | {"scores": o["scores"] + np.float32([0, 0.01, 0])},
    "name": lambda o: {"scores": o["scores"]},
}


@pytest.mark.parametrize("kind", ALTERED)
def test_other_outputs_are_an_artifact_error(tiny_file, tmp_path, outputs, kind):
    path = rewrite(tiny_file, tmp_path / "x.e2e", members={OUTPUTS: npz(**ALTERED[kind](outputs))})
    with pytest.raises(e2e.ArtifactError, match=r"replay: the stored sample must replay to 0\.001") as caught:
        e2e.load(path).replay()
    assert "a difference of " in caught.value.received


OTHERS = {
    "prepare": lambda params, x: x.mean((1, 2)) @ params,  # what it leaves out is folded into the weights
    "dense": lambda params, x: (x[:, ::2].mean((1, 2)) - np.float32(0.5)) @ params,
    "network": lambda params, x: (x[:, ::2].mean((1, 2)) - np.float32(0.5)) @ params,
}


@pytest.mark.parametrize("member", OTHERS)
def test_each_program_is_held_to_the_sample(tiny_file, tmp_path, member):
    other = tiny_model(network=(OTHERS[member], WEIGHTS))
    foreign = e2e.export(other, tmp_path / "other.e2e", progress=False)
    name = f"programs/{member}.jax"
    path = rewrite(tiny_file, tmp_path / "x.e2e", members={name: archive.read(foreign)[name]})
    with pytest.raises(e2e.ArtifactError, match="must replay"):
        e2e.load(path).replay()


def test_bfloat16_outputs_are_compared_too(tmp_path):
    network = (lambda params, x: x.mean((1, 2)).astype(jnp.bfloat16) @ params, jnp.asarray(WEIGHTS, jnp.bfloat16))
    model = tiny_model(network=network, postprocess=None)
    path = e2e.export(model, tmp_path / "half.e2e", progress=False)
    assert e2e.load(path).replay() <= 1e-3
    stored = sample.unpack(path, archive.read(path)[OUTPUTS])
    altered = npz(output=stored["output"] + np.float32(1))
    with pytest.raises(e2e.ArtifactError, match="must replay"):
        e2e.load(rewrite(path, tmp_path / "x.e2e", members={OUTPUTS: altered})).replay()


def test_difference_takes_the_largest_gap_and_ignores_the_order_of_ids():
    expected = {"scores": np.float32([[0.5, 0.25, np.inf]]), "ids": np.int32([[1, 2, 3]])}
    found = {"scores": np.float32([[0.5, 0.75, np.inf]]), "ids": np.int32([[1, 3, 2]])}
    assert sample.difference(expected, found) == 0.5
    assert sample.difference(expected, expected) == 0
    assert sample.difference(expected, {"scores": expected["scores"]}) == np.inf
    assert sample.difference(expected, expected | {"scores": expected["scores"][:, :2]}) == np.inf
    assert sample.difference({"a": np.float32([np.nan])}, {"a": np.float32([0])}) == np.inf
    assert sample.difference({"a": np.float32([np.inf])}, {"a": np.float32([-np.inf])}) == np.inf
    assert sample.difference({"a": np.zeros((0, 3), np.float32)}, {"a": np.zeros((0, 3), np.float32)}) == 0


def test_the_picture_is_always_the_same_and_uses_the_whole_range():
    picture = sample.picture(240, 320, 3, "uint8")
    np.testing.assert_array_equal(picture, sample.picture(240, 320, 3, "uint8"))
    assert (picture.shape, picture.dtype) == ((1, 240, 320, 3), np.uint8)
    assert picture.min() < 40
    assert picture.max() > 215
    floats = sample.picture(40, 60, 2, "float32")
    assert (floats.dtype, floats.shape[-1]) == (np.float32, 2)
    assert 0 <= floats.min() < floats.max() <= 1
