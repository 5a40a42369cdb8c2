"""Before anything is timed: all contestants must give the same answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from e2e_jax.bench.contestants import Contestant
from e2e_jax.errors import ArtifactError

#: Largest difference that counts as the same, as a share of the largest value. float32 sums in another order differ
#: by 1e-6 to 1e-5; bfloat16 keeps 8 bits, 4e-3 per product; GPUs multiply float32 with TF32's 10 bits.
TOLERANCE = {"float32": 1e-3, "bfloat16": 5e-2}
TOLERANCE_ON_GPU = {"float32": 1e-2, "bfloat16": 5e-2}


def check(contestants: Sequence[Contestant], answers: Mapping[str, Any]) -> dict[str, float]:
    """Compares every contestant's answer with the first one's.

    Args:
        contestants: The first is the reference.
        answers: By name, to the same photos.

    Returns:
        Largest absolute difference as a share of the largest absolute value of the reference, by name.

    Raises:
        ArtifactError: One differs by more than `TOLERANCE` of its precision.

    Example:
        >>> jax_ = Contestant("JAX", "1", "separate", "float32", len)
        >>> other = Contestant("other", "1", "separate", "float32", len)
        >>> check([jax_, other], {jax_.name: np.ones(3), other.name: np.ones(3) / 2})
        Traceback (most recent call last):
        e2e_jax.errors.ArtifactError: bench: all contestants must give the same answer.
          Received: Python other float32 separate differs by 0.5 of the largest value (tolerance 0.001)
          Fix: leave that engine out with --engines, and report the device and versions.
    """
    reference = _floats(answers[contestants[0].name])
    found = {one.name: difference(_floats(answers[one.name]), reference) for one in contestants}
    for one in contestants:
        limit = (TOLERANCE if one.device == "cpu" else TOLERANCE_ON_GPU)[one.precision]
        if not found[one.name] <= limit:
            received = f"{one.name} differs by {found[one.name]:.2g} of the largest value (tolerance {limit:g})"
            fix = "leave that engine out with --engines, and report the device and versions."
            raise ArtifactError("bench: all contestants must give the same answer.", received, fix)
    return found


def difference(found: np.ndarray, reference: np.ndarray) -> float:
    """Largest absolute difference as a share of the reference's largest absolute value; infinite for other shapes.

    Example:
        >>> difference(np.array([1.0, 4.1]), np.array([1.0, 4.0])) < 0.026
        True
    """
    if found.shape != reference.shape:
        return float("inf")
    worst = float(np.max(np.abs(found - reference), initial=0.0))
    return worst / float(np.max(np.abs(reference), initial=0.0)) if worst else 0.0


def _floats(answer: Any) -> np.ndarray:
    """Logits or scores; ids are left out, since close scores may change places."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(answer)]
    return np.concatenate([leaf.astype(np.float64).ravel() for leaf in leaves if leaf.dtype.kind == "f"])
