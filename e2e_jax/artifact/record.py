"""What an author says of a model beside what it is: where in its training it stands, and anything else."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any, Self

from e2e_jax.artifact.schema import NESTING, nested_within
from e2e_jax.errors import SHOWN, ConfigError

LARGEST = 1 << 20  # bytes of metadata as JSON


@dataclasses.dataclass(frozen=True)
class Record:
    """Said of a model.

    Args:
        name: Of the model.
        step: Of the training.
        epoch: Likewise.
        revision: Of the source that trained it.
        metadata: What JSON can hold, by name.
    """

    name: str
    step: int | None = None
    epoch: int | float | None = None
    revision: str | None = None
    metadata: dict[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def checked(cls, name: Any, step: Any, epoch: Any, revision: Any, metadata: Any) -> Self:
        """From what a user passed.

        Raises:
            ConfigError: One is not of its kind.
        """
        _check("name", name, isinstance(name, str), "leave it out to use the file's name")
        _check(
            "step", step, step is None or (_is_number(step, int) and step >= 0), "pass the count of steps, an int"
        )
        _check("epoch", epoch, epoch is None or (_is_number(epoch, int | float) and epoch >= 0), "pass a number")
        _check("revision", revision, isinstance(revision, str | None), "pass a string, e.g. the commit")
        return cls(name, step, epoch, revision, _metadata({} if metadata is None else metadata))


def _is_number(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value)


def _check(name: str, value: Any, holds: bool, fix: str) -> None:
    if not holds:
        raise ConfigError(f"export: {name} must be of its kind.", f"{name}={value!r}"[:SHOWN], f"{fix}.")


def _metadata(given: Any) -> dict[str, Any]:
    fix = "pass a dict of names to numbers, strings, booleans, None, and lists or dicts of them."
    try:
        text = json.dumps(given, allow_nan=False)
        kept = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError("export: metadata must be what JSON can hold.", str(error)[:SHOWN], fix) from error
    if not isinstance(given, dict) or kept != given:
        raise ConfigError("export: metadata must come back from JSON as it is.", text[:SHOWN], fix)
    if len(text) > LARGEST or not nested_within(kept, NESTING // 2):
        received = f"{len(text)} bytes"
        raise ConfigError(f"export: metadata must be at most {LARGEST} bytes and flat.", received, fix)
    return kept
