"""An artifact of every format ever written is read, predicts what it did, and can be written anew."""

import sys
from pathlib import Path

import numpy as np
import pytest

import e2e_jax as e2e
from e2e_jax.artifact.card import card
from e2e_jax.artifact.manifest import FORMAT

STORED = Path(__file__).parents[1] / "golden/artifacts"
VERSIONS = range(1, FORMAT + 1)
sys.path.insert(0, str(STORED))
import write  # noqa: E402  # the script that made them

sys.path.remove(str(STORED))


@pytest.fixture(scope="module", params=VERSIONS)
def version(request):
    return request.param


@pytest.fixture(scope="module")
def old(version):
    return e2e.load(STORED / f"format{version}.e2e")


@pytest.fixture(scope="module")
def expected(version):
    return dict(np.load(STORED / f"format{version}.npz"))


def assert_predicts(predictor, expected):
    photos = write.photos()
    for found in (predictor.predict(photos), predictor.predict(list(photos))):
        for one, ids, scores in zip(found, expected["ids"], expected["scores"], strict=True):
            assert [c.id for c in one.top] == ids.tolist()
            np.testing.assert_allclose([c.score for c in one.top], scores, atol=1e-5)


def test_it_predicts_what_it_did(old, expected, version):
    assert old.manifest.format == version
    assert_predicts(old, expected)
    assert old.replay() <= 1e-5
    assert card(old.manifest).splitlines()[0] == f"format{version}   (e2e artifact, format {version})"


def test_every_promise_holds(old):
    found = old.verify()
    assert found.passed, str(found)


def test_refreshed_from_its_programs_it_predicts_the_same(old, expected, version, tmp_path):
    path = e2e.refresh(STORED / f"format{version}.e2e", output=tmp_path / "new.e2e", progress=False)
    new = e2e.load(path)
    assert_predicts(new, expected)
    assert new.manifest.format == version, "programs written again keep their parts"
    assert new.manifest.created == old.manifest.created
    assert new.manifest.expires > old.manifest.expires


def test_refreshed_with_the_code_of_its_network_it_is_of_the_present_format(old, expected, version, tmp_path):
    source = STORED / f"format{version}.e2e"
    path = e2e.refresh(source, output=tmp_path / "new.e2e", factory=lambda: write.Network(_rngs()), progress=False)
    new = e2e.load(path)
    assert_predicts(new, expected)
    assert new.manifest.format == FORMAT
    assert (new.manifest.created, list(new.manifest.precisions)) == (
        old.manifest.created,
        list(old.manifest.precisions),
    )
    assert_predicts_by_parts(new, expected)


def _rngs():
    from flax import nnx

    return nnx.Rngs(0)


def assert_predicts_by_parts(predictor, expected):
    results = predictor.postprocess(predictor.network(predictor.preprocess(write.photos())))
    assert [[c.id for c in one.top] for one in results] == expected["ids"].tolist()


def test_format_1_is_float32_by_rule(monkeypatch):
    old = e2e.load(STORED / "format1.e2e")
    assert old.manifest.precisions == {"float32": {"difference": 0.0, "agreement": 1.0}}
    assert old.manifest.ways == []
    assert (old.manifest.step, old.manifest.metadata, old.manifest.pipelines) == (None, {}, {})
    monkeypatch.setattr("e2e_jax.artifact.bundle.fastest_precision", lambda: "bfloat16")
    assert e2e.load(STORED / "format1.e2e", precision="fastest")._bundle.precision == "float32"
    with pytest.raises(e2e.ConfigError, match="must be one that is stored"):
        e2e.load(STORED / "format1.e2e", precision="bfloat16")


@pytest.mark.parametrize("version", [1, 2])
def test_parts_that_a_format_does_not_hold_apart_are_refused(version):
    old = e2e.load(STORED / f"format{version}.e2e")
    for call in (lambda: old.preprocess(write.photos()), lambda: e2e.load(old._bundle.path, transforms=False)):
        with pytest.raises(e2e.ConfigError, match="must hold the parts of the model apart") as caught:
            call()
        assert "refresh it with the code of its network" in caught.value.fix
