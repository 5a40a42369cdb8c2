"""SSDRandomCrop: see `e2e_jax.ops.ssd`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from e2e_jax.errors import ConfigError
from e2e_jax.ops.selections import crop_plan
from e2e_jax.ops.sizes import Extents
from e2e_jax.ops.ssd import WHOLE, centres_inside, draw_ssd_crop
from e2e_jax.transforms.base import Random, Samplewise
from e2e_jax.transforms.check import probability, span, whole
from e2e_jax.transforms.run import Numbers, move_one
from e2e_jax.types import Sample


class SSDRandomCrop(Random, Samplewise):
    """Cuts out a window that holds enough of at least one box, or leaves the image.

    One of the thresholds is drawn, or that any window will do, or that the image stays as it is. Boxes whose centre
    falls outside the window are marked as not valid; the others are clipped to it. Without boxes nothing happens.

    Args:
        scale: Least and greatest side of the window in sides of the image, 0..1.
        ratio: Least and greatest width / height of the window.
        thresholds: Intersections over union, 0..1, that a box must have with the window.
        tries: Windows drawn; where none suits the image stays as it is.

    Raises:
        ConfigError: A range is reversed or leaves its bounds, or a threshold is no share.

    Source:
        Liu et al. 2016, 2.2 (thresholds); torchvision 0.29 ``RandomIoUCrop`` (windows), GluonCV (50 tries).

    Example:
        >>> import numpy as np
        >>> given = Sample(np.zeros((60, 80, 3), np.uint8), boxes=[[20, 20, 60, 50]])
        >>> cut = SSDRandomCrop(scale=(0.75, 0.75))(given, key=jax.random.key(2))
        >>> cut.image.shape, cut.boxes.tolist(), cut.valid.tolist()
        ((45, 60, 3), [[13.0, 9.0, 53.0, 39.0]], [True])
    """

    is_spatial = True

    def __init__(
        self,
        *,
        scale: Sequence[float] = (0.3, 1.0),
        ratio: Sequence[float] = (0.5, 2.0),
        thresholds: Sequence[float] = (0.1, 0.3, 0.5, 0.7, 0.9),
        tries: int = 50,
    ) -> None:
        self.scale = span("SSDRandomCrop", "scale", scale, least=1e-3, most=1.0)
        self.ratio = span("SSDRandomCrop", "ratio", ratio, least=1e-3)
        self.thresholds = _shares(thresholds)
        self.tries = whole("SSDRandomCrop", "tries", tries, least=1)

    def draw(self, key: jax.Array, size: Extents, sample: Sample) -> Numbers:
        boxes = jnp.zeros((0, 4), jnp.float32) if sample.boxes is None else sample.boxes
        valid = jnp.ones(boxes.shape[:1], bool) if sample.valid is None else sample.valid
        how: dict[str, Any] = {"scale": self.scale, "ratio": self.ratio, "tries": self.tries}
        options = (0.0, WHOLE, *self.thresholds)
        return draw_ssd_crop(key, boxes, height=size[0], width=size[1], valid=valid, thresholds=options, **how)

    def on_sample(self, sample: Sample, size: Extents, *numbers: Numbers) -> tuple[Sample, Extents]:
        """One sample."""
        (drawn,) = numbers
        window = [drawn[name] for name in ("top", "left", "height", "width")]
        moved, new = move_one(sample, size, [crop_plan(*window)])
        if sample.boxes is None:
            return moved, new
        top, left, height, width = window
        edges = jnp.stack([left, top, left + width, top + height])
        kept = drawn["whole"] | centres_inside(sample.boxes, window=edges)
        return moved.with_parts(valid=kept if sample.valid is None else kept & sample.valid), new

    def resized(self, size: Extents) -> Extents:
        """Drawn: traced."""
        traced = jnp.zeros((), jnp.int32)
        return traced, traced


def _shares(thresholds: Any) -> tuple[float, ...]:
    if not isinstance(thresholds, Sequence):
        fix = "pass a list such as (0.1, 0.3, 0.5, 0.7, 0.9)."
        raise ConfigError("SSDRandomCrop: thresholds must be a list.", f"{thresholds=}", fix)
    return tuple(probability("SSDRandomCrop", share, "thresholds") for share in thresholds)
