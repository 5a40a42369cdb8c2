"""lower: a function as before, traced to a program that XLA's CPU compiler is fast at."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend import core

from e2e_jax.errors import ConfigError, blamed, known_arguments
from e2e_jax.lowering.choose import Choices
from e2e_jax.lowering.constants import Constant
from e2e_jax.lowering.convolution import Convolution
from e2e_jax.lowering.evaluate import width
from e2e_jax.lowering.interpret import Interpreter, plain
from e2e_jax.lowering.product import PRECISIONS
from e2e_jax.lowering.stages import Stages, staged
from e2e_jax.lowering.ways import WAYS
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
    Convolutions of small groups, such as depthwise ones, become sums of shifted images, 1 x 1 ones matrix products,
    wide 3 x 3 ones Winograd's, and max pooling the largest of shifted images. The others, and every one on other
    platforms than CPU, stay as they are.

    Args:
        function: Of arrays or trees of arrays. What it closes over, such as an `nnx.Module`, is constant.
        precision: Of the factors of matrix products and of the convolutions computed by them on CPU:
            ``"float32"``, or ``"bfloat16"``, fast on processors that have instructions for it. Sums are float32.
        parameters: Numbers of positional arguments that hold weights, to be folded too. That is then done in each
            call; close over them, or use an artifact, to have it done once.
        choices: The way for convolutions that shall not be computed by rule, such as
            ``{convolution: found.way for convolution, found in e2e_jax.lowering.tune.tune(…).items()}``.

    Returns:
        A function with the same signature and results: to 1e-5 of their scale in float32.

    Raises:
        ConfigError: The precision or a way is unknown, or a way does not compute its convolution; or, when called,
            the function cannot be traced.

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
    _check(choices or {})

    @functools.wraps(function)
    def lowered(*args: Any, **kwargs: Any) -> Any:
        closed, shape = _traced(function, *args, **kwargs)
        weights = [isinstance(path[0], int) and path[0] in parameters for path in _paths(args, kwargs)]
        leaves = [jax.numpy.asarray(leaf) for leaf in jax.tree.leaves((args, kwargs))]  # they may be numbers
        stages = _divided(closed, leaves, weights, Choices(choices, precision=precision))
        inputs, given = _parted(leaves, weights)
        outputs = stages.run(_at_once(closed, stages.prepare, given), inputs)
        return jax.tree.unflatten(jax.tree.structure(shape), outputs)

    return lowered


def _check(choices: Mapping[Convolution, str]) -> None:
    for convolution, way in choices.items():
        one_of("lower", "choices", way, tuple(WAYS))
        if not WAYS[way].fits(convolution):
            able = ", ".join(name for name, other in WAYS.items() if other.fits(convolution))
            raise ConfigError(
                "lower: a way must compute its convolution.", f"{way}: {convolution}", f"one of {able}."
            )


def _traced(function: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[core.ClosedJaxpr, Any]:
    """The program of a function, and the shapes of its results.

    Raises:
        ConfigError: It cannot be traced.
    """
    name = getattr(function, "__name__", type(function).__name__)
    fix = "see the error above for the operation; what jax.jit takes, lower takes."
    with blamed("lower: the function must be traceable.", fix, on=name):
        return jax.make_jaxpr(function, return_shape=True)(*args, **kwargs)


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
    weights = [n < len(parameters) for n in range(len(closed.in_avals))]
    return _divided(closed, [*parameters, *inputs], weights, choices), jax.tree.structure(shape)


def _divided(
    closed: core.ClosedJaxpr, arguments: Sequence[Any], weights: Sequence[bool], choices: Choices
) -> Stages:
    """A program, computed in better ways, in two stages; what it closes over is in the first.

    Args:
        closed: The program.
        arguments: Its inputs, or their shapes and dtypes.
        weights: Of each input, whether it is a parameter.
        choices: The way for each convolution.
    """
    stored = [_is_stored(constant) for constant in closed.consts]
    kept, folded = _parted(closed.consts, stored)
    inputs, parameters = _parted(arguments, weights)

    def better(folded: list[Any], parameters: list[Any], inputs: list[Any]) -> list[jax.Array]:
        program = core.ClosedJaxpr(closed.jaxpr, _together(kept, folded, stored))
        values = _together(inputs, [Constant.of(weight) for weight in parameters], weights)
        return [jax.numpy.asarray(plain(value)) for value in Interpreter(choices).run(program, values)]

    with width(closed.jaxpr):
        program = jax.make_jaxpr(better)(folded, parameters, inputs)
    prepare, run = staged(program, len(folded) + len(parameters))
    return Stages(lambda parameters: prepare([*folded, *parameters]), run)


def _is_stored(constant: Any) -> bool:
    """Whether a constant is treated as a parameter; with numbers, and tables of indices, XLA can do more."""
    return constant.dtype == np.float32 and constant.ndim > 0


def _at_once(closed: core.ClosedJaxpr, prepare: Callable[..., Any], parameters: list[Any]) -> list[Any]:
    """What the first stage gives, computed while the second is traced, where the parameters are there already."""
    consts = [*closed.consts, *parameters]
    if any(isinstance(array, jax.core.Tracer) for array in consts):
        return prepare(parameters)
    with jax.ensure_compile_time_eval(), width(closed.jaxpr):
        return jax.jit(prepare)(parameters)


def _parted(values: Sequence[Any], flags: Sequence[bool]) -> tuple[list[Any], list[Any]]:
    """Those with a false flag, and those with a true one."""
    pairs = list(zip(values, flags, strict=True))
    return [value for value, flag in pairs if not flag], [value for value, flag in pairs if flag]


def _together(false: Sequence[Any], true: Sequence[Any], flags: Sequence[bool]) -> list[Any]:
    """The inverse of `_parted`."""
    sources = iter(false), iter(true)
    return [next(sources[flag]) for flag in flags]


def _paths(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Of each leaf: the number of the positional argument it is in, or the name of the other."""
    found, _ = jax.tree_util.tree_flatten_with_path((args, kwargs))
    return [tuple(getattr(key, "idx", getattr(key, "key", None)) for key in path[1:]) for path, _ in found]
