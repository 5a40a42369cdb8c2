"""Which engine runs an artifact: the one asked for, or the fastest of those installed."""

from __future__ import annotations

from typing import Any, Literal, cast

from e2e_jax.artifact.bundle import Bundle
from e2e_jax.benchmark import interleave
from e2e_jax.engines.catalog import ENGINES, missing
from e2e_jax.engines.runner import OnnxRunner
from e2e_jax.errors import ConfigError
from e2e_jax.runner import Runner
from e2e_jax.transforms.check import one_of

type EngineName = Literal["xla", "onnxruntime", "openvino", "fastest"]
type AnyRunner = Runner | OnnxRunner

XLA, FASTEST = "xla", "fastest"
ROUNDS, BUDGET = 20, 2.0  # photos each engine is given at most, and seconds after which no further round begins


def runner_of(bundle: Bundle, engine: str) -> tuple[str, AnyRunner]:
    """What runs an artifact's programs, and its name.

    Args:
        bundle: The artifact.
        engine: As for `e2e_jax.load`.

    Raises:
        ConfigError: The engine is unknown, not installed, or the artifact has no programs for it.
    """
    one_of("load", "engine", engine, (XLA, *ENGINES, FASTEST))
    xla = Runner(bundle.programs, list(bundle.params.values()))
    if engine == FASTEST:
        return _fastest(bundle, xla)
    if engine == XLA:
        return XLA, xla
    if bundle.precision != "float32":
        fix = 'leave precision out, or load it with engine="xla".'
        raise ConfigError("load: other engines have float32.", f"{engine=}, {bundle.precision}", fix)
    return engine, _opened(bundle, engine, xla)


def _opened(bundle: Bundle, engine: str, xla: Runner) -> OnnxRunner:
    return OnnxRunner(engine, bundle.onnx, bundle.programs["dense"].out_tree, xla)


def _fastest(bundle: Bundle, xla: Runner) -> tuple[str, AnyRunner]:
    """With the stored photo, engines in turn."""
    runners: dict[str, Any] = {XLA: xla}
    if "preprocess" in bundle.onnx:
        runners |= {name: _opened(bundle, name, xla) for name in _installed()}
    if len(runners) == 1:
        return XLA, xla
    photo = bundle.sample[0]["images"]
    contestants = {name: lambda runner=runner: runner.dense(photo) for name, runner in runners.items()}
    timings = interleave(contestants, repeats=ROUNDS, warmup=2, progress=False, budget=BUDGET)
    best = min(timings, key=lambda timing: timing.median).name
    return best, runners[best]


def _installed() -> list[str]:
    """Those that need not only their own packages but ONNX Runtime's."""
    return [] if missing("onnxruntime") else [name for name in ENGINES if not missing(name)]


def known_difference(bundle: Bundle, engine: str) -> float:
    """How far an engine's programs were off on the stored sample when they were written."""
    if engine == XLA or bundle.manifest.onnx is None:
        return float(bundle.manifest.precisions[bundle.precision]["difference"])
    return float(bundle.manifest.onnx["difference"]["model"])


def xla_of(runner: AnyRunner) -> Runner:
    """XLA's own programs, which hold the parts of a model apart."""
    return runner if isinstance(runner, Runner) else cast(Runner, runner.xla)
