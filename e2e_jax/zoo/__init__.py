"""Ready networks, and where their weights come from."""

from e2e_jax.zoo.classifier import classifier as classifier
from e2e_jax.zoo.efficientnet import EfficientNetLite0 as EfficientNetLite0
from e2e_jax.zoo.efficientnet import efficientnet_lite0 as efficientnet_lite0
