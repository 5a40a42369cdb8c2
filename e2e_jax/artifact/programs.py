"""The compiled half of an artifact: three portable programs written by `jax.export`.

``dense`` takes a batch of one size through everything. ``ragged`` takes images of different sizes as far as the
last geometric step, where they all have one size; ``network`` takes them on from there. Two programs for lists,
because geometry compiles in a fraction of a second and is needed once per bucket, and the network once per batch.
``inverse`` leads boxes and key points back from what the network sees to the photo.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from flax.errors import TraceContextError
from jax import export as jax_export

from e2e_jax.artifact.params import Path_, named_leaves
from e2e_jax.artifact.sample import name_of
from e2e_jax.errors import ConfigError, E2EError
from e2e_jax.model import EndToEnd, split_at_geometry
from e2e_jax.types import Array, PaddedImages

PLATFORMS = ("cpu", "cuda")
PROBE = 1 << 15  # pixels; any image larger than every crop shows what sizes the geometry leaves


#: Of the inverse program: sizes, boxes and key points of one photo.
INVERSE_INPUTS = (((2,), np.int32), ((1, 4), np.float32), ((1, 2), np.float32))


class Traced:
    """A model taken apart for export: parameters by path, and functions of them.

    Args:
        model: Is not changed; copies of its network and transforms are put into evaluation mode.
    """

    def __init__(self, model: EndToEnd) -> None:
        network = nnx.clone(model.network)
        network.eval()
        split: Any = nnx.split(network, nnx.RngState, ...)
        self.graph, self.randomness, self.state = split
        self.leaves: dict[Path_, jax.Array] = named_leaves(self.state)
        self.postprocess = model.postprocess
        self.whole = nnx.clone(model.preprocess)
        self.whole.eval()
        self.head, self.tail = split_at_geometry(self.whole)

    def dense(self, params: list[Array], images: Array) -> Any:
        """``(b, h, w, c)`` photos to outputs."""
        return self._model(self.whole, params)(images)

    def ragged(self, pixels: Array, sizes: Array) -> Array:
        """Padded photos to ``(b, oh, ow, c)`` of one size."""
        return self.head(PaddedImages(pixels, sizes))

    def network(self, params: list[Array], x: Array) -> Any:
        """What ``ragged`` returns to outputs."""
        return self._model(self.tail, params)(x)

    def inverse(self, sizes: Array, boxes: Array, keypoints: Array) -> dict[str, jax.Array]:
        """Boxes ``(b, n, 4)`` and key points ``(b, m, 2)`` of network inputs, in photos of ``sizes`` (b, 2)."""

        def one(size: Array, boxes: Array, keypoints: Array) -> dict[str, jax.Array]:
            extents = (size[0], size[1])
            parts = {"boxes": boxes, "keypoints": keypoints}
            return {name: self.whole.inverse(part, size=extents) for name, part in parts.items()}

        return jax.vmap(one)(sizes, boxes, keypoints)

    def has_inverse(self) -> bool:
        """Whether every step has a way back."""
        shapes = [jax.ShapeDtypeStruct((1, *rest), dtype) for rest, dtype in INVERSE_INPUTS]
        try:
            jax.eval_shape(self.inverse, *shapes)
        except ConfigError:
            return False
        return True

    def _model(self, preprocess: Any, params: list[Array]) -> EndToEnd:
        flat = zip(nnx.to_flat_state(self.state), params, strict=True)
        state = nnx.from_flat_state([(path, _with_value(leaf, value)) for (path, leaf), value in flat])
        network = nnx.merge(self.graph, self.randomness, state)
        return EndToEnd(preprocess, network, self.postprocess)

    def ragged_result(self, channels: int, dtype: str) -> jax.ShapeDtypeStruct | None:
        """Shape (1, oh, ow, c) and dtype of what `ragged` returns, or ``None`` where sizes stay different."""
        pixels = jax.ShapeDtypeStruct((1, PROBE, PROBE, channels), jnp.dtype(dtype))
        try:
            shaped = jax.eval_shape(self.ragged, pixels, jax.ShapeDtypeStruct((1, 2), jnp.int32))
        except ConfigError:
            return None
        return None if isinstance(shaped, PaddedImages) else shaped


def _with_value(leaf: Any, value: Array) -> Any:
    """A variable with another value; modules may also hold bare arrays."""
    return leaf.replace(value) if isinstance(leaf, nnx.Variable) else value


def serialize(traced: Traced, *, channels: int, dtype: str) -> dict[str, bytes]:
    """Exports the programs for `PLATFORMS` with symbolic batch and image sizes.

    Args:
        traced: The model.
        channels: Of the photos.
        dtype: Of the photos.

    Returns:
        Program name to `jax.export` bytes; ``ragged`` and ``network`` only where geometry leaves one size,
        ``inverse`` only where there is a way back.

    Raises:
        ConfigError: A part cannot be traced with symbolic shapes.
    """
    b, h, w, n, m = jax_export.symbolic_shape("b, h, w, n, m")
    params = [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in traced.leaves.values()]
    photos = jax.ShapeDtypeStruct((b, h, w, channels), jnp.dtype(dtype))
    jobs: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {"dense": (traced.dense, (params, photos))}
    if (moved := traced.ragged_result(channels, dtype)) is not None:
        jobs["ragged"] = (traced.ragged, (photos, jax.ShapeDtypeStruct((b, 2), jnp.int32)))
        jobs["network"] = (traced.network, (params, jax.ShapeDtypeStruct((b, *moved.shape[1:]), moved.dtype)))
    if traced.has_inverse():
        shapes = ((2,), (n, 4), (m, 2))
        sketched = zip(shapes, (dtype for _, dtype in INVERSE_INPUTS), strict=True)
        jobs["inverse"] = (traced.inverse, tuple(jax.ShapeDtypeStruct((b, *s), d) for s, d in sketched))
    return {name: _export(name, function, arguments) for name, (function, arguments) in jobs.items()}


def _export(name: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> bytes:
    try:
        with _without_source_locations():
            exported = jax_export.export(jax.jit(function), platforms=PLATFORMS)(*arguments)
            _check_rows(exported)
            return bytes(exported.serialize(vjp_order=1 if name == "dense" else 0))
    except E2EError:
        raise
    except TraceContextError as error:
        fix = "draw no random numbers in evaluation mode: an exported program would draw the same ones every time."
        raise ConfigError("export: the network must not change its state.", str(error)[:300], fix) from error
    except Exception as error:  # the network's own code may raise anything when it is given symbolic shapes
        fix = "use shapes that depend only on the input's; see the error above for the operation."
        received = f"{type(error).__name__}: {str(error)[:300]}"
        raise ConfigError(f"export: the {name} program must be traceable.", received, fix) from error


@contextlib.contextmanager
def _without_source_locations() -> Iterator[None]:
    """JAX notes path and line of all it traces: a third of the bytes, never alike, and the author's folders."""
    name = "jax_traceback_in_locations_limit"
    frames = getattr(jax.config, name)
    jax.config.update(name, 0)
    try:
        yield
    finally:
        jax.config.update(name, frames)


def _check_rows(exported: jax_export.Exported) -> None:
    """Every output must have the batch as its first axis, so that it can be divided among the images."""
    batch = exported.in_avals[-1].shape[0]
    odd = [str(aval) for aval in exported.out_avals if aval.shape[:1] != (batch,)]
    if odd or not exported.out_avals:
        fix = "return arrays whose first axis is the batch; reduce nothing over it."
        received = f"an output {odd[0]}" if odd else "no output"
        raise ConfigError("export: the network must return one row per image.", received, fix)


def deserialize(content: bytes) -> jax_export.Exported:
    """A program back from its bytes."""
    return jax_export.deserialize(bytearray(content))


def outputs(content: bytes) -> dict[str, Any]:
    """Name, dtype and shape of each output of a program; symbols stand for free extents."""
    exported = deserialize(content)
    tree = jax.tree.unflatten(exported.out_tree, exported.out_avals)
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {
        name_of(path): {
            "dtype": aval.dtype.name,
            "shape": [n if isinstance(n, int) else str(n) for n in aval.shape],
        }
        for path, aval in leaves
    }
