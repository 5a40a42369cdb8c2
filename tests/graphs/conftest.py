"""A transform's ONNX form in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest

from e2e_jax.graphs.graph import Graph, Port
from e2e_jax.graphs.picture import Picture


def session_of(graph: Graph, inputs: list[Port], outputs: list[Port]) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    content = graph.model(inputs, outputs, name="test")
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def form_of(step: Any, *, channels: int = 3, dtype: str = "uint8") -> Callable[[np.ndarray], np.ndarray]:
    """A step's own ONNX form as a function of one image or a batch of any size."""
    graph = Graph()
    result = step.as_onnx(Picture.of(graph, "images", channels=channels, dtype=dtype))
    if result.name == "images":
        result.graph.named("images", "same")
        result = Picture(graph, "same", result.height, result.width, channels, dtype)
    session = session_of(graph, [Port("images", dtype, ["b", "h", "w", channels])], [result.port()])

    def run(images: np.ndarray) -> np.ndarray:
        if images.ndim == 3:
            return run(images[None])[0]
        (found,) = session.run(None, {"images": images})
        return found

    return run


@pytest.fixture(scope="session")
def in_onnx() -> Callable[..., Callable[[np.ndarray], np.ndarray]]:
    return form_of


@pytest.fixture(scope="session")
def opened() -> Callable[..., onnxruntime.InferenceSession]:
    return session_of
