"""ONNX models that share one file of weights, and models with their weights inside again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from e2e_jax.engines.models import opened
from e2e_jax.errors import ArtifactError

LOCATION = "weights.bin"  # beside the models
ALIGNMENT = 4096  # bytes, so that weights can be mapped into memory: onnx.proto, TensorProto.external_data
SMALLEST = 1024  # bytes; smaller tensors stay in the model, where shapes can be inferred from them
FLOATING = (1, 10, 11, 16)  # TensorProto.DataType: float, float16, double, bfloat16


def shared(contents: Mapping[str, bytes]) -> tuple[dict[str, bytes], bytes]:
    """Moves the large parameters of several models to one file, equal ones once.

    Args:
        contents: Name to serialised model.

    Returns:
        The same, and the file they refer to as `LOCATION`.

    Example:
        >>> import numpy as np
        >>> from e2e_jax.engines.onnx_graph import to_onnx
        >>> graph = to_onnx(lambda x: x @ np.ones((20, 20), np.float32), (20,))
        >>> models, weights = shared({"one": graph, "other": graph})
        >>> len(weights), len(models["one"]) < len(graph), inlined(models["one"], weights) == graph
        (1600, True, True)
    """
    models = {name: opened(content) for name, content in contents.items()}
    weights = bytearray()
    places: dict[bytes, int] = {}
    for model in models.values():
        for tensor in _tensors(model.graph):
            content = bytes(tensor.raw_data)
            if tensor.data_type in FLOATING and len(content) >= SMALLEST:
                if content not in places:
                    weights += bytes(-len(weights) % ALIGNMENT)
                    places[content] = len(weights)
                    weights += content
                _refer(tensor, places[content], len(content))
    return {name: model.SerializeToString() for name, model in models.items()}, bytes(weights)


def _refer(tensor: Any, offset: int, length: int) -> None:
    import onnx

    onnx.external_data_helper.set_external_data(tensor, LOCATION, offset=offset, length=length)
    tensor.ClearField("raw_data")


def inlined(content: bytes, weights: bytes) -> bytes:
    """A serialised model with its weights inside, so that an engine opens no file.

    Args:
        content: Of the model.
        weights: Of the file it refers to as `LOCATION`.

    Raises:
        ArtifactError: It is no ONNX model, or refers to another file or beyond the end of this one.
    """
    import onnx

    try:
        model = opened(content)
    except Exception as error:  # protobuf meets foreign bytes with errors of its own
        raise _unreadable(f"no ONNX model ({str(error)[:100]})") from error
    for tensor in _tensors(model.graph):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            tensor.raw_data = _part(tensor, weights)
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
    return bytes(model.SerializeToString())


def _part(tensor: Any, weights: bytes) -> bytes:
    said = {entry.key: entry.value for entry in tensor.external_data}
    offset, length = (int(said[key]) if said.get(key, "").isdecimal() else -1 for key in ("offset", "length"))
    if said.get("location") != LOCATION or offset < 0 or length < 0 or offset + length > len(weights):
        raise _unreadable(f"weights of {tensor.name!r} that are not in the artifact")
    return weights[offset : offset + length]


def _unreadable(found: str) -> ArtifactError:
    return ArtifactError("load: the ONNX programs must be whole.", found, "export the artifact again.")


def _tensors(graph: Any) -> Iterator[Any]:
    """All of a graph and of the graphs inside its nodes."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from [attribute.t] if attribute.HasField("t") else []
            yield from attribute.tensors
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from _tensors(inner)
