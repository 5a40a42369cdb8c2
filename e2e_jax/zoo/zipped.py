"""The tensors of a zipped torch file, the format of torch 1.6 and later, without trust.

It is a zip of stored members under one folder: ``data.pkl`` names the tensors, ``data/KEY`` holds the numbers of a
storage. Whatever would make a member larger than its bytes in the file, compression or overlap, is refused.
"""

from __future__ import annotations

import io
import zipfile

import numpy as np

from e2e_jax.zoo.pickled import Storage, declared_storages, named_tensors, unpickle

SIGNATURE = b"PK\x03\x04"  # how such a file begins: PKWARE APPNOTE.TXT, 4.3.7
PICKLE, ORDER = "data.pkl", "byteorder"  # members: torch/serialization.py, _save
LITTLE = b"little"  # what the second holds; absent before torch 2.1, which then means the same
ENCRYPTED = 1  # bit of the flags: APPNOTE.TXT, 4.4.4

type Members = dict[str, zipfile.ZipInfo]


def zipped_tensors(data: bytes) -> dict[str, np.ndarray]:
    """Reads the named tensors of a zipped torch file.

    Args:
        data: The whole file.

    Returns:
        Name to array, in the file's order and of the tensors' own shapes; read-only.

    Raises:
        ValueError, or another of `pickled.DAMAGE`: The file is damaged or holds anything but tensors.

    Source:
        torch 2.5, ``torch/serialization.py: _load`` and ``_save``.

    Example:
        >>> zipped_tensors(SIGNATURE)
        Traceback (most recent call last):
        ValueError: a damaged zipped torch file: File is not a zip file
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _tensors(archive, _members(archive, len(data)))
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise ValueError(f"a damaged zipped torch file: {error}") from error


def _tensors(archive: zipfile.ZipFile, members: Members) -> dict[str, np.ndarray]:
    if ORDER in members and archive.read(members[ORDER]) != LITTLE:
        raise ValueError("numbers are not little-endian")
    tensors = named_tensors(unpickle(io.BytesIO(archive.read(members[PICKLE]))))
    flats = {key: _flat(archive, members, storage) for key, storage in declared_storages(tensors).items()}
    return {name: tensor.over(flats[tensor.storage.key]) for name, tensor in tensors.items()}


def _flat(archive: zipfile.ZipFile, members: Members, storage: Storage) -> np.ndarray:
    content = archive.read(members[f"data/{storage.key}"])  # compared with its checksum by zipfile
    count, rest = divmod(len(content), np.dtype(storage.kind.code).itemsize)
    if rest:
        raise ValueError(f"storage {storage.key} of {len(content)} bytes, which is no whole number of elements")
    return storage.over(content, 0, count)


def _members(archive: zipfile.ZipFile, size: int) -> Members:
    """The members by their names inside the one folder; all together they fit into the file."""
    members: Members = {}
    folders = {info.filename.partition("/")[0] for info in archive.infolist()}
    for info in archive.infolist():
        name = info.filename.partition("/")[2]
        if name in members:
            raise ValueError(f"two members {info.filename}")
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise ValueError(f"a compressed member {info.filename}")
        if info.flag_bits & ENCRYPTED:
            raise ValueError(f"an encrypted member {info.filename}")
        members[name] = info
    if len(folders) != 1 or PICKLE not in members:
        raise ValueError(f"a zip without {PICKLE} in its only folder")
    if sum(info.file_size for info in members.values()) > size:
        raise ValueError("members that overlap")
    return members
