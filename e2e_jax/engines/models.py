"""Serialised ONNX models: read, joined end to end, and told what they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def opened(content: bytes) -> Any:
    """The ``ModelProto``."""
    import onnx

    return onnx.load_from_string(content)


def versions(content: bytes) -> tuple[int, int]:
    """Of a model's operations, and of its format."""
    model = opened(content)
    return model.opset_import[0].version, model.ir_version


def joined(first: bytes, second: bytes, name: str) -> bytes:
    """One model of two with the same `versions`: the output of the first is the input ``name`` of the second.

    Example:
        >>> from e2e_jax.engines.onnx_graph import to_onnx
        >>> half = to_onnx(lambda x: x / 2, (3,), input_name="photo", output_names=["x"])
        >>> [node.op_type for node in opened(joined(half, to_onnx(lambda x: x.sum(1), (3,)), "x")).graph.node]
        ['Div', 'ReduceSum']
    """
    import onnx

    apart = onnx.compose.add_prefix(opened(second), "network/", rename_inputs=False, rename_outputs=False)
    whole = onnx.compose.merge_models(opened(first), apart, io_map=[(name, name)], name="model")
    del whole.opset_import[1:]  # it names the same one twice
    return bytes(whole.SerializeToString())


def described(content: bytes, known: Mapping[str, Any]) -> bytes:
    """The model with facts as JSON in its ``metadata_props``, where every engine shows them."""
    import onnx

    model = opened(content)
    onnx.helper.set_model_props(model, {key: json.dumps(value) for key, value in known.items()})
    return bytes(model.SerializeToString())
