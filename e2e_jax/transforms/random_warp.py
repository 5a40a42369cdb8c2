"""RandomRotation, RandomAffine and RandomPerspective: maps of the plane drawn for each sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from e2e_jax.ops.draws import draw_affine, draw_corners
from e2e_jax.ops.matrices import affine, perspective, rotation
from e2e_jax.ops.sampling import Method, Numerics
from e2e_jax.ops.sizes import Extents, value
from e2e_jax.transforms.base import Random
from e2e_jax.transforms.check import interval_number, probability, reals, span
from e2e_jax.transforms.run import Numbers
from e2e_jax.transforms.warp import Warp, center_of
from e2e_jax.types import Array, Sample


def _range(name: str, argument: str, value: Any) -> tuple[float, float]:
    """A range, or a number n that stands for -n..n."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = (-interval_number(name, argument, value, 0.0), float(value))
    return span(name, argument, value)


class RandomRotation(Random, Warp):
    """Turns the image by a drawn angle.

    Args:
        degrees: Least and greatest angle, counter-clockwise, or a number n for -n..n.
        method: As for `Rotate`.
        center: ``(x, y)`` of the fixed point in pixels; the image's centre if absent.
        fill: As for `Rotate`.
        numerics: As for `Rotate`.

    Raises:
        ConfigError: The range is reversed, or an argument is unknown.

    Source:
        torchvision 0.29 ``RandomRotation``, whose ``expand`` is left out: the size would be drawn too.

    Example:
        >>> import numpy as np
        >>> step = RandomRotation((90, 90))
        >>> step(np.arange(4, dtype=np.uint8).reshape(2, 2, 1), key=jax.random.key(0))[..., 0].tolist()
        [[1, 3], [0, 2]]
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        *,
        method: Method = "bilinear",
        center: Sequence[float] | None = None,
        fill: float | Sequence[float] = 0,
        numerics: Numerics = "pillow",
    ) -> None:
        self.degrees = _range("RandomRotation", "degrees", degrees)
        self.center = center_of("RandomRotation", center)
        self._keep(method, fill, numerics)

    def draw(self, key: jax.Array, size: Extents, sample: Sample) -> Numbers:
        return {"angle": draw_affine(key, *size, degrees=self.degrees)[0]}

    def matrix(self, size: Extents, *numbers: Numbers) -> Array:
        return rotation(size, angle=numbers[0]["angle"], center=self.center)


class RandomAffine(Random, Warp):
    """Turns, moves, scales and shears the image by drawn amounts.

    Args:
        degrees: Least and greatest angle, clockwise, or a number n for -n..n.
        translate: Greatest shift along x and y, as shares 0..1 of width and height.
        scale: Least and greatest factor.
        shear: Least and greatest degrees along x, or those along x and along y: two or four numbers, or a number n
            for -n..n along x.
        method: As for `Rotate`.
        center: As for `RandomRotation`.
        fill: As for `Rotate`.
        numerics: As for `Rotate`.

    Raises:
        ConfigError: A range is reversed, or an argument is unknown.

    Source:
        torchvision 0.29 ``RandomAffine``.

    Example:
        >>> import numpy as np
        >>> RandomAffine(10, translate=(0.1, 0.1))(np.zeros((30, 40, 3), np.uint8), key=jax.random.key(0)).shape
        (30, 40, 3)
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        *,
        translate: Sequence[float] = (0.0, 0.0),
        scale: Sequence[float] = (1.0, 1.0),
        shear: float | Sequence[float] = (0.0, 0.0, 0.0, 0.0),
        method: Method = "bilinear",
        center: Sequence[float] | None = None,
        fill: float | Sequence[float] = 0,
        numerics: Numerics = "pillow",
    ) -> None:
        name = "RandomAffine"
        self.degrees = _range(name, "degrees", degrees)
        shifts = tuple(translate) if isinstance(translate, Sequence) else (translate, translate)
        across, down = (
            interval_number(name, "translate", share, 0.0, 1.0) for share in reals(name, "translate", shifts, 2)
        )
        self.translate = (across, down)
        self.scale = span(name, "scale", scale, least=1e-3)
        pairs = (shear[:2], shear[2:]) if isinstance(shear, Sequence) and len(shear) == 4 else (shear, (0.0, 0.0))
        self.shear = (*_range(name, "shear", pairs[0]), *_range(name, "shear", pairs[1]))
        self.center = center_of(name, center)
        self._keep(method, fill, numerics)

    def draw(self, key: jax.Array, size: Extents, sample: Sample) -> Numbers:
        shear = (self.shear[:2], self.shear[2:])
        drawn = draw_affine(
            key, *size, degrees=self.degrees, translate=self.translate, scale=self.scale, shear=shear
        )
        return dict(zip(("angle", "translate", "scale", "shear"), drawn, strict=True))

    def matrix(self, size: Extents, *numbers: Numbers) -> Array:
        drawn = numbers[0]
        pairs = {name: (drawn[name][0], drawn[name][1]) for name in ("translate", "shear")}
        return affine(size, angle=drawn["angle"], scale=drawn["scale"], center=self.center, **pairs)


class RandomPerspective(Random, Warp):
    """Moves the corners inwards by drawn amounts, or leaves them.

    Args:
        distortion_scale: How far a corner may move, as a share 0..1 of half a side.
        p: Probability 0..1 of it.
        method: As for `Rotate`.
        fill: As for `Rotate`.
        numerics: As for `Rotate`.

    Raises:
        ConfigError: ``distortion_scale`` or ``p`` is not 0..1, or an argument is unknown.

    Source:
        torchvision 0.29 ``RandomPerspective``.

    Example:
        >>> import numpy as np
        >>> step = RandomPerspective(distortion_scale=0.0, p=1.0)
        >>> step(np.arange(4, dtype=np.uint8).reshape(2, 2, 1), key=jax.random.key(0))[..., 0].tolist()
        [[0, 1], [2, 3]]
    """

    def __init__(
        self,
        *,
        distortion_scale: float = 0.5,
        p: float = 0.5,
        method: Method = "bilinear",
        fill: float | Sequence[float] = 0,
        numerics: Numerics = "pillow",
    ) -> None:
        self.distortion_scale = interval_number("RandomPerspective", "distortion_scale", distortion_scale, 0.0, 1.0)
        self.p = probability("RandomPerspective", p)
        self._keep(method, fill, numerics)

    def draw(self, key: jax.Array, size: Extents, sample: Sample) -> Numbers:
        first, second = jax.random.split(key)
        moved = draw_corners(first, *size, distortion=self.distortion_scale)
        kept = draw_corners(first, *size, distortion=0.0)
        return {"corners": jax.numpy.where(jax.random.bernoulli(second, self.p), moved, kept)}

    def matrix(self, size: Extents, *numbers: Numbers) -> Array:
        height, width = (jax.numpy.asarray(value(n), jax.numpy.float32) for n in size)
        start = jax.numpy.stack([width - 1, height - 1]) * np.array(UNIT, np.float32)
        return perspective(start, end=numbers[0]["corners"])


UNIT = ((0, 0), (1, 0), (1, 1), (0, 1))  # corners, clockwise from the top left
