"""FiveCrop, TenCrop and Tile: several views of one image, on an axis before its rows."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp

from e2e_jax.errors import ConfigError, ImageError
from e2e_jax.ops.placement import Part
from e2e_jax.ops.plans import Geometry, Plan, transform
from e2e_jax.ops.selections import center_crop_plan, corner_crop_plan, flip_plan
from e2e_jax.ops.sizes import Extents
from e2e_jax.ops.tiles import tile, untile
from e2e_jax.transforms.base import Samplewise
from e2e_jax.transforms.check import flag, frame, real
from e2e_jax.transforms.run import Numbers, known_size
from e2e_jax.types import Array, Sample


class Views(Samplewise, abstract=True):
    """Several views of one size from each image; boxes, masks and key points have no single place in them."""

    is_spatial = True

    def views(self, image: Array, size: Extents) -> Array:
        """``(n, h, w, C)`` from one image ``(H, W, C)`` that fills ``size`` of its array."""
        raise NotImplementedError

    def placement(self, size: Extents, part: Part) -> tuple[Array, Extents]:
        """Several views have no one way back.

        Raises:
            ConfigError: Always.
        """
        fix = "invert the steps before it, or crop once with CenterCrop."
        raise ConfigError(f"{type(self).__name__}: the way back needs one view.", repr(self), fix)

    def on_sample(self, sample: Sample, size: Extents, *numbers: Numbers) -> tuple[Sample, Extents]:
        """One sample."""
        if sample.has_parts:
            fix = "leave them out, or crop once with CenterCrop."
            name = type(self).__name__
            raise ImageError(f"{name}: boxes, masks and key points need one view.", "a Sample with parts", fix)
        views = self.views(sample.image, size)
        return sample.with_image(views), views.shape[1:3]


class FiveCrop(Views):
    """The four corners and the middle: ``(..., 5, h, w, C)``, in the order of torchvision.

    Args:
        size: Edge of a square, or ``(height, width)``, in pixels; images must be at least as large.

    Raises:
        ConfigError: The size is not positive.

    Source:
        torchvision 0.29 ``five_crop``: top left, top right, bottom left, bottom right, centre.

    Example:
        >>> import numpy as np
        >>> FiveCrop(1)(np.arange(9, dtype=np.uint8).reshape(3, 3, 1)).ravel().tolist()
        [0, 2, 6, 8, 4]
    """

    def __init__(self, size: int | Sequence[int]) -> None:
        self.size = frame("FiveCrop", size)

    def resized(self, size: Extents) -> Extents:
        """See `Transform.resized`."""
        return _cropped(size, self.size)

    def views(self, image: Array, size: Extents) -> Array:
        return _five(image, size, self.size, [])


class TenCrop(Views):
    """`FiveCrop` of the image and of its mirror: ``(..., 10, h, w, C)``.

    Args:
        size: Edge of a square, or ``(height, width)``, in pixels; images must be at least as large.
        vertical: Mirror top and bottom rather than left and right.

    Raises:
        ConfigError: The size is not positive.

    Source:
        torchvision 0.29 ``ten_crop``.

    Example:
        >>> import numpy as np
        >>> TenCrop(1)(np.arange(9, dtype=np.uint8).reshape(3, 3, 1)).ravel().tolist()
        [0, 2, 6, 8, 4, 2, 0, 8, 6, 4]
    """

    def __init__(self, size: int | Sequence[int], *, vertical: bool = False) -> None:
        self.size = frame("TenCrop", size)
        self.vertical = flag("TenCrop", "vertical", vertical)

    def resized(self, size: Extents) -> Extents:
        """See `Transform.resized`."""
        return _cropped(size, self.size)

    def views(self, image: Array, size: Extents) -> Array:
        mirror = flip_plan("vertical" if self.vertical else "horizontal")
        return jnp.concatenate([_five(image, size, self.size, first) for first in ([], [mirror])])


def _cropped(size: Extents, window: tuple[int, int]) -> Extents:
    """The window's size, or an error where it is larger than the image."""
    return corner_crop_plan(*window, bottom=True, right=True)(Geometry.of(*size)).size


def _five(image: Array, size: Extents, window: tuple[int, int], first: list[Plan]) -> Array:
    corners = [corner_crop_plan(*window, bottom=b, right=r) for b in (False, True) for r in (False, True)]
    plans = [*corners, center_crop_plan(*window, padding=False)]
    return jnp.stack([transform(image, [*first, plan], size=known_size(size))[0] for plan in plans])


class Tile(Views):
    """Overlapping tiles that cover a big image: ``(..., n, h, w, C)``, row by row.

    Args:
        size: Edge of a square tile, or ``(height, width)``, in pixels.
        overlap: Of neighbouring tiles, one number or ``(down, across)``, in pixels.
        fill: Value where tiles reach past the image.

    Raises:
        ConfigError: The overlap is not smaller than the tile.

    Source:
        See `e2e_jax.ops.tiles.tile`; `Tile.back` puts what a network made of the tiles in place.

    Example:
        >>> import numpy as np
        >>> tiles = Tile(4, overlap=1)
        >>> image = np.arange(70, dtype=np.uint8).reshape(7, 10, 1)
        >>> tiles(image).shape, bool((tiles.back(tiles(image), 7, 10) == image).all())
        ((6, 4, 4, 1), True)
    """

    def __init__(self, size: int | Sequence[int], *, overlap: int | Sequence[int] = 0, fill: float = 0) -> None:
        self.size = frame("Tile", size)
        self.overlap = frame("Tile", overlap, name="overlap", least=0)
        self.fill = real("Tile", "fill", fill)
        if any(over >= edge for over, edge in zip(self.overlap, self.size, strict=True)):
            fix = "choose an overlap below the tile's size."
            raise ConfigError("Tile: the overlap must be smaller than the tile.", f"{overlap=}, {size=}", fix)

    def resized(self, size: Extents) -> Extents:
        """See `Transform.resized`."""
        return self.size

    def views(self, image: Array, size: Extents) -> Array:
        return tile(image, size=self.size, overlap=self.overlap, fill=self.fill, source=size)

    def back(self, tiles: Array, height: int, width: int) -> Array:
        """The image from its tiles ``(..., n, h, w, C)``, or from what was made of each; overlaps averaged."""
        return untile(tiles, height=height, width=width, overlap=self.overlap)
