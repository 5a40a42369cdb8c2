"""refresh: an artifact of an earlier release is written again by the present one."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
from jax import export as jax_export

from e2e_jax.artifact import archive, describe, rebuild
from e2e_jax.artifact.build import STEPS, build
from e2e_jax.artifact.bundle import Stored, assemble, programs_of, read_stored, sample_of
from e2e_jax.artifact.export import steps
from e2e_jax.artifact.manifest import Manifest
from e2e_jax.artifact.plan import plan_of
from e2e_jax.errors import ConfigError, known_arguments
from e2e_jax.predictor import Predictor


@known_arguments
def refresh(
    path: str | os.PathLike[str],
    *,
    output: str | os.PathLike[str] | None = None,
    factory: Callable[..., Any] | None = None,
    progress: bool = True,
) -> Path:
    """Writes an artifact again with the present JAX, so that it stays readable for another half year.

    Where there is code for its network and transforms, it is exported anew from their configs and the stored
    parameters. Otherwise the stored programs are written again by this JAX, as long as it can read them. Name,
    labels, date of creation, step, metadata and the stored sample stay; the result must give the sample's recorded
    answers, in every precision, or nothing is written.

    Args:
        path: Of the artifact.
        output: Where to; the artifact itself is replaced in one step if absent, which only a file can be.
        factory: Makes the network, called with the arguments that the file records, see `e2e_jax.load`.
        progress: Show a bar where it takes over a second.

    Returns:
        Where it was written.

    Raises:
        ArtifactError: It cannot be read, there is nothing to write it from, the answers differ, or the place cannot
            be written; what stood there is unchanged.
        ConfigError: A folder shall be replaced, or the factory makes another network.

    Example:
        >>> import tempfile, numpy as np, e2e_jax as e2e
        >>> from e2e_jax import transforms as T
        >>> net = (lambda params, x: x.mean((1, 2)) @ params, np.eye(3, 2, dtype=np.float32))
        >>> model = e2e.EndToEnd(T.Compose([T.Resize((8, 8)), T.ToTensor()]), net, T.Classify(["red", "green"]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = e2e.export(model, Path(folder, "tiny.e2e"), progress=False, step=7)
        ...     e2e.load(refresh(path, progress=False)).manifest.step
        7
    """
    stored = read_stored(path, "refresh")
    target = archive.as_path("refresh", path if output is None else output)
    if target.is_dir():
        fix = "pass output= with the name of a file, or of a folder that does not exist."
        raise ConfigError("refresh: a folder cannot be replaced in one step.", str(target), fix)
    with steps("refresh", STEPS + 2, progress) as step:
        members = _written_anew(stored, factory, step, progress)
        step("replaying the sample", lambda: _check(stored, members))
        step("writing", lambda: archive.write(target, members, directory=stored.path.is_dir()))
    return target


def _written_anew(stored: Stored, factory: Any, step: Any, progress: bool) -> dict[str, bytes]:
    """From code where there is any, else from the programs."""
    try:
        model = rebuild.model_of(stored, factory)
        plan = dataclasses.replace(plan_of(stored.manifest), sample=sample_of(stored))
    except ConfigError:
        if factory is not None:
            raise
        return step("writing programs", lambda: _programs_again(stored))
    members = build(model, plan, step, progress=progress)
    made = Manifest.from_members(stored.path, members)
    kept = _onnx_members(stored)  # these do not expire
    hashes = made.members | {name: stored.manifest.members[name] for name in kept}
    said = dataclasses.replace(made, created=stored.manifest.created, onnx=stored.manifest.onnx, members=hashes)
    return members | kept | _manifest(said)


def _onnx_members(stored: Stored) -> dict[str, bytes]:
    record: Any = stored.manifest.onnx or {"members": {}}
    return {name: stored.members[name] for name in record["members"].values()}


def _manifest(manifest: Manifest) -> dict[str, bytes]:
    return {archive.MANIFEST: manifest.to_json()}


def _programs_again(stored: Stored) -> dict[str, bytes]:
    """The members, with the programs as this JAX writes them."""
    manifest = stored.manifest
    again = {
        manifest.programs[kind]["member"]: _again(program)
        for kind, program in programs_of(stored, expired=True).items()
    }
    members = {name: data for name, data in (stored.members | again).items() if name != archive.MANIFEST}
    renewed = dataclasses.replace(
        manifest,
        expires=describe.expiry(),
        versions=manifest.versions | describe.versions(),
        members={name: archive.digest(data) for name, data in members.items()},
    )
    return _manifest(renewed) | members


def _again(program: jax_export.Exported) -> bytes:
    shapes = [jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in program.in_avals]
    args, kwargs = jax.tree.unflatten(program.in_tree, shapes)
    exported = jax_export.export(jax.jit(program.call), platforms=program.platforms)(*args, **kwargs)
    return bytes(exported.serialize(vjp_order=int(program.has_vjp())))


def _check(old: Stored, members: dict[str, bytes]) -> None:
    """Every precision must give the recorded answers, within what was recorded of it before."""
    manifest = Manifest.from_members(old.path, members)
    new = Stored(old.path, dataclasses.replace(manifest, precisions=old.manifest.precisions), members)
    loaded = programs_of(new)
    for precision in new.manifest.precisions:
        Predictor(assemble(new, loaded, precision)).replay()
