"""AutoContrast and Equalize: see `e2e_jax.ops.histogram`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from e2e_jax.errors import ConfigError
from e2e_jax.ops.histogram import AUTOCONTRAST_NUMERICS, EQUALIZE_NUMERICS, PERCENT, autocontrast, equalize
from e2e_jax.ops.levels import Numerics
from e2e_jax.ops.sizes import Extents
from e2e_jax.transforms.base import Imagewise
from e2e_jax.transforms.check import interval_number, one_of
from e2e_jax.transforms.run import Numbers
from e2e_jax.types import Array


class Equalize(Imagewise):
    """Spreads the levels of each channel so that all are about equally frequent.

    Args:
        numerics: ``"pillow"``, ``"torch"`` (the same) or ``"opencv"``.

    Raises:
        ConfigError: The numerics are not known.

    Source:
        Pillow's ``ImageOps.equalize``, OpenCV's ``equalizeHist``. See `e2e_jax.ops.histogram.equalize`.

    Example:
        >>> import numpy as np
        >>> Equalize(numerics="opencv")(np.array([[[3], [7]]], np.uint8)).ravel().tolist()
        [0, 255]
    """

    def __init__(self, *, numerics: Numerics = "pillow") -> None:
        self.numerics = one_of("Equalize", "numerics", numerics, EQUALIZE_NUMERICS)

    def apply(self, image: Array, size: Extents, *numbers: Numbers) -> jax.Array:
        return equalize(image, numerics=self.numerics, size=size)


class AutoContrast(Imagewise):
    """Stretches each channel until its darkest pixel is black and its lightest white.

    Args:
        cutoff: Percent of the darkest and of the lightest pixels that may be lost, one number or ``(dark, light)``.
        numerics: ``"pillow"``, or ``"torch"``, which has no cutoff.

    Raises:
        ConfigError: ``cutoff`` is no percentage, or the numerics do not know it.

    Source:
        Pillow's ``ImageOps.autocontrast``. See `e2e_jax.ops.histogram.autocontrast`.

    Example:
        >>> import numpy as np
        >>> AutoContrast()(np.array([[[50], [60], [101]]], np.uint8)).ravel().tolist()
        [0, 50, 255]
    """

    def __init__(self, cutoff: float | Sequence[float] = 0.0, *, numerics: Numerics = "pillow") -> None:
        self.cutoff = _both_ends(cutoff)
        self.numerics = one_of("AutoContrast", "numerics", numerics, AUTOCONTRAST_NUMERICS)
        if numerics == "torch" and any(self.cutoff):
            fix = 'leave the cutoff out, or choose numerics="pillow".'
            raise ConfigError("AutoContrast: torchvision has no cutoff.", f"{cutoff=}", fix)

    def apply(self, image: Array, size: Extents, *numbers: Numbers) -> jax.Array:
        return autocontrast(image, cutoff=self.cutoff, numerics=self.numerics, size=size)


def _both_ends(cutoff: Any) -> tuple[float, float]:
    pair = tuple(cutoff) if isinstance(cutoff, Sequence) and len(cutoff) == 2 else (cutoff, cutoff)
    dark, light = (interval_number("AutoContrast", "cutoff", share, 0.0, float(PERCENT)) for share in pair)
    return dark, light
