"""Ready networks, and where their weights come from."""

from e2e_jax.zoo.classifier import classifier as classifier
from e2e_jax.zoo.efficientnet import EfficientNetLite0 as EfficientNetLite0
from e2e_jax.zoo.efficientnet import efficientnet_lite0 as efficientnet_lite0
from e2e_jax.zoo.mobilenet import MobileNetV2 as MobileNetV2
from e2e_jax.zoo.mobilenet import mobilenet_v2 as mobilenet_v2
from e2e_jax.zoo.resnet import ResNet18 as ResNet18
from e2e_jax.zoo.resnet import resnet18 as resnet18
