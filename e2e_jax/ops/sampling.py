"""Reads an image between its pixels, with the weights and borders of each library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.errors import ConfigError
from e2e_jax.ops.arithmetic import pack, unpack
from e2e_jax.ops.exact import rounded_product
from e2e_jax.ops.fill import fill_levels
from e2e_jax.ops.gather import Source, gather, lay_out, pixels, words
from e2e_jax.ops.sizes import Extents, Size, value
from e2e_jax.types import Array

type Method = Literal["nearest", "bilinear", "bicubic"]
type Numerics = Literal["pillow", "torch", "opencv"]
type Blend = Callable[[list[Array], Array], Array]  # taps in a row, and the share of the way between the middle two
type Fill = tuple[float, ...] | None

PILLOW_CUBIC = -1.0  # the free parameter of the cubic kernel: Pillow, Geometry.c, BICUBIC
OPENCV_CUBIC = -0.75  # the same: OpenCV 5.0, warp_kernels.simd.hpp, bicubicVec
METHODS = {
    "pillow": ("nearest", "bilinear", "bicubic"),
    "torch": ("nearest", "bilinear"),
    "opencv": ("nearest", "bilinear", "bicubic"),
}
REACH = 3  # pixels beyond the image where no tap of any kernel reads it any more


def sample(
    image: Array,
    *,
    x: Array,
    y: Array,
    method: Method = "bilinear",
    fill: Fill = (0,),
    numerics: Numerics = "pillow",
    source_size: Extents | None = None,
) -> jax.Array:
    """Reads an image at given positions.

    Args:
        image: ``(..., H, W, C)``, uint8 or floating; any dtype with ``method="nearest"``.
        x: Horizontal positions in pixels, floating, (h, w). ``"pillow"`` counts from the left edge of the image, so
            that the centre of the first pixel is 0.5; ``"torch"`` and ``"opencv"`` count from that centre.
        y: Vertical positions, likewise.
        method: ``"nearest"``, ``"bilinear"``, or ``"bicubic"`` (not with ``"torch"``, which has none).
        fill: Value outside the image: one, or one per channel, in the image's own units. ``None`` is black; see
            ``numerics``.
        numerics: ``"pillow"`` fills positions outside the image and repeats its edge for taps beyond; ``"opencv"``
            reads the fill beyond the edge; ``"torch"`` reads black beyond the edge and then blends with the fill by
            the share of the taps inside, which darkens the rim twice, and once with ``fill=None``.
        source_size: Height and width of the part of the array that is the image, at its top left; may be traced.

    Returns:
        ``(..., h, w, C)`` of the image's dtype.

    Raises:
        ConfigError: The numerics are not known, or have no such method.
        ImageError: The pixels are weighed and neither uint8 nor floating, or the fill does not suit them.

    Source:
        Pillow 13.0 (src/libImaging/Geometry.c): exact for uint8, given the same positions. PyTorch 2.14
        ``grid_sample`` without ``align_corners`` and with zeros as padding, and torchvision 0.29
        ``_apply_grid_transform``. OpenCV 5.0 ``remap`` with a constant border.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[0], [100]]], np.uint8)
        >>> sample(image, x=np.array([[0.5, 1.0, 1.5]]), y=np.full((1, 3), 0.5)).ravel().tolist()
        [0, 50, 100]
    """
    check_method(numerics, method)
    with jax.enable_x64(True):
        x, y = jnp.asarray(x), jnp.asarray(y)
        if method == "nearest":
            snap = jnp.floor if numerics == "pillow" else jnp.round
            return copy(image, column=snap(x), row=snap(y), fill=fill, source_size=source_size)
        source = lay_out(image, source_size)
        if not source.packed:
            x, y = jax.lax.optimization_barrier((x, y))  # once per pixel, not once per channel
        level = np.asarray(fill_levels((0,) if fill is None else fill, image.shape[-1], image.dtype))
        if numerics == "pillow":
            return _edge_repeated(source, x, y, method, level)
        blend = _BORDER_BLENDS[numerics, method]
        return _border_filled(source, x, y, blend, level, darkens=numerics == "torch" and fill is not None)


def copy(
    image: Array, *, column: Array, row: Array, fill: Fill = (0,), source_size: Extents | None = None
) -> jax.Array:
    """Copies the pixels at given columns and rows.

    Args:
        image: ``(..., H, W, C)`` of any dtype.
        column: Whole numbers, (h, w) or what broadcasts to it, of any dtype; may lie outside the image.
        row: Likewise.
        fill: Value outside the image: one, or one per channel; ``None`` is black.
        source_size: Height and width of the part of the array that is the image, at its top left; may be traced.

    Returns:
        ``(..., h, w, C)`` of the image's dtype.

    Raises:
        ImageError: The fill does not suit the image.

    Source:
        The definition.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[7], [8]]], np.uint8)
        >>> copy(image, column=np.array([[1, 0, 2]]), row=np.array([[0]]), fill=(9,)).ravel().tolist()
        [8, 7, 9]
    """
    level = np.asarray(fill_levels((0,) if fill is None else fill, image.shape[-1], image.dtype))
    with jax.enable_x64(True):
        height, width = (value(n) for n in source_size or image.shape[-3:-1])
        inside = _within(jnp.asarray(column), width) & _within(jnp.asarray(row), height)
        at = [jnp.where(inside, index, 0).astype(jnp.int32) for index in (row, column)]
        index = at[0] * value(image.shape[-2]) + at[1]
        if image.dtype == jnp.uint8:
            return _copy_words(image, index, inside, level.astype(np.uint8))
        index, inside = jax.lax.optimization_barrier((index, inside))  # once per pixel, not once per channel
        read = gather(pixels(jnp.asarray(image)), index, slice(None))
        return jnp.where(inside[..., None], read, jnp.asarray(level, image.dtype))


def _copy_words(image: Array, index: Array, inside: Array, level: np.ndarray) -> jax.Array:
    packed = words(image)
    outside = pack(level).reshape(-1, *(1,) * packed.ndim)  # (groups, 1, …)
    copied = jnp.where(inside, gather(packed, index), outside)
    return unpack(jax.lax.optimization_barrier(copied), image.shape[-1])


def check_method(numerics: str, method: str) -> None:
    """Refuses a library or a method that does not exist; `METHODS` lists what does."""
    if numerics not in METHODS:
        fix = 'numerics="pillow" (default), "torch" or "opencv"; TensorFlow and Keras have no one rule for it.'
        raise ConfigError(f"Warp: numerics must be one of {tuple(METHODS)}.", f"{numerics=}", fix)
    if method not in METHODS[numerics]:
        fix = f"pass method={METHODS[numerics][-1]!r}, or other numerics."
        raise ConfigError(f"Warp: with numerics={numerics!r} there is {METHODS[numerics]}.", f"{method=}", fix)


def _within(position: Array, size: Size) -> Array:
    return (position >= 0) & (position < jnp.asarray(size).astype(position.dtype))


def _edge_repeated(source: Source, x: Array, y: Array, method: str, level: np.ndarray) -> jax.Array:
    """Pillow: positions outside the image take the fill, and taps beyond it repeat its edge."""
    height, width = source.size
    inside = _within(x, width) & _within(y, height)
    blend = _pillow_lerp if method == "bilinear" else _pillow_cubic
    columns, dx = _taps(jnp.where(inside, x, 0.5) - 0.5, blend)
    rows, dy = _taps(jnp.where(inside, y, 0.5) - 0.5, blend)
    columns = [jnp.clip(column, 0, width - 1) for column in columns]
    rows = [jnp.clip(row, 0, height - 1) for row in rows]
    dx, dy, inside = source.lift(dx.astype(source.work)), source.lift(dy.astype(source.work)), source.lift(inside)
    groups = []
    for group, read in enumerate(source.groups):
        lines = [_each(blend, [read(row, column) for column in columns], dx) for row in rows]
        fills = source.level(level, group)
        groups.append([jnp.where(inside, v, f) for v, f in zip(_each(blend, lines, dy), fills, strict=True)])
    return source.join(groups, jnp.trunc)


def _border_filled(source: Source, x: Array, y: Array, blend: Blend, level: np.ndarray, darkens: bool) -> jax.Array:
    """OpenCV and PyTorch: taps beyond the image read the fill, or black for PyTorch, which blends afterwards."""
    height, width = source.size
    columns, dx = _taps(_reachable(x, width), blend)
    rows, dy = _taps(_reachable(y, height), blend)
    in_column, in_row = [_within(c, width) for c in columns], [_within(r, height) for r in rows]
    columns = [jnp.clip(column, 0, width - 1) for column in columns]
    rows = [jnp.clip(row, 0, height - 1) for row in rows]
    dx, dy = source.lift(dx.astype(source.work)), source.lift(dy.astype(source.work))

    groups = []
    for group, read in enumerate(source.groups):
        fills = source.level(level, group)
        beyond = [np.zeros_like(f) for f in fills] if darkens else fills

        def tap(i: int, j: int, read: Callable = read, beyond: list = beyond) -> list[Array]:
            inside = source.lift(in_row[i] & in_column[j])
            return [jnp.where(inside, v, b) for v, b in zip(read(rows[i], columns[j]), beyond, strict=True)]

        lines = [_each(blend, [tap(i, j) for j in range(len(columns))], dx) for i in range(len(rows))]
        values = _each(blend, lines, dy)
        if darkens:
            share = _share(blend, in_column, dx, source) * _share(blend, in_row, dy, source)
            values = [(v - f) * share + f for v, f in zip(values, fills, strict=True)]
        groups.append(values)
    return source.join(groups, jnp.round)


def _reachable(position: Array, size: Size) -> Array:
    """Positions far outside, infinite or undefined, moved to where they are outside all the same."""
    far = jnp.asarray(size).astype(position.dtype) + REACH
    return jnp.where((position > -REACH) & (position < far), position, -REACH)


def _taps(position: Array, blend: Blend) -> tuple[list[Array], Array]:
    """The indices a kernel reads, and how far the position lies beyond the tap before it, 0..1."""
    low = jnp.floor(position)
    first = low.astype(jnp.int32)
    return [first + k for k in (range(-1, 3) if blend in _CUBICS else range(2))], position - low


def _each(blend: Blend, taps: list[list[Array]], share: Array) -> list[Array]:
    """Blends the taps of each channel on its own."""
    return [blend(list(channel), share) for channel in zip(*taps, strict=True)]


def _share(blend: Blend, inside: list[Array], share: Array, source: Source) -> Array:
    """How much of the weight along one axis lies inside the image."""
    return blend([source.lift(i.astype(source.work)) for i in inside], share)


def _lerp(taps: list[Array], share: Array) -> Array:
    a, b = taps
    return a + (b - a) * share


def _opencv_lerp(taps: list[Array], share: Array) -> Array:
    """In float32 with fused products, whatever the compiler fuses: those are exact in float64, and rounded once."""
    a, b = taps
    return _single(a + _single(b - a) * share)


def _single(array: Array) -> Array:
    return array.astype(jnp.float32).astype(array.dtype)


def _pillow_lerp(taps: list[Array], share: Array) -> Array:
    a, b = taps
    return a + rounded_product(b - a, share)


def _pillow_cubic(taps: list[Array], share: Array) -> Array:
    """Keys' cubic with the parameter `PILLOW_CUBIC`, in Pillow's order of operations."""
    a, b, c, d = taps
    inner = (2 * (a - b) + c - d) + rounded_product(share, b - a - c + d)
    return b + rounded_product(share, (c - a) + rounded_product(share, inner))


def _opencv_cubic(taps: list[Array], share: Array) -> Array:
    rest, k = 1 - share, OPENCV_CUBIC
    first, last = k * (share * (rest * rest)), k * (share * share * rest)
    second = share * share * ((k + 2) * share - (k + 3)) + 1
    third = 1 - first - second - last
    a, b, c, d = taps
    return a * first + b * second + c * third + d * last


_CUBICS = (_pillow_cubic, _opencv_cubic)
_BORDER_BLENDS = {
    ("torch", "bilinear"): _lerp,
    ("opencv", "bilinear"): _opencv_lerp,
    ("opencv", "bicubic"): _opencv_cubic,
}
