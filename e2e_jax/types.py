"""The values that travel between floors: images of different sizes, and what a prediction is."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax

type Array = Any  # numpy.ndarray or jax.Array, concrete or traced


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class PaddedImages:
    """Images of different sizes in one array, each in the top left corner of its slot.

    Args:
        pixels: ``(b, H, W, C)`` uint8 0..255 or float32; what lies outside an image's size is never looked at.
        sizes: ``(b, 2)`` int32, height and width of each image in pixels. One image of a drawn size may come out
            of a traced random transform as ``(H, W, C)`` and ``(2,)``.

    Example:
        >>> import numpy as np
        >>> images = PaddedImages(np.zeros((2, 8, 8, 3), np.uint8), np.array([[8, 5], [3, 8]], np.int32))
        >>> images.pixels.shape
        (2, 8, 8, 3)
    """

    pixels: Array
    sizes: Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Sample:
    """An image with what belongs to it; spatial transforms move the parts along. Batches have a leading axis.

    Args:
        image: ``(h, w, C)``, a batch ``(b, h, w, C)``, or `PaddedImages`.
        boxes: ``(n, 4)`` float32 left, top, right, bottom in pixels; the right and bottom edges are exclusive.
        mask: ``(h, w)`` class of each pixel, an integer or bool.
        keypoints: ``(k, 2)`` float32 x, y in pixels. As in torchvision they name pixels where an image is mirrored
            (x becomes w - 1 - x), and are multiplied where it is resized.
        label: Of the image; where there are boxes, one per box ``(n, …)``.
        valid: ``(n,)`` bool, which boxes count; all where absent. Shapes are static, so a box that goes is only
            marked.

    Example:
        >>> import numpy as np
        >>> photo, box = np.zeros((30, 40, 3), np.uint8), np.array([[2, 3, 12, 9]], np.float32)
        >>> Sample(photo, boxes=box).boxes.shape
        (1, 4)
    """

    image: Any
    boxes: Any = None
    mask: Any = None
    keypoints: Any = None
    label: Any = None
    valid: Any = None

    @property
    def has_parts(self) -> bool:
        """Whether anything has to move with the pixels."""
        return any(part is not None for part in (self.boxes, self.mask, self.keypoints))

    def with_parts(self, **parts: Any) -> Sample:
        """The same with some parts replaced."""
        return dataclasses.replace(self, **parts)

    def with_image(self, image: Any) -> Sample:
        """The same parts with other pixels."""
        return self.with_parts(image=image)


class ScoredLabel(NamedTuple):
    """One candidate class: its name, its probability 0..1 and its index in the network's output."""

    label: str
    score: float
    id: int


@dataclasses.dataclass(frozen=True)
class Classification:
    """What a classifier says about one image.

    Args:
        top: The candidates in falling order of score, at least one.

    Example:
        >>> result = Classification((ScoredLabel("espresso", 0.9, 967), ScoredLabel("cup", 0.05, 968)))
        >>> result.label, result.score, result.id
        ('espresso', 0.9, 967)
    """

    top: tuple[ScoredLabel, ...]

    @property
    def label(self) -> str:
        """Name of the most probable class."""
        return self.top[0].label

    @property
    def score(self) -> float:
        """Probability 0..1 of the most probable class."""
        return self.top[0].score

    @property
    def id(self) -> int:
        """Index of the most probable class in the network's output."""
        return self.top[0].id
