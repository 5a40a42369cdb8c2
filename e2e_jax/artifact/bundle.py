"""An artifact read back into memory: manifest, parameters on the device, programs, samples."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import export as jax_export

from e2e_jax.artifact import archive, params, programs, sample
from e2e_jax.artifact.manifest import Manifest
from e2e_jax.compiler import fastest_precision
from e2e_jax.errors import ArtifactError, ConfigError
from e2e_jax.lowering.product import PRECISIONS
from e2e_jax.transforms.base import Transform
from e2e_jax.transforms.classify import Postprocess
from e2e_jax.transforms.stored import known_steps


@dataclasses.dataclass(frozen=True)
class Bundle:
    """What an ``.e2e`` artifact holds, checked.

    Args:
        path: Where it was read from.
        manifest: Its own description.
        params: Parameters by path, in the order the programs take them.
        programs: Program name to program, those of the chosen precision under their plain names.
        precision: The chosen one.
        preprocess: The transforms that this process knows, for size checks on the host.
        postprocess: The post-processor, for its host half.
        sample: Stored input and expected outputs.
        onnx: Name to ONNX program, where there are some.
    """

    path: Path
    manifest: Manifest
    params: dict[tuple[str, ...], jax.Array]
    programs: dict[str, jax_export.Exported]
    precision: str
    preprocess: Transform
    postprocess: Postprocess | None
    sample: tuple[dict[str, np.ndarray], dict[str, np.ndarray]]
    onnx: dict[str, bytes]


def read_bundle(path: str | os.PathLike[str], precision: str | None = None) -> Bundle:
    """Reads an artifact; format, hashes and member names are checked before anything is used.

    Args:
        path: Of a file or folder.
        precision: Of the programs: one that is stored, ``"fastest"`` for this machine of those, or ``None`` for
            the most exact one.

    Raises:
        ArtifactError: There is none, it is damaged, or of a newer format.
        ConfigError: The precision is not stored in it.
    """
    file = archive.as_path("load", path)
    manifest, members = _read(file)
    chosen = _chosen(file, manifest, precision)
    try:
        return _assemble(file, manifest, members, chosen)
    except ArtifactError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise archive.damaged(file, f"a manifest that contradicts itself ({error})") from error


def read_manifest(path: str | os.PathLike[str]) -> Manifest:
    """Only what an artifact says about itself, after the same checks of names and hashes.

    Raises:
        ArtifactError: As `read_bundle`.
    """
    return _read(archive.as_path("inspect", path))[0]


def _read(file: Path) -> tuple[Manifest, dict[str, bytes]]:
    members = archive.read(file)
    return Manifest.from_members(file, members), members


def _chosen(path: Path, manifest: Manifest, precision: str | None) -> str:
    stored = [known for known in PRECISIONS if known in manifest.precisions]
    if not stored:
        raise archive.damaged(
            path, f"no precision that this release knows: {', '.join(manifest.precisions) or 'none'}"
        )
    wanted = fastest_precision() if precision == "fastest" else precision
    if precision in (None, "fastest") and wanted not in stored:
        return stored[0]
    if wanted in stored:
        return wanted
    fix = f"one of {', '.join([*stored, 'fastest'])}, or export with precision={PRECISIONS!r}."
    raise ConfigError("load: the precision must be one that is stored.", f"{precision!r} of {path}", fix)


def _assemble(path: Path, manifest: Manifest, members: dict[str, bytes], precision: str) -> Bundle:
    samples = manifest.samples
    loaded = {kind: _program(path, members[record["member"]]) for kind, record in manifest.programs.items()}
    if wrong := contradiction(manifest, loaded):
        raise archive.damaged(path, wrong)
    return Bundle(
        path=path,
        manifest=manifest,
        params=params.restore(path, members, manifest.params),
        programs=variant(loaded, precision),
        precision=precision,
        preprocess=known_steps(manifest.preprocess),
        postprocess=_postprocess(manifest),
        sample=(sample.unpack(path, members[samples["input"]]), sample.unpack(path, members[samples["outputs"]])),
        onnx={name: members[member] for name, member in (manifest.onnx or {"members": {}})["members"].items()},
    )


def variant(loaded: dict[str, Any], precision: str) -> dict[str, Any]:
    """Program name to program for one precision, under plain names; with what all precisions share."""
    suffix = programs.suffix_of(precision)
    own = {kind: loaded[kind + suffix] for kind in OF_NETWORK if kind + suffix in loaded}
    return own | {kind: loaded[kind] for kind in SHARED if kind in loaded}


def contradiction(manifest: Manifest, loaded: dict[str, jax_export.Exported]) -> str | None:
    """Where programs and manifest disagree about shapes and dtypes, or ``None``."""
    groups = {precision: variant(loaded, precision) for precision in manifest.precisions}
    named = {kind + programs.suffix_of(precision) for precision in groups for kind in OF_NETWORK} | set(SHARED)
    sets = ({"dense"}, {"dense", "ragged", "network"})
    if (
        not groups
        or loaded.keys() - named
        or any(g.keys() - {"inverse", "prepare"} not in sets for g in groups.values())
    ):
        return f"the programs {', '.join(loaded) or 'none'} are not a set this release runs"
    return next((wrong for group in groups.values() if (wrong := _contradiction(manifest, group))), None)


def _contradiction(manifest: Manifest, loaded: dict[str, jax_export.Exported]) -> str | None:
    leaves = [(tuple(leaf["shape"]), leaf["dtype"]) for leaf in manifest.params]
    if "prepare" in loaded:
        if _kinds(loaded["prepare"].in_avals) != leaves:
            return "the prepare program does not take the parameters the manifest describes"
        leaves = _kinds(loaded["prepare"].out_avals)
    for kind in loaded.keys() & {"dense", "network"}:
        if _kinds(loaded[kind].in_avals[:-1]) != leaves:
            return f"the {kind} program does not take the parameters the manifest describes"
    photos = manifest.signature["inputs"]["images"]
    wanted, dtype = tuple(photos["shape"]), photos["dtype"]
    for kind, place in {"dense": -1, "ragged": 0}.items():
        if kind in loaded and _kind(loaded[kind].in_avals[place]) != (wanted, dtype):
            return f"the {kind} program does not take images {dtype}{list(wanted)}"
    if "ragged" in loaded and _kind(loaded["ragged"].out_avals[0]) != _kind(loaded["network"].in_avals[-1]):
        return "the network program does not take what the ragged program returns"
    if "inverse" in loaded and _kinds(loaded["inverse"].in_avals) != INVERSE_TAKES:
        return "the inverse program does not take sizes, boxes and key points"
    return None


#: Programs there are for each precision, and those that all share.
OF_NETWORK, SHARED = ("prepare", "dense", "network"), ("ragged", "inverse")
INVERSE_TAKES = [(("b", 2), "int32"), (("b", "n", 4), "float32"), (("b", "m", 2), "float32")]


def _kinds(avals: Any) -> list[tuple[tuple[int | str, ...], str]]:
    return [_kind(aval) for aval in avals]


def _kind(aval: Any) -> tuple[tuple[int | str, ...], str]:
    return tuple(n if isinstance(n, int) else str(n) for n in aval.shape), aval.dtype.name


def _postprocess(manifest: Manifest) -> Postprocess | None:
    config: dict[str, Any] | None = manifest.postprocess
    return None if config is None else Postprocess.from_config(config | {"labels": manifest.labels})


def _program(path: Path, content: bytes) -> jax_export.Exported:
    try:
        return programs.deserialize(content)
    except Exception as error:  # flatbuffers and MLIR raise whatever the bytes lead them to
        fix = "load it with the JAX release that wrote it (see `e2e-jax inspect`) and export it again."
        raise ArtifactError("load: this JAX must be able to read the programs.", f"{path}: {error}", fix) from error
