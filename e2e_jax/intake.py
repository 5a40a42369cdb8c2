"""What a user hands to a predictor becomes a checked image array, or an `ImageError` that says what to change."""

from __future__ import annotations

import functools
from typing import Any

import jax
import numpy as np

from e2e_jax.decoding import decode
from e2e_jax.errors import ImageError
from e2e_jax.transforms.base import Transform

SIZES_KNOWN = 4096  # image sizes found to suit the steps; working it out takes as long as decoding a thumbnail


class Intake:
    """The door of a predictor.

    Args:
        signature: Of the artifact's images: dtype, shape and value range.
        preprocess: Knows which image sizes suit its steps.
    """

    def __init__(self, signature: dict[str, Any], preprocess: Transform) -> None:
        self.dtype, self.channels = np.dtype(signature["dtype"]), int(signature["shape"][-1])
        self.low, self.high = signature["range"]
        limits = np.iinfo(self.dtype) if self.dtype.kind in "iu" else None
        self.whole_range = limits is not None and limits.min >= self.low and limits.max <= self.high
        self.output_size = functools.lru_cache(SIZES_KNOWN)(preprocess.output_size)

    def image(self, source: Any) -> np.ndarray:
        """Path, bytes, file, PIL image or array to one image ``(h, w, c)``.

        Raises:
            ImageError: It cannot be read, or does not fit the signature.
        """
        is_array = isinstance(source, np.ndarray | jax.Array)
        image = np.asarray(source) if is_array else self._decoded(source)
        if image.ndim == 2:
            image = image[..., None]
        if image.ndim == 3 and image.shape[2] == 1:
            image = np.repeat(image, self.channels, axis=2)
        if image.ndim == 4:
            fix = "pass the batch by itself, or its images as items: predict([*batch, ...])."
            raise ImageError("predict: an item of a list must be one image.", f"shape {image.shape}", fix)
        return self.checked(image)

    def checked(self, images: np.ndarray) -> np.ndarray:
        """One image ``(h, w, c)`` or a batch ``(b, h, w, c)``, if it fits the signature."""
        if images.ndim not in (3, 4) or images.shape[-1] != self.channels or 0 in images.shape[-3:]:
            fix = f"pass (height, width, {self.channels}), channels last; or a batch of them, with a leading axis."
            raise ImageError(f"predict: an image must have {self.channels} channels.", f"shape {images.shape}", fix)
        if images.dtype != self.dtype:
            raise ImageError(
                f"predict: pixels must be {self.dtype} in {self.low}..{self.high}.",
                f"{images.dtype}{_range(images)}",
                self._conversion(images),
            )
        if not self._within(images):
            fix = f"scale finite values to {self.low}..{self.high}."
            raise ImageError(f"predict: pixels must lie in {self.low}..{self.high}.", _range(images).strip(), fix)
        self.output_size(*images.shape[-3:-1])
        return images

    def _within(self, images: np.ndarray) -> bool:
        if self.whole_range:  # bytes cannot be anything else
            return True
        return bool(images.min() >= self.low and images.max() <= self.high)  # false for NaN

    def _decoded(self, source: Any) -> np.ndarray:
        pixels = decode(source)  # (h, w, 3) uint8
        if self.channels == 1:
            weights = np.array([19595, 38470, 7471])  # Pillow's L: ITU-R 601-2 luma in 16-bit fixed point
            pixels = ((pixels @ weights + 0x8000) >> 16).astype(np.uint8)[..., None]
        return pixels if self.dtype == np.uint8 else (pixels / np.float32(255)).astype(self.dtype)

    def _conversion(self, images: np.ndarray) -> str:
        if self.dtype == np.uint8 and np.issubdtype(images.dtype, np.floating):
            return "for values in 0..1 pass (image * 255).round().astype(np.uint8)."
        return f"convert the image to {self.dtype} in {self.low}..{self.high}."


def _range(images: np.ndarray) -> str:
    if images.size == 0 or not np.issubdtype(images.dtype, np.number):
        return ""
    if np.issubdtype(images.dtype, np.floating) and not np.isfinite(images).all():
        return " with NaN or infinite values"
    real = not np.iscomplexobj(images)
    return f" in {images.min():.4g}..{images.max():.4g}" if real else ""
