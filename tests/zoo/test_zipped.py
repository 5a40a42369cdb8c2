"""The zipped torch format: right numbers from good files, one error and no side effect from every other file."""

import struct
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch_files import FOUR, GOOD_ZIP, SIX, STATE, entry, literal, tensor, zip_state, zipped

from e2e_jax.errors import ArtifactError
from e2e_jax.zoo.weights import read_torch_state

NUMBERS = {"a": SIX.tobytes()}
X = STATE + entry("x", tensor(view=b""))
PICKLE = b"\x80\x02" + X + b"."


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


def patched(data: bytes, name: str, *, place: int, value: bytes) -> bytes:
    """The file with some bytes of a member's entry in the central directory replaced (APPNOTE.TXT, 4.3.12)."""
    start = data.rindex(name.encode()) - 46 + place
    return data[:start] + value + data[start + len(value) :]


def test_reads_shapes_strides_offsets_and_dtypes(tmp_path):
    (tmp_path / "good.pth").write_bytes(GOOD_ZIP)
    state = read_torch_state(tmp_path / "good.pth")
    assert {name: array.tolist() for name, array in state.items()} == FOUR
    assert [array.dtype for array in state.values()] == [np.float32] * 3 + [np.int64]
    assert not any(array.flags.writeable for array in state.values())


def test_any_folder_and_no_byte_order_will_do(tmp_path):
    data = zipped({"data.pkl": PICKLE, "data/a": SIX.tobytes(), ".data/serialization_id": b"1"}, folder="resnet18/")
    (tmp_path / "old.pth").write_bytes(data)
    assert read_torch_state(tmp_path / "old.pth")["x"].tolist() == SIX.tolist()


@pytest.mark.parametrize("name", ["os\nsystem", "builtins\neval", "subprocess\ncall"])
def test_code_in_the_pickle_is_refused_and_not_run(refused, tmp_path, name):
    marker = tmp_path / "ran"
    order = f"touch {marker}" if "system" in name else f"open({str(marker)!r}, 'w')"
    bomb = b"c" + name.encode() + b"\n" + literal(order) + b"\x85R"
    assert name.replace("\n", ".") in refused(zip_state(STATE + entry("x", bomb), NUMBERS))
    assert not marker.exists()


def test_foreign_instruction_is_refused(refused):
    assert "NEWOBJ" in refused(zip_state(b"ccollections\nOrderedDict\n)\x81", NUMBERS))


@pytest.mark.parametrize("elements", [5, 7, -1, 2**40])
def test_storage_of_another_size_than_its_member_is_refused(refused, elements):
    state = STATE + entry("x", tensor(elements=elements, view=b""))
    assert f"storage a of {elements} elements, and 6" in refused(zip_state(state, NUMBERS))


@pytest.mark.parametrize(("shape", "stride", "offset"), [((7,), (1,), 0), ((6,), (1,), 1), ((3,), (-1,), 0)])
def test_tensor_outside_its_storage_is_refused(refused, shape, stride, offset):
    assert refused(zip_state(STATE + entry("x", tensor(shape, stride, offset, view=b"")), NUMBERS))


def test_bytes_that_are_no_whole_number_of_elements_are_refused(refused):
    assert "25 bytes" in refused(zip_state(X, {"a": SIX.tobytes() + b"\0"}))


def test_member_outside_the_folder_is_refused(refused):
    state = STATE + entry("x", tensor(key="../../a", view=b""))
    assert "data/../../a" in refused(zip_state(state, NUMBERS))


@pytest.mark.parametrize(
    ("reason", "data"),
    [
        ("not little-endian", zip_state(X, NUMBERS, byteorder=b"big")),
        ("without data.pkl", zipped({"data/a": SIX.tobytes()})),
        ("without data.pkl", zipped({"data.pkl": PICKLE, "data/a": SIX.tobytes()}, folder="")),
        ("without data.pkl", zipped({"a/data.pkl": PICKLE, "b/data/a": SIX.tobytes()}, folder="")),
        ("data/a", zip_state(X, {})),
        ("not a state dict", zip_state(literal([1]), NUMBERS)),
        ("'x' is no tensor", zip_state(STATE + entry("x", literal(3)), NUMBERS)),
        ("compressed member", zipped({"data.pkl": PICKLE}, compression=zipfile.ZIP_DEFLATED)),
        ("zipped", GOOD_ZIP[:-1]),
    ],
)
def test_other_zips_are_refused_with_their_reason(refused, reason, data):
    assert reason in refused(data)


def test_sizes_in_the_directory_are_not_believed(refused):
    larger = patched(GOOD_ZIP, "archive/data/a", place=24, value=struct.pack("<I", 2**30))
    assert "compressed member archive/data/a" in refused(larger)
    both = patched(GOOD_ZIP, "archive/data/a", place=20, value=struct.pack("<II", 2**30, 2**30))
    assert "overlap" in refused(both)
    assert "encrypted" in refused(patched(GOOD_ZIP, "archive/data/a", place=8, value=b"\1"))


def test_two_members_of_one_name_are_refused(refused):
    twice = zip_state(X, NUMBERS, **{"data/b": SIX.tobytes()}).replace(b"archive/data/b", b"archive/data/a")
    assert "two members" in refused(twice)


def test_numbers_that_do_not_match_their_checksum_are_refused(refused):
    place = GOOD_ZIP.index(SIX.tobytes())
    damaged = GOOD_ZIP[:place] + b"\1" + GOOD_ZIP[place + 1 :]
    assert "CRC" in refused(damaged)


def test_every_truncation_is_refused(refused):
    for length in range(len(GOOD_ZIP)):
        assert refused(GOOD_ZIP[:length])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, len(GOOD_ZIP) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_bytes_give_arrays_or_our_error(tmp_path, damage):
    data = bytearray(GOOD_ZIP)
    for place, value in damage:
        data[place] = value
    (tmp_path / "damaged.pth").write_bytes(data)
    try:
        state = read_torch_state(tmp_path / "damaged.pth")
    except ArtifactError as error:
        assert "damaged.pth" in error.received
    else:
        assert {name: array.tolist() for name, array in state.items()} == FOUR
