"""What happens to values of a picture in an ONNX graph: scale, normalise, cast, reorder axes."""

from __future__ import annotations

import dataclasses

import numpy as np

from e2e_jax.graphs.picture import Picture, no_form
from e2e_jax.ops.values import BYTE_MAX, MULTIPLIES


def unit(picture: Picture, numerics: str) -> Picture:
    """As `e2e_jax.ops.values.to_tensor`."""
    if not picture.is_bytes and not picture.dtype.endswith(("float16", "float32")):
        raise no_form("ToTensor", f"a picture of {picture.dtype}")
    floats = picture.astype("float32")
    if not picture.is_bytes:
        return floats
    if numerics in MULTIPLIES:
        return floats.apply("Mul", floats.constant(1 / BYTE_MAX))
    return floats.apply("Div", floats.constant(BYTE_MAX))


def normalized(picture: Picture, mean: tuple[float, ...], std: tuple[float, ...]) -> Picture:
    """As `e2e_jax.ops.values.normalize`: two correctly rounded operations in single precision."""
    floats = picture.astype("float32")
    return floats.apply("Sub", floats.constant(mean)).apply("Div", floats.constant(std))


def scaled(picture: Picture, scale: tuple[float, ...], offset: tuple[float, ...]) -> Picture:
    """As `e2e_jax.ops.values.rescale`: in double precision, rounded once."""
    doubles = picture.astype("float64")
    return doubles.apply("Mul", doubles.constant(scale)).apply("Add", doubles.constant(offset)).astype("float32")


def saturated(picture: Picture, dtype: str) -> Picture:
    """As `e2e_jax.ops.values.cast`: integers half to even and cut off, which doubles hold exactly."""
    if dtype == picture.dtype or np.dtype(dtype).kind != "u" and np.dtype(dtype).kind != "i":
        return picture.astype(dtype)
    doubles, limits = picture.astype("float64"), np.iinfo(dtype)
    ends = (doubles.constant(n) for n in (limits.min, limits.max))
    return doubles.apply("Round").apply("Clip", *ends).astype(dtype)


def channels_first(picture: Picture) -> Picture:
    """As `e2e_jax.ops.values.to_layout`."""
    moved = picture.apply("Transpose", perm=[0, 3, 1, 2])  # (n, c, h, w)
    return dataclasses.replace(moved, layout="CHW")
