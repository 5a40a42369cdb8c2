"""What `Predictor.predict` adds to the compiled programs it runs, for one array and for a batch of one."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

import e2e_jax as e2e
from benchmarks.photo import photo
from benchmarks.start import artifact
from e2e_jax import transforms as T
from e2e_jax.benchmark import Timing, conditions, interleave
from e2e_jax.ops.batch import list_to_batch
from e2e_jax.predictor import Predictor

GOAL = 0.3  # ms
REPEATS = 300
SHAPE = (375, 500)  # pixels; not the size of a slot, so that a single photo has to be laid into one


def tiny(folder: str) -> Path:
    """The artifact of a network that takes no time."""
    network = (lambda params, x: x.mean((1, 2)) @ params, np.eye(3, dtype=np.float32))
    steps = T.Compose([T.Resize(20), T.CenterCrop(16), T.ToTensor()])
    model = e2e.EndToEnd(steps, network, T.Classify(["red", "green", "blue"]))
    return e2e.export(model, Path(folder, "tiny.e2e"), progress=False)


def bare(predictor: Predictor, name: str, *arguments: Any) -> Callable[..., Any]:
    """A program as JAX compiles it, without anything of ours around."""
    shapes = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), arguments)
    return jax.jit(predictor._runner.programs[name].call).lower(*shapes).compile()


def added(predict: Timing, program: Timing) -> float:
    """Median of the call-by-call differences, milliseconds."""
    return 1e3 * float(np.median(np.array(predict.seconds) - np.array(program.seconds)))


def measure(name: str, path: str | Path) -> None:
    predictor, image = e2e.load(path), photo(512)[: SHAPE[0], : SHAPE[1]].copy()
    params, batch, padded = predictor._runner.params, image[None], list_to_batch([image])
    dense = bare(predictor, "dense", params, batch)
    ragged = bare(predictor, "ragged", padded.pixels, padded.sizes)
    network = bare(predictor, "network", params, ragged(padded.pixels, padded.sizes))
    finish = bare(predictor, "finish", network(params, ragged(padded.pixels, padded.sizes)))
    pairs = {
        "batch of one": (lambda: predictor.predict(batch), lambda: dense(params, batch)),
        "one array": (
            lambda: predictor.predict(image),
            lambda: finish(network(params, ragged(padded.pixels, padded.sizes))),
        ),
    }
    for kind, (predict, program) in pairs.items():
        timings = interleave({"predict": predict, "program": program}, repeats=REPEATS, warmup=10, progress=False)
        figures = ", ".join(f"{timing.name} {timing.median:.2f} ms" for timing in timings)
        print(f"{name}, {kind}: {figures}, added {added(*timings):.2f} ms (goal: at most {GOAL})")


def main() -> None:
    print(f"\nwhat predict adds, {SHAPE[0]}x{SHAPE[1]} uint8, median of {REPEATS} calls in turn\n{conditions()}")
    with tempfile.TemporaryDirectory() as folder:
        measure("tiny network", tiny(folder))
    measure("EfficientNet-Lite0", artifact())
