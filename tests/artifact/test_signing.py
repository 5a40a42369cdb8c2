"""Signatures beside artifacts: only what the holder of a key exported is loaded, and nothing is read before."""

import json
import subprocess
import sys
import zipfile

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from model_fixtures import assert_same, photo, rewrite, tiny_model

import e2e_jax as e2e
from e2e_jax.artifact import archive, signing
from e2e_jax.artifact.manifest import Manifest

KEY = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
RAW = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
PRIVATE = KEY.private_bytes(*RAW, serialization.NoEncryption())
PUBLIC = KEY.public_key().public_bytes(RAW[0], serialization.PublicFormat.SubjectPublicKeyInfo)


def copied(source, folder):
    """An artifact and its signature, to be changed."""
    for path in (source, signing.signature_path(source)):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder / source.name


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    return e2e.export(tiny_model(), tmp_path_factory.mktemp("signed") / "tiny.e2e", progress=False, sign_key=KEY)


def refused(path, why, trust=PUBLIC):
    with pytest.raises(e2e.ArtifactError, match=f"must be signed by the key in trust.*\n.*{why}"):
        e2e.load(path, trust=trust)


def test_a_signed_artifact_is_loaded_by_who_trusts_the_key(signed, predictor, tmp_path):
    (tmp_path / "key.pem").write_bytes(PUBLIC)
    for trust in (KEY.public_key(), PUBLIC, tmp_path / "key.pem", str(tmp_path / "key.pem"), None):
        loaded = e2e.load(signed, trust=trust)
    assert_same(loaded.predict(photo()), predictor.predict(photo()), 0)


def test_the_signature_is_what_the_documentation_says(signed):
    fields = json.loads((signed.parent / "tiny.e2e.sig").read_bytes())
    (signature,) = fields.pop("signatures")
    assert fields == {"format": 1, "algorithm": "ed25519", "signs": "manifest.json"}
    message = b"e2e_jax artifact, signature format 1\n" + zipfile.ZipFile(signed).read("manifest.json")
    KEY.public_key().verify(bytes.fromhex(signature), message)


def test_another_key_or_no_signature_is_refused(signed, tiny_file, tmp_path):
    refused(signed, "tiny.e2e.sig does not fit", OTHER.public_key())
    refused(tiny_file, "tiny.e2e.sig is missing")
    path = copied(signed, tmp_path)
    for content in (b"", b"hello", b"[" * 9000, b"[]", b"{}", b'{"format": 1, "signatures": [1]}'):
        signing.signature_path(path).write_bytes(content)
        refused(path, "does not fit")


ALTERED = [{"signatures": ["zz"]}, {"signatures": [5]}, {"signatures": []}, {"format": 2}, {"signs": "all"},
           {"algorithm": "none"}, {"surplus": 1}]  # fmt: skip


@pytest.mark.parametrize("change", ALTERED, ids=str)
def test_an_altered_signature_is_refused(signed, tmp_path, change):
    path = copied(signed, tmp_path)
    fields = json.loads(signing.signature_path(path).read_bytes()) | change
    signing.signature_path(path).write_text(json.dumps(fields))
    refused(path, "does not fit")


def test_a_changed_manifest_is_refused_before_it_is_read(signed, tmp_path, monkeypatch):
    path = copied(signed, tmp_path)
    rewrite(signed, path, manifest={"labels": ["red", "green", "blue", "grey"]})
    assert e2e.load(path).manifest.labels[3] == "grey"
    monkeypatch.setattr(Manifest, "from_members", lambda *_: pytest.fail("the manifest was read"))
    refused(path, "does not fit")


def test_a_changed_member_is_refused(signed, tmp_path):
    path = copied(signed, tmp_path)
    members = archive.read(path)
    archive.write(path, members | {"samples/input.npz": members["samples/input.npz"] + b"?"})
    with pytest.raises(e2e.ArtifactError, match="samples/input.npz does not have the recorded sha256"):
        e2e.load(path, trust=PUBLIC)


def test_a_folder_is_signed_beside_it(signed, tmp_path):
    archive.write(tmp_path / "tiny.e2e", archive.read(signed), directory=True)
    refused(tmp_path / "tiny.e2e", "is missing")
    signing.signature_path(tmp_path / "tiny.e2e").write_bytes(signing.signature_path(signed).read_bytes())
    assert e2e.load(tmp_path / "tiny.e2e", trust=PUBLIC).manifest.name == "tiny"


def test_at_every_moment_of_a_new_export_the_artifact_there_has_a_signature(signed, tmp_path):
    path, public = copied(signed, tmp_path), KEY.public_key()
    old, new = archive.read(path), archive.read(path) | {"manifest.json": b"{}"}
    with signing.signed(path, new["manifest.json"], KEY):
        signing.verify(path, old["manifest.json"], public)  # a process killed here leaves the old one, signed
        archive.write(path, new)
        signing.verify(path, new["manifest.json"], public)
    signing.verify(path, new["manifest.json"], public)
    for number in range(9):
        with signing.signed(path, b"%d" % number, KEY):
            pass
    assert len(json.loads(signing.signature_path(path).read_bytes())["signatures"]) == signing.KEPT


def test_where_writing_fails_the_signature_is_taken_back(signed, tmp_path, monkeypatch):
    def full(*_, **__):
        raise e2e.ArtifactError("export: full.", "?", "?")

    path = copied(signed, tmp_path)
    before = signing.signature_path(path).read_bytes()
    monkeypatch.setattr(archive, "write", full)
    with pytest.raises(e2e.ArtifactError, match="full"):
        e2e.export(tiny_model(), path, progress=False, sign_key=PRIVATE)
    with pytest.raises(e2e.ArtifactError, match="full"), signing.signed(tmp_path / "new.e2e", b"{}", KEY):
        full()
    assert signing.signature_path(path).read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["tiny.e2e", "tiny.e2e.sig"]


ODD = [b"", b"hello", PUBLIC, 5, "missing.pem", ec.generate_private_key(ec.SECP256R1()), "null\0character", KEY]


@pytest.mark.parametrize("given", ODD[:-1], ids=range(len(ODD) - 1))
def test_what_is_no_private_key_is_a_config_error(tmp_path, given, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(e2e.ConfigError, match="sign_key must be an Ed25519 private key") as caught:
        e2e.export(tiny_model(), tmp_path / "x.e2e", progress=False, sign_key=given)
    assert len(str(caught.value).splitlines()) == 3
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("given", [*ODD[:2], PRIVATE, *ODD[3:]], ids=range(len(ODD)))
def test_what_is_no_public_key_is_a_config_error(signed, given):
    with pytest.raises(e2e.ConfigError, match="trust must be an Ed25519 public key") as caught:
        e2e.load(signed, trust=given)
    assert "PRIVATE" not in str(caught.value)


def test_an_encrypted_key_is_a_config_error(tmp_path):
    pem = KEY.private_bytes(*RAW, serialization.BestAvailableEncryption(b"secret"))
    with pytest.raises(e2e.ConfigError, match="no PEM of an unencrypted private key"):
        signing.private_key(pem)


def test_without_cryptography_the_extra_is_named(tiny_file, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives", None)
    with pytest.raises(e2e.ConfigError, match=r"(?s)needs the package cryptography.*e2e_jax\[sign\]"):
        e2e.load(tiny_file, trust=PUBLIC)


def test_nobody_who_does_not_sign_imports_cryptography():
    code = "import sys, e2e_jax; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
