"""load: an artifact becomes a predictor, also when JAX no longer promises to read its programs."""

from __future__ import annotations

import datetime
import os
import warnings
from collections.abc import Callable
from typing import Any

from e2e_jax.artifact import archive, rebuild
from e2e_jax.artifact.bundle import Bundle, Stored, UnreadableProgram, assemble, programs_of, read_stored
from e2e_jax.bare import BareNetwork
from e2e_jax.choice import EngineName
from e2e_jax.errors import ArtifactError, ConfigError, known_arguments
from e2e_jax.predictor import Predictor
from e2e_jax.transforms.check import flag

WAYS_OUT = (
    "install the versions that wrote it ({versions}) and call e2e_jax.refresh there; pass the code that makes its "
    "network, load(path, factory=…); or export it again."
)


@known_arguments
def load(
    path: str | os.PathLike[str],
    *,
    precision: str | None = None,
    engine: EngineName = "xla",
    transforms: bool = True,
    factory: Callable[..., Any] | None = None,
    trust: Any = None,
) -> Predictor:
    """Opens an artifact; none of the classes it was made with is imported.

    Programs are compiled when they are first needed, and kept for later processes in the user's cache folder, by
    kind of processor. The environment variable ``E2E_JAX_CACHE`` names another folder, or is ``off``; where JAX has
    a compilation cache of its own (``jax_compilation_cache_dir``), that one is used.

    JAX promises to read programs for half a year. Older ones are tried, and taken where the stored sample gives the
    recorded answers; else they are made anew from the transforms' configs and the factory of the network. Both come
    with a warning that says to call `refresh`.

    Args:
        path: A file written by `export`, or a folder with its members.
        precision: ``"float32"``, ``"bfloat16"`` or ``"fastest"``, of those it was exported with; the most exact one
            by default. The fastest is bfloat16 on CPUs that have instructions for it. Other engines have float32.
        engine: What runs it: ``"xla"``, ``"onnxruntime"`` or ``"openvino"`` on the CPU, which need a file exported
            with ``onnx=True`` and the extra of that name, or ``"fastest"`` of those there are, found out in two
            seconds with the stored photo.
        transforms: Whether photos come in and typed results go out. ``False`` leaves the bare network: arrays that
            it takes come in, ``(b, …)``, and what it returns goes out.
        factory: Makes the network, if programs must be made anew; called with the arguments that the file records.
            A factory that the file only names is not imported, unless it belongs to `e2e_jax.zoo`: a file could
            name anything.
        trust: An Ed25519 public key, its PEM bytes or the path of its PEM file: an artifact that was not exported
            with ``sign_key`` and the private half is refused before anything is read out of it.

    Returns:
        A `Predictor` on the default device of this process.

    Raises:
        ArtifactError: There is none, it is damaged, of a newer format, not signed, or neither readable for this
            JAX nor to be made anew.
        ConfigError: It was not exported with that precision or for that engine, or does not hold the network apart;
            the engine or cryptography is not installed; or ``trust`` is no key.

    Source:
        Programs by ``jax.export``, parameters by Orbax.

    Example:
        >>> load("missing.e2e")
        Traceback (most recent call last):
        e2e_jax.errors.ArtifactError: load: the file must be a whole e2e artifact.
          Received: missing.e2e: there is no such file
          Fix: check the path, copy the file again, or export it anew.
    """
    stored = read_stored(path, trust=trust)
    bare = not flag("load", "transforms", transforms)
    if bare and engine != "xla":
        fix = "leave engine out, or run onnx/network.onnx in it."
        raise ConfigError("load: the bare network runs on XLA.", f"transforms=False, {engine=}", fix)
    bundle = _bundle(stored, precision, factory)
    return BareNetwork(bundle) if bare else Predictor(bundle, engine)


def _bundle(stored: Stored, precision: str | None, factory: Callable[..., Any] | None) -> Bundle:
    if is_fresh(stored):
        try:
            return assemble(stored, programs_of(stored), precision)
        except UnreadableProgram:
            pass  # `revived` says what else was tried
    return revived(stored, precision, factory)


def is_fresh(stored: Stored) -> bool:
    """Whether JAX still promises to read an artifact's programs.

    Raises:
        ArtifactError: The manifest's date is none.
    """
    try:
        expires = datetime.datetime.fromisoformat(stored.manifest.expires)
        return datetime.datetime.now(datetime.UTC) <= expires
    except (ValueError, TypeError) as error:  # TypeError: without a time zone
        raise archive.damaged(stored.path, f"a date that is none ({stored.manifest.expires!r:.40})") from error


def revived(stored: Stored, precision: str | None, factory: Callable[..., Any] | None) -> Bundle:
    """An artifact with old programs that still give the recorded answers, or with new ones in their place.

    Raises:
        ArtifactError: Neither is to be had.
    """
    ways = {
        "programs JAX no longer promises to read, which still give the recorded answers": lambda: programs_of(
            stored, expired=True
        ),
        "programs made anew, as the stored ones are out of date": lambda: rebuild.programs_anew(stored, factory),
    }
    failed: list[str] = []
    for what, programs in ways.items():
        try:
            loaded = programs()
        except (UnreadableProgram, ConfigError) as error:  # a damaged artifact is not tried again
            failed.append(f"{error.expected} {error.received}")
            continue
        bundle = assemble(stored, loaded, precision)
        try:
            Predictor(bundle).replay()
        except ArtifactError as error:
            failed.append(f"{error.expected} {error.received}")
            continue
        warnings.warn(f"{stored.path}: runs on {what}; call e2e_jax.refresh on it.", stacklevel=5)
        return bundle
    versions = ", ".join(f"{name} {stored.manifest.versions.get(name)}" for name in ("jax", "jaxlib"))
    expected = "load: programs must be readable, or made anew, and give the recorded answers."
    raise ArtifactError(expected, f"{stored.path}: {'; '.join(failed)}", WAYS_OUT.format(versions=versions))
