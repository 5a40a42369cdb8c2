"""Artifacts that JAX no longer promises to read: tried, made anew, refused; and written again in time."""

import datetime
import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from flax import nnx
from jax._src.export import serialization_generated as flatbuffer
from model_fixtures import LABELS, assert_same, photo, rewrite, tiny_model

import e2e_jax as e2e
from e2e_jax import transforms as T
from e2e_jax.artifact import archive, programs
from e2e_jax.artifact.rebuild import zoo_factories

PAST = {"created": "2024-01-02T00:00:00+00:00", "expires": "2024-07-01T00:00:00+00:00"}
OLD = {"versions": {"jax": "0.4.30", "jaxlib": "0.4.30"}}


class Dense(nnx.Module):
    """A network that code can make again."""

    def __init__(self, width: int, *, rngs: nnx.Rngs) -> None:
        self.inner, self.out = nnx.Linear(3, width, rngs=rngs), nnx.Linear(width, 4, rngs=rngs)

    def __call__(self, x):
        return 9 * self.out(nnx.relu(self.inner(x.mean((1, 2)))))


def made(*, factory=None, rngs=3):
    steps = T.Compose([T.Resize(20), T.CenterCrop(16), T.ToTensor()])
    return e2e.EndToEnd(steps, Dense(5, rngs=nnx.Rngs(rngs)), T.Classify(LABELS, top_k=3), factory=factory)


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """Says how its network is made."""
    model = made(factory=e2e.Factory(Dense, width=5))
    return e2e.export(model, tmp_path_factory.mktemp("named") / "named.e2e", progress=False, step=7)


@pytest.fixture(scope="module")
def expired_programs(named):
    """Its programs as JAX wrote them in 2025: read only behind a flag."""
    again = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flatbuffer, "ExportedAddNrDevices", flatbuffer.ExportedAddNrDevicesShort)
        for name, content in archive.read(named).items():
            if name.startswith("programs/"):
                exported = programs.deserialize(content)
                again[name] = bytes(exported.serialize(vjp_order=int(exported.has_vjp())))
    return again


def test_the_old_programs_are_what_jax_refuses(expired_programs):
    with pytest.raises(ValueError, match="6-month"):
        programs.deserialize(expired_programs["programs/dense.jax"])


def test_old_dates_and_versions_are_accepted_where_the_sample_replays(named, tmp_path):
    path = rewrite(named, tmp_path / "old.e2e", manifest=PAST | OLD)
    with pytest.warns(UserWarning, match="no longer promises to read, which still give the recorded answers"):
        old = e2e.load(path)
    assert_same(old.predict(photo()), made().postprocess.build(made()(photo()[None]))[0])


def test_programs_that_jax_refuses_are_read_behind_its_flag_where_the_sample_replays(
    named, expired_programs, tmp_path
):
    path = rewrite(named, tmp_path / "old.e2e", members=expired_programs)
    with pytest.warns(UserWarning, match="call e2e_jax.refresh"):
        old = e2e.load(path)
    assert_same(old.predict([photo()])[0], e2e.load(named).predict(photo()))


@pytest.fixture(scope="module")
def wrong(named, tmp_path_factory):
    """Old, and its programs compute something else."""
    tilted = tiny_model(postprocess=T.Classify(LABELS, top_k=3, activation="sigmoid"))
    path = e2e.export(tilted, tmp_path_factory.mktemp("tilted") / "t.e2e", progress=False)
    foreign = {"programs/finish.jax": archive.read(path)["programs/finish.jax"]}
    return rewrite(named, tmp_path_factory.mktemp("wrong") / "wrong.e2e", manifest=PAST | OLD, members=foreign)


def test_wrong_numbers_are_refused_with_the_ways_out(wrong):
    with pytest.raises(e2e.ArtifactError, match="or made anew, and give the recorded answers") as caught:
        e2e.load(wrong)
    assert "the stored sample must replay" in caught.value.received
    assert "the network's code must come from you" in caught.value.received
    for way in ("install the versions that wrote it (jax 0.4.30", "factory=", "export it again"):
        assert way in caught.value.fix
    assert len(str(caught.value).splitlines()) == 3


def test_they_are_made_anew_with_the_code_of_the_network(wrong, named):
    with pytest.warns(UserWarning, match="made anew"):
        rebuilt = e2e.load(wrong, factory=Dense)
    assert_same(rebuilt.predict(photo()), e2e.load(named).predict(photo()))
    assert_same(rebuilt.predict([photo(60, 30)])[0], e2e.load(named).predict(photo(60, 30)))


def test_code_that_a_file_names_is_not_imported(named, tmp_path):
    source = tmp_path / "evil_factory.py"
    source.write_text("raise SystemExit('imported')")
    fields = json.loads(archive.read(named)[archive.MANIFEST])
    fields["rebuild"]["network"]["factory"] = "evil_factory:run"
    fields["samples"]["tolerance"] = -1.0  # so that its programs are of no use
    changed = PAST | {name: fields[name] for name in ("rebuild", "samples")}
    path = rewrite(named, tmp_path / "evil.e2e", manifest=changed)
    script = (
        "import sys, e2e_jax as e2e\ntry: e2e.load(sys.argv[1])\nexcept e2e.ArtifactError as e: print(e.received)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], cwd=tmp_path, capture_output=True, text=True,
                          check=True, timeout=120)  # fmt: skip
    assert "the network's code must come from you" in done.stdout
    assert "imported" not in done.stdout + done.stderr.replace("is not imported", "")


def test_a_network_of_the_zoo_is_made_anew_by_itself():
    factories = zoo_factories()
    names = {factory.name.rpartition(":")[2] for factory in factories}
    assert names == {"efficientnet_lite0", "mobilenet_v2", "resnet18"}
    assert all(factory.arguments == {"pretrained": False} for factory in factories)


@pytest.mark.parametrize("how", ["code", "programs"])
def test_refresh_replaces_the_file_and_keeps_what_was_said(named, tmp_path, how):
    path = rewrite(named, tmp_path / "old.e2e", manifest=PAST | OLD)
    before = archive.read(path)
    assert e2e.refresh(path, factory=Dense if how == "code" else None, progress=False) == path
    assert [file.name for file in tmp_path.iterdir()] == ["old.e2e"]
    new = e2e.load(path)
    said = new.manifest
    assert (said.step, said.created, said.name) == (7, PAST["created"], "named")
    assert datetime.datetime.fromisoformat(said.expires) > datetime.datetime.now(datetime.UTC)
    assert said.versions["jax"] != "0.4.30"
    assert said.rebuild["network"]["arguments"] == {"width": 5}
    after = archive.read(path)
    for member in ("samples/input.npz", "samples/outputs.npz"):
        for name, array in np.load(io.BytesIO(before[member])).items():
            np.testing.assert_array_equal(np.load(io.BytesIO(after[member]))[name], array)
    assert_same(new.predict(photo()), e2e.load(named).predict(photo()))
    assert (after["programs/dense.jax"] == before["programs/dense.jax"]) == (how == "code")


def test_what_gives_other_answers_is_not_written(named, tmp_path):
    outputs = np.load(io.BytesIO(archive.read(named)["samples/outputs.npz"]))
    buffer = io.BytesIO()
    np.savez(buffer, ids=outputs["ids"], scores=outputs["scores"] + np.float32(0.02))
    path = rewrite(named, tmp_path / "x.e2e", members={"samples/outputs.npz": buffer.getvalue()})
    before = path.read_bytes()
    for factory in (None, Dense):
        with pytest.raises(e2e.ArtifactError, match="must replay"):
            e2e.refresh(path, factory=factory, progress=False)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["x.e2e"]


def test_a_factory_that_makes_another_network_is_refused(named, tmp_path):
    with pytest.raises(e2e.ConfigError, match="must make this network"):
        e2e.refresh(named, output=tmp_path / "x.e2e", factory=lambda width: nnx.Linear(3, width, rngs=nnx.Rngs(0)),
                    progress=False)  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_a_folder_needs_another_place(named, tmp_path):
    zipfile.ZipFile(named).extractall(tmp_path / "folder")
    with pytest.raises(e2e.ConfigError, match="cannot be replaced in one step"):
        e2e.refresh(tmp_path / "folder", progress=False)
    path = e2e.refresh(tmp_path / "folder", output=tmp_path / "new", progress=False)
    assert path.is_dir()
    assert_same(e2e.load(path).predict(photo()), e2e.load(named).predict(photo()))


def test_bad_dates_are_a_damaged_artifact(named, tmp_path):
    for date in ("soon", "2030-01-01", ""):
        with pytest.raises(e2e.ArtifactError, match="a date that is none"):
            e2e.load(rewrite(named, tmp_path / "x.e2e", manifest={"expires": date}))


BAD = {
    "lambda": (lambda: e2e.Factory(lambda: None), "must be importable"),
    "no module": (lambda: e2e.Factory("no_such_module_here:x"), "must be importable"),
    "no name": (lambda: e2e.Factory("flax.nnx"), "must be importable"),
    "not callable": (lambda: e2e.Factory("math:pi"), "must be callable"),
    "array": (lambda: e2e.Factory(Dense, width=np.ones(2)), "must be what JSON can hold"),
    "tuple": (lambda: e2e.Factory(Dense, width=(1, 2)), "must come back from JSON"),
    "other width": (lambda: made(factory=e2e.Factory(Dense, width=6)), "must make this network"),
    "wrong argument": (lambda: made(factory=e2e.Factory(Dense, depth=6)), "must make a network"),
    "no module made": (lambda: made(factory=e2e.Factory("builtins:dict")), "must make an nnx.Module"),
    "no factory": (lambda: made(factory=Dense), "must be a Factory"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_factories_are_refused(kind):
    call, why = BAD[kind]
    with pytest.raises(e2e.ConfigError, match=why) as caught:
        call()
    assert len(str(caught.value).splitlines()) == 3


def test_a_function_with_parameters_has_no_factory_and_its_file_says_so(predictor):
    assert predictor.manifest.rebuild["network"] is None
