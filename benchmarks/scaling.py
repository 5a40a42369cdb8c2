"""Time and memory by batch and by size of the photo; each point in a process of its own, for an honest peak."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

import e2e_jax as e2e
from e2e_jax.bench.work import SIDE, original
from e2e_jax.benchmark import conditions, interleave

NETWORK = "resnet18"
BATCHES = (1, 2, 4, 8, 16, 32, 64)  # of photos of SIDE
SIDES = (64, 128, 256, 512, 1024, 2048)  # pixels, one photo
SECONDS = 4.0  # of rounds per point
ROUNDS = 20
HEAD = "| batch | side | ms per photo | p95 | peak memory | of it, per photo |\n|---|---|---|---|---|---|"


def main() -> str:
    points = [(batch, SIDE) for batch in BATCHES] + [(1, side) for side in SIDES]
    with tempfile.TemporaryDirectory() as folder:
        path = e2e.export(original(NETWORK).model, Path(folder, "scaling.e2e"), progress=False)
        found = [_in_process(path, *point) for point in tqdm(points, "scaling", leave=False)]
    title = f"ResNet-18, {SIDE}x{SIDE} unless said, resized to 224x224, normalised, to logits. {conditions()}."
    note = (
        "Peak memory: of the whole process. Of it, per photo: beyond the loaded model, with the compiler's share."
    )
    text = "\n".join([title, note, "", HEAD, *map(_line, found)])
    print(f"\n{text}")
    return text


def _line(point: dict[str, Any]) -> str:
    cells = (point["batch"], point["side"], f"{point['median']:.1f}", f"{point['p95']:.1f}",
             f"{point['peak']:.0f} MB", f"{point['per_photo']:.1f} MB")  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def _in_process(path: Path, batch: int, side: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.scaling", str(path), str(batch), str(side)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def point(path: str, batch: int, side: int) -> dict[str, Any]:
    """One point, in this process."""
    predictor = e2e.load(path)
    photos = np.random.default_rng(0).integers(0, 256, (batch, side, side, 3), dtype=np.uint8)
    loaded = _memory("VmRSS")
    (timing,) = interleave({"": lambda: predictor.outputs(photos)}, repeats=ROUNDS, progress=False, budget=SECONDS)
    peak = _memory("VmHWM")
    return {
        "batch": batch,
        "side": side,
        "median": timing.median / batch,
        "p95": timing.p95 / batch,
        "peak": peak,
        "per_photo": (peak - loaded) / batch,
    }


def _memory(field: str) -> float:
    """Of this process, in megabytes: VmRSS now, VmHWM at most so far."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return float(line.split()[1]) / 1e3  # kB


if __name__ == "__main__":
    print(json.dumps(point(sys.argv[1], *map(int, sys.argv[2:]))))
