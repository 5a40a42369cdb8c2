"""One file, or the same tree as a folder: named members, written whole or not at all, read with suspicion."""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from e2e_jax.artifact.scratch import scratch_folder, to_disk
from e2e_jax.errors import ArtifactError, ConfigError

MANIFEST = "manifest.json"
MANIFEST_LIMIT = 64 << 20  # bytes; a million class names fit

# What is read at all. Members are stored uncompressed, so that they hold at most the bytes of the file: ratio 1.
MEMBERS_LIMIT = 10_000  # members; a checkpoint has one for each 2 GB of parameters and a dozen of its own
MEMBER_LIMIT = 16 << 30  # bytes of one
TOTAL_LIMIT = 32 << 30  # bytes of all
DIRECTORY_LIMIT = 4 << 20  # bytes of a zip's table of contents; 10,000 members of ours need half
NAME_LIMIT = 200  # characters of a name; Orbax's have 70
DEPTH_LIMIT = 8  # folders one inside the other; Orbax needs three

ENCRYPTED = 0x1 | 0x40 | 0x2000  # flag bits 0, 6 and 13 of a zip member: APPNOTE.TXT 4.4.4
TIMESTAMP = (1980, 1, 1, 0, 0, 0)  # the zip format's first date: equal members make equal files
SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*(/[A-Za-z0-9_][A-Za-z0-9_.\-]*)*")


def write(path: Path, members: Mapping[str, bytes], *, directory: bool = False) -> None:
    """Writes members so that ``path`` holds all of them or what it held before.

    They are written to a folder beside it that is moved into place, so that a process killed at any moment leaves
    the old artifact or the new one, and at most a folder ``.e2e-*`` that the next write beside it removes. Of two
    processes that write a file to one path, the later one's stands; of two that write a folder, the first one's.

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
        with scratch_folder(path.parent) as scratch:
            (_write_folder if directory else _write_zip)(scratch / "new", members)
            os.replace(scratch / "new", path)
        to_disk(path.parent)
    except ArtifactError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a null character
        raise unwritable(path, error) from error


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
        with open(target, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())


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
        ArtifactError: There is no artifact, it is damaged, exceeds a limit above, or is made as ours never are:
            compressed or encrypted members, links, unsafe or doubled names.
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


class _Bounded(io.FileIO):
    """A file that refuses to give more than ``limit`` bytes at once.

    `zipfile` reads the whole table of contents before anyone can ask how long it is.
    """

    limit = DIRECTORY_LIMIT

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = self.limit + 1 if size is None or size < 0 else size
        content = super().read(wanted) if wanted <= self.limit + 1 else None
        if content is None or len(content) > self.limit:
            raise zipfile.BadZipFile(f"a table of contents of more than {self.limit} bytes")
        return content


def _read_zip(path: Path) -> dict[str, bytes]:
    with _Bounded(path) as file, zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
        if wrong := _wrong_entries(infos) or wrong_sizes([info.file_size for info in infos]):
            raise damaged(path, wrong)
        # The size of what is open: another file may stand at the path by now.
        if sum(info.file_size for info in infos) > os.fstat(file.fileno()).st_size:
            raise damaged(path, "members that claim more bytes than the file has")
        file.limit = MEMBER_LIMIT
        return {info.filename: archive.read(info) for info in infos}


def _wrong_entries(infos: list[zipfile.ZipInfo]) -> str | None:
    """What in a zip's table of contents our own files never have, or ``None``."""
    if any(info.flag_bits & ENCRYPTED for info in infos):
        return "encrypted members"
    if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
        return "compressed members; artifacts are stored uncompressed"
    if any(stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG) for info in infos):
        return "links, folders or special files as members"
    return wrong_names([info.filename for info in infos])


def wrong_names(names: Sequence[str]) -> str | None:
    """Why these names cannot all be files below one folder of any system, or ``None``.

    Example:
        >>> wrong_names(["a/b", "a/c"]), wrong_names(["a", "a/c"]), wrong_names(["../a"])
        (None, 'a member named like a folder: a', "unsafe member names: '../a'")
    """
    for name in names:
        if len(name) > NAME_LIMIT or not SAFE_NAME.fullmatch(name):
            return f"unsafe member names: {name[:80]!r}"
    folded = {name.casefold() for name in names}  # macOS and Windows tell no upper from lower case
    if len(folded) != len(names):
        return "doubled member names"
    folders = {parent.as_posix() for name in folded for parent in PurePosixPath(name).parents}
    return next((f"a member named like a folder: {name}" for name in sorted(folded & folders)), None)


def wrong_sizes(sizes: Sequence[int]) -> str | None:
    """Which limit members of these sizes exceed, or ``None``."""
    if len(sizes) > MEMBERS_LIMIT:
        return f"more than {MEMBERS_LIMIT} members"
    if max(sizes, default=0) > MEMBER_LIMIT:
        return f"a member of {max(sizes)} bytes; at most {MEMBER_LIMIT} are read"
    return f"{sum(sizes)} bytes; at most {TOTAL_LIMIT} are read" if sum(sizes) > TOTAL_LIMIT else None


def _read_folder(path: Path) -> dict[str, bytes]:
    if not (path / MANIFEST).is_file():
        raise damaged(path, f"a folder without {MANIFEST}")
    sizes: dict[str, int] = {}
    for name, size in _files(path, path):
        sizes[name] = size
        if wrong := wrong_sizes(list(sizes.values()) if len(sizes) > MEMBERS_LIMIT else [size]):
            raise damaged(path, wrong)
    if wrong := wrong_names(list(sizes)) or wrong_sizes(list(sizes.values())):
        raise damaged(path, wrong)
    return {name: _read_file(path, name, size) for name, size in sizes.items()}


def _files(top: Path, folder: Path) -> Iterator[tuple[str, int]]:
    """Names and sizes of the regular files below a folder; anything else than files and folders is refused."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            name = Path(entry.path).relative_to(top).as_posix()
            if entry.is_symlink() or not (entry.is_file() or entry.is_dir()):
                raise damaged(top, f"a link or special file: {name[:80]!r}")
            if entry.is_dir():
                if name.count("/") >= DEPTH_LIMIT:
                    raise damaged(top, f"folders nested deeper than {DEPTH_LIMIT}")
                yield from _files(top, folder / entry.name)
            else:
                yield name, entry.stat().st_size


def _read_file(top: Path, name: str, size: int) -> bytes:
    """A member of a folder; not what a link put there since leads to, and never more than it had."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(top / name, flags), "rb") as file:
        content = file.read(size + 1) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""
    if len(content) != size:
        raise damaged(top, f"member {name} changed while it was read")
    return content


def damaged(path: Path, found: str) -> ArtifactError:
    """The error of a file that is no whole artifact."""
    fix = "check the path, copy the file again, or export it anew."
    return ArtifactError("load: the file must be a whole e2e artifact.", f"{path}: {found}", fix)


def digest(content: bytes) -> str:
    """sha256 of a member, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
