"""``e2e-jax bench``: its options, and where the results go."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from e2e_jax.errors import ArtifactError, ConfigError

RUNS, BATCH = 500, 25  # of the original design's table
QUICK_RUNS, QUICK_SECONDS = 50, 32.0  # rounds stop then; the rest of a minute is for what is under way
INTERRUPTED = 130  # 128 + SIGINT, as shells report it
NETWORKS = ("resnet18", "mobilenet_v2", "efficientnet_lite0")
ENGINES = ("onnxruntime", "openvino")


def add_to(commands: Any) -> None:
    """Adds the command to a parser's subparsers; imports nothing that takes time."""
    bench = commands.add_parser("bench", help="time end to end against separate steps and other engines")
    bench.add_argument("--network", choices=NETWORKS, default=NETWORKS[0], help="which (default: %(default)s)")
    bench.add_argument("--runs", type=_count, default=RUNS, metavar="N", help="calls on one photo (default: 500)")
    bench.add_argument("--batch", type=_count, default=BATCH, metavar="N", help="photos in a batch (default: 25)")
    bench.add_argument(
        "--batch-runs",
        type=_count,
        metavar="N",
        help="calls on a batch (default: as many photos as in single calls)",
    )
    bench.add_argument(
        "--engines", metavar="A,B", help="of onnxruntime, openvino; none for neither (default: installed)"
    )
    bench.add_argument("--json", metavar="FILE", help="results as JSON; - for standard output")
    bench.add_argument("--plot", metavar="FILE.png", help="results as a chart")
    bench.add_argument("--quick", action="store_true", help="fewer calls, done within a minute on two cores")
    bench.set_defaults(run=run)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


_count.__name__ = "positive number"  # argparse shows it


def run(options: argparse.Namespace) -> int:
    """Measures, prints, writes.

    Raises:
        ConfigError: An engine is not installed, or a file cannot be written.
        ArtifactError: The contestants disagree.
    """
    from e2e_jax.bench.run import run as measure
    from e2e_jax.bench.text import as_text
    from e2e_jax.bench.work import original

    _check_plot(options.plot)
    for path in (options.json, options.plot):
        _check_place(path)
    report = measure(original(options.network), _plan(options))
    print(as_text(report), file=sys.stderr if options.json == "-" else sys.stdout, flush=True)
    if not report.complete:
        return INTERRUPTED
    if options.json == "-":
        print(report.to_json(), end="")
    elif options.json:
        _write(Path(options.json), report.to_json().encode())
    if options.plot:
        from e2e_jax.bench.plot import draw

        _write(Path(options.plot), draw(report))
    return 0


def _plan(options: argparse.Namespace) -> Any:
    """What the options ask for."""
    from e2e_jax.bench.run import Plan

    runs = min(options.runs, QUICK_RUNS) if options.quick else options.runs
    batch_runs = options.batch_runs or max(runs // options.batch, 1)
    engines = None if options.engines is None else [n.strip() for n in options.engines.split(",") if n != "none"]
    plan = Plan({1: runs} | {options.batch: batch_runs} if options.batch > 1 else {1: runs}, engines)
    return Plan(plan.runs, engines, warmup=1, limit=QUICK_SECONDS) if options.quick else plan


def _check_place(path: str | None) -> None:
    """Before minutes are spent: whether a file can be written there."""
    if path in (None, "-"):
        return
    file = Path(str(path))
    folder = file.parent
    if file.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        fix = "name a file in a folder that exists and can be written."
        raise ConfigError("bench: the results need a place.", str(path), fix)


def _check_plot(path: str | None) -> None:
    if path is None:
        return
    if Path(path).suffix.lower() != ".png":
        raise ConfigError("bench: the chart is a PNG.", path, "name it something.png.")
    if importlib.util.find_spec("matplotlib") is None:
        fix = "pip install 'e2e_jax[notebook]'"
        raise ConfigError("bench: a chart needs matplotlib.", "--plot, and no package matplotlib", fix)


def _write(path: Path, content: bytes) -> None:
    """Replaces a file in one step, or leaves what stood there.

    Raises:
        ArtifactError: The disk is full, or the folder has gone.
    """
    scratch = path.with_name(f".e2e-{path.name}-{os.getpid()}")
    try:
        scratch.write_bytes(content)
        os.replace(scratch, path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        fix = "free space or choose another place; what stood there before is unchanged."
        raise ArtifactError("bench: the results must be writable.", f"{path}: {error.strerror}", fix) from error
