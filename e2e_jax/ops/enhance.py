"""Brightness, contrast, saturation and gamma: an image mixed with a duller one, or sent through a curve."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.errors import ConfigError
from e2e_jax.ops.color import luma
from e2e_jax.ops.exact import Number, to_numbers
from e2e_jax.ops.levels import (
    TF_ROUNDING,
    WHITE,
    Numerics,
    check_channels,
    check_numerics,
    fused,
    is_bytes,
    pinned,
    to_bytes,
    to_floats,
)
from e2e_jax.ops.means import mean as mean_of
from e2e_jax.ops.means import whole_mean
from e2e_jax.ops.sizes import Extents, to_single
from e2e_jax.types import Array

CURVE = 255 + 1 - 1e-3  # levels to the unit, then cut off: torchvision, _functional_pil.py and to_dtype_image
KNOWN = ("pillow", "torch")
WITH_TF = (*KNOWN, "tf")


def blend(image: Array, *, degenerate: Array, factor: Number, numerics: Numerics = "pillow") -> jax.Array:
    """Mixes an image with a duller one: ``degenerate + factor * (image - degenerate)``.

    Args:
        image: ``(..., H, W, C)``, uint8 0..255 or floating 0..1.
        degenerate: What a factor of 0 leaves, in the image's units and of a shape that broadcasts to the image's.
        factor: 1 leaves the image, more exaggerates it. A number or a traced scalar.
        numerics: Whose rounding, ``"pillow"`` or ``"torch"``.

    Returns:
        The image's shape and dtype, clipped to 0..255 or 0..1; differentiable for floats.

    Raises:
        ImageError: The image is neither uint8 nor floating.
        ConfigError: The numerics are not known.

    Source:
        Pillow 13.0 ``Image.blend`` (Blend.c); torchvision 0.29 ``_blend`` on tensors, in single precision with one
        fused product. Both cut off to whole levels and are bit-exact for uint8. (A traced factor is one of single
        precision; torchvision subtracts that of double precision from 1.)

    Example:
        >>> import numpy as np
        >>> blend(np.array([[[10, 200]]], np.uint8), degenerate=np.uint8(100), factor=0.5).tolist()
        [[[55, 150]]]
    """
    check_numerics("Blend", numerics, KNOWN)
    if is_bytes("Blend", image):
        return to_bytes(BLENDS[numerics](jnp.asarray(image), jnp.asarray(degenerate), factor))
    levels, dull = to_floats(image), to_floats(degenerate)
    factor = jnp.asarray(factor).astype(levels.dtype)
    return jnp.clip(dull + factor * (levels - dull), 0, 1).astype(image.dtype)


def _pillow_blend(image: jax.Array, degenerate: jax.Array, factor: Number) -> jax.Array:
    dull = degenerate.astype(jnp.float32)
    return dull + pinned(jnp.asarray(factor).astype(jnp.float32) * (image.astype(jnp.float32) - dull))


def _torch_blend(image: jax.Array, degenerate: jax.Array, factor: Number) -> jax.Array:
    with jax.enable_x64(True):
        factor = jnp.asarray(factor).astype(jnp.float64)
        first, second = to_single(jnp, factor), to_single(jnp, 1.0 - factor)
        kept = to_single(jnp, image.astype(jnp.float64) * first)
        return fused(kept, degenerate.astype(jnp.float64), second).astype(jnp.float32)


BLENDS: dict[str, Callable[[jax.Array, jax.Array, Number], jax.Array]] = {
    "pillow": _pillow_blend,
    "torch": _torch_blend,
}


def brightness(image: Array, *, factor: Number, numerics: Numerics = "pillow") -> jax.Array:
    """Makes an image lighter or darker, by a factor.

    Args:
        image: ``(..., H, W, C)``, uint8 0..255 or floating 0..1.
        factor: 0 is black, 1 leaves the image. A number or a traced scalar.
        numerics: ``"pillow"`` or ``"torch"``, which agree to the bit. TensorFlow adds a number: see `Rescale`.

    Returns:
        The same shape and dtype, clipped to 0..255 or 0..1; differentiable for floats.

    Raises:
        ImageError: The image is neither uint8 nor floating.
        ConfigError: The numerics are not these.

    Source:
        Pillow 13.0 ``ImageEnhance.Brightness``, torchvision 0.29 ``adjust_brightness``: bit-exact for uint8.

    Example:
        >>> import numpy as np
        >>> brightness(np.array([[[10, 101, 200]]], np.uint8), factor=1.5).tolist()
        [[[15, 151, 255]]]
    """
    if numerics == "tf":
        fix = "use Rescale(1, delta) on floats, which is what tf.image.adjust_brightness(delta) does."
        raise ConfigError('Brightness: numerics must be "pillow" or "torch".', f"{numerics=}", fix)
    check_numerics("Brightness", numerics, KNOWN)
    is_bytes("Brightness", image)
    return blend(image, degenerate=jnp.zeros((), image.dtype), factor=factor)


def contrast(
    image: Array, *, factor: Number, numerics: Numerics = "pillow", size: Extents | None = None
) -> jax.Array:
    """Moves the values of an image away from its mean, or towards it.

    Args:
        image: ``(..., H, W, C)`` of 1 or 3 channels, uint8 0..255 or floating 0..1.
        factor: 0 is flat, 1 leaves the image. A number or a traced scalar.
        numerics: ``"pillow"`` and ``"torch"`` take the mean of the luma, the former as a whole level; ``"tf"`` that
            of each channel, and does not clip floats.
        size: Height and width of the part of the array that is the image, at its top left, if not all of it; what
            lies outside does not count. May be traced.

    Returns:
        The same shape and dtype; differentiable for floats.

    Raises:
        ImageError: The image has neither 1 nor 3 channels, or is neither uint8 nor floating.
        ConfigError: The numerics are not known.

    Source:
        Pillow 13.0 ``ImageEnhance.Contrast``, bit-exact for uint8; torchvision 0.29 ``adjust_contrast`` on tensors,
        bit-exact up to 65 000 pixels, beyond that within one level, for it sums in single precision; floats within
        1e-6. TensorFlow 2.21 ``adjust_contrast``, floats within 1e-6.

    Example:
        >>> import numpy as np
        >>> contrast(np.array([[[10], [30]]], np.uint8), factor=2.0).tolist()
        [[[0], [40]]]
    """
    check_numerics("Contrast", numerics, WITH_TF)
    levels_of_bytes = is_bytes("Contrast", image)
    colours = check_channels("Contrast", image, (1, 3))
    if numerics == "tf":
        return _through_floats(image, lambda x: _from_mean(x, factor, size))
    grey = luma(image, numerics=numerics) if colours == 3 else jnp.asarray(image)[..., 0]
    if not levels_of_bytes:
        mean = mean_of(to_floats(grey)[..., None], size)
    elif numerics == "pillow":
        mean = whole_mean(grey, size)
    else:
        with jax.enable_x64(True):
            mean = mean_of(grey.astype(jnp.float64)[..., None], size).astype(jnp.float32)
    return blend(image, degenerate=mean, factor=factor, numerics=numerics)


def _from_mean(image: jax.Array, factor: Number, size: Extents | None) -> jax.Array:
    mean = mean_of(image, size)
    return mean + (image - mean) * jnp.asarray(factor).astype(image.dtype)


def saturation(image: Array, *, factor: Number, numerics: Numerics = "pillow") -> jax.Array:
    """Makes colours stronger or weaker.

    Args:
        image: ``(..., H, W, C)``, uint8 0..255 or floating 0..1; of one channel it is returned as it is.
        factor: 0 is grey, 1 leaves the image. A number or a traced scalar.
        numerics: ``"pillow"`` and ``"torch"`` mix with the luma; ``"tf"`` multiplies the S of HSV, up to 1.

    Returns:
        The same shape and dtype; differentiable for floats.

    Raises:
        ImageError: The image has neither 1 nor 3 channels, or is neither uint8 nor floating.
        ConfigError: The numerics are not known.

    Source:
        Pillow 13.0 ``ImageEnhance.Color`` and torchvision 0.29 ``adjust_saturation`` on tensors, bit-exact for
        uint8; floats within 1e-6. TensorFlow 2.21 ``adjust_saturation``, floats within 1e-6.

    Example:
        >>> import numpy as np
        >>> saturation(np.array([[[200, 100, 0]]], np.uint8), factor=0.5).tolist()
        [[[159, 109, 59]]]
    """
    check_numerics("Saturation", numerics, WITH_TF)
    is_bytes("Saturation", image)
    if check_channels("Saturation", image, (1, 3)) == 1:
        return jnp.asarray(image)
    if numerics == "tf":
        return _through_floats(image, lambda x: _saturated(x, jnp.asarray(factor).astype(x.dtype)))
    return blend(image, degenerate=luma(image, numerics=numerics)[..., None], factor=factor, numerics=numerics)


def _saturated(image: jax.Array, factor: jax.Array) -> jax.Array:
    """All channels keep their distance from the largest, but for a factor that brings none below 0."""
    most, least = image.max(-1, keepdims=True), image.min(-1, keepdims=True)
    spread = most - least
    limit = most / jnp.where(spread > 0, spread, 1)
    return most - (most - image) * jnp.minimum(factor, limit)


def _through_floats(image: Array, change: Callable[[jax.Array], jax.Array]) -> jax.Array:
    """TensorFlow's way with bytes: to 0..1 and back, cut off."""
    if image.dtype != jnp.uint8:
        return change(to_floats(image)).astype(image.dtype)
    return to_bytes(change(to_floats(image) / WHITE) * TF_ROUNDING)


def gamma(image: Array, *, gamma: Number, gain: Number = 1.0, numerics: Numerics = "pillow") -> jax.Array:
    """Sends values through a power curve: ``gain * image ** gamma`` on 0..1.

    Args:
        image: ``(..., H, W, C)``, uint8 0..255 or floating 0..1.
        gamma: At least 0; less than 1 lightens shadows. A number or a traced scalar.
        gain: Likewise.
        numerics: ``"pillow"`` (a table in double precision), ``"torch"`` (single precision) or ``"tf"``, which does
            not clip floats.

    Returns:
        The same shape and dtype; differentiable for floats, with a slope of 0 at 0 and below, where values are 0.

    Raises:
        ImageError: The image is neither uint8 nor floating.
        ConfigError: The numerics are not known.

    Source:
        torchvision 0.29 ``adjust_gamma``: of PIL images bit-exact, of uint8 tensors within one level. TensorFlow
        2.21 ``adjust_gamma``, floats within 1e-6.

    Example:
        >>> import numpy as np
        >>> gamma(np.array([[[0, 64, 255]]], np.uint8), gamma=0.5).tolist()
        [[[0, 128, 255]]]
    """
    check_numerics("Gamma", numerics, WITH_TF)
    if is_bytes("Gamma", image):
        with jax.enable_x64(True):
            xp, (power, gain) = to_numbers(np, gamma, gain)
            table = xp.clip(xp.floor(CURVES[numerics](xp, power, gain)), 0, WHITE).astype(np.uint8)
        return jnp.asarray(table).at[jnp.asarray(image)].get(mode="promise_in_bounds")
    levels = to_floats(image)
    power, gain = (jnp.asarray(number).astype(levels.dtype) for number in (gamma, gain))
    dark = levels <= 0
    black = jnp.where(power == 0, jnp.ones((), levels.dtype), 0)
    curve = gain * jnp.where(dark, black, jnp.where(dark, jnp.ones((), levels.dtype), levels) ** power)
    return (curve if numerics == "tf" else jnp.clip(curve, 0, 1)).astype(image.dtype)


LEVELS = np.arange(WHITE + 1, dtype=np.float64)


def _pillow_curve(xp: ModuleType, power: Number, gain: Number) -> Array:
    return CURVE * gain * xp.power(xp.asarray(LEVELS / WHITE), power)


def _torch_curve(xp: ModuleType, power: Number, gain: Number) -> Array:
    levels = np.arange(WHITE + 1, dtype=np.float32) * np.float32(1 / WHITE)
    curve = to_single(xp, xp.power(xp.asarray(levels.astype(np.float64)), to_single(xp, xp.asarray(power))))
    bright = xp.clip(to_single(xp, curve * to_single(xp, xp.asarray(gain))), 0, 1)
    return to_single(xp, bright * float(np.float32(CURVE)))


def _tf_curve(xp: ModuleType, power: Number, gain: Number) -> Array:
    return _pillow_curve(xp, power, gain) / CURVE * TF_ROUNDING


CURVES: dict[str, Callable[[ModuleType, Number, Number], Array]] = {
    "pillow": _pillow_curve,
    "torch": _torch_curve,
    "tf": _tf_curve,
}
