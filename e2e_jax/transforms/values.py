"""ToTensor, Normalize, Denormalize, Rescale, Cast and ToLayout: see their functions in `e2e_jax.ops.values`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, Self

import jax

from e2e_jax.errors import ConfigError
from e2e_jax.graphs import values
from e2e_jax.graphs.picture import Picture
from e2e_jax.ops.values import (
    TO_UNIT,
    cast,
    channel_statistics,
    denormalize,
    normalize,
    rescale,
    to_layout,
    to_tensor,
)
from e2e_jax.transforms.base import Pointwise
from e2e_jax.transforms.check import channel_values, one_of
from e2e_jax.types import Array

LAYOUTS = ("HWC", "CHW")


class ToTensor(Pointwise):
    """Scales bytes to 0..1; floats pass unchanged. Channels stay last.

    Args:
        numerics: ``"pillow"`` and ``"opencv"`` divide by 255; ``"torch"`` and ``"tf"`` multiply by 1/255.

    Raises:
        ConfigError: The numerics are not known.

    Source:
        torchvision's ``ToTensor``, without its change of layout. See `e2e_jax.ops.values.to_tensor`.

    Example:
        >>> import numpy as np
        >>> ToTensor()(np.full((1, 1, 1), 255, np.uint8)).item()
        1.0
    """

    def __init__(self, *, numerics: Literal["pillow", "torch", "tf", "opencv"] = "pillow") -> None:
        self.numerics = one_of("ToTensor", "numerics", numerics, TO_UNIT)

    def apply(self, image: Array) -> jax.Array:
        return to_tensor(image, numerics=self.numerics)

    def as_onnx(self, picture: Picture) -> Picture:
        return values.unit(picture, self.numerics)


class Normalize(Pointwise):
    """``(image - mean) / std``, channel by channel.

    Args:
        mean: One value, or one per channel, in the image's units.
        std: Likewise, not zero.

    Raises:
        ConfigError: A value is not finite, or ``std`` holds a zero.

    Source:
        torchvision's ``Normalize``. See `e2e_jax.ops.values.normalize`.

    Example:
        >>> import numpy as np
        >>> Normalize(127, 128)(np.full((1, 1, 3), 127, np.uint8)).ravel().tolist()
        [0.0, 0.0, 0.0]
    """

    def __init__(self, mean: float | Sequence[float], std: float | Sequence[float]) -> None:
        self.mean = channel_values("Normalize", "mean", mean)
        self.std = channel_values("Normalize", "std", std)
        if 0.0 in self.std:
            fix = "leave constant channels out, or give them a std of 1."
            raise ConfigError("Normalize: std must not be zero.", f"std={std!r}", fix)

    def apply(self, image: Array) -> jax.Array:
        return normalize(image, mean=self.mean, std=self.std)

    def as_onnx(self, picture: Picture) -> Picture:
        return values.normalized(picture, self.mean, self.std)

    @classmethod
    def adapt(cls, images: Iterable[Array]) -> Self:
        """One with the mean and standard deviation of images, channel by channel.

        Args:
            images: Arrays ``(..., C)`` of any sizes, all uint8 or all floating; one is in memory at a time.
                They must be what this step will get: bytes, if no `ToTensor` comes before it.

        Raises:
            ImageError: There is none, one is empty, or they are not alike.
            ConfigError: A channel is the same everywhere.

        Source:
            Keras ``Normalization.adapt``. See `e2e_jax.ops.values.channel_statistics`.

        Example:
            >>> import numpy as np
            >>> Normalize.adapt(np.array([[[[2], [6]]], [[[2], [6]]]], np.uint8))
            Normalize((4.0,), (2.0,))
        """
        return cls(*channel_statistics(images))


class Denormalize(Pointwise):
    """``image * std + mean``, which undoes `Normalize` with the same values.

    Args:
        mean: One value, or one per channel, in the units of the result.
        std: Likewise.

    Raises:
        ConfigError: A value is not finite.

    Source:
        The inverse of torchvision's ``Normalize``. See `e2e_jax.ops.values.denormalize`.

    Example:
        >>> import numpy as np
        >>> Denormalize(127, 128)(np.full((1, 1, 3), 0.5, np.float32)).ravel().tolist()
        [191.0, 191.0, 191.0]
    """

    def __init__(self, mean: float | Sequence[float], std: float | Sequence[float]) -> None:
        self.mean = channel_values("Denormalize", "mean", mean)
        self.std = channel_values("Denormalize", "std", std)

    def apply(self, image: Array) -> jax.Array:
        return denormalize(image, mean=self.mean, std=self.std)

    def as_onnx(self, picture: Picture) -> Picture:
        return values.scaled(picture, self.std, self.mean)


class Rescale(Pointwise):
    """``image * scale + offset``, channel by channel.

    Args:
        scale: One value, or one per channel.
        offset: Likewise, in the units of the result.

    Raises:
        ConfigError: A value is not finite.

    Source:
        Keras ``Rescaling``. See `e2e_jax.ops.values.rescale`.

    Example:
        >>> import numpy as np
        >>> Rescale(1 / 127.5, -1)(np.array([[[0, 51, 255]]], np.uint8)).ravel().tolist()
        [-1.0, -0.6000000238418579, 1.0]
    """

    def __init__(self, scale: float | Sequence[float], offset: float | Sequence[float] = 0.0) -> None:
        self.scale = channel_values("Rescale", "scale", scale)
        self.offset = channel_values("Rescale", "offset", offset)

    def apply(self, image: Array) -> jax.Array:
        return rescale(image, scale=self.scale, offset=self.offset)

    def as_onnx(self, picture: Picture) -> Picture:
        return values.scaled(picture, self.scale, self.offset)


class Cast(Pointwise):
    """Changes the dtype; integers saturate, floats to integers round half to even first.

    Args:
        dtype: NumPy name, e.g. ``"float32"`` or ``"uint8"``.

    Raises:
        ConfigError: NumPy and JAX know no such number type.

    Source:
        See `e2e_jax.ops.values.cast`.

    Example:
        >>> import numpy as np
        >>> Cast("uint8")(np.full((1, 1, 1), 300.0, np.float32)).item()
        255
    """

    def __init__(self, dtype: str) -> None:
        self.dtype = one_of("Cast", "dtype", str(dtype), DTYPES)

    def apply(self, image: Array) -> jax.Array:
        return cast(image, dtype=self.dtype)

    def as_onnx(self, picture: Picture) -> Picture:
        return values.saturated(picture, self.dtype)


#: What JAX computes with when 64-bit types are off.
DTYPES = ("uint8", "uint16", "int16", "int32", "float16", "bfloat16", "float32")


class ToLayout(Pointwise):
    """Moves the channels first for a network that wants them there; always the last step.

    Args:
        layout: ``"CHW"`` or ``"HWC"``.

    Raises:
        ConfigError: The layout is another.

    Source:
        See `e2e_jax.ops.values.to_layout`.

    Example:
        >>> import numpy as np
        >>> ToLayout("CHW")(np.zeros((5, 4, 3), np.float32)).shape
        (3, 5, 4)
    """

    def __init__(self, layout: Literal["HWC", "CHW"]) -> None:
        self.layout = one_of("ToLayout", "layout", layout, LAYOUTS)

    def apply(self, image: Array) -> jax.Array:
        return to_layout(image, layout=self.layout)

    def as_onnx(self, picture: Picture) -> Picture:
        return picture if self.layout == "HWC" else values.channels_first(picture)
