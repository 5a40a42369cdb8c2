"""Elastic: every pixel from a place a little beside, by `e2e_jax.ops.elastic`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from e2e_jax.ops.elastic import elastic, elastic_boxes, elastic_displacement, elastic_points
from e2e_jax.ops.noise import draw_seed, pixel_noise
from e2e_jax.ops.sampling import Method, Numerics
from e2e_jax.ops.sizes import Extents
from e2e_jax.transforms.base import Random
from e2e_jax.transforms.check import interval_number
from e2e_jax.transforms.run import Numbers
from e2e_jax.transforms.warp import Warped
from e2e_jax.types import Array, Sample

LARGEST_SIGMA = 1000.0  # pixels; a wider Gaussian leaves nothing of the noise


class Elastic(Random, Warped):
    """Deforms the image as if it were drawn on rubber: smoothed random displacements.

    Boxes become the boxes around their moved corners; what belongs to pixels moves with them.

    Args:
        alpha: Strength along x and y, or one for both: twice the displacement in pixels before smoothing.
        sigma: Standard deviation of the smoothing in pixels along x and y, or one for both.
        method: As for `Rotate`.
        fill: Value outside the image, one or one per channel.
        numerics: As for `Rotate`.

    Raises:
        ConfigError: ``alpha`` or ``sigma`` is negative or not one or two numbers, or an argument is unknown.

    Source:
        torchvision 0.29 ``ElasticTransform``, drawn for each sample. See `e2e_jax.ops.elastic`.

    Example:
        >>> photo = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
        >>> Elastic(alpha=0)(photo, key=jax.random.key(0))[..., 0].tolist() == photo[..., 0].tolist()
        True
    """

    def __init__(
        self,
        *,
        alpha: float | Sequence[float] = 50.0,
        sigma: float | Sequence[float] = 5.0,
        method: Method = "bilinear",
        fill: float | Sequence[float] = 0,
        numerics: Numerics = "torch",
    ) -> None:
        self.alpha = _along_both("alpha", alpha, float("inf"))
        self.sigma = _along_both("sigma", sigma, LARGEST_SIGMA)
        self._keep(method, fill, numerics)

    def draw(self, key: jax.Array, size: Extents, sample: Sample) -> Numbers:
        return {"seed": draw_seed(key)}

    def on_sample(self, sample: Sample, size: Extents, *numbers: Numbers) -> tuple[Sample, Extents]:
        """One sample."""
        field = self.displacement(numbers[0]["seed"], sample.image.shape[:2], size)
        drawn: dict[str, Any] = {"displacement": field, "numerics": self.numerics, "source_size": size}
        image = elastic(sample.image, method=self.method, fill=self.fill, **drawn)
        moved: dict[str, Any] = {"image": image}
        if sample.mask is not None:
            moved["mask"] = elastic(sample.mask[..., None], method="nearest", **drawn)[..., 0]
        places: dict[str, Any] = {"displacement": field, "source_size": size}
        if sample.boxes is not None:
            moved["boxes"] = elastic_boxes(sample.boxes, extent=size, **places)
        if sample.keypoints is not None:
            half = np.float32(0.5)  # key points count from the centre of the first pixel
            moved["keypoints"] = elastic_points(sample.keypoints + half, **places) - half
        return sample.with_parts(**moved), size

    def displacement(self, seed: Array, extents: Extents, size: Extents) -> jax.Array:
        """``(H, W, 2)`` float32 in pixels, from the result to the source."""
        height, width = extents
        noise = pixel_noise(seed, height=height, width=width) * 2 - 1
        return elastic_displacement(noise, alpha=self.alpha, sigma=self.sigma, source_size=size)


def _along_both(name: str, numbers: Any, most: float) -> tuple[float, float]:
    pair = tuple(numbers) if isinstance(numbers, Sequence) and len(numbers) == 2 else (numbers, numbers)
    along_x, along_y = (interval_number("Elastic", name, number, 0.0, most) for number in pair)
    return along_x, along_y
