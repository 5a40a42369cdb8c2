"""Brightness, Contrast, Saturation and Gamma: see `e2e_jax.ops.enhance`."""

from __future__ import annotations

import jax

from e2e_jax.graphs import color
from e2e_jax.graphs.picture import Picture
from e2e_jax.ops.enhance import KNOWN, WITH_TF, brightness, contrast, gamma, saturation
from e2e_jax.ops.levels import Numerics
from e2e_jax.ops.sizes import Extents
from e2e_jax.transforms.base import Imagewise, Pointwise
from e2e_jax.transforms.check import interval_number, one_of
from e2e_jax.transforms.run import Numbers
from e2e_jax.types import Array


class Brightness(Pointwise):
    """Makes an image lighter or darker, by a factor.

    Args:
        factor: At least 0, which is black; 1 leaves the image.
        numerics: ``"pillow"`` or ``"torch"``, which agree to the bit.

    Raises:
        ConfigError: ``factor`` is below 0, or the numerics are not known.

    Source:
        torchvision's ``adjust_brightness``. See `e2e_jax.ops.enhance.brightness`.

    Example:
        >>> import numpy as np
        >>> Brightness(1.5)(np.array([[[10, 101, 200]]], np.uint8)).tolist()
        [[[15, 151, 255]]]
    """

    def __init__(self, factor: float, *, numerics: Numerics = "pillow") -> None:
        self.factor = interval_number("Brightness", "factor", factor, 0.0)
        self.numerics = one_of("Brightness", "numerics", numerics, KNOWN)

    def apply(self, image: Array) -> jax.Array:
        return brightness(image, factor=self.factor, numerics=self.numerics)

    def as_onnx(self, picture: Picture) -> Picture:
        return color.blended(picture, None, self.factor)


class Contrast(Imagewise):
    """Moves the values of an image away from its mean, or towards it.

    Args:
        factor: At least 0, which is flat; 1 leaves the image.
        numerics: ``"pillow"``, ``"torch"`` or ``"tf"``.

    Raises:
        ConfigError: ``factor`` is below 0, or the numerics are not known.

    Source:
        torchvision's ``adjust_contrast``. See `e2e_jax.ops.enhance.contrast`.

    Example:
        >>> import numpy as np
        >>> Contrast(2)(np.array([[[10], [30]]], np.uint8)).tolist()
        [[[0], [40]]]
    """

    def __init__(self, factor: float, *, numerics: Numerics = "pillow") -> None:
        self.factor = interval_number("Contrast", "factor", factor, 0.0)
        self.numerics = one_of("Contrast", "numerics", numerics, WITH_TF)

    def apply(self, image: Array, size: Extents, *numbers: Numbers) -> jax.Array:
        return contrast(image, factor=self.factor, numerics=self.numerics, size=size)

    def as_onnx(self, picture: Picture) -> Picture:
        return color.contrasted(picture, self.factor, self.numerics)


class Saturation(Pointwise):
    """Makes colours stronger or weaker.

    Args:
        factor: At least 0, which is grey; 1 leaves the image.
        numerics: ``"pillow"``, ``"torch"`` or ``"tf"``.

    Raises:
        ConfigError: ``factor`` is below 0, or the numerics are not known.

    Source:
        torchvision's ``adjust_saturation``. See `e2e_jax.ops.enhance.saturation`.

    Example:
        >>> import numpy as np
        >>> Saturation(0.5)(np.array([[[200, 100, 0]]], np.uint8)).tolist()
        [[[159, 109, 59]]]
    """

    def __init__(self, factor: float, *, numerics: Numerics = "pillow") -> None:
        self.factor = interval_number("Saturation", "factor", factor, 0.0)
        self.numerics = one_of("Saturation", "numerics", numerics, WITH_TF)

    def apply(self, image: Array) -> jax.Array:
        return saturation(image, factor=self.factor, numerics=self.numerics)

    def as_onnx(self, picture: Picture) -> Picture:
        return color.saturation(picture, self.factor, self.numerics)


class Gamma(Pointwise):
    """Sends values through a power curve: ``gain * image ** gamma`` on 0..1.

    Args:
        gamma: At least 0; less than 1 lightens shadows.
        gain: At least 0.
        numerics: ``"pillow"``, ``"torch"`` or ``"tf"``.

    Raises:
        ConfigError: ``gamma`` or ``gain`` is below 0, or the numerics are not known.

    Source:
        torchvision's ``adjust_gamma``. See `e2e_jax.ops.enhance.gamma`.

    Example:
        >>> import numpy as np
        >>> Gamma(0.5)(np.array([[[0, 64, 255]]], np.uint8)).tolist()
        [[[0, 128, 255]]]
    """

    def __init__(self, gamma: float, gain: float = 1.0, *, numerics: Numerics = "pillow") -> None:
        self.gamma = interval_number("Gamma", "gamma", gamma, 0.0)
        self.gain = interval_number("Gamma", "gain", gain, 0.0)
        self.numerics = one_of("Gamma", "numerics", numerics, WITH_TF)

    def apply(self, image: Array) -> jax.Array:
        return gamma(image, gamma=self.gamma, gain=self.gain, numerics=self.numerics)

    def as_onnx(self, picture: Picture) -> Picture:
        return color.curved(picture, self.gamma, self.gain, self.numerics)
