"""The inverted residual block, which MobileNetV2 and EfficientNet-Lite0 are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from flax import nnx

from e2e_jax.types import Array
from e2e_jax.zoo.layers import ConvUnit, he_normal


class Stage(NamedTuple):
    """A run of blocks; only its first one strides and changes the channels."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    channels: int


class InvertedResidual(nnx.Module):
    """Widen, filter each channel, narrow; and add the input where the shape allows it.

    Args:
        channels: Input and output channels.
        stage: The stage it belongs to.
        stride: Step in pixels: the stage's in its first block, else 1.
        unit: Makes the convolutions: `ConvUnit` with the network's padding, normalisation and activation.
        rngs: Stream ``params`` draws the kernels.

    Source:
        Sandler et al., "MobileNetV2", arXiv:1801.04381, figure 4.

    Example:
        >>> import functools, jax
        >>> from e2e_jax.zoo.layers import torch_unit
        >>> unit = functools.partial(torch_unit, activation=jax.nn.relu6)
        >>> block = InvertedResidual((16, 24), Stage(2, 3, 2, 6, 24), stride=2, unit=unit, rngs=nnx.Rngs(0))
        >>> block(jax.numpy.zeros((1, 8, 8, 16))).shape, block.skip
        ((1, 4, 4, 24), False)
    """

    def __init__(
        self,
        channels: tuple[int, int],
        stage: Stage,
        *,
        stride: int,
        unit: Callable[..., ConvUnit],
        rngs: nnx.Rngs,
    ) -> None:
        wide = channels[0] * stage.expand
        self.expand = unit((channels[0], wide), rngs=rngs) if stage.expand > 1 else None
        self.depthwise = unit((wide, wide), kernel=stage.kernel, stride=stride, depthwise=True, rngs=rngs)
        self.project = unit((wide, channels[1]), activation=None, rngs=rngs)
        self.skip = stride == 1 and channels[0] == channels[1]

    def __call__(self, x: Array) -> Array:
        wide = x if self.expand is None else self.expand(x)  # (b, h, w, c * expand)
        narrow = self.project(self.depthwise(wide))  # (b, h / stride, w / stride, out)
        return x + narrow if self.skip else narrow


def inverted_residuals(
    stages: Sequence[Stage], *, channels: int, unit: Callable[..., ConvUnit], rngs: nnx.Rngs
) -> nnx.List:
    """Builds the blocks of all stages, one after the other.

    Args:
        stages: First to last.
        channels: What the first block takes.
        unit: As in `InvertedResidual`.
        rngs: Stream ``params`` draws the kernels.

    Returns:
        The blocks.

    Example:
        >>> import functools, jax
        >>> from e2e_jax.zoo.layers import torch_unit
        >>> unit = functools.partial(torch_unit, activation=jax.nn.relu6)
        >>> stages = [Stage(1, 3, 1, 1, 16), Stage(2, 3, 2, 6, 24)]
        >>> [b.skip for b in inverted_residuals(stages, channels=32, unit=unit, rngs=nnx.Rngs(0))]
        [False, False, True]
    """
    blocks = []
    for stage in stages:
        for n in range(stage.repeats):
            stride = stage.stride if n == 0 else 1
            blocks.append(InvertedResidual((channels, stage.channels), stage, stride=stride, unit=unit, rngs=rngs))
            channels = stage.channels
    return nnx.List(blocks)


class InvertedResidualNet(nnx.Module):
    """A convolution, blocks, another convolution, the mean of all pixels, and one matrix product.

    Args:
        stages: Of the blocks, first to last.
        widths: Channels that the first and the last convolution and the whole give.
        unit: As in `InvertedResidual`.
        rngs: Stream ``params`` draws the kernels.

    Source:
        Sandler et al., "MobileNetV2", arXiv:1801.04381, table 2.

    Example:
        >>> import functools, jax
        >>> from e2e_jax.zoo.layers import torch_unit
        >>> unit = functools.partial(torch_unit, activation=jax.nn.relu6)
        >>> net = InvertedResidualNet([Stage(2, 3, 2, 6, 24)], (16, 32, 5), unit=unit, rngs=nnx.Rngs(0))
        >>> net.logits(jax.numpy.zeros((1, 8, 8, 3))).shape
        (1, 5)
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        widths: tuple[int, int, int],
        *,
        unit: Callable[..., ConvUnit],
        rngs: nnx.Rngs,
    ) -> None:
        stem, head, classes = widths
        self.stem = unit((3, stem), kernel=3, stride=2, rngs=rngs)
        self.blocks = inverted_residuals(stages, channels=stem, unit=unit, rngs=rngs)
        self.head = unit((stages[-1].channels, head), rngs=rngs)
        self.classifier = nnx.Linear(head, classes, kernel_init=he_normal, rngs=rngs)

    def logits(self, images: Array) -> Array:
        """``(b, h, w, 3)`` float32 to ``(b, classes)`` float32."""
        x = self.stem(images)  # (b, h / 2, w / 2, stem)
        for block in self.blocks:
            x = block(x)  # at last (b, h / 32, w / 32, out)
        x = self.head(x).mean(axis=(1, 2))  # (b, head)
        return self.classifier(x)
