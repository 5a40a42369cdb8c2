"""Resize, crops, Pad and flips: see the functions of the same names in `e2e_jax.ops.geometry`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from e2e_jax.errors import ConfigError
from e2e_jax.graphs import fitting
from e2e_jax.graphs.geometry import bordered, extended, flipped, window
from e2e_jax.graphs.picture import COLS, ROWS, Picture, no_form
from e2e_jax.ops.dialects import NUMERICS, Method, Numerics
from e2e_jax.ops.extend import EXTENSIONS
from e2e_jax.ops.framing import center_crop_or_resize_plan, longest_edge_plan
from e2e_jax.ops.plans import Geometry, resize_plan
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
from e2e_jax.transforms.check import borders, fill_values, flag, one_of, pixels, resampling, whole
from e2e_jax.transforms.resampling import Resampling

RESIZING_CROPS = ("opencv", "tf")  # numerics whose centre crop resizes an image that is too small
PAD_MODES = ("constant", *EXTENSIONS)


class Resize(Resampling):
    """Resizes to an exact size, or until the shorter or the longer edge has so many pixels.

    Args:
        size: Length of the shorter edge, or ``(height, width)``, in pixels; ``None`` to set the longer edge.
        max_size: Upper limit of the longer edge in pixels, for an int ``size``; its length where ``size`` is
            ``None``.
        method: ``"nearest"``, ``"nearest_exact"``, ``"bilinear"``, ``"bicubic"``, ``"lanczos"``, ``"area"`` or
            another of `e2e_jax.ops.dialects.METHODS`, where the library has it.
        antialias: Widen the filter where the image shrinks; the library's own default if absent.
        numerics: Whose rules: ``"pillow"`` (every Pillow before 13), ``"pillow13"``, ``"torch"``, ``"opencv"`` or
            ``"tf"``.

    Raises:
        ConfigError: An argument is not one of these, or the library has no such method.

    Source:
        The libraries named; the rule for edges is that of torchvision's ``Resize``. See `e2e_jax.ops.dialects` and
        `e2e_jax.ops.geometry.resize`.

    Example:
        >>> import numpy as np
        >>> Resize(32)(np.zeros((60, 90, 3), np.uint8)).shape
        (32, 48, 3)
    """

    def __init__(
        self,
        size: int | Sequence[int] | None,
        *,
        max_size: int | None = None,
        method: Method = "bilinear",
        antialias: bool | None = None,
        numerics: Numerics = "pillow",
    ) -> None:
        self.size = None if size is None and max_size is not None else pixels("Resize", "size", size, least=1)
        if max_size is not None and not whole("Resize", "max_size", max_size, least=1) > _shorter(self.size):
            fix = "pass an int size smaller than max_size, e.g. Resize(256, max_size=512)."
            raise ConfigError("Resize: max_size must exceed an int size.", f"{size=}, {max_size=}", fix)
        self.max_size = max_size
        self.method, self.antialias, self.numerics = resampling("Resize", method, antialias, numerics)

    def plan(self, geometry: Geometry) -> Geometry:
        if self.size is None:
            return longest_edge_plan(cast(int, self.max_size), **self.how)(geometry)
        return resize_plan(self.size, max_size=self.max_size, **self.how)(geometry)

    def as_onnx(self, picture: Picture) -> Picture:
        if isinstance(self.size, tuple):
            return self.resized_onnx(picture, *self.size)
        if self.size is None:
            edge = cast(int, self.max_size)
            return self.resized_onnx(picture, *fitting.letterbox(picture, (edge, edge), "torch"))
        return self.resized_onnx(picture, *fitting.shorter_edge(picture, self.size, self.max_size, self.numerics))


def _shorter(size: int | tuple[int, int] | None) -> float:
    """What ``max_size`` must exceed."""
    if isinstance(size, tuple):
        return float("inf")
    return 0 if size is None else size


class CenterCrop(Geometric):
    """Cuts out the middle.

    Args:
        size: Edge of a square, or ``(height, width)``, in pixels.
        numerics: ``"pillow"``, ``"pillow13"`` and ``"torch"`` start at half the difference rounded half to even,
            and fill up images that are smaller; ``"opencv"`` (MXNet) and ``"tf"`` (Keras) round it down, and
            resize images that are smaller, see `e2e_jax.ops.framing.center_crop_or_resize_plan`.
        rounding: Another rule for the start: ``"half_even"``, ``"floor"`` or ``"half_up"`` (DALI).
        smaller: What happens to images smaller than the crop: ``"pad"``, ``"resize"`` or ``"refuse"``. ``"resize"``
            belongs to ``"opencv"`` and ``"tf"``, by their rule for the start.
        fill: Value outside the image, one or one per channel.

    Raises:
        ConfigError: An argument is not one of these.

    Source:
        torchvision's, MXNet's and Keras' ``CenterCrop``. See `e2e_jax.ops.geometry.center_crop`.

    Example:
        >>> import numpy as np
        >>> CenterCrop((2, 3))(np.zeros((5, 5, 1), np.uint8)).shape
        (2, 3, 1)
    """

    def __init__(
        self,
        size: int | Sequence[int],
        *,
        numerics: Numerics = "pillow",
        rounding: Rounding | None = None,
        smaller: Literal["pad", "resize", "refuse"] | None = None,
        fill: float | Sequence[float] = 0,
    ) -> None:
        self.size = pixels("CenterCrop", "size", size, least=1)
        self.numerics = one_of("CenterCrop", "numerics", numerics, NUMERICS)
        self.rounding = rounding and one_of("CenterCrop", "rounding", rounding, ROUNDINGS)
        self.smaller = smaller and one_of("CenterCrop", "smaller", smaller, ("pad", "resize", "refuse"))
        self.fill = fill_values("CenterCrop", fill)
        if smaller == "resize" and (numerics not in RESIZING_CROPS or rounding not in (None, "floor")):
            fix = "use numerics='opencv' or 'tf' without rounding, or resize before the crop."
            raise ConfigError("CenterCrop: smaller='resize' needs a rule.", f"{numerics=}, {rounding=}", fix)

    @property
    def _edges(self) -> tuple[int, int]:
        return self.size if isinstance(self.size, tuple) else (self.size, self.size)

    @property
    def _resizes(self) -> bool:
        """Whether images that are too small are resized."""
        by_rule = self.numerics in RESIZING_CROPS and self.rounding in (None, "floor")
        return self.smaller == "resize" or (by_rule and self.smaller is None)

    @property
    def _start(self) -> Rounding:
        return self.rounding or ("floor" if self.numerics in RESIZING_CROPS else "half_even")

    def plan(self, geometry: Geometry) -> Geometry:
        if self._resizes:
            return center_crop_or_resize_plan(self._edges, numerics=self.numerics)(geometry)
        padding = self.smaller != "refuse"
        return center_crop_plan(*self._edges, rounding=self._start, padding=padding, fill=self.fill)(geometry)

    def as_onnx(self, picture: Picture) -> Picture:
        if self._resizes:
            raise no_form("CenterCrop", f"{self!r}, which resizes images that are too small")
        height, width = self._edges
        top = fitting.middle(picture, picture.height - height, self._start)
        left = fitting.middle(picture, picture.width - width, self._start)
        return window(picture, top, left, height, width, None if self.smaller == "refuse" else self.fill)


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

    def as_onnx(self, picture: Picture) -> Picture:
        fill = self.fill if self.padding else None
        return window(picture, self.top, self.left, self.height, self.width, fill)


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

    def as_onnx(self, picture: Picture) -> Picture:
        left, top, right, bottom = self.padding
        if self.mode == "constant":
            return bordered(picture, (top, left), (bottom, right), self.fill)
        return extended(picture, (top, left), (bottom, right), self.mode)


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

    def as_onnx(self, picture: Picture) -> Picture:
        return flipped(picture, COLS)


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

    def as_onnx(self, picture: Picture) -> Picture:
        return flipped(picture, ROWS)
