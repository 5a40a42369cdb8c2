"""ONNX Runtime on the CPU."""

from __future__ import annotations

import numpy as np

from e2e_jax import machine
from e2e_jax.engines.catalog import require
from e2e_jax.engines.onnx_graph import BATCH


class OnnxRuntime:
    """An ONNX graph in ONNX Runtime; a call takes images ``(b, h, w, c)`` and returns logits.

    Args:
        graph: As `onnx_graph.to_onnx` writes it.
        batch: Images in every call, known beforehand so that shapes are; any number if absent.
        threads: Within an operation; all cores this process may use if absent.

    Raises:
        ConfigError: ONNX Runtime is not installed.

    Source:
        onnxruntime.ai, "Thread management" and ``onnxruntime_session_options_config_keys.h``.

    Example:
        >>> from e2e_jax.engines.onnx_graph import to_onnx
        >>> mean = OnnxRuntime(to_onnx(lambda x: x.mean((1, 2)), (8, 8, 3)))
        >>> mean(np.ones((2, 8, 8, 3), np.float32)).tolist()
        [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """

    def __init__(self, graph: bytes, *, batch: int | None = None, threads: int | None = None) -> None:
        require(["onnxruntime"])
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or machine.threads()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors
        # Threads look for work for a while after a call; whoever is measured next would share the cores with them.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        if batch is not None:
            options.add_free_dimension_override_by_name(BATCH, batch)
        self.session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self.run(x)[0]

    def run(self, x: np.ndarray) -> list[np.ndarray]:
        """All outputs of the graph."""
        return [np.asarray(output) for output in self.session.run(None, {self.input: x})]
