"""Writing an artifact leaves all of it or what stood there before: full disk, killed process, wrong place."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from model_fixtures import tiny_model

import e2e_jax as e2e
from e2e_jax.artifact import archive

OLD = b"the artifact that stood here before"
MEMBERS = {"manifest.json": b"{}", "params/a": bytes(100_000)}
WRITE = """
import os, resource, signal, sys
from pathlib import Path
from e2e_jax.artifact import archive
from e2e_jax.errors import ArtifactError
how, path = sys.argv[1:]
if how == "full":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
else:
    setattr(os, how, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
try:
    archive.write(Path(path), {"manifest.json": b"{}", "params/a": bytes(100_000)})
except ArtifactError as error:
    sys.exit(str(error))
"""


def write_in_a_process(how: str, path: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", WRITE, how, str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "model.e2e"
    path.write_bytes(OLD)
    return path


def test_a_full_disk_leaves_the_old_artifact_and_no_litter(target):
    done = write_in_a_process("full", target)
    assert done.returncode == 1
    expected, received, fix = done.stderr.strip().splitlines()
    assert expected == "export: the artifact must be writable."
    assert received == f"  Received: {target}: File too large"
    assert "unchanged" in fix
    assert target.read_bytes() == OLD
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_killed_process_leaves_the_old_artifact(target, moment):
    assert write_in_a_process(moment, target).returncode == -signal.SIGKILL
    assert target.read_bytes() == OLD


def test_a_killed_process_leaves_no_artifact_where_there_was_none(tmp_path):
    assert write_in_a_process("replace", tmp_path / "new.e2e").returncode == -signal.SIGKILL
    assert not (tmp_path / "new.e2e").exists()


@pytest.mark.parametrize("directory", [False, True])
def test_a_failure_at_the_last_step_leaves_the_old_artifact_and_no_litter(target, monkeypatch, directory):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(e2e.ArtifactError, match="No space left on device"):
        archive.write(target, MEMBERS, directory=directory)
    assert target.read_bytes() == OLD
    assert list(target.parent.iterdir()) == [target]


def test_an_interrupt_leaves_the_old_artifact_and_no_litter(target, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        archive.write(target, MEMBERS)
    assert target.read_bytes() == OLD
    assert list(target.parent.iterdir()) == [target]


def test_a_new_artifact_replaces_the_old(target):
    archive.write(target, MEMBERS)
    assert archive.read(target) == MEMBERS
    assert list(target.parent.iterdir()) == [target]


def test_equal_members_make_equal_files(tmp_path):
    archive.write(tmp_path / "a", MEMBERS)
    archive.write(tmp_path / "b", MEMBERS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_folder_is_never_replaced(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").write_bytes(OLD)
    for directory in (False, True):
        with pytest.raises(e2e.ArtifactError, match="must not be an existing folder"):
            archive.write(tmp_path / "precious", MEMBERS, directory=directory)
    assert (tmp_path / "precious/file").read_bytes() == OLD


@pytest.mark.parametrize("name", ["file/below.e2e", "x" * 300, "null\0character", "/proc/nowhere.e2e", ""])
def test_a_place_that_cannot_be_written_is_an_artifact_error(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(OLD)
    with pytest.raises(e2e.ArtifactError, match=r"^export: .*\n  Received: .*\n  Fix: .*$"):
        archive.write(Path(name), MEMBERS)
    assert (tmp_path / "file").read_bytes() == OLD
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("path", [None, 5, b"model.e2e", ["model.e2e"]])
def test_what_is_no_path_is_a_config_error(path):
    with pytest.raises(e2e.ConfigError, match="path must be a path"):
        e2e.export(tiny_model(), path, progress=False)
    with pytest.raises(e2e.ConfigError, match="path must be a path"):
        e2e.load(path)


def test_no_room_for_temporary_files_is_an_artifact_error(tmp_path, tiny_file, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(e2e.ArtifactError, match=r"export: .*\n  Received: .*missing"):
        e2e.export(tiny_model(), tmp_path / "new.e2e", progress=False)
    with pytest.raises(e2e.ArtifactError, match=r"folder for temporary files.*\n  Received: .*missing"):
        e2e.load(tiny_file)
    assert not list(tmp_path.iterdir())
