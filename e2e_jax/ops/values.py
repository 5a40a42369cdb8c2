"""What happens to values once the pixels stand where they should: scale, normalise, cast, reorder axes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.errors import ImageError
from e2e_jax.types import Array

BYTE_MAX = 255.0  # the largest uint8 level


def to_tensor(image: Array) -> jax.Array:
    """Scales bytes to the unit interval; floats pass unchanged.

    Args:
        image: ``(..., H, W, C)``, uint8 0..255 or floating.

    Returns:
        float32 of the same shape, 0..1 for uint8; channels stay last.

    Raises:
        ImageError: The image is of another dtype, whose largest level is not known.

    Source:
        torchvision 0.29 ``ToTensor``: ``x / 255`` (a division, not a product with 1/255).

    Example:
        >>> import numpy as np
        >>> to_tensor(np.array([[[0, 51, 255]]], np.uint8)).ravel().tolist()
        [0.0, 0.20000000298023224, 1.0]
    """
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
    channels = image.shape[-1]
    for name, values in (("mean", mean), ("std", std)):
        if len(values) not in (1, channels):
            raise ImageError(
                f"Normalize: {name} must have one value, or one per channel.",
                f"{len(values)} values for an image of {channels} channels",
                f"pass {channels} values, or convert the image to {len(values)} channels first.",
            )
    shifted = jnp.asarray(image).astype(jnp.float32) - np.asarray(mean, np.float32)
    return _divide(shifted, np.asarray(std, np.float32))


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
