"""How a network is made again: code that can be imported, and its arguments."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Callable
from typing import Any

from flax import nnx

from e2e_jax.errors import SHOWN, ConfigError


class Factory:
    """Says in a file how its network is made, so that the file outlives the release of JAX that wrote it.

    Only the structure is taken from what the factory makes; the parameters come from the file.

    Args:
        function: A class or function that returns an `nnx.Module`, or its name ``"package.module:name"``. It must
            be importable by that name; one of a notebook is not.
        arguments: For it, by name; what JSON can hold. ``rngs`` is passed where it is needed and not named.

    Raises:
        ConfigError: It cannot be imported by its name, or an argument is not what JSON gives back.

    Example:
        >>> Factory("flax.nnx:Linear", in_features=3, out_features=2)
        Factory('flax.nnx:Linear', in_features=3, out_features=2)
    """

    def __init__(self, function: Callable[..., nnx.Module] | str, /, **arguments: Any) -> None:
        self.name = function if isinstance(function, str) else _name_of(function)
        self.function = function if callable(function) else _imported(self.name)
        self._json = _as_json(arguments)

    @classmethod
    def given(cls, function: Callable[..., nnx.Module], arguments: dict[str, Any]) -> Factory:
        """Of code at hand, such as a notebook's, which need not be importable."""
        made = cls.__new__(cls)
        made.name, made.function, made._json = _named(function), function, _as_json(arguments)
        return made

    @property
    def arguments(self) -> dict[str, Any]:
        """A copy."""
        return dict(json.loads(self._json))

    @property
    def record(self) -> dict[str, Any]:
        """What a manifest says of it."""
        return {"factory": self.name, "arguments": self.arguments}

    def structure(self) -> nnx.Module:
        """The network without numbers: shapes and dtypes in the place of its arrays.

        Raises:
            ConfigError: The function fails with these arguments, or returns something else.
        """
        try:
            made = nnx.eval_shape(lambda: self.function(**self._rngs(), **self.arguments))
        except Exception as error:  # code that is not ours may raise anything
            fix = "check the arguments; the factory must build the network without reading anything."
            received = f"{self}: {type(error).__name__}: {str(error)[:SHOWN]}"
            raise ConfigError("Factory: it must make a network.", received, fix) from error
        if not isinstance(made, nnx.Module):
            fix = "name a subclass of nnx.Module, or a function that returns one."
            raise ConfigError("Factory: it must make an nnx.Module.", f"{self} makes {type(made).__name__}", fix)
        return made

    def _rngs(self) -> dict[str, nnx.Rngs]:
        made_by: Any = vars(self.function).get("__init__", self.function)  # nnx hides it behind its metaclass
        parameter = inspect.signature(made_by).parameters.get("rngs")
        needed = parameter is not None and parameter.default is parameter.empty
        return {"rngs": nnx.Rngs(0)} if needed and "rngs" not in self.arguments else {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Factory) and (self.name, self._json) == (other.name, other._json)

    def __hash__(self) -> int:
        return hash((self.name, self._json))

    def __repr__(self) -> str:
        arguments = "".join(f", {name}={value!r}" for name, value in self.arguments.items())
        return f"Factory({self.name!r}{arguments})"


def _named(function: Any) -> str:
    return f"{getattr(function, '__module__', None)}:{getattr(function, '__qualname__', None)}"


def _name_of(function: Any) -> str:
    """``"package.module:name"`` under which the very same object can be imported."""
    name = _named(function)
    if name.startswith("__main__:") or _imported(name) is not function:
        fix = "move it to a module of its own, and pass the class or function by which that module is known."
        raise ConfigError("Factory: the function must be importable.", name, fix)
    return name


def _imported(name: str) -> Any:
    module, _, place = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in place.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        fix = 'name it "package.module:name", and install the package.'
        raise ConfigError("Factory: the function must be importable.", f"{name}: {error}", fix) from error
    if not callable(found):
        raise ConfigError("Factory: the function must be callable.", name, "name a class or a function.")
    return found


def _as_json(arguments: dict[str, Any]) -> str:
    fix = "use numbers, strings, booleans, None, and lists or dicts of them."
    try:
        text = json.dumps(arguments, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError("Factory: arguments must be what JSON can hold.", str(error), fix) from error
    if json.loads(text) != arguments:
        raise ConfigError("Factory: arguments must come back from JSON as they are.", text[:SHOWN], fix)
    return text
