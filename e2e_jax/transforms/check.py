"""Checks of transform arguments, at the door and in one wording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from e2e_jax.errors import ConfigError
from e2e_jax.ops.dialects import METHODS, NUMERICS, Method, Numerics, antialiases, interpolation


def pixels(step: str, name: str, value: Any, *, least: int) -> Any:
    """An int, or a pair of ints as a tuple, each at least ``least``."""
    pair = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
    numbers = pair if isinstance(pair, tuple) else (pair,)
    counted = all(isinstance(n, int) and not isinstance(n, bool) and n >= least for n in numbers)
    if not counted or (isinstance(pair, tuple) and len(pair) != 2):
        fix = f"pass whole pixels of at least {least}, one number or (height, width)."
        raise ConfigError(
            f"{step}: {name} must be {'positive' if least else 'whole'} pixels.", f"{name}={value!r}", fix
        )
    return pair


def frame(step: str, value: Any, *, name: str = "size", least: int = 1) -> tuple[int, int]:
    """Height and width, from a pair or from the edge of a square."""
    edges = pixels(step, name, value, least=least)
    return edges if isinstance(edges, tuple) else (edges, edges)


def real(step: str, name: str, value: Any) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < float("inf"):
        raise ConfigError(f"{step}: {name} must be a finite number.", f"{name}={value!r}", "pass a finite number.")
    return value


def reals(step: str, name: str, values: Any, count: int) -> Any:
    """A fixed number of finite numbers, as a tuple of floats."""
    numbers = tuple(values) if isinstance(values, Sequence) and not isinstance(values, str) else ()
    if len(numbers) != count:
        raise ConfigError(
            f"{step}: {name} must be {count} numbers.", f"{name}={values!r}", f"pass {count} numbers."
        )
    return tuple(float(real(step, name, number)) for number in numbers)


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


def borders(step: str, padding: Any) -> tuple[int, int, int, int]:
    """Left, top, right and bottom from one, two or four lengths of at least 0 pixels."""
    sides = tuple(padding) if isinstance(padding, Sequence) and not isinstance(padding, str) else (padding,)
    counted = all(isinstance(s, int) and not isinstance(s, bool) and s >= 0 for s in sides)
    if len(sides) not in (1, 2, 4) or not counted:
        fix = "pass pixels for all sides, (x, y), or (left, top, right, bottom)."
        raise ConfigError(f"{step}: padding must be one, two or four lengths of at least 0.", f"{padding=}", fix)
    return (sides * 4)[:4]


def probability(step: str, value: Any, name: str = "p") -> float:
    """A probability, 0..1."""
    return interval_number(step, name, value, 0.0, 1.0)


def interval_number(step: str, name: str, value: Any, least: float, most: float = float("inf")) -> float:
    """A number between two bounds, both allowed."""
    real = isinstance(value, int | float) and not isinstance(value, bool)
    if not real or not least <= value <= most:
        span = f"{least:g}..{most:g}" if most < float("inf") else f"at least {least:g}"
        raise ConfigError(f"{step}: {name} must be {span}.", f"{name}={value!r}", f"pass a number {span}.")
    return float(value)


def span(step: str, name: str, value: Any, *, least: float = float("-inf"), most: float = float("inf")) -> Any:
    """A pair of finite numbers in rising order inside two bounds, as a tuple of floats."""
    pair = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else ()
    real = len(pair) == 2 and all(isinstance(v, int | float) and abs(v) < float("inf") for v in pair)
    if not real or not least <= pair[0] <= pair[1] <= most:
        bounds = (
            ""
            if least == float("-inf")
            else f" of at least {least:g}" + (f" and at most {most:g}" if most < float("inf") else "")
        )
        fix = "pass (low, high), the lower number first."
        raise ConfigError(f"{step}: {name} must be two rising numbers{bounds}.", f"{name}={value!r}", fix)
    return tuple(float(v) for v in pair)


def resampling(step: str, method: Any, antialias: Any, numerics: Any) -> tuple[Method, bool | None, Numerics]:
    """The three arguments of everything that resizes, if the library has that method."""
    one_of(step, "numerics", numerics, NUMERICS)
    one_of(step, "method", method, METHODS)
    if antialias is not None:
        flag(step, "antialias", antialias)
    interpolation(method=method, numerics=numerics)
    antialiases(antialias, numerics=numerics)
    return method, antialias, numerics
