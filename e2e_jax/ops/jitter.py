"""Brightness, contrast, saturation and hue in an order that is not known before they run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

from e2e_jax.ops.color import PILLOW_BITS, PILLOW_LUMA
from e2e_jax.ops.enhance import brightness, contrast, saturation
from e2e_jax.ops.exact import Number
from e2e_jax.ops.hsv import turned
from e2e_jax.ops.hue import hue
from e2e_jax.ops.levels import (
    WHITE,
    Numerics,
    Planes,
    channels_of,
    check_channels,
    is_bytes,
    larger,
    pack,
    pinned,
    smaller,
    to_image,
    unpack,
)
from e2e_jax.ops.means import whole_mean
from e2e_jax.ops.sizes import Extents
from e2e_jax.types import Array

STEPS = ("brightness", "contrast", "saturation", "hue")

type Change[T] = Callable[[T, jax.Array], T]


def jitter(
    image: Array,
    *,
    factors: dict[str, Number],
    order: Array,
    numerics: Numerics = "pillow",
    size: Extents | None = None,
) -> jax.Array:
    """Changes brightness, contrast, saturation and hue one after the other, in any order.

    The order may be another for each image of a batch. Every step then has to run in each place where it may stand;
    those that are switched off have a factor of 1. Contrast and hue are costly: contrast needs a mean first. So hue
    runs once and contrast at most twice, between short runs of the cheap ones, which hold all 24 orders.

    Args:
        image: ``(..., H, W, C)`` of 1 or 3 channels, uint8 0..255 or floating 0..1.
        factors: For each of ``"brightness"``, ``"contrast"``, ``"saturation"`` and ``"hue"`` that is to happen, its
            factor: numbers or traced scalars.
        order: ``(n,)`` int32, the steps that happen, counted as `STEPS` is, the first first. May be traced.
        numerics: ``"pillow"`` or ``"torch"``.
        size: As for `contrast`.

    Returns:
        The same shape and dtype; differentiable for floats.

    Raises:
        ImageError: The image has neither 1 nor 3 channels, or is neither uint8 nor floating.
        ConfigError: The numerics are not known.

    Source:
        torchvision 0.29 ``ColorJitter``: bit-exact for uint8 wherever its four steps are, see `brightness`,
        `contrast`, `saturation` and `e2e_jax.ops.hue.hue`.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[100], [200]]], np.uint8)
        >>> factors = {"brightness": 2.0, "contrast": 0.5}
        >>> jitter(image, factors=factors, order=np.array([0, 1])).ravel().tolist()
        [214, 241]
        >>> jitter(image, factors=factors, order=np.array([1, 0])).ravel().tolist()
        [250, 255]
    """
    places = _places(factors, jnp.asarray(order))
    if (
        is_bytes("ColorJitter", image)
        and check_channels("ColorJitter", image, (1, 3)) == 3
        and numerics == "pillow"
    ):
        return _jitter_bytes(jnp.asarray(image), places, size)
    steps: dict[str, Change[jax.Array]] = {
        "brightness": lambda x, f: brightness(x, factor=f, numerics=numerics),
        "contrast": lambda x, f: contrast(x, factor=f, numerics=numerics, size=size),
        "saturation": lambda x, f: saturation(x, factor=f, numerics=numerics),
        "hue": lambda x, f: hue(x, factor=f, numerics=numerics),
    }
    changed = jnp.asarray(image)
    for name, factor in places:
        changed = jax.lax.optimization_barrier(steps[name](changed, factor))  # else XLA computes it per channel
    return changed


def _places(factors: dict[str, Number], order: jax.Array) -> list[tuple[str, jax.Array]]:
    """A fixed row of steps that holds every order, and the factor in each place: 1 where a step is switched off."""
    cheap = ["brightness", "saturation", "brightness"]
    around = [*cheap, "contrast", *cheap] if "contrast" in factors else cheap
    row = [*around, "hue", *around] if "hue" in factors else around
    row = [name for name in row if name in factors]
    done, places = jnp.zeros((), jnp.int32), []
    for name in row:
        due = order[jnp.minimum(done, len(factors) - 1)] == STEPS.index(name)
        happens = due & (done < len(factors))
        factor = jnp.asarray(factors[name]).astype(jnp.float32)
        places.append(factor if name == "hue" else jnp.where(happens, factor, 1.0))
        done = done + happens.astype(jnp.int32)
    places = jax.lax.optimization_barrier(places)  # else XLA computes them for each pixel
    return list(zip(row, places, strict=True))


def _jitter_bytes(image: jax.Array, places: list[tuple[str, jax.Array]], size: Extents | None) -> jax.Array:
    """Whole levels in float32, each pixel packed where all of the image must be known, and at the end."""
    steps: dict[str, Change[Planes]] = {
        "brightness": _brightness,
        "contrast": partial(_contrast, size),
        "saturation": _saturation,
        "hue": _hue,
    }
    red, green, blue = (plane.astype(jnp.float32) for plane in channels_of(image))
    planes = red, green, blue
    for name, factor in places:
        planes = steps[name](planes, factor)
    return to_image(pack(planes))


def _brightness(planes: Planes, factor: jax.Array) -> Planes:
    red, green, blue = (jnp.floor(smaller(factor * plane, float(WHITE))) for plane in planes)
    return red, green, blue


def _blend(planes: Planes, dull: jax.Array, factor: jax.Array) -> Planes:
    """Pillow's Blend.c, as in `e2e_jax.ops.enhance.blend`."""
    mixed = (dull + pinned(factor * (plane - dull)) for plane in planes)
    red, green, blue = (jnp.floor(larger(smaller(level, float(WHITE)), 0.0)) for level in mixed)
    return red, green, blue


def _saturation(planes: Planes, factor: jax.Array) -> Planes:
    return _blend(planes, _luma(planes), factor)


def _contrast(size: Extents | None, planes: Planes, factor: jax.Array) -> Planes:
    planes = unpack(pack(planes))
    mean = whole_mean(_luma(planes).astype(jnp.int32), size)[..., 0]
    return _blend(planes, jax.lax.optimization_barrier(mean.astype(jnp.float32)), factor)


def _hue(planes: Planes, factor: jax.Array) -> Planes:
    return turned(unpack(pack(planes)), factor)


def _luma(planes: Planes) -> jax.Array:
    """Pillow's, whose sums are below 2 ** 24 and so exact in float32."""
    red, green, blue = (plane * float(weight) for plane, weight in zip(planes, PILLOW_LUMA, strict=True))
    return jnp.floor((red + green + blue + float(1 << (PILLOW_BITS - 1))) * 2.0**-PILLOW_BITS)
