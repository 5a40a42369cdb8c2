"""Images of different sizes in one array, and the short ladder of array sizes that keeps compilations few."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from e2e_jax.errors import ImageError
from e2e_jax.types import Array, PaddedImages, Sample

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


def filled(images: Array) -> Array:
    """A batch filled with zeros up to a power of two, so that few batch sizes are compiled.

    Args:
        images: ``(b, …)``, or other arrays.

    Returns:
        ``(B, …)``, the same array where nothing is missing.

    Source:
        `bucket`, from one on.

    Example:
        >>> filled(np.ones((3, 2))).shape
        (4, 2)
    """
    missing = bucket(len(images), smallest=1) - len(images)
    return np.pad(images, ((0, missing), *((0, 0),) * (images.ndim - 1))) if missing else images


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


def samples_to_batch(images: Sequence[Sample]) -> Sample:
    """Lays samples of different sizes into one batch; short lists of boxes are filled up and marked invalid.

    Args:
        images: Samples that have the same parts, at least one, each with an image ``(h, w, C)``.

    Returns:
        A `Sample` on the host: `PaddedImages`, masks ``(b, H, W)`` of the same slots, boxes ``(b, n, 4)`` with
        ``valid`` ``(b, n)``, key points and labels with a leading axis.

    Raises:
        ImageError: The samples differ in their parts, in the number of key points or in the shape of labels.

    Source:
        The counterpart of torch's ``collate_fn`` for detection, with static shapes.

    Example:
        >>> photo = np.zeros((8, 9, 3), np.uint8)
        >>> two, none = np.zeros((2, 4), np.float32), np.zeros((0, 4), np.float32)
        >>> samples_to_batch([Sample(photo, boxes=two), Sample(photo, boxes=none)]).valid.tolist()
        [[True, True], [False, False]]
    """
    padded = list_to_batch([sample.image for sample in images])
    parts = {name: [getattr(sample, name) for sample in images] for name in ("boxes", "mask", "keypoints", "label")}
    present = {name: values for name, values in parts.items() if any(value is not None for value in values)}
    try:
        stacked = {name: [np.asarray(value) for value in values] for name, values in present.items()}
        if any(value is None for values in present.values() for value in values):
            raise ValueError("a part that only some of them have")
        return _stacked(images, padded, stacked)
    except ValueError as error:
        fix = "give all samples the same parts, as many key points, and labels of one shape."
        raise ImageError(
            "samples_to_batch: samples must be alike in their parts.", str(error)[:120], fix
        ) from error


def _stacked(images: Sequence[Sample], padded: PaddedImages, parts: dict[str, list[np.ndarray]]) -> Sample:
    counts = [len(boxes) for boxes in parts.get("boxes", ())]
    most = max(counts, default=0)
    valid = None
    if counts:
        given = [
            np.ones(len(b), bool) if s.valid is None else s.valid
            for s, b in zip(images, parts["boxes"], strict=True)
        ]
        valid = np.stack([_filled(flags, most) for flags in given])
        for name in {"boxes", "label"} & parts.keys():
            parts[name] = [_filled(rows, most) for rows in parts[name]]
    if "mask" in parts:
        parts["mask"] = [_in_slot(mask, padded.pixels.shape[1:3]) for mask in parts["mask"]]
    return Sample(padded, valid=valid, **{name: np.stack(values) for name, values in parts.items()})


def _filled(rows: Array, count: int) -> np.ndarray:
    """Rows of zeros up to a count."""
    return np.pad(rows, ((0, count - len(rows)), *((0, 0),) * (np.ndim(rows) - 1)))


def _in_slot(mask: np.ndarray, room: tuple[int, ...]) -> np.ndarray:
    return np.pad(mask, [(0, most - extent) for most, extent in zip(room, mask.shape, strict=True)])
