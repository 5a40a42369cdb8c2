"""An ONNX graph while it is built: nodes and constants, made a model at the end."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from e2e_jax.errors import ConfigError

OPSET = 19  # the first with everything used here; ONNX Runtime reads it from 1.15 on
IR_VERSION = 9  # that of opset 19


@dataclasses.dataclass(frozen=True)
class Port:
    """An input or output of a graph.

    Args:
        name: Of it.
        dtype: NumPy name.
        shape: Of it; strings name free extents.
    """

    name: str
    dtype: str
    shape: Sequence[int | str]


class Graph:
    """Nodes in order, each with one output that has a name.

    Example:
        >>> graph = Graph()
        >>> graph.add("Add", "x", graph.constant([1.0], "float32"))
        'add_1'
    """

    def __init__(self) -> None:
        self.nodes: list[tuple[str, tuple[str, ...], str, dict[str, Any]]] = []
        self.constants: dict[str, np.ndarray] = {}
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def add(self, operation: str, *inputs: str, **attributes: Any) -> str:
        """Appends a node; an input that is left out is an empty string. Returns the name of its output."""
        output = f"{operation.lower()}_{len(self.nodes) + 1}"
        self.nodes.append((operation, inputs, output, attributes))
        return output

    def named(self, name: str, output: str) -> str:
        """The same under a name of its own, for an output of the graph."""
        self.nodes.append(("Identity", (name,), output, {}))
        return output

    def constant(self, values: Any, dtype: str) -> str:
        """The name of a constant; equal ones are stored once."""
        array = np.asarray(values, dtype)
        key = (dtype, array.shape, array.tobytes())
        if key not in self._known:
            self._known[key] = f"constant_{len(self._known) + 1}"
            self.constants[self._known[key]] = array
        return self._known[key]

    def cast(self, name: str, dtype: str) -> str:
        """Of another element type."""
        return self.add("Cast", name, to=element_type(dtype))

    def model(
        self,
        inputs: Sequence[Port],
        outputs: Sequence[Port],
        *,
        name: str,
        versions: tuple[int, int] = (OPSET, IR_VERSION),
    ) -> bytes:
        """The serialised ``ModelProto``.

        Args:
            inputs: Of the graph.
            outputs: Likewise; their names are those that `add` returned.
            name: Of the graph.
            versions: Of the operations and of the format.
        """
        helper = _onnx().helper
        nodes = [helper.make_node(kind, ins, [out], **more) for kind, ins, out, more in self.nodes]
        constants = [_onnx().numpy_helper.from_array(array, n) for n, array in self.constants.items()]
        ends = ([_value_info(port) for port in ports] for ports in (inputs, outputs))
        graph = helper.make_graph(nodes, name, *ends, initializer=constants)
        opset, ir_version = versions
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)
        return bytes(model.SerializeToString())


def element_type(dtype: str) -> int:
    """ONNX's number of an element type.

    Example:
        >>> element_type("uint8")
        2
    """
    return ELEMENT_TYPES[dtype]


#: ``TensorProto.DataType`` of onnx.proto.
ELEMENT_TYPES = {
    "float32": 1,
    "uint8": 2,
    "uint16": 4,
    "int16": 5,
    "int32": 6,
    "int64": 7,
    "bool": 9,
    "float16": 10,
    "float64": 11,
    "bfloat16": 16,
}


def _value_info(port: Port) -> Any:
    return _onnx().helper.make_tensor_value_info(port.name, element_type(port.dtype), list(port.shape))


def _onnx() -> Any:
    try:
        import onnx
    except ImportError as error:
        fix = "pip install 'e2e_jax[onnx]'"
        raise ConfigError("export: onnx must be installed.", str(error), fix) from None
    return onnx
