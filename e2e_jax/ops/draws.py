"""The random numbers of geometric transforms: pure functions of a key, for one sample."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from e2e_jax.ops.sizes import Size, value

TRIES = 10  # torchvision 0.29, RandomResizedCrop.make_params

type Span = tuple[float, float]  # least and greatest


def draw_resized_crop(
    key: jax.Array, height: Size, width: Size, *, scale: Span, ratio: Span
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """A window of drawn area and aspect ratio.

    Args:
        key: JAX random key.
        height: Of the image in pixels, an int or traced.
        width: Likewise.
        scale: Least and greatest share of the image's area.
        ratio: Least and greatest width / height, drawn evenly in its logarithm.

    Returns:
        Top, left, height and width in pixels, int32 scalars.

    Source:
        torchvision 0.29 ``RandomResizedCrop``: ten tries, all drawn at once here, of which the first that fits
        counts; if none does, the middle, at the image's own ratio moved into the range.

    Example:
        >>> window = draw_resized_crop(jax.random.key(0), 40, 60, scale=(1.0, 1.0), ratio=(1.5, 1.5))
        >>> [int(n) for n in window]
        [0, 0, 40, 60]
    """
    keys = jax.random.split(key, 4)
    h, w = (jnp.asarray(value(n), jnp.int32) for n in (height, width))
    area = (h * w).astype(jnp.float32) * jax.random.uniform(keys[0], (TRIES,), minval=scale[0], maxval=scale[1])
    logs = jax.random.uniform(keys[1], (TRIES,), minval=math.log(ratio[0]), maxval=math.log(ratio[1]))
    wide = jnp.round(jnp.sqrt(area * jnp.exp(logs))).astype(jnp.int32)
    tall = jnp.round(jnp.sqrt(area / jnp.exp(logs))).astype(jnp.int32)
    fits = (wide > 0) & (wide <= w) & (tall > 0) & (tall <= h)
    first = jnp.argmax(fits)
    rest_h, rest_w = _middle(h, w, ratio)
    tall, wide = (jnp.where(fits.any(), n[first], rest) for n, rest in ((tall, rest_h), (wide, rest_w)))
    top = jnp.where(fits.any(), _upto(keys[2], h - tall), (h - tall) // 2)
    left = jnp.where(fits.any(), _upto(keys[3], w - wide), (w - wide) // 2)
    return top, left, tall, wide


def _middle(height: jax.Array, width: jax.Array, ratio: Span) -> tuple[jax.Array, jax.Array]:
    h, w = height.astype(jnp.float32), width.astype(jnp.float32)
    shape = w / h
    tall = jnp.where(shape < ratio[0], jnp.round(w / ratio[0]), h)
    wide = jnp.where(shape > ratio[1], jnp.round(h * ratio[1]), w)
    return jnp.clip(tall, 1, h).astype(jnp.int32), jnp.clip(wide, 1, w).astype(jnp.int32)


def _upto(key: jax.Array, most: jax.Array) -> jax.Array:
    """An integer from 0 to ``most``, both possible."""
    return jax.random.randint(key, (), 0, jnp.maximum(most, 0) + 1)


def draw_crop(key: jax.Array, height: Size, width: Size, *, size: tuple[int, int]) -> tuple[jax.Array, jax.Array]:
    """Where a window of fixed size starts.

    Args:
        key: JAX random key.
        height: Of the image in pixels, an int or traced.
        width: Likewise.
        size: Height and width of the window in pixels; 0 is drawn where the image is smaller.

    Returns:
        Top and left in pixels, int32 scalars; every place inside is equally likely.

    Source:
        torchvision 0.29 ``RandomCrop``.

    Example:
        >>> [int(n) for n in draw_crop(jax.random.key(0), 9, 5, size=(9, 5))]
        [0, 0]
    """
    first, second = jax.random.split(key)
    h, w = (jnp.asarray(value(n), jnp.int32) for n in (height, width))
    return _upto(first, h - size[0]), _upto(second, w - size[1])


def draw_zoom_out(
    key: jax.Array, height: Size, width: Size, *, side_range: Span, p: float
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """How much canvas lies around an image.

    Args:
        key: JAX random key.
        height: Of the image in pixels, an int or traced.
        width: Likewise.
        side_range: Least and greatest side of the canvas in sides of the image, at least 1.
        p: Probability 0..1 of a larger canvas.

    Returns:
        Left, top, right and bottom in pixels, int32 scalars.

    Source:
        torchvision 0.29 ``RandomZoomOut``: one factor for both sides, the place even on both axes, truncated.

    Example:
        >>> left, top, right, bottom = draw_zoom_out(jax.random.key(0), 30, 40, side_range=(2, 2), p=1.0)
        >>> int(left + right), int(top + bottom)
        (40, 30)
    """
    keys = jax.random.split(key, 3)
    sides = [jnp.asarray(value(n), jnp.int32) for n in (height, width)]
    factor = jax.random.uniform(keys[0], minval=side_range[0], maxval=side_range[1])
    larger = jax.random.bernoulli(keys[1], p)
    place = jax.random.uniform(keys[2], (2,))
    more = [jnp.where(larger, (n.astype(jnp.float32) * factor).astype(jnp.int32) - n, 0) for n in sides]
    before = [(m.astype(jnp.float32) * at).astype(jnp.int32) for m, at in zip(more, place, strict=True)]
    return before[1], before[0], more[1] - before[1], more[0] - before[0]


def draw_affine(
    key: jax.Array,
    height: Size,
    width: Size,
    *,
    degrees: Span,
    translate: Span = (0.0, 0.0),
    scale: Span = (1.0, 1.0),
    shear: tuple[Span, Span] = ((0.0, 0.0), (0.0, 0.0)),
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Angle, shift, scale and shear of an affine map.

    Args:
        key: JAX random key.
        height: Of the image in pixels, an int or traced.
        width: Likewise.
        degrees: Least and greatest angle.
        translate: Greatest shift along x and y, as shares 0..1 of width and height, either way.
        scale: Least and greatest factor.
        shear: Least and greatest degrees along x, and along y.

    Returns:
        Angle in degrees, shift (x, y) in whole pixels, scale, shear (x, y) in degrees; float32.

    Source:
        torchvision 0.29 ``RandomAffine``: all even in their ranges.

    Example:
        >>> angle, shift, scale, shear = draw_affine(jax.random.key(0), 30, 40, degrees=(7, 7))
        >>> float(angle), shift.tolist(), float(scale), shear.tolist()
        (7.0, [0.0, 0.0], 1.0, [0.0, 0.0])
    """
    keys = jax.random.split(key, 4)
    sides = jnp.stack([jnp.asarray(value(n), jnp.int32) for n in (width, height)]).astype(jnp.float32)
    most = sides * jnp.asarray(translate, jnp.float32)
    shift = jnp.round(jax.random.uniform(keys[1], (2,), minval=-1.0, maxval=1.0) * most) + 0.0  # no -0
    angle, factor = (
        jax.random.uniform(k, minval=s[0], maxval=s[1])
        for k, s in zip((keys[0], keys[2]), (degrees, scale), strict=True)
    )
    low, high = (jnp.asarray([s[i] for s in shear], jnp.float32) for i in (0, 1))
    lean = low + jax.random.uniform(keys[3], (2,)) * (high - low)
    return angle, shift, factor, lean


def draw_corners(key: jax.Array, height: Size, width: Size, *, distortion: float) -> jax.Array:
    """Where the corners of an image come to lie in a random perspective.

    Args:
        key: JAX random key.
        height: Of the image in pixels, an int or traced.
        width: Likewise.
        distortion: How far a corner may move inwards, as a share 0..1 of half a side.

    Returns:
        (4, 2) float32 x, y of the top left, top right, bottom right and bottom left corner, whole pixels.

    Source:
        torchvision 0.29 ``RandomPerspective``.

    Example:
        >>> draw_corners(jax.random.key(0), 3, 5, distortion=0.0).tolist()
        [[0.0, 0.0], [4.0, 0.0], [4.0, 2.0], [0.0, 2.0]]
    """
    sides = jnp.stack([jnp.asarray(value(n), jnp.int32) for n in (width, height)])
    reach = (distortion * (sides // 2).astype(jnp.float32)).astype(jnp.int32)
    moved = jax.random.randint(key, (4, 2), 0, reach + 1)
    far = jnp.array([[0, 0], [1, 0], [1, 1], [0, 1]], jnp.int32)  # which corners lie at the far end of x, y
    return (far * (sides - 1) + (1 - 2 * far) * moved).astype(jnp.float32)
