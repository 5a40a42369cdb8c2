"""Measures, on this machine's CPU, in which way each convolution of a program is fastest."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from tqdm.auto import tqdm

from e2e_jax.compiler import compiler_options
from e2e_jax.lowering.choose import Choices
from e2e_jax.lowering.convolution import Convolution
from e2e_jax.lowering.lower import in_stages
from e2e_jax.lowering.ways import WAYS

ROUNDS = 15  # calls of each way, in turn, after the first


class Measured(NamedTuple):
    """The ways of one convolution.

    Args:
        way: The fastest.
        seconds: Of each way, the median for one image.
    """

    way: str
    seconds: dict[str, float]


def tune(
    function: Callable[..., Any], parameters: Sequence[Any], *inputs: Any, progress: bool = True
) -> dict[Convolution, Measured]:
    """Measures the convolutions of a function of parameters and images.

    Args:
        function: Called as ``function(parameters, *inputs)``.
        parameters: Arrays, or their shapes and dtypes.
        inputs: Likewise; extents may be symbolic.
        progress: Show a bar where it takes over a second.

    Returns:
        Each convolution there is a choice for, with what was measured in float32.

    Example:
        >>> kernel, image = np.ones((1, 1, 8, 8), np.float32), np.ones((1, 8, 8, 8), np.float32)
        >>> layout = ("NHWC", "HWIO", "NHWC")
        >>> conv = functools.partial(jax.lax.conv_general_dilated, dimension_numbers=layout)
        >>> layer = lambda params, x: conv(x, params[0], (1, 1), "SAME")
        >>> [found] = tune(layer, [kernel], image, progress=False).values()
        >>> sorted(found.seconds)
        ['native', 'patches']
    """
    choices = Choices()
    in_stages(function, parameters, *inputs, choices=choices)
    ways = {c: [name for name, way in WAYS.items() if way.fits(c)] for c in choices.made}
    bar = tqdm(ways.items(), disable=not progress, delay=1.0, leave=False, unit="convolution")
    return {convolution: _measured(convolution, names) for convolution, names in bar if len(names) > 1}


def _measured(convolution: Convolution, names: Sequence[str]) -> Measured:
    runs = {name: _compiled(convolution, name) for name in names}
    rounds = [{name: _seconds(run) for name, run in runs.items()} for _ in range(ROUNDS)]
    medians = {name: float(np.median([taken[name] for taken in rounds])) for name in names}
    return Measured(min(medians, key=medians.__getitem__), medians)


def _compiled(convolution: Convolution, name: str) -> Callable[[], Any]:
    """One way on random numbers, ready to run."""
    rng, way = np.random.default_rng(0), WAYS[name]
    image = (1, *convolution.extents, convolution.inputs)
    window = (*convolution.kernel, convolution.inputs // convolution.groups, convolution.outputs)
    x, kernel = (jax.numpy.asarray(rng.standard_normal(shape, np.float32)) for shape in (image, window))
    prepared = way.prepare(kernel, "float32")
    run = jax.jit(
        lambda x, prepared: way.run(x, prepared, convolution, "float32"), compiler_options=compiler_options()
    )
    run(x, prepared).block_until_ready()
    return functools.partial(run, x, prepared)


def _seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run().block_until_ready()
    return time.perf_counter() - start
