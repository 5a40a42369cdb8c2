"""Elastic deformation: every pixel is read from a place of its own, a smooth random distance away."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.errors import ConfigError
from e2e_jax.ops.exact import Number
from e2e_jax.ops.matrices import corners_of, upright
from e2e_jax.ops.sampling import Fill, Method, Numerics, sample
from e2e_jax.ops.sizes import Extents, Size, value
from e2e_jax.types import Array

KERNEL_WIDTH = 8  # standard deviations, and one pixel: torchvision, ElasticTransform.make_params
STEPS = 10  # of the search for a point; each shrinks the error by the steepness of the field, well below 1


def elastic_displacement(
    noise: Array,
    *,
    alpha: Number | tuple[Number, Number] = 50.0,
    sigma: Number | tuple[Number, Number] = 5.0,
    source_size: Extents | None = None,
) -> jax.Array:
    """Makes a smooth field of displacements out of random numbers.

    Args:
        noise: ``(..., H, W, 2)``, uniform in -1..1: along x and along y, one pair per pixel.
        alpha: Strength along x and y, or one for both: twice the displacement in pixels that unsmoothed noise of 1
            makes. May be traced.
        sigma: Standard deviation of the Gaussian in pixels along x and y, or one for both; 0 does not smooth. May
            be traced.
        source_size: Height and width of the part of the array that is the image, at its top left; may be traced.

    Returns:
        float32 ``(..., H, W, 2)``, in pixels. What lies outside ``source_size`` is finite and means nothing.

    Raises:
        ConfigError: The noise does not end in pairs.

    Source:
        torchvision 0.29 ``ElasticTransform.make_params``, which counts in halves of the image instead of pixels: a
        Gaussian cut at ``int(8 sigma + 1)`` pixels, odd, mirrored at the edge without repeating it. The x field is
        cut by sigma along x in both directions, the y field by sigma along y.

    Example:
        >>> import numpy as np
        >>> field = elastic_displacement(np.ones((7, 5, 2), np.float32), alpha=(8.0, 2.0), sigma=0.5)
        >>> field[3, 2].round(3).tolist()
        [4.0, 1.0]
    """
    noise = jnp.asarray(noise).astype(jnp.float32)
    if noise.shape[-1] != 2:
        fix = "draw (height, width, 2) numbers: along x and along y."
        raise ConfigError("Elastic: the noise must hold pairs.", f"{noise.shape}", fix)
    size = source_size or noise.shape[-3:-1]
    strengths, sigmas = _pair(alpha), _pair(sigma)
    fields = []
    for axis in (0, 1):
        radius = jnp.floor(jnp.floor(KERNEL_WIDTH * sigmas[axis] + 1) / 2)
        across = _gaussian(noise.shape[-2], size[1], sigmas[0], radius)
        down = _gaussian(noise.shape[-3], size[0], sigmas[1], radius)
        smooth = jnp.einsum("ij,...jk,lk->...il", down, noise[..., axis], across, precision="highest")
        fields.append(smooth * strengths[axis] * np.float32(0.5))
    return jnp.stack(fields, -1)


def elastic(
    image: Array,
    *,
    displacement: Array,
    method: Method = "bilinear",
    fill: Fill = (0,),
    numerics: Numerics = "torch",
    source_size: Extents | None = None,
) -> jax.Array:
    """Reads each pixel from where its displacement points.

    Args:
        image: ``(..., H, W, C)``, uint8 or floating; any dtype with ``method="nearest"``.
        displacement: ``(H, W, 2)`` in pixels, to the right and down, from the output pixel to its source.
        method: ``"nearest"``, ``"bilinear"``, or ``"bicubic"`` (not with ``"torch"``).
        fill: Value outside the image: one, or one per channel; ``None`` is black. With ``"torch"`` they differ at
            the rim, see `e2e_jax.ops.sampling.sample`.
        numerics: ``"torch"``, also what torchvision does to PIL images; ``"opencv"``; or ``"pillow"``, which has no
            such operation, and lends its way of reading between pixels.
        source_size: Height and width of the part of the array that is the image, at its top left; may be traced.

    Returns:
        ``(..., H, W, C)`` of the image's dtype; differentiable in a floating image and, but for
        ``method="nearest"``, in the displacement.

    Raises:
        ConfigError: The displacement does not have the image's height and width, or the numerics or the method do
            not exist.

    Source:
        torchvision 0.29 ``elastic``. OpenCV 5.0 ``remap`` with a constant border: for uint8 of 1, 3 or 4 channels
        within one level, and exact for more than 99.9 % of the bytes.

    Example:
        >>> import numpy as np
        >>> to_the_right = np.broadcast_to(np.array([1.0, 0.0], np.float32), (1, 3, 2))
        >>> elastic(np.array([[[1], [2], [3]]], np.uint8), displacement=to_the_right).ravel().tolist()
        [2, 3, 0]
    """
    height, width = image.shape[-3:-1]
    if displacement.shape != (height, width, 2):
        fix = "pass a field of the image's size, see elastic_displacement."
        received = f"image {image.shape}, displacement {displacement.shape}"
        raise ConfigError("Elastic: there must be one displacement (x, y) per pixel.", received, fix)
    edge = np.float32(0.5 if numerics == "pillow" else 0)
    field = jnp.asarray(displacement).astype(jnp.float32)
    x = jnp.arange(width, dtype=jnp.float32) + edge + field[..., 0]
    y = (jnp.arange(height, dtype=jnp.float32) + edge)[:, None] + field[..., 1]
    return sample(image, x=x, y=y, method=method, fill=fill, numerics=numerics, source_size=source_size)


def elastic_points(points: Array, *, displacement: Array, source_size: Extents | None = None) -> jax.Array:
    """Where points of the source come to lie after `elastic`.

    Args:
        points: (..., 2) x and y in pixels from the top left corner.
        displacement: ``(H, W, 2)`` in pixels that moved the image.
        source_size: Height and width of the part of the field that counts, at its top left; may be traced.

    Returns:
        The same shape, float32. Exact to a hundredth of a pixel where the field is less steep than one half (a
        displacement that changes by less than half a pixel from one pixel to the next), else an approximation.

    Source:
        The point ``q`` with ``q + displacement(q) = p``, by repeated substitution. torchvision 0.29
        ``elastic_keypoints`` takes one step, ``p - displacement(p)``, from the whole pixel.

    Example:
        >>> import numpy as np
        >>> to_the_right = np.broadcast_to(np.array([1.0, 0.0], np.float32), (2, 3, 2))
        >>> elastic_points(np.array([[2.5, 0.5]], np.float32), displacement=to_the_right).tolist()
        [[1.5, 0.5]]
    """
    field, points = jnp.asarray(displacement).astype(jnp.float32), jnp.asarray(points).astype(jnp.float32)
    height, width = (jnp.asarray(value(n)).astype(jnp.float32) for n in source_size or field.shape[:2])
    found = points
    for _ in range(STEPS):
        # the field goes on beyond its outermost pixels as it ends there
        x = jnp.clip(found[..., 0], 0.5, width - np.float32(0.5))
        y = jnp.clip(found[..., 1], 0.5, height - np.float32(0.5))
        found = points - sample(field, x=x, y=y, source_size=source_size)
    return found


def elastic_boxes(
    boxes: Array, *, displacement: Array, source_size: Extents | None = None, extent: Extents | None = None
) -> jax.Array:
    """The upright boxes around the corners of boxes after `elastic`.

    Args:
        boxes: (..., 4) left, top, right and bottom in pixels (XYXY).
        displacement: ``(H, W, 2)`` in pixels that moved the image.
        source_size: Height and width of the part of the field that counts, at its top left; may be traced.
        extent: Height and width of the output, to which boxes are cut where given.

    Returns:
        The same shape, float32.

    Source:
        As torchvision 0.29 ``elastic_bounding_boxes``, with the corners of `elastic_points`.

    Example:
        >>> import numpy as np
        >>> to_the_right = np.broadcast_to(np.array([1.0, 0.0], np.float32), (2, 3, 2))
        >>> elastic_boxes(np.array([1.0, 0.0, 3.0, 2.0]), displacement=to_the_right).tolist()
        [0.0, 0.0, 2.0, 2.0]
    """
    corners = elastic_points(corners_of(boxes), displacement=displacement, source_size=source_size)
    return upright(corners, extent)


def _pair(numbers: Number | tuple[Number, Number]) -> list[jax.Array]:
    both = numbers if isinstance(numbers, tuple | list) else (numbers, numbers)
    return [jnp.asarray(number).astype(jnp.float32) for number in both]


def _gaussian(length: Size, size: Size, sigma: Array, radius: Array) -> jax.Array:
    """Smoothing along one axis as a matrix (length, length): weights of the source positions, mirrored at the ends.

    A product of matrices costs more than one shifted sum per tap only for long axes, and it takes any sigma and any
    size at run time.
    """
    place = jnp.arange(length, dtype=jnp.float32)
    output, source, last = place[:, None], place, jnp.asarray(value(size)).astype(jnp.float32) - 1
    sigma = jnp.where(sigma > 0, sigma, jnp.ones_like(sigma))

    def weight(distance: Array) -> Array:
        bell = jnp.exp(-jnp.square(distance / sigma) * np.float32(0.5))
        return jnp.where(jnp.abs(distance) <= radius, bell, jnp.zeros_like(bell))

    nothing = jnp.zeros((length, length), jnp.float32)
    before = jnp.where(source > 0, weight(source + output), nothing)
    beyond = jnp.where(source < last, weight(2 * last - source - output), nothing)
    weights = jnp.where(source <= last, weight(source - output) + before + beyond, nothing)
    total = weights.sum(1, keepdims=True)
    return weights / jnp.where(total > 0, total, jnp.ones_like(total))
