"""Lambda: a plain JAX function as a step."""

from __future__ import annotations

from collections.abc import Callable

from e2e_jax.errors import ConfigError
from e2e_jax.transforms.base import Pointwise
from e2e_jax.types import Array


class Lambda(Pointwise):
    """Runs a function of your own; exported, it is part of the program, and no source is needed to load it.

    Args:
        function: Pure, in JAX operations, of ``(..., h, w, C)`` to values at the same places. It looks at each
            pixel alone; one that looks at neighbours or at the size subclasses `Imagewise`, one that moves pixels
            `Geometric`.

    Raises:
        ConfigError: It is not a function. A config names the function only, so it cannot be rebuilt from one.

    Source:
        The name of torchvision's ``Lambda``.

    Example:
        >>> import numpy as np
        >>> def halved(image): return image // 2
        >>> Lambda(halved), Lambda(halved)(np.full((1, 1, 1), 9, np.uint8)).item()
        (Lambda(halved), 4)
    """

    def __init__(self, function: Callable[[Array], Array]) -> None:
        if not callable(function):
            fix = "pass the function itself, e.g. Lambda(my_function); a config cannot bring code along."
            raise ConfigError("Lambda: function must be callable.", repr(function), fix)
        self.function = function

    @property
    def is_ours(self) -> bool:
        """The function is the user's."""
        return False

    def apply(self, image: Array) -> Array:
        return self.function(image)
