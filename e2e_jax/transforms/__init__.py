"""Image transforms and post-processors: Flax modules that compile and export together with the network."""

from e2e_jax.ops.batch import list_to_batch as list_to_batch
from e2e_jax.transforms.base import Geometric as Geometric
from e2e_jax.transforms.base import Pointwise as Pointwise
from e2e_jax.transforms.base import Transform as Transform
from e2e_jax.transforms.batch import ListToBatch as ListToBatch
from e2e_jax.transforms.classify import Classify as Classify
from e2e_jax.transforms.classify import Postprocess as Postprocess
from e2e_jax.transforms.compose import Compose as Compose
from e2e_jax.transforms.geometry import CenterCrop as CenterCrop
from e2e_jax.transforms.geometry import Crop as Crop
from e2e_jax.transforms.geometry import HorizontalFlip as HorizontalFlip
from e2e_jax.transforms.geometry import Pad as Pad
from e2e_jax.transforms.geometry import Resize as Resize
from e2e_jax.transforms.geometry import VerticalFlip as VerticalFlip
from e2e_jax.transforms.values import Cast as Cast
from e2e_jax.transforms.values import Normalize as Normalize
from e2e_jax.transforms.values import ToLayout as ToLayout
from e2e_jax.transforms.values import ToTensor as ToTensor
