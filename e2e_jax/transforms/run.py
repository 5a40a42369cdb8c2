"""How a pipeline runs: geometry fused, random numbers drawn per sample, parts moved along, all under one jit."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.errors import ConfigError
from e2e_jax.ops.matrices import move_boxes, move_points
from e2e_jax.ops.placement import placement
from e2e_jax.ops.plans import Geometry, Plan, transform
from e2e_jax.ops.sizes import Extents, Size, fills_array, value
from e2e_jax.transforms.door import Images, enter, key_of, leave
from e2e_jax.transforms.notes import in_step, in_steps, shape_of
from e2e_jax.types import Array, PaddedImages, Sample

type Numbers = Any  # what a random step drew for one sample: a tree of arrays
type Draws = tuple[Numbers, ...]  # one entry per step, None for those that draw nothing


class Step(Protocol):
    """What the engine asks of a transform; see `e2e_jax.transforms.base`."""

    kind: Literal["geometry", "pixels", "sample", "batch"]
    is_random: bool

    def draw(self, key: jax.Array, size: Extents, sample: Sample) -> Numbers: ...
    def plan(self, geometry: Geometry, *numbers: Numbers) -> Geometry: ...
    def apply(self, image: Array) -> Array: ...
    def on_sample(self, sample: Sample, size: Extents, *numbers: Numbers) -> tuple[Sample, Extents]: ...
    def on_batch(self, sample: Sample, *numbers: Numbers) -> Sample: ...


def run(steps: Sequence[Any], images: Images, key: Any, draws: Draws | None, return_draws: bool) -> Any:
    """Runs steps in order; see `Transform.__call__`."""
    format_ = next((step.reads_boxes for step in steps if step.reads_boxes is not None), "xyxy")
    sample, bare = enter(images, corners=format_ == "xyxy"), not _are_samples(images)
    key = _key_for(steps, key, draws)
    _refuse_unsuitable(steps, sample)
    traced = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((sample, key, draws)))
    carry_out = _run if traced else _run_compiled
    moved, drawn = carry_out(tuple(steps), return_draws, sample, key, draws)
    result = leave(moved, bare=bare)
    return (result, drawn) if return_draws else result


def _are_samples(images: Images) -> bool:
    return isinstance(images[0] if isinstance(images, list | tuple) else images, Sample)


def _key_for(steps: Sequence[Any], key: Any, draws: Draws | None) -> jax.Array | None:
    if draws is not None and len(draws) != len(steps):
        fix = "replay what this pipeline returned with return_draws=True."
        raise ConfigError(
            "Transform: draws must have one entry per step.", f"{len(draws)} for {len(steps)} steps", fix
        )
    random = [step for step in steps if step.is_random]
    if random and key is None and draws is None:
        fix = "pass key=jax.random.key(seed), or call eval() on the pipeline to switch random steps off."
        raise ConfigError(f"{type(random[0]).__name__}: a random transform needs a key.", "key=None", fix)
    return key_of(key) if random and draws is None else None


def _refuse_unsuitable(steps: Sequence[Any], sample: Sample) -> None:
    """Images of different sizes are checked before they meet a compiled program, where sizes are unknown."""
    image = sample.image
    if isinstance(image, PaddedImages) and isinstance(image.sizes, np.ndarray):
        for height, width in dict.fromkeys(map(tuple, image.sizes.reshape(-1, 2).tolist())):
            output_size(steps, height, width)


def output_size(steps: Sequence[Any], height: int, width: int) -> Extents:
    """See `Transform.output_size`."""
    size: Any = (height, width)
    for number, step in enumerate(steps):
        with in_step(number, step, f"{size[0]}x{size[1]}"):
            size = step.resized(size)
    return size


def _run(
    steps: tuple[Step, ...], return_draws: bool, sample: Sample, key: jax.Array | None, draws: Draws | None
) -> tuple[Sample, Draws | None]:
    source = Numbering(key, draws)
    for geometry, group in itertools.groupby(enumerate(steps), lambda item: item[1].kind == "geometry"):
        if geometry:
            sample = _move(sample, list(group), source)
        else:
            for number, step in group:
                with in_step(number, step, shape_of(sample)):
                    sample = _change(sample, number, step, source)
    return sample, tuple(source.drawn.get(n) for n in range(len(steps))) if return_draws else None


_run_compiled = jax.jit(_run, static_argnums=(0, 1))  # steps are equal when their arguments are


def run_one(steps: Sequence[Any], sample: Sample, size: Extents, key: jax.Array) -> tuple[Sample, Extents]:
    """Runs steps inside a step, on one sample whose image fills ``size`` of its array."""
    if not fills_array(size):
        sample = sample.with_image(PaddedImages(sample.image, as_array(size)))
    moved, _ = _run(tuple(steps), False, sample, key, None)
    image = moved.image
    if isinstance(image, PaddedImages):
        return moved.with_image(image.pixels), (image.sizes[0], image.sizes[1])
    return moved, image.shape[:2]


class Numbering:
    """Where random numbers come from, a key or an earlier run, and what was drawn.

    Args:
        key: Of this sample, or of the batch.
        draws: To replay, instead of the key.
    """

    def __init__(self, key: jax.Array | None, draws: Any) -> None:
        self.key, self.draws = key, draws
        self.drawn: dict[int, Numbers] = {}

    def __call__(self, number: int, step: Step, size: Any, sample: Sample) -> tuple[Numbers, ...]:
        """Nothing for a step that draws nothing, else its numbers."""
        if not step.is_random:
            return ()
        if self.draws is not None:
            self.drawn[number] = self.draws[number]
        else:
            assert self.key is not None
            self.drawn[number] = step.draw(jax.random.fold_in(self.key, number), size, sample)
        return (self.drawn[number],)


def _change(sample: Sample, number: int, step: Step, source: Numbering) -> Sample:
    """One step that is not axis-aligned geometry."""
    if step.kind == "batch":
        pixels = sample.image
        if isinstance(pixels, PaddedImages) or pixels.ndim != 4:
            fix = "resize or crop to one size before, and pass a batch (b, h, w, C)."
            raise ConfigError(f"{step!r}: needs a batch of images of one size.", shape_of(sample), fix)
        return step.on_batch(sample, *source(number, step, pixels.shape[-3:-1], sample))
    if step.kind == "pixels" and not step.is_random:
        return sample.with_image(_mapped(step, sample.image))

    def one(sample: Sample, size: Extents, source: Numbering) -> tuple[Sample, Extents]:
        return step.on_sample(sample, size, *source(number, step, size, sample))

    return _each(one, sample, source, [number])


def _mapped(step: Step, image: Array | PaddedImages) -> Array | PaddedImages:
    if not isinstance(image, PaddedImages):
        return step.apply(image)
    pixels = step.apply(image.pixels)
    return PaddedImages(pixels, image.sizes)


def _move(sample: Sample, steps: list[tuple[int, Any]], source: Numbering) -> Sample:
    """A run of geometric steps: pixels in as few resamplings as possible."""
    shape = shape_of(sample)
    with in_steps(steps, shape):
        image = sample.image
        plain = not isinstance(image, PaddedImages) and not sample.has_parts
        if plain and not any(step.is_random for _, step in steps):
            return sample.with_image(transform(image, [_plan(n, step, shape) for n, step in steps])[0])

        def one(sample: Sample, size: Extents, source: Numbering) -> tuple[Sample, Extents]:
            return move_one(sample, size, [_plan(n, step, shape, source) for n, step in steps])

        return _each(one, sample, source, [number for number, _ in steps])


def _plan(number: int, step: Step, shape: str, source: Numbering | None = None) -> Plan:
    def plan(geometry: Geometry) -> Geometry:
        with in_step(number, step, shape):
            numbers = source(number, step, geometry.size, Sample(None)) if source else ()
            return step.plan(geometry, *numbers)

    return plan


def move_one(sample: Sample, size: Extents, plans: list[Plan]) -> tuple[Sample, Extents]:
    pixels = sample.image
    known = known_size(size)
    image, new_size = transform(pixels, plans, size=known)
    mask = sample.mask
    if mask is not None:
        mask = transform(mask[..., None], plans, size=known, discrete=True)[0][..., 0]
    moved = sample.with_parts(image=image, mask=mask)
    for plan in plans if sample.boxes is not None or sample.keypoints is not None else []:
        geometry = plan(Geometry.of(*size, pixels.shape[:2]))
        size = geometry.size
        maps = (placement(geometry, part="boxes"), placement(geometry, part="keypoints"))
        moved = move_parts(moved, *maps, size)
    return moved, new_size


def move_parts(sample: Sample, for_boxes: Array, for_keypoints: Array, size: Extents) -> Sample:
    """Boxes and key points after one step.

    Args:
        sample: Its boxes become those around their moved corners, clipped to the image.
        for_boxes: ``(3, 3)`` map of the step, from output to source.
        for_keypoints: Likewise; they name pixels, boxes lie between them.
        size: Height and width afterwards.
    """
    boxes, keypoints = sample.boxes, sample.keypoints
    if boxes is not None:
        boxes = move_boxes(boxes, matrix=for_boxes, extent=size)
    if keypoints is not None:
        keypoints = move_points(keypoints, matrix=for_keypoints)
    return sample.with_parts(boxes=boxes, keypoints=keypoints)


def known_size(size: Extents) -> Array | None:
    """``(2,)`` int32 for an image that fills its array only partly, as `transform` takes it; else ``None``."""
    return None if fills_array(size) else as_array(size)


def as_array(size: Extents) -> Array:
    """``(2,)`` int32."""
    return jnp.stack([jnp.asarray(value(n), jnp.int32) for n in size])


type OnSample = Callable[[Sample, Extents, Numbering], tuple[Sample, Extents]]


def _each(one: OnSample, sample: Sample, source: Numbering, numbers: list[int]) -> Sample:
    """Does something to each sample of a batch, or to the only one; ``numbers`` are of the steps that may draw."""
    image = sample.image
    pixels, sizes = (image.pixels, image.sizes) if isinstance(image, PaddedImages) else (image, None)
    lead = pixels.shape[:-3]
    known: list[Extents] = []

    def alone(sample: Sample, size: Array | None, key: Any, draws: Any) -> tuple[Sample, Array, Any]:
        numbering = Numbering(key, draws)
        moved, new = one(sample, sample.image.shape[:2] if size is None else (size[0], size[1]), numbering)
        known.append(new)
        return moved, as_array(new), numbering.drawn

    sample = _flat(sample.with_image(pixels), lead)
    draws = None if source.draws is None else {n: source.draws[n] for n in numbers}
    keys = _keys(source.key, sample.image.shape[0] if lead else None)
    moved, new_sizes, drawn = (jax.vmap(alone) if lead else alone)(sample, sizes, keys, draws)
    source.drawn |= drawn
    if fills_array(known[0]):
        return _unflat(moved, lead)
    return moved.with_image(PaddedImages(moved.image, new_sizes))


def _keys(key: jax.Array | None, count: Size | None) -> jax.Array | None:
    """A key per sample of a batch; a sample on its own gets that of the first."""
    if key is None or count is None:
        return None if key is None else jax.random.fold_in(key, 0)
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(count))


def _flat(sample: Sample, lead: tuple[int, ...]) -> Sample:
    """All leading axes as one."""
    if len(lead) < 2:
        return sample
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[len(lead) :]), sample)


def _unflat(sample: Sample, lead: tuple[int, ...]) -> Sample:
    if len(lead) < 2:
        return sample
    return jax.tree.map(lambda leaf: leaf.reshape(*lead, *leaf.shape[1:]), sample)
