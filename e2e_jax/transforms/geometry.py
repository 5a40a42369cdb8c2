"""Resize, crops, Pad and flips: see the functions of the same names in `e2e_jax.ops.geometry`."""

from __future__ import annotations

from collections.abc import Sequence

from e2e_jax.errors import ConfigError
from e2e_jax.ops.extend import EXTENSIONS
from e2e_jax.ops.plans import METHODS, NUMERICS, Geometry, Method, Numerics, resize_plan
from e2e_jax.ops.selections import (
    ROUNDINGS,
    PadMode,
    Rounding,
    center_crop_plan,
    crop_plan,
    flip_plan,
    pad_plan,
)
from e2e_jax.transforms.base import Geometric
from e2e_jax.transforms.check import borders, fill_values, flag, one_of, pixels, whole

PAD_MODES = ("constant", *EXTENSIONS)


class Resize(Geometric):
    """Resizes to an exact size, or until the shorter edge has ``size`` pixels.

    Args:
        size: Length of the shorter edge, or ``(height, width)``, in pixels.
        max_size: Upper limit of the longer edge in pixels, for an int ``size``.
        method: ``"nearest"``, ``"bilinear"``, ``"bicubic"``, ``"lanczos"`` or ``"area"``.
        antialias: Widen the filter where the image shrinks.
        numerics: ``"pillow"`` (every Pillow before 13) or ``"pillow13"``.

    Raises:
        ConfigError: An argument is not one of these.

    Source:
        Pillow's ``Image.resize``; the edge rule of torchvision's ``Resize``. See `e2e_jax.ops.geometry.resize`.

    Example:
        >>> import numpy as np
        >>> Resize(32)(np.zeros((60, 90, 3), np.uint8)).shape
        (32, 48, 3)
    """

    def __init__(
        self,
        size: int | Sequence[int],
        *,
        max_size: int | None = None,
        method: Method = "bilinear",
        antialias: bool = True,
        numerics: Numerics = "pillow",
    ) -> None:
        self.size = pixels("Resize", "size", size, least=1)
        if max_size is not None and (
            isinstance(self.size, tuple) or whole("Resize", "max_size", max_size) <= self.size
        ):
            fix = "pass an int size smaller than max_size, e.g. Resize(256, max_size=512)."
            raise ConfigError("Resize: max_size must exceed an int size.", f"{size=}, {max_size=}", fix)
        self.max_size = max_size
        self.method = one_of("Resize", "method", method, METHODS)
        self.antialias = flag("Resize", "antialias", antialias)
        self.numerics = one_of("Resize", "numerics", numerics, NUMERICS)

    def plan(self, geometry: Geometry) -> Geometry:
        return resize_plan(
            self.size,
            max_size=self.max_size,
            method=self.method,
            antialias=self.antialias,
            numerics=self.numerics,
        )(geometry)


class CenterCrop(Geometric):
    """Cuts out the middle; smaller images are padded.

    Args:
        size: Edge of a square, or ``(height, width)``, in pixels.
        rounding: ``"half_even"`` (torchvision), ``"floor"`` (Keras, MXNet) or ``"half_up"`` (DALI).
        padding: Whether smaller images are filled up rather than refused.
        fill: Value outside the image, one or one per channel.

    Raises:
        ConfigError: An argument is not one of these.

    Source:
        torchvision's ``CenterCrop``. See `e2e_jax.ops.geometry.center_crop`.

    Example:
        >>> import numpy as np
        >>> CenterCrop((2, 3))(np.zeros((5, 5, 1), np.uint8)).shape
        (2, 3, 1)
    """

    def __init__(
        self,
        size: int | Sequence[int],
        *,
        rounding: Rounding = "half_even",
        padding: bool = True,
        fill: float | Sequence[float] = 0,
    ) -> None:
        self.size = pixels("CenterCrop", "size", size, least=1)
        self.rounding = one_of("CenterCrop", "rounding", rounding, ROUNDINGS)
        self.padding = flag("CenterCrop", "padding", padding)
        self.fill = fill_values("CenterCrop", fill)

    def plan(self, geometry: Geometry) -> Geometry:
        height, width = self.size if isinstance(self.size, tuple) else (self.size, self.size)
        return center_crop_plan(height, width, rounding=self.rounding, padding=self.padding, fill=self.fill)(
            geometry
        )


class Crop(Geometric):
    """Cuts out a fixed window.

    Args:
        top: First row, in pixels.
        left: First column, in pixels.
        height: Rows, in pixels.
        width: Columns, in pixels.
        padding: Whether the window may leave the image and is filled there.
        fill: Value outside the image, one or one per channel.

    Raises:
        ConfigError: A length is not positive, or a start is negative without padding.

    Source:
        torchvision's ``crop``. See `e2e_jax.ops.geometry.crop`.

    Example:
        >>> import numpy as np
        >>> Crop(0, 1, 2, 3)(np.zeros((5, 5, 1), np.uint8)).shape
        (2, 3, 1)
    """

    def __init__(
        self,
        top: int,
        left: int,
        height: int,
        width: int,
        *,
        padding: bool = False,
        fill: float | Sequence[float] = 0,
    ) -> None:
        self.top, self.left = whole("Crop", "top", top), whole("Crop", "left", left)
        self.padding = flag("Crop", "padding", padding)
        if not padding and min(top, left) < 0:
            fix = "start inside the image, or pass padding=True."
            raise ConfigError("Crop: the window must start inside the image.", f"{top=}, {left=}", fix)
        self.height, self.width = pixels("Crop", "height and width", (height, width), least=1)
        self.fill = fill_values("Crop", fill)

    def plan(self, geometry: Geometry) -> Geometry:
        return crop_plan(self.top, self.left, self.height, self.width, padding=self.padding, fill=self.fill)(
            geometry
        )


class Pad(Geometric):
    """Adds a border.

    Args:
        padding: All sides, ``(left and right, top and bottom)``, or ``(left, top, right, bottom)``, in pixels.
        fill: Value of a constant border, one or one per channel.
        mode: ``"constant"``, ``"edge"``, ``"reflect"`` or ``"symmetric"``.

    Raises:
        ConfigError: A border is negative, the number of values is another, or the mode is unknown.

    Source:
        torchvision's ``Pad``. See `e2e_jax.ops.geometry.pad`.

    Example:
        >>> import numpy as np
        >>> Pad((1, 0, 2, 5))(np.zeros((4, 4, 3), np.uint8)).shape
        (9, 7, 3)
    """

    def __init__(
        self, padding: int | Sequence[int], *, fill: float | Sequence[float] = 0, mode: PadMode = "constant"
    ) -> None:
        self.padding = borders("Pad", padding)
        self.fill = fill_values("Pad", fill)
        self.mode = one_of("Pad", "mode", mode, PAD_MODES)

    def plan(self, geometry: Geometry) -> Geometry:
        left, top, right, bottom = self.padding
        return pad_plan(left, top, right, bottom, fill=self.fill, mode=self.mode)(geometry)


class HorizontalFlip(Geometric):
    """Swaps left and right.

    Source:
        torchvision's ``horizontal_flip``: boxes move to W - x, key points to W - 1 - x.
        See `e2e_jax.ops.geometry.flip`.

    Example:
        >>> import numpy as np
        >>> HorizontalFlip()(np.arange(3, dtype=np.uint8).reshape(1, 3, 1)).ravel().tolist()
        [2, 1, 0]
    """

    def __init__(self) -> None:
        pass

    def plan(self, geometry: Geometry) -> Geometry:
        return flip_plan("horizontal")(geometry)


class VerticalFlip(Geometric):
    """Swaps top and bottom.

    Source:
        torchvision's ``vertical_flip``: boxes move to H - y, key points to H - 1 - y.
        See `e2e_jax.ops.geometry.flip`.

    Example:
        >>> import numpy as np
        >>> VerticalFlip()(np.arange(3, dtype=np.uint8).reshape(3, 1, 1)).ravel().tolist()
        [2, 1, 0]
    """

    def __init__(self) -> None:
        pass

    def plan(self, geometry: Geometry) -> Geometry:
        return flip_plan("vertical")(geometry)
