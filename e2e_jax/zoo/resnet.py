"""ResNet-18, as torchvision builds it: eight residual blocks of two 3x3 convolutions."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
from flax import nnx

from e2e_jax.errors import known_arguments
from e2e_jax.types import Array
from e2e_jax.zoo.layers import check_images, he_normal, torch_unit
from e2e_jax.zoo.torch_state import ARRAYS, Weights, of_torchvision

WIDTHS, REPEATS = (64, 128, 256, 512), 2  # channels and blocks of each layer: arXiv:1512.03385, table 1
CLASSES = 1000

# torchvision's names of the convolution and the normalisation of each unit
UPSTREAM_LAYERS = {
    "stem": {"conv": "conv1", "norm": "bn1"},
    "first": {"conv": "conv1", "norm": "bn1"},
    "second": {"conv": "conv2", "norm": "bn2"},
    "shortcut": {"conv": "downsample.0", "norm": "downsample.1"},
}

_unit = functools.partial(torch_unit, activation=jax.nn.relu)


class _BasicBlock(nnx.Module):
    """Two 3x3 convolutions, added to the input, or to a 1x1 convolution of it where the shape changes.

    Args:
        channels: Input and output channels.
        stride: Step of the first convolution in pixels.
        rngs: Stream ``params`` draws the kernels.
    """

    def __init__(self, channels: tuple[int, int], *, stride: int, rngs: nnx.Rngs) -> None:
        out = channels[1]
        changes = stride != 1 or channels[0] != out
        self.first = _unit(channels, kernel=3, stride=stride, rngs=rngs)
        self.second = _unit((out, out), kernel=3, activation=None, rngs=rngs)
        self.shortcut = _unit(channels, stride=stride, activation=None, rngs=rngs) if changes else None

    def __call__(self, x: Array) -> Array:
        skipped = x if self.shortcut is None else self.shortcut(x)  # (b, h / stride, w / stride, out)
        return jax.nn.relu(self.second(self.first(x)) + skipped)


class ResNet18(nnx.Module):
    """Classifies images into the 1000 classes of ImageNet (names: `e2e_jax.labels.imagenet`); 11.7 million weights.

    Args:
        rngs: Stream ``params`` draws the kernels, He-normal; the other arrays start as usual.

    Source:
        He et al., "Deep residual learning", arXiv:1512.03385; padding and normalisation as in torchvision.

    Example:
        >>> model = nnx.eval_shape(lambda: ResNet18(rngs=nnx.Rngs(0)))
        >>> sum(p.size for p in jax.tree.leaves(nnx.state(model, nnx.Param)))
        11689512
    """

    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.stem = _unit((3, WIDTHS[0]), kernel=7, stride=2, rngs=rngs)
        self.blocks = nnx.List(_blocks(rngs))
        self.classifier = nnx.Linear(WIDTHS[-1], CLASSES, kernel_init=he_normal, rngs=rngs)

    def __call__(self, images: Array) -> Array:
        """Computes logits.

        Args:
            images: ``(b, h, w, 3)`` float32, RGB scaled as ``(x / 255 - mean) / std`` with ImageNet's mean and
                standard deviation, best 224 x 224 pixels.

        Returns:
            Logits ``(b, 1000)`` float32.

        Raises:
            ImageError: Another rank, channel count or dtype.
        """
        check_images("ResNet18", images, scaling="with ToTensor() and ImageNet's Normalize(mean, std)")
        x = self.stem(images)  # (b, h / 2, w / 2, 64)
        x = nnx.max_pool(x, window_shape=(3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))  # (b, h / 4, w / 4, 64)
        for block in self.blocks:
            x = block(x)  # at last (b, h / 32, w / 32, 512)
        return self.classifier(x.mean(axis=(1, 2)))


@known_arguments
def resnet18(pretrained: bool = False, rngs: nnx.Rngs | None = None, *, weights: Weights | None = None) -> ResNet18:
    """Builds a ResNet-18 with weights of yours or random ones.

    Args:
        pretrained: Refused without ``weights``: no package has trained ones.
        rngs: Stream ``params`` draws random weights; ``nnx.Rngs(0)`` by default. The network stays in `train` mode.
        weights: Taken instead, in `eval` mode: a torch file of torchvision's state dict, or a mapping from its
            names (``layer1.0.conv1.weight``) to arrays.

    Returns:
        The network; it takes ``(b, h, w, 3)`` float32 and gives logits ``(b, 1000)`` float32.

    Raises:
        ConfigError: Pretrained weights are asked for and not given, or a mapping does not fit.
        ArtifactError: The file cannot be read or does not fit.

    Source:
        torchvision ``models.resnet18``.

    Example:
        >>> model = nnx.eval_shape(resnet18)
        >>> model.blocks[2].shortcut.conv.kernel.shape
        (1, 1, 64, 128)
    """
    return of_torchvision(ResNet18, "resnet18", upstream_name, pretrained, rngs, weights)


def upstream_name(place: Sequence[Any]) -> str:
    """Translates the place of an array in the network into its name in torchvision's state dict.

    Args:
        place: Attribute names and block numbers, as `nnx.to_flat_state` gives them.

    Returns:
        The name, such as ``layer2.0.downsample.1.running_mean``.

    Source:
        torchvision ``models/resnet.py``.

    Example:
        >>> upstream_name(("blocks", 2, "shortcut", "norm", "mean")), upstream_name(("classifier", "kernel"))
        ('layer2.0.downsample.1.running_mean', 'fc.weight')
    """
    *parents, array = place
    if parents == ["classifier"]:
        return f"fc.{ARRAYS[array]}"
    *block, unit, layer = parents
    prefix = f"layer{1 + block[1] // REPEATS}.{block[1] % REPEATS}." if block else ""
    return f"{prefix}{UPSTREAM_LAYERS[unit][layer]}.{ARRAYS[array]}"


def _blocks(rngs: nnx.Rngs) -> list[_BasicBlock]:
    blocks, channels = [], WIDTHS[0]
    for width in WIDTHS:
        for n in range(REPEATS):
            stride = 2 if n == 0 and width != WIDTHS[0] else 1
            blocks.append(_BasicBlock((channels, width), stride=stride, rngs=rngs))
            channels = width
    return blocks
