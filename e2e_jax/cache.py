"""Where compiled programs are kept between processes.

An entry is native code, so the folder must belong to the user alone, and each kind of processor has a folder of
its own: a home directory shared by several machines never runs code made for another one. JAX's own cache is not
used, because it belongs to the whole process: switched on for us it would keep the user's programs too, it does
not write atomically, and a damaged entry would stay and warn for good.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import platform
import stat
import sys
import tempfile
import threading
import zlib
from pathlib import Path

import jax
import jaxlib

from e2e_jax.machine import cpuinfo

SETTING = "E2E_JAX_CACHE"  # environment variable: a folder, or OFF
OFF = "off"
ENDING = ".xla"  # of an entry's name; nothing else is ever removed
LARGEST = 1 << 30  # bytes of all entries; an EfficientNet-Lite0 takes 0.2 million per batch size
PROCESSOR = ("flags", "Features", "isa", "model name")  # lines of `cpuinfo` on x86, ARM, RISC-V; and x86 again
COMPRESSION = 1  # zlib level; higher ones take longer than they save
DIGEST = hashlib.sha256().digest_size  # bytes at the start of an entry

logger = logging.getLogger("e2e_jax")
_said: set[str] = set()
_saying = threading.Lock()


class Cache:
    """Compiled programs in a folder.

    Args:
        root: Folder of all entries, which together stay under `LARGEST` bytes.
        folder: The one inside it for this machine.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.folder = root, folder

    def get(self, key: str) -> bytes | None:
        """What was put under a key; ``None`` if nothing was, or what is there is damaged or not the user's."""
        file = self.folder / f"{key}{ENDING}"
        try:
            with open(file, "rb") as opened:
                entry = opened.read() if _is_safe(os.fstat(opened.fileno())) else b""
        except OSError:
            return None
        with contextlib.suppress(OSError):
            os.utime(file)  # evicted last
        digest, packed = entry[:DIGEST], entry[DIGEST:]
        return zlib.decompress(packed) if hashlib.sha256(packed).digest() == digest else None

    def put(self, key: str, content: bytes) -> None:
        """Keeps bytes under a key, in one step; what cannot be written is not kept."""
        packed = zlib.compress(content, COMPRESSION)
        try:
            self._write(self.folder / f"{key}{ENDING}", hashlib.sha256(packed).digest() + packed)
            self._evict()
        except OSError as error:
            _say_once(f"{self.folder}: {error.strerror or error}")

    def _write(self, file: Path, entry: bytes) -> None:
        handle, name = tempfile.mkstemp(dir=self.folder, suffix=ENDING)
        try:
            with open(handle, "wb") as opened:
                opened.write(entry)
            os.replace(name, file)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise

    def _evict(self) -> None:
        """Removes what was not used for longest, until the rest fits; other processes may be at it too."""
        found = []
        for file in self.root.glob(f"*/*{ENDING}"):
            with contextlib.suppress(OSError):
                status = file.lstat()
                found.append((status.st_mtime, status.st_size, file))
        total = 0
        for _, size, file in sorted(found, reverse=True):
            total += size
            if total > LARGEST:
                file.unlink(missing_ok=True)


def opened(device: jax.Device) -> Cache | None:
    """The cache for programs of a device, or ``None`` where there is to be none.

    A cache that the user gave to JAX itself takes the place of ours, and JAX's switch holds for ours as well.
    """
    setting = os.environ.get(SETTING, "")
    if setting == OFF or jax.config.jax_compilation_cache_dir or not jax.config.jax_enable_compilation_cache:
        return None
    if (kind := machine(device)) is None:
        return None
    try:
        root = Path(setting).expanduser().absolute() if setting else default_folder()
        folder = root / kind
        for place in (root, folder):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _is_safe(place.stat()):
                _say_once(f"{place}: it belongs to another user, or others may write to it")
                return None
    except (OSError, RuntimeError) as error:  # RuntimeError: no home directory
        _say_once(str(error))
        return None
    return Cache(root, folder)


def default_folder() -> Path:
    """The user's cache folder by the customs of the system, with our name.

    Source:
        XDG Base Directory Specification 0.8 (relative paths are to be ignored); Apple's File System Programming
        Guide; Microsoft's Known Folders.
    """
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        named = os.environ.get("XDG_CACHE_HOME", "")
        base = Path(named) if os.path.isabs(named) else Path.home() / ".cache"
    return base / "e2e_jax"


@functools.cache
def machine(device: jax.Device) -> str | None:
    """Short name of all that native code depends on beside the program; ``None`` where it cannot be told."""
    features = processor(device)
    if not features:
        return None
    versions = (jax.__version__, jaxlib.__version__, device.client.platform_version)
    parts = (*features, platform.system(), platform.machine(), device.platform, device.device_kind, *versions)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def processor(device: jax.Device) -> tuple[str, ...]:
    """The processor's features as the kernel and as XLA see them; empty where neither tells."""
    lines = cpuinfo().splitlines()
    found = tuple(sorted({line for line in lines if line.partition(":")[0].strip() in PROCESSOR}))
    with contextlib.suppress(Exception):  # an inner part of JAX: where it is gone, the kernel's word remains
        from jax._src.lib import xla_client

        found += (str(xla_client.get_topology_for_devices([device]).fingerprint()),)
    return found


def _is_safe(status: os.stat_result) -> bool:
    """Whether a folder or file is the user's, and nobody else may write to it."""
    if not hasattr(os, "geteuid"):  # Windows: the user's profile is closed to others
        return True
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _say_once(received: str) -> None:
    """A log line, not `warnings.warn`: where warnings are errors, a prediction would fail for want of a cache."""
    with _saying:
        if received in _said:
            return
        _said.add(received)
    logger.warning(
        "e2e_jax: the cache folder must be writable, and by you alone; programs are compiled in every process.\n"
        "  Received: %s\n"
        "  Fix: name another folder in %s, or set %s=%s.",
        received,
        SETTING,
        SETTING,
        OFF,
    )
