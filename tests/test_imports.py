"""What importing the package loads, and what it leaves for those who need it."""

import json
import subprocess
import sys

LATER = {
    "ipywidgets",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "openvino",
    "jax2onnx",
    "orbax",
    "tensorstore",
    "torch",
    "cv2",
    "pytest",
}


def modules_after(statement: str) -> set[str]:
    """Top-level packages in a fresh interpreter."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted({{n.partition('.')[0] for n in sys.modules}})))"
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_everything_public_loads_no_heavy_package():
    found = modules_after("import e2e_jax, e2e_jax.transforms, e2e_jax.zoo, e2e_jax.cli, e2e_jax.benchmark")
    assert found >= {"e2e_jax", "jax", "flax", "PIL"}
    assert found & LATER == set()
