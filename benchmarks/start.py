"""Fresh processes: import, load, first prediction, peak memory; and the artifact's size."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import e2e_jax as e2e
from e2e_jax import zoo

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


def artifact() -> str:
    """Path of the demo's artifact, exported if it is not there."""
    if not Path(ARTIFACT).exists():
        e2e.export(zoo.classifier("efficientnet_lite0"), ARTIFACT)
    return ARTIFACT


def main() -> None:
    path = artifact()
    print(f"\n{path}: {Path(path).stat().st_size / 1e6:.1f} MB (goal: under 20)")
    for script, goal in ((IMPORT, "under 1.5 s"), (FIRST, "under 6 s and 1.2 GB")):
        subprocess.run([sys.executable, "-c", script, path, PHOTO], check=True)
        print(f"goal: {goal}")
