"""How far the answers of a program made fast are from the model's own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from e2e_jax.artifact import sample
from e2e_jax.errors import ConfigError

#: The default bound of `export`: of a probability, or of the network's output as a part of its largest value.
MAX_DIFFERENCE = 0.05


class Accuracy(NamedTuple):
    """Of a program against the model it was made of, on the stored sample.

    Args:
        difference: The largest difference of a floating output: of a probability, or, where outputs exceed 1, as a
            part of the largest one.
        agreement: Part of the photos 0..1 with the same first answer.
    """

    difference: float
    agreement: float


def accuracy(expected: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> Accuracy:
    """Compares outputs by name, photos first.

    Example:
        >>> a, b = np.float32([[0.5, 0.25], [0.5, 0.375]]), np.float32([[0.5, 0.375], [0.25, 0.5]])
        >>> accuracy({"scores": a}, {"scores": b})
        Accuracy(difference=0.25, agreement=0.5)
    """
    same = _first(expected) == _first(found)
    return Accuracy(sample.difference(expected, found) / sample.scale(expected), float(np.mean(same)))


def _first(outputs: dict[str, np.ndarray]) -> np.ndarray:
    """The first answer for each photo: the id that ranks first, or else the place of the largest output."""
    if "ids" in outputs:
        return outputs["ids"][..., 0]
    output = next(iter(outputs.values()))
    return output.reshape(len(output), -1).argmax(axis=-1)


def check_accuracy(precision: str, found: Accuracy, bound: float) -> None:
    """Refuses what is too far off.

    Raises:
        ConfigError: The difference exceeds the bound, or is no number.
    """
    if not found.difference <= bound:
        fix = f"export without {precision}, or allow more with max_difference={2 * found.difference:.2g}."
        received = f"a difference of {found.difference:.3g} on the stored sample"
        raise ConfigError(f"export: the outputs in {precision} must be within {bound:g}.", received, fix)
