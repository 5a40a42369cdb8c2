"""Damaged and hostile archives: an ArtifactError, never another exception and never other numbers."""

import io
import json
import os
import socket
import struct
import zipfile

import numpy as np
import pytest
from hostile import refused, write_zip
from model_fixtures import rewrite

import e2e_jax as e2e
from e2e_jax.artifact import archive
from e2e_jax.artifact.bundle import read_bundle, read_manifest

FLIPS = 200  # bytes of the archive that are changed, one at a time


def test_every_truncation_is_refused(tiny_file, tmp_path):
    content = tiny_file.read_bytes()
    for sixteenth in range(16):
        (tmp_path / "cut.e2e").write_bytes(content[: len(content) * sixteenth // 16])
        refused(tmp_path / "cut.e2e", "not a zip file|zip")
    (tmp_path / "cut.e2e").write_bytes(content[:-1])
    refused(tmp_path / "cut.e2e", "zip")


def test_a_changed_byte_is_refused_or_does_not_matter(tiny_file, tmp_path):
    content, members = tiny_file.read_bytes(), archive.read(tiny_file)
    random = np.random.default_rng(5)
    directory = content.rindex(b"PK\1\2")  # half of the flips in the zip's own records, where reading is tricky
    places = [*random.integers(0, len(content), FLIPS // 2), *random.integers(directory, len(content), FLIPS // 2)]
    places.append(content.index(b'"red"') + 1)  # a label: no hash stands for the manifest itself, but the zip's sum
    harmless = 0
    for place in places:
        changed = bytearray(content)
        changed[place] ^= random.integers(1, 256)
        (tmp_path / "flipped.e2e").write_bytes(changed)
        try:
            read_bundle(tmp_path / "flipped.e2e")
        except e2e.ArtifactError:
            continue
        assert archive.read(tmp_path / "flipped.e2e") == members  # so it predicts the same
        harmless += 1
    assert harmless < FLIPS / 2


def test_the_same_bytes_with_something_before_them_are_still_one_archive(tiny_file, tmp_path):
    (tmp_path / "shell.e2e").write_bytes(b"#!/bin/sh\n" + tiny_file.read_bytes())
    assert read_manifest(tmp_path / "shell.e2e").name == "tiny"


UNSAFE = [
    "../evil",
    "/abs",
    "a\\b",
    "params/../../evil",
    "params//x",
    "./params",
    "params/",
    "C:evil",
    ".hidden",
    "a b",
]


@pytest.mark.parametrize("name", UNSAFE)
def test_unsafe_names_are_refused_and_write_nothing(tiny_file, tmp_path, name):
    entries = [*archive.read(tiny_file).items(), (name, b"evil")]
    before = set(tmp_path.parent.rglob("*"))
    path = write_zip(tmp_path / "unsafe.e2e", entries)
    refused(path, "unsafe member names")
    assert set(tmp_path.parent.rglob("*")) - before == {path}


def test_doubled_names_are_refused(tiny_file, tmp_path):
    members = list(archive.read(tiny_file).items())
    refused(write_zip(tmp_path / "doubled.e2e", [*members, members[1]]), "doubled member names")


def test_compressed_members_are_refused(tiny_file, tmp_path):
    entries = archive.read(tiny_file).items()
    refused(write_zip(tmp_path / "deflated.e2e", entries, zipfile.ZIP_DEFLATED), "compressed members")


def test_a_size_larger_than_the_file_is_refused_before_it_is_read(tmp_path):
    path = write_zip(tmp_path / "huge.e2e", [("manifest.json", b"{}")])
    content = bytearray(path.read_bytes())
    record = content.rindex(b"PK\1\2")
    content[record + 20 : record + 28] = struct.pack("<II", 0xFFFF_FFF0, 0xFFFF_FFF0)  # both sizes
    path.write_bytes(content)
    refused(path, "claim more bytes than the file has")


def test_a_missing_or_surplus_member_is_refused(tiny_file, tmp_path):
    members = archive.read(tiny_file)
    without = {name: data for name, data in members.items() if name != "programs/ragged.jax"}
    refused(write_zip(tmp_path / "a.e2e", without.items()), "missing or not in the manifest: programs/ragged.jax")
    surplus = members | {"programs/extra.jax": b"?"}
    refused(write_zip(tmp_path / "b.e2e", surplus.items()), "missing or not in the manifest: programs/extra.jax")
    del without["manifest.json"]
    refused(write_zip(tmp_path / "c.e2e", without.items()), "no manifest.json")


def test_a_member_with_another_hash_is_refused(tiny_file, tmp_path):
    members = archive.read(tiny_file)
    members["samples/input.npz"] += b"\0"
    refused(write_zip(tmp_path / "a.e2e", members.items()), "samples/input.npz does not have the recorded sha256")


def test_links_in_a_folder_are_not_followed(tiny_file, tmp_path):
    folder = tmp_path / "folder"
    with zipfile.ZipFile(tiny_file) as file:
        file.extractall(folder)
    (folder / "programs/dense.jax").rename(tmp_path / "dense.jax")
    (folder / "programs/dense.jax").symlink_to(tmp_path / "dense.jax")
    refused(folder, "a link or special file: 'programs/dense.jax'")
    (folder / "programs").rename(tmp_path / "programs")
    (folder / "programs").symlink_to(tmp_path / "programs")
    refused(folder, "a link or special file: 'programs'")


def test_a_folder_that_is_no_artifact_is_refused_without_reading_it(tmp_path, monkeypatch):
    (tmp_path / "photo.jpg").write_bytes(b"?")
    monkeypatch.setattr(type(tmp_path), "read_bytes", lambda path: pytest.fail(f"read {path}"))
    refused(tmp_path, "a folder without manifest.json")


def test_what_is_no_artifact_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    (tmp_path / "text.e2e").write_text("hello")
    (tmp_path / "empty.e2e").touch()
    with socket.socket(
        socket.AF_UNIX
    ) as server:  # a pipe would do, but where it is not refused the test would hang
        server.bind("socket.e2e")
    refused(tmp_path / "text.e2e", "not a zip file")
    refused(tmp_path / "empty.e2e", "not a zip file")
    refused(tmp_path / "socket.e2e", "no regular file")
    refused(tmp_path / "missing.e2e", "there is no such file")
    refused(tmp_path / "text.e2e/below", "there is no such file")
    refused("x" * 300, "File name too long")
    refused("null\0character", "there is no such file")


def test_a_pickled_array_in_the_samples_is_never_executed(tiny_file, tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    buffer = io.BytesIO()
    np.savez(buffer, images=np.array([Trap()], dtype=object))
    for member in ("samples/input.npz", "samples/outputs.npz"):
        refused(rewrite(tiny_file, tmp_path / "trap.e2e", members={member: buffer.getvalue()}), "stored sample")
    assert not (tmp_path / "executed").exists()


def test_samples_that_unpack_to_more_than_their_bytes_are_refused(tiny_file, tmp_path):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, images=np.zeros((1, 5000, 5000, 3), np.uint8))
    assert len(buffer.getvalue()) < 100_000
    refused(
        rewrite(tiny_file, tmp_path / "bomb.e2e", members={"samples/input.npz": buffer.getvalue()}), "compressed"
    )


@pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 1000], ids=["empty", "text", "zeros"])
@pytest.mark.parametrize("member", ["programs/dense.jax", "programs/network.jax", "samples/outputs.npz"])
def test_members_of_nonsense_are_refused(tiny_file, tmp_path, member, content):
    refused(rewrite(tiny_file, tmp_path / "nonsense.e2e", members={member: content}), "^load: ")


def test_parameters_that_do_not_match_are_refused(tiny_file, tmp_path):
    members = archive.read(tiny_file)
    folder = [name for name in members if name.startswith("params/")]
    refused(rewrite(tiny_file, tmp_path / "a.e2e", members=dict.fromkeys(folder)), "do not fit the manifest")
    refused(rewrite(tiny_file, tmp_path / "b.e2e", members={"params/_METADATA": b"[]"}), "do not fit the manifest")
    (leaf,) = json.loads(members["manifest.json"])["params"]
    for wrong in ({"shape": [4, 3]}, {"shape": [3, 4, 1]}, {"dtype": "int8"}, {"dtype": "object"}, {"path": ["w"]},
                  {"path": []}, {"shape": [-3, 4]}):  # fmt: skip
        refused(rewrite(tiny_file, tmp_path / "c.e2e", manifest={"params": [leaf | wrong]}), "^load: ")
    refused(rewrite(tiny_file, tmp_path / "d.e2e", manifest={"params": []}), "does not take the parameters")
    refused(rewrite(tiny_file, tmp_path / "e.e2e", manifest={"params": [leaf, leaf]}), "does not take the param")
