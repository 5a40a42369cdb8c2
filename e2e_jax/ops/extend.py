"""Extend: an axis continued past its ends by its own pixels."""

from __future__ import annotations

import dataclasses
from types import ModuleType
from typing import Any, Literal, get_args

from e2e_jax.ops.axis import Form, Select, Taps
from e2e_jax.ops.sizes import Size, value
from e2e_jax.types import Array

type Extension = Literal["edge", "reflect", "symmetric"]
EXTENSIONS: tuple[str, ...] = get_args(Extension.__value__)


@dataclasses.dataclass(frozen=True)
class Extend(Select):
    """Like `Select`, but a position outside takes a pixel from inside, as ``numpy.pad`` of that mode does.

    Args:
        mode: ``"edge"`` repeats the last pixel, ``"reflect"`` mirrors around it, ``"symmetric"`` mirrors with it.
    """

    mode: Extension = "edge"

    def pull(self, xp: ModuleType, taps: Taps, form: Form) -> Taps:
        size = value(self.size)
        position = value(self.offset) + self.step * taps.position
        return taps._replace(position=inside(xp, position, size, self.mode))


def inside(xp: Any, position: Array, size: Size, mode: str) -> Array:
    """Positions inside for positions anywhere, by the rule of ``mode``."""
    if mode == "edge":
        return xp.clip(position, 0, size - 1)
    return mirrored(xp, position, size, repeat=1 if mode == "symmetric" else 0)


def mirrored(xp: Any, position: Array, size: Size, *, repeat: int = 0) -> Array:
    """Positions inside for positions anywhere; at the turn the last pixel stands once more for each ``repeat``."""
    period = xp.maximum(2 * (size - 1 + repeat), 1)
    place = position % period
    return xp.where(place < size, place, period - repeat - place)
