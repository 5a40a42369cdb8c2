"""GaussianBlur and Sharpness: what happens to a pixel among its neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import jax

from e2e_jax.errors import ConfigError
from e2e_jax.ops import blur, sharpness
from e2e_jax.ops.sizes import Extents
from e2e_jax.transforms.base import Imagewise
from e2e_jax.transforms.check import interval_number, one_of, real
from e2e_jax.transforms.run import Numbers
from e2e_jax.types import Array

SMALLEST_SIGMA = 1e-3  # pixels; below it nothing is left of the neighbours long before


class GaussianBlur(Imagewise):
    """Blurs the image with a Gaussian that is cut to a number of pixels, mirrored at the edge.

    Args:
        kernel_size: Odd number of pixels along x and y, or one for both.
        sigma: Standard deviation in pixels along x and y, or one for both; if absent, 0.15 per pixel of the kernel
            and 0.35.
        numerics: ``"torch"`` or ``"opencv"``.

    Raises:
        ConfigError: A kernel size is even, ``sigma`` is not above 0, or the numerics are others.

    Source:
        torchvision's ``GaussianBlur`` without its drawn sigma, OpenCV's ``GaussianBlur``. See
        `e2e_jax.ops.blur.gaussian_blur`.

    Example:
        >>> import numpy as np
        >>> dot = np.array([[0, 0, 255, 0, 0]], np.uint8)[..., None]
        >>> GaussianBlur(3, 0.8)(dot).ravel().tolist()
        [0, 61, 133, 61, 0]
    """

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        sigma: float | Sequence[float] | None = None,
        *,
        numerics: blur.Numerics = "torch",
    ) -> None:
        self.kernel_size = _odd_lengths(kernel_size)
        self.sigma = None if sigma is None else _deviations(sigma)
        self.numerics = one_of("GaussianBlur", "numerics", numerics, blur.NUMERICS)

    def apply(self, image: Array, size: Extents, *numbers: Numbers) -> jax.Array:
        how = {"kernel_size": self.kernel_size, "sigma": self.sigma, "numerics": self.numerics}
        return blur.gaussian_blur(image, **how, size=size)


def _odd_lengths(value: int | Sequence[int]) -> tuple[int, int]:
    lengths = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value, value)
    odd = all(isinstance(n, int) and not isinstance(n, bool) and n > 0 and n % 2 for n in lengths)
    if len(lengths) != 2 or not odd:
        fix = "pass an odd number of pixels such as 5, or two along x and y."
        raise ConfigError("GaussianBlur: kernel_size must be odd.", f"kernel_size={value!r}", fix)
    return lengths[0], lengths[1]


def _deviations(value: float | Sequence[float]) -> tuple[float, float]:
    pair = tuple(value) if isinstance(value, Sequence) and len(value) == 2 else (value, value)
    across, down = (interval_number("GaussianBlur", "sigma", number, SMALLEST_SIGMA) for number in pair)
    return real("GaussianBlur", "sigma", across), real("GaussianBlur", "sigma", down)


class Sharpness(Imagewise):
    """Makes the image sharper or softer.

    Args:
        factor: At least 0: 0 is smoothed, 1 leaves the image, more exaggerates its edges.
        numerics: ``"pillow"`` or ``"torch"``.

    Raises:
        ConfigError: The factor is negative or not finite, or the numerics are others.

    Source:
        Pillow's ``ImageEnhance.Sharpness``, torchvision's ``adjust_sharpness``. See
        `e2e_jax.ops.sharpness.sharpness`.

    Example:
        >>> import numpy as np
        >>> dot = np.array([[0, 0, 0], [0, 130, 0], [0, 0, 0]], np.uint8)[..., None]
        >>> Sharpness(0.5)(dot)[1, 1, 0].item()
        90
    """

    def __init__(self, factor: float, *, numerics: sharpness.Numerics = "pillow") -> None:
        self.factor = interval_number("Sharpness", "factor", real("Sharpness", "factor", factor), 0.0)
        self.numerics = one_of("Sharpness", "numerics", numerics, sharpness.NUMERICS)

    def apply(self, image: Array, size: Extents, *numbers: Numbers) -> jax.Array:
        return sharpness.sharpness(image, factor=self.factor, numerics=self.numerics, size=size)
