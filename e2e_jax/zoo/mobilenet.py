"""MobileNetV2 at width 1.0, as torchvision builds it: seventeen inverted residual blocks, relu6 throughout."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
from flax import nnx

from e2e_jax.errors import known_arguments
from e2e_jax.types import Array
from e2e_jax.zoo.inverted_residual import InvertedResidualNet, Stage
from e2e_jax.zoo.layers import check_images, torch_unit
from e2e_jax.zoo.torch_state import ARRAYS, Weights, of_torchvision

# arXiv:1801.04381, table 2
STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(3, 3, 2, 6, 32),
    Stage(4, 3, 2, 6, 64),
    Stage(3, 3, 1, 6, 96),
    Stage(3, 3, 2, 6, 160),
    Stage(1, 3, 1, 6, 320),
)
STEM, HEAD, CLASSES = 32, 1280, 1000  # channels: same place

_unit = functools.partial(torch_unit, activation=jax.nn.relu6)


class MobileNetV2(InvertedResidualNet):
    """Classifies images into the 1000 classes of ImageNet (names: `e2e_jax.labels.imagenet`); 3.5 million weights.

    No dropout, which torchvision has before the classifier in training: all its state is parameters and batch
    statistics.

    Args:
        rngs: Stream ``params`` draws the kernels, He-normal; the other arrays start as usual.

    Source:
        Sandler et al., "MobileNetV2", arXiv:1801.04381; padding and normalisation as in torchvision.

    Example:
        >>> model = nnx.eval_shape(lambda: MobileNetV2(rngs=nnx.Rngs(0)))
        >>> sum(p.size for p in jax.tree.leaves(nnx.state(model, nnx.Param)))
        3504872
    """

    def __init__(self, *, rngs: nnx.Rngs) -> None:
        super().__init__(STAGES, (STEM, HEAD, CLASSES), unit=_unit, rngs=rngs)

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
        check_images("MobileNetV2", images, scaling="with ToTensor() and ImageNet's Normalize(mean, std)")
        return self.logits(images)


@known_arguments
def mobilenet_v2(
    pretrained: bool = False, rngs: nnx.Rngs | None = None, *, weights: Weights | None = None
) -> MobileNetV2:
    """Builds a MobileNetV2 with weights of yours or random ones.

    Args:
        pretrained: Refused without ``weights``: no package has trained ones.
        rngs: Stream ``params`` draws random weights; ``nnx.Rngs(0)`` by default. The network stays in `train` mode.
        weights: Taken instead, in `eval` mode: a torch file of torchvision's state dict, or a mapping from its
            names (``features.1.conv.0.0.weight``) to arrays.

    Returns:
        The network; it takes ``(b, h, w, 3)`` float32 and gives logits ``(b, 1000)`` float32.

    Raises:
        ConfigError: Pretrained weights are asked for and not given, or a mapping does not fit.
        ArtifactError: The file cannot be read or does not fit.

    Source:
        torchvision ``models.mobilenet_v2``.

    Example:
        >>> model = nnx.eval_shape(mobilenet_v2)
        >>> model.blocks[1].depthwise.conv.kernel.shape
        (3, 3, 1, 96)
    """
    return of_torchvision(MobileNetV2, "mobilenet_v2", upstream_name, pretrained, rngs, weights)


def upstream_name(place: Sequence[Any]) -> str:
    """Translates the place of an array in the network into its name in torchvision's state dict.

    Args:
        place: Attribute names and block numbers, as `nnx.to_flat_state` gives them.

    Returns:
        The name, such as ``features.2.conv.1.0.weight``.

    Source:
        torchvision ``models/mobilenetv2.py``: a layer is known by its position.

    Example:
        >>> upstream_name(("blocks", 1, "depthwise", "conv", "kernel")), upstream_name(("stem", "norm", "mean"))
        ('features.2.conv.1.0.weight', 'features.0.1.running_mean')
    """
    *parents, array = place
    return f"{_layer(*parents)}.{ARRAYS[array]}"


def _layer(part: str, *inner: Any) -> str:
    if part == "classifier":
        return "classifier.1"  # 0 is the dropout
    position = ("conv", "norm").index(inner[-1])
    if part == "blocks":
        block, unit, _ = inner
        depthwise = 0 if STAGES[0].repeats > block else 1  # blocks of the first stage do not expand
        units = {"expand": f"0.{position}", "depthwise": f"{depthwise}.{position}"}
        return f"features.{block + 1}.conv.{units.get(unit, depthwise + 1 + position)}"
    last = 1 + sum(stage.repeats for stage in STAGES)
    return f"features.{0 if part == 'stem' else last}.{position}"
