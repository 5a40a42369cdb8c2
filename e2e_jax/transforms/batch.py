"""ListToBatch: see `e2e_jax.ops.batch.list_to_batch`."""

from __future__ import annotations

from e2e_jax.transforms.base import Pointwise
from e2e_jax.types import Array


class ListToBatch(Pointwise):
    """Lays a list of images of different sizes into one array; arrays pass unchanged.

    Every transform does this to a list by itself; as a step of its own it says so in the pipeline.

    Source:
        MXNet's ``list_to_batch``. See `e2e_jax.ops.batch.list_to_batch`.

    Example:
        >>> import numpy as np
        >>> ListToBatch()([np.zeros((5, 70, 3), np.uint8), np.zeros((9, 9, 3), np.uint8)]).pixels.shape
        (2, 128, 128, 3)
    """

    def __init__(self) -> None:
        pass

    def apply(self, image: Array) -> Array:
        return image
