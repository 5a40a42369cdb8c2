"""Transforms, network and post-processing run one by one; further transforms with keys; the bare network."""

import subprocess
import sys

import jax
import numpy as np
import pytest
from flax import nnx
from model_fixtures import WEIGHTS, assert_same, mean_colour, photo, tiny_model

import e2e_jax as e2e
from e2e_jax import transforms as T

TRAIN = T.Compose([T.RandomResizedCrop(16), T.RandomHorizontalFlip(), T.ToTensor()])
VALIDATION = T.Compose([T.Resize(12, max_size=25), T.ToTensor()])  # leaves photos of different sizes
PHOTOS = [photo(40, 50), photo(30, 64, seed=1), photo(64, 20, seed=2)]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("parts") / "parts.e2e"
    return e2e.export(tiny_model(), path, progress=False, train=TRAIN, validation=VALIDATION)


@pytest.fixture(scope="module")
def loaded(file):
    return e2e.load(file)


@pytest.mark.parametrize("images", [PHOTOS[0], np.stack([PHOTOS[0]] * 3), PHOTOS], ids=["one", "batch", "list"])
def test_part_by_part_is_the_whole(loaded, images):
    fitted = loaded.preprocess(images)
    returned = loaded.network(fitted)
    found, expected = loaded.postprocess(returned), loaded.predict(images)
    for one, other in zip(np.atleast_1d(found), np.atleast_1d(expected), strict=True):
        assert_same(one, other)


def test_each_part_is_the_models_own(loaded):
    steps = tiny_model().preprocess
    fitted = loaded.preprocess(PHOTOS)
    np.testing.assert_allclose(fitted, np.stack([steps(image) for image in PHOTOS]), atol=1e-6)
    np.testing.assert_allclose(loaded.network(fitted), mean_colour(WEIGHTS, fitted), atol=1e-4)
    assert loaded.preprocess([]).shape == (0, 16, 16, 3)


def test_training_draws_by_key_as_the_pipeline_itself_does(loaded):
    key = jax.random.key(7)
    expected = TRAIN(np.stack([PHOTOS[0]] * 3), key=key)
    batch = loaded.preprocess(np.stack([PHOTOS[0]] * 3), transforms="train", key=7)
    np.testing.assert_allclose(batch, expected, atol=1.01 / 255)
    assert (np.abs(batch - expected) > 1e-6).mean() < 0.01
    assert not np.allclose(batch[0], batch[1])
    for same in (key, np.asarray(jax.random.key_data(key)), jax.random.key_data(key)):
        np.testing.assert_array_equal(loaded.preprocess(PHOTOS[0], transforms="train", key=same), batch[0])
    assert not np.allclose(loaded.preprocess(PHOTOS[0], transforms="train", key=8), batch[0])
    rngs = nnx.Rngs(transforms=3)
    drawn = [loaded.preprocess(PHOTOS[0], transforms="train", key=rngs) for _ in range(2)]
    assert not np.allclose(*drawn)


def test_a_key_gives_the_same_draw_in_another_process(file, loaded, tmp_path):
    np.save(tmp_path / "photo.npy", PHOTOS[0])
    script = (
        "import sys, numpy as np, e2e_jax as e2e; image = np.load(sys.argv[2]);"
        "np.save(sys.argv[3], e2e.load(sys.argv[1]).preprocess([image] * 2, transforms='train', key=5))"
    )
    arguments = [str(file), str(tmp_path / "photo.npy"), str(tmp_path / "found.npy")]
    subprocess.run([sys.executable, "-c", script, *arguments], check=True, timeout=120)
    here = loaded.preprocess([PHOTOS[0]] * 2, transforms="train", key=5)
    np.testing.assert_array_equal(np.load(tmp_path / "found.npy"), here)


def test_validation_needs_no_key_and_may_leave_different_sizes(loaded):
    found = loaded.preprocess(PHOTOS, transforms="validation")
    assert [image.shape for image in found] == [VALIDATION(source).shape for source in PHOTOS]
    assert len({image.shape for image in found}) == 3
    for image, source in zip(found, PHOTOS, strict=True):
        np.testing.assert_allclose(image, VALIDATION(source), atol=1e-6)
    np.testing.assert_array_equal(loaded.preprocess(PHOTOS[1], transforms="validation"), found[1])


def test_the_bare_network_takes_and_returns_arrays(file, loaded):
    bare, fitted = e2e.load(file, transforms=False), loaded.preprocess(PHOTOS)
    for images in (fitted, list(fitted)):
        np.testing.assert_allclose(bare.predict(images), mean_colour(WEIGHTS, fitted), atol=1e-4)
    np.testing.assert_allclose(bare.predict(fitted[0]), mean_colour(WEIGHTS, fitted)[0], atol=1e-4)
    np.testing.assert_allclose(bare.as_module()(fitted), bare.predict(fitted), atol=1e-5)
    assert bare.signature["inputs"]["x"] == {"dtype": "float32", "shape": ["b", 16, 16, 3]}
    assert repr(bare) == "BareNetwork('parts', x=float32[b, 16, 16, 3])"


BAD = {
    "no such transforms": (
        lambda p: p.preprocess(PHOTOS, transforms="test"),
        e2e.ConfigError,
        "must be in the file",
    ),
    "no key": (lambda p: p.preprocess(PHOTOS, transforms="train"), e2e.ConfigError, "need a key"),
    "channels": (lambda p: p.preprocess(PHOTOS[0][..., :2]), e2e.ImageError, "3 channels"),
    "photo for the network": (lambda p: p.network(PHOTOS[0]), e2e.ImageError, "must fit this part"),
    "bytes": (lambda p: p.network(np.zeros((16, 16, 3), np.uint8)), e2e.ImageError, "must fit this part"),
    "too few logits": (lambda p: p.postprocess(np.zeros(3, np.float32)), e2e.ImageError, "must fit this part"),
    "a tree": (lambda p: p.postprocess({"a": np.zeros(4, np.float32)}), e2e.ImageError, "must be the network's"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_does_not_fit_a_part_is_said(loaded, kind):
    call, error, why = BAD[kind]
    with pytest.raises(error, match=why) as caught:
        call(loaded)
    assert len(str(caught.value).splitlines()) == 3


def test_the_bare_network_refuses_what_it_does_not_have(file):
    bare = e2e.load(file, transforms=False)
    with pytest.raises(e2e.ImageError, match="must be of equal arrays"):
        bare.predict([np.zeros((16, 16, 3)), np.zeros((16, 15, 3))])
    with pytest.raises(e2e.ConfigError, match="must be transforms"):
        bare.inverse(np.zeros((1, 4)), size=(3, 3))


@pytest.mark.parametrize("name", ["train", "validation"])
def test_transforms_must_be_transforms(tmp_path, name):
    with pytest.raises(e2e.ConfigError, match=f"{name} must be a Transform"):
        e2e.export(tiny_model(), tmp_path / "x.e2e", progress=False, **{name: lambda x: x})
    assert not list(tmp_path.iterdir())
