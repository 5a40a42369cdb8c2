"""An artifact read back into memory: manifest, parameters on the device, programs, samples."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import export as jax_export

from e2e_jax.artifact import archive, params, programs, sample, signing
from e2e_jax.artifact.consistency import contradiction
from e2e_jax.artifact.manifest import Manifest
from e2e_jax.artifact.screening import screen
from e2e_jax.compiler import fastest_precision
from e2e_jax.errors import SHOWN, ArtifactError, ConfigError
from e2e_jax.lowering.product import PRECISIONS
from e2e_jax.transforms.base import Transform
from e2e_jax.transforms.classify import Postprocess
from e2e_jax.transforms.stored import known_steps

PARTS_SINCE = 3  # format


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

    @property
    def has_parts(self) -> bool:
        """Whether transforms, network and post-processor can each be run by itself."""
        return self.manifest.format >= PARTS_SINCE and "network" in self.programs


class UnreadableProgram(ArtifactError):
    """A program of another release of JAX, or no program; whatever else is wrong is an `ArtifactError`."""


class Stored(NamedTuple):
    """An artifact as it was read: format, hashes and member names are checked, and nothing else is used yet."""

    path: Path
    manifest: Manifest
    members: dict[str, bytes]


def read_stored(path: str | os.PathLike[str], call: str = "load", trust: Any = None) -> Stored:
    """Reads an artifact's bytes.

    Args:
        path: Of a file or folder.
        call: Whose argument it is, for errors.
        trust: A public key: nothing is read out of the artifact unless its holder signed it.

    Raises:
        ArtifactError: There is none, it is damaged, of a newer format, or not signed with the key.
        ConfigError: The key is none.
    """
    file = archive.as_path(call, path)
    trusted = None if trust is None else signing.public_key(trust)
    members = archive.read(file)
    if trusted is not None:
        signing.verify(file, members[archive.MANIFEST], trusted)
    return Stored(file, Manifest.from_members(file, members), members)


def read_manifest(path: str | os.PathLike[str]) -> Manifest:
    """Only what an artifact says about itself, after the same checks of names and hashes.

    Raises:
        ArtifactError: As `read_stored`.
    """
    return read_stored(path, "inspect").manifest


def read_bundle(path: str | os.PathLike[str], precision: str | None = None) -> Bundle:
    """Reads an artifact whose programs JAX promises to read.

    Args:
        path: Of a file or folder.
        precision: Of the programs: one that is stored, ``"fastest"`` for this machine of those, or ``None`` for
            the most exact one.

    Raises:
        ArtifactError: There is none, it is damaged, of a newer format, or unreadable for this JAX.
        ConfigError: The precision is not stored in it.
    """
    stored = read_stored(path)
    return assemble(stored, programs_of(stored), precision)


def programs_of(stored: Stored, *, expired: bool = False) -> dict[str, jax_export.Exported]:
    """The programs of an artifact.

    Args:
        stored: The artifact.
        expired: Read also what JAX no longer promises to run as it was meant.

    Raises:
        ArtifactError: This JAX cannot read one.
    """
    with _consistent(stored.path):
        named = {kind: stored.members[record["member"]] for kind, record in stored.manifest.programs.items()}
    return {kind: _program(stored.path, content, expired) for kind, content in named.items()}


def assemble(stored: Stored, loaded: dict[str, jax_export.Exported], precision: str | None) -> Bundle:
    """An artifact ready to run, with these programs.

    Raises:
        ArtifactError: The programs do not fit the manifest, or the parameters cannot be read.
        ConfigError: The precision is not stored in it.
    """
    path, manifest, members = stored
    chosen = _chosen(path, manifest, precision)
    with _consistent(path):
        if wrong := contradiction(manifest, loaded):
            raise archive.damaged(path, wrong)
        return Bundle(
            path=path,
            manifest=manifest,
            params=params.restore(path, members, manifest.params),
            programs=programs.variant(loaded, chosen),
            precision=chosen,
            preprocess=known_steps(manifest.preprocess),
            postprocess=postprocess_of(manifest),
            sample=sample_of(stored),
            onnx={name: members[member] for name, member in (manifest.onnx or {"members": {}})["members"].items()},
        )


def sample_of(stored: Stored) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The stored input and its outputs.

    Raises:
        ArtifactError: They cannot be read.
    """
    names = stored.manifest.samples
    inputs, outputs = (sample.unpack(stored.path, stored.members[names[kind]]) for kind in ("input", "outputs"))
    if not sample.fits(inputs, stored.manifest.signature["inputs"]):
        raise archive.damaged(stored.path, "a stored sample that does not fit the signature")
    return inputs, outputs


@contextlib.contextmanager
def _consistent(path: Path) -> Iterator[None]:
    """What a manifest leads to that contradicts itself is a damaged artifact."""
    try:
        yield
    except ArtifactError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise archive.damaged(path, f"a manifest that contradicts itself ({error})") from error


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


def postprocess_of(manifest: Manifest) -> Postprocess | None:
    """From its config and the labels."""
    config: dict[str, Any] | None = manifest.postprocess
    return None if config is None else Postprocess.from_config(config | {"labels": manifest.labels})


def _program(path: Path, content: bytes, expired: bool) -> jax_export.Exported:
    try:
        screen(content)
    except ValueError as error:
        raise archive.damaged(path, str(error)) from error
    try:
        return programs.deserialize(content, expired=expired)
    except Exception as error:  # flatbuffers and MLIR raise whatever the bytes lead them to
        fix = "load it with the JAX release that wrote it (see `e2e-jax inspect`) and export it again."
        expected = "load: this JAX must be able to read the programs."
        raise UnreadableProgram(expected, f"{path}: {str(error)[:SHOWN]}", fix) from error
