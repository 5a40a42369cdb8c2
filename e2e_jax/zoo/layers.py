"""What the networks of the zoo share: the convolution unit, how kernels are drawn, and what images must be."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from e2e_jax.errors import ImageError
from e2e_jax.types import Array

# Elements of the small and the large program that draw kernels. The second is the largest kernel of the zoo,
# 3 * 3 * 512 * 512 in ResNet-18; nine in ten of MobileNetV2's fit into the first, which is ten times as fast.
DRAWN = (2**18, 2_359_296)


class ConvUnit(nnx.Module):
    """A convolution without bias, batch normalisation and, in most places, an activation.

    Args:
        channels: Input and output channels.
        kernel: Side of the kernel in pixels.
        stride: Step in pixels.
        depthwise: One filter per channel.
        padding: ``"SAME"`` is TensorFlow's: the odd pixel goes right and below. ``"symmetric"`` is torch's:
            ``kernel // 2`` pixels on every side.
        momentum: Of the running statistics, the share that a batch leaves of them.
        epsilon: Added to the variance.
        activation: What follows; ``None``: nothing.
        rngs: Stream ``params`` draws the kernel.

    Example:
        >>> unit = ConvUnit((3, 8), kernel=3, stride=2, padding="symmetric", momentum=0.9, epsilon=1e-5,
        ...     activation=jax.nn.relu, rngs=nnx.Rngs(0))
        >>> unit(np.zeros((1, 9, 9, 3), np.float32)).shape
        (1, 5, 5, 8)
    """

    def __init__(
        self,
        channels: tuple[int, int],
        *,
        kernel: int = 1,
        stride: int = 1,
        depthwise: bool = False,
        padding: Literal["SAME", "symmetric"],
        momentum: float,
        epsilon: float,
        activation: Callable[[Array], Array] | None,
        rngs: nnx.Rngs,
    ) -> None:
        self.conv = nnx.Conv(
            *channels,
            (kernel, kernel),
            strides=stride,
            padding="SAME" if padding == "SAME" else ((kernel // 2, kernel // 2),) * 2,
            feature_group_count=channels[0] if depthwise else 1,
            use_bias=False,
            kernel_init=he_normal,
            rngs=rngs,
        )
        self.norm = nnx.BatchNorm(channels[1], momentum=momentum, epsilon=epsilon, rngs=rngs)
        self.activation = activation

    def __call__(self, x: Array) -> Array:
        x = self.norm(self.conv(x))  # (b, h, w, c) -> (b, h / stride, w / stride, out)
        return x if self.activation is None else self.activation(x)


# torch.nn.BatchNorm2d's defaults: eps 1e-5, and momentum 0.1 for the batch, which is 0.9 for what was there
torch_unit = functools.partial(ConvUnit, padding="symmetric", momentum=0.9, epsilon=1e-5)


def check_images(network: str, images: Array, *, scaling: str) -> None:
    """Refuses what is not a batch of RGB images in float32.

    Args:
        network: Its name, for the message.
        images: What came.
        scaling: How levels become the network's input, for the message.

    Raises:
        ImageError: Another rank, channel count or dtype.

    Example:
        >>> check_images("ResNet18", np.zeros((1, 32, 32, 3), np.uint8), scaling="as ToTensor does")
        Traceback (most recent call last):
        e2e_jax.errors.ImageError: ResNet18: images must be (b, h, w, 3) float32.
          Received: (1, 32, 32, 3) uint8
          Fix: resize and crop to 224 x 224 pixels, scale RGB levels as ToTensor does, and stack into a batch.
    """
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != jnp.float32:
        raise ImageError(
            f"{network}: images must be (b, h, w, 3) float32.",
            f"{images.shape} {images.dtype}",
            f"resize and crop to 224 x 224 pixels, scale RGB levels {scaling}, and stack into a batch.",
        )


def he_normal(key: Array, shape: Sequence[int], dtype: Any = jnp.float32) -> Array:
    """Draws a kernel with variance 2 / fan-in; XLA compiles two programs for all shapes, not one for each.

    Args:
        key: Random key.
        shape: ``(..., in, out)``, at most 2,359,296 elements.
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
    drawn = next(count for count in DRAWN if count >= size)
    noise = _noise(key, np.float32((2 * shape[-1] / size) ** 0.5), drawn)
    return noise[:size].reshape(shape).astype(dtype)  # (..., in, out)


@functools.partial(jax.jit, static_argnums=2)
def _noise(key: Array, deviation: Array, count: int) -> Array:
    return deviation * jax.random.normal(key, (count,), jnp.float32)
