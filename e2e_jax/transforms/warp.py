"""Rotate, Affine and Perspective: a map of the plane for each image, by `e2e_jax.ops.warp`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, get_args

from e2e_jax.errors import ConfigError
from e2e_jax.ops.canvas import expanded_bound, expanded_size
from e2e_jax.ops.matrices import affine, perspective, rotation
from e2e_jax.ops.placement import Part
from e2e_jax.ops.sampling import Method, Numerics, check_method
from e2e_jax.ops.sizes import Extents
from e2e_jax.ops.warp import warp
from e2e_jax.transforms.base import Transform
from e2e_jax.transforms.check import fill_values, flag, interval_number, one_of, real, reals
from e2e_jax.transforms.run import Numbers, known_size, move_parts
from e2e_jax.types import Array, Sample

WARP_METHODS: tuple[str, ...] = get_args(Method.__value__)
WARP_NUMERICS: tuple[str, ...] = get_args(Numerics.__value__)


class Warped(Transform, abstract=True):
    """A transform that reads each pixel of the result from a place between those of the source."""

    kind = "sample"
    is_spatial = True
    method: Method
    fill: tuple[float, ...]
    numerics: Numerics

    def _keep(self, method: str, fill: Any, numerics: str) -> None:
        name = type(self).__name__
        self.method = one_of(name, "method", method, WARP_METHODS)
        self.fill = fill_values(name, fill)
        self.numerics = one_of(name, "numerics", numerics, WARP_NUMERICS)
        check_method(numerics, method)


class Warp(Warped, abstract=True):
    """A transform that draws each image anew through a 3x3 map; masks take the nearest pixel.

    Boxes become the boxes around their moved corners, clipped to the image.
    """

    def matrix(self, size: Extents, *numbers: Numbers) -> Array:
        """``(3, 3)`` float64 from output to source, in continuous pixel coordinates."""
        raise NotImplementedError

    def room(self, extents: Extents) -> Extents:
        """Extents of an array that has room for the result of any image in an array of these extents."""
        return extents

    def on_sample(self, sample: Sample, size: Extents, *numbers: Numbers) -> tuple[Sample, Extents]:
        """One sample."""
        matrix = self.matrix(size, *numbers)
        new = self.resized(size)
        room = new if known_size(new) is None else self.room(sample.image.shape[:2])
        how: dict[str, Any] = {"method": self.method, "fill": self.fill, "numerics": self.numerics}
        return warp_sample(sample, matrix, size=size, new=new, room=room, **how), new

    def placement(self, size: Extents, part: Part) -> tuple[Array, Extents]:
        """See `Transform.placement`."""
        return self.matrix(size), self.resized(size)


def warp_sample(
    sample: Sample,
    matrix: Array,
    *,
    size: Extents,
    new: Extents,
    room: Extents,
    method: Method,
    fill: tuple[float, ...],
    numerics: Numerics,
) -> Sample:
    """One sample drawn anew, with its parts.

    Args:
        sample: Its image fills ``size`` of its array.
        matrix: ``(3, 3)`` from output to source.
        size: Height and width before.
        new: Height and width afterwards.
        room: Extents of the array that the result lies in.
        method: How the image is read between pixels; masks take the nearest.
        fill: Value outside the image; masks take 0.
        numerics: Whose arithmetic.
    """
    drawn: dict[str, Any] = {"matrix": matrix, "size": room, "numerics": numerics, "source_size": size}
    image = warp(sample.image, method=method, fill=fill, **drawn)
    mask = sample.mask
    if mask is not None:
        mask = warp(mask[..., None], method="nearest", fill=(0,), **drawn)[..., 0]
    return move_parts(sample.with_parts(image=image, mask=mask), matrix, matrix, new)


def center_of(name: str, center: Any) -> tuple[float, float] | None:
    """A point, checked, or none."""
    return None if center is None else reals(name, "center", center, 2)


class Rotate(Warp):
    """Turns the image counter-clockwise.

    Args:
        angle: Degrees.
        method: ``"nearest"``, ``"bilinear"``, or ``"bicubic"`` (not ``"torch"``).
        expand: Whether the result grows until it holds the whole turned image.
        center: ``(x, y)`` of the fixed point in pixels; the image's centre if absent.
        fill: Value outside the image, one or one per channel.
        numerics: ``"pillow"``, ``"torch"`` or ``"opencv"``.

    Raises:
        ConfigError: An argument is not one of these, or ``expand`` comes with a ``center``.

    Source:
        Pillow's ``Image.rotate``, torchvision's ``rotate``. See `e2e_jax.ops.warp.warp`.

    Example:
        >>> import numpy as np
        >>> Rotate(90)(np.arange(4, dtype=np.uint8).reshape(2, 2, 1))[..., 0].tolist()
        [[1, 3], [0, 2]]
    """

    def __init__(
        self,
        angle: float,
        *,
        method: Method = "bilinear",
        expand: bool = False,
        center: Sequence[float] | None = None,
        fill: float | Sequence[float] = 0,
        numerics: Numerics = "pillow",
    ) -> None:
        self.angle = real("Rotate", "angle", angle)
        self.expand, self.center = flag("Rotate", "expand", expand), center_of("Rotate", center)
        self._keep(method, fill, numerics)
        if expand and center is not None:
            fix = "leave one of them out: an expanded image is turned around its centre."
            raise ConfigError("Rotate: expand must not come with a center.", f"{center=}", fix)

    def matrix(self, size: Extents, *numbers: Numbers) -> Array:
        output = self.resized(size) if self.expand else None
        return rotation(size, angle=self.angle, center=self.center, output=output)

    def resized(self, size: Extents) -> Extents:
        """See `Transform.resized`."""
        return expanded_size(size, angle=self.angle, numerics=self.numerics) if self.expand else size

    def room(self, extents: Extents) -> Extents:
        return expanded_bound(extents) if self.expand else extents


class Affine(Warp):
    """Turns clockwise, scales, shears and moves the image.

    Args:
        angle: Degrees, clockwise.
        translate: ``(x, y)`` in pixels, to the right and down.
        scale: Factor above 0; above 1 enlarges.
        shear: Degrees along x and y.
        center: ``(x, y)`` of the fixed point in pixels; the image's centre if absent.
        method: As for `Rotate`.
        fill: As for `Rotate`.
        numerics: As for `Rotate`.

    Raises:
        ConfigError: An argument is not one of these.

    Source:
        torchvision's ``affine``. See `e2e_jax.ops.matrices.affine`.

    Example:
        >>> import numpy as np
        >>> Affine(translate=(1, 0), fill=9)(np.arange(3, dtype=np.uint8).reshape(1, 3, 1)).ravel().tolist()
        [9, 0, 1]
    """

    def __init__(
        self,
        *,
        angle: float = 0.0,
        translate: Sequence[float] = (0.0, 0.0),
        scale: float = 1.0,
        shear: Sequence[float] = (0.0, 0.0),
        center: Sequence[float] | None = None,
        method: Method = "bilinear",
        fill: float | Sequence[float] = 0,
        numerics: Numerics = "pillow",
    ) -> None:
        self.angle = real("Affine", "angle", angle)
        self.translate, self.shear = (
            reals("Affine", "translate", translate, 2),
            reals("Affine", "shear", shear, 2),
        )
        self.scale = interval_number("Affine", "scale", scale, SMALLEST_SCALE)
        self.center = center_of("Affine", center)
        self._keep(method, fill, numerics)

    def matrix(self, size: Extents, *numbers: Numbers) -> Array:
        how: dict[str, Any] = {"angle": self.angle, "translate": self.translate, "scale": self.scale}
        return affine(size, shear=self.shear, center=self.center, **how)


SMALLEST_SCALE = 1e-3  # below it a photo is less than a pixel


class Perspective(Warp):
    """Moves four points of the image to four other places, and the rest along.

    Args:
        start: Four ``(x, y)`` in the image in pixels, no three in a line.
        end: Where they come to lie.
        method: As for `Rotate`.
        fill: As for `Rotate`.
        numerics: As for `Rotate`.

    Raises:
        ConfigError: Three points lie in a line, or an argument is not one of these.

    Source:
        torchvision's ``perspective``. See `e2e_jax.ops.matrices.perspective`.

    Example:
        >>> import numpy as np
        >>> corners = [(0, 0), (3, 0), (3, 1), (0, 1)]
        >>> step = Perspective(corners, [(1, 0), (4, 0), (4, 1), (1, 1)], fill=9)
        >>> step(np.arange(3, dtype=np.uint8).reshape(1, 3, 1)).ravel().tolist()
        [9, 0, 1]
    """

    def __init__(
        self,
        start: Sequence[Sequence[float]],
        end: Sequence[Sequence[float]],
        *,
        method: Method = "bilinear",
        fill: float | Sequence[float] = 0,
        numerics: Numerics = "pillow",
    ) -> None:
        self.start, self.end = (_points(name, value) for name, value in (("start", start), ("end", end)))
        self._keep(method, fill, numerics)

    def matrix(self, size: Extents, *numbers: Numbers) -> Array:
        return perspective(self.start, end=self.end)


def _points(name: str, points: Any) -> tuple[tuple[float, float], ...]:
    if not isinstance(points, Sequence) or len(points) != 4:
        fix = "pass the corners in the same order, e.g. top left, top right, bottom right, bottom left."
        raise ConfigError(f"Perspective: {name} must be four points (x, y).", f"{name}={points!r}", fix)
    corners = tuple(reals("Perspective", name, point, 2) for point in points)
    if any(_area(triple) == 0 for triple in itertools.combinations(corners, 3)):
        fix = "move a point off the line; the image would shrink to nothing there."
        raise ConfigError(f"Perspective: no three points of {name} may lie in a line.", f"{name}={points!r}", fix)
    return corners


def _area(triangle: Sequence[tuple[float, float]]) -> float:
    """Twice the area, signed."""
    (x, y), (right, top), (left, bottom) = triangle
    return (right - x) * (bottom - y) - (left - x) * (top - y)
