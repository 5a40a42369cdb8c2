"""Numbers inside an ONNX graph, written like NumPy's, so that the rules for sizes of `e2e_jax.ops` serve there."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from e2e_jax.graphs.graph import Graph


@dataclasses.dataclass(frozen=True, eq=False)
class Numbers:
    """A row ``(n,)`` of numbers in a graph; a size is a row of one.

    Division, remainder and shifts are Python's: they round down.

    Args:
        graph: They live in.
        name: There.
        dtype: ``"int64"``, ``"float64"``, ``"float32"`` or ``"bool"``.

    Example:
        >>> graph = Graph()
        >>> half = (Numbers(graph, "height", "int64") - 224) >> 1
        >>> [node[0] for node in graph.nodes], half.dtype
        (['Sub', 'Mod', 'Sub', 'Div'], 'int64')
    """

    graph: Graph
    name: str
    dtype: str = "int64"

    def of(self, value: Any) -> Numbers:
        """A plain number beside these: whole among whole ones, else of their dtype."""
        if isinstance(value, Numbers):
            return value if value.dtype == self.dtype else value.astype(self.dtype)
        return Numbers(self.graph, self.graph.constant([value], self.dtype), self.dtype)

    def astype(self, dtype: Any) -> Numbers:
        """Of another dtype; floats are cut off."""
        name = np.dtype(dtype).name
        return self if name == self.dtype else Numbers(self.graph, self.graph.cast(self.name, name), name)

    def apply(self, operation: str, *others: Any, dtype: str | None = None, **attributes: Any) -> Numbers:
        """One ONNX operation on these and others."""
        names = [self.of(other).name for other in others]
        return Numbers(self.graph, self.graph.add(operation, self.name, *names, **attributes), dtype or self.dtype)

    def _wide(self, other: Any) -> Numbers:
        """As floats where the other number is one."""
        floats = isinstance(other, float) or (isinstance(other, Numbers) and other.dtype == "float64")
        return self.astype("float64") if floats and self.dtype == "int64" else self

    def __add__(self, other: Any) -> Numbers:
        return self._wide(other).apply("Add", other)

    __radd__ = __add__

    def __mul__(self, other: Any) -> Numbers:
        return self._wide(other).apply("Mul", other)

    __rmul__ = __mul__

    def __sub__(self, other: Any) -> Numbers:
        return self._wide(other).apply("Sub", other)

    def __rsub__(self, other: Any) -> Numbers:
        return self.of(other) - self

    def __neg__(self) -> Numbers:
        return 0 - self

    def __truediv__(self, other: Any) -> Numbers:
        return (self.astype("float64") if self.dtype == "int64" else self).apply("Div", other)

    def __rtruediv__(self, other: Any) -> Numbers:
        return self.astype("float64").of(other) / self

    def __mod__(self, other: Any) -> Numbers:
        return self.apply("Mod", other)

    def __floordiv__(self, other: Any) -> Numbers:
        """ONNX cuts off towards zero, so the remainder, which has the divisor's sign, is taken away before."""
        return (self - self % other).apply("Div", other)

    def __rfloordiv__(self, other: Any) -> Numbers:
        return self.of(other) // self

    def __rshift__(self, bits: int) -> Numbers:
        return self // (1 << bits)

    def __gt__(self, other: Any) -> Numbers:
        return self._wide(other).apply("Greater", other, dtype="bool")

    def __lt__(self, other: Any) -> Numbers:
        return self._wide(other).apply("Less", other, dtype="bool")

    def __ge__(self, other: Any) -> Numbers:
        return self._wide(other).apply("GreaterOrEqual", other, dtype="bool")


type Size = int | Numbers  # pixels, known or in the graph


class Arithmetic:
    """What the rules of `e2e_jax.ops` ask of NumPy or JAX, for `Numbers` or plain numbers: a module of functions.

    Args:
        graph: To compute in.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def row(self, value: Any, dtype: str = "int64") -> Numbers:
        """A number that is in the graph in any case."""
        if isinstance(value, Numbers):
            return value
        kind = "float64" if isinstance(value, float) else dtype
        return Numbers(self.graph, self.graph.constant([value], kind), kind)

    def where(self, condition: Numbers, one: Any, other: Any) -> Numbers:
        """One or the other, as floats if either is."""
        pair = [self.row(one), self.row(other)]
        kind = "float64" if any(n.dtype == "float64" for n in pair) else "int64"
        first, second = (n.astype(kind) for n in pair)
        return Numbers(self.graph, self.graph.add("Where", condition.name, first.name, second.name), kind)

    def minimum(self, one: Any, other: Any) -> Any:
        """The smaller; plain for plain numbers."""
        return self._extreme("Min", min, one, other)

    def maximum(self, one: Any, other: Any) -> Any:
        """The larger; plain for plain numbers."""
        return self._extreme("Max", max, one, other)

    def _extreme(self, operation: str, plain: Any, one: Any, other: Any) -> Any:
        if not isinstance(one, Numbers) and not isinstance(other, Numbers):
            return plain(one, other)
        first, second = (one, other) if isinstance(one, Numbers) else (other, one)
        return first._wide(second).apply(operation, second)

    def clip(self, values: Any, low: Any, high: Any) -> Any:
        """Between two numbers."""
        return self.minimum(self.maximum(values, low), high)

    def round(self, values: Any) -> Any:
        """Half to even."""
        return values.apply("Round")

    def floor(self, values: Any) -> Any:
        """The next whole number below."""
        return values.apply("Floor")

    def arange(self, start: Size, stop: Size) -> Numbers:
        """``(stop - start,)`` whole numbers one after the other."""
        ends = [self.graph.add("Squeeze", self.row(n).name) for n in (start, stop)]
        return Numbers(self.graph, self.graph.add("Range", *ends, self.graph.constant(1, "int64")))

    def together(self, *sizes: Size) -> str:
        """The name of a row of sizes, a constant where all are known."""
        if all(isinstance(size, int) for size in sizes):
            return self.graph.constant(sizes, "int64")
        return self.graph.add("Concat", *(self.row(size).name for size in sizes), axis=0)
