"""What an author says of a model travels with it, within bounds."""

import numpy as np
import pytest
from model_fixtures import tiny_model

import e2e_jax as e2e
from e2e_jax.artifact.card import card
from e2e_jax.artifact.record import LARGEST, Record


def test_it_is_in_the_file_and_on_the_card(tmp_path):
    said = {"step": 12000, "epoch": 1.5, "revision": "abc123", "metadata": {"data": ["a", {"b": None}], "ü": True}}
    path = e2e.export(tiny_model(), tmp_path / "x.e2e", progress=False, name="colours", **said)
    manifest = e2e.load(path).manifest
    assert {name: getattr(manifest, name) for name in said} == said
    lines = card(manifest).splitlines()
    assert "said      step 12000" in lines
    assert '          data: ["a", {"b": null}]' in lines
    assert "rebuilt   from its programs only; the network's code is not named" in lines


BAD = {
    "step": (-1, 1.5, True, "12", np.int64(3)),
    "epoch": (-0.5, float("nan"), float("inf"), "1", True),
    "revision": (3, b"abc"),
    "name": (3, None, b"x"),
    "metadata": ([], "x", {"a": np.ones(2)}, {"a": float("nan")}, {"a": (1, 2)}, {1: "a"}, {"a": "x" * LARGEST}),
}


@pytest.mark.parametrize("field", BAD)
def test_other_kinds_are_refused_in_three_lines(field):
    good = {"name": "n", "step": None, "epoch": None, "revision": None, "metadata": None}
    Record.checked(**good)
    for value in BAD[field]:
        with pytest.raises(e2e.ConfigError, match="export: ") as caught:
            Record.checked(**good | {field: value})
        assert len(str(caught.value).splitlines()) == 3


def test_metadata_nested_too_deep_is_refused():
    nested = {}
    for _ in range(40):
        nested = {"a": nested}
    with pytest.raises(e2e.ConfigError, match="and flat"):
        Record.checked("n", None, None, None, nested)
