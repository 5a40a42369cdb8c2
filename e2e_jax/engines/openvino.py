"""OpenVINO on the CPU."""

from __future__ import annotations

import contextlib
import ctypes
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from e2e_jax import machine
from e2e_jax.engines.catalog import require
from e2e_jax.transforms.check import one_of

PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}  # ours, and OpenVINO's INFERENCE_PRECISION_HINT


class OpenVINO:
    """An ONNX graph in OpenVINO; a call takes images ``(b, h, w, c)`` and returns logits.

    Args:
        graph: As `onnx_graph.to_onnx` writes it.
        batch: Images in every call, known beforehand so that shapes are; any number if absent.
        threads: All cores this process may use if absent.
        precision: ``"float32"`` or ``"bfloat16"``, of its arithmetic; images and logits are float32.

    Raises:
        ConfigError: OpenVINO is not installed, or the precision is unknown.

    Source:
        docs.openvino.ai, "Performance hints" and ``openvino.properties.hint``.

    Example:
        >>> from e2e_jax.engines.onnx_graph import to_onnx
        >>> mean = OpenVINO(to_onnx(lambda x: x.mean((1, 2)), (8, 8, 3)))
        >>> mean(np.ones((2, 8, 8, 3), np.float32)).tolist()
        [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """

    def __init__(
        self,
        graph: bytes,
        *,
        batch: int | None = None,
        threads: int | None = None,
        precision: str = "float32",
    ) -> None:
        require(["openvino"])
        one_of("OpenVINO", "precision", precision, tuple(PRECISIONS))
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads or machine.threads(),
            "INFERENCE_PRECISION_HINT": PRECISIONS[precision],
        }
        with _kept_signal_stack():
            core = _openvino().Core()
            model = core.read_model(graph)
            if batch is not None:
                rest = model.inputs[0].get_partial_shape()[1:]
                model.reshape([batch, *(size.get_length() for size in rest)])
            self.compiled = core.compile_model(model, "CPU", options)
        self._own = threading.local()  # a request serves one thread at a time

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self.run(x)[0]

    def run(self, x: np.ndarray) -> list[np.ndarray]:
        """All outputs of the graph."""
        if not hasattr(self._own, "request"):
            self._own.request = self.compiled.create_infer_request()
        found = self._own.request.infer([x])
        return [np.array(found[output]) for output in self.compiled.outputs]


class _SignalStack(ctypes.Structure):
    """``stack_t`` of Linux."""

    _fields_ = (("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


@contextlib.contextmanager
def _kept_signal_stack() -> Iterator[None]:
    """Keeps this thread's stack for signals.

    OpenVINO 2026.4 sets its own. Two models that end in the order they were made leave the thread with one that has
    been freed, and the next Ctrl-C kills the process.
    """
    if sys.platform != "linux":
        yield
        return
    libc, before = ctypes.CDLL(None), _SignalStack()
    libc.sigaltstack(None, ctypes.byref(before))
    try:
        yield
    finally:
        libc.sigaltstack(ctypes.byref(before), None)


def _openvino() -> Any:
    """The package without its telemetry, which would fork this process and report the import to its makers."""
    absent = "openvino_telemetry" not in sys.modules
    if absent:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # an import of it fails, which OpenVINO foresees
    try:
        import openvino
    finally:
        if absent:
            del sys.modules["openvino_telemetry"]
    return openvino
