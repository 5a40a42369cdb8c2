"""e2e-jax: demo, predict, inspect, verify, refresh, bench."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from e2e_jax.bench import command as bench
from e2e_jax.errors import E2EError

OK, BAD_INPUT, USAGE = 0, 1, 2  # exit codes
ENGINES = ("xla", "onnxruntime", "openvino", "fastest")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: Without the program's name; ``sys.argv[1:]`` if absent.

    Returns:
        0, or 1 where an input was bad; a usage error exits with 2.

    Example:
        >>> main(["verify", "missing.e2e"])
        1
    """
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of files and labels may be more than the terminal can show
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = int(options.run(options))
        sys.stdout.flush()
        return code
    except E2EError as error:
        _complain(error)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("interrupted; nothing was left half written", file=sys.stderr)
        return 130  # 128 + SIGINT, as shells report it
    except BrokenPipeError:  # the reader of a pipe, e.g. head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at the end
        return OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="e2e-jax", description="End-to-end models: raw photos in, answers out.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="export EfficientNet-Lite0 and label the sample photos")
    demo.add_argument("photos", nargs="?", default="data_samples", metavar="FOLDER", help="photos to label")
    demo.add_argument("--output", default="build/efficientnet_lite0.e2e", metavar="FILE", help="the artifact")
    demo.add_argument("--onnx", action="store_true", help="also write an artifact with ONNX programs and run those")
    demo.set_defaults(run=_demo)
    predict = commands.add_parser("predict", help="label image files")
    predict.add_argument("model", metavar="MODEL", help="an .e2e artifact")
    predict.add_argument("files", nargs="+", metavar="FILE", help="images of any size")
    predict.add_argument(
        "--engine", choices=ENGINES, default="xla", metavar="NAME", help=f"one of {', '.join(ENGINES)}"
    )
    predict.add_argument("--json", action="store_true", help="one JSON object per file, with all candidates")
    predict.set_defaults(run=_predict)
    inspect = commands.add_parser("inspect", help="show what an artifact says about itself")
    inspect.add_argument("model", metavar="MODEL", help="an .e2e artifact")
    inspect.add_argument("--json", action="store_true", help="the manifest")
    inspect.set_defaults(run=_inspect)
    verify = commands.add_parser("verify", help="check on this machine what an artifact promises")
    verify.add_argument("model", metavar="MODEL", help="an .e2e artifact")
    verify.add_argument("--json", action="store_true", help="the promises and differences as JSON")
    _add_factory(verify)
    verify.set_defaults(run=_verify)
    refresh = commands.add_parser("refresh", help="write an artifact again with the JAX installed here")
    refresh.add_argument("model", metavar="MODEL", help="an .e2e artifact")
    refresh.add_argument("--output", metavar="FILE", help="where to (default: replace it)")
    _add_factory(refresh)
    refresh.set_defaults(run=_refresh)
    bench.add_to(commands)
    return parser


def _demo(options: argparse.Namespace) -> int:
    from e2e_jax import demo  # commands import what they need: --help answers at once

    return demo.run(options.output, options.photos, onnx=options.onnx)


def _predict(options: argparse.Namespace) -> int:
    from e2e_jax.loading import load

    with _status(f"loading {options.model} and compiling it for {len(options.files)} files …"):
        results = load(options.model, engine=options.engine).predict(list(options.files), on_error="skip")
    for file, result in zip(options.files, results, strict=True):
        print(json.dumps(as_json(file, result)) if options.json else as_line(file, result))
    return BAD_INPUT if any(isinstance(result, E2EError) for result in results) else OK


def as_json(file: str, result: Any) -> dict[str, Any]:
    """One prediction as plain data."""
    if isinstance(result, E2EError):
        return {"file": file, "error": str(result)}
    if not hasattr(result, "top"):
        return {"file": file, "output": {name: leaf.tolist() for name, leaf in _named(result).items()}}
    return {
        "file": file,
        "label": result.label,
        "score": result.score,
        "id": result.id,
        "top": [c._asdict() for c in result.top],
    }


def as_line(file: str, result: Any) -> str:
    """One prediction for people."""
    if isinstance(result, E2EError):
        return f"{file}: {result}"
    if not hasattr(result, "top"):
        return f"{file}: {', '.join(f'{name} {leaf.dtype}{leaf.shape}' for name, leaf in _named(result).items())}"
    return f"{file}: {result.label} ({result.score:.1%})"


def _named(outputs: Any) -> dict[str, Any]:
    from e2e_jax.artifact.sample import by_name

    return by_name(outputs)


def _inspect(options: argparse.Namespace) -> int:
    from e2e_jax.artifact.bundle import read_manifest
    from e2e_jax.artifact.card import card

    manifest = read_manifest(options.model)
    print(manifest.to_json().decode(errors="surrogatepass") if options.json else card(manifest))
    return OK


def _add_factory(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--factory", metavar="PACKAGE.MODULE:NAME", help="code of yours that makes the network, where it is needed"
    )


def _factory(options: argparse.Namespace) -> Any:
    from e2e_jax.factory import Factory

    sys.path.insert(0, os.getcwd())  # as python -m does
    return None if options.factory is None else Factory(options.factory).function


def _verify(options: argparse.Namespace) -> int:
    from e2e_jax.loading import load

    with _status(f"loading {options.model} and checking its promises …"):
        factory = _factory(options)
        found = load(options.model, factory=factory).verify(factory=factory)
    print(found.to_json() if options.json else found)
    return OK if found.passed else BAD_INPUT


def _refresh(options: argparse.Namespace) -> int:
    from e2e_jax.artifact.bundle import read_manifest
    from e2e_jax.refreshing import refresh

    path = refresh(options.model, output=options.output, factory=_factory(options))
    manifest = read_manifest(path)
    print(f"{path}: written by JAX {manifest.versions['jax']}, readable until {manifest.expires[:10]}")
    return OK


@contextlib.contextmanager
def _status(text: str) -> Iterator[None]:
    """A line on a terminal's standard error while something takes its seconds."""
    shown = sys.stderr.isatty()
    if shown:
        print(f"{text}\r", end="", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        if shown:
            print(f"{' ' * len(text)}\r", end="", file=sys.stderr, flush=True)


def _complain(error: E2EError) -> None:
    print(error, file=sys.stderr)
    for note in getattr(error, "__notes__", []):
        print(f"  ({note})", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
