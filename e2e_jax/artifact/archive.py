"""One file, or the same tree as a folder: named members, written whole or not at all, read with suspicion."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from e2e_jax.errors import ArtifactError, ConfigError

MANIFEST = "manifest.json"
MANIFEST_LIMIT = 64 << 20  # bytes; a million class names fit
TIMESTAMP = (1980, 1, 1, 0, 0, 0)  # the zip format's first date: equal members make equal files
SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*(/[A-Za-z0-9_][A-Za-z0-9_.\-]*)*")


def write(path: Path, members: Mapping[str, bytes], *, directory: bool = False) -> None:
    """Writes members so that ``path`` holds all of them or what it held before.

    Args:
        path: Where to; an existing file is replaced, an existing folder is not.
        members: Name to content; the manifest under `MANIFEST`.
        directory: Write a folder rather than one uncompressed zip.

    Raises:
        ArtifactError: The place cannot be written, or the disk is full.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write(Path(folder, "a.e2e"), {"manifest.json": b"{}", "x/y": b"1"})
        ...     read(Path(folder, "a.e2e"))["x/y"]
        b'1'
    """
    try:
        if path.is_dir():
            fix = "choose another name, or remove the folder first."
            raise ArtifactError("export: the path must not be an existing folder.", str(path), fix)
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".e2e-", dir=path.parent))
    except ArtifactError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a null character
        raise unwritable(path, error) from error
    try:
        (_write_folder if directory else _write_zip)(scratch / "new", members)
        os.replace(scratch / "new", path)
    except (OSError, ValueError) as error:
        raise unwritable(path, error) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _write_zip(path: Path, members: Mapping[str, bytes]) -> None:
    with open(path, "wb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, content in members.items():
                archive.writestr(zipfile.ZipInfo(name, TIMESTAMP), content)
        file.flush()
        os.fsync(file.fileno())


def _write_folder(path: Path, members: Mapping[str, bytes]) -> None:
    for name, content in members.items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def unwritable(path: Path, error: Exception) -> ArtifactError:
    """The error of an artifact that found no room."""
    fix = "free space or choose another place; what stood there before is unchanged."
    found = f"{path}: {getattr(error, 'strerror', None) or str(error)[:200]}"
    return ArtifactError("export: the artifact must be writable.", found, fix)


def as_path(call: str, path: object) -> Path:
    """A path from what a caller passed as one.

    Raises:
        ConfigError: It is neither a str nor a `Path`.
    """
    if not isinstance(path, str | os.PathLike):
        fix = "pass the name of an .e2e file as a str or Path."
        raise ConfigError(f"{call}: the path must be a path.", f"path={repr(path)[:80]}", fix)
    return Path(path)


def read(path: Path) -> dict[str, bytes]:
    """All members of an artifact, whose names are safe to use below any folder.

    Raises:
        ArtifactError: There is no artifact, it is damaged, compressed, or has unsafe or doubled names.
    """
    try:
        if not path.is_file() and not path.is_dir():
            raise damaged(path, "there is no such file" if not path.exists() else "no regular file")
        members = _read_folder(path) if path.is_dir() else _read_zip(path)
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        if isinstance(error, ArtifactError):
            raise
        raise damaged(path, str(error) or type(error).__name__) from error
    if MANIFEST not in members or len(members[MANIFEST]) > MANIFEST_LIMIT:
        raise damaged(path, f"no {MANIFEST} of at most {MANIFEST_LIMIT} bytes")
    return members


def _read_zip(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        names = [info.filename for info in infos]
        if len(set(names)) != len(names) or not all(SAFE_NAME.fullmatch(name) for name in names):
            raise damaged(path, "doubled or unsafe member names")
        if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
            raise damaged(path, "compressed members; artifacts are stored uncompressed")
        if sum(info.file_size for info in infos) > path.stat().st_size:
            raise damaged(path, "members that claim more bytes than the file has")
        return {name: archive.read(name) for name in names}


def _read_folder(path: Path) -> dict[str, bytes]:
    if not (path / MANIFEST).is_file():
        raise damaged(path, f"a folder without {MANIFEST}")
    files = [file for file in sorted(path.rglob("*")) if file.is_file() and not file.is_symlink()]
    members = {file.relative_to(path).as_posix(): file for file in files}
    if not all(SAFE_NAME.fullmatch(name) for name in members):
        raise damaged(path, "unsafe member names")
    return {name: file.read_bytes() for name, file in members.items()}


def damaged(path: Path, found: str) -> ArtifactError:
    """The error of a file that is no whole artifact."""
    fix = "check the path, copy the file again, or export it anew."
    return ArtifactError("load: the file must be a whole e2e artifact.", f"{path}: {found}", fix)


def digest(content: bytes) -> str:
    """sha256 of a member, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
