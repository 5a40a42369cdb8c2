"""What all geometric steps that resize have in common."""

from __future__ import annotations

from typing import Any

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
