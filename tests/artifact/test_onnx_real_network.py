"""EfficientNet-Lite0 from one file in three engines, on all sample photos."""

from pathlib import Path

import numpy as np

import e2e_jax as e2e
from e2e_jax.decoding import decode
from e2e_jax.zoo.classifier import classifier

PHOTOS = Path(__file__).parents[2] / "data_samples"
NOT_PHOTOS = {".md", ".py"}
LEVEL = 1 / 128  # in the units of the network's input


def every_score(top):
    """Class id to score, for the candidates that both sides have."""
    return {c.id: c.score for c in top}


def test_every_engine_names_all_photos_as_xla_does(tmp_path):
    """First answers are equal, and from the same pixels probabilities within 1e-4.

    From the photos: 0.05 % of the pixels are one level off (bicubic), and probabilities within 5e-3.
    """
    model = classifier("efficientnet_lite0")
    path = e2e.export(model, tmp_path / "lite0.e2e", onnx=True, lower=False, progress=False)
    files = [file for file in sorted(PHOTOS.iterdir()) if file.suffix not in NOT_PHOTOS]
    photos = [decode(file) for file in files]
    xla = e2e.load(path)
    expected = xla.predict(photos)
    x = xla.preprocess(photos)
    scores = xla.outputs_of_list(photos)["scores"]
    for engine in ("onnxruntime", "openvino"):
        predictor = e2e.load(path, engine=engine)
        for found, wanted in zip(predictor.predict(photos), expected, strict=True):
            assert found.label == wanted.label
            near = every_score(found.top)
            assert all(abs(near.get(c.id, c.score) - c.score) <= 5e-3 for c in wanted.top)
        np.testing.assert_allclose(predictor._runner.network(x)["scores"], scores, atol=1e-4)
    off = np.stack([predictor._runner._preprocess(photo[None])[0] for photo in photos]) - x
    assert np.abs(off).max() <= 1.001 * LEVEL
    assert (np.abs(off) > LEVEL / 2).mean() <= 0.0005
