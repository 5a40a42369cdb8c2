"""ONNX programs in an artifact: the same answers by every engine, plain use without our code, what is refused."""

import importlib.util
import json
import subprocess
import sys
import zipfile

import jax
import numpy as np
import onnx
import pytest
from flax import nnx
from model_fixtures import LABELS, assert_same, photo, rewrite, tiny_model

import e2e_jax as e2e
from e2e_jax import choice
from e2e_jax import transforms as T
from e2e_jax.artifact import archive
from e2e_jax.artifact.card import card
from e2e_jax.artifact.manifest import Manifest
from e2e_jax.benchmark import Timing
from e2e_jax.errors import ArtifactError, ConfigError, ImageError

OTHERS = ["onnxruntime", "openvino"]
SIZES = [(40, 50), (33, 200), (200, 33), (16, 16), (5, 5), (300, 260)]
NEAR = 5e-3  # of a probability, for pixels that are one level off


class Net(nnx.Module):
    """Convolutions large enough to leave the models for the file of weights."""

    def __init__(self) -> None:
        rngs = nnx.Rngs(2)
        self.stem = nnx.Conv(3, 16, (3, 3), strides=2, rngs=rngs)
        self.deep = nnx.Conv(16, 16, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(16, rngs=rngs)
        self.dense = nnx.Linear(16, 4, rngs=rngs)

    def __call__(self, x):
        x = jax.nn.relu(self.norm(self.deep(jax.nn.relu6(self.stem(x)))))
        return 9 * self.dense(x.mean((1, 2)))


def model(**parts):
    steps = T.Compose(
        [T.Resize(20), T.CenterCrop(16), T.RandomHorizontalFlip(), T.ToTensor(), T.Normalize(0.5, 0.25)]
    )
    return tiny_model(**({"preprocess": steps, "network": Net()} | parts))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return e2e.export(model(), tmp_path_factory.mktemp("onnx") / "net.e2e", onnx=True, progress=False)


@pytest.fixture(scope="module")
def by_engine(file):
    return {name: e2e.load(file, engine=name) for name in ["xla", *OTHERS]}


def photos():
    return [photo(*size, seed=n) for n, size in enumerate(SIZES)]


def test_verify_compares_every_engine_with_xla(by_engine):
    found = by_engine["xla"].verify()
    assert found.passed
    apart = {check.promise.partition(" = ")[0]: check.difference for check in found.checks}
    assert 0 < apart["ONNX Runtime"] < NEAR
    assert 0 < apart["OpenVINO"] < NEAR
    lines = card(by_engine["xla"].manifest).splitlines()
    assert any(line.startswith("onnx      model in opset 23; off on the stored sample: network ") for line in lines)


@pytest.mark.parametrize("name", OTHERS)
def test_every_engine_gives_the_answers_of_xla(by_engine, name):
    """First answers equal, probabilities within 5e-3; pixels within a level."""
    found, expected = (by_engine[engine].predict(photos()) for engine in (name, "xla"))
    for one, other in zip(found, expected, strict=True):
        assert one.label == other.label
        assert_same(one, other, NEAR)
    assert by_engine[name].replay() <= NEAR
    assert by_engine[name].verify().passed
    assert by_engine[name].engine == name
    assert repr(by_engine[name]).endswith(f", engine={name!r})")
    assert by_engine[name].compilations == ()


@pytest.mark.parametrize("name", OTHERS)
def test_from_the_same_pixels_probabilities_are_within_1e_4(by_engine, name):
    x = np.random.default_rng(0).normal(size=(3, 16, 16, 3)).astype(np.float32)
    network = model().network
    network.eval()
    wanted = T.Classify(LABELS, top_k=3)(network(x))
    found = by_engine[name]._runner.network(x)
    np.testing.assert_array_equal(found["ids"], wanted["ids"])
    np.testing.assert_allclose(found["scores"], wanted["scores"], atol=1e-4)
    assert found["ids"].dtype == np.int32


@pytest.mark.parametrize("name", OTHERS)
def test_single_batch_and_list_agree(by_engine, name):
    predictor = by_engine[name]
    batch = np.stack([photo(40, 50, seed=n) for n in range(5)])
    listed = predictor.predict([*batch, photo(90, 20)])
    for alone, inside, image in zip(predictor.predict(batch), listed, batch, strict=False):
        assert_same(inside, alone, 1e-6)
        assert_same(predictor.predict(image), alone, 1e-6)
    assert len(listed) == 6
    assert predictor.predict(batch[:0]) == predictor.predict([]) == []


def test_boxes_lead_back_and_bad_images_are_refused_as_before(by_engine):
    box = np.array([[1.0, 2.0, 8.0, 9.0]])
    for predictor in by_engine.values():
        np.testing.assert_array_equal(
            predictor.inverse(box, size=(40, 50)), by_engine["xla"].inverse(box, size=(40, 50))
        )
        with pytest.raises(ImageError, match="pixels must be uint8"):
            predictor.predict(np.zeros((9, 9, 3), np.float32))


def test_plain_onnx_runtime_runs_it_without_our_code(file, tmp_path):
    with zipfile.ZipFile(file) as stored:
        stored.extractall(tmp_path, [name for name in stored.namelist() if name.startswith("onnx/")])
    np.save(tmp_path / "photo.npy", photo(33, 200, seed=1))
    code = """
import json, sys
import numpy, onnxruntime
session = onnxruntime.InferenceSession("onnx/model.onnx", providers=["CPUExecutionProvider"])
known = session.get_modelmeta().custom_metadata_map
ids, scores = session.run(["ids", "scores"], {"images": numpy.load("photo.npy")[None]})
labels = json.loads(known["labels"])
print(json.dumps([[labels[i] for i in ids[0]], scores[0].tolist(), json.loads(known["signature"])]))
print([name for name in ("e2e_jax", "jax", "PIL", "onnx") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    said, foreign = done.stdout.splitlines()
    labels, scores, signature = json.loads(said)
    whole = model()
    whole.eval()
    (expected,) = whole.postprocess.build(whole(photo(33, 200, seed=1)[None]))
    assert labels == [c.label for c in expected.top]
    np.testing.assert_allclose(scores, [c.score for c in expected.top], atol=NEAR)
    assert foreign == "[]"
    assert signature == e2e.load(file).signature


def test_three_models_share_one_aligned_file_and_use_nothing_but_onnx(file):
    members = archive.read(file)
    names = ["onnx/model.onnx", "onnx/network.onnx", "onnx/preprocess.onnx", "onnx/weights.bin"]
    assert sorted(name for name in members if name.startswith("onnx/")) == names
    placed = {}
    for name in names[:3]:
        read = onnx.load_from_string(members[name])
        assert [(kind.domain, kind.version <= 23) for kind in read.opset_import] == [("", True)]
        assert read.ir_version <= 10
        places = [tensor.external_data for tensor in read.graph.initializer if tensor.external_data]
        placed[name] = {
            (said["location"], said["offset"]) for said in ({e.key: e.value for e in p} for p in places)
        }
    assert placed["onnx/model.onnx"] == placed["onnx/network.onnx"]
    assert {location for location, _ in placed["onnx/model.onnx"]} == {"weights.bin"}
    assert all(int(offset) % 4096 == 0 for _, offset in placed["onnx/model.onnx"])
    assert len(placed["onnx/model.onnx"]) > 1
    kernels = (leaf for leaf in jax.tree.leaves(nnx.state(Net())) if leaf.nbytes >= 1024)
    assert len(placed["onnx/model.onnx"]) == len(list(kernels))
    assert len(members["onnx/network.onnx"]) < 20_000


def test_the_manifest_tells_kind_members_and_differences(file):
    said = e2e.load(file).manifest.onnx
    assert (said["kind"], said["opset"]) == ("model", 23)
    assert said["members"]["weights"] == "onnx/weights.bin"
    assert said["difference"].keys() == {"network", "model", "input"}
    assert 0 < said["difference"]["network"] <= 1e-4
    assert said["difference"]["model"] <= NEAR
    assert said["difference"]["input"] <= 1.01 / 255 / 0.25  # one level


def test_a_step_without_a_form_is_refused_by_name_and_the_network_alone_is_not(tmp_path):
    steps = T.Compose([T.Resize((16, 16), method="lanczos"), T.ToTensor()])
    with pytest.raises(ConfigError, match="^Resize: has no ONNX form") as caught:
        e2e.export(model(preprocess=steps), tmp_path / "net.e2e", onnx=True, progress=False)
    assert 'onnx="network"' in caught.value.fix
    assert not list(tmp_path.iterdir())
    path = e2e.export(model(preprocess=steps), tmp_path / "net.e2e", onnx="network", progress=False)
    members = archive.read(path)
    assert sorted(n for n in members if n.startswith("onnx/")) == ["onnx/network.onnx", "onnx/weights.bin"]
    assert e2e.load(path).manifest.onnx["kind"] == "network"
    with pytest.raises(ConfigError, match="must hold the model's ONNX programs") as missing:
        e2e.load(path, engine="onnxruntime")
    assert "onnx=True" in missing.value.fix
    assert e2e.load(path, engine="fastest").engine == "xla"


def test_outputs_of_any_names_without_a_postprocessor(tmp_path):
    class Two(nnx.Module):
        def __call__(self, x):
            return {"mean": x.mean((1, 2)), "most": (x.max((1, 2)), x.min((1, 2)))}

    path = e2e.export(model(network=Two(), postprocess=None), tmp_path / "two.e2e", onnx=True, progress=False)
    found, expected = (e2e.load(path, engine=name).predict(photo()) for name in ("onnxruntime", "xla"))
    assert found.keys() == expected.keys()
    np.testing.assert_allclose(found["mean"], expected["mean"], atol=0.02)
    for one, other in zip(found["most"], expected["most"], strict=True):
        np.testing.assert_allclose(one, other, atol=0.02)
    read = onnx.load_from_string(archive.read(path)["onnx/model.onnx"])
    assert [output.name for output in read.graph.output] == ["mean", "most/0", "most/1"]


def test_wrong_engines_and_options_are_refused(file, tiny_file, tmp_path):
    with pytest.raises(ConfigError, match="load: engine must be"):
        e2e.load(file, engine="tensorrt")
    with pytest.raises(ConfigError, match="export: onnx must be known"):
        e2e.export(model(), tmp_path / "a.e2e", onnx="all", progress=False)
    with pytest.raises(ConfigError, match="must hold the model's ONNX programs") as caught:
        e2e.load(tiny_file, engine="onnxruntime")
    assert caught.value.fix == "export it again with export(..., onnx=True)."
    with pytest.raises(ConfigError, match="need a network input of one size"):
        mean = (lambda params, x: x.mean((1, 2)) @ params, np.eye(3, 4, dtype=np.float32))
        e2e.export(
            model(preprocess=T.Compose([T.ToTensor()]), network=mean), tmp_path / "a.e2e", onnx=True, progress=False
        )
    with pytest.raises(ConfigError, match="need a network input of float32"):
        steps = T.Compose([T.Resize((8, 8)), T.ToTensor(), T.Cast("bfloat16")])
        network = (lambda params, x: x.astype(np.float32).mean((1, 2)) @ params, np.eye(3, 4, dtype=np.float32))
        e2e.export(model(preprocess=steps, network=network), tmp_path / "a.e2e", onnx=True, progress=False)


def test_bfloat16_is_for_xla(tmp_path):
    path = e2e.export(model(), tmp_path / "b.e2e", onnx=True, precision="bfloat16", progress=False)
    with pytest.raises(ConfigError, match="other engines have float32"):
        e2e.load(path, engine="onnxruntime")


@pytest.mark.parametrize("package", ["onnxruntime", "onnx"])
def test_a_missing_package_names_its_extra(file, tmp_path, monkeypatch, package):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else find(name))
    with pytest.raises(ConfigError, match="the engine must be installed") as caught:
        e2e.load(file, engine="onnxruntime")
    assert caught.value.fix == "pip install 'e2e_jax[onnx]'"
    with pytest.raises(ConfigError, match="the engine must be installed"):
        e2e.export(model(), tmp_path / "a.e2e", onnx=True, progress=False)


def test_the_fastest_of_those_installed_is_chosen_and_named(file, monkeypatch):
    asked = []

    def timed(contestants, **options):
        asked.extend(contestants)
        assert all(call()["ids"].shape == (1, 3) for call in contestants.values())
        seconds = {"xla": 0.02, "onnxruntime": 0.01, "openvino": 0.03}
        return [Timing(name, 1.0, (seconds[name],)) for name in contestants]

    monkeypatch.setattr(choice, "interleave", timed)
    predictor = e2e.load(file, engine="fastest")
    assert asked == ["xla", "onnxruntime", "openvino"]
    assert predictor.engine == "onnxruntime"
    assert "engine='onnxruntime'" in repr(predictor)
    monkeypatch.setattr(choice, "missing", lambda name: ["it"] if name == "openvino" else [])
    asked.clear()
    assert e2e.load(file, engine="fastest").engine == "onnxruntime"
    assert asked == ["xla", "onnxruntime"]
    monkeypatch.setattr(choice, "missing", lambda name: ["it"] if name == "onnxruntime" else [])
    assert "engine='xla'" in repr(e2e.load(file, engine="fastest"))


def test_the_fastest_is_measured_for_real(file):
    assert e2e.load(file, engine="fastest").engine in ("xla", *OTHERS)


def test_an_export_that_leads_too_far_off_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="the outputs in ONNX must be within 1e-12"):
        e2e.export(model(), tmp_path / "a.e2e", onnx=True, lower=False, max_difference=1e-12, progress=False)


def test_a_model_that_reaches_for_other_files_is_not_opened(file, tmp_path):
    members = archive.read(file)
    for change in ({"location": "/etc/passwd"}, {"offset": "99999999"}, {"length": "-4"}):
        read = onnx.load_from_string(members["onnx/network.onnx"])
        tensor = next(t for t in read.graph.initializer if t.external_data)
        for entry in tensor.external_data:
            entry.value = change.get(entry.key, entry.value)
        path = rewrite(file, tmp_path / "other.e2e", members={"onnx/network.onnx": read.SerializeToString()})
        with pytest.raises(ArtifactError, match="ONNX programs must be whole"):
            e2e.load(path, engine="onnxruntime").predict(photo()[None])


def test_a_model_that_is_none_is_an_artifact_error(file, tmp_path):
    damaged = rewrite(file, tmp_path / "a.e2e", members={"onnx/network.onnx": b"\xff\xff"})
    empty = rewrite(file, tmp_path / "b.e2e", members={"onnx/preprocess.onnx": b""})
    for path in (damaged, empty):
        with pytest.raises(ArtifactError, match="load: "):
            e2e.load(path, engine="onnxruntime").predict(photo()[None])
    assert e2e.load(damaged).predict(photo()).label in LABELS


def test_earlier_formats_have_no_onnx_programs(tiny_file, tmp_path):
    fields = json.loads(archive.read(tiny_file)[archive.MANIFEST])
    assert fields["onnx"] is None
    members = archive.read(tiny_file)
    del fields["onnx"]
    members[archive.MANIFEST] = json.dumps(fields | {"format": 2}).encode()
    assert Manifest.from_members(tmp_path, members).onnx is None
