"""Letterbox, CropToAspect and CropResize: see the plans in `e2e_jax.ops.framing`."""

from __future__ import annotations

from collections.abc import Sequence

from e2e_jax.graphs import fitting
from e2e_jax.graphs.geometry import bordered, window
from e2e_jax.graphs.picture import Picture, no_form
from e2e_jax.ops.dialects import Method, Numerics
from e2e_jax.ops.framing import crop_resize_plan, crop_to_aspect_plan, letterbox_plan
from e2e_jax.ops.plans import Geometry
from e2e_jax.transforms.check import fill_values, flag, frame, resampling, whole
from e2e_jax.transforms.resampling import Resampling


class Letterbox(Resampling):
    """Resizes until the image touches the frame, and fills what is left on both sides.

    Args:
        size: Edge of a square frame, or ``(height, width)``, in pixels.
        fill: Value of the border, one or one per channel.
        method: As for `Resize`.
        antialias: As for `Resize`.
        numerics: How the free edge is rounded and which side gets the odd pixel, see `letterbox_size`; and of the
            resize.
        pad_first: Fill up to the frame's aspect ratio first, then resize, as Keras does.

    Raises:
        ConfigError: An argument is not one of these.

    Source:
        Pillow 13.0 ``ImageOps.pad``; ``"tf"``: ``tf.image.resize_with_pad``, and with ``pad_first`` Keras 3
        ``Resizing(pad_to_aspect_ratio=True)``; ``"opencv"``: the letterbox of OpenCV-based detectors.

    Example:
        >>> import numpy as np
        >>> Letterbox(64, fill=114)(np.zeros((30, 60, 3), np.uint8))[0, 0].tolist()
        [114, 114, 114]
    """

    def __init__(
        self,
        size: int | Sequence[int],
        *,
        fill: float | Sequence[float] = 0,
        method: Method = "bilinear",
        antialias: bool | None = None,
        numerics: Numerics = "pillow",
        pad_first: bool = False,
    ) -> None:
        self.size = frame("Letterbox", size)
        self.fill = fill_values("Letterbox", fill)
        self.method, self.antialias, self.numerics = resampling("Letterbox", method, antialias, numerics)
        self.pad_first = flag("Letterbox", "pad_first", pad_first)

    def plan(self, geometry: Geometry) -> Geometry:
        return letterbox_plan(self.size, fill=self.fill, pad_first=self.pad_first, **self.how)(geometry)

    def as_onnx(self, picture: Picture) -> Picture:
        if self.pad_first:
            border = fitting.aspect_border(picture, self.size)
            return self.resized_onnx(bordered(picture, border, border, self.fill), *self.size)
        if self.numerics == "tf":
            raise no_form("Letterbox", 'numerics="tf"')
        inner = self.resized_onnx(picture, *fitting.letterbox(picture, self.size, self.numerics))
        rests = (edge - n for edge, n in zip(self.size, (inner.height, inner.width), strict=True))
        top, left = (fitting.half(rest, self.numerics) for rest in rests)
        return window(inner, -top, -left, *self.size, fill=self.fill)


class CropToAspect(Resampling):
    """Cuts out the middle at the frame's aspect ratio, and resizes it to the frame.

    Args:
        size: Edge of a square frame, or ``(height, width)``, in pixels.
        method: As for `Resize`.
        antialias: As for `Resize`.
        numerics: Of the resize; the window is the same by all.

    Raises:
        ConfigError: An argument is not one of these.

    Source:
        Keras 3 ``Resizing(crop_to_aspect_ratio=True)``: whole pixels, truncated. (Pillow's ``ImageOps.fit`` cuts
        between pixels, which is another picture.)

    Example:
        >>> import numpy as np
        >>> CropToAspect((8, 16))(np.zeros((40, 40, 3), np.uint8)).shape
        (8, 16, 3)
    """

    def __init__(
        self,
        size: int | Sequence[int],
        *,
        method: Method = "bilinear",
        antialias: bool | None = None,
        numerics: Numerics = "pillow",
    ) -> None:
        self.size = frame("CropToAspect", size)
        self.method, self.antialias, self.numerics = resampling("CropToAspect", method, antialias, numerics)

    def plan(self, geometry: Geometry) -> Geometry:
        return crop_to_aspect_plan(self.size, **self.how)(geometry)

    def as_onnx(self, picture: Picture) -> Picture:
        tall, wide = fitting.aspect_window(picture, self.size)
        top, left = (picture.height - tall) // 2, (picture.width - wide) // 2
        return self.resized_onnx(window(picture, top, left, tall, wide), *self.size)


class CropResize(Resampling):
    """Cuts out a fixed window and resizes it, in one resampling.

    Args:
        top: First row, in pixels.
        left: First column, in pixels.
        height: Rows, in pixels.
        width: Columns, in pixels.
        size: Edge of a square, or ``(height, width)``, of the result in pixels.
        method: As for `Resize`.
        antialias: As for `Resize`.
        numerics: As for `Resize`.

    Raises:
        ConfigError: An argument is not one of these, or the window starts outside the image.

    Source:
        Gluon's ``CropResize`` and torchvision's ``resized_crop``; what `Compose` makes of `Crop` and `Resize`.

    Example:
        >>> import numpy as np
        >>> CropResize(0, 4, 20, 30, 8)(np.zeros((20, 40, 3), np.uint8)).shape
        (8, 8, 3)
    """

    def __init__(
        self,
        top: int,
        left: int,
        height: int,
        width: int,
        size: int | Sequence[int],
        *,
        method: Method = "bilinear",
        antialias: bool | None = None,
        numerics: Numerics = "pillow",
    ) -> None:
        names = {"top": (top, 0), "left": (left, 0), "height": (height, 1), "width": (width, 1)}
        self.top, self.left, self.height, self.width = (
            whole("CropResize", name, number, least=least) for name, (number, least) in names.items()
        )
        self.size = frame("CropResize", size)
        self.method, self.antialias, self.numerics = resampling("CropResize", method, antialias, numerics)

    def plan(self, geometry: Geometry) -> Geometry:
        place = (self.top, self.left, self.height, self.width)
        return crop_resize_plan(*place, size=self.size, **self.how)(geometry)

    def as_onnx(self, picture: Picture) -> Picture:
        cut = window(picture, self.top, self.left, self.height, self.width)
        return self.resized_onnx(cut, *self.size)
