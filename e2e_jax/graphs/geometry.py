"""Crops, borders and flips of a picture in an ONNX graph; sizes that are not known yet are computed there."""

from __future__ import annotations

import dataclasses

import numpy as np

from e2e_jax.graphs.numbers import Size
from e2e_jax.graphs.picture import CHANNELS, COLS, ROWS, Picture
from e2e_jax.ops.extend import inside
from e2e_jax.ops.fill import fill_levels

LAST = np.iinfo(np.int64).min  # where a slice ends that runs backwards to the first element


def window(
    picture: Picture, top: Size, left: Size, height: Size, width: Size, fill: tuple[float, ...] | None = None
) -> Picture:
    """Rows from ``top``, columns from ``left``; with ``fill`` the window may leave the picture.

    Example:
        >>> from e2e_jax.graphs.graph import Graph
        >>> cut = window(Picture.of(Graph(), "x", channels=3, dtype="uint8"), 0, 1, 8, 9)
        >>> cut.height, cut.width
        (8, 9)
    """
    xp = picture.xp
    if fill is not None:
        most = xp.maximum
        before = (most(-top, 0), most(-left, 0))
        after = (most(top + height - picture.height, 0), most(left + width - picture.width, 0))
        picture = bordered(picture, before, after, fill)
        top, left = top + before[0], left + before[1]
    starts, ends = xp.together(top, left), xp.together(top + height, left + width)
    axes = picture.graph.constant([ROWS, COLS], "int64")
    return picture.with_size(height, width, picture.graph.add("Slice", picture.name, starts, ends, axes))


def bordered(
    picture: Picture, before: tuple[Size, Size], after: tuple[Size, Size], fill: tuple[float, ...]
) -> Picture:
    """With rows and columns of one colour before and after.

    All axes are named: ONNX Runtime 1.32 mistakes the others for them where it moves a Transpose past a Pad.
    """
    if all(isinstance(n, int) and n == 0 for n in (*before, *after)):
        return picture
    pads = picture.xp.together(0, *before, 0, 0, *after, 0)  # before and after (n, h, w, c)
    levels = fill_levels(fill, picture.channels, np.dtype(picture.dtype)).tolist()
    if len(set(levels)) == 1:
        name = picture.graph.add("Pad", picture.name, pads, picture.constant(levels[0]))
    else:
        name = _by_channel(picture, pads, levels)
    height, width = (n + low + high for n, low, high in zip(_size(picture), before, after, strict=True))
    return picture.with_size(height, width, name)


def _size(picture: Picture) -> tuple[Size, Size]:
    return picture.height, picture.width


def _by_channel(picture: Picture, pads: str, levels: list[float]) -> str:
    """ONNX's Pad has one value for all channels."""
    add = picture.graph.add
    planes = []
    for channel, level in enumerate(levels):
        place = picture.graph.constant([channel], "int64")
        plane = add("Gather", picture.name, place, axis=CHANNELS)  # (n, h, w, 1)
        planes.append(add("Pad", plane, pads, picture.constant(level)))
    return add("Concat", *planes, axis=CHANNELS)


def extended(picture: Picture, before: tuple[int, int], after: tuple[int, int], mode: str) -> Picture:
    """With a border of the picture's own pixels, however wide it is: ONNX's Pad mirrors once at most."""
    xp = picture.xp
    height, width = (n + low + high for n, low, high in zip(_size(picture), before, after, strict=True))
    for axis, size, low, high in zip((ROWS, COLS), _size(picture), before, after, strict=True):
        place = inside(xp, xp.arange(-low, size + high), xp.row(size), mode)
        picture = taken(picture, place.name, axis)
    return picture.with_size(height, width)


def taken(picture: Picture, places: str, axis: int) -> Picture:
    """Rows or columns by their number."""
    return dataclasses.replace(picture, name=picture.graph.add("Gather", picture.name, places, axis=axis))


def flipped(picture: Picture, axis: int) -> Picture:
    """In reverse order along an axis."""
    ends = ([-1], [LAST], [axis], [-1])  # starts, ends, axes, steps
    return picture.apply("Slice", *(picture.graph.constant(n, "int64") for n in ends))
