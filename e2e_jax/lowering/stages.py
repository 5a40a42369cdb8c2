"""A program of parameters and inputs in two stages: what depends on the parameters alone, and the rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from jax.extend import core

from e2e_jax.lowering.evaluate import bind, literal, shape_of, width
from e2e_jax.types import Array

REPEATS = "broadcast_in_dim"  # what only repeats a parameter is not worth storing


class Stages(NamedTuple):
    """The two stages.

    Args:
        prepare: From the parameters, a list, to what the second stage takes in their place.
        run: From that list and the inputs, a list, to the outputs, a list.
    """

    prepare: Callable[[Sequence[Array]], list[Array]]
    run: Callable[[Sequence[Array], Sequence[Array]], list[Array]]


def staged(closed: core.ClosedJaxpr, parameters: int) -> Stages:
    """Divides a program.

    Args:
        closed: Its first inputs are the parameters.
        parameters: How many they are.

    Returns:
        Its stages; one after the other they do the same.

    Example:
        >>> import jax
        >>> program = jax.make_jaxpr(lambda w, x: (w * w) + x)(2.0, 3.0)
        >>> first, second = staged(program, 1)
        >>> first([2.0]), second(first([2.0]), [3.0])
        ([Array(4., dtype=float32...)], [Array(7., dtype=float32...)])
    """
    jaxpr = closed.jaxpr
    given, inputs = jaxpr.invars[:parameters], jaxpr.invars[parameters:]
    constants = dict(zip(jaxpr.constvars, closed.consts, strict=True))
    early = _early(jaxpr, given)
    late = [equation for equation in jaxpr.eqns if not early.issuperset(equation.outvars)]
    read = [v for v in dict.fromkeys(_variables(late, jaxpr.outvars)) if v in early]

    def prepare(params: Sequence[Array]) -> list[Array]:
        return _evaluate(jaxpr, constants | dict(zip(given, params, strict=True)), read)

    def run(prepared: Sequence[Array], arguments: Sequence[Array]) -> list[Array]:
        known = dict(zip(read, prepared, strict=True)) | dict(zip(inputs, arguments, strict=True))
        return _evaluate(jaxpr, constants | known, jaxpr.outvars)

    return Stages(prepare, run)


def _early(jaxpr: core.Jaxpr, given: Sequence[Any]) -> set[Any]:
    """The parameters, and what is computed from them and constants alone."""
    early, free = set(given), set(jaxpr.constvars)
    for equation in jaxpr.eqns:
        read = set(_variables([equation], []))
        if read <= free and equation.invars:
            free.update(equation.outvars)
        elif read <= early | free and read & early and not _repeats(equation):
            early.update(equation.outvars)
    return early


def _repeats(equation: core.JaxprEqn) -> bool:
    """Whether it makes something large of something small, or of a size not known yet."""
    made = [n for v in equation.outvars for n in shape_of(v)]
    if not all(isinstance(n, int) for n in made):
        return True
    given = sum(math.prod(shape_of(v)) for v in equation.invars)
    return equation.primitive.name == REPEATS and math.prod(made) > given


def _variables(equations: Iterable[core.JaxprEqn], more: Iterable[Any]) -> list[Any]:
    read = [v for equation in equations for v in equation.invars] + list(more)
    return [v for v in read if isinstance(v, core.Var)]


def _evaluate(jaxpr: core.Jaxpr, known: dict[Any, Any], wanted: Sequence[Any]) -> list[Any]:
    """The wanted variables, by those equations alone that they need."""
    values, needed = dict(known), set(_variables([], wanted)) - known.keys()
    equations = []
    for equation in reversed(jaxpr.eqns):
        if not needed.isdisjoint(equation.outvars):
            equations.append(equation)
            needed.update(v for v in _variables([equation], []) if v not in known)
    with width(jaxpr):
        for equation in reversed(equations):
            results = bind(equation, [_value(values, v) for v in equation.invars])
            values.update(zip(equation.outvars, results, strict=True))
        return [_value(values, v) for v in wanted]


def _value(values: dict[Any, Any], variable: Any) -> Any:
    return literal(variable) if isinstance(variable, core.Literal) else values[variable]
