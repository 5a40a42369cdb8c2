"""What an artifact promises, checked on this machine: the same answer by every way that leads to it."""

from __future__ import annotations

import dataclasses
import html
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import jax
import numpy as np

from e2e_jax.artifact import rebuild, sample
from e2e_jax.artifact.bundle import Bundle, assemble, read_stored
from e2e_jax.choice import AnyRunner, runner_of, xla_of
from e2e_jax.engines.catalog import ENGINES
from e2e_jax.errors import ArtifactError, ConfigError
from e2e_jax.ops.batch import list_to_batch
from e2e_jax.runner import Runner

CLOSE = 1e-4  # of the largest output: how far two ways on one machine may be apart; sums differ in order
ENGINES_APART = 5e-3  # of a probability: other engines resize to within a level, see `e2e_jax.graphs`
SMALLER = ((1.0, 1.0), (0.75, 1.0), (1.0, 0.66))  # parts of the stored photo, as photos of other sizes

type Outputs = dict[str, np.ndarray]


class Loaded(Protocol):
    """What is asked of a predictor."""

    _bundle: Bundle
    _runner: AnyRunner

    @property
    def tolerance(self) -> float: ...
    @property
    def engine(self) -> str: ...
    def suits(self, image: np.ndarray) -> bool: ...
    def outputs(self, images: np.ndarray) -> Outputs: ...
    def outputs_of_list(self, images: list[np.ndarray]) -> Outputs: ...
    def preprocess(self, images: Any) -> Any: ...
    def network(self, x: Any) -> Any: ...


@dataclasses.dataclass(frozen=True)
class Check:
    """One promise.

    Args:
        promise: In words.
        difference: The largest found, of a floating output; ``None`` where it was not checked.
        tolerance: What it may be.
        note: Why it was not checked.
    """

    promise: str
    difference: float | None
    tolerance: float
    note: str = ""

    @property
    def holds(self) -> bool:
        """Also of what was not checked."""
        return self.difference is None or self.difference <= self.tolerance

    def __str__(self) -> str:
        if self.difference is None:
            return f"  -      {self.promise}: not checked, {self.note}"
        verdict = "ok" if self.holds else "FAILED "
        return f"  {verdict:7}{self.promise}: differs by {self.difference:.2g} (at most {self.tolerance:.2g})"


@dataclasses.dataclass(frozen=True)
class Verification:
    """All promises of an artifact on one device; prints as a list, shows as a table in a notebook.

    Args:
        path: Of the artifact.
        device: That it was checked on.
        checks: In the order they were made.
    """

    path: Path
    device: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether no promise is broken."""
        return all(check.holds for check in self.checks)

    @property
    def worst(self) -> float:
        """The largest difference of all."""
        return max(check.difference for check in self.checks if check.difference is not None)

    def __str__(self) -> str:
        return "\n".join([f"{self.path} on {self.device}", *map(str, self.checks)])

    def to_json(self) -> str:
        """One object with ``path``, ``device``, ``passed`` and ``checks``; what was not checked has null."""
        checks = [dataclasses.asdict(check) | {"holds": check.holds} for check in self.checks]
        for check in checks:  # JSON has no infinity
            check["difference"] = str(check["difference"]) if check["difference"] == np.inf else check["difference"]
        said = {"path": str(self.path), "device": self.device, "passed": self.passed, "checks": checks}
        return json.dumps(said, indent=1)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'>{html.escape(check.promise)}</td>"
            f"<td>{'–' if check.difference is None else f'{check.difference:.2g}'}</td>"
            f"<td>{check.tolerance:.2g}</td>"
            f"<td style='text-align:left'>{'✓' if check.holds else '✗'} {html.escape(check.note)}</td></tr>"
            for check in self.checks
        )
        head = "".join(f"<th>{title}</th>" for title in ("promise", "difference", "at most", ""))
        where = html.escape(f"{self.path} on {self.device}")
        return f"<table><caption>{where}</caption><tr>{head}</tr>{rows}</table>"


def verify(predictor: Loaded, factory: Callable[..., Any] | None = None) -> Verification:
    """Checks every promise that can be checked here; see `Predictor.verify`."""
    device = f"{jax.devices()[0].device_kind}, {predictor.engine}"
    return Verification(predictor._bundle.path, device, tuple(_checks(predictor, factory)))


def _checks(predictor: Loaded, factory: Callable[..., Any] | None) -> Iterator[Check]:
    photo = predictor._bundle.sample[0]["images"][0]
    expected = predictor._bundle.sample[1]
    close = max(CLOSE, predictor._bundle.manifest.precisions[predictor._bundle.precision]["difference"])
    close = (close if predictor.engine == "xla" else ENGINES_APART) * sample.scale(expected)
    dense = predictor.outputs(photo[None])
    yield Check("the stored sample replays", sample.difference(expected, dense), predictor.tolerance)
    photos = list(_of_other_sizes(predictor, photo))
    singles = [predictor.outputs(each[None]) for each in photos]
    found = _worst(singles, _rows(predictor.outputs_of_list(photos), len(photos)))
    yield Check("single = list of different sizes", found, close)
    found = _worst([singles[0]] * 3, _rows(predictor.outputs(np.stack([photo] * 3)), 3))
    yield Check("single = batch", found, close)
    yield _padded(predictor, photo)
    yield _parts(predictor, photo, dense, close)
    yield _rebuilt(predictor, photo, dense, factory)
    yield from _engines(predictor, photo)


def _engines(predictor: Loaded, photo: np.ndarray) -> Iterator[Check]:
    """The stored photo in every other engine, end to end, beside XLA."""
    bundle = predictor._bundle
    if "preprocess" not in bundle.onnx:
        return
    xla = sample.by_name(xla_of(predictor._runner).dense(photo[None]))
    tolerance = ENGINES_APART * sample.scale(xla)
    for engine in (name for name in ENGINES if name != predictor.engine):
        promise = f"{ENGINES[engine].title} = XLA, photo to answer"
        try:
            _, runner = runner_of(bundle, engine)
        except ConfigError as error:
            yield Check(promise, None, tolerance, f"{error.expected} {error.received}")
            continue
        found = sample.by_name(runner.dense(photo[None]))
        yield Check(promise, sample.difference(xla, found), tolerance)


def _of_other_sizes(predictor: Loaded, photo: np.ndarray) -> Iterator[np.ndarray]:
    for rows, columns in SMALLER:
        part = photo[: round(photo.shape[0] * rows), : round(photo.shape[1] * columns)]
        if predictor.suits(part):
            yield part


def _rows(outputs: Outputs, count: int) -> list[Outputs]:
    return [{name: leaf[n : n + 1] for name, leaf in outputs.items()} for n in range(count)]


def _worst(expected: list[Outputs], found: list[Outputs]) -> float:
    return max(sample.difference(*pair) for pair in zip(expected, found, strict=True))


def _padded(predictor: Loaded, photo: np.ndarray) -> Check:
    promise = "padded = unpadded, whatever the padding holds"
    if "ragged" not in predictor._bundle.programs:
        return Check(promise, None, 0.0, "this model takes photos of one size at a time")
    clean = list_to_batch([photo])
    around = np.full((1, 2 * photo.shape[0], 2 * photo.shape[1], photo.shape[2]), photo.max(), photo.dtype)
    around[0, : photo.shape[0], : photo.shape[1]] = photo
    results = [predictor._runner.ragged(pixels, clean.sizes) for pixels in (clean.pixels, around)]
    return Check(promise, _worst(*([sample.by_name(result)] for result in results)), 0.0)


def _parts(predictor: Loaded, photo: np.ndarray, whole: Outputs, close: float) -> Check:
    promise = "one program = transforms, network and post-processing one by one"
    if not predictor._bundle.has_parts:
        return Check(promise, None, close, "the file does not hold them apart")
    returned = predictor.network(predictor.preprocess(photo[None]))
    found = sample.by_name(xla_of(predictor._runner).finish(returned))
    return Check(promise, sample.difference(whole, found), close)


def _rebuilt(predictor: Loaded, photo: np.ndarray, whole: Outputs, factory: Any) -> Check:
    promise, tolerance = "stored programs = made anew from config, parameters and code", predictor.tolerance
    bundle = predictor._bundle
    try:
        stored = read_stored(bundle.path, "verify")
        anew = assemble(stored, rebuild.programs_anew(stored, factory), bundle.precision)
    except (ConfigError, ArtifactError) as error:
        return Check(promise, None, tolerance, f"{error.expected} {error.received}")
    found = sample.by_name(Runner(anew.programs, list(anew.params.values())).dense(photo[None]))
    return Check(promise, sample.difference(whole, found), tolerance)
