"""What a program consists of, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import jax
from jax.extend import core


def every(jaxpr: core.Jaxpr) -> Iterator[core.JaxprEqn]:
    """Its equations and those inside them."""
    for equation in jaxpr.eqns:
        yield equation
        for inner in core.jaxprs_in_params(equation.params):
            yield from every(inner)


def counted(function: Any, *args: Any, size: int = 0) -> Counter[str]:
    """How often each operation is done on results of at least so many elements, calls and branches included."""
    program = jax.make_jaxpr(function)(*args)
    found = (e.primitive.name for e in every(program.jaxpr) if any(v.aval.size >= size for v in e.outvars))
    return Counter(found)
