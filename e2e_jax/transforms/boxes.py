"""Transforms of boxes that leave the pixels alone: see `e2e_jax.ops.boxes`."""

from __future__ import annotations

from typing import Literal

import jax.numpy as jnp

from e2e_jax.ops.boxes import FORMATS, Format, clamp, convert, sanitize
from e2e_jax.ops.sizes import Extents, value
from e2e_jax.transforms.base import Samplewise
from e2e_jax.transforms.check import interval_number, one_of
from e2e_jax.transforms.run import Numbers
from e2e_jax.types import Sample


class Boxwise(Samplewise, abstract=True):
    """A transform of boxes; a sample without them passes unchanged."""

    @property
    def reads_boxes(self) -> str | None:
        """See `Transform.reads_boxes`."""
        return "xyxy"

    def on_sample(self, sample: Sample, size: Extents, *numbers: Numbers) -> tuple[Sample, Extents]:
        """One sample."""
        return sample if sample.boxes is None else self.on_boxes(sample, size), size

    def on_boxes(self, sample: Sample, size: Extents) -> Sample:
        """One sample that has boxes, ``(n, 4)`` with n of 0 or more; returns it with others."""
        raise NotImplementedError


class ConvertBoxes(Boxwise):
    """Writes boxes in another format.

    All other transforms read and write ``"xyxy"``: put it first for annotations in another format, and last for a
    network that wants one.

    Args:
        source: ``"xyxy"``, ``"xywh"`` or ``"cxcywh"`` in pixels; with ``_normalized`` behind it, in sides
            of the image.
        target: Likewise.

    Raises:
        ConfigError: A format is not known.

    Source:
        torchvision's ``ConvertBoundingBoxFormat``. See `e2e_jax.ops.boxes.convert`.

    Example:
        >>> import numpy as np
        >>> given = Sample(np.zeros((40, 80, 3), np.uint8), boxes=[[10, 5, 20, 20]])
        >>> ConvertBoxes("xywh", "xyxy_normalized")(given).boxes.tolist()
        [[0.125, 0.125, 0.375, 0.625]]
    """

    def __init__(self, source: Format, target: Format) -> None:
        self.source = one_of("ConvertBoxes", "source", source, FORMATS)
        self.target = one_of("ConvertBoxes", "target", target, FORMATS)

    @property
    def reads_boxes(self) -> Format:
        """See `Transform.reads_boxes`."""
        return self.source

    @property
    def writes_boxes(self) -> Format:
        """See `Transform.writes_boxes`."""
        return self.target

    def on_boxes(self, sample: Sample, size: Extents) -> Sample:
        boxes = convert(sample.boxes, source=self.source, target=self.target, size=size)
        return sample.with_parts(boxes=boxes)


class ClampBoxes(Boxwise):
    """Cuts boxes to the image.

    Source:
        torchvision's ``ClampBoundingBoxes``. See `e2e_jax.ops.boxes.clamp`.

    Example:
        >>> import numpy as np
        >>> given = Sample(np.zeros((40, 80, 3), np.uint8), boxes=[[-9, 5, 90, 20]])
        >>> ClampBoxes()(given).boxes.tolist()
        [[0.0, 5.0, 80.0, 20.0]]
    """

    def __init__(self) -> None:
        pass

    def on_boxes(self, sample: Sample, size: Extents) -> Sample:
        return sample.with_parts(boxes=clamp(sample.boxes, size=size))


class SanitizeBoxes(Boxwise):
    """Marks boxes that are too small or outside the image as not valid.

    How many boxes there are stays, since shapes are static: losses and metrics look at ``Sample.valid``.

    Args:
        min_size: Least width and height in pixels.
        min_area: Least area in square pixels.

    Raises:
        ConfigError: A number is negative.

    Source:
        torchvision's ``SanitizeBoundingBoxes``. See `e2e_jax.ops.boxes.sanitize`.

    Example:
        >>> import numpy as np
        >>> given = Sample(np.zeros((40, 80, 3), np.uint8), boxes=[[9, 5, 60, 20], [9, 5, 9.5, 20]])
        >>> SanitizeBoxes()(given).valid.tolist()
        [True, False]
    """

    def __init__(self, *, min_size: float = 1.0, min_area: float = 1.0) -> None:
        self.min_size = interval_number("SanitizeBoxes", "min_size", min_size, 0.0)
        self.min_area = interval_number("SanitizeBoxes", "min_area", min_area, 0.0)

    def on_boxes(self, sample: Sample, size: Extents) -> Sample:
        least = {"min_size": self.min_size, "min_area": self.min_area}
        return sample.with_parts(valid=sanitize(sample.boxes, size=size, valid=sample.valid, **least))


class BoundingBoxFlip(Boxwise):
    """Mirrors boxes and leaves the pixels, for images that were mirrored elsewhere.

    Args:
        direction: ``"horizontal"`` swaps left and right, ``"vertical"`` top and bottom.

    Raises:
        ConfigError: The direction is another.

    Source:
        DALI's ``bb_flip``, GluonCV's ``bbox.flip``: x becomes width - x.

    Example:
        >>> import numpy as np
        >>> given = Sample(np.zeros((40, 80, 3), np.uint8), boxes=[[10, 5, 30, 20]])
        >>> BoundingBoxFlip()(given).boxes.tolist()
        [[50.0, 5.0, 70.0, 20.0]]
    """

    def __init__(self, direction: Literal["horizontal", "vertical"] = "horizontal") -> None:
        self.direction = one_of("BoundingBoxFlip", "direction", direction, ("horizontal", "vertical"))

    def on_boxes(self, sample: Sample, size: Extents) -> Sample:
        height, width = (jnp.asarray(value(side)).astype(jnp.float32) for side in size)
        left, top, right, bottom = jnp.moveaxis(jnp.asarray(sample.boxes), -1, 0)
        if self.direction == "horizontal":
            left, right = width - right, width - left
        else:
            top, bottom = height - bottom, height - top
        return sample.with_parts(boxes=jnp.stack([left, top, right, bottom], -1))
