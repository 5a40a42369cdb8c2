"""Crop, centre crop, pad and flip as edits of a `Geometry`: each copies pixels, none weighs them."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

import jax.numpy as jnp

from e2e_jax.errors import ImageError
from e2e_jax.ops.axis import Axis
from e2e_jax.ops.extend import Extend, Extension
from e2e_jax.ops.plans import Geometry, Plan
from e2e_jax.ops.sizes import Extents, Size, is_static, value
from e2e_jax.types import Array

type Rounding = Literal["half_even", "floor", "half_up"]
type Direction = Literal["horizontal", "vertical"]
type PadMode = Literal["constant"] | Extension
ROUNDINGS: tuple[str, ...] = get_args(Rounding.__value__)
DIRECTIONS: tuple[str, ...] = get_args(Direction.__value__)


def crop_plan(
    top: Size, left: Size, height: Size, width: Size, *, padding: bool = False, fill: tuple[float, ...] = (0,)
) -> Plan:
    """See `e2e_jax.ops.geometry.crop`; a traced window keeps the room of the image it is cut from."""

    def plan(geometry: Geometry) -> Geometry:
        ends = (geometry.rows.size - top - height, geometry.cols.size - left - width)
        if not padding and any(is_static(spare) and spare < 0 for spare in (*ends, top, left)):
            raise _too_small("Crop", geometry, f"top={top}, left={left}, height={height}, width={width}")
        rows = geometry.rows.select(offset=top, size=height, capacity=geometry.rows.capacity)
        cols = geometry.cols.select(offset=left, size=width, capacity=geometry.cols.capacity)
        fills = geometry.fills | {fill} if padding else geometry.fills
        return dataclasses.replace(geometry, rows=rows, cols=cols, fills=fills)

    return plan


def center_crop_plan(
    height: int,
    width: int,
    *,
    rounding: Rounding = "half_even",
    padding: bool = True,
    fill: tuple[float, ...] = (0,),
) -> Plan:
    """See `e2e_jax.ops.geometry.center_crop`."""

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


def pad_plan(
    left: Size,
    top: Size,
    right: Size,
    bottom: Size,
    *,
    fill: tuple[float, ...] = (0,),
    mode: PadMode = "constant",
    room: Extents | None = None,
) -> Plan:
    """See `e2e_jax.ops.geometry.pad`; ``room`` is the greatest height and width where the borders are traced."""

    def plan(geometry: Geometry) -> Geometry:
        rows = _padded(geometry.rows, top, bottom, mode, room and room[0])
        cols = _padded(geometry.cols, left, right, mode, room and room[1])
        fills = geometry.fills | {fill} if mode == "constant" else geometry.fills
        return dataclasses.replace(geometry, rows=rows, cols=cols, fills=fills)

    return plan


def _padded(axis: Axis, before: Size, after: Size, mode: PadMode, room: Size | None) -> Axis:
    more = before + after
    capacity = room if room is not None or axis.capacity is None else axis.capacity + more
    padded = axis.select(offset=-before, size=axis.size + more, capacity=capacity)
    if mode == "constant":
        return padded
    extended = Extend(-before, 1, axis.size, mode)
    return dataclasses.replace(padded, edits=(*axis.edits, extended))


def corner_crop_plan(height: int, width: int, *, bottom: bool, right: bool) -> Plan:
    """Cuts out a corner; the image must be large enough."""

    def plan(geometry: Geometry) -> Geometry:
        top = geometry.rows.size - height if bottom else 0
        left = geometry.cols.size - width if right else 0
        return crop_plan(top, left, height, width)(geometry)

    return plan


def flip_plan(direction: Direction, *, when: bool | Array = True) -> Plan:
    """See `e2e_jax.ops.geometry.flip`; ``when`` may be a traced bool."""

    def plan(geometry: Geometry) -> Geometry:
        if direction == "horizontal":
            return dataclasses.replace(geometry, cols=_mirrored(geometry.cols, when))
        return dataclasses.replace(geometry, rows=_mirrored(geometry.rows, when))

    return plan


def _mirrored(axis: Axis, when: bool | Array) -> Axis:
    last = value(axis.size - 1)
    if isinstance(when, bool):
        return axis.select(offset=last, step=-1, size=axis.size, capacity=axis.capacity) if when else axis
    offset, step = jnp.where(when, last, 0), jnp.where(when, -1, 1)
    return axis.select(offset=offset, step=step, size=axis.size, capacity=axis.capacity)


def _too_small(step: str, geometry: Geometry, window: str) -> ImageError:
    return ImageError(
        f"{step}: the window must lie inside the image.",
        f"{window}, image {geometry.rows.size}x{geometry.cols.size} (height x width)",
        f"resize first, or pass padding=True to {step} to fill what lies outside.",
    )
