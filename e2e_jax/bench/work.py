"""What is measured: a network behind transforms, as one model and as separate steps by hand."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from flax import nnx
from PIL import Image

from e2e_jax.engines.onnx_graph import plain
from e2e_jax.errors import ConfigError
from e2e_jax.model import EndToEnd
from e2e_jax.transforms.base import Transform
from e2e_jax.transforms.compose import Compose
from e2e_jax.transforms.geometry import Resize
from e2e_jax.transforms.values import Normalize, ToTensor
from e2e_jax.zoo.efficientnet import efficientnet_lite0
from e2e_jax.zoo.mobilenet import mobilenet_v2
from e2e_jax.zoo.resnet import resnet18

SIDE, INPUT = 300, 224  # pixels: of the photo, of the network's input (the original design's table)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet, torchvision's references/classification
NETWORKS: dict[str, tuple[str, Callable[..., Any]]] = {
    "resnet18": ("ResNet-18", resnet18),
    "mobilenet_v2": ("MobileNetV2", mobilenet_v2),
    "efficientnet_lite0": ("EfficientNet-Lite0", efficientnet_lite0),
}


@dataclasses.dataclass(frozen=True)
class Work:
    """One thing to measure.

    Args:
        title: Of the network.
        task: From what to what, in words.
        preprocess: As transforms.
        by_hand: The same, each step a call of its own in Pillow or NumPy: photos ``(b, h, w, 3)`` uint8 to ``x``.
        network: In evaluation mode; from ``x`` float32 to logits.
        photo: Height and width of a photo in pixels.
        input: Shape of one ``x``.
        finish: From logits to the answer, a post-processor; nothing is done to them if absent.
        finish_by_hand: The same in NumPy.
    """

    title: str
    task: str
    preprocess: Transform
    by_hand: Callable[[np.ndarray], np.ndarray]
    network: nnx.Module
    photo: tuple[int, int] = (SIDE, SIDE)
    input: tuple[int, ...] = (INPUT, INPUT, 3)
    finish: Any = None
    finish_by_hand: Callable[[np.ndarray], Any] | None = None

    @property
    def model(self) -> EndToEnd:
        """All of it as one model."""
        return EndToEnd(self.preprocess, self.network, self.finish)

    @functools.cached_property
    def network_as_is(self) -> Callable[[Any], Any]:
        """The network alone, with JAX's own convolutions, as a function of ``x``."""
        network: Any = plain(self.network)
        return lambda x: network(x)

    def answer(self, logits: Any) -> Any:
        """What is made of logits, traceable."""
        return logits if self.finish is None else self.finish(logits)

    def photos(self, batch: int) -> np.ndarray:
        """Uniform random bytes ``(b, h, w, 3)``, the same in every run."""
        return np.random.default_rng(0).integers(0, 256, (batch, *self.photo, 3), dtype=np.uint8)


def original(network: str, *, side: int = SIDE, size: int = INPUT) -> Work:
    """The work of the original design's table: a photo of one size, resized, to a tensor, normalised, to logits.

    Args:
        network: A key of `NETWORKS`; its weights are random, which takes as long as trained ones.
        side: Of the square photo in pixels.
        size: Of the network's square input in pixels.

    Raises:
        ConfigError: The network is unknown.

    Source:
        The design of MXNet's end-to-end models: ResNet-18, 300x300, ``Resize``, ``ToTensor``, ``Normalize``.

    Example:
        >>> original("efficientnet_lite0").preprocess
        Compose([Resize((224, 224)), ToTensor(), Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))])
    """
    if network not in NETWORKS:
        fix = f"one of {', '.join(NETWORKS)}."
        raise ConfigError("bench: the network must be known.", f"{network!r}", fix)
    title, build = NETWORKS[network]
    return with_network(title, build(pretrained=False), side=side, size=size)


def with_network(title: str, network: Any, *, side: int = SIDE, size: int = INPUT) -> Work:
    """The same with any network that takes ``(b, size, size, 3)`` float32."""
    network.eval()
    steps = Compose([Resize((size, size)), ToTensor(), Normalize(MEAN, STD)])
    task = f"uniform random {side}x{side}x3 uint8, {', '.join(repr(step) for step in steps.steps_flat)}, to logits"
    by_hand = _ByHand(size)
    return Work(title, task, steps, by_hand, network, photo=(side, side), input=(size, size, 3))


@dataclasses.dataclass(frozen=True)
class _ByHand:
    """The transforms as people write them for deployment."""

    size: int

    def __call__(self, photos: np.ndarray) -> np.ndarray:
        return np.stack([self.normalize(self.to_tensor(self.resize(photo))) for photo in photos])

    def resize(self, photo: np.ndarray) -> np.ndarray:
        return np.asarray(Image.fromarray(photo).resize((self.size, self.size), Image.Resampling.BILINEAR))

    def to_tensor(self, photo: np.ndarray) -> np.ndarray:
        return photo.astype(np.float32) / np.float32(255)

    def normalize(self, x: np.ndarray) -> np.ndarray:
        return (x - np.asarray(MEAN, np.float32)) / np.asarray(STD, np.float32)
