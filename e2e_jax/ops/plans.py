"""Geometry as a pair of axis plans that edits accumulate in; consecutive edits are one resampling.

Each ``*_plan`` function edits a `Geometry` and touches no pixel; `transform` carries a list of them out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal, get_args

import jax
import jax.numpy as jnp

from e2e_jax.errors import ConfigError
from e2e_jax.ops.axis import Axis, Size, is_dimension, value
from e2e_jax.ops.resample import resample
from e2e_jax.types import Array

type Method = Literal["nearest", "bilinear", "bicubic", "lanczos", "area"]
type Numerics = Literal["pillow", "pillow13"]
METHODS: tuple[str, ...] = get_args(Method.__value__)
NUMERICS: tuple[str, ...] = get_args(Numerics.__value__)


@dataclasses.dataclass(frozen=True)
class Geometry:
    """Where the pixels of an image come from: a plan per axis, the fill outside, and which pass runs first.

    ``discrete`` says that pixels are classes, which no filter may mix and no colour may fill.
    """

    rows: Axis
    cols: Axis
    fills: frozenset[tuple[float, ...]] = frozenset()
    rows_first: bool | Array = False
    discrete: bool = False

    @classmethod
    def of(
        cls, height: Size, width: Size, capacity: tuple[Size, Size] | None = None, *, discrete: bool = False
    ) -> Geometry:
        """The untouched image; ``capacity`` is the array's extent where the image fills it only partly."""
        tall, wide = capacity if capacity else (None, None)
        return cls(Axis.of(height, tall), Axis.of(width, wide), discrete=discrete)

    @property
    def size(self) -> tuple[Size, Size]:
        """Height and width after the edits."""
        return self.rows.size, self.cols.size

    @property
    def fits_one_pass(self) -> bool:
        """Whether one gather per axis can do it: pixels are weighed at most once, and one fill value serves."""
        one_fill = self.discrete or len(self.fills) <= 1
        return max(self.rows.resamplings, self.cols.resamplings) <= 1 and one_fill


type Plan = Callable[[Geometry], Geometry]


def transform(
    image: Array, plans: Sequence[Plan], *, size: Array | None = None, discrete: bool = False
) -> tuple[Array, tuple[Size, Size]]:
    """Carries out geometric edits with as few resamplings as give the same pixels.

    Args:
        image: ``(..., H, W, C)``; with ``size``, one image ``(H, W, C)`` in the top left corner of its array.
        plans: Edits, first to last.
        size: ``(2,)`` int32 height and width of the image inside the array; the whole array if absent.
        discrete: Whether the pixels are classes: resizes take the nearest, outside is 0.

    Returns:
        The edited image and its height and width, ints where they are known at trace time.

    Example:
        >>> import numpy as np
        >>> halved, size = transform(np.eye(4, dtype=np.uint8)[..., None], [resize_plan((2, 2), method="area")])
        >>> halved[..., 0].tolist(), size
        ([[1, 0], [0, 1]], (2, 2))
    """
    geometry = _start(image, size, discrete)
    for plan in plans:
        planned = plan(geometry)
        if not planned.fits_one_pass:
            image = _carry_out(image, geometry)
            planned = plan(Geometry.of(*geometry.size, image.shape[-3:-1], discrete=discrete))
        geometry = planned
    return _carry_out(image, geometry), geometry.size


def _start(image: Array, size: Array | None, discrete: bool) -> Geometry:
    height, width = image.shape[-3:-1]
    if size is not None:
        return Geometry.of(size[0], size[1], (height, width), discrete=discrete)
    return Geometry.of(height, width, discrete=discrete)


def _carry_out(image: Array, geometry: Geometry) -> Array:
    for axis in (geometry.rows, geometry.cols):
        if axis.capacity is None:
            raise ConfigError(
                "Resize: images of different sizes need a bound on their resized size.",
                "a shorter-edge resize without max_size at the end of the pipeline",
                "add CenterCrop or Crop after it, or give Resize a max_size.",
            )
    (fill,) = {(0,)} if geometry.discrete or not geometry.fills else geometry.fills
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
        kernel = "nearest" if geometry.discrete else method
        rows, cols = (
            axis.resample(new[i], method=kernel, antialias=antialias, bound=bounds[i], capacity=room[i])
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
