"""Where single photos wait for their program: memory that is used again, as fresh pages cost more than a copy."""

from __future__ import annotations

import math
import threading

import numpy as np

from e2e_jax.ops.batch import slot
from e2e_jax.types import PaddedImages

LARGEST_KEPT = 1 << 24  # bytes per thread; a photo of 2048 x 2048 is processed far longer than pages are fetched
ALIGNMENT = 64  # bytes; XLA on a CPU reads such memory in place and copies any other


class Staging(threading.local):
    """One slot for each thread. Its last photo must be done with when the next is laid in.

    Example:
        >>> padded = Staging().lay(np.ones((40, 50, 3), np.uint8))
        >>> padded.pixels.shape, padded.sizes.tolist()
        ((1, 64, 64, 3), [[40, 50]])
    """

    def __init__(self) -> None:
        self.pixels = np.zeros((1, 0, 0, 0), np.uint8)
        self.filled = (0, 0)

    def lay(self, image: np.ndarray) -> PaddedImages:
        """``(h, w, c)`` in the top left corner of its slot, zeros beside it: `list_to_batch` for one photo."""
        height, width, channels = image.shape
        shape = (1, *slot(height, width), channels)
        sizes = np.array([[height, width]], np.int32)
        if shape == (1, *image.shape):
            return PaddedImages(image[None], sizes)
        pixels = self._room(shape, image.dtype)
        pixels[0, :height, :width] = image
        pixels[0, height : self.filled[0]] = 0  # rows that only the last photo had
        pixels[0, :height, width : self.filled[1]] = 0
        self.filled = (height, width)
        return PaddedImages(pixels, sizes)

    def _room(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        if self.pixels.shape == shape and self.pixels.dtype == dtype:
            return self.pixels
        room = _aligned(shape, dtype)
        self.filled = (0, 0)
        self.pixels = room if room.nbytes <= LARGEST_KEPT else self.pixels[:0]
        return room


def _aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    size = math.prod(shape) * dtype.itemsize
    room = np.zeros(size + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    return room[start : start + size].view(dtype).reshape(shape)  # (1, H, W, c)
