"""An artifact written before networks were made fast is read, and predicts what it did."""

import sys
from pathlib import Path

import numpy as np
import pytest

import e2e_jax as e2e
from e2e_jax.artifact.card import card

STORED = Path(__file__).parents[1] / "golden/artifacts"


@pytest.fixture(scope="module")
def old():
    return e2e.load(STORED / "format1.e2e")


@pytest.fixture(scope="module")
def photos():
    """As the script that made the artifact has them."""
    sys.path.insert(0, str(STORED))
    try:
        import format1

        return format1.photos()
    finally:
        sys.path.remove(str(STORED))


def test_it_predicts_what_it_did(old, photos):
    expected = np.load(STORED / "format1.npz")
    for found, ids, scores in zip(old.predict(photos), expected["ids"], expected["scores"], strict=True):
        assert [c.id for c in found.top] == ids.tolist()
        np.testing.assert_allclose([c.score for c in found.top], scores, atol=1e-5)


def test_lists_and_the_stored_sample_go_through_its_programs_too(old, photos):
    scores = np.load(STORED / "format1.npz")["scores"]
    listed = old.predict([photos[0], photos[1]])
    np.testing.assert_allclose([found.top[0].score for found in listed], scores[:2, 0], atol=1e-5)
    assert old.verify() <= 1e-5
    assert "prepare" not in {done.program for done in old.compilations}


def test_it_is_float32_by_rule(old):
    assert old.manifest.format == 1
    assert old.manifest.precisions == {"float32": {"difference": 0.0, "agreement": 1.0}}
    assert old.manifest.ways == []
    assert card(old.manifest).splitlines()[0] == "format1   (e2e artifact, format 1)"


def test_no_other_precision_is_stored_in_it(monkeypatch):
    monkeypatch.setattr("e2e_jax.artifact.bundle.fastest_precision", lambda: "bfloat16")
    assert e2e.load(STORED / "format1.e2e", precision="fastest")._bundle.precision == "float32"
    with pytest.raises(e2e.ConfigError, match="must be one that is stored"):
        e2e.load(STORED / "format1.e2e", precision="bfloat16")
