"""A batch of images of one size inside an ONNX graph."""

from __future__ import annotations

import dataclasses
from typing import Any

from e2e_jax.errors import ConfigError
from e2e_jax.graphs.graph import Graph, Port
from e2e_jax.graphs.numbers import Arithmetic, Numbers, Size

ROWS, COLS, CHANNELS = 1, 2, 3  # axes of (n, h, w, c)
WAY_OUT = 'onnx="network" exports the network alone; or write the method as_onnx of a transform of your own.'


@dataclasses.dataclass(frozen=True)
class Picture:
    """Images ``(n, h, w, c)`` in a graph.

    Args:
        graph: They live in.
        name: There.
        height: Pixels, an int where it is known.
        width: Likewise.
        channels: How many.
        dtype: NumPy name.
        layout: ``"HWC"``, or ``"CHW"`` once the channels are first.

    Example:
        >>> picture = Picture.of(Graph(), "images", channels=3, dtype="uint8")
        >>> picture.dtype, picture.graph.nodes[0][0]
        ('uint8', 'Shape')
    """

    graph: Graph
    name: str
    height: Size
    width: Size
    channels: int
    dtype: str
    layout: str = "HWC"

    @classmethod
    def of(cls, graph: Graph, name: str, *, channels: int, dtype: str) -> Picture:
        """An input of a graph, of any size."""
        height, width = (
            Numbers(graph, graph.add("Shape", name, start=axis, end=axis + 1)) for axis in (ROWS, COLS)
        )
        return cls(graph, name, height, width, channels, dtype)

    @property
    def is_bytes(self) -> bool:
        """Whether values are levels 0..255."""
        return self.dtype == "uint8"

    @property
    def xp(self) -> Arithmetic:
        """To compute sizes with."""
        return Arithmetic(self.graph)

    def apply(self, operation: str, *others: str, dtype: str | None = None, **attributes: Any) -> Picture:
        """One ONNX operation that keeps the shape."""
        name = self.graph.add(operation, self.name, *others, **attributes)
        return dataclasses.replace(self, name=name, dtype=dtype or self.dtype)

    def astype(self, dtype: str) -> Picture:
        """Of another element type, nothing rounded or cut."""
        if dtype == self.dtype:
            return self
        return dataclasses.replace(self, name=self.graph.cast(self.name, dtype), dtype=dtype)

    def constant(self, values: Any) -> str:
        """The name of a constant of the picture's dtype."""
        return self.graph.constant(values, self.dtype)

    def with_size(self, height: Size, width: Size, name: str | None = None) -> Picture:
        """Of another size, and perhaps under another name."""
        return dataclasses.replace(self, name=name or self.name, height=height, width=width)

    def port(self) -> Port:
        """As an output of the graph."""
        sides = [n if isinstance(n, int) else free for n, free in ((self.height, "h"), (self.width, "w"))]
        shape = [self.channels, *sides] if self.layout == "CHW" else [*sides, self.channels]
        return Port(self.name, self.dtype, ["b", *shape])


def no_form(step: str, found: str) -> ConfigError:
    """The error of a transform, or of an argument of one, that ONNX has no operations for."""
    return ConfigError(f"{step}: has no ONNX form.", found, WAY_OUT)
