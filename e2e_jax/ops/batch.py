"""Images of different sizes in one array, and the short ladder of array sizes that keeps compilations few."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from e2e_jax.errors import ImageError
from e2e_jax.types import Array, PaddedImages

SMALLEST_BUCKET = 64  # pixels; below it a finer ladder saves no time worth a compilation
LARGEST_SQUARE = 8192  # pixels; a larger square of RGB bytes would take over 200 MB
OBLONG = 16  # ratio of the rungs from which on a slot follows both edges


def bucket(extent: int, *, smallest: int = SMALLEST_BUCKET) -> int:
    """The next power of two, at least ``smallest``.

    Args:
        extent: Pixels, or images.
        smallest: Lowest rung of the ladder.

    Returns:
        The rung that holds ``extent``.

    Source:
        Doubling keeps the ladder logarithmic: 40 to 2000 pixels are six rungs.

    Example:
        >>> [bucket(n) for n in (1, 64, 65, 2000)]
        [64, 64, 128, 2048]
    """
    return max(smallest, 1 << (extent - 1).bit_length())


def slot(height: int, width: int) -> tuple[int, int]:
    """Array size for an image: the square bucket of its longer edge, unless that would be mostly air.

    Args:
        height: Pixels.
        width: Pixels.

    Returns:
        Height and width of the slot; square for all but very large or very oblong images, to compile few.

    Source:
        Measured: squares make at most one program per doubling, and cost little while the pixels fit the cache.

    Example:
        >>> slot(480, 640), slot(40, 2000)
        ((1024, 1024), (64, 2048))
    """
    rungs = bucket(height), bucket(width)
    side = max(rungs)
    oblong = side // min(rungs) >= OBLONG
    return rungs if oblong or side > LARGEST_SQUARE else (side, side)


def list_to_batch(images: Sequence[Array]) -> PaddedImages:
    """Lays images of different sizes into one array; what is computed from it does not depend on the padding.

    Args:
        images: Arrays ``(h, w, C)`` of one dtype and channel count, at least one.

    Returns:
        `PaddedImages` on the host whose square slots are the bucket of the longest edge.

    Raises:
        ImageError: The list is empty, or holds something else than images alike in dtype and channels.

    Source:
        MXNet's ``list_to_batch``, for images that differ in size.

    Example:
        >>> batch = list_to_batch([np.zeros((5, 70, 3), np.uint8), np.ones((8, 8, 3), np.uint8)])
        >>> batch.pixels.shape, batch.sizes.tolist()
        ((2, 128, 128, 3), [[5, 70], [8, 8]])
    """
    arrays = [np.asarray(image) for image in images]
    kinds = {(a.dtype.name, a.shape[2]) if a.ndim == 3 else (a.dtype.name, a.shape) for a in arrays}
    if len(kinds) != 1 or arrays[0].ndim != 3 or min(min(a.shape) for a in arrays) == 0:
        raise ImageError(
            "list_to_batch: a list must hold images (h, w, C), none empty, of one dtype and channel count.",
            ", ".join(f"{a.dtype}{a.shape}" for a in arrays[:4]) or "an empty list",
            "convert the images to one dtype and channel count first.",
        )
    shape = slot(max(a.shape[0] for a in arrays), max(a.shape[1] for a in arrays))
    pixels = np.zeros((len(arrays), *shape, arrays[0].shape[2]), arrays[0].dtype)
    for room, array in zip(pixels, arrays, strict=True):
        room[: array.shape[0], : array.shape[1]] = array
    return PaddedImages(pixels, np.array([a.shape[:2] for a in arrays], np.int32))
