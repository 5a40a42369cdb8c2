"""Folders for what is not finished yet, which a killed process leaves behind and the next one removes."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # not on Windows: nothing is locked, and what was left behind goes by its age
    fcntl = None  # type: ignore[assignment]

PREFIX = ".e2e-"  # of their names; the leading dot hides them
ABANDONED = 24 * 3600  # seconds after which a folder goes whose lock tells nothing: no export takes a day


@contextlib.contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """A new folder inside ``parent``, gone afterwards; those of processes that no longer live go first.

    Its maker holds a lock on it, which the system releases when the process ends in whatever way. Where there are
    no locks, folders go a day after they were last changed.

    Args:
        parent: On the same file system as what is made in it shall be moved to.

    Raises:
        OSError: There is no room.
    """
    folder, lock = _claim(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _close(lock)


def _claim(parent: Path) -> tuple[Path, int | None]:
    """A new folder and the lock on it; nobody else looks at folders until it is locked."""
    gate = _locked(parent, wait=True)
    try:
        with contextlib.suppress(OSError):  # listing is not needed for writing
            for left in parent.glob(f"{PREFIX}*"):
                _remove_abandoned(left)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        return folder, _locked(folder)
    finally:
        _close(gate)


def _remove_abandoned(folder: Path) -> None:
    if folder.is_symlink() or not folder.is_dir():
        return
    lock = _locked(folder)
    if lock is not None or time.time() - folder.stat().st_mtime > ABANDONED:
        shutil.rmtree(folder, ignore_errors=True)
    _close(lock)


def _locked(folder: Path, *, wait: bool = False) -> int | None:
    """A file descriptor that holds the folder's lock, or ``None`` where another process does or there are none."""
    if fcntl is None:
        return None
    place = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(place, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(place)
        return None
    return place


def _close(lock: int | None) -> None:
    if lock is not None:
        os.close(lock)


def to_disk(folder: Path) -> None:
    """Has the names in a folder survive a loss of power, where the system can do that for folders."""
    with contextlib.suppress(OSError):
        place = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(place)
        finally:
            os.close(place)
