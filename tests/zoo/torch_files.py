"""What torch.save writes, instruction by instruction and without torch, so that tests can put anything else in."""

import io
import pickle
import struct
import zipfile

import numpy as np

from e2e_jax.zoo import weights

SYSTEM = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"long": 8}}
STATE = b"ccollections\nOrderedDict\n)R"  # an empty OrderedDict
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
SIX = np.arange(6, dtype=np.float32)


def literal(value: object) -> bytes:
    """Pickle instructions that push a value of built-in types."""
    return pickle.dumps(value, 2)[2:-1]


def tensor(shape=(6,), stride=(1,), offset=0, *, kind=b"FloatStorage", key="a", elements=6, view=b"N") -> bytes:
    """A tensor; ``view`` is None, the end of a reference to a storage, which zipped files do not have."""
    storage = b"(" + literal("storage") + b"ctorch\n" + kind + b"\n" + literal(key) + literal("cpu")
    storage += literal(elements) + view + b"tQ"
    return REBUILD + b"(" + storage + b"".join(map(literal, (offset, shape, stride, False))) + STATE + b"tR"


def entry(name: str, value: bytes) -> bytes:
    return literal(name) + value + b"s"


def storage(array: np.ndarray, count: int | None = None) -> bytes:
    return struct.pack("<q", array.size if count is None else count) + array.tobytes()


SIX_STORED = storage(SIX)


def legacy(state: bytes, storages=SIX_STORED, order=("a",), header=(weights.MAGIC, 1001, SYSTEM)) -> bytes:
    pickles = [pickle.dumps(part, 2) for part in header] + [b"\x80\x02" + state + b".", pickle.dumps([*order], 2)]
    return b"".join(pickles) + storages


def zipped(members: dict[str, bytes], *, folder: str = "archive/", compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip of members in a folder."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(folder + name, content)
    return stream.getvalue()


def zip_state(state: bytes, storages: dict[str, bytes], **others: bytes) -> bytes:
    """The members that torch 2 writes for a state dict."""
    members = {"data.pkl": b"\x80\x02" + state + b".", "byteorder": b"little"} | others
    return zipped(members | {f"data/{key}": numbers for key, numbers in storages.items()} | {"version": b"3\n"})


def saved(arrays: dict[str, np.ndarray], *, as_zip: bool) -> bytes:
    """A whole file of float32 arrays."""
    numbered = {str(number): np.ascontiguousarray(array) for number, array in enumerate(arrays.values())}
    tensors = [
        tensor(a.shape, tuple(s // 4 for s in a.strides), key=k, elements=a.size, view=b"" if as_zip else b"N")
        for k, a in numbered.items()
    ]
    state = STATE + b"".join(entry(name, part) for name, part in zip(arrays, tensors, strict=True))
    if as_zip:
        return zip_state(state, {key: array.tobytes() for key, array in numbered.items()})
    return legacy(state, b"".join(storage(array) for array in numbered.values()), tuple(numbered))


def four_tensors(view: bytes) -> bytes:
    """Pickle instructions of a state dict: three tensors that share a storage, one of integers, and metadata."""
    return (
        STATE
        + entry("rows", tensor((2, 3), (3, 1), view=view))
        + entry("columns", tensor((3, 2), (1, 3), view=view))
        + entry("tail", tensor((2,), (1,), 4, view=view))
        + entry("steps", tensor((), (), kind=b"LongStorage", key="b", elements=1, view=view))
        + literal({"_metadata": {"": {"version": 1}}})
        + b"b"
    )


FOUR = {"rows": [[0, 1, 2], [3, 4, 5]], "columns": [[0, 3], [1, 4], [2, 5]], "tail": [4, 5], "steps": 2**40}
STEPS = np.array([2**40])
GOOD = legacy(four_tensors(b"N"), storage(SIX) + storage(STEPS), ("a", "b"))
GOOD_ZIP = zip_state(four_tensors(b""), {"a": SIX.tobytes(), "b": STEPS.tobytes()})
