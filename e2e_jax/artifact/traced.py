"""A model taken apart for export: parameters by path, and functions of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from flax.errors import TraceContextError

from e2e_jax.artifact.params import Path_, named_leaves
from e2e_jax.artifact.smooth import smooth
from e2e_jax.errors import SHOWN, ConfigError, E2EError, blamed
from e2e_jax.model import EndToEnd
from e2e_jax.transforms.base import Transform
from e2e_jax.types import Array, PaddedImages

PROBE = 1 << 15  # pixels; any image larger than every crop shows what sizes the geometry leaves

#: What to do about a network that changes itself.
NO_STATE = "draw no random numbers in evaluation mode: an exported program would draw the same ones every time."

#: Of the inverse program: sizes, boxes and key points of one photo.
INVERSE_INPUTS = (((2,), np.int32), ((1, 4), np.float32), ((1, 2), np.float32))


class Traced:
    """A model taken apart for export: parameters by path, and functions of them.

    Args:
        model: Is not changed; copies of its network and transforms are put into evaluation mode.
        dtype: Of the photos.
        pipelines: Further transforms by name, to be exported beside its own.
    """

    def __init__(self, model: EndToEnd, dtype: str, pipelines: Mapping[str, Transform] | None = None) -> None:
        self.dtype = dtype
        self.pipelines = dict(pipelines or {})
        network = nnx.clone(model.network)
        network.eval()
        split: Any = nnx.split(network, nnx.RngState, ...)
        self.graph, self.randomness, self.state = split
        self.leaves: dict[Path_, jax.Array] = named_leaves(self.state)
        self.postprocess = model.postprocess
        self.whole = nnx.clone(model.preprocess)
        self.whole.eval()

    @property
    def shapes(self) -> list[jax.ShapeDtypeStruct]:
        """Of the parameters."""
        return [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in self.leaves.values()]

    def dense(self, params: list[Array], images: Array) -> Any:
        """``(b, h, w, c)`` photos to outputs."""
        return EndToEnd(self.whole, self._merged(params), self.postprocess)(images)

    def ragged(self, pixels: Array, sizes: Array) -> Array:
        """Padded photos to what the network takes, ``(b, …)`` of one size."""
        return self.whole(PaddedImages(pixels, sizes))

    def network(self, params: list[Array], x: Array) -> Any:
        """What ``ragged`` returns to what the network returns."""
        return self._merged(params)(x)

    def finish(self, outputs: Any) -> Any:
        """What ``network`` returns to outputs."""
        return outputs if self.postprocess is None else self.postprocess(outputs)

    def changed(self, change: Callable[[nnx.Module], nnx.Module]) -> Callable[[Array], Any]:
        """What the network takes to outputs, with a changed network that holds its parameters."""
        network = change(nnx.merge(self.graph, self.randomness, self.state))
        return lambda x: self.finish(network(x))

    def smooth(self, images: Array) -> Array:
        """``(b, h, w, c)`` float32 photos in the units of the signature to what the network takes, unrounded."""
        return smooth(self.whole, images, self.dtype)

    def inverse(self, sizes: Array, boxes: Array, keypoints: Array) -> dict[str, jax.Array]:
        """Boxes ``(b, n, 4)`` and key points ``(b, m, 2)`` of network inputs, in photos of ``sizes`` (b, 2)."""

        def one(size: Array, boxes: Array, keypoints: Array) -> dict[str, jax.Array]:
            extents = (size[0], size[1])
            parts = {"boxes": boxes, "keypoints": keypoints}
            return {name: self.whole.inverse(part, size=extents) for name, part in parts.items()}

        return jax.vmap(one)(sizes, boxes, keypoints)

    def has_inverse(self) -> bool:
        """Whether every step has a way back."""
        return _shape(self.inverse, *(((1, *rest), dtype) for rest, dtype in INVERSE_INPUTS)) is not None

    def is_smooth(self, channels: int) -> bool:
        """Whether every step can be differentiated."""
        return _shape(self.smooth, ((1, PROBE, PROBE, channels), np.float32)) is not None

    def _merged(self, params: list[Array]) -> Any:
        flat = zip(nnx.to_flat_state(self.state), params, strict=True)
        state = nnx.from_flat_state([(path, _with_value(leaf, value)) for (path, leaf), value in flat])
        return nnx.merge(self.graph, self.randomness, state)

    def ragged_result(self, channels: int) -> jax.ShapeDtypeStruct | None:
        """Shape (1, …) and dtype of what `ragged` returns, or ``None`` where sizes stay different."""
        shaped = _shape(self.ragged, ((1, PROBE, PROBE, channels), self.dtype), ((1, 2), np.int32))
        return None if isinstance(shaped, PaddedImages) else shaped


def _shape(function: Any, *inputs: tuple[tuple[int, ...], Any]) -> Any:
    """Of a function's result, or ``None`` where a step refuses it."""
    try:
        return jax.eval_shape(function, *(jax.ShapeDtypeStruct(shape, jnp.dtype(kind)) for shape, kind in inputs))
    except E2EError:
        return None


def _with_value(leaf: Any, value: Array) -> Any:
    """A variable with another value; modules may also hold bare arrays."""
    return leaf.replace(value) if isinstance(leaf, nnx.Variable) else value


@contextlib.contextmanager
def traceable(name: str) -> Iterator[None]:
    """Turns what a model's own code raises while a program is traced into an error that says which and what to do.

    Raises:
        ConfigError: The program cannot be traced with symbolic shapes, or changes the state of the network.
    """
    fix = "use shapes that depend only on the input's; see the error above for the operation."
    with blamed(f"export: the {name} program must be traceable.", fix):
        try:
            yield
        except TraceContextError as error:
            received = str(error)[:SHOWN]
            raise ConfigError("export: the network must not change its state.", received, NO_STATE) from error


class Sizes(NamedTuple):
    """What the programs take, with symbols for what may vary.

    Args:
        batch: How many photos.
        photos: ``(b, h, w, c)``.
        moved: ``(b, …)``, what the network takes; ``None`` where sizes stay different.
        inverse: Sizes ``(b, 2)``, boxes ``(b, n, 4)`` and key points ``(b, m, 2)``.
    """

    batch: Any
    photos: jax.ShapeDtypeStruct
    moved: jax.ShapeDtypeStruct | None
    inverse: tuple[jax.ShapeDtypeStruct, ...]

    @classmethod
    def symbolic(cls, traced: Traced, channels: int) -> Sizes:
        """Of a model for photos with these channels."""
        b, h, w, n, m = jax.export.symbolic_shape("b, h, w, n, m")
        moved = traced.ragged_result(channels)
        taken = zip(((2,), (n, 4), (m, 2)), (kind for _, kind in INVERSE_INPUTS), strict=True)
        return cls(
            batch=b,
            photos=jax.ShapeDtypeStruct((b, h, w, channels), jnp.dtype(traced.dtype)),
            moved=None if moved is None else jax.ShapeDtypeStruct((b, *moved.shape[1:]), moved.dtype),
            inverse=tuple(jax.ShapeDtypeStruct((b, *shape), kind) for shape, kind in taken),
        )

    @property
    def padded(self) -> tuple[jax.ShapeDtypeStruct, jax.ShapeDtypeStruct]:
        """Photos of different sizes: pixels and sizes."""
        return self.photos, jax.ShapeDtypeStruct((self.batch, 2), jnp.int32)

    @property
    def network(self) -> jax.ShapeDtypeStruct:
        """What the network's part of the programs starts from: all of them where the sizes stay different."""
        return self.photos if self.moved is None else self.moved
