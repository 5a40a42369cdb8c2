"""A loaded artifact as a part of other models."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import export as jax_export

from e2e_jax.artifact.bundle import Bundle
from e2e_jax.errors import ImageError
from e2e_jax.types import Array


class LoadedModule(nnx.Module):
    """A loaded artifact inside other models: its programs over parameters that can be trained.

    Args:
        bundle: What `load` read.
        transforms: Whether photos come in; otherwise what the network takes.
    """

    def __init__(self, bundle: Bundle, *, transforms: bool = True) -> None:
        self.params = nnx.Dict({"/".join(path): nnx.Param(leaf) for path, leaf in bundle.params.items()})
        self.names = tuple("/".join(path) for path in bundle.params)
        self.programs = _Programs(bundle.programs)
        self.has_parts, self.transforms = bundle.has_parts, transforms

    def __call__(self, images: Any) -> Any:
        """Photos to the model's traced outputs, by name.

        Args:
            images: ``(b, h, w, c)`` or ``(h, w, c)`` in the dtype of the signature; or float32 in the same units,
                so 0..255 where that is uint8, through transforms that do not round: then there is a gradient with
                respect to them. Without transforms ``(b, …)``, and what the network returns comes back.

        Raises:
            ImageError: They do not fit, or are floats that a step cannot take.
        """
        if not self.transforms:
            return self.network(images)
        if getattr(images, "ndim", None) == 3:  # (h, w, c)
            return jax.tree.map(lambda leaf: leaf[0], self(images[None]))
        self._check(images)
        if not self.has_parts:
            return self.programs["dense"].call(self._parameters(), images)
        return self.finish(self.network(self.preprocess(images)))

    def preprocess(self, images: Array) -> jax.Array:
        """``(b, h, w, c)`` photos to what the network takes."""
        if images.dtype == jnp.float32 and "smooth" in self.programs:
            return self.programs["smooth"].call(images)
        size = jnp.array(images.shape[1:3], jnp.int32)
        return self.programs["ragged"].call(images, jnp.broadcast_to(size, (images.shape[0], 2)))

    def network(self, x: Array) -> Any:
        """What `preprocess` returns to what the network returns."""
        return self.programs["network"].call(self._parameters(), x)

    def finish(self, returned: Any) -> Any:
        """What the network returns to outputs by name: the traced half of the post-processor."""
        return self.programs["finish"].call(returned) if "finish" in self.programs else returned

    def _parameters(self) -> Any:
        params = [self.params[name][...] for name in self.names]
        return self.programs["prepare"].call(params) if "prepare" in self.programs else params

    def _check(self, images: Any) -> None:
        wanted = self.programs["dense"].in_avals[-1]
        dtypes = [wanted.dtype] + [jnp.dtype(jnp.float32)] * ("smooth" in self.programs)
        shape: tuple[Any, ...] = getattr(images, "shape", ())
        dtype = getattr(images, "dtype", None)
        if len(shape) != 4 or shape[-1] != wanted.shape[-1] or 0 in shape[1:] or dtype not in dtypes:
            received = f"{dtype}{shape}" if dtype is not None else type(images).__name__
            kinds = " or ".join(dict.fromkeys(str(each) for each in dtypes))
            fix = f"pass {kinds} arrays (b, h, w, {wanted.shape[-1]}) or (h, w, {wanted.shape[-1]})."
            raise ImageError("LoadedModule: images must fit the artifact's signature.", received, fix)


class _Programs(dict[str, jax_export.Exported]):
    """Static for `nnx`, equal to itself alone."""

    __hash__ = object.__hash__  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return self is other
