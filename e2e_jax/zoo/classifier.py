"""Complete classifiers: a photo in, class names out."""

from __future__ import annotations

from e2e_jax.errors import ConfigError, known_arguments
from e2e_jax.labels import imagenet
from e2e_jax.model import EndToEnd
from e2e_jax.transforms.classify import Classify
from e2e_jax.transforms.compose import Compose
from e2e_jax.transforms.geometry import CenterCrop, Resize
from e2e_jax.transforms.values import Normalize
from e2e_jax.zoo.efficientnet import efficientnet_lite0

INPUT = 224  # pixels: the input edge EfficientNet-Lite0 was trained for
CROP_FRACTION = 0.875  # of the shorter edge that the centre crop keeps in evaluation
MEAN, STD = 127.0, 128.0  # levels: EfficientNet-Lite scales its input to about -1..1

CLASSIFIERS = ("efficientnet_lite0",)


@known_arguments
def classifier(name: str, *, pretrained: bool = True, top_k: int = 5) -> EndToEnd:
    """A network from the zoo with the preprocessing it was trained for and its labels.

    Args:
        name: ``"efficientnet_lite0"``.
        pretrained: Whether to read its trained weights; random ones otherwise.
        top_k: How many candidates a prediction returns.

    Returns:
        `EndToEnd` from uint8 RGB photos of any size to 1000 ImageNet classes.

    Raises:
        ConfigError: The name is unknown, or the package with the weights is not installed.

    Source:
        Preprocessing of the EfficientNet-Lite release: bicubic, centre crop fraction 0.875, ``(x - 127) / 128``.

    Example:
        >>> classifier("efficientnet_lite0", pretrained=False).preprocess
        Compose([Resize(256, method='bicubic'), CenterCrop(224), Normalize((127.0,), (128.0,))])
    """
    if name not in CLASSIFIERS:
        raise ConfigError("classifier: the name must be known.", f"{name!r}", f"one of {', '.join(CLASSIFIERS)}.")
    geometry = [Resize(round(INPUT / CROP_FRACTION), method="bicubic"), CenterCrop(INPUT)]
    network = efficientnet_lite0(pretrained=pretrained)
    return EndToEnd(Compose([*geometry, Normalize(MEAN, STD)]), network, Classify(imagenet(), top_k=top_k))
