"""Damaged and hostile archives: an ArtifactError, never another exception and never other numbers."""

import io
import json
import os
import socket
import struct
import warnings
import zipfile

import jax
import numpy as np
import pytest
from model_fixtures import rewrite

import e2e_jax as e2e
from e2e_jax.artifact import archive, bundle
from e2e_jax.artifact.bundle import read_bundle, read_manifest

ZIP_INFO = zipfile.ZipInfo
FLIPS = 200  # bytes of the archive that are changed, one at a time


def write_zip(path, entries, compression=zipfile.ZIP_STORED):
    """Any names, doubled ones too, in an archive that `archive.write` would never make."""
    with warnings.catch_warnings(action="ignore", category=UserWarning), zipfile.ZipFile(path, "w") as file:
        for name, content in entries:
            info = zipfile.ZipInfo(name)
            info.filename = name  # as it is, without the cleaning of ZipInfo
            file.writestr(info, content, compression)
    return path


def refused(path, why):
    with pytest.raises(e2e.ArtifactError, match=why) as caught:
        e2e.load(path)
    lines = str(caught.value).splitlines()
    assert [lines[1][:12], lines[2][:7]] == ["  Received: ", "  Fix: "]


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


def altered_zip(source, target, change):
    """A copy whose table of contents says something else."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            new.writestr(change(info) or info, old.read(info.filename))
    return target


@pytest.mark.parametrize("mode", [0o120777, 0o040755, 0o010644, 0o020644], ids=["link", "folder", "pipe", "device"])
def test_links_and_special_files_in_a_zip_are_refused(tiny_file, tmp_path, mode):
    def change(info):
        if info.filename == "programs/dense.jax":
            info.external_attr = mode << 16

    refused(altered_zip(tiny_file, tmp_path / "a.e2e", change), "links, folders or special files as members")


def test_encrypted_members_are_refused(tiny_file, tmp_path):
    content = bytearray(tiny_file.read_bytes())
    record = content.index(b"PK\1\2")
    for bit in (0x1, 0x40, 0x2000):
        struct.pack_into("<H", content, record + 8, bit)
        (tmp_path / "a.e2e").write_bytes(content)
        refused(tmp_path / "a.e2e", "encrypted members")


@pytest.mark.parametrize("name", ["PROGRAMS/dense.jax", "programs/dense.jax/below", "programs", "params/D" * 40])
def test_names_that_no_folder_can_hold_side_by_side_are_refused(tiny_file, tmp_path, name):
    entries = [*archive.read(tiny_file).items(), (name, b"?")]
    refused(write_zip(tmp_path / "a.e2e", entries), "doubled member names|named like a folder|unsafe member names")


LIMITS = {
    "MEMBERS_LIMIT": (5, "more than 5 members"),
    "MEMBER_LIMIT": (50_000, "a member of [0-9]* bytes; at most 50000 are read"),
    "TOTAL_LIMIT": (300_000, "bytes; at most 300000 are read"),
    "MANIFEST_LIMIT": (100, "no manifest.json of at most 100 bytes"),
    "NAME_LIMIT": (20, "unsafe member names"),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_limits_hold_for_files_and_folders_before_members_are_read(tiny_file, tmp_path, monkeypatch, limit):
    archive.write(tmp_path / "folder", archive.read(tiny_file), directory=True)
    value, why = LIMITS[limit]
    monkeypatch.setattr(archive, limit, value)
    if limit != "MANIFEST_LIMIT":
        monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("read"))
        monkeypatch.setattr(archive, "_read_file", lambda *_: pytest.fail("read"))
    refused(tiny_file, why)
    refused(tmp_path / "folder", why)


def test_a_long_table_of_contents_is_not_read(tiny_file, tmp_path, monkeypatch):
    monkeypatch.setattr(archive._Bounded, "limit", 66_000)  # bytes; zipfile looks at the last 65,557 for its end
    assert read_manifest(tiny_file).name == "tiny"
    entries = [(f"samples/{number:0180}", b"") for number in range(300)]
    monkeypatch.setattr(zipfile, "ZipInfo", lambda *_: pytest.fail("a member was looked at"))
    refused(write_many(tmp_path / "a.e2e", entries), "a table of contents of more than 66000 bytes")


def write_many(path, entries):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in entries:
            file.writestr(ZIP_INFO(name), content)
    return path


def test_folders_in_folders_are_followed_so_far_only(tiny_file, tmp_path):
    folder = tmp_path / "folder"
    archive.write(folder, archive.read(tiny_file), directory=True)
    folder.joinpath(*"abcdefgh").mkdir(parents=True)
    assert read_manifest(folder).name == "tiny"  # empty folders do no harm
    folder.joinpath(*"abcdefghi").mkdir(parents=True)
    refused(folder, "folders nested deeper than 8")


def test_pipes_in_a_folder_are_refused_without_waiting(tiny_file, tmp_path):
    archive.write(tmp_path / "folder", archive.read(tiny_file), directory=True)
    os.mkfifo(tmp_path / "folder/pipe")
    refused(tmp_path / "folder", "a link or special file: 'pipe'")


def test_a_member_that_becomes_a_link_or_grows_while_it_is_read_is_refused(tiny_file, tmp_path, monkeypatch):
    folder, files = tmp_path / "folder", archive._files
    archive.write(folder, archive.read(tiny_file), directory=True)

    def replaced(*arguments):
        found = list(files(*arguments))
        how()
        return iter(found)

    def link():
        (folder / "manifest.json").rename(tmp_path / "manifest.json")
        (folder / "manifest.json").symlink_to(tmp_path / "manifest.json")

    monkeypatch.setattr(archive, "_files", replaced)
    how = lambda: (folder / "samples/input.npz").write_bytes(bytes(10**6))  # noqa: E731
    refused(folder, "member samples/input.npz changed while it was read")
    how = link
    refused(folder, "Too many levels of symbolic links")


def test_nothing_is_used_before_all_hashes_are_checked(tiny_file, tmp_path, monkeypatch):
    members = archive.read(tiny_file)
    for module, name in ((bundle, "_program"), (bundle.params, "restore"), (bundle.sample, "unpack"),
                         (bundle, "known_steps"), (bundle, "contradiction"), (bundle, "_postprocess")):  # fmt: skip
        monkeypatch.setattr(module, name, lambda *_: pytest.fail("used"))
    for name in members.keys() - {"manifest.json"}:
        path = write_zip(tmp_path / "a.e2e", (members | {name: members[name] + b"?"}).items())
        for call in (read_bundle, read_manifest):
            with pytest.raises(e2e.ArtifactError, match=f"member {name} does not have the recorded sha256"):
                call(path)


def test_a_sample_of_other_photos_than_the_signature_has_is_refused(tiny_file, tmp_path):
    for odd in (np.zeros((1, 9, 9, 4), np.uint8), np.zeros((1, 9, 9, 3), np.float32), np.zeros((9, 9, 3), np.uint8),
                np.zeros((0, 9, 9, 3), np.uint8)):  # fmt: skip
        buffer = io.BytesIO()
        np.savez(buffer, images=odd)
        path = rewrite(tiny_file, tmp_path / "a.e2e", members={"samples/input.npz": buffer.getvalue()})
        refused(path, "a stored sample that does not fit the signature")


def test_a_program_that_does_not_compile_is_the_artifacts_fault(tiny_file, tmp_path):
    members = archive.read(tiny_file)
    content = members["programs/ragged.jax"]
    place = content.index(b"ML\xefR") + len(content) // 3  # in the middle of its instructions
    broken = content[:place] + bytes(40) + content[place + 40 :]
    path = rewrite(tiny_file, tmp_path / "a.e2e", members={"programs/ragged.jax": broken})
    with pytest.raises(e2e.ArtifactError, match="(?s)predict: the ragged program must compile.*Received: .*Fix: "):
        e2e.load(path).predict(np.zeros((9, 9, 3), np.uint8))


CLAIMS = {
    "a terabyte": ([{"path": ["leaves", "0"], "shape": [500_000, 500_000], "dtype": "float32"}], "claims 10{12} bytes"),
    "beyond 64 bits": ([{"path": ["a"], "shape": [2**40, 2**40], "dtype": "float32"}], "claims 4835703278"),
    "many": ([{"path": [str(n)], "shape": [1 << 20], "dtype": "float32"} for n in range(17)], "claims 71303168 bytes"),
    "negative": ([{"path": ["a"], "shape": [-1, -1], "dtype": "float32"}], "negative extent"),
    "deep": ([{"path": ["a"] * 33, "shape": [1], "dtype": "float32"}], "more than 32 levels deep"),
}  # fmt: skip


@pytest.mark.parametrize("kind", CLAIMS)
def test_parameters_that_the_checkpoint_cannot_hold_are_refused_before_room_is_made(tiny_file, monkeypatch, kind):
    monkeypatch.setattr(bundle.params, "_abstract", lambda _: pytest.fail("room was made"))
    described, why = CLAIMS[kind]
    with pytest.raises(e2e.ArtifactError, match=why):
        bundle.params.restore(tiny_file, archive.read(tiny_file), described)


def test_parameters_that_load_would_refuse_are_not_exported(monkeypatch):
    leaves = {("a",): jax.numpy.zeros((4000, 4000))}  # 64 MB in some hundred bytes
    assert bundle.params.save(leaves)
    monkeypatch.setattr(bundle.params, "ALWAYS", 60_000_000)
    with pytest.raises(e2e.ConfigError, match="claims 64000000 bytes of parameters where there can be 60000000"):
        bundle.params.save(leaves)


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
