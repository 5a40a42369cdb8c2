"""Configured: a module that is nothing but the arguments it was made with."""

from __future__ import annotations

import difflib
import inspect
from typing import Any, ClassVar, Self

from flax import nnx

from e2e_jax.errors import ConfigError, known_arguments


class Configured(nnx.Module):
    """A module that is fully described by the arguments of its ``__init__``, each kept under its own name.

    A subclass is registered under its name, unless it says ``class Kind(Base, abstract=True)``.
    """

    registry: ClassVar[dict[str, type[Configured]]] = {}

    def __init_subclass__(cls, *, abstract: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = known_arguments(cls.__init__)  # type: ignore[method-assign]
        if not abstract:
            Configured.registry[cls.__name__] = cls

    @property
    def config(self) -> dict[str, Any]:
        """JSON-able description, ``{"type": "Resize", "size": 256, …}``."""
        return {"type": type(self).__name__} | {name: _to_json(value) for name, value in self._arguments()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Rebuilds from `config`.

        Raises:
            ConfigError: The type is unknown, not of this kind, or an argument does not fit.

        Example:
            >>> from e2e_jax import transforms as T
            >>> T.Transform.from_config({"type": "CenterCrop", "size": 224})
            CenterCrop(224)
        """
        named = config.get("type") if isinstance(config, dict) else config
        kind = cls.registry.get(str(named)) if isinstance(config, dict) else None
        if kind is None or not issubclass(kind, cls):
            known = sorted(name for name, k in cls.registry.items() if issubclass(k, cls))
            near = difflib.get_close_matches(str(named), known)
            fix = f"did you mean {' or '.join(near)}?" if near else f"one of {', '.join(known)}."
            raise ConfigError(f"{cls.__name__}: the config's type must be known.", repr(named), fix)
        return kind(**{name: value for name, value in config.items() if name != "type"})

    def _arguments(self) -> list[tuple[str, Any]]:
        names = inspect.signature(type(self).__init__).parameters.values()
        return [(p.name, getattr(self, p.name)) for p in names if p.name != "self" and p.kind not in _VARIADIC]

    def _identity(self) -> tuple[Any, ...]:
        """What makes two modules equal: the class itself, not only its name, and its arguments."""
        return type(self), *(_frozen(value) for _, value in self._arguments())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Configured) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        parameters = inspect.signature(type(self).__init__).parameters
        values = [(parameters[name], value) for name, value in self._arguments()]
        shown = [
            (p, value) for p, value in values if value is not p.default and value not in (p.default, (p.default,))
        ]
        return f"{type(self).__name__}({', '.join(_as_argument(p, value) for p, value in shown)})"

    __str__ = __repr__  # nnx prints modules as coloured trees


_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)  # of object's own __init__


def _as_argument(parameter: inspect.Parameter, value: object) -> str:
    shown = repr(list(value)) if isinstance(value, nnx.List) else getattr(value, "__name__", repr(value))
    return shown if parameter.kind is parameter.POSITIONAL_OR_KEYWORD else f"{parameter.name}={shown}"


def _to_json(value: Any) -> Any:
    if isinstance(value, Configured):
        return value.config
    if callable(value):
        return f"{value.__module__}:{value.__qualname__}"
    return [_to_json(item) for item in value] if isinstance(value, tuple | nnx.List) else value


def _frozen(value: Any) -> Any:
    """A value to compare and hash; a list of modules as a tuple."""
    if isinstance(value, Configured):
        return value._identity()
    return tuple(_frozen(item) for item in value) if isinstance(value, tuple | nnx.List) else value
