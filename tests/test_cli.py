"""The command line: what it prints, how it ends, and that nothing ends in a traceback."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from model_fixtures import photo, rewrite, tiny_model
from PIL import Image

import e2e_jax as e2e
from e2e_jax.cli import main

COMMANDS = {
    "demo": ["FOLDER", "--output", "--onnx"],
    "predict": ["MODEL", "FILE", "--engine", "--json"],
    "inspect": ["MODEL", "--json"],
    "verify": ["MODEL", "--json", "--factory"],
    "refresh": ["MODEL", "--output", "--factory"],
    "bench": ["--runs", "--batch", "--json", "--plot", "--quick"],
}


@pytest.fixture
def png(tmp_path):
    Image.fromarray(photo()).save(tmp_path / "a.png")
    return str(tmp_path / "a.png")


@pytest.fixture
def shared_predictor(monkeypatch, predictor):
    """`load` gives the session's predictor: what it does is tested elsewhere."""
    monkeypatch.setattr("e2e_jax.loading.load", lambda *_, **__: predictor)
    return predictor


def test_predict_prints_one_line_per_file(shared_predictor, png, capsys):
    result = shared_predictor.predict(photo())
    assert main(["predict", "m.e2e", png, png]) == 0
    assert capsys.readouterr().out == f"{png}: {result.label} ({result.score:.1%})\n" * 2


def test_predict_json_prints_one_object_per_line(shared_predictor, png, capsys):
    result = shared_predictor.predict(photo())
    assert main(["predict", "m.e2e", png, png, "--json"]) == 0
    one, two = map(json.loads, capsys.readouterr().out.splitlines())
    assert one == two
    assert (one["file"], one["label"], one["id"]) == (png, result.label, result.id)
    assert one["top"] == [{"label": c.label, "score": c.score, "id": c.id} for c in result.top]


def test_a_bad_file_among_good_ones_is_named_and_ends_in_1(shared_predictor, png, capsys):
    assert main(["predict", "m.e2e", png, "missing.png", png]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == lines[-1]
    assert lines[1].startswith("missing.png: decode: ")
    assert [line[:7] for line in lines[2:4]] == ["  Recei", "  Fix: "]
    assert main(["predict", "m.e2e", "missing.png", png, "--json"]) == 1
    bad, good = map(json.loads, capsys.readouterr().out.splitlines())
    assert set(bad) == {"file", "error"}
    assert good["label"]


def test_names_no_terminal_can_show_are_escaped(shared_predictor, tmp_path, capsys):
    file = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")
    Image.fromarray(photo()).save(file)
    assert main(["predict", "m.e2e", file]) == 0
    assert capsys.readouterr().out.startswith(f"{tmp_path}/caf\\udce9.png: ")


def test_predict_of_a_model_without_labels_shows_its_outputs(tmp_path, png, capsys):
    model = str(e2e.export(tiny_model(postprocess=None), tmp_path / "raw.e2e", progress=False))
    assert main(["predict", model, png]) == 0
    assert capsys.readouterr().out == f"{png}: output float32(4,)\n"
    assert main(["predict", model, png, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["output"]["output"]
    np.testing.assert_allclose(found, tiny_model(postprocess=None)(photo()), atol=1e-4)


def test_inspect_shows_the_card_or_the_manifest(tiny_file, capsys):
    assert main(["inspect", str(tiny_file)]) == 0
    assert capsys.readouterr().out.startswith(
        "tiny   (e2e artifact, format 3)\ntakes     images: uint8[b, h, w, 3]"
    )
    assert main(["inspect", str(tiny_file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["labels"] == ["red", "green", "blue", "gray"]


def test_verify_replays_the_sample(shared_predictor, tiny_file, capsys):
    assert main(["verify", str(tiny_file)]) == 0
    out = capsys.readouterr().out
    assert "ok     the stored sample replays: differs by " in out
    assert "FAILED" not in out
    assert main(["verify", str(tiny_file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["passed"] is True


def test_verify_of_an_altered_artifact_ends_in_1(tiny_file, tmp_path, capsys):
    samples = {"tolerance": -1.0, "input": "samples/input.npz", "outputs": "samples/outputs.npz"}
    altered = rewrite(tiny_file, tmp_path / "x.e2e", manifest={"samples": samples})
    assert main(["verify", str(altered)]) == 1
    assert "FAILED the stored sample replays: differs by " in capsys.readouterr().out


@pytest.mark.parametrize("command", [["predict", "no.e2e", "a.png"], ["inspect", "no.e2e"], ["verify", "no.e2e"],
                                     ["demo", "no/folder"]])  # fmt: skip
def test_a_missing_model_or_folder_is_three_lines_and_ends_in_1(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(command) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert [line[:8] for line in err.splitlines()[1:]] == [
        "  Receiv",
        "  Fix: c" if "no.e2e" in command else "  Fix: r",
    ]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", [[], ["predict"], ["predict", "m.e2e"], ["paint"], ["verify", "m", "--loud"]])
def test_wrong_usage_ends_in_2(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main(command)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: e2e-jax")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_its_arguments(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    text = capsys.readouterr().out
    assert caught.value.code == 0
    assert text.startswith(f"usage: e2e-jax {command}")
    for argument in COMMANDS[command]:
        explained = [line for line in text.splitlines() if line.strip().startswith(argument)]
        assert any(len(line.split()) > 2 for line in explained) or argument in ("--output", "--factory")


@pytest.fixture
def interruptible():
    """Python's own handler, which shells take from what runs in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_in_130_without_a_traceback(shared_predictor, png, monkeypatch, capsys):
    monkeypatch.setattr(type(shared_predictor), "predict", lambda *_, **__: signal.raise_signal(signal.SIGINT))
    assert main(["predict", "m.e2e", png]) == 130
    out, err = capsys.readouterr()
    assert (out, err) == ("", "interrupted; nothing was left half written\n")


def test_the_installed_command_lists_its_commands():
    command = Path(sys.executable).with_name("e2e-jax")
    done = subprocess.run([command, "--help"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    for name in COMMANDS:
        assert f"\n    {name} " in done.stdout


def test_a_reader_that_has_seen_enough_is_no_error(tiny_file):
    command = [sys.executable, "-m", "e2e_jax.cli", "inspect", str(tiny_file), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0
