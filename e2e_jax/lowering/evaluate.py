"""Equations of a jaxpr done again, one at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.extend import core

WIDE = 8  # bytes of the numbers that JAX narrows unless told not to


def bind(equation: core.JaxprEqn, arrays: Sequence[Any]) -> list[Any]:
    """The results of one equation for other inputs."""
    params = equation.primitive.get_bind_params(equation.params)
    with equation.ctx.manager:
        results = equation.primitive.bind(*arrays, **params)
    return list(results) if equation.primitive.multiple_results else [results]


def literal(variable: core.Literal) -> np.ndarray:
    """Its value, in its own dtype."""
    aval: Any = variable.aval
    return np.asarray(variable.val, aval.dtype)


def shape_of(variable: Any) -> tuple[Any, ...]:
    """Extents of a variable or literal; some may be symbolic."""
    return tuple(variable.aval.shape)


def width(jaxpr: core.Jaxpr) -> Any:
    """A context in which 64-bit equations stay so, where there are any."""
    values: list[Any] = [v.aval for equation in jaxpr.eqns for v in (*equation.invars, *equation.outvars)]
    inner = [each for equation in jaxpr.eqns for each in core.jaxprs_in_params(equation.params)]
    wide = any(_is_wide(getattr(aval, "dtype", None)) for aval in values)
    if wide or any(not isinstance(width(each), contextlib.nullcontext) for each in inner):
        return jax.enable_x64(True)
    return contextlib.nullcontext()


def _is_wide(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind in "iuf" and dtype.itemsize == WIDE
