"""Runs exported programs: compiles once per shape, keeps a ledger of what was compiled."""

from __future__ import annotations

import dataclasses
import functools
import threading
import time
from concurrent.futures import Future
from typing import Any

import jax
import numpy as np
from jax import export as jax_export

from e2e_jax.compiled import Call, compiled
from e2e_jax.ops.batch import bucket


@dataclasses.dataclass(frozen=True)
class Compilation:
    """One line of the compile ledger.

    Args:
        program: Its name.
        shape: Of the input it is for.
        seconds: Until it was ready.
        cached: Whether it came from the cache, compiled by an earlier process.
    """

    program: str
    shape: tuple[int, ...]
    seconds: float
    cached: bool = False


class Runner:
    """The programs of one artifact on this machine's default device.

    Args:
        programs: Program name to exported program.
        params: Parameters in the order the programs take them.
    """

    def __init__(self, programs: dict[str, jax_export.Exported], params: list[jax.Array]) -> None:
        self.programs = programs
        self._given = params
        self.device = jax.devices()[0]
        self.ledger: list[Compilation] = []
        self._claiming = threading.Lock()
        self._calls: dict[tuple[str, tuple[tuple[int, ...], ...]], Future[Call]] = {}

    @functools.cached_property
    def params(self) -> list[jax.Array]:
        """What `dense` and `network` take: what the ``prepare`` program makes of the parameters, or these."""
        return self._run("prepare", self._given) if "prepare" in self.programs else self._given

    def dense(self, images: np.ndarray) -> Any:
        """``(b, h, w, c)`` photos to outputs."""
        return self._run("dense", self.params, images)

    def ragged(self, pixels: np.ndarray, sizes: np.ndarray) -> jax.Array:
        """Padded photos to network inputs of one size."""
        return self._run("ragged", pixels, sizes)

    def network(self, x: np.ndarray | jax.Array) -> Any:
        """Network inputs to outputs."""
        return self._run("network", self.params, x)

    def expect_network(self, count: int) -> None:
        """Has the network made ready for a batch on another core, while this thread is at the geometry."""
        *params, kind = self.programs["network"].in_avals
        x = jax.ShapeDtypeStruct((count, *kind.shape[1:]), kind.dtype)  # (b, oh, ow, c)
        if ("network", (x.shape,)) not in self._calls:
            shapes = [jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in params]
            threading.Thread(target=self._ready, args=("network", shapes, x)).start()

    def filled(self, batch: Any) -> Any:
        """A batch filled with zeros up to a power of two, so that few batch sizes are compiled."""
        missing = bucket(len(batch), smallest=1) - len(batch)
        return np.pad(batch, ((0, missing), *((0, 0),) * (batch.ndim - 1))) if missing else batch

    def inverse(self, sizes: np.ndarray, boxes: np.ndarray, keypoints: np.ndarray) -> dict[str, np.ndarray]:
        """Boxes ``(b, n, 4)`` and key points ``(b, m, 2)`` of network inputs, in photos of ``sizes`` (b, 2)."""
        return {k: np.asarray(v) for k, v in self._run("inverse", sizes, boxes, keypoints).items()}

    def _run(self, program: str, *arguments: Any) -> Any:
        return self._ready(program, *arguments).result()(*arguments)

    def _ready(self, program: str, *arguments: Any) -> Future[Call]:
        """The program for these shapes; threads that need the same one wait for one compilation."""
        shapes = tuple([a.shape for a in arguments if not isinstance(a, list)])
        key = (program, shapes)
        if (known := self._calls.get(key)) is not None:
            return known
        with self._claiming:
            if (known := self._calls.get(key)) is not None:
                return known
            call = self._calls[key] = Future()
        try:
            call.set_result(self._compile(program, shapes[0] if shapes else (), arguments))
        except BaseException as error:
            del self._calls[key]  # the next one tries again
            call.set_exception(error)
        return call

    def _compile(self, program: str, shape: tuple[int, ...], arguments: tuple[Any, ...]) -> Call:
        start = time.perf_counter()
        call, cached = compiled(self.programs[program], arguments, self.device)
        self.ledger.append(Compilation(program, shape, time.perf_counter() - start, cached))
        return call
