"""Resizing of a picture in an ONNX graph, by whose rules ONNX's Resize can.

Bytes go through ``Resize`` as bytes where its kernel widens and the library rounds after each pass, as Pillow and
torch do; else through floats that are rounded as the library does. Nearest pixels are gathered by places that are
computed in the graph, so that they are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from e2e_jax.graphs.geometry import taken
from e2e_jax.graphs.numbers import Numbers, Size
from e2e_jax.graphs.picture import COLS, ROWS, Picture, no_form
from e2e_jax.ops.dialects import antialiases
from e2e_jax.ops.filters import KEYS_A, SHARP_A
from e2e_jax.ops.levels import WHITE

CHANNELS_FIRST, CHANNELS_LAST = [0, 3, 1, 2], [0, 2, 3, 1]  # orders of (n, h, w, c) and (n, c, h, w)


type Extents = tuple[Size, Size]


class Kernel(NamedTuple):
    """ONNX's options for a kernel.

    Args:
        mode: ``"linear"`` or ``"cubic"``.
        sharpness: Of the cubic.
        drops: Whether pixels outside count nothing; else they count for the pixel at the edge.
    """

    mode: str
    sharpness: float = KEYS_A
    drops: bool = True

    def resize(self, picture: Picture, size: Extents, widens: bool) -> Picture:
        """Both axes; of bytes bytes, rounded after each pass."""
        if self.mode == "linear":
            return self._resized(picture, size, [ROWS, COLS], exclude_outside=int(widens), antialias=int(widens))
        options = {"exclude_outside": int(self.drops), "cubic_coeff_a": self.sharpness}
        moved = self._resized(_planes(picture), size, [2, 3], antialias=int(widens), **options)
        back = moved.apply("Reshape", picture.xp.together(-1, picture.channels, *size))  # (n, c, h, w)
        return back.apply("Transpose", perm=CHANNELS_LAST)

    def _resized(self, picture: Picture, size: Extents, axes: list[int], **options: Any) -> Picture:
        sizes = picture.xp.together(*size)
        return picture.apply("Resize", "", "", sizes, mode=self.mode, axes=axes, **options).with_size(*size)


def _planes(picture: Picture) -> Picture:
    """``(n * c, 1, h, w)``: ONNX Runtime has cubics of planes only, and would take a Transpose alone away."""
    first = picture.apply("Transpose", perm=CHANNELS_FIRST)
    return first.apply("Reshape", picture.xp.together(-1, 1, picture.height, picture.width))


LINEAR, CUBIC = Kernel("linear"), Kernel("cubic")
SHARP = Kernel("cubic", SHARP_A, drops=False)

#: Numerics and method to the kernel with antialias, and to the one without.
KERNELS = {
    ("pillow", "bilinear"): (LINEAR, LINEAR),
    ("pillow", "bicubic"): (CUBIC, CUBIC),
    ("torch", "bilinear"): (LINEAR, LINEAR),
    ("torch", "bicubic"): (CUBIC, SHARP),
    ("tf", "bilinear"): (LINEAR, LINEAR),
    ("tf", "bicubic"): (CUBIC, CUBIC),
}
ROUNDS_ONCE = ("tf",)  # numerics whose bytes are floats until both passes are done


def resized(
    picture: Picture, height: Size, width: Size, *, step: str, method: str, antialias: bool | None, numerics: str
) -> Picture:
    """A picture of another size.

    Args:
        picture: To resize.
        height: Afterwards, in pixels.
        width: Likewise.
        step: Name of the transform, for the error.
        method: As for `e2e_jax.transforms.Resize`.
        antialias: Likewise.
        numerics: Likewise.

    Raises:
        ConfigError: ONNX has no such method.
    """
    if (height, width) == (picture.height, picture.width):
        return picture
    library = "pillow" if numerics == "pillow13" else numerics
    if (library, method) in NEAREST:
        return _picked(picture, height, width, NEAREST[library, method])
    if (library, method) not in KERNELS or picture.dtype not in ("uint8", "float32"):
        raise no_form(step, f"method={method!r}, numerics={numerics!r} on {picture.dtype}")
    widens = antialiases(antialias, numerics=library)
    kernel = KERNELS[library, method][0 if widens else 1]
    if not picture.is_bytes:
        return kernel.resize(picture, (height, width), widens)
    if library in ROUNDS_ONCE:
        floats = kernel.resize(picture.astype("float32"), (height, width), widens)
        return _cut_off(floats.apply("Round")).astype("uint8")
    for size in _passes(picture, height, width, numerics, inside=widens):
        if widens:  # Resize itself rounds bytes after each pass
            picture = kernel.resize(picture, size, widens)
        else:
            floats = kernel.resize(picture.astype("float32"), size, widens)
            picture = _cut_off(floats.apply("Add", floats.constant(0.5)).apply("Floor")).astype("uint8")
    return picture


def _passes(picture: Picture, height: Size, width: Size, numerics: str, *, inside: bool) -> list[Extents]:
    """Height and width after each pass over the pixels; ``inside`` where Resize makes both, columns first."""
    if numerics != "pillow13":
        return [(height, width)] if inside else [(picture.height, width), (height, width)]
    xp = picture.xp
    tall, wide = xp.row(picture.height), xp.row(picture.width)
    rows_first = tall - height > xp.maximum((wide - width) * 2, 0)  # see e2e_jax.ops.plans
    between = xp.where(rows_first, height, tall), xp.where(rows_first, wide, width)
    return [between, (height, width)]


def _cut_off(picture: Picture) -> Picture:
    """Whole levels as floats, none outside 0..255."""
    return picture.apply("Clip", *(picture.constant(n) for n in (0, WHITE)))


def _picked(picture: Picture, height: Size, width: Size, places: Any) -> Picture:
    xp = picture.xp
    for axis, source, target in ((ROWS, picture.height, height), (COLS, picture.width, width)):
        if source is not target:
            picture = taken(picture, places(xp, xp.row(source), xp.row(target)).astype("int64").name, axis)
    return picture.with_size(height, width)


def _walked(xp: Any, source: Numbers, target: Numbers) -> Numbers:
    """Half a scale, then one more for each pixel, added up in double: see `e2e_jax.ops.resize_pillow.walked`."""
    scale = source.astype("float64") / target
    rest = (xp.arange(1, target) * 0.0 + 1.0) * scale  # (target - 1,)
    graph = xp.graph
    row = graph.add("Concat", (scale * 0.5).name, rest.name, axis=0)
    return Numbers(graph, graph.add("CumSum", row, graph.constant(0, "int64")), "float64")


def _singles(shift: float) -> Callable[..., Numbers]:
    """``floor((position + shift) * scale)`` in single precision: see `e2e_jax.ops.resize_torch`."""

    def places(xp: Any, source: Numbers, target: Numbers) -> Numbers:
        scale = (source.astype("float64") / target).astype(np.float32)
        return (xp.arange(0, target).astype(np.float32) + shift) * scale

    return places


#: Numerics and method to the source pixel of each output pixel, before it is cut off.
NEAREST: dict[tuple[str, str], Callable[..., Numbers]] = {
    ("pillow", "nearest"): _walked,
    ("torch", "nearest"): _singles(0.0),
    ("torch", "nearest_exact"): _singles(0.5),
    ("tf", "nearest"): _singles(0.5),
}
