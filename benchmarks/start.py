"""Fresh processes: import, load, first prediction, peak memory; the artifact's size; the cache of programs."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import e2e_jax as e2e
from e2e_jax import zoo
from e2e_jax.artifact.bundle import read_manifest
from e2e_jax.artifact.manifest import FORMAT

ARTIFACT = "build/efficientnet_lite0.e2e"
PHOTO = "data_samples/coffee.jpg"

IMPORT = """
import sys, time
start = time.perf_counter()
import e2e_jax
heavy = sorted({"ipywidgets", "matplotlib", "onnx"} & sys.modules.keys())
print(f"import e2e_jax: {time.perf_counter() - start:.2f} s, of ipywidgets, matplotlib and onnx: {heavy or 'none'}")
"""
FIRST = """
import resource, sys, time
start = time.perf_counter()
import e2e_jax
predictor = e2e_jax.load(sys.argv[1])
result = predictor.predict(sys.argv[2])
seconds, peak = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
print(f"import + load + first prediction: {seconds:.2f} s, peak memory {peak:.2f} GB ({result.label})")
"""
WARM = """
import sys, time
import e2e_jax
predictor = e2e_jax.load(sys.argv[1])
start = time.perf_counter()
predictor.predict(sys.argv[2])
print(time.perf_counter() - start, all(c.cached for c in predictor.compilations))
"""
ROUNDS = 3


def artifact() -> str:
    """Path of the demo's artifact, exported if it is not there or of an earlier format."""
    if not Path(ARTIFACT).exists() or read_manifest(ARTIFACT).format < FORMAT:
        e2e.export(zoo.classifier("efficientnet_lite0"), ARTIFACT)
    return ARTIFACT


def first_prediction(path: str, cache: str) -> float:
    """Seconds of the first prediction after load in a process of its own."""
    command = [sys.executable, "-c", WARM, path, PHOTO]
    environment = os.environ | {"E2E_JAX_CACHE": cache}
    done = subprocess.run(command, check=True, env=environment, capture_output=True, text=True)
    return float(done.stdout.split()[0])


def cold_and_warm(path: str) -> None:
    """An empty cache and a filled one, in turn."""
    rounds = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as cache:
            rounds.append((first_prediction(path, cache), first_prediction(path, cache)))
    cold, warm = (statistics.median(seconds) for seconds in zip(*rounds, strict=True))
    ratio = statistics.median(w / c for c, w in rounds)
    print(f"first prediction after load: {cold:.2f} s with an empty cache, {warm:.2f} s with a filled one")
    print(f"ratio {ratio:.2f} (median of {ROUNDS} rounds), goal: at most 0.5")


def main() -> None:
    path = artifact()
    print(f"\n{path}: {Path(path).stat().st_size / 1e6:.1f} MB (goal: under 20)")
    for script, goal in ((IMPORT, "under 1.5 s"), (FIRST, "under 6 s and 1.2 GB")):
        with tempfile.TemporaryDirectory() as cache:
            environment = os.environ | {"E2E_JAX_CACHE": cache}
            subprocess.run([sys.executable, "-c", script, path, PHOTO], check=True, env=environment)
        print(f"goal: {goal}")
    cold_and_warm(path)
