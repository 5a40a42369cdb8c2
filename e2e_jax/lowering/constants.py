"""What is known before the images: parameters, literals and what is computed from them alone."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from e2e_jax.types import Array


@dataclasses.dataclass(frozen=True)
class Constant:
    """A value that no image has a part in.

    Args:
        value: The array.
        channels: The same as ``(c,)`` or a scalar, where it only varies along the last axis.
    """

    value: Array
    channels: Array | None = None

    @staticmethod
    def of(value: Any) -> Constant:
        """With ``channels`` found from the shape."""
        shape = np.shape(value)
        if math.prod(shape) == 1:
            return Constant(value, value.reshape(()))
        if shape and math.prod(shape) == shape[-1]:
            return Constant(value, value.reshape(shape[-1:]))
        return Constant(value)

    def spread(self, value: Any, dimensions: tuple[int, ...]) -> Constant:
        """After ``broadcast_in_dim``: still one number per channel if the channels are still the last axis."""
        last = self.channels is not None and (
            np.ndim(self.channels) == 0 or (dimensions and dimensions[-1] == np.ndim(value) - 1)
        )
        found = Constant.of(value)
        return Constant(value, self.channels) if last and found.channels is None else found
