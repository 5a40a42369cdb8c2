"""Checkpoints that would unpack to more than they should are refused before they do."""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import tensorstore

import e2e_jax as e2e
from e2e_jax.artifact import checkpoint, params
from e2e_jax.artifact.checkpoint import unpacks_to

RANDOM = np.random.default_rng(4)


def unpacked(members, folder):
    params._unpack(members, folder)
    return folder


def altered(folder, key, value):
    """One entry of the key-value store of a checkpoint replaced."""
    store = tensorstore.KvStore.open({"driver": "ocdbt", "base": f"file://{folder}/"}).result()
    store.write(key, value).result()
    return {f"params/{file.relative_to(folder)}": file.read_bytes() for file in folder.rglob("*") if file.is_file()}


KINDS = {
    "floats": RANDOM.normal(size=(300, 200)).astype(np.float32),
    "zeros": np.zeros((1000, 1000), np.float32),
    "few": RANDOM.integers(0, 2, (700, 900)).astype(np.float32),
    "halves": jnp.asarray(RANDOM.normal(size=(5, 7)), jnp.bfloat16),
    "waves": np.sin(np.arange(600_000) / 99).astype(np.float32),
    "ints": np.arange(100_000, dtype=np.int32),
    "one": np.float32(3),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_orbax_writes_is_counted_to_the_byte(tmp_path, kind):
    array = jnp.asarray(KINDS[kind])
    members = params.save({("a", "b"): array})
    assert unpacks_to(unpacked(members, tmp_path / "params")) == array.nbytes
    (found,) = params.restore(tmp_path, members, params.describe({("a", "b"): array})).values()
    np.testing.assert_array_equal(found, array)


def refused(members, folder, why):
    with pytest.raises(e2e.ArtifactError, match=why):
        params.restore(Path("x.e2e"), members, [{"path": ["a"], "shape": [3, 4], "dtype": "float32"}])


CHANGES = {
    "large chunks": ({"chunks": [100_000, 100_000]}, "chunks that are larger than their array"),
    "large array": ({"chunks": [10**5, 10**5], "shape": [10**5, 10**5]}, "more than 67108864 bytes"),
    "filters": ({"filters": [{"id": "x"}]}, "another form"),
    "compressor": ({"compressor": {"id": "blosc"}}, "other means than zstd"),
    "dtype": ({"dtype": 5}, "params|parameters"),
    "no shape": ({"shape": None}, "without a shape"),
}


@pytest.fixture
def folder(tmp_path):
    return unpacked(params.save({("a",): jnp.arange(12.0).reshape(3, 4)}), tmp_path / "params")


@pytest.mark.parametrize("kind", CHANGES)
def test_descriptions_that_ask_for_more_are_refused(folder, kind):
    change, why = CHANGES[kind]
    description = {"chunks": [3, 4], "compressor": {"id": "zstd", "level": 1}, "dimension_separator": ".",
                   "dtype": "<f4", "fill_value": None, "filters": None, "order": "C", "shape": [3, 4],
                   "zarr_format": 2}  # fmt: skip
    members = altered(folder, "a/.zarray", json.dumps(description).encode())
    params.restore(Path("x.e2e"), members, [{"path": ["a"], "shape": [3, 4], "dtype": "float32"}])
    refused(altered(folder, "a/.zarray", json.dumps(description | change).encode()), folder, why)


def bomb(blocks):
    """A zstd frame of as many blocks of 2 MiB of zeros: four bytes each."""
    block = (1 << 1 | (1 << 21) - 1 << 3).to_bytes(3, "little") + b"\0"
    end = (1 | 1 << 1).to_bytes(3, "little") + b"\0"
    return checkpoint.FRAME.to_bytes(4, "little") + b"\0\x88" + block * blocks + end


def test_a_chunk_that_unpacks_to_gigabytes_is_refused(folder):
    content = bomb(50_000)
    assert len(content) < 300_000
    assert checkpoint._unpacked(content) == 50_000 * ((1 << 21) - 1)
    refused(altered(folder, "a/0.0", content), folder, "unpacks to more than it should")


@pytest.mark.parametrize("content", [b"hello", b"", bomb(1)[:-3], bomb(1)[:5]], ids=range(4))
def test_chunks_that_are_none_are_refused(folder, content):
    refused(altered(folder, "a/0.0", content), folder, "parameters that do not fit")
