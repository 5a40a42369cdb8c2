"""A loaded artifact without its transforms and post-processing."""

from __future__ import annotations

from typing import Any

import numpy as np

from e2e_jax.artifact.bundle import Bundle
from e2e_jax.errors import ConfigError, ImageError, known_arguments
from e2e_jax.module import LoadedModule
from e2e_jax.predictor import Predictor


class BareNetwork(Predictor):
    """The network of an artifact: takes what its transforms leave, returns what they never see.

    Args:
        bundle: What `load` read.

    Raises:
        ConfigError: The file does not hold the network apart.
    """

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle)
        self._parts().need("load")

    @property
    def signature(self) -> dict[str, Any]:
        """Names, dtypes and shapes of what the network takes and returns."""
        program = self._bundle.programs["network"]
        kinds = [(aval.dtype.name, [str(n) if not isinstance(n, int) else n for n in aval.shape])
                 for aval in (program.in_avals[-1], *program.out_avals)]  # fmt: skip
        (taken, *returned) = [{"dtype": dtype, "shape": shape} for dtype, shape in kinds]
        return {"inputs": {"x": taken}, "outputs": {f"output{n}": kind for n, kind in enumerate(returned)}}

    @known_arguments
    def predict(self, images: Any) -> Any:  # type: ignore[override]  # arrays are right or wrong together
        """What the network returns for arrays that it takes.

        Args:
            images: ``(…)`` or a batch ``(b, …)`` in the shape of the signature, or a list of the former.

        Returns:
            NumPy arrays in the tree that the network returns, with a batch axis where there was one.

        Raises:
            ImageError: Another shape or dtype.
        """
        if isinstance(images, list | tuple):
            shapes = {np.shape(image) for image in images}
            if len(shapes) != 1:
                fix = "pass arrays of one shape, at least one."
                raise ImageError("predict: a list must be of equal arrays.", f"shapes {sorted(shapes)}", fix)
            return self.network(np.stack([np.asarray(image) for image in images]))
        return self.network(images)

    def inverse(self, points: Any, *, size: Any) -> np.ndarray:
        """There is no way back without transforms."""
        raise ConfigError("inverse: there must be transforms.", repr(self), "load the file with transforms=True.")

    def as_module(self) -> LoadedModule:
        """The network as an `nnx.Module`."""
        return LoadedModule(self._bundle, transforms=False)

    def __repr__(self) -> str:
        taken = self.signature["inputs"]["x"]
        return f"BareNetwork({self.manifest.name!r}, x={taken['dtype']}[{', '.join(map(str, taken['shape']))}])"
