"""Runs exported programs: compiles once per shape, keeps a ledger of what was compiled."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import jax
import numpy as np
from jax import export as jax_export

from e2e_jax.artifact.programs import PIPELINE
from e2e_jax.compiled import Call, compiled
from e2e_jax.errors import SHOWN, ArtifactError, E2EError
from e2e_jax.ops.batch import filled

type Key = tuple[str, tuple[tuple[int, ...], ...]]  # a program, and the shapes it is compiled for


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
        self._calls: dict[Key, Future[Call]] = {}
        self._made: dict[Key, Call] = {}  # of `_calls`, without the lock of a future

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
        """Network inputs to what the network returns."""
        return self._run("network", self.params, x)

    def finish(self, returned: Any) -> Any:
        """What the network returns to outputs."""
        return self._run("finish", returned) if "finish" in self.programs else returned

    def transform(self, name: str, key: np.ndarray, pixels: np.ndarray, sizes: np.ndarray) -> Any:
        """Padded photos through further transforms, see `e2e_jax.artifact.programs.pipeline`."""
        return self._run(PIPELINE + name, key, pixels, sizes)

    def expect_network(self, count: int) -> None:
        """Has the network made ready for a batch on another core, while this thread is at the transforms."""
        *params, kind = self.programs["network"].in_avals
        x = jax.ShapeDtypeStruct((count, *kind.shape[1:]), kind.dtype)  # (b, …)
        if ("network", (x.shape,)) not in self._calls:
            shapes = [jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in params]
            threading.Thread(target=self._expect, args=(count, shapes, x)).start()

    def _expect(self, count: int, params: list[Any], x: Any) -> None:
        self._ready("network", params, x)
        if "finish" in self.programs:
            program = self.programs["finish"]
            shapes = [jax.ShapeDtypeStruct((count, *aval.shape[1:]), aval.dtype) for aval in program.in_avals]
            (returned,), _ = jax.tree.unflatten(program.in_tree, shapes)
            self._ready("finish", returned)

    def filled(self, batch: Any) -> Any:
        """A batch filled up so that few batch sizes are compiled."""
        return filled(batch)

    def inverse(self, sizes: np.ndarray, boxes: np.ndarray, keypoints: np.ndarray) -> dict[str, np.ndarray]:
        """Boxes ``(b, n, 4)`` and key points ``(b, m, 2)`` of network inputs, in photos of ``sizes`` (b, 2)."""
        return {k: np.asarray(v) for k, v in self._run("inverse", sizes, boxes, keypoints).items()}

    def _run(self, program: str, *arguments: Any) -> Any:
        key = _key(program, arguments)
        with _blamed(program):
            if (call := self._made.get(key)) is None:
                call = self._made[key] = self._ready(program, *arguments).result()
            return call(*arguments)

    def _ready(self, program: str, *arguments: Any) -> Future[Call]:
        """The program for these shapes; threads that need the same one wait for one compilation."""
        key = _key(program, arguments)
        if (known := self._calls.get(key)) is not None:
            return known
        with self._claiming:
            if (known := self._calls.get(key)) is not None:
                return known
            call = self._calls[key] = Future()
        try:
            call.set_result(self._compile(program, next(iter(key[1]), ()), arguments))
        except BaseException as error:
            del self._calls[key]  # the next one tries again
            call.set_exception(error)
        return call

    def _compile(self, program: str, shape: tuple[int, ...], arguments: tuple[Any, ...]) -> Call:
        start = time.perf_counter()
        call, cached = compiled(self.programs[program], arguments, self.device)
        self.ledger.append(Compilation(program, shape, time.perf_counter() - start, cached))
        return call


def _key(program: str, arguments: tuple[Any, ...]) -> Key:
    """Lists are parameters, whose shapes never change; arrays may come in a tree."""
    arrays = [a for a in arguments if not isinstance(a, list)]
    plain = all(hasattr(a, "shape") for a in arrays)
    return program, tuple([a.shape for a in (arrays if plain else jax.tree.leaves(arrays))])


@contextlib.contextmanager
def _blamed(program: str) -> Iterator[None]:
    """Whatever JAX and XLA raise about a stored program, of images that were checked, is the artifact's fault."""
    try:
        yield
    except E2EError:
        raise
    except Exception as error:  # MLIR, XLA and JAX raise a dozen kinds
        fix = "free memory if that is what is missing; otherwise get the file again, or export it anew."
        received = f"{type(error).__name__}: {str(error)[:SHOWN]}"
        raise ArtifactError(f"predict: the {program} program must compile and run here.", received, fix) from error
