"""Runs exported programs: compiles once per shape, keeps a ledger of what was compiled."""

from __future__ import annotations

import dataclasses
import functools
import threading
import time
from typing import Any

import jax
import numpy as np
from jax import export as jax_export

from e2e_jax.processor import compiler_options


@dataclasses.dataclass(frozen=True)
class Compilation:
    """One line of the compile ledger: which program, for which input shape, in how many seconds."""

    program: str
    shape: tuple[int, ...]
    seconds: float


class Runner:
    """The programs of one artifact on this machine's default device.

    Args:
        programs: Program name to exported program.
        params: Parameters in the order the programs take them.
    """

    def __init__(self, programs: dict[str, jax_export.Exported], params: list[jax.Array]) -> None:
        self.programs = programs
        self._given = params
        self.ledger: list[Compilation] = []
        self._compiling = threading.Lock()
        self._compiled: dict[tuple[str, tuple[tuple[int, ...], ...]], Any] = {}

    @functools.cached_property
    def params(self) -> list[jax.Array]:
        """What `dense` and `network` take: what the ``prepare`` program makes of the parameters, or these."""
        return self._run("prepare", self._given) if "prepare" in self.programs else self._given

    def dense(self, images: np.ndarray) -> Any:
        """``(b, h, w, c)`` photos to outputs."""
        return self._run("dense", self.params, images)

    def ragged(self, pixels: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """Padded photos to network inputs of one size, on the host."""
        return np.asarray(self._run("ragged", pixels, sizes))

    def network(self, x: np.ndarray) -> Any:
        """Network inputs to outputs."""
        return self._run("network", self.params, x)

    def inverse(self, sizes: np.ndarray, boxes: np.ndarray, keypoints: np.ndarray) -> dict[str, np.ndarray]:
        """Boxes ``(b, n, 4)`` and key points ``(b, m, 2)`` of network inputs, in photos of ``sizes`` (b, 2)."""
        return {k: np.asarray(v) for k, v in self._run("inverse", sizes, boxes, keypoints).items()}

    def _run(self, program: str, *arguments: Any) -> Any:
        shapes = tuple(a.shape for a in arguments if not isinstance(a, list))
        key = (program, shapes)
        with self._compiling:  # threads that need the same program wait for one compilation
            if key not in self._compiled:
                self._compiled[key] = self._compile(program, shapes[0] if shapes else (), arguments)
        return self._compiled[key](*arguments)

    def _compile(self, program: str, shape: tuple[int, ...], arguments: tuple[Any, ...]) -> Any:
        start = time.perf_counter()
        shapes = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), arguments)
        compiled = (
            jax.jit(self.programs[program].call, compiler_options=compiler_options()).lower(*shapes).compile()
        )
        self.ledger.append(Compilation(program, shape, time.perf_counter() - start))
        return compiled
