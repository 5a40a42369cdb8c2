"""The measurements' own arithmetic: goals, and the file of results."""

import dataclasses

import jax
import numpy as np
import pytest

from benchmarks import networks, results, scaling
from e2e_jax.bench.report import Report, Row

ROW = Row("Python", "JAX", "1", "cpu", "float32", "separate", "single", 1, 9, 40.0, 41.0, None, None, 1.0, 0.0)


def report(*rows: tuple[str, str, str, float]) -> Report:
    """Of ResNet-18, from engine, precision, flow and milliseconds."""
    names = ("engine", "precision", "flow", "median_ms")
    found = tuple(dataclasses.replace(ROW, **dict(zip(names, row, strict=True))) for row in rows)
    return Report("ResNet-18", "", {}, found, {})


def test_goals_compare_the_same_work():
    lines = networks.verdicts(
        report(
            ("JAX", "float32", "separate", 40.0),
            ("JAX", "float32", "end to end", 38.0),
            ("e2e_jax", "float32", "end to end", 19.0),
            ("e2e_jax", "float32", "network only", 18.0),
            ("ONNX Runtime", "float32", "separate", 10.0),
            ("ONNX Runtime", "float32", "network only", 15.0),
        )
    ).splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "batch 1 JAX f32, one program / separate transforms 0.95x goal 1.0x reached",
        "batch 1 e2e_jax f32 / JAX f32, photo to answer 0.50x goal 0.85x reached",
        "batch 1 e2e_jax f32 / ONNX Runtime f32, photo to answer 1.90x goal 1.3x MISSED",
        "batch 1 e2e_jax f32 / ONNX Runtime f32, network alone 1.20x goal 1.3x reached",
    ]


def test_a_section_takes_the_place_of_its_older_self(tmp_path):
    file = tmp_path / "RESULTS.md"
    results.store("networks", "old", file)
    results.store("scaling", "kept", file)
    results.store("networks", r"new \1", file)
    text = file.read_text()
    assert text.startswith("# Results\n")
    assert [part.split("\n")[0] for part in text.split("\n## ")[1:]] == ["networks", "scaling"]
    assert "old" not in text
    assert "new \\1\n\n## scaling" in text
    assert text.endswith("kept\n")


@pytest.fixture(scope="module")
def lite0():
    return networks.efficientnet_lite0()


def test_the_steps_by_hand_are_those_of_the_classifier(lite0):
    photos = lite0.photos(2)
    np.testing.assert_allclose(lite0.by_hand(photos), jax.jit(lambda x: lite0.preprocess(x))(photos), atol=1e-6)


def test_top_by_hand_is_top_by_classify(lite0):
    logits = np.random.default_rng(0).normal(size=(3, 1000)).astype(np.float32)
    found, expected = lite0.finish_by_hand(logits), lite0.finish(logits)
    assert found["ids"].tolist() == expected["ids"].tolist()
    np.testing.assert_allclose(found["scores"], expected["scores"], rtol=1e-5)


@pytest.mark.skipif(not scaling.Path("/proc/self/status").exists(), reason="memory is read where Linux tells it")
def test_memory_at_most_so_far_includes_what_was_freed():
    before = scaling._memory("VmHWM")
    block = np.ones(50_000_000)  # 400 MB, touched
    assert scaling._memory("VmRSS") > 400
    del block
    assert scaling._memory("VmHWM") > min(before, 400)
    assert scaling._memory("VmHWM") > scaling._memory("VmRSS")
