"""ColorJitter, RandomGrayscale and RandomLighting: colours as on another day, drawn for each sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.errors import ConfigError
from e2e_jax.ops.color import grayscale
from e2e_jax.ops.enhance import KNOWN
from e2e_jax.ops.hsv import HALF_TURN
from e2e_jax.ops.jitter import STEPS, jitter
from e2e_jax.ops.levels import Numerics
from e2e_jax.ops.lighting import lighting
from e2e_jax.ops.sizes import Extents
from e2e_jax.transforms.base import Imagewise, Pointwise, Random
from e2e_jax.transforms.check import interval_number, one_of, probability, span
from e2e_jax.transforms.color import LIBRARIES
from e2e_jax.transforms.run import Numbers
from e2e_jax.types import Array, Sample


class ColorJitter(Random, Imagewise):
    """Changes brightness, contrast, saturation and hue by drawn factors, in a drawn order, for each sample its own.

    That each image has an order of its own costs: every step is computed in each place where it may stand, see
    `e2e_jax.ops.jitter.jitter`. 32 images of 224 x 224 x 3 uint8 take 22 to 25 ms, without hue 10 to 12 ms; with
    ``numerics="torch"``, in double precision, 119 to 176 ms (compiled, the medians of 30 calls in four runs, two
    cores of an AMD EPYC with AVX2, jax 0.12.0.1, a machine busy with other work).

    Args:
        brightness: Greatest change of the factor from 1, or the least and greatest factor, at least 0.
        contrast: Likewise.
        saturation: Likewise.
        hue: Greatest turn 0..0.5 in either direction, or the least and greatest, -0.5..0.5.
        numerics: ``"pillow"`` or ``"torch"``.

    Raises:
        ConfigError: A range is reversed or leaves its bounds, or the numerics are not known.

    Source:
        torchvision 0.29 ``ColorJitter``, whose factors and order are drawn for a whole batch; the same numbers give
        the same bytes. A step without a range, such as ``brightness=0``, does not happen.

    Example:
        >>> import numpy as np
        >>> step = ColorJitter(brightness=(2, 2))
        >>> step(np.array([[[10, 100, 200]]], np.uint8), key=jax.random.key(0)).tolist()
        [[[20, 200, 255]]]
    """

    def __init__(
        self,
        brightness: float | Sequence[float] = 0.0,
        contrast: float | Sequence[float] = 0.0,
        saturation: float | Sequence[float] = 0.0,
        hue: float | Sequence[float] = 0.0,
        *,
        numerics: Numerics = "pillow",
    ) -> None:
        self.brightness = _range("brightness", brightness)
        self.contrast = _range("contrast", contrast)
        self.saturation = _range("saturation", saturation)
        self.hue = _range("hue", hue, centre=0.0, least=-HALF_TURN, most=HALF_TURN)
        self.numerics = one_of("ColorJitter", "numerics", numerics, KNOWN)

    def draw(self, key: jax.Array, size: Extents, sample: Sample) -> Numbers:
        first, *keys = jax.random.split(key, 1 + len(STEPS))
        ranges = self._ranges()
        drawn = {
            name: jax.random.uniform(each, minval=ranges[name][0], maxval=ranges[name][1])
            for name, each in zip(STEPS, keys, strict=True)
            if name in ranges
        }
        happen = np.asarray([STEPS.index(name) for name in drawn], np.int32)
        return {"order": jax.random.permutation(first, jnp.asarray(happen)), "factors": drawn}

    def apply(self, image: Array, size: Extents, *numbers: Numbers) -> jax.Array:
        (drawn,) = numbers
        return jitter(image, factors=drawn["factors"], order=drawn["order"], numerics=self.numerics, size=size)

    def _ranges(self) -> dict[str, tuple[float, float]]:
        """Of the steps that happen."""
        given = {name: getattr(self, name) for name in STEPS}
        return {name: values for name, values in given.items() if values != (float(name != "hue"),) * 2}


def _range(name: str, value: Any, *, centre: float = 1.0, least: float = 0.0, most: float = float("inf")) -> Any:
    """The least and greatest factor."""
    if isinstance(value, Sequence):
        return span("ColorJitter", name, value, least=least, most=most)
    change = interval_number("ColorJitter", name, value, 0.0, most)
    return max(centre - change, least), centre + change


class RandomGrayscale(Random, Pointwise):
    """Takes the colours away, or not; the channels stay as many as they are.

    Args:
        p: Probability 0..1 of grey.
        numerics: As for `Grayscale`.

    Raises:
        ConfigError: ``p`` is no probability, or the numerics are not known.

    Source:
        torchvision 0.29 ``RandomGrayscale``, drawn for each sample. See `e2e_jax.ops.color.grayscale`.

    Example:
        >>> import numpy as np
        >>> RandomGrayscale(1.0)(np.array([[[255, 0, 0]]], np.uint8), key=jax.random.key(0)).tolist()
        [[[76, 76, 76]]]
    """

    def __init__(self, p: float = 0.1, *, numerics: Numerics = "pillow") -> None:
        self.p = probability("RandomGrayscale", p)
        self.numerics = one_of("RandomGrayscale", "numerics", numerics, LIBRARIES)

    def draw(self, key: jax.Array, size: Extents, sample: Sample) -> Numbers:
        return {"grey": jax.random.bernoulli(key, self.p)}

    def apply(self, image: Array, *numbers: Numbers) -> jax.Array:
        grey = grayscale(image, channels=image.shape[-1], numerics=self.numerics)
        return jnp.where(numbers[0]["grey"], grey, jnp.asarray(image))


class RandomLighting(Random, Pointwise):
    """Adds light of a drawn strength along each principal axis of the colours of ImageNet.

    Args:
        alpha_std: Standard deviation of the three strengths, at least 0; AlexNet's is 0.1.

    Raises:
        ConfigError: ``alpha_std`` is below 0.

    Source:
        Krizhevsky et al. 2012 (AlexNet), 4.1; MXNet and GluonCV ``RandomLighting``. See
        `e2e_jax.ops.lighting.lighting`.

    Example:
        >>> import numpy as np
        >>> RandomLighting(0.0)(np.array([[[10, 100, 200]]], np.uint8), key=jax.random.key(0)).tolist()
        [[[10, 100, 200]]]
    """

    def __init__(self, alpha_std: float = 0.1) -> None:
        self.alpha_std = interval_number("RandomLighting", "alpha_std", alpha_std, 0.0)
        if not self.alpha_std < float("inf"):
            fix = "pass a number, e.g. 0.1."
            raise ConfigError("RandomLighting: alpha_std must be finite.", f"{alpha_std=}", fix)

    def draw(self, key: jax.Array, size: Extents, sample: Sample) -> Numbers:
        return {"alpha": self.alpha_std * jax.random.normal(key, (3,))}

    def apply(self, image: Array, *numbers: Numbers) -> jax.Array:
        return lighting(image, alpha=numbers[0]["alpha"])
