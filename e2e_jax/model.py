"""EndToEnd: transforms, network and post-processing as one Flax module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from flax import nnx

from e2e_jax.errors import ConfigError, known_arguments
from e2e_jax.transforms.base import Images, Transform
from e2e_jax.transforms.classify import Postprocess
from e2e_jax.transforms.compose import Compose
from e2e_jax.types import Array, PaddedImages


class Functional(nnx.Module):
    """A function of ``(params, x)`` as a module; its parameters are `nnx.Param` leaves.

    Args:
        function: Pure; called as ``function(params, x)``.
        params: Any pytree of arrays.

    Example:
        >>> import numpy as np
        >>> double = Functional(lambda params, x: params["w"] * x, {"w": np.float32(2)})
        >>> float(double(np.float32(3)))
        6.0
    """

    def __init__(self, function: Callable[[Any, Array], Any], params: Any) -> None:
        leaves, self.structure = jax.tree.flatten(params)
        self.leaves = nnx.List([nnx.Param(jax.numpy.asarray(leaf)) for leaf in leaves])
        self.function = function

    def __call__(self, x: Array) -> Any:
        return self.function(jax.tree.unflatten(self.structure, [leaf[...] for leaf in self.leaves]), x)


class EndToEnd(nnx.Module):
    """A model that takes raw photos and answers in the user's terms.

    Args:
        preprocess: From a photo to the network's input.
        network: Any `nnx.Module`, or a pair: a linen module with its variables, or a function of ``(params, x)``
            with its parameters. Takes and returns batches.
        postprocess: From the network's output to an answer; without one the output itself is returned.

    Raises:
        ConfigError: A part is not of the kind named above.

    Example:
        >>> import numpy as np
        >>> from e2e_jax import transforms as T
        >>> pool = (lambda params, x: x.mean((1, 2)) @ params, np.eye(3, 2, dtype=np.float32))
        >>> model = EndToEnd(T.Compose([T.Resize((8, 8)), T.ToTensor()]), pool, T.Classify(["red", "green"]))
        >>> photo = np.zeros((20, 30, 3), np.uint8)
        >>> photo[..., 1] = 255
        >>> model(photo)["ids"].tolist()
        [1, 0]
    """

    @known_arguments
    def __init__(self, preprocess: Transform, network: Any, postprocess: Postprocess | None = None) -> None:
        if not isinstance(preprocess, Transform):
            fix = "pass a transform, e.g. T.Compose([...]); T.Compose([]) does nothing."
            raise ConfigError("EndToEnd: preprocess must be a Transform.", repr(preprocess), fix)
        if postprocess is not None and not isinstance(postprocess, Postprocess):
            fix = "pass a post-processor, e.g. T.Classify(labels), or None."
            raise ConfigError("EndToEnd: postprocess must be a Postprocess.", repr(postprocess), fix)
        self.preprocess = preprocess
        self.network = as_module(network)
        self.postprocess = postprocess

    def __call__(self, images: Images, *, key: Any = None) -> Any:
        """Outputs of the post-processor's traced half; one image gives outputs without the batch axis.

        ``key`` is for random transforms, see `Transform.__call__`.
        """
        return self.finish(self.preprocess(images, key=key))

    def finish(self, x: Array | PaddedImages) -> Any:
        """Network and post-processing, from preprocessed images on."""
        if isinstance(x, PaddedImages):
            raise ConfigError(
                "EndToEnd: the network needs images of one size.",
                f"preprocessing that leaves images of different sizes: {self.preprocess!r}",
                "end the geometry with an exact Resize((height, width)), CenterCrop or Crop.",
            )
        if x.ndim == 3:  # (h, w, c)
            return jax.tree.map(lambda leaf: leaf[0], self.finish(x[None]))
        outputs = self.network(x)
        return outputs if self.postprocess is None else self.postprocess(outputs)


def as_module(network: Any) -> nnx.Module:
    """A network in any of the accepted forms as an `nnx.Module`.

    Raises:
        ConfigError: It is none of them.

    Example:
        >>> type(as_module((lambda params, x: params * x, 2.0))).__name__
        'Functional'
    """
    if isinstance(network, nnx.Module) and callable(network):
        return network
    if isinstance(network, tuple) and len(network) == 2:
        function, params = network
        apply = getattr(function, "apply", function)  # a linen module's apply, or the function itself
        if callable(apply):
            return Functional(apply, params)
    raise ConfigError(
        "EndToEnd: the network must be an nnx.Module or a pair.",
        repr(network)[:80],
        "pass an nnx.Module, (linen_module, variables), or (function of (params, x), params).",
    )


def split_at_geometry(preprocess: Transform) -> tuple[Compose, Compose]:
    """The steps up to the last one that moves pixels, and the rest, which every image passes at one size.

    Example:
        >>> from e2e_jax import transforms as T
        >>> split_at_geometry(T.Compose([T.Resize(8), T.HorizontalFlip(), T.ToTensor()]))
        (Compose([Resize(8), HorizontalFlip()]), Compose([ToTensor()]))
    """
    steps = preprocess.steps_flat
    spatial = [number for number, step in enumerate(steps) if step.is_spatial]
    end = spatial[-1] + 1 if spatial else 0
    return Compose(steps[:end]), Compose(steps[end:])
