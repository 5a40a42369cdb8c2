"""The network of an artifact made fast, once per precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax

from e2e_jax.artifact.traced import Sizes, Traced, traceable
from e2e_jax.lowering.choose import Choices
from e2e_jax.lowering.convolution import Convolution
from e2e_jax.lowering.lower import in_stages
from e2e_jax.lowering.stages import Stages


class Variant(NamedTuple):
    """The network and what follows it, in one precision.

    Args:
        precision: Of the factors of its matrix products on CPU.
        head: The transforms before it.
        stages: What is done once, and what for each batch.
        tree: Of the outputs.
    """

    precision: str
    head: Any
    stages: Stages
    tree: Any

    def prepare(self, params: list[Any]) -> list[Any]:
        """The parameters as the other two take them."""
        return self.stages.prepare(params)

    def network(self, prepared: list[Any], x: Any) -> Any:
        """What ``head`` leaves to outputs."""
        return jax.tree.unflatten(self.tree, self.stages.run(prepared, [x]))

    def dense(self, prepared: list[Any], images: Any) -> Any:
        """``(b, h, w, c)`` photos to outputs."""
        return self.network(prepared, self.head(images))


def start(traced: Traced, sizes: Sizes) -> tuple[Any, Any]:
    """The part of a model that is made fast, a function of parameters and images; and the transforms before it.

    Geometry stays as it is: its numbers are exact, and it holds no convolution.
    """
    if sizes.moved is None:  # the network sees images of different sizes: there is no place to divide it
        return traced.dense, lambda images: images
    return traced.network, traced.head


def variant(
    traced: Traced, sizes: Sizes, precision: str, given: Mapping[Convolution, str] | None = None
) -> Variant:
    """The network of a model made fast.

    Args:
        traced: The model.
        sizes: What its programs take.
        precision: ``"float32"`` or ``"bfloat16"``.
        given: The way for convolutions that shall not be computed by rule.

    Raises:
        ConfigError: The model cannot be traced.
    """
    function, head = start(traced, sizes)
    with traceable("dense"):
        choices = Choices(given, precision=precision)
        stages, tree = in_stages(function, traced.shapes, sizes.network, choices=choices)
    return Variant(precision, head, stages, tree)
