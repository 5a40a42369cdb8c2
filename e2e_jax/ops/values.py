"""What happens to values once the pixels stand where they should: scale, normalise, cast, reorder axes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.errors import ImageError
from e2e_jax.ops.levels import check_numerics, pinned
from e2e_jax.types import Array

BYTE_MAX = 255.0  # the largest uint8 level
MULTIPLIES = ("torch", "tf")
TO_UNIT = ("pillow", "opencv", *MULTIPLIES)


def to_tensor(image: Array, *, numerics: Literal["pillow", "torch", "tf", "opencv"] = "pillow") -> jax.Array:
    """Scales bytes to the unit interval; floats pass unchanged.

    Args:
        image: ``(..., H, W, C)``, uint8 0..255 or floating.
        numerics: ``"pillow"`` and ``"opencv"`` divide by 255; ``"torch"`` and ``"tf"`` multiply by 1/255 in single
            precision, which moves 126 of the 256 levels by one unit in the last place.

    Returns:
        float32 of the same shape, 0..1 for uint8; channels stay last.

    Raises:
        ImageError: The image is of another dtype, whose largest level is not known.
        ConfigError: The numerics are not known.

    Source:
        Divided: torchvision's ``ToTensor`` on PIL images, MXNet's ``ToTensor``. Multiplied: torchvision 0.29
        ``v2.ToDtype(scale=True)``, TensorFlow 2 ``convert_image_dtype``, Keras ``Rescaling(1 / 255)``.

    Example:
        >>> import numpy as np
        >>> to_tensor(np.array([[[0, 51, 255]]], np.uint8)).ravel().tolist()
        [0.0, 0.20000000298023224, 1.0]
    """
    check_numerics("ToTensor", numerics, TO_UNIT)
    if image.dtype == jnp.uint8 and numerics in MULTIPLIES:
        return pinned(jnp.asarray(image).astype(jnp.float32) * np.float32(1 / BYTE_MAX))
    if image.dtype == jnp.uint8:
        return _divide(jnp.asarray(image).astype(jnp.float32), np.asarray(BYTE_MAX))
    if not jnp.issubdtype(image.dtype, jnp.floating):
        fix = 'scale it yourself, e.g. Normalize(0, 65535) for 16 bits, or Cast("uint8") first.'
        received = f"{image.shape} {image.dtype}"
        raise ImageError("ToTensor: an image must be uint8 0..255 or floating.", received, fix)
    return jnp.asarray(image).astype(jnp.float32)


def normalize(image: Array, *, mean: tuple[float, ...], std: tuple[float, ...]) -> jax.Array:
    """Shifts and scales each channel: ``(image - mean) / std``.

    Args:
        image: ``(..., H, W, C)`` of any dtype; computed in float32.
        mean: One value, or one per channel, in the image's units.
        std: Likewise, positive.

    Returns:
        float32 of the same shape.

    Raises:
        ImageError: The image has another number of channels than ``mean``.

    Source:
        torchvision 0.29 ``Normalize``.

    Example:
        >>> import numpy as np
        >>> normalize(np.full((1, 1, 3), 127, np.uint8), mean=(127.0,), std=(128.0,)).ravel().tolist()
        [0.0, 0.0, 0.0]
    """
    _fit_channels("Normalize", image, mean=mean, std=std)
    shifted = jnp.asarray(image).astype(jnp.float32) - np.asarray(mean, np.float32)
    return _divide(shifted, np.asarray(std, np.float32))


def _fit_channels(step: str, image: Array, **given: tuple[float, ...]) -> None:
    channels = image.shape[-1]
    for name, values in given.items():
        if len(values) not in (1, channels):
            raise ImageError(
                f"{step}: {name} must have one value, or one per channel.",
                f"{len(values)} values for an image of {channels} channels",
                f"pass {channels} values, or convert the image to {len(values)} channels first.",
            )


def rescale(image: Array, *, scale: tuple[float, ...], offset: tuple[float, ...] = (0.0,)) -> jax.Array:
    """Scales and shifts each channel: ``image * scale + offset``.

    Args:
        image: ``(..., H, W, C)`` of any dtype.
        scale: One value, or one per channel.
        offset: Likewise, in the units of the result.

    Returns:
        float32 of the same shape, computed in double precision and rounded once.

    Raises:
        ImageError: The image has another number of channels than ``scale`` or ``offset``.

    Source:
        Keras ``Rescaling``; TensorFlow ``adjust_brightness`` is one with a scale of 1.

    Example:
        >>> import numpy as np
        >>> rescale(np.array([[[0, 51, 255]]], np.uint8), scale=(1 / 127.5,), offset=(-1.0,)).ravel().tolist()
        [-1.0, -0.6000000238418579, 1.0]
    """
    _fit_channels("Rescale", image, scale=scale, offset=offset)
    return _scaled(image, scale, offset)


def denormalize(image: Array, *, mean: tuple[float, ...], std: tuple[float, ...]) -> jax.Array:
    """Undoes `normalize`: ``image * std + mean``.

    Args:
        image: ``(..., H, W, C)`` of any dtype.
        mean: One value, or one per channel, in the units of the result.
        std: Likewise.

    Returns:
        float32 of the same shape, computed in double precision and rounded once.

    Raises:
        ImageError: The image has another number of channels than ``mean`` or ``std``.

    Source:
        The inverse of torchvision's ``Normalize``.

    Example:
        >>> import numpy as np
        >>> denormalize(np.full((1, 1, 3), 0.5, np.float32), mean=(127.0,), std=(128.0,)).ravel().tolist()
        [191.0, 191.0, 191.0]
    """
    _fit_channels("Denormalize", image, mean=mean, std=std)
    return _scaled(image, std, mean)


def _scaled(image: Array, scale: tuple[float, ...], offset: tuple[float, ...]) -> jax.Array:
    """In single precision XLA would round once or twice, as it likes."""
    with jax.enable_x64(True):
        levels = jnp.asarray(image).astype(jnp.float64)
        return (levels * np.asarray(scale, np.float64) + np.asarray(offset, np.float64)).astype(jnp.float32)


def channel_statistics(images: Iterable[Array]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over all pixels of all images, one image in memory at a time.

    Args:
        images: Arrays ``(..., C)`` of any sizes, alike in channels, uint8 or floating; read on the host.

    Returns:
        Means and standard deviations, C each, in the images' units; the deviation is that of the whole population.

    Raises:
        ImageError: There is no image, or one is empty, of another number of channels, or of another dtype.

    Source:
        uint8 in whole numbers, without error; floats in double precision, merged by Chan, Golub and LeVeque 1979.

    Example:
        >>> import numpy as np
        >>> channel_statistics([np.array([[[2], [4]]], np.uint8), np.array([[[6]]], np.uint8)])
        ((4.0,), (1.632993161855452,))
    """
    first: tuple[np.dtype, int] | None = None
    count, mean, squares = 0, np.zeros(()), np.zeros(())
    for image in images:
        pixels = np.asarray(image)
        first = first or (pixels.dtype, pixels.shape[-1] if pixels.ndim else 0)
        _check_alike(pixels, first)
        more, here, spread = _moments(pixels)
        apart, whole = here - mean, count + more
        squares = squares + spread + apart * apart * count * more / whole if count else spread
        mean, count = mean + apart * more / whole if count else here, whole
    if not count:
        fix = "pass some of the photos the network is trained on."
        raise ImageError("Normalize.adapt: there must be images.", "none", fix)
    return tuple(map(float, mean)), tuple(math.sqrt(value / count) for value in squares)


def _moments(pixels: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    """Number of pixels, and of each channel the mean and the sum of squares about it; fractions for bytes."""
    rows = pixels.reshape(-1, pixels.shape[-1])  # (pixels, C)
    if rows.dtype != np.uint8:
        levels = rows.astype(np.float64)
        mean = levels.mean(0)
        return len(rows), mean, ((levels - mean) ** 2).sum(0)
    sums = np.array([Fraction(total) for total in rows.sum(0, dtype=np.int64).tolist()], object)
    squares = np.square(rows, dtype=np.uint16).sum(0, dtype=np.int64).astype(object)
    return len(rows), sums / len(rows), squares - sums * sums / len(rows)


def _check_alike(pixels: np.ndarray, first: tuple[np.dtype, int]) -> None:
    numbers = pixels.dtype == np.uint8 or jnp.issubdtype(pixels.dtype, jnp.floating)
    if not pixels.size or not numbers or (pixels.dtype, pixels.shape[-1]) != first:
        raise ImageError(
            "Normalize.adapt: images must be uint8 or floating, not empty, and alike in dtype and channels.",
            f"{pixels.shape} {pixels.dtype}; the first was {first[0]} of {first[1]} channels",
            "convert the images to one dtype and channel count first.",
        )


def cast(image: Array, *, dtype: str) -> jax.Array:
    """Changes the dtype and nothing else: integers saturate, floats to integers round half to even first.

    Args:
        image: Any shape.
        dtype: NumPy name, e.g. ``"float32"``.

    Returns:
        The same shape in ``dtype``.

    Source:
        Saturation as in OpenCV's ``saturate_cast``.

    Example:
        >>> import numpy as np
        >>> cast(np.array([-3.0, 0.5, 1.5, 300.0], np.float32), dtype="uint8").tolist()
        [0, 0, 2, 255]
    """
    image, target = jnp.asarray(image), np.dtype(dtype)
    if np.issubdtype(target, np.integer) and image.dtype != bool:
        image = jnp.clip(jnp.round(image), *_limits(np.iinfo(target), image.dtype))
    return image.astype(target)


def _limits(target: np.iinfo, source: np.dtype) -> tuple[int, int]:
    """Least and greatest value of an integer dtype, as far as the source can hold them."""
    if jnp.issubdtype(source, jnp.floating):
        return target.min, target.max
    holds = np.iinfo(source)
    return max(target.min, int(holds.min)), min(target.max, int(holds.max))


def to_layout(image: Array, *, layout: str) -> jax.Array:
    """Moves the channels first for a network that wants them there.

    Args:
        image: ``(..., H, W, C)``.
        layout: ``"CHW"`` or ``"HWC"`` (unchanged).

    Returns:
        ``(..., C, H, W)`` for ``"CHW"``, of the same dtype.

    Source:
        The axis order of ONNX and PyTorch image networks.

    Example:
        >>> import numpy as np
        >>> to_layout(np.zeros((2, 5, 4, 3)), layout="CHW").shape
        (2, 3, 5, 4)
    """
    return jnp.moveaxis(jnp.asarray(image), -1, -3) if layout == "CHW" else jnp.asarray(image)


def _divide(image: jax.Array, divisor: np.ndarray) -> jax.Array:
    """Correctly rounded float32 division by constants.

    In float32 XLA multiplies by the rounded reciprocal instead, which moves half of the 256 levels by one ulp.
    """
    with jax.enable_x64(True):
        return (image.astype(jnp.float64) / divisor.astype(np.float64)).astype(jnp.float32)
