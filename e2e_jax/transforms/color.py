"""Grayscale, ToRGB, ChannelOrder, Invert, Posterize and Solarize: see `e2e_jax.ops.color`."""

from __future__ import annotations

from collections.abc import Sequence

import jax

from e2e_jax.errors import ConfigError
from e2e_jax.graphs import color
from e2e_jax.graphs.picture import Picture
from e2e_jax.ops.color import BITS, channel_order, grayscale, invert, posterize, solarize, to_rgb
from e2e_jax.ops.levels import Numerics
from e2e_jax.transforms.base import Pointwise
from e2e_jax.transforms.check import one_of, real, whole
from e2e_jax.types import Array

LIBRARIES = ("pillow", "torch", "opencv", "tf")


class Grayscale(Pointwise):
    """Takes the colours away.

    Args:
        channels: 1, or 3 equal ones.
        numerics: Whose rounding: ``"pillow"``, ``"torch"``, ``"opencv"`` or ``"tf"``.

    Raises:
        ConfigError: ``channels`` is neither 1 nor 3, or the numerics are not known.

    Source:
        torchvision's ``Grayscale``. See `e2e_jax.ops.color.grayscale`.

    Example:
        >>> import numpy as np
        >>> Grayscale()(np.array([[[255, 0, 0]]], np.uint8)).tolist()
        [[[76]]]
    """

    def __init__(self, channels: int = 1, *, numerics: Numerics = "pillow") -> None:
        if channels not in (1, 3) or isinstance(channels, bool):
            raise ConfigError("Grayscale: channels must be 1 or 3.", f"{channels=}", "pass 1, or 3 equal ones.")
        self.channels = channels
        self.numerics = one_of("Grayscale", "numerics", numerics, LIBRARIES)

    def apply(self, image: Array) -> jax.Array:
        return grayscale(image, channels=self.channels, numerics=self.numerics)

    def as_onnx(self, picture: Picture) -> Picture:
        return color.grayscale(picture, self.channels, self.numerics)


class ToRGB(Pointwise):
    """Three channels from grey, from RGB, or from RGB with an alpha channel, which is left out.

    Source:
        Pillow's ``convert("RGB")``. See `e2e_jax.ops.color.to_rgb`.

    Example:
        >>> import numpy as np
        >>> ToRGB()(np.full((1, 1, 1), 9, np.uint8)).tolist()
        [[[9, 9, 9]]]
    """

    def __init__(self) -> None:
        pass

    def apply(self, image: Array) -> jax.Array:
        return to_rgb(image)

    def as_onnx(self, picture: Picture) -> Picture:
        return color.selected(picture, (0, 0, 0) if picture.channels == 1 else (0, 1, 2))


class ChannelOrder(Pointwise):
    """Puts the channels in another order.

    Args:
        order: For each channel of the result the number of that of the image; ``(2, 1, 0)`` is RGB to BGR and back.

    Raises:
        ConfigError: The order does not name each channel once.

    Source:
        OpenCV's ``COLOR_RGB2BGR``. See `e2e_jax.ops.color.channel_order`.

    Example:
        >>> import numpy as np
        >>> ChannelOrder((2, 1, 0))(np.array([[[7, 8, 9]]], np.uint8)).tolist()
        [[[9, 8, 7]]]
    """

    def __init__(self, order: Sequence[int]) -> None:
        places = tuple(order) if isinstance(order, Sequence) else ()
        whole_numbers = all(isinstance(place, int) and not isinstance(place, bool) for place in places)
        if not places or not whole_numbers or sorted(places) != list(range(len(places))):
            fix = "name each channel once, e.g. (2, 1, 0) for RGB to BGR."
            raise ConfigError("ChannelOrder: order must name each channel once.", f"{order=}", fix)
        self.order = places

    def apply(self, image: Array) -> jax.Array:
        return channel_order(image, order=self.order)

    def as_onnx(self, picture: Picture) -> Picture:
        return color.selected(picture, self.order)


class Invert(Pointwise):
    """Makes the negative.

    Source:
        torchvision's ``RandomInvert``, always. See `e2e_jax.ops.color.invert`.

    Example:
        >>> import numpy as np
        >>> Invert()(np.array([[[0, 5, 255]]], np.uint8)).tolist()
        [[[255, 250, 0]]]
    """

    def __init__(self) -> None:
        pass

    def apply(self, image: Array) -> jax.Array:
        return invert(image)

    def as_onnx(self, picture: Picture) -> Picture:
        return color.inverted(picture)


class Posterize(Pointwise):
    """Keeps the highest bits of each level.

    Args:
        bits: 0..8.

    Raises:
        ConfigError: ``bits`` is another.

    Source:
        torchvision's ``RandomPosterize``, always. See `e2e_jax.ops.color.posterize`.

    Example:
        >>> import numpy as np
        >>> Posterize(3)(np.array([[[31, 32, 255]]], np.uint8)).tolist()
        [[[0, 32, 224]]]
    """

    def __init__(self, bits: int) -> None:
        self.bits = whole("Posterize", "bits", bits, least=0)
        if bits > BITS:
            raise ConfigError("Posterize: bits must be 0..8.", f"bits={bits!r}", "pass a whole number 0..8.")

    def apply(self, image: Array) -> jax.Array:
        return posterize(image, bits=self.bits)

    def as_onnx(self, picture: Picture) -> Picture:
        return color.posterized(picture, self.bits)


class Solarize(Pointwise):
    """Makes the negative of all values from a threshold on.

    Args:
        threshold: In the image's units: 0..255 for bytes, 0..1 for floats.

    Raises:
        ConfigError: ``threshold`` is not a finite number.

    Source:
        torchvision's ``RandomSolarize``, always. See `e2e_jax.ops.color.solarize`.

    Example:
        >>> import numpy as np
        >>> Solarize(128)(np.array([[[127, 128, 255]]], np.uint8)).tolist()
        [[[127, 127, 0]]]
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = real("Solarize", "threshold", threshold)

    def apply(self, image: Array) -> jax.Array:
        return solarize(image, threshold=self.threshold)

    def as_onnx(self, picture: Picture) -> Picture:
        return color.solarized(picture, self.threshold)
