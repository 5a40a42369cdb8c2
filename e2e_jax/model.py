"""EndToEnd: transforms, network and post-processing as one Flax module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from flax import nnx

from e2e_jax.errors import ConfigError, known_arguments
from e2e_jax.factory import Factory
from e2e_jax.transforms.base import Images, Transform
from e2e_jax.transforms.classify import Postprocess
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
        factory: How the network is made, where code that can be imported makes it: an artifact then says so, and
            can be made anew when JAX has moved on, see `e2e_jax.refresh`.

    Raises:
        ConfigError: A part is not of the kind named above, or the factory makes another network.

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
    def __init__(
        self,
        preprocess: Transform,
        network: Any,
        postprocess: Postprocess | None = None,
        *,
        factory: Factory | None = None,
    ) -> None:
        if not isinstance(preprocess, Transform):
            fix = "pass a transform, e.g. T.Compose([...]); T.Compose([]) does nothing."
            raise ConfigError("EndToEnd: preprocess must be a Transform.", repr(preprocess), fix)
        if postprocess is not None and not isinstance(postprocess, Postprocess):
            fix = "pass a post-processor, e.g. T.Classify(labels), or None."
            raise ConfigError("EndToEnd: postprocess must be a Postprocess.", repr(postprocess), fix)
        self.preprocess = preprocess
        self.network = as_module(network)
        self.postprocess = postprocess
        self.factory = factory
        if factory is not None:
            _check_factory(factory, self.network)

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


def leaves_of(network: nnx.Module) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and dtype of each array of a network but its random state, by path.

    Example:
        >>> leaves_of(nnx.eval_shape(lambda: nnx.Linear(3, 2, rngs=nnx.Rngs(0))))
        {'bias': ((2,), 'float32'), 'kernel': ((3, 2), 'float32')}
    """
    parts: Any = nnx.split(network, nnx.RngState, ...)
    state = parts[2]
    pairs = ((path, jax.tree.leaves(leaf)[0]) for path, leaf in nnx.to_flat_state(state))
    return {"/".join(map(str, path)): (tuple(leaf.shape), leaf.dtype.name) for path, leaf in pairs}


def _check_factory(factory: Factory, network: nnx.Module) -> None:
    if not isinstance(factory, Factory):
        fix = "pass Factory(YourNetwork, width=64), with the arguments that made it."
        raise ConfigError("EndToEnd: the factory must be a Factory.", repr(factory)[:80], fix)
    wanted, made = leaves_of(network), leaves_of(factory.structure())
    if odd := sorted(name for name in wanted.keys() | made.keys() if wanted.get(name) != made.get(name)):
        fix = "pass the arguments that the network was made with."
        received = f"{factory}: {odd[0]} is {made.get(odd[0])}, of the network {wanted.get(odd[0])}"
        raise ConfigError("EndToEnd: the factory must make this network.", received, fix)
