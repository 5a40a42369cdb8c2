"""Runs a jaxpr equation by equation, and what it may do better it does better."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.extend import core

from e2e_jax.lowering import pooling
from e2e_jax.lowering.choose import Choices
from e2e_jax.lowering.constants import Constant
from e2e_jax.lowering.convolution import asks_float32, described
from e2e_jax.lowering.evaluate import bind, literal, shape_of
from e2e_jax.lowering.layers import Waiting, convolution_layer, dense_layer
from e2e_jax.lowering.scaled import Scaled

#: Equations that only hold another jaxpr, by the name of its parameter. Custom derivatives are left whole.
INLINED = {"jit": "jaxpr", "closed_call": "call_jaxpr", "remat2": "jaxpr", "checkpoint": "jaxpr"}

#: Equations that a layer before them can do in its weights.
FOLDED = {"mul", "div", "add", "sub"}


class Interpreter:
    """One walk through a program.

    Args:
        choices: The way for each convolution.
    """

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.rules: dict[str, Callable[[core.JaxprEqn, list[Any]], Any]] = {
            "conv_general_dilated": self._convolution,
            "dot_general": self._dense,
            "reduce_window_max": self._pool,
            "mul": self._multiply,
            "div": self._divide,
            "add": self._add,
            "sub": self._subtract,
            "convert_element_type": self._convert,
        }

    def run(self, closed: core.ClosedJaxpr, arguments: Sequence[Any]) -> list[Any]:
        """The outputs, each an array, a `Constant`, a `Scaled` or a `Waiting`; arguments likewise."""
        jaxpr = closed.jaxpr
        values: dict[Any, Any] = dict(zip(jaxpr.constvars, map(Constant.of, closed.consts), strict=True))
        uses = Counter(v for e in jaxpr.eqns for v in e.invars if isinstance(v, core.Var))
        uses.update(v for v in jaxpr.outvars if isinstance(v, core.Var))
        for variable, value in zip(jaxpr.invars, arguments, strict=True):
            values[variable] = value if uses[variable] == 1 else settled(value)
        for equation in jaxpr.eqns:
            read = [_read(values, v) for v in equation.invars]
            for variable, value in zip(equation.outvars, self._equation(equation, read), strict=True):
                values[variable] = value if uses[variable] == 1 else settled(value)
        return [_read(values, v) for v in jaxpr.outvars]

    def _equation(self, equation: core.JaxprEqn, read: list[Any]) -> list[Any]:
        name = equation.primitive.name
        if name in INLINED:
            inner = equation.params[INLINED[name]]
            inner = inner if isinstance(inner, core.ClosedJaxpr) else core.ClosedJaxpr(inner, ())
            return self.run(inner, read)
        read = read if name in FOLDED else [settled(value) for value in read]
        if name in self.rules and (better := self.rules[name](equation, read)) is not None:
            return [better]
        return _bind(equation, [settled(value) for value in read])

    def _convolution(self, equation: core.JaxprEqn, read: list[Any]) -> Any:
        x, kernel = read
        array = plain(x)
        convolution = described(array, plain(kernel), equation.params)
        if convolution is None:
            return None
        constant = isinstance(kernel, Constant)
        layer = functools.partial(
            convolution_layer,
            convolution=convolution,
            choices=self.choices,
            constant=constant,
            exactness=equation.params["precision"],
        )
        if not constant:
            return layer(array)(plain(kernel))
        unpadded = not any(before or after for before, after in convolution.padding)
        if isinstance(x, Scaled) and unpadded and convolution.groups == 1:
            weights, shift = x.into(kernel.value)
            return Waiting(layer(x.source), weights, shift=shift)
        return Waiting(layer(array), kernel.value)

    def _dense(self, equation: core.JaxprEqn, read: list[Any]) -> Any:
        x, kernel = read
        dimensions, exactness = equation.params["dimension_numbers"], equation.params["precision"]
        array = plain(x)
        floats = array.dtype == plain(kernel).dtype == jnp.float32 and asks_float32(equation.params)
        if not isinstance(kernel, Constant) or isinstance(x, Constant) or not floats:
            return None
        if dimensions != (((array.ndim - 1,), (0,)), ((), ())) or kernel.value.ndim != 2:
            return None
        if isinstance(x, Scaled):
            weights, shift = x.into(kernel.value)
            return Waiting(dense_layer(x.source, dimensions, self.choices, exactness), weights, shift=shift)
        return Waiting(dense_layer(array, dimensions, self.choices, exactness), kernel.value)

    def _pool(self, equation: core.JaxprEqn, read: list[Any]) -> Any:
        return pooling.maximum(plain(read[0]), equation.params)

    def _multiply(self, equation: core.JaxprEqn, read: list[Any]) -> Any:
        for place in (0, 1):
            if (factor := _per_channel(equation, read, place)) is not None:
                return _times(equation, read, read[place], factor)
        return None

    def _divide(self, equation: core.JaxprEqn, read: list[Any]) -> Any:
        divisor = _per_channel(equation, read, 0)
        if divisor is None:
            return None
        return _times(equation, read, read[0], 1 / divisor)

    def _add(self, equation: core.JaxprEqn, read: list[Any]) -> Any:
        for place in (0, 1):
            if (term := _per_channel(equation, read, place)) is not None:
                return _plus(equation, read, read[place], term)
        return None

    def _subtract(self, equation: core.JaxprEqn, read: list[Any]) -> Any:
        term = _per_channel(equation, read, 0)
        return None if term is None else _plus(equation, read, read[0], -term)

    def _convert(self, equation: core.JaxprEqn, read: list[Any]) -> Any:
        """A scaled value keeps its origin in a wider or narrower float."""
        (value,) = read
        floats = jnp.issubdtype(equation.params["new_dtype"], jnp.floating)
        if not isinstance(value, Scaled) or not floats:
            return None
        (converted,) = _bind(equation, [value.value])
        return Scaled(converted, value.base, value.scale, value.shift)


def _per_channel(equation: core.JaxprEqn, read: list[Any], place: int) -> Any:
    """The constant beside ``read[place]`` as ``(c,)`` or scalar, where that is something it can be folded into."""
    value, other = read[place], read[1 - place]
    if not isinstance(other, Constant) or isinstance(value, Constant) or other.channels is None:
        return None
    if shape_of(equation.invars[place]) != shape_of(equation.outvars[0]):  # the constant has more rows: it repeats
        return None
    array = value.kernel if isinstance(value, Waiting) else plain(value)
    if array.ndim == 0 or np.shape(other.channels) not in ((), (1,), array.shape[-1:]):
        return None
    return other.channels if jnp.issubdtype(array.dtype, jnp.floating) else None


def _times(equation: core.JaxprEqn, read: list[Any], value: Any, factor: Any) -> Any:
    if isinstance(value, Waiting):
        return value.times(factor)
    return _origin(value).times(factor, _bind(equation, [plain(each) for each in read])[0])


def _plus(equation: core.JaxprEqn, read: list[Any], value: Any, term: Any) -> Any:
    if isinstance(value, Waiting):
        return value.plus(term)
    return _origin(value).plus(term, _bind(equation, [plain(each) for each in read])[0])


def _origin(value: Any) -> Scaled:
    return value if isinstance(value, Scaled) else Scaled(value, value, np.float32(1), np.float32(0))


def plain(value: Any) -> Any:
    """The array itself."""
    if isinstance(value, Waiting):
        return value.compute()
    return value.value if isinstance(value, Constant | Scaled) else value


def settled(value: Any) -> Any:
    """What may be read more than once: nothing waits any more."""
    return value.compute() if isinstance(value, Waiting) else value


def _read(values: dict[Any, Any], variable: Any) -> Any:
    if isinstance(variable, core.Literal):
        return Constant.of(literal(variable))
    return values[variable]


def _bind(equation: core.JaxprEqn, read: list[Any]) -> list[Any]:
    """The equation as it stands; constant where all it reads is."""
    arrays = [plain(value) for value in read]
    if not read or not all(isinstance(value, Constant) for value in read):
        return bind(equation, arrays)
    results = bind(equation, arrays)
    if equation.primitive.name == "broadcast_in_dim":
        return [read[0].spread(results[0], equation.params["broadcast_dimensions"])]
    return [Constant.of(result) for result in results]
