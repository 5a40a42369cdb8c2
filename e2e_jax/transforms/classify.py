"""Classify: logits to probabilities and class ids in the program, names and types on the host."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.errors import ConfigError
from e2e_jax.transforms.check import one_of, whole
from e2e_jax.transforms.config import Configured
from e2e_jax.types import Array, Classification, ScoredLabel

ACTIVATIONS = ("softmax", "sigmoid", "none")


class Postprocess(Configured, abstract=True):
    """What happens to the network's output: a traced half inside the program and a typed half outside."""

    def __call__(self, outputs: Array) -> dict[str, jax.Array]:
        """The traced half: fixed shapes, batch first."""
        raise NotImplementedError

    def build(self, outputs: dict[str, Array]) -> list[object]:
        """The host half: one typed result per image."""
        raise NotImplementedError


class Classify(Postprocess):
    """The most probable classes.

    Args:
        labels: One name per output of the network, in its order.
        top_k: How many candidates to return; all where there are fewer labels.
        activation: What turns outputs into probabilities 0..1: ``"softmax"``, ``"sigmoid"``, or ``"none"`` where
            the network has done it.

    Raises:
        ConfigError: There are no labels, ``top_k`` is not positive, or the activation is unknown.

    Source:
        ``jax.nn.softmax`` and ``jax.lax.top_k``; equal scores keep the lower id first.

    Example:
        >>> import numpy as np
        >>> classify = Classify(["cat", "dog"], top_k=1)
        >>> classify.build(classify(np.array([[0.0, 3.0]], np.float32)))[0].label
        'dog'
    """

    def __init__(
        self,
        labels: Sequence[str],
        *,
        top_k: int = 5,
        activation: Literal["softmax", "sigmoid", "none"] = "softmax",
    ) -> None:
        self.labels = tuple(labels) if isinstance(labels, Iterable) and not isinstance(labels, str) else ()
        if not self.labels or not all(isinstance(label, str) for label in self.labels):
            fix = 'pass a list of names, e.g. Classify(["cat", "dog"]).'
            raise ConfigError("Classify: labels must be names.", repr(labels)[:80], fix)
        self.top_k = whole("Classify", "top_k", top_k, least=1)
        self.activation = one_of("Classify", "activation", activation, ACTIVATIONS)

    def __call__(self, outputs: Array) -> dict[str, jax.Array]:
        """``(b, classes)`` outputs to ``scores`` (b, top_k) float32 and ``ids`` (b, top_k) int32."""
        if outputs.shape[-1] != len(self.labels):
            fix = "pass one label per output of the network, in its order."
            found = f"{len(self.labels)} labels for outputs of shape {outputs.shape}"
            raise ConfigError("Classify: every output needs a label.", found, fix)
        logits = jnp.asarray(outputs).astype(jnp.float32)
        activate = {"softmax": jax.nn.softmax, "sigmoid": jax.nn.sigmoid, "none": lambda x: x}
        scores, ids = jax.lax.top_k(activate[self.activation](logits), min(self.top_k, len(self.labels)))
        return {"ids": ids, "scores": scores}

    def build(self, outputs: dict[str, Array]) -> list[object]:
        """One `Classification` per row of ``ids`` and ``scores``."""
        rows = zip(np.asarray(outputs["ids"]).tolist(), np.asarray(outputs["scores"]).tolist(), strict=True)
        return [Classification(tuple(self._named(i, s) for i, s in zip(*row, strict=True))) for row in rows]

    def _named(self, index: int, score: float) -> ScoredLabel:
        return ScoredLabel(self.labels[index], score, index)
