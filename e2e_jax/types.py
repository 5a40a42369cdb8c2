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
        sizes: ``(b, 2)`` int32, height and width of each image in pixels.

    Example:
        >>> import numpy as np
        >>> images = PaddedImages(np.zeros((2, 8, 8, 3), np.uint8), np.array([[8, 5], [3, 8]], np.int32))
        >>> images.pixels.shape
        (2, 8, 8, 3)
    """

    pixels: Array
    sizes: Array


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
