"""End-to-end models: transforms, network and post-processing compiled and exported as one file."""

from e2e_jax.artifact.export import export as export
from e2e_jax.errors import ArtifactError as ArtifactError
from e2e_jax.errors import ConfigError as ConfigError
from e2e_jax.errors import ImageError as ImageError
from e2e_jax.factory import Factory as Factory
from e2e_jax.loading import load as load
from e2e_jax.lowering.lower import lower as lower
from e2e_jax.model import EndToEnd as EndToEnd
from e2e_jax.predictor import Predictor as Predictor
from e2e_jax.refreshing import refresh as refresh
from e2e_jax.types import Classification as Classification
from e2e_jax.types import PaddedImages as PaddedImages
from e2e_jax.types import ScoredLabel as ScoredLabel
