"""Window and Percentile: see the functions of the same names in `e2e_jax.ops.window`."""

from __future__ import annotations

import jax

from e2e_jax.errors import ConfigError
from e2e_jax.ops.sizes import Extents
from e2e_jax.ops.window import percentile, window
from e2e_jax.transforms.base import Imagewise, Pointwise
from e2e_jax.transforms.check import interval_number, real, span
from e2e_jax.transforms.run import Numbers
from e2e_jax.types import Array


class Window(Pointwise):
    """Stretches a range of values, as of a CT scan, to 0..1 in float32.

    Args:
        center: Of the range, in the image's units.
        width: Of the range, at least 1.

    Raises:
        ConfigError: An argument is not a finite number, or ``width`` is below 1.

    Source:
        DICOM PS3.3 C.11.2.1.2.1. See `e2e_jax.ops.window.window`.

    Example:
        >>> import numpy as np
        >>> Window(40, 80)(np.array([[[0], [40], [80]]], np.int16)).ravel().round(2).tolist()
        [0.0, 0.5099999904632568, 1.0]
    """

    def __init__(self, center: float, width: float) -> None:
        self.center = real("Window", "center", center)
        self.width = interval_number("Window", "width", real("Window", "width", width), 1.0)

    def apply(self, image: Array, *numbers: Numbers) -> jax.Array:
        return window(image, center=self.center, width=self.width)


class Percentile(Imagewise):
    """Stretches each image from one of its percentiles to another, to 0..1 in float32.

    Args:
        low: Percentage of an image's values that may become black, 0..100.
        high: Percentage above which they are white; more than ``low``.

    Raises:
        ConfigError: The percentages do not rise within 0..100.

    Source:
        NumPy's ``percentile``. See `e2e_jax.ops.window.percentile`.

    Example:
        >>> import numpy as np
        >>> Percentile(0, 100)(np.array([[[100], [150], [300]]], np.uint16)).ravel().tolist()
        [0.0, 0.25, 1.0]
    """

    def __init__(self, low: float = 1.0, high: float = 99.0) -> None:
        self.low, self.high = span("Percentile", "low and high", (low, high), least=0.0, most=100.0)
        if self.low == self.high:
            fix = "choose low below high."
            raise ConfigError("Percentile: low and high must differ.", f"{low=}, {high=}", fix)

    def apply(self, image: Array, size: Extents, *numbers: Numbers) -> jax.Array:
        return percentile(image, low=self.low, high=self.high, size=size)
