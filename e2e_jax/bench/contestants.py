"""Who takes part: the same work as one program, as separate steps, and in other engines."""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from e2e_jax import machine
from e2e_jax.artifact.export import export
from e2e_jax.bench.work import Work
from e2e_jax.engines import catalog
from e2e_jax.engines.onnx_graph import to_onnx
from e2e_jax.engines.onnxruntime import OnnxRuntime
from e2e_jax.engines.openvino import OpenVINO
from e2e_jax.loading import load
from e2e_jax.lowering.product import PRECISIONS

FLOWS = SEPARATE, END_TO_END, NETWORK_ONLY = "separate", "end to end", "network only"
BASELINE = ("JAX", SEPARATE)  # engine and flow that gains refer to
ANY = 1.0  # difference that an export allows: the contestants' answers are compared before anything is timed
VERSION = importlib.metadata.version("e2e_jax")

type Ours = Callable[[Work, Path], Iterator[Contestant]]


@dataclasses.dataclass(frozen=True)
class Contestant:
    """One way of doing the work.

    Args:
        engine: That runs the network.
        version: Of the engine.
        flow: ``"separate"``, each transform a call by hand, then the network; ``"end to end"``, photos to answer
            in one program; ``"network only"``, given what the transforms leave.
        precision: Of the arithmetic.
        run: From photos ``(b, h, w, 3)`` uint8, or from the network's input, to the answer.
        load: Seconds from a file or graph in memory to something to call; ``None`` where there is no such step.
        device: Kind of device that runs it.
        language: That calls it.
    """

    engine: str
    version: str
    flow: str
    precision: str
    run: Callable[[np.ndarray], Any]
    load: float | None = None
    device: str = "cpu"
    language: str = "Python"

    @property
    def name(self) -> str:
        """What tells it from the others."""
        return f"{self.language} {self.engine} {self.precision} {self.flow}"

    @property
    def is_baseline(self) -> bool:
        """Whether gains refer to it."""
        return (self.engine, self.flow) == BASELINE


def field(
    work: Work, batch: int, engines: Sequence[str], folder: Path, ours: Ours | None = None
) -> Iterator[Contestant]:
    """Prepares the contestants one by one; each graph and artifact is made once and kept in ``folder``.

    Args:
        work: To do.
        batch: Photos in every call.
        engines: Keys of `catalog.ENGINES` that take part beside JAX.
        folder: For what is made on the way.
        ours: Makes the contestants of this project; `artifacts` if absent.

    Raises:
        ConfigError: An engine is not installed, or the network does not convert.
    """
    yield from in_jax(work, work.network_as_is, "JAX", jax.__version__, "float32")
    yield from (ours or artifacts)(work, folder)
    if engines:
        graph = _graph(work, folder)
    if "onnxruntime" in engines:
        yield from _in_engine(work, "onnxruntime", "float32", lambda: OnnxRuntime(graph, batch=batch))
    if "openvino" in engines:
        for precision in precisions():
            make = _openvino(graph, batch, precision)
            yield from _in_engine(work, "openvino", precision, make)


def in_jax(
    work: Work, network: Callable[[Any], Any], engine: str, version: str, precision: str, compile: Any = jax.jit
) -> Iterator[Contestant]:
    """A network in JAX: behind transforms by hand, behind ours, alone.

    Args:
        work: It is part of.
        network: From ``x`` to logits, traceable.
        engine: Name to give it.
        version: Of that.
        precision: Of the arithmetic.
        compile: Makes a traceable function fast.
    """
    flows = _flows(work, compile(lambda x: work.answer(network(x))))
    flows[END_TO_END] = compile(lambda photos: work.answer(network(work.preprocess(photos))))
    for flow in FLOWS:
        yield Contestant(engine, version, flow, precision, flows[flow], device=jax.default_backend())


def artifacts(work: Work, folder: Path) -> Iterator[Contestant]:
    """The exported file, in each precision; it is exported once."""
    for precision in precisions():
        path = folder / f"{precision}.e2e"
        if not path.exists():
            export(work.model, path, precision=precision, max_difference=ANY, progress=False)
        predictor, seconds = _loaded(functools.partial(load, path))
        dense = predictor._runner.dense  # `predict` would fill a batch of 25 up to 32
        yield Contestant("e2e_jax", VERSION, END_TO_END, precision, dense, seconds, jax.default_backend())


def precisions() -> tuple[str, ...]:
    """Those whose products this processor computes in hardware."""
    return PRECISIONS if machine.has_bfloat16() else PRECISIONS[:1]


def _loaded[T](make: Callable[[], T]) -> tuple[T, float]:
    """What something makes, and the seconds that takes."""
    start = time.perf_counter()
    made = make()
    return made, time.perf_counter() - start


def _in_engine(work: Work, name: str, precision: str, make: Callable[[], Any]) -> Iterator[Contestant]:
    engine, seconds = _loaded(make)
    title, version = catalog.ENGINES[name].title, catalog.version(name)
    for flow, run in _flows(work, engine).items():
        yield Contestant(title, version, flow, precision, _finishing(work.finish_by_hand, run), seconds)


def _openvino(graph: bytes, batch: int, precision: str) -> Callable[[], OpenVINO]:
    return lambda: OpenVINO(graph, batch=batch, precision=precision)


def _flows(work: Work, network: Callable[[np.ndarray], Any]) -> dict[str, Callable[[np.ndarray], Any]]:
    return {SEPARATE: lambda photos: network(work.by_hand(photos)), NETWORK_ONLY: network}


def _finishing(
    finish: Callable[[np.ndarray], Any] | None, run: Callable[[np.ndarray], Any]
) -> Callable[[np.ndarray], Any]:
    """An engine's logits and what follows, in NumPy."""
    return run if finish is None else lambda x: finish(run(x))


def _graph(work: Work, folder: Path) -> bytes:
    path = folder / "network.onnx"
    if not path.exists():
        path.write_bytes(to_onnx(work.network_as_is, work.input))
    return path.read_bytes()
