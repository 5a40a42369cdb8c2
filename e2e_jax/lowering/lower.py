"""lower: a function as before, traced to a program that XLA's CPU compiler is fast at."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
from jax.extend import core

from e2e_jax.errors import ConfigError, E2EError, known_arguments
from e2e_jax.lowering.choose import Choices
from e2e_jax.lowering.constants import Constant
from e2e_jax.lowering.convolution import Convolution
from e2e_jax.lowering.evaluate import width
from e2e_jax.lowering.interpret import Interpreter, plain
from e2e_jax.lowering.product import PRECISIONS
from e2e_jax.lowering.stages import Stages, staged
from e2e_jax.transforms.check import one_of


@known_arguments
def lower(
    function: Callable[..., Any],
    *,
    precision: str = "float32",
    parameters: Sequence[int] = (),
    choices: Mapping[Convolution, str] | None = None,
) -> Callable[..., Any]:
    """Makes a function faster on CPU; wrap it before `jax.jit`, and nothing else changes.

    Constant scales and shifts, such as batch normalisation in evaluation, go into the weights before them.
    Depthwise convolutions become sums of shifted images, 1 x 1 convolutions matrix products, wide 3 x 3 ones
    Winograd's; the others, and every one on other platforms than CPU, stay as they are.

    Args:
        function: Of arrays or trees of arrays. What it closes over, such as an `nnx.Module`, is constant.
        precision: Of the factors of matrix products and of the convolutions computed by them on CPU:
            ``"float32"``, or ``"bfloat16"``, fast on processors that have instructions for it. Sums are float32.
        parameters: Numbers of positional arguments that hold weights, to be folded too. That is then done in each
            call; close over them, or use an artifact, to have it done once.
        choices: The way for convolutions that shall not be computed by rule, from `e2e_jax.lowering.tune.tune`.

    Returns:
        A function with the same signature and results: to 1e-5 of their scale in float32.

    Raises:
        ConfigError: The precision is unknown; or, when called, the function cannot be traced.

    Source:
        The ways: `e2e_jax.lowering.ways`, the rule: `e2e_jax.lowering.choose.by_rule`.

    Example:
        >>> import numpy as np
        >>> from flax import nnx
        >>> conv = nnx.Conv(8, 8, (3, 3), feature_group_count=8, rngs=nnx.Rngs(0))
        >>> fast, plain = jax.jit(lower(conv)), jax.jit(lambda x: conv(x))
        >>> x = np.ones((1, 16, 16, 8), np.float32)
        >>> np.allclose(fast(x), plain(x), atol=1e-5)
        True
    """
    one_of("lower", "precision", precision, PRECISIONS)

    @functools.wraps(function)
    def lowered(*args: Any, **kwargs: Any) -> Any:
        closed, shape = traced(function, *args, **kwargs)
        weights = [isinstance(path[0], int) and path[0] in parameters for path in _paths(args, kwargs)]
        given = [jax.numpy.asarray(leaf) for leaf in jax.tree.leaves((args, kwargs))]  # they may be numbers
        outputs = rewritten(closed, given, weights, Choices(choices, precision=precision))
        return jax.tree.unflatten(jax.tree.structure(shape), outputs)

    return lowered


def traced(function: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[core.ClosedJaxpr, Any]:
    """The program of a function, and the shapes of its results.

    Raises:
        ConfigError: It cannot be traced.
    """
    try:
        return jax.make_jaxpr(function, return_shape=True)(*args, **kwargs)
    except E2EError:
        raise
    except Exception as error:  # the function's own code may raise anything when it is given tracers
        name = getattr(function, "__name__", type(function).__name__)
        fix = "see the error above for the operation; what jax.jit takes, lower takes."
        received = f"{name}: {type(error).__name__}: {str(error)[:300]}"
        raise ConfigError("lower: the function must be traceable.", received, fix) from error


def in_stages(
    function: Callable[..., Any], parameters: Sequence[Any], *inputs: Any, choices: Choices
) -> tuple[Stages, Any]:
    """A function of a list of parameters and further arrays, made faster, as two stages.

    Args:
        function: Called as ``function(parameters, *inputs)``.
        parameters: Arrays, or their shapes and dtypes.
        inputs: Likewise; extents may be symbolic.
        choices: The way for each convolution.

    Returns:
        The stages, whose second one returns a list of leaves; and the tree that those are the leaves of.

    Raises:
        Exception: Whatever the function raises when it is traced.

    Example:
        >>> import numpy as np
        >>> params, x = [np.ones((3, 2), np.float32), np.float32(2)], np.ones((1, 3), np.float32)
        >>> dense = lambda params, x: (x @ params[0]) * params[1]
        >>> (prepare, run), _ = in_stages(dense, params, x, choices=Choices())
        >>> [p.shape for p in prepare(params)], run(prepare(params), [x])[0].tolist()
        ([(3, 2)], [[6.0, 6.0]])
    """
    closed, shape = jax.make_jaxpr(function, return_shape=True)(list(parameters), *inputs)
    count = len(parameters)

    def better(*arguments: Any) -> list[jax.Array]:
        return rewritten(closed, arguments, [n < count for n in range(len(arguments))], choices)

    program = jax.make_jaxpr(better)(*parameters, *inputs)
    return staged(program, count), jax.tree.structure(shape)


def rewritten(
    closed: core.ClosedJaxpr, arguments: Sequence[Any], weights: Sequence[bool], choices: Choices
) -> list[jax.Array]:
    """A program's outputs, computed in better ways.

    Args:
        closed: The program.
        arguments: Its inputs.
        weights: Of each input, whether it is a parameter.
        choices: The way for each convolution.
    """
    with width(closed.jaxpr):
        values = [Constant.of(x) if weight else x for x, weight in zip(arguments, weights, strict=True)]
        return [jax.numpy.asarray(plain(value)) for value in Interpreter(choices).run(closed, values)]


def _paths(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Of each leaf: the number of the positional argument it is in, or the name of the other."""
    found, _ = jax.tree_util.tree_flatten_with_path((args, kwargs))
    return [tuple(getattr(key, "idx", getattr(key, "key", None)) for key in path[1:]) for path, _ in found]
