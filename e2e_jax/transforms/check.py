"""Checks of transform arguments, at the door and in one wording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from e2e_jax.errors import ConfigError


def pixels(step: str, name: str, value: Any, *, least: int) -> Any:
    """An int, or a pair of ints as a tuple, each at least ``least``."""
    pair = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
    numbers = pair if isinstance(pair, tuple) else (pair,)
    counted = all(isinstance(n, int) and not isinstance(n, bool) and n >= least for n in numbers)
    if not counted or (isinstance(pair, tuple) and len(pair) != 2):
        fix = f"pass whole pixels of at least {least}, one number or (height, width)."
        raise ConfigError(f"{step}: {name} must be positive pixels.", f"{name}={value!r}", fix)
    return pair


def whole(step: str, name: str, value: Any, *, least: int | None = None) -> int:
    """A whole number, at least ``least`` where one is given."""
    if isinstance(value, bool) or not isinstance(value, int) or (least is not None and value < least):
        fix = "pass a whole number." if least is None else f"pass a whole number of at least {least}."
        raise ConfigError(f"{step}: {name} must be a whole number.", f"{name}={value!r}", fix)
    return value


def flag(step: str, name: str, value: Any) -> bool:
    """True or False, and nothing that merely looks so, such as ``"no"``."""
    if not isinstance(value, bool):
        raise ConfigError(f"{step}: {name} must be True or False.", f"{name}={value!r}", "pass a bool.")
    return value


def one_of(step: str, name: str, value: Any, allowed: tuple[str, ...]) -> Any:
    """A value from a short list."""
    if value not in allowed:
        raise ConfigError(f"{step}: {name} must be known.", f"{name}={value!r}", f"one of {', '.join(allowed)}.")
    return value


def fill_values(step: str, fill: Any) -> tuple[float, ...]:
    """One value, or one per channel, as a tuple."""
    values = tuple(fill) if isinstance(fill, Sequence) and not isinstance(fill, str) else (fill,)
    if not values or not all(isinstance(v, int | float) for v in values):
        fix = "pass a number, or one number per channel."
        raise ConfigError(f"{step}: fill must be numbers.", f"fill={fill!r}", fix)
    return tuple(float(v) for v in values)


def channel_values(step: str, name: str, values: Any) -> tuple[float, ...]:
    """One finite value, or one per channel, as a tuple of floats."""
    values = values.tolist() if hasattr(values, "tolist") else values  # statistics often come as arrays
    numbers = tuple(values) if isinstance(values, Sequence) else (values,)
    if not numbers or not all(isinstance(v, int | float) and abs(v) < float("inf") for v in numbers):
        fix = "pass a finite number, or one per channel."
        raise ConfigError(f"{step}: {name} must be finite numbers.", f"{name}={values!r}", fix)
    return tuple(float(v) for v in numbers)
