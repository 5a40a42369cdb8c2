"""The ways there are to compute a convolution on CPU, and what each needs of the kernel beforehand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import lax

from e2e_jax.lowering import native, patches, shifted, winograd
from e2e_jax.lowering.convolution import Convolution
from e2e_jax.types import Array


class Way(NamedTuple):
    """One way.

    Args:
        fits: Whether it computes a convolution.
        prepare: From kernel and precision to what ``run`` takes; the work is worth doing once.
        run: From image, prepared kernel, convolution and precision to the result.
    """

    fits: Callable[[Convolution], bool]
    prepare: Callable[[Array, str], jax.Array]
    run: Callable[[Array, Array, Convolution, str], jax.Array]


WAYS: dict[str, Way] = {
    "native": Way(
        lambda convolution: True,
        lambda kernel, precision: jax.numpy.asarray(kernel),
        lambda x, kernel, convolution, precision: native.convolve(x, kernel, convolution),
    ),
    "shifted": Way(
        lambda convolution: convolution.groups > 1,
        lambda kernel, precision: jax.numpy.asarray(kernel),
        lambda x, kernel, convolution, precision: shifted.convolve(x, kernel, convolution),
    ),
    "patches": Way(lambda convolution: convolution.groups == 1, patches.prepare, patches.convolve),
    "winograd": Way(
        winograd.fits,
        lambda kernel, precision: winograd.prepare(kernel),
        lambda x, matrices, convolution, precision: winograd.convolve(x, matrices, convolution),
    ),
}


def convolve(
    x: Array,
    kernel: Array,
    prepared: Array,
    convolution: Convolution,
    *,
    way: str,
    precision: str,
    exactness: Any = None,
) -> jax.Array:
    """The convolution: in the given way on CPU, as XLA has it everywhere else.

    Args:
        x: ``(b, …, in)`` float32.
        kernel: ``(…, in / groups, out)`` float32.
        prepared: What the way makes of the kernel.
        convolution: What to compute.
        way: A name of `WAYS`.
        precision: ``"float32"`` or ``"bfloat16"``, of the factors of matrix products.
        exactness: `jax.lax.Precision` asked for of other platforms; on CPU float32 is float32.

    Returns:
        ``(b, …, out)`` float32.
    """
    if way == "native":
        return native.convolve(x, kernel, convolution, exactness)

    def here(x: Array, kernel: Array, prepared: Array) -> jax.Array:
        return WAYS[way].run(x, prepared, convolution, precision)

    def elsewhere(x: Array, kernel: Array, prepared: Array) -> jax.Array:
        return native.convolve(x, kernel, convolution, exactness)

    return lax.platform_dependent(x, kernel, prepared, cpu=here, default=elsewhere)
