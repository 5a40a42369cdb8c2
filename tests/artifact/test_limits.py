"""What is read of a stranger's file at all: kinds and numbers of members, bytes, parameters."""

import io
import os
import struct
import zipfile

import jax
import numpy as np
import pytest
from hostile import refused, write_zip
from model_fixtures import rewrite

import e2e_jax as e2e
from e2e_jax.artifact import archive, bundle
from e2e_jax.artifact.bundle import read_bundle, read_manifest


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
    record = zipfile.ZipFile(tiny_file).start_dir
    for bit in (0x1, 0x40, 0x2000):
        struct.pack_into("<H", content, record + 8, bit)
        (tmp_path / "a.e2e").write_bytes(content)
        refused(tmp_path / "a.e2e", "encrypted members|strong encryption")


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
    path = write_zip(tmp_path / "a.e2e", entries)
    monkeypatch.setattr(zipfile, "ZipInfo", lambda *_: pytest.fail("a member was looked at"))
    refused(path, "a table of contents of more than 66000 bytes")


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

    def then(how):
        def listed(*arguments):
            monkeypatch.setattr(archive, "_files", files)
            found = list(files(*arguments))
            how()
            return iter(found)

        return listed

    def link():
        (folder / "manifest.json").rename(tmp_path / "manifest.json")
        (folder / "manifest.json").symlink_to(tmp_path / "manifest.json")

    def grow():
        (folder / "samples/input.npz").write_bytes(bytes(10**6))

    for how, why in ((grow, "samples/input.npz changed while it was read"), (link, "levels of symbolic links")):
        monkeypatch.setattr(archive, "_files", then(how))
        refused(folder, why)


def test_nothing_is_used_before_all_hashes_are_checked(tiny_file, tmp_path, monkeypatch):
    members = archive.read(tiny_file)
    for module, name in ((bundle, "_program"), (bundle.params, "restore"), (bundle.sample, "unpack"),
                         (bundle, "known_steps"), (bundle, "contradiction"),
                         (bundle, "postprocess_of")):  # fmt: skip
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


def test_fewer_labels_than_classes_are_the_artifacts_fault(tiny_file, tmp_path):
    path = rewrite(tiny_file, tmp_path / "a.e2e", manifest={"labels": ["red"]})
    with pytest.raises(
        e2e.ArtifactError, match="(?s)predict: labels and post-processor must fit.*Received: 1 labels"
    ):
        e2e.load(path).predict(np.zeros((9, 9, 3), np.uint8))


def leaf(*shape, path=("a",)):
    return {"path": list(path), "shape": list(shape), "dtype": "float32"}


CLAIMS = {
    "a terabyte": ([leaf(500_000, 500_000)], "claims 10{12} bytes"),
    "beyond 64 bits": ([leaf(2**40, 2**40)], "claims 4835703278"),
    "many": ([leaf(1 << 20, path=[str(n)]) for n in range(17)], "claims 71303168 bytes"),
    "negative": ([leaf(-1, -1)], "negative extent"),
    "deep": ([leaf(1, path=["a"] * 33)], "more than 32 levels deep"),
}


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
