"""Geometry as a pair of axis plans that edits accumulate in; consecutive edits are one resampling.

Each ``*_plan`` function edits a `Geometry` and touches no pixel; `transform` carries a list of them out.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from e2e_jax.errors import ConfigError
from e2e_jax.ops.axis import Axis
from e2e_jax.ops.dialects import Method, Numerics, antialiases, interpolation
from e2e_jax.ops.resample import resample
from e2e_jax.ops.sizes import Extents, Scaling, Size, is_dimension, is_static, value
from e2e_jax.types import Array


@dataclasses.dataclass(frozen=True)
class Geometry:
    """Where the pixels of an image come from: a plan per axis, the fill outside, and which pass runs first.

    ``discrete`` says that pixels are classes, which no filter may mix and no colour may fill.
    """

    rows: Axis
    cols: Axis
    fills: frozenset[tuple[float, ...]] = frozenset()
    rows_first: bool | Array = False
    resizes: int = 0
    discrete: bool = False

    @classmethod
    def of(cls, height: Size, width: Size, capacity: Extents | None = None, *, discrete: bool = False) -> Geometry:
        """The untouched image; ``capacity`` is the array's extent where the image fills it only partly."""
        tall, wide = capacity if capacity else (None, None)
        return cls(Axis.of(height, tall), Axis.of(width, wide), discrete=discrete)

    @property
    def size(self) -> Extents:
        """Height and width after the edits."""
        return self.rows.size, self.cols.size

    @property
    def room(self) -> Extents:
        """Greatest height and width.

        Raises:
            ConfigError: An earlier step leaves no bound.
        """
        if self.rows.capacity is None or self.cols.capacity is None:
            raise _unbounded()
        return self.rows.capacity, self.cols.capacity

    @property
    def fits_one_pass(self) -> bool:
        """Whether one gather per axis can do it: pixels are weighed at most once, and one fill value serves."""
        one_fill = self.discrete or len(self.fills) <= 1
        return self.resizes <= 1 and one_fill


type Plan = Callable[[Geometry], Geometry]


class Fit(NamedTuple):
    """What a resize by a rule of its own comes to, rows and columns.

    Args:
        size: Height and width afterwards.
        bounds: Numerator and denominator of a scale that each axis never exceeds.
        room: Greatest height and width, ``None`` where there is none.
    """

    size: Extents
    bounds: tuple[Extents, Extents]
    room: tuple[Size | None, Size | None]


type Fitting = Callable[[Geometry], Fit]


def transform(
    image: Array, plans: Sequence[Plan], *, size: Array | None = None, discrete: bool = False
) -> tuple[Array, Extents]:
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


def _unbounded() -> ConfigError:
    return ConfigError(
        "Resize: images of different sizes need a bound on their resized size.",
        "a shorter-edge resize without max_size at the end of the pipeline",
        "add CenterCrop or Crop after it, or give Resize a max_size.",
    )


def _carry_out(image: Array, geometry: Geometry) -> Array:
    if geometry.rows.capacity is None or geometry.cols.capacity is None:
        raise _unbounded()
    (fill,) = {(0,)} if geometry.discrete or not geometry.fills else geometry.fills
    return resample(image, rows=geometry.rows, cols=geometry.cols, fill=fill, rows_first=geometry.rows_first)


def resize_plan(
    size: int | tuple[int, int] | Fitting,
    *,
    max_size: int | None = None,
    method: Method = "bilinear",
    antialias: bool | None = None,
    numerics: Numerics = "pillow",
) -> Plan:
    """See `e2e_jax.ops.geometry.resize`; a rule of another kind may be given as the size."""
    widens = antialiases(antialias, numerics=numerics)
    kernel, nearest = (interpolation(method=m, numerics=numerics) for m in (method, "nearest"))

    def plan(geometry: Geometry) -> Geometry:
        rule = nearest if geometry.discrete else kernel
        size_before, axes = geometry.size, (geometry.rows, geometry.cols)
        new, bounds, room = _resized(geometry, size, max_size, numerics)
        if all(is_static(n) and n == m for n, m in zip(size_before, new, strict=True)):
            return geometry
        scalings = [Scaling(n, m, b) for n, m, b in zip(size_before, new, bounds, strict=True)]
        rows, cols = (
            axes[i].resample(scalings[i], rule=rule, antialias=widens, across=scalings[1 - i], capacity=room[i])
            for i in (0, 1)
        )
        rows_first = rule.rows_first or numerics == "pillow13" and _pillow13_rows_first(*size_before, *new)
        return dataclasses.replace(
            geometry, rows=rows, cols=cols, rows_first=rows_first, resizes=geometry.resizes + 1
        )

    return plan


def _pillow13_rows_first(height: Size, width: Size, new_height: Size, new_width: Size) -> bool | Array:
    """Pillow 13, ImagingResampleInner: rows first if the height shrinks, and by over twice what the width does."""
    down, across = value(height - new_height), value(width - new_width)
    return (down > 0) & (down > across * 2)


def _resized(
    geometry: Geometry, size: int | tuple[int, int] | Fitting, max_size: int | None, numerics: Numerics
) -> Fit:
    """New height and width, each axis' greatest possible scale, and the room the result needs."""
    room = (geometry.rows.capacity, geometry.cols.capacity)
    if isinstance(size, tuple):
        return Fit(size, ((room[0], size[0]), (room[1], size[1])), size)
    if callable(size):
        return size(geometry)
    new = shorter_edge(*geometry.size, size=size, max_size=max_size, numerics=numerics)
    bound = _shorter_edge_bound(room, size, max_size)
    return Fit(new, (bound, bound), (max_size, max_size))


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


def shorter_edge(
    height: Size, width: Size, *, size: int, max_size: int | None = None, numerics: Numerics = "pillow"
) -> Extents:
    """Height and width once the shorter edge has ``size`` pixels.

    Args:
        height: Pixels, an int or a traced int32.
        width: Pixels, likewise.
        size: Of the shorter edge, in pixels.
        max_size: Upper limit of the longer edge; the shorter one gives way. No edge falls below one pixel.
        numerics: ``"tf"`` rounds the other edge half to even; all others truncate it.

    Returns:
        ``(height, width)``, ints for ints.

    Source:
        torchvision 0.29, ``_compute_resized_output_size``, in integer arithmetic; MXNet's ``size * h // w`` is the
        same. For TensorFlow ``tf.round`` of the edge times the ratio, as big_vision's ``resize_small`` has it.

    Example:
        >>> shorter_edge(300, 400, size=256), shorter_edge(300, 400, size=256, max_size=300)
        ((256, 341), (225, 300))
    """
    dimensions = is_dimension(height) and is_dimension(width)
    least, most = (jax.core.min_dim, jax.core.max_dim) if dimensions else (jnp.minimum, jnp.maximum)
    divided = _half_even if numerics == "tf" else operator.floordiv
    tall, wide = divided(size * height, width), divided(size * width, height)
    short: Size = size  # one of the two is the long edge, or both are size
    long = most(tall, wide)
    if max_size is not None:
        short = least(size, most(max_size * size // long, 1))
        long = least(long, max_size)
    return least(most(tall, short), long), least(most(wide, short), long)


def _half_even(numerator: Size, denominator: Size) -> Size:
    """The quotient rounded; a tie goes down where the floor is even. Symbolic sizes cannot be compared."""
    return (2 * numerator + denominator - 1 + numerator // denominator % 2) // (2 * denominator)
