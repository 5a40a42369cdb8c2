"""What an Orbax checkpoint of a stranger would unpack to, found out without unpacking it.

Orbax keeps each array as one or more chunks compressed by zstd, in a key-value store (OCDBT). The description of an
array beside them says how large a chunk is, and a chunk may unpack to more than that before anyone notices.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import jax.numpy as jnp

DESCRIPTION = ".zarray"  # of an array, beside its chunks: Zarr version 2
KEYS_LIMIT = 1 << 18  # descriptions and chunks
DESCRIPTION_LIMIT = 1 << 14  # bytes; Orbax's have 200
FIXED = {"zarr_format": 2, "order": "C", "filters": None, "dimension_separator": "."}

FRAME, SKIPPED = 0xFD2FB528, 0x184D2A50  # first four bytes of zstd's frames; the second in 16 variants
BLOCK = 128 << 10  # bytes a compressed block unpacks to at most
SPLIT = 4  # how many blocks zstd makes of one, of 32 KiB each


def unpacks_to(folder: Path) -> int:
    """How many bytes the arrays of a checkpoint take at most, unpacked.

    Args:
        folder: Where it lies.

    Returns:
        Bytes of all chunks.

    Raises:
        ValueError: It is no checkpoint that Orbax makes, or its chunks hold more than they should.

    Source:
        Zarr specification 2, metadata; RFC 8878 (zstd), 3.1.1.
    """
    import tensorstore  # Orbax brings it, and what it costs to import

    store = tensorstore.KvStore.open({"driver": "ocdbt", "base": f"file://{folder}/"}).result()
    keys = store.list().result()
    if len(keys) > KEYS_LIMIT:
        raise ValueError(f"a checkpoint of more than {KEYS_LIMIT} parts")
    waiting = {key.decode(): store.read(key) for key in keys}
    contents = {key: read.result().value for key, read in waiting.items()}
    sizes = {key[: -len(DESCRIPTION)]: _chunk(data) for key, data in contents.items() if key.endswith(DESCRIPTION)}
    for key, data in contents.items():
        if not key.endswith(DESCRIPTION):
            _check_chunk(data, sizes.get(key.rpartition("/")[0] + "/", (0, True)))
    return sum(sizes[key.rpartition("/")[0] + "/"][0] for key in contents if not key.endswith(DESCRIPTION))


def _chunk(data: bytes) -> tuple[int, bool]:
    """Bytes of a chunk of an array, and whether it is compressed."""
    fields: Any = json.loads(data[:DESCRIPTION_LIMIT])
    if not isinstance(fields, dict) or {name: fields.get(name) for name in FIXED} != FIXED:
        raise ValueError("an array of another form than Orbax writes")
    shape: Any = fields.get("shape")
    chunks: Any = fields.get("chunks")
    compressor: Any = fields.get("compressor")
    for extents in (shape, chunks):
        if not isinstance(extents, list) or not all(type(n) is int and 0 <= n < 1 << 48 for n in extents):
            raise ValueError("an array without a shape")
    if len(shape) != len(chunks) or any(chunk > max(n, 1) for n, chunk in zip(shape, chunks, strict=True)):
        raise ValueError("chunks that are larger than their array")
    if compressor is not None and (not isinstance(compressor, dict) or compressor.get("id") != "zstd"):
        raise ValueError("chunks that are compressed by other means than zstd")
    kind = fields.get("dtype")
    return math.prod(chunks) * jnp.dtype(kind if isinstance(kind, str) else "").itemsize, compressor is not None


def _check_chunk(data: bytes, expected: tuple[int, bool]) -> None:
    size, compressed = expected
    if (_unpacked(data) if compressed else len(data)) > SPLIT * size + BLOCK:
        raise ValueError("a chunk that unpacks to more than it should")


def _unpacked(data: bytes) -> int:
    """How many bytes zstd's blocks unpack to at most, going from head to head."""
    at = total = 0
    while at < len(data):
        magic, at = int.from_bytes(data[at : at + 4], "little"), at + 4
        if magic & ~0xF == SKIPPED:
            at += 4 + int.from_bytes(data[at : at + 4], "little")
            continue
        if magic != FRAME or at >= len(data):
            raise ValueError("a chunk that is not compressed by zstd")
        head = data[at]
        single, checksum = head >> 5 & 1, head >> 2 & 1
        at += 1 + (not single) + (0, 1, 2, 4)[head & 3] + (single, 2, 4, 8)[head >> 6]
        last = False
        while not last:
            block = int.from_bytes(data[at : at + 3], "little")
            last, kind, length = bool(block & 1), block >> 1 & 3, block >> 3
            if at + 3 > len(data):
                raise ValueError("a chunk that ends too early")
            at += 3 + (1 if kind == 1 else length)  # the second kind repeats one byte
            total += BLOCK if kind == 2 else length
        at += 4 * checksum
    return total
