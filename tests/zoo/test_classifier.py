"""Complete classifiers: the preprocessing each network was trained with, and that they export and answer."""

import numpy as np
import pytest
import torchvision_graphs

import e2e_jax as e2e
from e2e_jax import zoo
from e2e_jax.errors import ConfigError
from e2e_jax.zoo.classifier import CLASSIFIERS

PHOTO = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet18"])
def test_torchvisions_networks_see_what_torchvision_gives_them(name, pillow):
    model = zoo.classifier(name, pretrained=False)
    resized = pillow(PHOTO, 256, 341, "bilinear")[16:240, 58:282]  # 341 - 224 = 117 pixels, of which 58 on the left
    expected = (resized / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(model.preprocess(PHOTO), expected, atol=1e-5)


def test_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="one of efficientnet_lite0, mobilenet_v2, resnet18"):
        zoo.classifier("resnet")
    assert CLASSIFIERS == ("efficientnet_lite0", "mobilenet_v2", "resnet18")


def test_networks_without_a_package_ask_for_weights():
    with pytest.raises(ConfigError, match="pass weights="):
        zoo.classifier("resnet18")


def test_given_weights_are_exported_and_loaded(tmp_path):
    graph = torchvision_graphs.mobilenet_v2()
    model = zoo.classifier("mobilenet_v2", weights=graph.arrays, top_k=3)
    x = np.asarray(model.preprocess(PHOTO))[None]
    predictor = e2e.load(e2e.export(model, tmp_path / "mobilenet.e2e", progress=False))
    expected = np.argsort(graph.run(x)[0])[::-1][:3]
    assert [label.id for label in predictor.predict(PHOTO).top] == expected.tolist()
