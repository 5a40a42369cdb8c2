"""What an artifact contains: members, hashes, the manifest's fields; one file or a folder."""

import datetime
import hashlib
import json
import zipfile
from pathlib import Path

import jax
import numpy as np
import PIL
import pytest
from model_fixtures import LABELS, WEIGHTS, assert_same, mean_colour, photo, tiny_model

import e2e_jax as e2e
from e2e_jax import transforms as T
from e2e_jax.artifact import archive
from e2e_jax.artifact.card import card


@pytest.fixture(scope="module")
def manifest(tiny_file):
    return json.loads(zipfile.ZipFile(tiny_file).read("manifest.json"))


def test_one_uncompressed_file_holds_every_part(tiny_file):
    with zipfile.ZipFile(tiny_file) as archive_file:
        infos = archive_file.infolist()
    names = [info.filename for info in infos]
    assert names[0] == "manifest.json"
    assert {n for n in names if not n.startswith("params/")} == {
        "manifest.json", "programs/dense.jax", "programs/ragged.jax", "programs/network.jax",
        "programs/inverse.jax", "programs/prepare.jax", "programs/finish.jax", "programs/smooth.jax",
        "samples/input.npz", "samples/outputs.npz",
    }  # fmt: skip
    assert any(name.startswith("params/") for name in names)
    assert {info.compress_type for info in infos} == {zipfile.ZIP_STORED}
    assert not any(b"pickle" in name.encode() or name.endswith(".pkl") for name in names)


def test_the_manifest_names_the_hash_of_every_other_member(tiny_file, manifest):
    members = archive.read(tiny_file)
    found = {n: hashlib.sha256(data).hexdigest() for n, data in members.items() if n != "manifest.json"}
    assert manifest["members"] == found


def test_the_manifest_describes_the_model(manifest):
    assert (manifest["format"], manifest["name"], manifest["labels"]) == (3, "tiny", LABELS)
    assert manifest["preprocess"] == tiny_model().preprocess.config
    assert manifest["postprocess"] == {"type": "Classify", "top_k": 3, "activation": "softmax"}
    assert manifest["numerics"] == {"0": "pillow", "1": "pillow", "2": "pillow"}
    assert manifest["signature"] == {
        "inputs": {"images": {"dtype": "uint8", "shape": ["b", "h", "w", 3], "range": [0, 255]}},
        "outputs": {
            "ids": {"dtype": "int32", "shape": ["b", 3]},
            "scores": {"dtype": "float32", "shape": ["b", 3]},
        },
    }
    assert manifest["params"] == [{"path": ["leaves", "0"], "shape": [3, 4], "dtype": "float32"}]


def test_the_manifest_describes_how_it_was_made(manifest):
    created, expires = (datetime.datetime.fromisoformat(manifest[name]) for name in ("created", "expires"))
    assert created.tzinfo == datetime.UTC
    assert abs(datetime.datetime.now(datetime.UTC) - created) < datetime.timedelta(hours=1)
    assert expires - created == datetime.timedelta(days=180)
    assert manifest["versions"]["jax"] == jax.__version__
    assert manifest["versions"]["numpy"] == np.__version__
    assert set(manifest["versions"]) >= {"e2e_jax", "jaxlib", "flax", "orbax-checkpoint", "pillow"}
    assert (manifest["decoding"]["decoder"], manifest["decoding"]["version"]) == ("Pillow", PIL.__version__)
    assert all(program["platforms"] == ["cpu", "cuda"] for program in manifest["programs"].values())


def test_the_programs_are_lowered_for_cpu_and_cuda(predictor):
    for program in predictor._bundle.programs.values():
        assert program.platforms == ("cpu", "cuda")


def test_exporting_twice_differs_in_the_time_and_in_orbax_own_metadata_only(tiny_file, tmp_path):
    again = e2e.export(tiny_model(), tmp_path / "tiny.e2e", progress=False)
    one, two = archive.read(tiny_file), archive.read(again)
    assert list(one)[0] == list(two)[0] == "manifest.json"
    stable = [name for name in one if not name.startswith(("params/", "manifest"))]
    assert len(stable) == 9
    assert {name: one[name] for name in stable} == {name: two[name] for name in stable}
    first, second = json.loads(one["manifest.json"]), json.loads(two["manifest.json"])
    for fields in (first, second):
        del fields["created"], fields["expires"], fields["members"]
    assert first == second


def test_the_path_comes_back_and_the_name_is_the_callers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = e2e.export(tiny_model(), "deep/er/colours.e2e", progress=False, name="Colours é 🙂")
    assert path == Path("deep/er/colours.e2e")
    assert [p.name for p in (tmp_path / "deep/er").iterdir()] == ["colours.e2e"]
    predictor = e2e.load(path)
    assert predictor.manifest.name == "Colours é 🙂"
    assert repr(predictor) == "Predictor('Colours é 🙂', images=uint8[b, h, w, 3], labels=4)"


def test_a_folder_holds_the_same_members_and_predicts_the_same(tmp_path, tiny_file, predictor):
    path = e2e.export(tiny_model(), tmp_path / "tiny", progress=False, directory=True)
    names = {p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()}
    unstable = {name for name in archive.read(tiny_file) if name.startswith("params/")}  # Orbax picks names
    assert names - {n for n in names if n.startswith("params/")} == set(archive.read(tiny_file)) - unstable
    loaded = e2e.load(path)
    assert_same(loaded.predict(photo()), predictor.predict(photo()), 0)
    assert loaded.signature == predictor.signature


def test_an_unzipped_artifact_is_an_artifact(tmp_path, tiny_file, predictor):
    zipfile.ZipFile(tiny_file).extractall(tmp_path / "unzipped")
    assert_same(e2e.load(tmp_path / "unzipped").predict(photo()), predictor.predict(photo()), 0)


def test_card_tells_what_it_takes_does_and_returns(predictor):
    lines = card(predictor.manifest).splitlines()
    assert lines[0] == "tiny   (e2e artifact, format 3)"
    assert "takes     images: uint8[b, h, w, 3] in 0..255" in lines
    assert "steps     Resize(20)" in lines
    assert "network   12 parameters in 1 arrays, 4.8e-05 MB" in lines
    assert any(line.startswith("finish    Classify(top_k=3") and "red, green, blue" in line for line in lines)
    assert "          scores: float32[b, 3]" in lines


def test_card_of_a_bare_model(tmp_path):
    model = tiny_model(preprocess=T.Compose([]), network=(lambda p, x: mean_colour(p, x / 255), WEIGHTS),
                       postprocess=None)  # fmt: skip
    path = e2e.export(model, tmp_path / "bare.e2e", progress=False, dtype="float32")
    lines = card(e2e.load(path).manifest).splitlines()
    assert "steps     none" in lines
    assert "finish    none: the network's own output" in lines
    assert "returns   output: float32[b, 4]" in lines


def test_the_programs_carry_no_paths_of_the_machine_that_made_them(tiny_file):
    content = b"".join(data for name, data in archive.read(tiny_file).items() if name.startswith("programs/"))
    assert b"dense" in content
    assert b".py" not in content
    assert str(Path(__file__).parents[2]).encode() not in content
    assert jax.config.jax_traceback_in_locations_limit != 0  # set for the export only
