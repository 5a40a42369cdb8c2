"""Which engines there are, and which of them are installed here."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Sequence
from typing import NamedTuple

from e2e_jax.errors import ConfigError


class Engine(NamedTuple):
    """An engine that can be asked for.

    Args:
        title: As its makers write it.
        packages: It needs; the first one's version is the engine's.
        extras: Of this project, that install them.
    """

    title: str
    packages: tuple[str, ...]
    extras: str

    @property
    def command(self) -> str:
        """What installs it."""
        return f"pip install 'e2e_jax[{self.extras}]'"


#: jax2onnx writes the graph that both read.
ENGINES = {
    "onnxruntime": Engine("ONNX Runtime", ("onnxruntime", "onnx", "jax2onnx"), "onnx"),
    "openvino": Engine("OpenVINO", ("openvino", "onnx", "jax2onnx"), "onnx,openvino"),
}


def missing(name: str) -> list[str]:
    """Packages that an engine needs and that are not installed.

    Example:
        >>> set(missing("openvino")) <= {"openvino", "onnx", "jax2onnx"}
        True
    """
    return [package for package in ENGINES[name].packages if importlib.util.find_spec(package) is None]


def require(names: Sequence[str]) -> None:
    """Checks that engines are known and installed.

    Args:
        names: Keys of `ENGINES`.

    Raises:
        ConfigError: One is not; it says what to install.

    Example:
        >>> require(["tensorrt"])
        Traceback (most recent call last):
        e2e_jax.errors.ConfigError: engines: the engine must be known.
          Received: 'tensorrt'
          Fix: choose from onnxruntime, openvino.
    """
    for name in names:
        if name not in ENGINES:
            fix = f"choose from {', '.join(ENGINES)}."
            raise ConfigError("engines: the engine must be known.", f"{name!r}", fix)
        if lacking := missing(name):
            engine = ENGINES[name]
            found = f"{engine.title} asked for, and no package {' or '.join(lacking)}"
            raise ConfigError("engines: the engine must be installed.", found, engine.command)


def version(name: str) -> str:
    """Of an installed engine."""
    return importlib.metadata.version(ENGINES[name].packages[0])
