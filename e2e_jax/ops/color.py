"""Colours by channel: grey, RGB, another order, the negative, fewer levels."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.errors import ConfigError, ImageError
from e2e_jax.ops.levels import (
    TF_ROUNDING,
    WHITE,
    Numerics,
    channels_of,
    check_channels,
    check_numerics,
    fused,
    is_bytes,
    to_bytes,
    to_floats,
)
from e2e_jax.ops.sizes import to_single
from e2e_jax.types import Array

REC601 = (0.299, 0.587, 0.114)  # luma of R, G, B: ITU-R BT.601-7, 2.5.1
TORCH_LUMA = (0.2989, 0.587, 0.114)  # torchvision, functional/_color.py; TensorFlow, rgb_to_grayscale
PILLOW_LUMA = (19595, 38470, 7471)  # REC601 in 1 / 65536: Pillow, Convert.c, L24
PILLOW_BITS = 16
OPENCV_LUMA = (9798, 19235, 3735)  # REC601 in 1 / 32768: OpenCV, color_rgb.simd.hpp
OPENCV_BITS = 15
BITS = 8  # of a uint8 level


def luma(image: Array, *, numerics: Numerics = "pillow") -> jax.Array:
    """How light each pixel is.

    Args:
        image: ``(..., H, W, 3)``, uint8 or floating.
        numerics: As for `grayscale`.

    Returns:
        ``(..., H, W)``: whole levels as int32 for uint8, else floating.

    Source:
        As for `grayscale`.

    Example:
        >>> import numpy as np
        >>> luma(np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8)).tolist()
        [[76, 29]]
    """
    if image.dtype == jnp.uint8:
        return BYTES[numerics](jnp.asarray(image))
    weights = TORCH_LUMA if numerics in ("torch", "tf") else REC601
    red, green, blue = channels_of(to_floats(image))
    return red * weights[0] + green * weights[1] + blue * weights[2]


def _fixed_point(weights: tuple[int, ...], bits: int) -> Callable[[jax.Array], jax.Array]:
    """A weighted sum of whole numbers, rounded half up."""

    def levels(image: jax.Array) -> jax.Array:
        red, green, blue = channels_of(image.astype(jnp.int32))
        return (red * weights[0] + green * weights[1] + blue * weights[2] + (1 << (bits - 1))) >> bits

    return levels


def _by_torch(image: jax.Array) -> jax.Array:
    """Single precision, in the fused steps of torch's kernels, cut off."""
    with jax.enable_x64(True):
        red, green, blue = channels_of(image.astype(jnp.float64))
        first, second, third = (float(np.float32(weight)) for weight in TORCH_LUMA)
        grey = fused(fused(to_single(jnp, red * first), green, second), blue, third)
        return grey.astype(jnp.int32)


def _by_tf(image: jax.Array) -> jax.Array:
    red, green, blue = channels_of(image.astype(jnp.float32) / WHITE)
    grey = red * TORCH_LUMA[0] + green * TORCH_LUMA[1] + blue * TORCH_LUMA[2]
    return to_bytes(grey * TF_ROUNDING).astype(jnp.int32)


BYTES: dict[str, Callable[[jax.Array], jax.Array]] = {
    "pillow": _fixed_point(PILLOW_LUMA, PILLOW_BITS),
    "torch": _by_torch,
    "opencv": _fixed_point(OPENCV_LUMA, OPENCV_BITS),
    "tf": _by_tf,
}


def grayscale(image: Array, *, channels: int = 1, numerics: Numerics = "pillow") -> jax.Array:
    """Takes the colours away.

    Args:
        image: ``(..., H, W, 3)``, uint8 0..255 or floating; of one channel it is grey already.
        channels: 1, or 3 equal ones.
        numerics: Whose rounding: ``"pillow"``, ``"torch"`` (cut off, and a weight of 0.2989 for red), ``"opencv"``,
            ``"tf"`` (through floats).

    Returns:
        ``(..., H, W, channels)`` of the image's dtype.

    Raises:
        ImageError: The image has neither 1 nor 3 channels, or is neither uint8 nor floating.
        ConfigError: The numerics are not known.

    Source:
        Luma of ITU-R BT.601. For uint8 bit-exact with Pillow 13.0 ``convert("L")``, torchvision 0.29
        ``rgb_to_grayscale`` on tensors, and OpenCV 5.0 ``cvtColor``. Floats are the sum unrounded, for ``"torch"``
        and ``"tf"`` with 0.2989, within 1e-6 of TensorFlow 2.21 ``rgb_to_grayscale``.

    Example:
        >>> import numpy as np
        >>> grayscale(np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8)).tolist()
        [[[76], [29]]]
    """
    check_numerics("Grayscale", numerics, tuple(BYTES))
    is_bytes("Grayscale", image)
    if check_channels("Grayscale", image, (1, 3)) == 3:
        image = luma(image, numerics=numerics).astype(image.dtype)[..., None]
    return jnp.broadcast_to(jnp.asarray(image), (*image.shape[:-1], channels))


def to_rgb(image: Array) -> jax.Array:
    """Three channels from grey, from RGB, or from RGB with an alpha channel, which is left out.

    Args:
        image: ``(..., H, W, 1)``, ``(..., H, W, 3)`` or ``(..., H, W, 4)`` of any dtype.

    Returns:
        ``(..., H, W, 3)`` of the same dtype.

    Raises:
        ImageError: The image has another number of channels.

    Source:
        Pillow 13.0 ``convert("RGB")`` of L, RGB and RGBA: nothing is blended with a background.

    Example:
        >>> import numpy as np
        >>> to_rgb(np.full((1, 1, 1), 9, np.uint8)).tolist()
        [[[9, 9, 9]]]
    """
    if image.shape[-1] not in (1, 3, 4):
        fix = "keep grey (h, w, 1), RGB (h, w, 3) or RGBA (h, w, 4)."
        raise ImageError("ToRGB: an image must have 1, 3 or 4 channels.", f"{image.shape} {image.dtype}", fix)
    return jnp.broadcast_to(jnp.asarray(image)[..., :3], (*image.shape[:-1], 3))


def channel_order(image: Array, *, order: tuple[int, ...]) -> jax.Array:
    """Puts the channels in another order.

    Args:
        image: ``(..., H, W, C)`` of any dtype.
        order: For each channel of the result the number of that of the image; ``(2, 1, 0)`` is RGB to BGR and back.

    Returns:
        The same shape and dtype.

    Raises:
        ImageError: The image has another number of channels.

    Source:
        OpenCV's ``COLOR_RGB2BGR``.

    Example:
        >>> import numpy as np
        >>> channel_order(np.array([[[7, 8, 9]]], np.uint8), order=(2, 1, 0)).tolist()
        [[[9, 8, 7]]]
    """
    if image.shape[-1] != len(order):
        expected = f"ChannelOrder: an image must have {len(order)} channels."
        raise ImageError(expected, f"{image.shape} {image.dtype}", "name each channel once, or put ToRGB() before.")
    return jnp.stack([jnp.asarray(image)[..., channel] for channel in order], axis=-1)


def invert(image: Array) -> jax.Array:
    """Makes the negative.

    Args:
        image: ``(..., H, W, C)``, uint8 0..255 or floating 0..1.

    Returns:
        The same shape and dtype.

    Raises:
        ImageError: The image is neither.

    Source:
        Pillow 13.0 ``ImageOps.invert``, torchvision 0.29 ``invert``: bit-exact.

    Example:
        >>> import numpy as np
        >>> invert(np.array([[[0, 5, 255]]], np.uint8)).tolist()
        [[[255, 250, 0]]]
    """
    return (WHITE if is_bytes("Invert", image) else 1) - jnp.asarray(image)


def posterize(image: Array, *, bits: int) -> jax.Array:
    """Keeps the highest bits of each level.

    Args:
        image: ``(..., H, W, C)``, uint8 0..255 or floating 0..1.
        bits: 0..8, of which 0 is black and 8 leaves bytes as they are.

    Returns:
        The same shape and dtype; floats are of ``2 ** bits`` levels from 0 up, 1 not among them.

    Raises:
        ImageError: The image is neither.
        ConfigError: There are not so many bits.

    Source:
        Pillow 13.0 ``ImageOps.posterize``, torchvision 0.29 ``posterize`` (also for floats): bit-exact.

    Example:
        >>> import numpy as np
        >>> posterize(np.array([[[31, 32, 255]]], np.uint8), bits=3).tolist()
        [[[0, 32, 224]]]
    """
    if not 0 <= bits <= BITS:
        raise ConfigError("Posterize: bits must be 0..8.", f"bits={bits!r}", "pass a whole number 0..8.")
    image, steps = jnp.asarray(image), 1 << bits
    if is_bytes("Posterize", image):
        return image & np.uint8((steps - 1) << (BITS - bits))
    return (jnp.clip(jnp.floor(image * steps), 0, steps - 1) / steps).astype(image.dtype)


def solarize(image: Array, *, threshold: float | Array) -> jax.Array:
    """Makes the negative of all values from a threshold on.

    Args:
        image: ``(..., H, W, C)``, uint8 0..255 or floating 0..1.
        threshold: In the image's units; a number or a traced scalar.

    Returns:
        The same shape and dtype.

    Raises:
        ImageError: The image is neither.

    Source:
        Pillow 13.0 ``ImageOps.solarize``, torchvision 0.29 ``solarize``: bit-exact.

    Example:
        >>> import numpy as np
        >>> solarize(np.array([[[127, 128, 255]]], np.uint8), threshold=128).tolist()
        [[[127, 127, 0]]]
    """
    is_bytes("Solarize", image)
    levels = to_floats(image)
    return jnp.where(levels >= jnp.asarray(threshold, levels.dtype), invert(image), jnp.asarray(image))
