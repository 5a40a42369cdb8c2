"""Hue: see `e2e_jax.ops.hue`."""

from __future__ import annotations

import jax

from e2e_jax.ops.hsv import HALF_TURN
from e2e_jax.ops.hue import KNOWN, hue
from e2e_jax.ops.levels import Numerics
from e2e_jax.transforms.base import Pointwise
from e2e_jax.transforms.check import interval_number, one_of
from e2e_jax.types import Array


class Hue(Pointwise):
    """Turns colours round the wheel of HSV.

    Args:
        factor: Turns, -0.5..0.5; 1/3 makes red green.
        numerics: ``"pillow"``, ``"torch"`` or ``"tf"``.

    Raises:
        ConfigError: ``factor`` is outside, or the numerics are not known.

    Source:
        torchvision's ``adjust_hue``. See `e2e_jax.ops.hue.hue`.

    Example:
        >>> import numpy as np
        >>> Hue(1 / 3)(np.array([[[255, 0, 0]]], np.uint8)).tolist()
        [[[0, 255, 0]]]
    """

    def __init__(self, factor: float, *, numerics: Numerics = "pillow") -> None:
        self.factor = interval_number("Hue", "factor", factor, -HALF_TURN, HALF_TURN)
        self.numerics = one_of("Hue", "numerics", numerics, KNOWN)

    def apply(self, image: Array) -> jax.Array:
        return hue(image, factor=self.factor, numerics=self.numerics)
