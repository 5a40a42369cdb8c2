"""A manifest with anything in any of its fields: an ArtifactError, or what it says is not needed to predict."""

import contextlib
import copy
import json

import pytest
from model_fixtures import rewrite

import e2e_jax as e2e
from e2e_jax.artifact import archive, bundle
from e2e_jax.artifact.card import card
from e2e_jax.artifact.schema import mismatch, nested_within

MISSING = object()
VALUES = [MISSING, None, 5, -1, 1e400, "x", [], [1], {}, {"a": 1}, True]
FREE = {"decoding", "versions", "members"}  # tables without structure


def places(value, place=()):
    """Keys to every field, and to the first items of lists."""
    if place:
        yield place
    items = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, inner in items:
        if place or key not in FREE:
            yield from places(inner, (*place, key))


def altered(manifest, place, value):
    manifest = copy.deepcopy(manifest)
    *outer, last = place
    table = manifest
    for key in outer:
        table = table[key]
    if value is MISSING:
        del table[last]
    else:
        table[last] = value
    return manifest


@pytest.fixture(scope="module")
def manifest(tiny_file):
    return json.loads(archive.read(tiny_file)["manifest.json"])


@pytest.fixture
def fast(monkeypatch):
    """Parameters and programs are read once: a thousand manifests differ in neither."""
    for module, name in ((bundle.params, "_restored"), (bundle, "_program")):
        original, known = getattr(module, name), {}

        def once(path, content, *rest, original=original, known=known):
            key = content if isinstance(content, bytes) else repr(rest)
            if key not in known:
                known[key] = original(path, content, *rest)
            return known[key]

        monkeypatch.setattr(module, name, once)


def test_anything_anywhere_is_an_artifact_error_or_does_no_harm(tiny_file, manifest, fast, monkeypatch):
    members = archive.read(tiny_file)
    refused = set()
    for place in places(manifest):
        for value in VALUES:
            changed = json.dumps(altered(manifest, place, value)).encode()
            monkeypatch.setattr(archive, "read", lambda _, c=changed: members | {"manifest.json": c})
            try:
                repr(e2e.load(tiny_file))
            except e2e.ArtifactError:
                refused.add(place)
            with contextlib.suppress(e2e.ArtifactError, e2e.ConfigError):
                card(bundle.read_manifest(tiny_file))
    kept = {place for place in places(manifest) if place not in refused}
    assert kept <= {("samples", "tolerance")}, kept  # every other field refuses some of the values


@pytest.mark.parametrize("name", ["format", "name", "signature", "programs", "params", "samples", "members"])
def test_a_missing_field_is_named(tiny_file, tmp_path, name):
    members = archive.read(tiny_file)
    fields = json.loads(members["manifest.json"])
    del fields[name]
    archive.write(tmp_path / "x.e2e", members | {"manifest.json": json.dumps(fields).encode()})
    with pytest.raises(e2e.ArtifactError, match=f"{name} is missing|without a format version"):
        e2e.load(tmp_path / "x.e2e")


NOT_A_MANIFEST = {
    "text": b"hello",
    "empty": b"",
    "not UTF-8": b"\xff\xfe{}",
    "list": b"[]",
    "number": b"3",
    "unclosed": b"[" * 100_000,
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deep field": b'{"format": 1, "preprocess": ' + b'{"a":' * 400 + b"1" + b"}" * 401,
}


@pytest.mark.parametrize("kind", NOT_A_MANIFEST)
def test_what_is_no_manifest_is_refused(tiny_file, tmp_path, kind):
    archive.write(tmp_path / "x.e2e", archive.read(tiny_file) | {"manifest.json": NOT_A_MANIFEST[kind]})
    with pytest.raises(e2e.ArtifactError, match=r"^load: the file must be a whole e2e artifact\.\n  Received: "):
        e2e.load(tmp_path / "x.e2e")


def test_a_pipeline_nested_too_deeply_is_refused(tiny_file, tmp_path, manifest):
    nested = manifest["preprocess"]
    for _ in range(10):
        nested = {"type": "Compose", "steps": [nested]}
    assert e2e.load(rewrite(tiny_file, tmp_path / "a.e2e", manifest={"preprocess": nested})).manifest.name == "tiny"
    for _ in range(200):
        nested = {"type": "Compose", "steps": [nested]}
    with pytest.raises(e2e.ArtifactError, match="nested deeper than"):
        e2e.load(rewrite(tiny_file, tmp_path / "b.e2e", manifest={"preprocess": nested}))


def test_a_newer_format_is_named_with_what_to_do(tiny_file, tmp_path):
    path = rewrite(tiny_file, tmp_path / "new.e2e", manifest={"format": 4})
    with pytest.raises(e2e.ArtifactError) as caught:
        e2e.load(path)
    assert str(caught.value).splitlines() == [
        "load: the artifact's format must be at most 3.",
        f"  Received: format 4: {path}",
        "  Fix: install a newer e2e_jax.",
    ]


def test_programs_in_each_others_place_are_refused(tiny_file, tmp_path, manifest):
    records = manifest["programs"]
    for wrong in (
        {},
        {"dense": records["dense"], "ragged": records["ragged"]},
        {"network": records["network"]},
        records | {"dense": records["network"], "network": records["dense"]},
        records | {"ragged": records["dense"]},
        records | {"unknown": records["dense"]},
        records | {"dense": records["dense"] | {"member": "programs/missing.jax"}},
    ):
        with pytest.raises(e2e.ArtifactError):
            e2e.load(rewrite(tiny_file, tmp_path / "x.e2e", manifest={"programs": wrong}))


def test_mismatch_names_the_place():
    form = {"a": [int], "b": {str: {"c": (int, str)}}, "pair": [str, int]}
    good = {"a": [1, 2], "b": {"x": {"c": "y"}}, "pair": ["p", 1], "surplus": None}
    assert mismatch(good, form) is None
    assert mismatch(good | {"a": [1, None]}, form) == "manifest.a[1] is None"
    assert mismatch(good | {"a": [True]}, form) == "manifest.a[0] is True"
    assert mismatch(good | {"b": {"x": {}}}, form) == "manifest.b.x.c is missing"
    assert mismatch(good | {"b": []}, form) == "manifest.b is []"
    assert mismatch(good | {"pair": ["p"]}, form) == "manifest.pair[1] is missing"
    assert mismatch(good | {"pair": ["p", 1, 2]}, form) == "manifest.pair[2] is 2"


def test_nested_within_counts_lists_and_mappings():
    assert nested_within({"a": [{}]}, 3)
    assert not nested_within({"a": [{}]}, 2)
