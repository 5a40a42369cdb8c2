"""What may enter a pipeline, checked once and brought into one form, and what leaves it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from e2e_jax.errors import ConfigError, ImageError
from e2e_jax.ops.batch import list_to_batch, samples_to_batch
from e2e_jax.types import Array, PaddedImages, Sample

type Images = Array | PaddedImages | Sample | Sequence[Array] | Sequence[Sample]
STREAM = "transforms"  # of nnx.Rngs


def enter(images: Images, *, corners: bool) -> Sample:
    """Anything a pipeline takes, as one `Sample`.

    Args:
        images: See `Transform.__call__`.
        corners: Whether boxes are left, top, right, bottom in pixels, and so can be looked at.

    Raises:
        ImageError: It is none of these, or its parts do not belong together.
    """
    if isinstance(images, list | tuple):
        images = samples_to_batch(images) if images and isinstance(images[0], Sample) else list_to_batch(images)
    sample = _with_real_rows(images) if isinstance(images, Sample) else Sample(images)
    if isinstance(sample.image, PaddedImages):
        _check_padded(sample.image)
    else:
        _check_pixels(sample.image)
    if isinstance(images, Sample):
        _check_parts(sample)
        if corners and isinstance(sample.boxes, np.ndarray):
            _check_places(sample, sample.boxes)
    return sample


def leave(sample: Sample, *, bare: bool) -> Any:
    """The image alone where nothing else came in; one image of a drawn size is cut out of its slot."""
    image = sample.image
    concrete = not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(sample))
    if concrete and isinstance(image, PaddedImages) and image.pixels.ndim == 3:
        height, width = (int(n) for n in image.sizes)
        mask = None if sample.mask is None else sample.mask[:height, :width]
        sample = dataclasses.replace(sample, image=image.pixels[:height, :width], mask=mask)
    return sample.image if bare else sample


def key_of(key: Any) -> jax.Array | None:
    """A JAX key, drawn from `nnx.Rngs` where those are given.

    Raises:
        ConfigError: It is neither.
    """
    if isinstance(key, nnx.Rngs):
        return key[STREAM]() if STREAM in key else key()
    if key is None or (isinstance(key, jax.Array) and _is_key(key)):
        return key
    fix = "pass key=jax.random.key(seed), or nnx.Rngs(transforms=seed)."
    raise ConfigError("Transform: key must be one JAX random key.", f"key={key!r}"[:80], fix)


def _is_key(key: jax.Array) -> bool:
    typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    return key.ndim == 0 if typed else key.shape == (2,) and key.dtype == jnp.uint32


def _check_pixels(image: Any) -> None:
    if not isinstance(image, jax.Array | np.ndarray) or image.ndim < 3 or 0 in image.shape[-3:]:
        shape = f"{getattr(image, 'dtype', '')} {getattr(image, 'shape', type(image).__name__)}"
        fix = "pass arrays with channels last and no empty axis; a gray image needs [..., None]."
        raise ImageError("Transform: an image must be an array (..., height, width, channels).", shape, fix)


def _check_padded(images: PaddedImages) -> None:
    """Checks shapes, and the sizes themselves where they are on the host."""
    sizes = images.sizes
    room: tuple[Any, ...] = getattr(images.pixels, "shape", ())
    shape, dtype = getattr(sizes, "shape", None), getattr(sizes, "dtype", type(sizes))
    fits = len(room) in (3, 4) and shape == (*room[:-3], 2) and jnp.issubdtype(dtype, jnp.integer)
    if fits and isinstance(sizes, np.ndarray):
        fits = bool(((sizes >= 1) & (sizes <= room[-3:-1])).all())
    if not fits:
        seen = f"pixels {room}, sizes {shape} {dtype}"
        fix = "build them with list_to_batch([image, …])."
        raise ImageError("PaddedImages: pixels (b, H, W, C) must hold images of sizes (b, 2), int32.", seen, fix)


def _check_parts(sample: Sample) -> None:
    """Checks shapes always, and numbers where they are on the host."""
    pixels = sample.image.pixels if isinstance(sample.image, PaddedImages) else sample.image
    lead, room = pixels.shape[:-3], pixels.shape[-3:-1]
    boxes, valid, mask = sample.boxes, sample.valid, sample.mask
    _check_rows("boxes", boxes, lead, 4)
    _check_rows("keypoints", sample.keypoints, lead, 2)
    if mask is not None and getattr(mask, "shape", None) != (*lead, *room):
        seen = f"mask {getattr(mask, 'shape', mask)}, image {pixels.shape}"
        raise ImageError("Sample: a mask must have the image's height and width.", seen, "resize it to the image.")
    counted = None if boxes is None else boxes.shape[:-1]
    if valid is not None and (counted is None or getattr(valid, "shape", None) != counted):
        seen = f"valid {getattr(valid, 'shape', valid)}, boxes {None if boxes is None else boxes.shape}"
        raise ImageError("Sample: valid must say for each box whether it counts.", seen, "pass bool (n,).")
    label_shape = getattr(sample.label, "shape", None)
    if counted is not None and sample.label is not None and (label_shape or ())[: len(counted)] != counted:
        seen = f"label {label_shape}, boxes {boxes.shape}"
        raise ImageError(
            "Sample: a label must belong to each box.", seen, "pass one label per box, (n,) or (n, …)."
        )


def _with_real_rows(sample: Sample) -> Sample:
    """Boxes and key points as float32, whatever numbers they came as; anything else stays, to be refused."""
    parts = {"boxes": (sample.boxes, 4), "keypoints": (sample.keypoints, 2)}
    return sample.with_parts(**{n: _real(rows, length) for n, (rows, length) in parts.items() if rows is not None})


def _real(rows: Any, length: int) -> Any:
    if isinstance(rows, jax.Array):
        return rows.astype(jnp.float32) if jnp.issubdtype(rows.dtype, jnp.number) else rows
    try:
        found = np.asarray(rows, np.float32)
        return found.reshape(0, length) if found.shape == (0,) else found  # an empty list
    except (TypeError, ValueError):  # ragged lists, names: refused by the check that follows
        return rows


def _check_rows(name: str, part: Any, lead: tuple[int, ...], length: int) -> None:
    if part is None:
        return
    shape: tuple[Any, ...] = getattr(part, "shape", ())
    dtype = getattr(part, "dtype", type(part))
    if len(shape) != len(lead) + 2 or shape[:-2] != lead or shape[-1] != length or dtype != jnp.float32:
        fix = f"pass float32 {(*lead, 'n', length)}; none is {(*lead, 0, length)}.".replace("'", "")
        raise ImageError(f"Sample: {name} must be float32 (n, {length}) in pixels.", f"{dtype} {shape}", fix)
    if isinstance(part, np.ndarray) and not np.isfinite(part).all():
        bad = part[~np.isfinite(part).all(-1)][0].tolist()
        raise ImageError(f"Sample: {name} must be finite.", f"{bad}", "leave it out, or repair the annotation.")


def _check_places(sample: Sample, boxes: np.ndarray) -> None:
    """Boxes that count run from left to right and top to bottom, and touch their image."""
    image = sample.image
    sizes = image.sizes if isinstance(image, PaddedImages) else np.array(image.shape[-3:-1])
    if not isinstance(sizes, np.ndarray):
        return
    height, width = (sizes[..., axis, None] for axis in (0, 1))
    left, top, right, bottom = np.moveaxis(boxes, -1, 0)
    counts = np.ones(left.shape, bool) if sample.valid is None else np.asarray(sample.valid)
    outside = (left >= width) | (top >= height) | (right <= 0) | (bottom <= 0)
    for wrong, expected, fix in (
        (
            (right < left) | (bottom < top),
            "run from left, top to right, bottom",
            "convert xywh boxes with ConvertBoxes.",
        ),
        (outside, "touch the image", "leave it out, or check that boxes are in pixels and in x, y order."),
    ):
        if (wrong & counts).any():
            place = tuple(int(i) for i in np.argwhere(wrong & counts)[0])
            raise ImageError(f"Sample: a box must {expected}.", f"box {place}: {boxes[place].tolist()}", fix)
