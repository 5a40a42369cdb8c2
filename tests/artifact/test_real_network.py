"""The main job on EfficientNet-Lite0: one small file that names what is in real photos."""

from pathlib import Path

import numpy as np
import pytest
from model_fixtures import assert_same
from PIL import Image

import e2e_jax as e2e
from e2e_jax import demo
from e2e_jax.decoding import decode
from e2e_jax.zoo.classifier import classifier

PHOTOS = Path(__file__).parents[2] / "data_samples"
LARGEST = 20e6  # bytes: a floor of the main job


@pytest.fixture(scope="module")
def model():
    return classifier("efficientnet_lite0")


@pytest.fixture(scope="module")
def predictor(model, tmp_path_factory):
    path = e2e.export(model, tmp_path_factory.mktemp("real") / "lite0.e2e", progress=False)
    assert path.stat().st_size < LARGEST
    return e2e.load(path)


def test_photos_of_every_kind_are_named(predictor):
    names = {
        "coffee.jpg": "espresso",
        "coffee_cmyk.jpg": "espresso",
        "cat_rotated.jpg": "cat",
        "chelsea_palette.png": "cat",
    }
    results = predictor.predict([PHOTOS / name for name in names])
    for result, name in zip(results, names.values(), strict=True):
        assert name in result.label


def test_single_batch_and_list_agree(predictor):
    photo = decode(PHOTOS / "coffee.jpg")
    single, (batched,) = predictor.predict(photo), predictor.predict(photo[None])
    assert_same(batched, single)
    assert_same(predictor.predict([decode(PHOTOS / "chelsea.jpg"), photo, photo])[1], single)


def test_the_demo_prints_file_size_label_and_score(predictor, tmp_path, capsys):
    Image.fromarray(decode(PHOTOS / "coffee.jpg")).save(tmp_path / "coffee.png")
    (tmp_path / "broken.png").write_bytes(b"?")
    (tmp_path / "README.md").write_text("not a photo")
    demo.label_photos(predictor, tmp_path)
    header, broken, *_, coffee = capsys.readouterr().out.splitlines()
    height, width = decode(tmp_path / "coffee.png").shape[:2]
    assert header.split() == ["file", "height", "x", "width", "label"]
    assert broken.startswith("broken.png  decode: ")
    assert coffee.split()[:5] == ["coffee.png", str(height), "x", str(width), "espresso"]
    assert coffee.endswith("%)")


def test_the_demos_contestant_prepares_the_photo_as_the_model_does(model):
    photo = decode(PHOTOS / "chelsea.jpg")
    by_hand, by_model = demo._by_hand(Image.fromarray(photo))[0], np.asarray(model.preprocess(photo))
    assert by_hand.shape == by_model.shape
    assert np.abs(by_hand - by_model).max() <= 1.5 / 128  # a level, where Pillow 13 changes the order of passes
