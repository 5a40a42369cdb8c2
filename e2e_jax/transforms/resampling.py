"""What all geometric steps that resize have in common."""

from __future__ import annotations

from typing import Any

from e2e_jax.graphs.numbers import Size
from e2e_jax.graphs.picture import Picture
from e2e_jax.graphs.resizing import resized
from e2e_jax.ops.dialects import Method, Numerics
from e2e_jax.transforms.base import Geometric


class Resampling(Geometric, abstract=True):
    """A step that resizes."""

    method: Method
    antialias: bool | None
    numerics: Numerics

    @property
    def how(self) -> dict[str, Any]:
        """What plans that resize take beside the size."""
        return {"method": self.method, "antialias": self.antialias, "numerics": self.numerics}

    def resized_onnx(self, picture: Picture, height: Size, width: Size) -> Picture:
        """A picture in an ONNX graph, resized as this step does."""
        return resized(picture, height, width, step=type(self).__name__, **self.how)
