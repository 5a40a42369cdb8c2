"""A torch state dict out of a pickle, without torch and without trust: only named tensors can come out of it.

The pickle is scanned for foreign instructions before it is run, the names in it stand for constructors of ours, and
what it says about sizes is believed only after comparison with the bytes that are there.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

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


class Kind(NamedTuple):
    """Stands for a torch storage class; cannot be called."""

    code: str


class Storage(NamedTuple):
    """What the pickle says about a storage; believed only after comparison with the file."""

    kind: Kind
    key: str
    elements: int

    def over(self, data: bytes, start: int, count: int) -> np.ndarray:
        """The numbers, flat: a read-only view of bytes that were found to hold ``count`` of them."""
        if count != self.elements:
            raise ValueError(f"storage {self.key} of {self.elements} elements, and {count} in its place")
        return np.ndarray((count,), self.kind.code, buffer=data, offset=start)


class Tensor(NamedTuple):
    """Stands for ``torch._utils._rebuild_tensor_v2``: a view of a storage, offset and strides in elements."""

    storage: Storage
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


def unpickle(stream: io.BytesIO) -> Any:
    """Reads one pickle and leaves the stream behind it.

    Args:
        stream: At the pickle's first byte.

    Returns:
        Numbers, strings, lists and dicts; for a state dict what `named_tensors` takes.

    Raises:
        One of `DAMAGE`: There is another instruction or class in it, or it is damaged.

    Source:
        ``pickletools.opcodes`` for the instructions; torch 1.5, ``torch/serialization.py`` for what it may hold.

    Example:
        >>> unpickle(io.BytesIO(pickle.dumps([1001], protocol=2)))
        [1001]
    """
    start = stream.tell()
    _scan(stream)
    stream.seek(start)
    return _Unpickler(stream).load()


def named_tensors(state: Any) -> dict[str, Tensor]:
    """Checks that what was unpickled is a state dict of tensors, and takes them out.

    Args:
        state: From `unpickle`.

    Returns:
        Name to tensor, in the file's order.

    Raises:
        One of `DAMAGE`: It is something else.

    Example:
        >>> named_tensors(unpickle(io.BytesIO(b"ccollections\\nOrderedDict\\n)R.")))
        {}
    """
    if not isinstance(state, _State):
        raise pickle.UnpicklingError("the top level is not a state dict")
    for name, entry in state.entries.items():
        if not isinstance(entry, Tensor) or not isinstance(entry.storage, Storage):
            raise pickle.UnpicklingError(f"{name!r} is no tensor")
    return state.entries


def declared_storages(tensors: dict[str, Tensor]) -> dict[str, Storage]:
    """What the tensors say about their storages, by key.

    Args:
        tensors: From `named_tensors`.

    Returns:
        Key to storage.

    Raises:
        ValueError: Two tensors disagree.

    Example:
        >>> declared_storages({})
        {}
    """
    declared: dict[str, Storage] = {}
    for tensor in tensors.values():
        if declared.setdefault(tensor.storage.key, tensor.storage) != tensor.storage:
            raise ValueError(f"storage {tensor.storage.key} is declared in two ways")
    return declared


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


ADMITTED: dict[tuple[str, str], _Constructor | Kind] = {
    ("collections", "OrderedDict"): _Constructor(_State),
    ("torch._utils", "_rebuild_tensor_v2"): _Constructor(Tensor),
    **{("torch", name): Kind(code) for name, code in KINDS.items()},
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ADMITTED:
            raise pickle.UnpicklingError(f"refers to {module}.{name}")
        return ADMITTED[module, name]

    def persistent_load(self, pid: Any) -> Storage:
        match pid:  # zipped files end with the count, legacy ones with None: no view of another storage
            case ("storage", Kind() as kind, str(key), str(), int(count)):
                return Storage(kind, key, count)
            case ("storage", Kind() as kind, str(key), str(), int(count), None):
                return Storage(kind, key, count)
        raise pickle.UnpicklingError("a reference to something that is no storage")


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
