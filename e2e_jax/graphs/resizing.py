"""Resizing of a picture in an ONNX graph, by whose rules ONNX's Resize can.

Bytes go through ``Resize`` as bytes where a library rounds after each pass, as Pillow and torch do; through floats
where it rounds once. Nearest pixels are gathered by places that are computed in the graph, so that they are exact.
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

CHANNELS_FIRST, CHANNELS_LAST = [0, 3, 1, 2], [0, 2, 3, 1]  # ONNX Runtime resizes by cubics along the last two axes


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
    widens = antialiases(antialias, numerics=library)  # type: ignore[arg-type]
    kernel = KERNELS[library, method][0 if widens else 1]
    if not picture.is_bytes or (widens and library not in ROUNDS_ONCE):
        return _weighed(picture, height, width, kernel, widens)
    floats = picture.astype("float32")
    if library not in ROUNDS_ONCE:  # columns first, as everywhere
        floats = _whole(_weighed(floats, floats.height, width, kernel, widens))
    return _whole(_weighed(floats, height, width, kernel, widens)).astype("uint8")


def _weighed(picture: Picture, height: Size, width: Size, kernel: Kernel, widens: bool) -> Picture:
    cubic, count = kernel.mode == "cubic", picture.count
    around = (count, picture.channels, height, width) if cubic else (count, height, width, picture.channels)
    source = picture.apply("Transpose", perm=CHANNELS_FIRST) if cubic else picture
    moved = source.apply(
        "Resize",
        *("", "", picture.xp.together(*around)),
        mode=kernel.mode,
        antialias=int(widens),
        exclude_outside=int(kernel.drops and (cubic or widens)),
        cubic_coeff_a=kernel.sharpness,
    ).with_size(height, width)
    return moved.apply("Transpose", perm=CHANNELS_LAST) if cubic else moved


def _whole(picture: Picture) -> Picture:
    """Floats as whole levels."""
    ends = (picture.constant(n) for n in (0, WHITE))
    return picture.apply("Round").apply("Clip", *ends)


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
