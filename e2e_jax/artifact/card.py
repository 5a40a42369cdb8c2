"""The manifest for people."""

from __future__ import annotations

import json
import math
from typing import Any

import jax.numpy as jnp

from e2e_jax.artifact.manifest import Manifest
from e2e_jax.transforms.stored import step_lines


def card(manifest: Manifest) -> str:
    """What an artifact takes, does and returns, on one page.

    Args:
        manifest: Of the artifact.

    Returns:
        Text of about twenty lines.
    """
    numbers = sum(math.prod(leaf["shape"]) for leaf in manifest.params)
    size = sum(math.prod(leaf["shape"]) * jnp.dtype(leaf["dtype"]).itemsize for leaf in manifest.params) / 1e6  # MB
    blocks = [
        [f"{manifest.name}   (e2e artifact, format {manifest.format})"],
        _section("takes", [_line(name, spec) for name, spec in manifest.signature["inputs"].items()]),
        _section("steps", step_lines(manifest.preprocess) or ["none"]),
        _section("network", [f"{numbers:,} parameters in {len(manifest.params)} arrays, {size:.3g} MB"]),
        *(_section(name, step_lines(config) or ["none"]) for name, config in manifest.pipelines.items()),
        _section("finish", [_finish(manifest)]),
        _section("returns", [_line(name, spec) for name, spec in manifest.signature["outputs"].items()]),
        _section("runs", [f"{kind} on {', '.join(p['platforms'])}" for kind, p in manifest.programs.items()]),
        *([_section("onnx", [_onnx(manifest.onnx)])] if manifest.onnx else []),
        _section("accuracy", [_accuracy(*pair) for pair in manifest.precisions.items()]),
        *_recorded(manifest),
        _section("made", [manifest.created, ", ".join(f"{k} {v}" for k, v in manifest.versions.items())]),
        _section("readable", [f"by other JAX releases until {manifest.expires[:10]}"]),
        _section("rebuilt", [_rebuilt(manifest)]),
        _section("use", [f'e2e_jax.load("{manifest.name}.e2e").predict("photo.jpg")']),
    ]
    return "\n".join(line for block in blocks for line in block)


def _recorded(manifest: Manifest) -> list[list[str]]:
    """What the author said, where anything was."""
    said = {"step": manifest.step, "epoch": manifest.epoch, "revision": manifest.revision}
    lines = [f"{name} {value}" for name, value in said.items() if value is not None]
    lines += [f"{name}: {json.dumps(value, ensure_ascii=False)[:80]}" for name, value in manifest.metadata.items()]
    return [_section("said", lines)] if lines else []


def _rebuilt(manifest: Manifest) -> str:
    made = (manifest.rebuild or {}).get("network")
    if made is None:
        return "from its programs only; the network's code is not named"
    arguments = ", ".join(f"{name}={value!r}" for name, value in made["arguments"].items())
    return f"by {made['factory']}({arguments})"


def _section(title: str, lines: list[str]) -> list[str]:
    return [f"{title if i == 0 else '':10}{line}" for i, line in enumerate(lines)]


def _line(name: str, spec: dict[str, Any]) -> str:
    values = " in {}..{}".format(*spec["range"]) if "range" in spec else ""
    return f"{name}: {spec['dtype']}[{', '.join(str(n) for n in spec['shape'])}]{values}"


def _accuracy(precision: str, found: dict[str, Any]) -> str:
    off, same = found["difference"], found["agreement"]
    return f"{precision}: off by at most {off:.2g} on the stored sample, same first answer for {same:.0%}"


def _onnx(record: dict[str, Any]) -> str:
    off = ", ".join(f"{name} {value:.2g}" for name, value in record["difference"].items())
    return f"{record['kind']} in opset {record['opset']}; off on the stored sample: {off}"


def _finish(manifest: Manifest) -> str:
    if manifest.postprocess is None:
        return "none: the network's own output"
    options = ", ".join(f"{name}={value!r}" for name, value in manifest.postprocess.items() if name != "type")
    labels = f" over {len(manifest.labels)} labels ({', '.join(manifest.labels[:3])}, …)" if manifest.labels else ""
    return f"{manifest.postprocess['type']}({options}){labels}"
