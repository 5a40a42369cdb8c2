"""The three exceptions a user of e2e_jax can meet, each in three lines: expected, received, fix."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator

SHOWN = 300  # characters of what another library had to say


class E2EError(Exception):
    """Base of all e2e_jax errors.

    Args:
        expected: One sentence, ``"Where: what must hold."``
        received: The offending value as the caller would recognise it.
        fix: What to do about it.

    Example:
        >>> print(E2EError("Resize: size must be positive.", "size=(0, 224)", "pass pixels, e.g. Resize(256)."))
        Resize: size must be positive.
          Received: size=(0, 224)
          Fix: pass pixels, e.g. Resize(256).
    """

    def __init__(self, expected: str, received: str, fix: str) -> None:
        received = " ".join(received.splitlines())  # three lines, whatever another library had to say
        super().__init__(expected, received, fix)
        self.expected, self.received, self.fix = expected, received, fix

    def __str__(self) -> str:
        return f"{self.expected}\n  Received: {self.received}\n  Fix: {self.fix}"


class ImageError(E2EError, ValueError):
    """An image cannot be read or does not fit: file, pixels, shape, dtype or value range."""


class ConfigError(E2EError, ValueError):
    """A transform, a pipeline or a call is set up wrongly: argument, option, or combination."""


class ArtifactError(E2EError, ValueError):
    """An ``.e2e`` artifact cannot be written, or is damaged, foreign, or of another format version."""


@contextlib.contextmanager
def blamed(expected: str, fix: str, *, on: str = "") -> Iterator[None]:
    """Turns whatever code that is not ours raises into a `ConfigError`; ours pass as they are.

    Args:
        expected: As for `E2EError`.
        fix: Likewise.
        on: Whose code it is, to show before the error.

    Example:
        >>> with blamed("lower: the function must be traceable.", "see the error above.", on="f"):
        ...     raise KeyError("x")
        Traceback (most recent call last):
        e2e_jax.errors.ConfigError: lower: the function must be traceable.
          Received: f: KeyError: 'x'
          Fix: see the error above.
    """
    try:
        yield
    except E2EError:
        raise
    except Exception as error:  # others' code may raise anything
        whose = f"{on}: " if on else ""
        raise ConfigError(expected, f"{whose}{type(error).__name__}: {str(error)[:SHOWN]}", fix) from error


def known_arguments[**P, R](call: Callable[P, R]) -> Callable[P, R]:
    """Turns a misspelt, missing or surplus argument into a `ConfigError` that shows the right call.

    Args:
        call: Any function or ``__init__``.

    Returns:
        The same function with that check in front.

    Example:
        >>> @known_arguments
        ... def resize(image, *, size=3): return size
        >>> resize(None, sise=3)
        Traceback (most recent call last):
        e2e_jax.errors.ConfigError: resize: the arguments must fit resize(image, size).
          Received: got an unexpected keyword argument 'sise'
          Fix: check the spelling and the number of arguments.
    """
    signature = inspect.signature(call)
    name = call.__qualname__.removesuffix(".__init__").rpartition(".")[2]
    shown = ", ".join(parameter for parameter in signature.parameters if parameter != "self")

    @functools.wraps(call)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return call(*args, **kwargs)
        except TypeError:  # binding takes 30 us, so only now: arguments that do not fit, or something inside?
            try:
                signature.bind(*args, **kwargs)
            except TypeError as error:
                fix = "check the spelling and the number of arguments."
                raise ConfigError(f"{name}: the arguments must fit {name}({shown}).", str(error), fix) from None
            raise

    return checked
