"""The benchmark on a network that takes no time: who takes part, what is checked, what is reported and drawn."""

import argparse
import dataclasses
import io
import itertools
import json
import signal

import jax
import numpy as np
import pytest
from PIL import Image

from e2e_jax.bench import command, contestants, plot, text
from e2e_jax.bench.agreement import check
from e2e_jax.bench.contestants import Contestant, in_jax
from e2e_jax.bench.report import Report, Row, rows
from e2e_jax.bench.run import Plan, run
from e2e_jax.bench.work import NETWORKS, original, with_network
from e2e_jax.benchmark import Timing
from e2e_jax.cli import main
from e2e_jax.engines import catalog
from e2e_jax.errors import ArtifactError, ConfigError
from e2e_jax.model import Functional

WEIGHTS = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)
KEYS = {
    *("language", "engine", "version", "device", "precision", "flow", "kind", "batch", "runs"),
    *("median_ms", "p95_ms", "gain_percent", "load_s", "first_s", "difference"),
}


def tiny():
    network = Functional(lambda params, x: x.mean((1, 2)) @ params, WEIGHTS)
    return with_network("Tiny", network, side=12, size=8)


def quickly(work, runs=None, ours=None, **options) -> Report:
    return run(work, Plan(runs or {1: 2}, warmup=1, progress=False, **options), ours=ours)


@pytest.fixture(scope="module")
def work():
    return tiny()


@pytest.fixture(scope="module")
def report(work) -> Report:
    """With all engines, on one photo and on three."""
    return quickly(work, {1: 3, 3: 2})


def nobody(*_):
    return iter(())


def ours(work, answer):
    """One contestant that answers as told."""
    return lambda *_: iter([Contestant("Ours", "1", "end to end", "float32", answer)])


def test_everyone_takes_part_in_every_batch(report):
    found = [(row.kind, row.batch, row.engine, row.flow) for row in report.rows]
    jax_ = [("JAX", "separate"), ("JAX", "end to end"), ("JAX", "network only"), ("e2e_jax", "end to end")]
    engines = [(e, f) for e in ("ONNX Runtime", "OpenVINO") for f in ("separate", "network only")]
    f32 = [one for one in found if one[2:] in {*jax_, *engines}]
    assert list(dict.fromkeys(f32)) == [
        (*kind, *who) for kind in (("single", 1), ("batch", 3)) for who in jax_ + engines
    ]
    assert {row.runs for row in report.rows if row.batch == 1} == {3}
    assert {row.language for row in report.rows} == {"Python"}
    assert report.missing == {}
    assert report.complete


def test_everyone_gives_the_answer_of_the_steps_by_hand(report):
    assert all(row.difference < (1e-5 if row.precision == "float32" else 5e-2) for row in report.rows)


def test_loading_is_reported_apart_from_the_first_call(report):
    assert {row.engine for row in report.rows if row.load_s is None} == {"JAX"}
    assert all(row.load_s > 0 for row in report.rows if row.engine != "JAX")
    assert all(row.first_s > 0 for row in report.rows)


def test_report_names_machine_versions_and_shapes(report):
    assert report.conditions["photo"] == "uint8[12, 12, 3]"
    assert report.conditions["input"] == "float32[8, 8, 3]"
    assert set(report.conditions["versions"]) == {"jax", "numpy", "pillow", "e2e_jax", "ONNX Runtime", "OpenVINO"}


def test_json_has_the_keys_other_languages_write(report):
    data = json.loads(report.to_json())
    assert set(data) == {"format", "network", "task", "conditions", "rows", "missing", "complete"}
    assert {frozenset(row) for row in data["rows"]} == {frozenset(KEYS)}
    assert Report.from_json(report.to_json()) == report


def test_times_are_per_sample_and_gains_per_baseline():
    base = Contestant("JAX", "1", "separate", "float32", len)
    other = Contestant("Other", "1", "separate", "float32", len)
    fused = Contestant("e2e_jax", "1", "end to end", "float32", len, load=0.5)
    timings = [Timing(base.name, 3.0, (0.1, 0.2, 0.3)), Timing(fused.name, 2.0, (0.1, 0.15, 0.2))]
    none = dict.fromkeys((base.name, other.name, fused.name), 0.0)
    first, second = rows([base, other, fused], timings, none, 25)  # the other was not timed
    assert (first.median_ms, first.gain_percent, first.load_s, first.first_s) == (8.0, None, None, 3.0)
    assert (second.median_ms, second.gain_percent, second.load_s) == (6.0, 25.0, 0.5)
    assert first.p95_ms == pytest.approx(11.6)  # of 100, 200, 300 ms: 290
    (alone,) = rows([fused], timings[1:], none, 25)
    assert alone.gain_percent is None


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (lambda logits: logits * 1.01, r"Ours float32 end to end differs by 0\.01 of the largest value"),
        (lambda logits: logits[:, :3], "differs by inf"),
        (lambda logits: logits * np.float32("nan"), "differs by nan"),
    ],
)
def test_a_contestant_with_another_answer_stops_the_benchmark(work, answer, found):
    right = jax.jit(lambda photos: work.network_as_is(work.preprocess(photos)))
    with pytest.raises(ArtifactError, match=found):
        quickly(work, ours=ours(work, lambda photos: answer(right(photos))), engines=[])
    assert quickly(work, ours=ours(work, right), engines=[]).rows[-1].engine == "Ours"


def test_tolerance_depends_on_precision_and_device():
    base = Contestant("JAX", "1", "separate", "float32", len)
    for changes, passes in (
        ({}, False),
        ({"device": "gpu"}, True),
        ({"precision": "bfloat16"}, True),
    ):
        other = dataclasses.replace(base, engine="Other", **changes)
        answers = {base.name: np.float32([1, -2]), other.name: np.float32([1, -2.01])}  # 0.005 of 2
        if passes:
            assert check([base, other], answers)[other.name] == pytest.approx(0.005)
        else:
            with pytest.raises(ArtifactError, match="differs by 0.005"):
                check([base, other], answers)


def test_scores_are_compared_and_ids_are_not():
    base = Contestant("JAX", "1", "separate", "float32", len)
    other = dataclasses.replace(base, engine="Other")
    answers = {base.name: {"ids": np.arange(2), "scores": np.float32([0.5, 0.5])}}
    answers[other.name] = {"ids": np.arange(2)[::-1], "scores": np.float32([0.5, 0.5])}
    assert check([base, other], answers) == {base.name: 0, other.name: 0}


def test_what_compiles_is_given_the_network_and_the_whole(work):
    seen = []

    def compiled(function):
        seen.append(function)
        return lambda x: function(x) + 1

    found = {c.flow: c.run for c in in_jax(work, work.network_as_is, "x", "1", "float32", compiled)}
    photos = work.photos(2)
    plain = work.network_as_is(work.by_hand(photos))
    assert len(seen) == 2
    for flow in ("separate", "end to end"):
        np.testing.assert_allclose(found[flow](photos), plain + 1, rtol=1e-5)
    np.testing.assert_allclose(found["network only"](work.by_hand(photos)), plain + 1, rtol=1e-5)


def test_ctrl_c_keeps_what_was_measured(work):
    calls = itertools.count()

    def stops(photos):
        if next(calls) == 6:  # 1 + 3 calls on one photo, 1 + 1 on two, and then
            raise KeyboardInterrupt
        return work.network_as_is(work.by_hand(photos))

    found = quickly(work, {1: 3, 2: 3}, ours=ours(work, stops), engines=[])
    assert not found.complete
    assert [(row.batch, row.runs) for row in found.rows if row.engine == "Ours"] == [(1, 3), (2, 1)]
    assert "interrupted: this is what had been measured" in text.as_text(found)


def test_a_limit_leaves_out_rounds(work):
    assert {row.runs for row in quickly(work, {1: 9}, ours=nobody, engines=[], limit=0.0).rows} == {1}


def test_an_engine_that_is_not_installed_is_named_and_left_out(work, monkeypatch):
    monkeypatch.setattr(catalog, "missing", lambda name: ["openvino"] if name == "openvino" else [])
    found = quickly(work, ours=nobody)
    assert {row.engine for row in found.rows} == {"JAX", "ONNX Runtime"}
    assert "OpenVINO did not take part: pip install 'e2e_jax[onnx,openvino]'" in text.as_text(found)
    with pytest.raises(ConfigError, match="the engine must be installed"):
        quickly(work, engines=["openvino"])


@pytest.mark.parametrize(("fast", "precisions"), [(True, ["float32", "bfloat16"]), (False, ["float32"])])
def test_bfloat16_takes_part_where_the_processor_has_it(work, monkeypatch, tmp_path, fast, precisions):
    made = []
    monkeypatch.setattr(contestants.machine, "has_bfloat16", lambda: fast)
    monkeypatch.setattr(contestants, "OpenVINO", lambda graph, **options: made.append(options))
    found = list(contestants.field(work, 7, ["openvino"], tmp_path, nobody))
    assert made == [{"batch": 7, "precision": precision} for precision in precisions]
    assert [one.precision for one in found if one.flow == "separate"] == ["float32", *precisions]


def test_unknown_networks_are_refused():
    with pytest.raises(ConfigError, match="bench: the network must be known"):
        original("resnet19")
    assert tuple(NETWORKS) == command.NETWORKS
    assert tuple(catalog.ENGINES) == command.ENGINES


def row(**changes) -> Row:
    fields = (
        "Python",
        "JAX",
        "0.12",
        "cpu",
        "float32",
        "separate",
        "single",
        1,
        500,
        20.0,
        22.0,
        None,
        None,
        1.0,
        0.0,
    )
    return dataclasses.replace(Row(*fields), **changes)


def test_table_has_a_block_per_batch_and_room_for_languages_and_devices(report):
    changes = [{}, {"language": "Scala", "engine": "ONNX Runtime"}, {"device": "gpu", "batch": 25, "kind": "batch"}]
    shown = text.as_text(dataclasses.replace(report, rows=tuple(row(**c) for c in changes)))
    assert "\nsingle, 500 runs; " in shown
    assert "\nbatch of 25, 500 runs; " in shown
    assert "\nScala     ONNX Runtime  float32    separate   20.00  22.00               1.00" in shown
    assert "\nPython    JAX (gpu)  " in shown
    assert "saves" not in shown  # nothing end to end


@pytest.mark.parametrize("batches", [(1,), (1, 25)])
def test_chart_is_a_png_with_a_bar_per_row(report, batches):
    many = [row(batch=b, engine=e, gain_percent=g) for b in batches for e, g in (("JAX", None), ("e2e_jax", 12.3))]
    image = Image.open(io.BytesIO(plot.draw(dataclasses.replace(report, rows=tuple(many)))))
    inches = plot.MARGIN + len(batches) * (2 + 2) * plot.BAR
    assert image.format == "PNG"
    assert image.size == (round(plot.WIDTH * plot.DPI), int(inches * plot.DPI))
    ours_ = np.asarray(image.convert("RGB")) == np.array([0x0B, 0x6E, 0x99])
    columns = np.flatnonzero(ours_.all(-1).any(1))
    assert 1 + np.count_nonzero(np.diff(columns) > 1) == len(batches)  # one blue bar in each panel


@pytest.fixture
def small(monkeypatch):
    """The command, on the tiny network and without an export, which takes seconds."""
    monkeypatch.setattr("e2e_jax.bench.work.original", lambda name: tiny())
    monkeypatch.setattr("e2e_jax.bench.contestants.artifacts", nobody)
    return ["bench", "--runs", "2", "--batch", "2", "--engines", "none"]


def test_command_prints_a_table_and_writes_both_files(small, tmp_path, capsys):
    files = tmp_path / "b.json", tmp_path / "b.png"
    files[0].write_text("old")
    assert main([*small, "--json", str(files[0]), "--plot", str(files[1])]) == 0
    assert capsys.readouterr().out.startswith("Tiny: uniform random 12x12x3 uint8, Resize((8, 8)), ToTensor(), ")
    assert {row["batch"]: row["runs"] for row in json.loads(files[0].read_text())["rows"]} == {1: 2, 2: 1}
    assert files[1].read_bytes().startswith(b"\x89PNG")
    assert {file.name for file in tmp_path.iterdir()} == {"b.json", "b.png"}


def test_json_to_standard_output_is_alone_there(small, capsys):
    assert main([*small, "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["network"] == "Tiny"
    assert "Tiny: uniform" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--json", "no/folder/b.json"], "bench: the results need a place"),
        (["--json", "."], "bench: the results need a place"),
        (["--plot", "no/folder/b.png"], "bench: the results need a place"),
        (["--plot", "b.svg"], "bench: the chart is a PNG"),
        (["--engines", "tensorrt"], "engines: the engine must be known"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_measured(
    small, options, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("e2e_jax.bench.run.interleave", lambda *_, **__: pytest.fail("measured"))
    assert main([*small, *options]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(message)
    assert not list(tmp_path.iterdir())


def test_a_chart_without_matplotlib_names_the_extra(small, monkeypatch, capsys):
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: None)
    assert main([*small, "--plot", "b.png"]) == 1
    assert capsys.readouterr().err.endswith("Fix: pip install 'e2e_jax[notebook]'\n")


def test_a_full_disk_leaves_the_old_file(small, tmp_path, monkeypatch, capsys):
    file = tmp_path / "b.json"
    file.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(command.os, "replace", full)
    assert main([*small, "--json", str(file)]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert [f.read_text() for f in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize("options", [["--runs", "0"], ["--batch", "x"], ["--network", "vgg"]])
def test_wrong_options_end_in_2(options, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["bench", *options])
    assert caught.value.code == 2


def test_ctrl_c_prints_the_table_so_far_and_ends_in_130(small, tmp_path, monkeypatch, capsys):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    by_hand, calls = type(tiny().by_hand).__call__, itertools.count()

    def stops(self, photos):
        if next(calls) == 4:
            signal.raise_signal(signal.SIGINT)
        return by_hand(self, photos)

    monkeypatch.setattr(type(tiny().by_hand), "__call__", stops)
    monkeypatch.setattr("e2e_jax.bench.command._plan", lambda _: Plan({1: 9}, [], warmup=1, progress=False))
    try:
        assert main([*small, "--json", str(tmp_path / "b.json")]) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    out = capsys.readouterr().out
    assert "single, 2 runs; " in out  # of by_hand: the network's input, the first call, two rounds
    assert "interrupted" in out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "plan"),
    [
        ([], Plan({1: 500, 25: 20})),
        (["--runs", "10"], Plan({1: 10, 25: 1})),
        (["--batch", "1"], Plan({1: 500})),
        (["--batch-runs", "7", "--batch", "4"], Plan({1: 500, 4: 7})),
        (["--engines", "none"], Plan({1: 500, 25: 20}, [])),
        (["--engines", "onnxruntime, openvino"], Plan({1: 500, 25: 20}, ["onnxruntime", "openvino"])),
        (["--quick"], Plan({1: 50, 25: 2}, warmup=1, limit=32.0)),
        (["--quick", "--runs", "5"], Plan({1: 5, 25: 1}, warmup=1, limit=32.0)),
    ],
)
def test_options_make_the_plan(options, plan):
    parser = argparse.ArgumentParser()
    command.add_to(parser.add_subparsers())
    assert command._plan(parser.parse_args(["bench", *options])) == plan
