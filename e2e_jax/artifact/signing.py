"""Detached signatures: who made an artifact, checked before anything in it is read.

Beside ``model.e2e`` lies ``model.e2e.sig``, JSON of the form ``{"format": 1, "algorithm": "ed25519", "signs":
"manifest.json", "signatures": ["hexadecimal", …]}``. What is signed is `CONTEXT` and the bytes of
``manifest.json``. That covers everything: the manifest holds the sha256 of all other members, and `load` refuses a
member that is missing, surplus or different. It holds for a file and for a folder alike, and outlives a copy from
one form to the other.

A file and its signature cannot be replaced in one step. The signature is written first, and keeps those that stood
there before: so that at every moment the artifact at the path, old or new, has one that fits. Two processes that
sign for one path at the same moment may lose one of the two signatures; then `load` refuses, and one exports again.
Whoever may write to the folder can put an older artifact of the same signer back: a signature does not tell which
is the newest.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from e2e_jax.artifact.archive import unwritable
from e2e_jax.artifact.scratch import scratch_folder
from e2e_jax.errors import ArtifactError, ConfigError

SUFFIX = ".sig"
CONTEXT = b"e2e_jax artifact, signature format 1\n"  # so that no signature of something else fits
KEPT = 4  # signatures in one file: the new one, and those of artifacts that stood there before
LIMIT = 1 << 14  # bytes of the file, or of a key; four signatures take 700
HEADER = {"format": 1, "algorithm": "ed25519", "signs": "manifest.json"}


def signature_path(path: Path) -> Path:
    """Where the signature of an artifact lies: beside it."""
    return path.with_name(path.name + SUFFIX)


def private_key(given: Any) -> Any:
    """A key to sign with.

    Args:
        given: An ``Ed25519PrivateKey``, PEM bytes, or the path of a PEM file; not encrypted.

    Raises:
        ConfigError: It is none, or the package ``cryptography`` is missing.

    Source:
        RFC 8032, by the package ``cryptography``.

    Example:
        >>> from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        >>> key = Ed25519PrivateKey.generate()
        >>> private_key(key.private_bytes_raw().hex())
        Traceback (most recent call last):
        e2e_jax.errors.ConfigError: export: sign_key must be an Ed25519 private key.
          Received: ...: No such file or directory
          Fix: pass the key, its PEM bytes, or the path of its PEM file.
    """
    return _key("export", "sign_key", "private", given)


def public_key(given: Any) -> Any:
    """A key to check signatures with.

    Args:
        given: An ``Ed25519PublicKey``, PEM bytes, or the path of a PEM file.

    Raises:
        ConfigError: It is none, or the package ``cryptography`` is missing.
    """
    return _key("load", "trust", "public", given)


@contextlib.contextmanager
def signed(path: Path, manifest: bytes, key: Any) -> Iterator[None]:
    """Adds a signature before an artifact is written in the body, and takes it back where that fails.

    Args:
        path: Of the artifact.
        manifest: The bytes of its manifest.
        key: From `private_key`; ``None`` to sign nothing.

    Raises:
        ArtifactError: There is no room.

    Example:
        >>> import tempfile
        >>> from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        >>> key = Ed25519PrivateKey.generate()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with signed(Path(folder, "a.e2e"), b"{}", key):
        ...         pass  # here the artifact is written
        ...     verify(Path(folder, "a.e2e"), b"{}", key.public_key())
        ...     verify(Path(folder, "a.e2e"), b"[]", key.public_key())
        Traceback (most recent call last):
        e2e_jax.errors.ArtifactError: load: the artifact must be signed by the key in trust.
          Received: ...a.e2e.sig does not fit
          Fix: get the artifact and its .sig from who made it, or check that trust is their public key.
    """
    if key is None:
        yield
        return
    place, new = signature_path(path), key.sign(CONTEXT + manifest).hex()
    before = _stored(place)
    _store(place, [new, *before][:KEPT])
    try:
        yield
    except BaseException:
        _store(place, before)
        raise


def _store(place: Path, signatures: list[str]) -> None:
    """Replaces a file of signatures in one step; removes it where there are none."""
    try:
        if not signatures:
            return place.unlink(missing_ok=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(place.parent) as scratch:
            with open(scratch / "new", "w", encoding="utf-8") as file:
                json.dump(HEADER | {"signatures": signatures}, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.replace(scratch / "new", place)
    except (OSError, ValueError) as error:
        raise unwritable(place, error) from error


def verify(path: Path, manifest: bytes, key: Any) -> None:
    """Refuses an artifact that the holder of a key did not sign.

    Args:
        path: Of the artifact.
        manifest: The bytes of its manifest; nothing has been read out of them yet.
        key: From `public_key`.

    Raises:
        ArtifactError: There is no signature beside it, or none by that key for these bytes.
    """
    from cryptography.exceptions import InvalidSignature

    place = signature_path(path)
    for signature in _stored(place):
        try:
            key.verify(bytes.fromhex(signature), CONTEXT + manifest)
            return
        except (InvalidSignature, ValueError):
            continue
    found = "does not fit" if place.is_file() else "is missing"
    fix = "get the artifact and its .sig from who made it, or check that trust is their public key."
    raise ArtifactError("load: the artifact must be signed by the key in trust.", f"{place} {found}", fix)


def _stored(place: Path) -> list[str]:
    """The signatures in a file, none where there is no such file or it is something else."""
    try:
        with open(place, "rb") as file:
            fields: Any = json.loads(file.read(LIMIT))
    except (OSError, ValueError, RecursionError):
        return []
    if not isinstance(fields, dict) or {name: fields.get(name) for name in HEADER} != HEADER:
        return []
    signatures = fields.get("signatures")
    if not isinstance(signatures, list) or fields.keys() != HEADER.keys() | {"signatures"}:
        return []
    return [one for one in signatures[:KEPT] if isinstance(one, str)]


def _key(call: str, name: str, half: str, given: Any) -> Any:
    ed25519, serialization = _cryptography(call, name)
    kind = ed25519.Ed25519PrivateKey if half == "private" else ed25519.Ed25519PublicKey
    found = _loaded(serialization, half, given) if isinstance(given, bytes | str | os.PathLike) else given
    if not isinstance(found, kind):
        received = found if isinstance(found, str) else type(found).__name__  # never the key itself
        fix = "pass the key, its PEM bytes, or the path of its PEM file."
        raise ConfigError(f"{call}: {name} must be an Ed25519 {half} key.", received, fix)
    return found


def _loaded(serialization: Any, half: str, given: bytes | str | os.PathLike[str]) -> Any:
    """A key of whatever kind, or why there is none."""
    try:
        if not isinstance(given, bytes):
            with open(given, "rb") as file:
                given = file.read(LIMIT)
    except (OSError, ValueError) as error:
        return f"{type(given).__name__}: {getattr(error, 'strerror', None) or error}"
    try:
        if half == "private":
            return serialization.load_pem_private_key(given, password=None)
        return serialization.load_pem_public_key(given)
    except Exception as error:  # cryptography has a dozen kinds for what is no key
        return f"{type(error).__name__}: no PEM of an unencrypted {half} key"


def _cryptography(call: str, name: str) -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        fix = "pip install 'e2e_jax[sign]'."
        raise ConfigError(f"{call}: {name} needs the package cryptography.", str(error), fix) from error
    return ed25519, serialization
