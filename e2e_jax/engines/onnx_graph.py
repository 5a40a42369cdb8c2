"""A JAX function as an ONNX graph, through jax2onnx, with the repairs its release needs."""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
from flax import nnx

from e2e_jax.errors import ConfigError, blamed
from e2e_jax.types import Array

BATCH = "b"  # name of the free first axis in the graph


def to_onnx(
    function: Callable[[Array], Any],
    shape: tuple[int, ...],
    *,
    input_name: str = "x",
    output_names: Sequence[str] | None = None,
) -> bytes:
    """Converts a network to ONNX, with its parameters as constants and a batch of any size.

    Args:
        function: From images ``(b, *shape)`` float32 to one array, or several. Convolutions and pooling convert in
            the forms of `nnx.Conv` and `nnx.max_pool`.
        shape: Of one image, ``(h, w, c)``.
        input_name: In the graph.
        output_names: Likewise, in order; jax2onnx makes some up if absent.

    Returns:
        The serialised ``ModelProto``: one input, whose first axis is named `BATCH`, and the outputs.

    Raises:
        ConfigError: jax2onnx cannot convert it, or is not installed.

    Source:
        jax2onnx 0.17.1, opset 23 and IR 10, which ONNX Runtime reads from 1.23 on.

    Example:
        >>> graph = to_onnx(lambda x: x.mean((1, 2)), (8, 8, 3))
        >>> type(graph).__name__
        'bytes'
    """
    converter = _jax2onnx()

    def traced(x: Array) -> Any:
        with _padded_pooling():
            return function(x)

    fix = "see jax2onnx for what it converts; without an engine's row the benchmark runs as it is."
    with blamed("to_onnx: jax2onnx must be able to convert the network.", fix), _quiet():
        names = {"input_names": [input_name], "output_names": output_names and list(output_names)}
        model = converter.to_onnx(traced, inputs=[(BATCH, *shape)], **names)
    _fold_padding(model.graph)
    del model.graph.value_info[:]  # it keeps channels-last shapes of arrays it has made channels first
    return bytes(model.SerializeToString())


def plain(network: nnx.Module) -> nnx.Module:
    """A copy whose convolutions are JAX's own, whatever the network brings for a platform.

    Example:
        >>> conv = nnx.Conv(3, 4, (1, 1), conv_general_dilated=print, rngs=nnx.Rngs(0))
        >>> plain(conv)(np.ones((1, 2, 2, 3), np.float32)).shape
        (1, 2, 2, 4)
    """
    copy = nnx.clone(network)
    for _, part in nnx.iter_modules(copy):
        if isinstance(part, nnx.Conv):
            part.conv_general_dilated = jax.lax.conv_general_dilated
    return copy


def _jax2onnx() -> Any:
    """The converter; with JAX 0.12 it looks for a name where JAX no longer has it."""
    core: Any = jax._src.core
    if not hasattr(core, "ClosedJaxpr"):
        core.ClosedJaxpr = jax.extend.core.ClosedJaxpr
    try:
        with _unchanged(jnp, jax.lax, jax.nn, nnx):
            import jax2onnx

            _register(jax2onnx)
    except ImportError as error:
        fix = "pip install 'e2e_jax[onnx]'"
        raise ConfigError("to_onnx: jax2onnx must be installed.", str(error), fix) from None
    return jax2onnx


@contextlib.contextmanager
def _unchanged(*modules: Any) -> Iterator[None]:
    """Puts back what is replaced in modules: importing jax2onnx leaves a ``jnp.cumsum`` of its own to everyone."""
    before = [(module, dict(vars(module))) for module in modules]
    try:
        yield
    finally:
        for module, names in before:
            for name, value in names.items():
                if getattr(module, name, None) is not value:
                    setattr(module, name, value)


def _register(converter: Any) -> None:
    """Loads what jax2onnx knows of JAX and Flax; by itself it also builds layers of Equinox, for ten seconds."""
    system: Any = sys.modules.get("jax2onnx.plugins.plugin_system")
    if system is None or getattr(system, "_already_imported_plugins", True) or not hasattr(system, "_import_tree"):
        return  # another release, which loads them as it likes
    folder = Path(converter.__file__).parent / "plugins"
    for kind in ("jax", "flax"):
        system._import_tree(folder / kind, f"jax2onnx.plugins.{kind}")
    system._already_imported_plugins = True


@contextlib.contextmanager
def _padded_pooling() -> Iterator[None]:
    """Inside jax2onnx's replacement of `nnx.max_pool`, which drops explicit padding: it becomes a step before."""
    theirs = nnx.max_pool

    def max_pool(x: Array, window_shape: Any, strides: Any = None, padding: Any = "VALID") -> Array:
        if not isinstance(padding, str):
            lowest = jnp.finfo(x.dtype).min
            x, padding = jnp.pad(x, ((0, 0), *padding, (0, 0)), constant_values=lowest), "VALID"  # (b, h, w, c)
        steps = strides or (1,) * len(window_shape)
        return theirs(x, window_shape=window_shape, strides=steps, padding=padding)

    nnx.max_pool = max_pool
    try:
        yield
    finally:
        nnx.max_pool = theirs


def _fold_padding(graph: Any) -> None:
    """Gives a max-pooling the padding that stands before it, so that engines need no pass over memory for that."""
    import onnx

    constants = {tensor.name: tensor for tensor in graph.initializer}
    for pad in [node for node in graph.node if node.op_type == "Pad"]:
        pools, names = [node for node in graph.node if node.op_type == "MaxPool"], [pad.output[0]]
        turned = [node for node in graph.node if node.op_type == "Transpose" and node.input[0] in names]
        readers = [node for node in graph.node if pad.output[0] in node.input]
        pool = next((p for p in pools if p.input[0] in [t.output[0] for t in turned]), None)
        if len(turned) != 1 or readers != turned or pool is None or pad.input[1] not in constants:
            continue
        before, after = np.split(onnx.numpy_helper.to_array(constants[pad.input[1]]), 2)  # (b, h, w, c) each
        order = list(turned[0].attribute[0].ints)
        pads = [*before[order][2:], *after[order][2:]]  # of h, w
        turned[0].input[0] = pad.input[0]
        graph.node.remove(pad)
        pool.attribute.remove(next(a for a in pool.attribute if a.name == "auto_pad"))
        pool.attribute.append(onnx.helper.make_attribute("pads", [int(n) for n in pads]))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the converter's log lines and its use of what Flax deprecates; errors still come as exceptions."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        logging.disable(before)
