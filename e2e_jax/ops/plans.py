"""Resize, crop, pad and flip as edits of a `Geometry`, a pair of axis plans: consecutive ones are one resampling.

Each ``*_plan`` function edits a `Geometry` and touches no pixel; `transform` carries a list of them out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal, get_args

import jax
import jax.numpy as jnp

from e2e_jax.errors import ConfigError, ImageError
from e2e_jax.ops.axis import Axis, Size, is_dimension, is_static, value
from e2e_jax.ops.resample import resample
from e2e_jax.types import Array

type Method = Literal["nearest", "bilinear", "bicubic", "lanczos", "area"]
type Numerics = Literal["pillow", "pillow13"]
type Rounding = Literal["half_even", "floor", "half_up"]
METHODS: tuple[str, ...] = get_args(Method.__value__)
NUMERICS: tuple[str, ...] = get_args(Numerics.__value__)
ROUNDINGS: tuple[str, ...] = get_args(Rounding.__value__)


@dataclasses.dataclass(frozen=True)
class Geometry:
    """Where the pixels of an image come from: a plan per axis, the fill outside, and which pass runs first."""

    rows: Axis
    cols: Axis
    fills: frozenset[tuple[float, ...]] = frozenset()
    rows_first: bool | Array = False

    @classmethod
    def of(cls, height: Size, width: Size, capacity: tuple[Size, Size] | None = None) -> Geometry:
        """The untouched image; ``capacity`` is the array's extent where the image fills it only partly."""
        tall, wide = capacity if capacity else (None, None)
        return cls(Axis.of(height, tall), Axis.of(width, wide))

    @property
    def size(self) -> tuple[Size, Size]:
        """Height and width after the edits."""
        return self.rows.size, self.cols.size

    @property
    def fits_one_pass(self) -> bool:
        """Whether one gather per axis can do it: pixels are weighed at most once, and one fill value serves."""
        return max(self.rows.resamplings, self.cols.resamplings) <= 1 and len(self.fills) <= 1


type Plan = Callable[[Geometry], Geometry]


def transform(image: Array, plans: Sequence[Plan], *, size: Array | None = None) -> tuple[Array, tuple[Size, Size]]:
    """Carries out geometric edits with as few resamplings as give the same pixels.

    Args:
        image: ``(..., H, W, C)``; with ``size``, one image ``(H, W, C)`` in the top left corner of its array.
        plans: Edits, first to last.
        size: ``(2,)`` int32 height and width of the image inside the array; the whole array if absent.

    Returns:
        The edited image and its height and width, ints where they are known at trace time.

    Example:
        >>> import numpy as np
        >>> flipped, size = transform(np.eye(3, 4, dtype=np.uint8)[..., None], [flip_plan("horizontal")])
        >>> flipped[0, :, 0].tolist(), size
        ([0, 0, 0, 1], (3, 4))
    """
    geometry = _start(image, size)
    for plan in plans:
        planned = plan(geometry)
        if not planned.fits_one_pass:
            image = _carry_out(image, geometry)
            planned = plan(Geometry.of(*geometry.size, image.shape[-3:-1]))
        geometry = planned
    return _carry_out(image, geometry), geometry.size


def _start(image: Array, size: Array | None) -> Geometry:
    height, width = image.shape[-3:-1]
    if size is not None:
        return Geometry.of(size[0], size[1], (height, width))
    return Geometry.of(height, width)


def _carry_out(image: Array, geometry: Geometry) -> Array:
    for axis in (geometry.rows, geometry.cols):
        if axis.capacity is None:
            raise ConfigError(
                "Resize: images of different sizes need a bound on their resized size.",
                "a shorter-edge resize without max_size at the end of the pipeline",
                "add CenterCrop or Crop after it, or give Resize a max_size.",
            )
    (fill,) = geometry.fills or {(0,)}
    return resample(image, rows=geometry.rows, cols=geometry.cols, fill=fill, rows_first=geometry.rows_first)


def resize_plan(
    size: int | tuple[int, int],
    *,
    max_size: int | None = None,
    method: Method = "bilinear",
    antialias: bool = True,
    numerics: Numerics = "pillow",
) -> Plan:
    """See `resize`."""

    def plan(geometry: Geometry) -> Geometry:
        height, width = geometry.size
        new, bounds, room = _resized(geometry, size, max_size)
        rows, cols = (
            axis.resample(new[i], method=method, antialias=antialias, bound=bounds[i], capacity=room[i])
            for i, axis in enumerate((geometry.rows, geometry.cols))
        )
        rows_first = numerics == "pillow13" and _pillow13_rows_first(height, width, *new)
        return dataclasses.replace(geometry, rows=rows, cols=cols, rows_first=rows_first)

    return plan


def _pillow13_rows_first(height: Size, width: Size, new_height: Size, new_width: Size) -> bool | Array:
    """Pillow 13, ImagingResampleInner: rows first if the height shrinks, and by over twice what the width does."""
    down, across = value(height - new_height), value(width - new_width)
    return (down > 0) & (down > across * 2)


type Extents = tuple[Size, Size]


def _resized(
    geometry: Geometry, size: int | tuple[int, int], max_size: int | None
) -> tuple[Extents, tuple[Extents, Extents], tuple[Size | None, Size | None]]:
    """New height and width, each axis' greatest possible scale, and the room the result needs."""
    room = (geometry.rows.capacity, geometry.cols.capacity)
    if isinstance(size, tuple):
        return size, ((room[0], size[0]), (room[1], size[1])), size
    new = shorter_edge(*geometry.size, size=size, max_size=max_size)
    bound = _shorter_edge_bound(room, size, max_size)
    return new, (bound, bound), (max_size, max_size)


def _shorter_edge_bound(room: Extents, size: int, max_size: int | None) -> Extents:
    """A scale that `shorter_edge` never exceeds for images that fit in ``room``, as numerator and denominator.

    The long edge becomes floor(x) with x >= size, and floor(x) >= x * size / (size + 1). Where max_size cuts it,
    the long edge shrinks by long / max_size, and flooring at most doubles that for the short one.
    """
    shortest, longest = jax.core.min_dim(*room), jax.core.max_dim(*room)
    if max_size is None:
        return shortest * (size + 1), size * size
    cut, uncut = 2 * longest * size * size, shortest * (size + 1) * max_size
    return jax.core.max_dim(cut, uncut), size * size * max_size


def shorter_edge(height: Size, width: Size, *, size: int, max_size: int | None = None) -> Extents:
    """Height and width once the shorter edge has ``size`` pixels, the other edge truncated.

    Args:
        height: Pixels, an int or a traced int32.
        width: Pixels, likewise.
        size: Of the shorter edge, in pixels.
        max_size: Upper limit of the longer edge; the shorter one gives way. No edge falls below one pixel.

    Returns:
        ``(height, width)``, ints for ints.

    Source:
        torchvision 0.29, ``_compute_resized_output_size``, in integer arithmetic.

    Example:
        >>> shorter_edge(300, 400, size=256), shorter_edge(300, 400, size=256, max_size=300)
        ((256, 341), (225, 300))
    """
    dimensions = is_dimension(height) and is_dimension(width)
    least, most = (jax.core.min_dim, jax.core.max_dim) if dimensions else (jnp.minimum, jnp.maximum)
    tall, wide = size * height // width, size * width // height  # one of them is the long edge, or both are size
    short: Size = size
    long = most(tall, wide)
    if max_size is not None:
        short = least(size, most(max_size * size // long, 1))
        long = least(long, max_size)
    return least(most(tall, short), long), least(most(wide, short), long)


def crop_plan(
    top: int, left: int, height: int, width: int, *, padding: bool = False, fill: tuple[float, ...] = (0,)
) -> Plan:
    """See `crop`."""

    def plan(geometry: Geometry) -> Geometry:
        spare = (geometry.rows.size - (top + height), geometry.cols.size - (left + width))
        if not padding and any(is_static(s) and s < 0 for s in spare):
            raise _too_small("Crop", geometry, f"top={top}, left={left}, height={height}, width={width}")
        rows = geometry.rows.select(offset=top, size=height)
        cols = geometry.cols.select(offset=left, size=width)
        return dataclasses.replace(geometry, rows=rows, cols=cols, fills=geometry.fills | {fill})

    return plan


def center_crop_plan(
    height: int,
    width: int,
    *,
    rounding: Rounding = "half_even",
    padding: bool = True,
    fill: tuple[float, ...] = (0,),
) -> Plan:
    """See `center_crop`."""

    def plan(geometry: Geometry) -> Geometry:
        rows, cols = geometry.rows, geometry.cols
        if not padding and (
            (is_static(rows.size) and rows.size < height) or (is_static(cols.size) and cols.size < width)
        ):
            raise _too_small("CenterCrop", geometry, f"height={height}, width={width}")
        rows = rows.select(offset=center_offset(rows.size - height, rounding=rounding), size=height)
        cols = cols.select(offset=center_offset(cols.size - width, rounding=rounding), size=width)
        return dataclasses.replace(geometry, rows=rows, cols=cols, fills=geometry.fills | {fill})

    return plan


def center_offset(difference: Size, *, rounding: Rounding) -> Size:
    """Where a centred window starts, for an image ``difference`` pixels longer than the window.

    Args:
        difference: Image minus window, in pixels; an int or a traced int32. Negative where the image is padded.
        rounding: ``"half_even"`` rounds half of it as Python's round (torchvision); ``"floor"`` cuts it (Keras,
            Hugging Face's slow path, MXNet); ``"half_up"`` rounds halves up (DALI).

    Returns:
        Pixels; where the image is smaller, minus the padding before it, ``-(-difference // 2)``.

    Source:
        torchvision 0.29 ``center_crop``: ``int(round(difference / 2.0))``, left padding ``(window - image) // 2``.

    Example:
        >>> [center_offset(d, rounding="half_even") for d in (1, 3, 5, 7, -3)]
        [0, 2, 2, 4, -1]
    """
    difference = value(difference)
    half = difference >> 1
    if rounding == "half_even":
        cropped = (difference + (half & 1)) >> 1
    else:
        cropped = half if rounding == "floor" else (difference + 1) >> 1
    padded = -((-difference) // 2)
    if is_static(difference):
        return cropped if difference >= 0 else padded
    return jnp.where(difference >= 0, cropped, padded)


def pad_plan(left: int, top: int, right: int, bottom: int, *, fill: tuple[float, ...] = (0,)) -> Plan:
    """See `pad`."""

    def plan(geometry: Geometry) -> Geometry:
        rows = _padded(geometry.rows, top, bottom)
        cols = _padded(geometry.cols, left, right)
        return dataclasses.replace(geometry, rows=rows, cols=cols, fills=geometry.fills | {fill})

    return plan


def _padded(axis: Axis, before: int, after: int) -> Axis:
    more = before + after
    return axis.select(offset=-before, size=axis.size + more, capacity=_grown(axis.capacity, more))


def _grown(capacity: Size | None, more: int) -> Size | None:
    return None if capacity is None else capacity + more


def flip_plan(direction: Literal["horizontal", "vertical"]) -> Plan:
    """See `flip`."""

    def plan(geometry: Geometry) -> Geometry:
        if direction == "horizontal":
            return dataclasses.replace(geometry, cols=_mirrored(geometry.cols))
        return dataclasses.replace(geometry, rows=_mirrored(geometry.rows))

    return plan


def _mirrored(axis: Axis) -> Axis:
    return axis.select(offset=axis.size - 1, step=-1, size=axis.size, capacity=axis.capacity)


def _too_small(step: str, geometry: Geometry, window: str) -> ImageError:
    return ImageError(
        f"{step}: the window must lie inside the image.",
        f"{window}, image {geometry.rows.size}x{geometry.cols.size} (height x width)",
        f"resize first, or pass padding=True to {step} to fill what lies outside.",
    )
