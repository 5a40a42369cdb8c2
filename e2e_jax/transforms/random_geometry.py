"""Random crops, flips and canvases; they fuse with their neighbours like their fixed kin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import jax
import jax.numpy as jnp

from e2e_jax.errors import ImageError
from e2e_jax.ops.dialects import Method, Numerics
from e2e_jax.ops.draws import draw_crop, draw_resized_crop, draw_zoom_out
from e2e_jax.ops.framing import crop_resize_plan
from e2e_jax.ops.plans import Geometry
from e2e_jax.ops.selections import Direction, PadMode, crop_plan, flip_plan, pad_plan
from e2e_jax.ops.sizes import Extents, Size, is_static, value
from e2e_jax.transforms.base import Geometric, Random
from e2e_jax.transforms.check import (
    borders,
    fill_values,
    flag,
    frame,
    interval_number,
    one_of,
    probability,
    resampling,
    span,
)
from e2e_jax.transforms.geometry import PAD_MODES
from e2e_jax.transforms.resampling import Resampling
from e2e_jax.transforms.run import Numbers
from e2e_jax.types import Sample


class RandomResizedCrop(Random, Resampling):
    """Cuts out a window of drawn area and aspect ratio, and resizes it.

    Args:
        size: Edge of a square, or ``(height, width)``, of the result in pixels.
        scale: Least and greatest share of the image's area, 0..1.
        ratio: Least and greatest width / height of the window; drawn evenly in its logarithm.
        method: As for `Resize`.
        antialias: As for `Resize`.
        numerics: As for `Resize`.

    Raises:
        ConfigError: A range is reversed or not positive, or an argument is unknown.

    Source:
        torchvision 0.29 ``RandomResizedCrop``: ten tries, then the middle at the nearest ratio. See
        `e2e_jax.ops.draws.draw_resized_crop`.

    Example:
        >>> import numpy as np
        >>> RandomResizedCrop(24)(np.zeros((60, 90, 3), np.uint8), key=jax.random.key(0)).shape
        (24, 24, 3)
    """

    def __init__(
        self,
        size: int | Sequence[int],
        *,
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3 / 4, 4 / 3),
        method: Method = "bilinear",
        antialias: bool | None = None,
        numerics: Numerics = "pillow",
    ) -> None:
        name = "RandomResizedCrop"
        self.size = frame(name, size)
        self.scale = span(name, "scale", scale, least=1e-6, most=1.0)
        self.ratio = span(name, "ratio", ratio, least=1e-3)
        self.method, self.antialias, self.numerics = resampling(name, method, antialias, numerics)

    def draw(self, key: jax.Array, size: Extents, sample: Sample) -> Numbers:
        top, left, height, width = draw_resized_crop(key, *size, scale=self.scale, ratio=self.ratio)
        return {"top": top, "left": left, "height": height, "width": width}

    def plan(self, geometry: Geometry, *numbers: Numbers) -> Geometry:
        (window,) = numbers
        return crop_resize_plan(**window, size=self.size, **self.how)(geometry)


class RandomCrop(Random, Geometric):
    """Cuts out a window of fixed size at a drawn place.

    Args:
        size: Edge of a square, or ``(height, width)``, in pixels.
        padding: Border before the crop, as for `Pad`.
        pad_if_needed: Whether smaller images are filled up, on both sides, rather than refused.
        fill: Value of a constant border, one or one per channel.
        mode: Of the border, as for `Pad`.

    Raises:
        ConfigError: An argument is not one of these.

    Source:
        torchvision 0.29 ``RandomCrop``.

    Example:
        >>> import numpy as np
        >>> RandomCrop(24)(np.zeros((60, 90, 3), np.uint8), key=jax.random.key(0)).shape
        (24, 24, 3)
    """

    def __init__(
        self,
        size: int | Sequence[int],
        *,
        padding: int | Sequence[int] = (0, 0, 0, 0),
        pad_if_needed: bool = False,
        fill: float | Sequence[float] = 0,
        mode: PadMode = "constant",
    ) -> None:
        self.size = frame("RandomCrop", size)
        self.padding = borders("RandomCrop", padding)
        self.pad_if_needed = flag("RandomCrop", "pad_if_needed", pad_if_needed)
        self.fill = fill_values("RandomCrop", fill)
        self.mode = one_of("RandomCrop", "mode", mode, PAD_MODES)

    def draw(self, key: jax.Array, size: Extents, sample: Sample) -> Numbers:
        height, width = self._padded(Geometry.of(*size)).size
        top, left = draw_crop(key, height, width, size=self.size)
        return {"top": top, "left": left}

    def plan(self, geometry: Geometry, *numbers: Numbers) -> Geometry:
        (start,) = numbers
        return crop_plan(start["top"], start["left"], *self.size)(self._large_enough(self._padded(geometry)))

    def _padded(self, geometry: Geometry) -> Geometry:
        left, top, right, bottom = self.padding
        if any(self.padding):
            geometry = pad_plan(left, top, right, bottom, fill=self.fill, mode=self.mode)(geometry)
        if not self.pad_if_needed:
            return geometry
        down, across = (_missing(n, edge) for n, edge in zip(geometry.size, self.size, strict=True))
        room = None
        if not (is_static(down) and is_static(across)):
            rows, cols = geometry.room
            room = (rows + 2 * self.size[0], cols + 2 * self.size[1])
        return pad_plan(across, down, across, down, fill=self.fill, mode=self.mode, room=room)(geometry)

    def _large_enough(self, geometry: Geometry) -> Geometry:
        """Refuses what is known to be too small; the start is drawn, and crop_plan cannot see it."""
        if any(is_static(n) and n < edge for n, edge in zip(geometry.size, self.size, strict=True)):
            height, width = geometry.size
            fix = "resize first, or pass pad_if_needed=True."
            seen = f"image {height}x{width}, size {self.size[0]}x{self.size[1]}"
            raise ImageError("RandomCrop: the image must be as large as the crop.", seen, fix)
        return geometry


def _missing(extent: Size, edge: int) -> Size:
    return max(edge - extent, 0) if is_static(extent) else jnp.maximum(edge - value(extent), 0)


class RandomFlip(Random, Geometric, abstract=True):
    """A mirror that is there or not."""

    direction: ClassVar[Direction]
    p: float

    def draw(self, key: jax.Array, size: Extents, sample: Sample) -> Numbers:
        return {"flip": jax.random.bernoulli(key, self.p)}

    def plan(self, geometry: Geometry, *numbers: Numbers) -> Geometry:
        return flip_plan(self.direction, when=numbers[0]["flip"])(geometry)


class RandomHorizontalFlip(RandomFlip):
    """Swaps left and right, or not.

    Args:
        p: Probability 0..1 of the swap.

    Raises:
        ConfigError: ``p`` is no probability.

    Source:
        torchvision 0.29 ``RandomHorizontalFlip``, drawn for each sample.

    Example:
        >>> import numpy as np
        >>> step = RandomHorizontalFlip(1.0)
        >>> step(np.arange(3, dtype=np.uint8).reshape(1, 3, 1), key=jax.random.key(0)).ravel().tolist()
        [2, 1, 0]
    """

    direction = "horizontal"

    def __init__(self, p: float = 0.5) -> None:
        self.p = probability("RandomHorizontalFlip", p)


class RandomVerticalFlip(RandomFlip):
    """Swaps top and bottom, or not.

    Args:
        p: Probability 0..1 of the swap.

    Raises:
        ConfigError: ``p`` is no probability.

    Source:
        torchvision 0.29 ``RandomVerticalFlip``, drawn for each sample.

    Example:
        >>> import numpy as np
        >>> step = RandomVerticalFlip(1.0)
        >>> step(np.arange(3, dtype=np.uint8).reshape(3, 1, 1), key=jax.random.key(0)).ravel().tolist()
        [2, 1, 0]
    """

    direction = "vertical"

    def __init__(self, p: float = 0.5) -> None:
        self.p = probability("RandomVerticalFlip", p)


class RandomZoomOut(Random, Geometric):
    """Puts the image at a drawn place on a larger canvas of one colour, or leaves it.

    Args:
        fill: Value of the canvas, one or one per channel.
        side_range: Least and greatest side of the canvas in sides of the image, at least 1.
        p: Probability 0..1 of the larger canvas.

    Raises:
        ConfigError: ``p`` is no probability, or the range is reversed or below 1.

    Source:
        torchvision 0.29 ``RandomZoomOut``.

    Example:
        >>> import numpy as np
        >>> step = RandomZoomOut(side_range=(2, 2), p=1.0, fill=114)
        >>> step(np.zeros((30, 40, 3), np.uint8), key=jax.random.key(0)).shape
        (60, 80, 3)
    """

    def __init__(
        self,
        *,
        fill: float | Sequence[float] = 0,
        side_range: Sequence[float] = (1.0, 4.0),
        p: float = 0.5,
    ) -> None:
        name = type(self).__name__
        self.fill = fill_values(name, fill)
        self.side_range = span(name, "side_range", side_range, least=1.0, most=LARGEST_CANVAS)
        self.p = probability(name, p)

    def draw(self, key: jax.Array, size: Extents, sample: Sample) -> Numbers:
        left, top, right, bottom = draw_zoom_out(key, *size, side_range=self.side_range, p=self.p)
        return {"left": left, "top": top, "right": right, "bottom": bottom}

    def plan(self, geometry: Geometry, *numbers: Numbers) -> Geometry:
        most = int(-(-self.side_range[1] // 1))
        rows, cols = geometry.room
        return pad_plan(**numbers[0], fill=self.fill, room=(rows * most, cols * most))(geometry)


LARGEST_CANVAS = 16.0  # sides of the image; a larger one is a mistake


class RandomExpand(RandomZoomOut):
    """`RandomZoomOut` under the name and with the arguments of SSD.

    Args:
        max_ratio: Greatest side of the canvas in sides of the image, at least 1.
        fill: Value of the canvas, one or one per channel.
        p: Probability 0..1 of the larger canvas.

    Raises:
        ConfigError: ``p`` is no probability, or the ratio is below 1.

    Source:
        GluonCV ``random_expand`` (ratio 1..4, the same for both sides); SSD, Liu et al. 2016, 3.6.

    Example:
        >>> import numpy as np
        >>> RandomExpand(max_ratio=1, p=1.0)(np.zeros((30, 40, 3), np.uint8), key=jax.random.key(0)).shape
        (30, 40, 3)
    """

    def __init__(self, *, max_ratio: float = 4.0, fill: float | Sequence[float] = 0, p: float = 0.5) -> None:
        self.max_ratio = interval_number("RandomExpand", "max_ratio", max_ratio, 1.0, LARGEST_CANVAS)
        super().__init__(fill=fill, side_range=(1.0, self.max_ratio), p=p)
