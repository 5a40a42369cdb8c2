"""The largest of each window, as the largest of shifted images."""

from __future__ import annotations

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from e2e_jax.lowering.convolution import Convolution
from e2e_jax.lowering.taps import windows
from e2e_jax.types import Array

#: Elements of a window up to which shifting wins: 3 x 3 on 112 x 112 x 64 takes 0.55 ms, XLA's own 1.08 ms.
WINDOW = 25


def maximum(x: Array, params: dict[str, Any]) -> jax.Array | None:
    """What ``reduce_window_max`` gives for floats ``(b, …, c)``, or ``None`` where there is no rule for it.

    Args:
        x: The image.
        params: Of the equation.
    """
    window = _window(x, params)
    if window is None:
        return None

    def here(x: Array) -> jax.Array:
        return functools.reduce(jnp.maximum, (tap for _, tap in windows(x, window, -jnp.inf)))

    def elsewhere(x: Array) -> jax.Array:
        return lax.reduce_window_max_p.bind(x, **params)

    @jax.custom_jvp
    def largest(x: Array) -> jax.Array:
        return lax.platform_dependent(x, cpu=here, default=elsewhere)

    @largest.defjvp
    def _(primals: Any, tangents: Any) -> Any:  # of equals, XLA's own takes the first; `maximum` takes half of each
        return jax.jvp(elsewhere, primals, tangents)

    return largest(x)


def _window(x: Array, params: dict[str, Any]) -> Convolution | None:
    """The window as that of a convolution that leaves every channel alone."""
    extents = x.shape[1:-1]
    static = all(isinstance(n, int) for n in extents) and x.ndim > 2
    ends = (0, -1)  # the batch and the channels
    alone = all(params["window_dimensions"][i] == params["window_strides"][i] == 1 for i in ends)
    untouched = all(params["padding"][i] == (0, 0) for i in ends) and set(params["base_dilation"]) == {1}
    if not (static and alone and untouched and jnp.issubdtype(x.dtype, jnp.floating)):
        return None
    inner = slice(1, -1)
    window = Convolution(
        extents=tuple(extents),
        kernel=tuple(params["window_dimensions"][inner]),
        strides=tuple(params["window_strides"][inner]),
        padding=tuple(params["padding"][inner]),
        dilation=tuple(params["window_dilation"][inner]),
        inputs=x.shape[-1],
        outputs=x.shape[-1],
        groups=x.shape[-1],
    )
    small = math.prod(window.kernel) <= WINDOW
    return window if small and 0 not in window.result else None
