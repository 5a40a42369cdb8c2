"""Colours of a picture in an ONNX graph: grey, other channels, the negative, factors of light and contrast."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from e2e_jax.graphs.picture import CHANNELS, COLS, ROWS, Picture, no_form
from e2e_jax.ops.color import BITS, OPENCV_BITS, OPENCV_LUMA, PILLOW_BITS, PILLOW_LUMA, REC601, TORCH_LUMA
from e2e_jax.ops.enhance import CURVES
from e2e_jax.ops.levels import WHITE

#: Numerics to weights of red, green and blue in whole numbers, and the bits of their sum.
LUMA = {"pillow": (PILLOW_LUMA, PILLOW_BITS), "opencv": (OPENCV_LUMA, OPENCV_BITS)}


def luma(picture: Picture, numerics: str, step: str) -> Picture:
    """As `e2e_jax.ops.color.luma`, with an axis for the one channel: int32 for bytes, else float32."""
    if not picture.is_bytes:
        weights: Sequence[float] = TORCH_LUMA if numerics in ("torch", "tf") else REC601
        return _sum(picture.apply("Mul", picture.constant(weights)), [CHANNELS])
    if numerics not in LUMA:
        raise no_form(step, f"numerics={numerics!r} on bytes")
    whole, (levels, bits) = picture.astype("int32"), LUMA[numerics]
    total = _sum(whole.apply("Mul", whole.constant(levels)), [CHANNELS])
    return total.apply("Add", whole.constant(1 << (bits - 1))).apply("Div", whole.constant(1 << bits))


def _sum(picture: Picture, axes: list[int]) -> Picture:
    total = picture.apply("ReduceSum", picture.graph.constant(axes, "int64"))
    return dataclasses.replace(total, channels=1) if CHANNELS in axes else total


def grayscale(picture: Picture, channels: int, numerics: str) -> Picture:
    """As `e2e_jax.ops.color.grayscale`."""
    if picture.channels == 3:
        picture = luma(picture, numerics, "Grayscale").astype(picture.dtype)
    return selected(picture, (0,) * channels)


def selected(picture: Picture, order: Sequence[int]) -> Picture:
    """Channels by their number, in that order."""
    if tuple(order) == tuple(range(picture.channels)):
        return picture
    places = picture.graph.constant(order, "int64")
    return dataclasses.replace(picture.apply("Gather", places, axis=CHANNELS), channels=len(order))


def inverted(picture: Picture) -> Picture:
    """As `e2e_jax.ops.color.invert`: of bytes all bits are turned."""
    if picture.is_bytes:
        return picture.apply("BitwiseNot")
    return picture.apply("Neg").apply("Add", picture.constant(1))


def posterized(picture: Picture, bits: int) -> Picture:
    """As `e2e_jax.ops.color.posterize`."""
    steps = 1 << bits
    if picture.is_bytes:
        return picture.apply("BitwiseAnd", picture.constant((steps - 1) << (BITS - bits)))
    levels = picture.apply("Mul", picture.constant(steps)).apply("Floor")
    ends = (picture.constant(n) for n in (0, steps - 1))
    return levels.apply("Clip", *ends).apply("Div", picture.constant(steps))


def solarized(picture: Picture, threshold: float) -> Picture:
    """As `e2e_jax.ops.color.solarize`."""
    levels = picture.astype("float32")
    bright = levels.apply("GreaterOrEqual", levels.constant(threshold), dtype="bool")
    return bright.apply("Where", inverted(picture).name, picture.name, dtype=picture.dtype)


def blended(picture: Picture, dull: Picture | None, factor: float) -> Picture:
    """As `e2e_jax.ops.enhance.blend` by Pillow; without ``dull`` from black."""
    floats = picture.astype("float32")
    most = WHITE if picture.is_bytes else 1
    times = floats.constant(factor)
    if dull is None:
        moved = floats.apply("Mul", times)
    else:
        base = dull.astype("float32")
        moved = floats.apply("Sub", base.name).apply("Mul", times).apply("Add", base.name)
    return moved.apply("Clip", *(floats.constant(n) for n in (0, most))).astype(picture.dtype)


def contrasted(picture: Picture, factor: float, numerics: str) -> Picture:
    """As `e2e_jax.ops.enhance.contrast` by Pillow, or of floats."""
    if numerics == "tf" or (picture.is_bytes and numerics != "pillow"):
        raise no_form("Contrast", f"numerics={numerics!r} on {picture.dtype}")
    grey = luma(picture, numerics, "Contrast") if picture.channels == 3 else picture
    return blended(picture, _mean(grey, rounds=picture.is_bytes), factor)


def _mean(grey: Picture, *, rounds: bool) -> Picture:
    """Of all pixels ``(n, 1, 1, 1)``; of levels rounded half up."""
    if not rounds:
        return grey.apply("ReduceMean", grey.graph.constant([ROWS, COLS], "int64"))
    total = _sum(grey.astype("int64"), [ROWS, COLS])
    count = grey.xp.row(grey.height) * grey.xp.row(grey.width)
    twice = total.apply("Mul", total.constant(2)).apply("Add", count.name)
    return twice.apply("Div", (count * 2).name)


def saturation(picture: Picture, factor: float, numerics: str) -> Picture:
    """As `e2e_jax.ops.enhance.saturation` by Pillow, or of floats."""
    if picture.channels == 1:
        return picture
    if numerics == "tf":
        raise no_form("Saturation", f"numerics={numerics!r}")
    return blended(picture, luma(picture, numerics, "Saturation"), factor)


def curved(picture: Picture, power: float, gain: float, numerics: str) -> Picture:
    """As `e2e_jax.ops.enhance.gamma` of bytes: a table of 256 levels."""
    if not picture.is_bytes:
        raise no_form("Gamma", f"a picture of {picture.dtype}")
    levels = np.clip(np.floor(CURVES[numerics](np, power, gain)), 0, WHITE)
    table = picture.graph.constant(levels, "uint8")
    name = picture.graph.add("Gather", table, picture.astype("int32").name)
    return dataclasses.replace(picture, name=name)
