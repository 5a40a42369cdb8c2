"""Predictor: one answer for one photo, however it comes, alone or in company."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import jax.numpy as jnp
import numpy as np
import pytest
from model_fixtures import LABELS, WEIGHTS, assert_same, mean_colour, photo, tiny_model
from PIL import Image

import e2e_jax as e2e
from e2e_jax import transforms as T
from e2e_jax.ops.batch import list_to_batch

SIZES = [(40, 50), (33, 200), (200, 33), (16, 16), (128, 128), (129, 64), (5, 5), (1, 1), (300, 260)]


@pytest.fixture(scope="module")
def expected():
    """The model's own answers, before any export, for `SIZES`."""
    model = tiny_model()
    return [model.postprocess.build(model(photo(*size, seed=n)[None]))[0] for n, size in enumerate(SIZES)]


def photos():
    return [photo(*size, seed=n) for n, size in enumerate(SIZES)]


def test_every_kind_of_source_gives_the_models_answer(predictor, expected, tmp_path):
    image, file = photos()[0], tmp_path / "photo.png"
    Image.fromarray(image).save(file)
    content = file.read_bytes()
    sources = [image, jnp.asarray(image), str(file), file, content, bytearray(content), io.BytesIO(content),
               Image.fromarray(image), np.asfortranarray(image), np.flip(np.flip(image))]  # fmt: skip
    for source in sources:
        assert_same(predictor.predict(source), expected[0])
    with open(file, "rb") as opened:
        assert_same(predictor.predict(opened), expected[0])
    again = io.BytesIO(content)
    mixed = predictor.predict([*sources[:6], again, *sources[7:]])
    assert len(mixed) == len(sources)
    assert all(result == mixed[0] for result in mixed)


def test_lists_keep_their_order_and_agree_with_single_photos(predictor, expected):
    listed = predictor.predict(photos())
    for image, found, wanted in zip(photos(), listed, expected, strict=True):
        assert_same(found, wanted)
        assert_same(predictor.predict(image), found, 1e-6)
    assert predictor.predict(tuple(photos())) == listed
    assert len({result.score for result in listed}) > 5  # else order could not be seen


@pytest.mark.parametrize("count", [0, 1, 3, 5, 33])
def test_batches_and_long_lists_of_any_length(predictor, count):
    images = np.stack([photo(24, 30, seed=n) for n in range(33)])[:count]
    batch, listed = predictor.predict(images), predictor.predict(list(images))
    model = tiny_model()
    expected = model.postprocess.build(model(images)) if count else []
    assert len(batch) == len(listed) == count
    for found, same, wanted in zip(batch, listed, expected, strict=True):
        assert_same(found, wanted)
        assert_same(same, wanted)


def test_an_answer_holds_labels_scores_and_ids(predictor):
    result = predictor.predict(photo())
    assert isinstance(result, e2e.Classification)
    assert (result.label, result.score, result.id) == tuple(result.top[0])
    assert [c.label for c in result.top] == [LABELS[c.id] for c in result.top]
    assert [c.score for c in result.top] == sorted((c.score for c in result.top), reverse=True)
    assert len(result.top) == 3
    assert all(type(c.id) is int and type(c.score) is float for c in result.top)


def test_a_gray_array_counts_as_three_equal_channels(predictor):
    gray = photo()[..., 0]
    expected = predictor.predict(np.stack([gray] * 3, -1))
    assert predictor.predict(gray) == predictor.predict(gray[..., None]) == expected


def test_what_lies_beside_the_photo_in_its_bucket_does_not_count(predictor):
    padded = list_to_batch([photo(40, 50)])
    clean = predictor._runner.ragged(padded.pixels, padded.sizes)
    dirty = padded.pixels.copy()
    dirty[0, 40:], dirty[0, :, 50:] = 255, 77
    np.testing.assert_array_equal(predictor._runner.ragged(dirty, padded.sizes), clean)
    roomy = np.full((1, 128, 128, 3), 200, np.uint8)
    roomy[:, :40, :50] = photo(40, 50)
    np.testing.assert_array_equal(predictor._runner.ragged(roomy, padded.sizes), clean)


def test_the_source_array_is_not_changed(predictor):
    image = photo()
    before = image.copy()
    predictor.predict([image, image])
    np.testing.assert_array_equal(image, before)


def test_sixty_sizes_compile_at_most_twelve_programs_and_then_none(tiny_file):
    predictor = e2e.load(tiny_file)
    heights = np.geomspace(40, 2000, 60).astype(int)
    widths = np.clip(heights * np.random.default_rng(0).uniform(0.2, 5, 60), 40, 2000).astype(int)
    sizes = {*zip(heights.tolist(), widths.tolist(), strict=True), (40, 2000), (2000, 40)}
    images = [np.broadcast_to(np.uint8(n), (h, w, 3)) for n, (h, w) in enumerate(sizes)]
    first = predictor.predict(images, progress=False)
    compiled = predictor.compilations
    assert len(sizes) >= 60
    assert 3 < len(compiled) <= 12
    assert predictor.predict(images, progress=False) == first
    assert predictor.compilations == compiled
    assert {c.program for c in compiled} == {"prepare", "ragged", "network", "finish"}
    assert all(c.seconds > 0 for c in compiled)


def test_batches_of_different_lengths_share_programs(tiny_file):
    predictor = e2e.load(tiny_file)
    for count in (1, 2, 3, 4):
        predictor.predict(np.zeros((count, 20, 20, 3), np.uint8))
    assert [c.shape[0] for c in predictor.compilations if c.program == "dense"] == [1, 2, 4]


def test_threads_share_a_predictor_and_its_compilations(tiny_file):
    predictor, together = e2e.load(tiny_file), threading.Barrier(4)

    def work(seed):
        together.wait()
        return [
            predictor.predict(photo(seed=seed)),
            *predictor.predict([photo(seed=seed), photo(90, 90, seed=seed)]),
        ]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(work, range(4)))
    programs = [(c.program, c.shape) for c in predictor.compilations]
    assert len(programs) == len(set(programs))
    for seed, found in enumerate(answers):
        assert found == [predictor.predict(photo(seed=seed))] * 2 + [predictor.predict(photo(90, 90, seed=seed))]


def test_without_postprocess_each_photo_gets_its_arrays(tmp_path):
    network = (lambda params, x: {"logits": mean_colour(params, x), "mean": x.mean((1, 2))}, WEIGHTS)
    model = tiny_model(network=network, postprocess=None)
    predictor = e2e.load(e2e.export(model, tmp_path / "raw.e2e", progress=False))
    for result, image in zip(predictor.predict(photos()[:2]), photos(), strict=False):
        wanted = model(image)
        np.testing.assert_allclose(result["logits"], wanted["logits"], atol=1e-4)
        np.testing.assert_allclose(result["mean"], wanted["mean"], atol=1e-6)
        assert isinstance(result["mean"], np.ndarray)
    assert predictor.signature["outputs"]["logits"] == {"dtype": "float32", "shape": ["b", 4]}


@pytest.mark.parametrize("steps", [[T.ToTensor()], [T.Resize(24), T.ToTensor()]], ids=str)
def test_geometry_that_leaves_different_sizes_runs_photo_by_photo(tmp_path, steps):
    model = tiny_model(preprocess=T.Compose(steps), network=(lambda p, x: x @ p, WEIGHTS), postprocess=None)
    predictor = e2e.load(e2e.export(model, tmp_path / "maps.e2e", progress=False))
    assert set(predictor.manifest.programs) == {"prepare", "dense", "inverse"}
    images = [photo(40, 50), photo(20, 30)]
    for found, image in zip(predictor.predict(images), images, strict=True):
        np.testing.assert_allclose(found, model(image), atol=1e-4)
    assert predictor.replay() < 1e-3
