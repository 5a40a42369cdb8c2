"""What all transforms share: a config that round-trips, one door for every kind of input, fused geometry."""

from __future__ import annotations

import contextlib
import inspect
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from e2e_jax.errors import ConfigError, E2EError, ImageError, known_arguments
from e2e_jax.ops.batch import list_to_batch
from e2e_jax.ops.plans import Geometry, Plan, Size, transform
from e2e_jax.types import Array, PaddedImages

type Images = Array | PaddedImages | Sequence[Array]


class Configured(nnx.Module):
    """A module that is fully described by the arguments of its ``__init__``, each kept under its own name."""

    registry: ClassVar[dict[str, type[Configured]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):  # the others are abstract
            cls.__init__ = known_arguments(cls.__init__)  # type: ignore[method-assign]
            Configured.registry[cls.__name__] = cls

    @property
    def config(self) -> dict[str, Any]:
        """JSON-able description, ``{"type": "Resize", "size": 256, …}``."""
        names = [name for name in inspect.signature(type(self).__init__).parameters if name != "self"]
        return {"type": type(self).__name__, **{name: _to_json(getattr(self, name)) for name in names}}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Rebuilds from `config`.

        Raises:
            ConfigError: The type is unknown, not of this kind, or an argument does not fit.

        Example:
            >>> from e2e_jax import transforms as T
            >>> T.Transform.from_config({"type": "Flip", "direction": "vertical"})
            Flip('vertical')
        """
        named = config.get("type") if isinstance(config, dict) else config
        kind = cls.registry.get(str(named)) if isinstance(config, dict) else None
        if kind is None or not issubclass(kind, cls):
            known = ", ".join(sorted(name for name, k in cls.registry.items() if issubclass(k, cls)))
            raise ConfigError(f"{cls.__name__}: the config's type must be known.", repr(named), f"one of {known}.")
        return kind(**{name: value for name, value in config.items() if name != "type"})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Configured) and self.config == other.config

    def __hash__(self) -> int:
        return hash(repr(self.config))

    def __repr__(self) -> str:
        parameters = inspect.signature(type(self).__init__).parameters.values()
        shown = [
            p for p in parameters if p.name != "self" and getattr(self, p.name) not in (p.default, (p.default,))
        ]
        return f"{type(self).__name__}({', '.join(_as_argument(p, getattr(self, p.name)) for p in shown)})"

    __str__ = __repr__  # nnx prints modules as coloured trees


def _as_argument(parameter: inspect.Parameter, value: object) -> str:
    shown = repr(list(value)) if isinstance(value, nnx.List) else repr(value)
    return shown if parameter.kind is parameter.POSITIONAL_OR_KEYWORD else f"{parameter.name}={shown}"


def _to_json(value: Any) -> Any:
    if isinstance(value, Configured):
        return value.config
    return [_to_json(item) for item in value] if isinstance(value, tuple | nnx.List) else value


class Transform(Configured):
    """A step between a raw photo and the network.

    Called with one image ``(h, w, C)``, a batch ``(b, h, w, C)``, `PaddedImages`, or a list of images of
    different sizes. Returns an array where all results have one size, else `PaddedImages`.
    """

    @property
    def steps_flat(self) -> tuple[Transform, ...]:
        """The steps to run, without nesting."""
        return (self,)

    def __call__(self, images: Images) -> Any:
        return run(self.steps_flat, images)

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the result for an image of this size, in pixels; computes no pixel.

        Raises:
            ImageError: The image does not suit a step, e.g. it is smaller than a crop.

        Example:
            >>> from e2e_jax import transforms as T
            >>> T.Compose([T.Resize(256), T.CenterCrop(224)]).output_size(300, 400)
            (224, 224)
        """
        return output_size(self.steps_flat, height, width)


class Geometric(Transform):
    """A transform that moves pixels along the axes; consecutive ones become one resampling."""

    def plan(self, geometry: Geometry) -> Geometry:
        """Edits the axis plans; sizes may be ints or traced."""
        raise NotImplementedError


class Pointwise(Transform):
    """A transform of values that leaves every pixel in its place."""

    def apply(self, image: Array) -> jax.Array:
        """``(..., h, w, C)`` to the same positions."""
        raise NotImplementedError


def output_size(steps: Sequence[Transform], height: int, width: int) -> tuple[int, int]:
    """See `Transform.output_size`."""
    size: Any = (height, width)
    for number, step in enumerate(steps):
        if isinstance(step, Geometric):
            with in_step(number, step, f"{size[0]}x{size[1]}"):
                size = step.plan(Geometry.of(*size)).size
    return size


def run(steps: Sequence[Transform], images: Images) -> Any:
    """Runs steps in order, runs of geometric ones as one resampling each."""
    images = _enter(images)
    if isinstance(images, PaddedImages) and isinstance(images.sizes, np.ndarray):
        for height, width in dict.fromkeys(map(tuple, images.sizes.tolist())):
            output_size(steps, height, width)  # refuses an image that does not suit a step
    traced = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(images))
    return _run(tuple(steps), images) if traced else _run_compiled(tuple(steps), images)


def _run(steps: tuple[Transform, ...], images: Array | PaddedImages) -> Array | PaddedImages:
    for geometric, group in itertools.groupby(enumerate(steps), lambda item: isinstance(item[1], Geometric)):
        numbered = list(group)
        images = _move(images, numbered) if geometric else _map(images, numbered)
    return images


_run_compiled = jax.jit(_run, static_argnums=0)  # steps are equal when their configs are


def _enter(images: Images) -> Array | PaddedImages:
    """Checks what came in, once."""
    if isinstance(images, PaddedImages):
        return _checked(images)
    if isinstance(images, list | tuple):
        return list_to_batch(images)
    if not isinstance(images, jax.Array | np.ndarray) or images.ndim < 3 or 0 in images.shape[-3:]:
        shape = f"{getattr(images, 'dtype', '')} {getattr(images, 'shape', type(images).__name__)}"
        fix = "pass arrays with channels last and no empty axis; a gray image needs [..., None]."
        raise ImageError("Transform: an image must be an array (..., height, width, channels).", shape, fix)
    return images


def _checked(images: PaddedImages) -> PaddedImages:
    """Checks shapes, and the sizes themselves where they are on the host."""
    sizes = images.sizes
    room: tuple[int, ...] = getattr(images.pixels, "shape", ())
    shape, dtype = getattr(sizes, "shape", None), getattr(sizes, "dtype", type(sizes))
    fits = len(room) == 4 and shape == (room[0], 2) and jnp.issubdtype(dtype, jnp.integer)
    if fits and isinstance(sizes, np.ndarray):
        fits = bool(((sizes >= 1) & (sizes <= room[1:3])).all())
    if not fits:
        seen = f"pixels {room}, sizes {shape} {dtype}"
        fix = "build them with list_to_batch([image, …])."
        raise ImageError("PaddedImages: pixels (b, H, W, C) must hold images of sizes (b, 2), int32.", seen, fix)
    return images


def _map(images: Array | PaddedImages, steps: list[tuple[int, Any]]) -> Array | PaddedImages:
    for number, step in steps:
        with in_step(number, step, _describe(images)):
            if isinstance(images, PaddedImages):
                images = PaddedImages(step.apply(images.pixels), images.sizes)
            else:
                images = step.apply(images)
    return images


def _move(images: Array | PaddedImages, steps: list[tuple[int, Any]]) -> Array | PaddedImages:
    plans = [_noted_plan(number, step, _describe(images)) for number, step in steps]
    with in_steps(steps, _describe(images)):
        return _carry_out(images, plans)


def _carry_out(images: Array | PaddedImages, plans: Sequence[Plan]) -> Array | PaddedImages:
    if not isinstance(images, PaddedImages):
        return transform(images, plans)[0]
    known: list[tuple[Size, Size]] = []

    def one(pixels: Array, size: Array) -> tuple[Array, Array]:
        moved, new_size = transform(pixels, plans, size=size)
        known.append(new_size)
        return moved, jnp.stack([jnp.asarray(n, jnp.int32) for n in new_size])

    pixels, sizes = jax.vmap(one)(images.pixels, images.sizes)
    return pixels if all(isinstance(n, int) for n in known[0]) else PaddedImages(pixels, sizes)


def _noted_plan(number: int, step: Geometric, shape: str) -> Any:
    def plan(geometry: Geometry) -> Geometry:
        with in_step(number, step, shape):
            return step.plan(geometry)

    return plan


@contextlib.contextmanager
def in_step(number: int, step: Transform, shape: str) -> Iterator[None]:
    """Names the step in profiles, and in the note of an error that passes through."""
    try:
        with jax.named_scope(f"{number}_{type(step).__name__}"):
            yield
    except E2EError as error:
        error.add_note(f"in step {number} of the pipeline: {step!r}, input {shape}")
        raise


@contextlib.contextmanager
def in_steps(steps: Sequence[tuple[int, Transform]], shape: str) -> Iterator[None]:
    """Names the steps that run as one, in the note of an error that none of them has noted."""
    try:
        yield
    except E2EError as error:
        if not getattr(error, "__notes__", ()):
            shown = ", ".join(f"{number} {step!r}" for number, step in steps)
            error.add_note(f"in these steps of the pipeline, run as one: {shown}, input {shape}")
        raise


def _describe(images: Array | PaddedImages) -> str:
    pixels = images.pixels if isinstance(images, PaddedImages) else images
    return f"{pixels.shape} {pixels.dtype}"
