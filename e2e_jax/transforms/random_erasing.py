"""RandomErasing: see `e2e_jax.ops.erasing`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp

from e2e_jax.errors import ImageError
from e2e_jax.ops.erasing import draw_erasing, erase, random_content
from e2e_jax.ops.fill import fill_levels
from e2e_jax.ops.noise import draw_seed
from e2e_jax.ops.sizes import Extents
from e2e_jax.transforms.base import Imagewise, Random
from e2e_jax.transforms.check import fill_values, probability, span
from e2e_jax.transforms.run import Numbers
from e2e_jax.types import Array, Sample


class RandomErasing(Random, Imagewise):
    """Paints a drawn rectangle over, or leaves the image; boxes, masks and key points stay.

    Args:
        p: Probability 0..1 of a rectangle.
        scale: Least and greatest share of the image's area.
        ratio: Least and greatest height / width; drawn evenly in its logarithm.
        value: What is painted, one number or one per channel, in the image's units; or ``"random"``: normal noise
            for floats, any level for bytes.

    Raises:
        ConfigError: ``p`` is no probability, a range is reversed or not positive, or the value is none of these.

    Source:
        torchvision 0.29 ``RandomErasing``, drawn for each sample. See `e2e_jax.ops.erasing.draw_erasing`.

    Example:
        >>> import numpy as np
        >>> step = RandomErasing(1.0, scale=(0.25, 0.25), ratio=(1.0, 1.0), value=9)
        >>> int((step(np.zeros((8, 8, 1), np.uint8), key=jax.random.key(0)) == 9).sum())
        16
    """

    def __init__(
        self,
        p: float = 0.5,
        *,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: float | Sequence[float] | Literal["random"] = 0,
    ) -> None:
        self.p = probability("RandomErasing", p)
        self.scale = span("RandomErasing", "scale", scale, least=0.0, most=1.0)
        self.ratio = span("RandomErasing", "ratio", ratio, least=1e-3)
        self.value: Any = value if value == "random" else fill_values("RandomErasing", value)

    def draw(self, key: jax.Array, size: Extents, sample: Sample) -> Numbers:
        happens, window, content = jax.random.split(key, 3)
        drawn = draw_erasing(window, *size, scale=self.scale, ratio=self.ratio)
        height = jnp.where(jax.random.bernoulli(happens, self.p), drawn["height"], 0)
        return drawn | {"height": height} | ({"seed": draw_seed(content)} if self.value == "random" else {})

    def apply(self, image: Array, size: Extents, *numbers: Numbers) -> jax.Array:
        drawn = dict(numbers[0])
        seed = drawn.pop("seed", None)
        height, width, channels = image.shape
        if image.dtype != jnp.uint8 and not jnp.issubdtype(image.dtype, jnp.floating):
            fix = 'put it after ToTensor(), or Cast("uint8") before it.'
            seen = f"{image.shape} {image.dtype}"
            raise ImageError("RandomErasing: an image must be uint8 or floating.", seen, fix)
        if seed is not None:
            content = random_content(seed, height=height, width=width, channels=channels, dtype=image.dtype)
        else:
            content = jnp.asarray(fill_levels(self.value, channels, image.dtype))
        return erase(image, content=content, **drawn)
