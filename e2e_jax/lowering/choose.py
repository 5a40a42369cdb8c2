"""Which way for which convolution: a rule from what was measured, or what was measured on this machine."""

from __future__ import annotations

import math
from collections.abc import Mapping

from e2e_jax.lowering import winograd
from e2e_jax.lowering.convolution import Convolution

#: Input channels of a group up to which shifted sums beat XLA's grouped convolution: with four 3.1 ms against 10.7
#: on 56 x 56 x 128, with eight no longer.
SHIFTED_CHANNELS = 4

#: Channels in and out from which Winograd's transforms, which grow with channels alone, cost less than they save.
WINOGRAD_CHANNELS = 128

#: Pixels from which tiles of 2 x 2 waste little at the borders, and kernels 16/9 as large are read often enough.
WINOGRAD_PIXELS = 14 * 14

#: Input channels from which a matrix product in bfloat16 wins over a convolution in float32.
BFLOAT16_CHANNELS = 16


def by_rule(convolution: Convolution, *, constant: bool, precision: str) -> str:
    """The way that was fastest on the layers of ResNet-18, MobileNetV2 and EfficientNet-Lite0.

    Args:
        convolution: What to compute.
        constant: Whether the kernel is known before the images, so that work on it is done once.
        precision: ``"float32"`` or ``"bfloat16"``.

    Returns:
        A name of `e2e_jax.lowering.ways.WAYS`.

    Source:
        ``python -m benchmarks convolutions``: two cores, AVX2.

    Example:
        >>> layer = Convolution((14, 14), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), inputs=256, outputs=256)
        >>> by_rule(layer, constant=True, precision="float32"), by_rule(layer, constant=False, precision="float32")
        ('winograd', 'native')
    """
    if convolution.groups > 1:
        return "shifted" if convolution.seen <= SHIFTED_CHANNELS else "native"
    if convolution.pointwise:
        return "patches"
    if precision == "bfloat16" and convolution.inputs >= BFLOAT16_CHANNELS:
        return "patches"
    return "winograd" if constant and _suits_winograd(convolution) else "native"


def _suits_winograd(convolution: Convolution) -> bool:
    wide = min(convolution.inputs, convolution.outputs) >= WINOGRAD_CHANNELS
    return winograd.fits(convolution) and wide and math.prod(convolution.result) >= WINOGRAD_PIXELS


class Choices:
    """By rule, except where a way is given; keeps what was chosen.

    Args:
        given: Convolution to way, from `e2e_jax.lowering.tune.tune`.
        precision: ``"float32"`` or ``"bfloat16"``.
    """

    def __init__(self, given: Mapping[Convolution, str] | None = None, *, precision: str = "float32") -> None:
        self.given = dict(given or {})
        self.precision = precision
        self.made: dict[Convolution, str] = {}

    def __call__(self, convolution: Convolution, *, constant: bool) -> str:
        """A name of `e2e_jax.lowering.ways.WAYS`."""
        ruled = by_rule(convolution, constant=constant, precision=self.precision)
        self.made[convolution] = self.given.get(convolution, ruled)
        return self.made[convolution]
