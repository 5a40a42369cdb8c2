"""Killed writers, full disks, and several processes at one path: the artifact there is the old one or a new one."""

import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from model_fixtures import rewrite
from writing import members, whole

import e2e_jax as e2e
from e2e_jax.artifact import archive, scratch
from e2e_jax.artifact.bundle import read_bundle, read_manifest

WRITING = Path(__file__).parent / "writing.py"
KILLS = 50  # moments of a write, and of an export
STARTS = 10  # of those of an export, in a process of its own, so that any moment of it is met
SPREAD = 2  # of the moments, in durations of a write: a busy machine may take longer than when it was measured
SECONDS = 3  # in which processes compete


def environment(**others):
    here = os.pathsep.join([str(WRITING.parents[2]), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": here, "JAX_PLATFORMS": "cpu"} | others


class Writer:
    """A running `writing.py`."""

    def __init__(self, **others):
        command, pipe = [sys.executable, str(WRITING)], subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment(**others))
        assert self.process.stdout.readline() == "ready\n"

    def start(self, what, path, number, **how):
        told = {"what": what, "path": str(path), "number": number} | how
        self.process.stdin.write(json.dumps(told) + "\n")
        self.process.stdin.flush()

    def told(self):
        return self.process.stdout.readline().strip()

    def close(self):
        self.process.communicate()


@pytest.fixture(scope="module")
def writers(tmp_path_factory):
    """Two of them, with a folder for temporary files of their own, which killed ones leave full."""
    with contextlib.ExitStack() as stack:
        made = [Writer(TMPDIR=str(tmp_path_factory.mktemp("tmp"))) for _ in range(2)]
        for writer in made:
            stack.callback(writer.close)
        yield made


def killed(writer, what, path, number, after):
    writer.start(what, path, number, after=after)
    return writer.told()


def duration(writer, what, path):
    """Seconds that a write takes in a fresh process; it is found by killing."""
    low = 0.002
    while (ending := killed(writer, what, path, 1, low)) == "killed":
        low *= 1.5
        path = (
            path if what in ("export", "refresh") else path.with_name(f"{path.name}+")
        )  # a folder is never replaced
    assert ending == "done"
    return low


@pytest.mark.parametrize("what", ["write", "folder"])
def test_kills_at_fifty_moments_of_writing(writers, tmp_path, what):
    lasts, rng, found = duration(writers[0], what, tmp_path / "measured"), random.Random(50), []
    for kill in range(KILLS):
        path = tmp_path / ("a.e2e" if what == "write" else f"{kill}.e2e")  # a folder is never replaced
        before = archive.read(path) if path.exists() else None
        ending = killed(writers[0], what, path, 2 + kill, rng.uniform(0, lasts))
        now = archive.read(path) if path.exists() else None
        if now != before:
            assert whole(now) == 2 + kill
        found.append((ending, now != before))
        assert len(list(tmp_path.glob(".e2e-*"))) <= 1  # a writer removes what the one before it left
    assert ("killed", False) in found
    assert ("done", False) not in found
    archive.write(tmp_path / "last.e2e", members(1))
    assert not list(tmp_path.glob(".e2e-*"))


def test_kills_while_an_export_writes(writers, tmp_path):
    path, rng, names = tmp_path / "a.e2e", random.Random(51), ["1"]
    lasts = duration(writers[0], "export", path)
    for number in range(2, 2 + KILLS - STARTS):
        ending = killed(writers[0], "export", path, number, rng.uniform(0, SPREAD * lasts))
        names.append(read_bundle(path).manifest.name)
        assert names[-1] in {names[-2], str(number)}
        assert ending == "killed" or names[-1] == str(number)
    assert 2 < len(set(names)) < KILLS - STARTS
    archive.write(tmp_path / "last.e2e", members(1))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.e2e", "last.e2e"]


def test_kills_while_a_refresh_writes(writers, tmp_path):
    path, rng, replaced = tmp_path / "a.e2e", random.Random(53), []
    writers[0].start("export", path, 1, seconds=0)
    writers[0].told()
    lasts = duration(writers[0], "refresh", path)
    for number in range(KILLS):
        before = path.stat().st_ino
        ending = killed(writers[0], "refresh", path, number, rng.uniform(0, SPREAD * lasts))
        replaced.append(path.stat().st_ino != before)
        assert read_bundle(path).manifest.name == "1"
        assert ending == "killed" or replaced[-1]
    assert 0 < sum(replaced) < KILLS
    archive.write(tmp_path / "last.e2e", members(1))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.e2e", "last.e2e"]


def test_kills_at_any_moment_of_an_export(tmp_path):
    path, rng, lasts = tmp_path / "a.e2e", random.Random(52), 0.0
    (tmp_path / "tmp").mkdir()
    for number in range(STARTS + 1):
        writer, start = Writer(TMPDIR=str(tmp_path / "tmp")), time.perf_counter()
        before = read_bundle(path).manifest.name if number else ""
        writer.start("export", path, number, seconds=0)
        if not number:
            assert writer.told() == '{"times": 1, "refused": 0}'
            lasts = time.perf_counter() - start
        time.sleep(rng.uniform(0, lasts) if number else 0)
        writer.process.kill()
        writer.close()
        assert read_bundle(path).manifest.name in {before, str(number)}
    archive.write(tmp_path / "last.e2e", members(1))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.e2e", "last.e2e", "tmp"]


@pytest.mark.parametrize("what", ["write", "folder"])
def test_two_processes_at_one_path_do_not_mix_and_readers_see_one_or_the_other(writers, tmp_path, what):
    path, seen = tmp_path / "a.e2e", set()
    for number, writer in enumerate(writers, 1):
        writer.start(what, path, number, seconds=SECONDS)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if path.exists():
            seen.add(whole(archive.read(path)))
    told = [json.loads(writer.told()) for writer in writers]
    if what == "write":
        assert seen == {1, 2}
        assert all(one["refused"] == 0 and one["times"] > 5 for one in told)
    else:  # the first one's stands: no system call replaces a folder that is not empty
        assert len(seen) == 1
        assert sum(one["times"] - one["refused"] for one in told) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.e2e"]


def test_loading_while_it_is_replaced_gives_one_or_the_other(tiny_file, tmp_path):
    versions = [rewrite(tiny_file, tmp_path / f"{n}.e2e", manifest={"name": str(n)}) for n in (1, 2)]
    contents, path, stop = [archive.read(version) for version in versions], tmp_path / "a.e2e", threading.Event()
    contents[1] |= {"samples/none": bytes(300_000)}  # of another length
    fields = json.loads(contents[1]["manifest.json"])
    fields["members"]["samples/none"] = archive.digest(contents[1]["samples/none"])
    contents[1]["manifest.json"] = json.dumps(fields).encode()
    archive.write(path, contents[0])

    def replace():
        while not stop.is_set():
            for content in contents:
                archive.write(path, content)

    replacing = threading.Thread(target=replace)
    replacing.start()
    try:
        names = [read_manifest(path).name for _ in range(300)] + [
            read_bundle(path).manifest.name for _ in range(20)
        ]
    finally:
        stop.set()
        replacing.join()
    assert set(names) == {"1", "2"}


FULL = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from writing import members, whole
from e2e_jax.artifact import archive
from e2e_jax.errors import ArtifactError
folder = Path(sys.argv[2])
archive.write(folder / "a.e2e", members(1))
for directory, name in ((False, "a.e2e"), (False, "b.e2e"), (True, "c.e2e")):
    try:
        archive.write(folder / name, members(2), directory=directory)
    except ArtifactError as error:
        print(error.received)
assert whole(archive.read(folder / "a.e2e")) == 1
print([path.name for path in folder.iterdir()])
"""


def test_a_disk_without_room_keeps_the_old_artifact_and_no_litter(tmp_path):
    isolated = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    mount = f"mount -t tmpfs -o size=1500k tmpfs '{tmp_path}'"
    try:
        subprocess.run([*isolated, mount], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"mounting is not permitted here: {error}")
    arguments = [sys.executable, "-c", FULL, str(WRITING.parent), str(tmp_path)]
    command = [*isolated, f'{mount} && exec "$0" "$@"', *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    *errors, left = done.stdout.splitlines()
    assert (done.returncode, left) == (0, "['a.e2e']"), done.stderr
    assert errors == [f"{tmp_path / name}: No space left on device" for name in ("a.e2e", "b.e2e", "c.e2e")]


def test_folders_of_the_living_and_of_others_are_left_alone(tmp_path):
    (tmp_path / ".e2e-link").symlink_to(tempfile.gettempdir())
    (tmp_path / ".e2e-file").write_text("not a folder")
    with scratch.scratch_folder(tmp_path) as one, scratch.scratch_folder(tmp_path) as two:
        assert one != two
        assert one.is_dir()
    assert sorted(p.name for p in tmp_path.iterdir()) == [".e2e-file", ".e2e-link"]


def test_without_locks_folders_go_by_their_age(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "fcntl", None)
    for name, age in (("old", scratch.ABANDONED + 60), ("new", 60)):
        (tmp_path / f".e2e-{name}").mkdir()
        os.utime(tmp_path / f".e2e-{name}", (time.time() - age,) * 2)
    archive.write(tmp_path / "a.e2e", members(1))
    assert sorted(p.name for p in tmp_path.iterdir()) == [".e2e-new", "a.e2e"]


def test_a_failed_export_names_the_place_and_what_is_missing(tmp_path):
    (tmp_path / "a.e2e").mkdir()
    with pytest.raises(e2e.ArtifactError, match="must not be an existing folder"):
        archive.write(tmp_path / "a.e2e", members(1))
