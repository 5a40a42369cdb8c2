"""The network of an artifact made fast, once per precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax

from e2e_jax.artifact.traced import Sizes, Traced, traceable
from e2e_jax.lowering.choose import Choices
from e2e_jax.lowering.convolution import Convolution
from e2e_jax.lowering.lower import in_stages
from e2e_jax.lowering.stages import Stages


class Variant(NamedTuple):
    """The network in one precision, and what stands around it.

    Args:
        precision: Of the factors of its matrix products on CPU.
        before: From photos to what the network takes.
        stages: Of the network: what is done once, and what for each batch.
        tree: Of what the network returns.
        after: From there to outputs.
    """

    precision: str
    before: Callable[[Any], Any]
    stages: Stages
    tree: Any
    after: Callable[[Any], Any]

    def prepare(self, params: list[Any]) -> list[Any]:
        """The parameters as the other two take them."""
        return self.stages.prepare(params)

    def network(self, prepared: list[Any], x: Any) -> Any:
        """What the network takes to what it returns."""
        return jax.tree.unflatten(self.tree, self.stages.run(prepared, [x]))

    def dense(self, prepared: list[Any], images: Any) -> Any:
        """``(b, h, w, c)`` photos to outputs."""
        return self.after(self.network(prepared, self.before(images)))


def rewritten(traced: Traced, sizes: Sizes) -> Callable[[list[Any], Any], Any]:
    """The part of a model that is made fast: the network, or all where that sees images of different sizes."""
    return traced.dense if sizes.moved is None else traced.network


def variant(
    traced: Traced, sizes: Sizes, precision: str, given: Mapping[Convolution, str] | None = None
) -> Variant:
    """The network of a model made fast; what stands before and after stays as it is, for its numbers are exact.

    Args:
        traced: The model.
        sizes: What its programs take.
        precision: ``"float32"`` or ``"bfloat16"``.
        given: The way for convolutions that shall not be computed by rule.

    Raises:
        ConfigError: The model cannot be traced.
    """
    with traceable("network"):
        choices = Choices(given, precision=precision)
        stages, tree = in_stages(rewritten(traced, sizes), traced.shapes, sizes.network, choices=choices)
    if sizes.moved is None:
        return Variant(precision, lambda x: x, stages, tree, lambda x: x)
    return Variant(precision, traced.whole, stages, tree, traced.finish)
