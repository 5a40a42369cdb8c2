"""The cache of compiled programs: used by the next process, never trusted blindly, never in the way."""

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from model_fixtures import WEIGHTS, photo, tiny_model

import e2e_jax as e2e
from e2e_jax import cache, compiled, machine
from e2e_jax.compiler import compiler_options

SECOND_PROCESS = """
import sys, jax, numpy as np, e2e_jax as e2e
predictor = e2e.load(sys.argv[1])
answer = predictor.predict(np.load(sys.argv[2]))
print([(c.program, c.cached) for c in predictor.compilations])
print([(c.label, c.score.hex()) for c in answer.top])
print(jax.config.jax_compilation_cache_dir)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache for one test."""
    monkeypatch.setenv(cache.SETTING, str(tmp_path / "kept"))
    cache._said.clear()
    return tmp_path / "kept"


@pytest.fixture
def machines():
    """For tests that change what the machine seems to be."""
    compiler_options()  # remembers what the machine is
    cache.machine.cache_clear()
    yield
    cache.machine.cache_clear()


def entries(folder):
    return sorted(folder.rglob(f"*{cache.ENDING}"))


def answer(file, image=None):
    """A fresh predictor's answer, and whether each program came from the cache."""
    predictor = e2e.load(file)
    result = predictor.predict(photo() if image is None else image)
    return result, {c.program: c.cached for c in predictor.compilations}


def start(file, image, **setting):
    command = [sys.executable, "-c", SECOND_PROCESS, str(file), str(image)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=os.environ | setting)


def ended(process):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert err == ""  # XLA would complain there about code for another processor
    return out.splitlines()


@pytest.fixture
def image(tmp_path):
    np.save(tmp_path / "photo.npy", photo())
    return tmp_path / "photo.npy"


def test_the_next_process_compiles_nothing_and_answers_the_same_to_the_bit(tiny_file, image, folder):
    ledger, first, jax_cache = ended(start(tiny_file, image))
    assert sorted(eval(ledger)) == [("finish", False), ("network", False), ("prepare", False), ("ragged", False)]
    kept = [(file, file.read_bytes()) for file in entries(folder)]
    assert len(kept) == 4
    ledger, second, _ = ended(start(tiny_file, image))
    assert sorted(eval(ledger)) == [("finish", True), ("network", True), ("prepare", True), ("ragged", True)]
    assert second == first
    assert [(file, file.read_bytes()) for file in entries(folder)] == kept
    assert jax_cache == "None"  # the user's own programs are not our business


def test_two_processes_at_once_answer_the_same_and_leave_whole_entries(tiny_file, image, folder):
    first, second = [ended(process) for process in [start(tiny_file, image) for _ in range(2)]]
    assert first[1] == second[1]
    assert answer(tiny_file)[1] == {"prepare": True, "network": True, "ragged": True, "finish": True}
    assert len([file for file in folder.rglob("*") if file.is_file()]) == 4


def test_every_program_runs_from_the_cache(tiny_file, folder):
    images = np.stack([photo(seed=n) for n in range(3)])
    runs = []
    for _ in range(2):
        predictor = e2e.load(tiny_file)
        back = predictor.inverse([[1, 2, 8, 9]], size=(40, 50))
        runs.append((predictor.predict(images), predictor.predict(list(images)), predictor.replay(), back.tolist()))
    assert runs[0] == runs[1]
    assert {c.program for c in predictor.compilations} == {
        "prepare",
        "dense",
        "ragged",
        "network",
        "finish",
        "inverse",
    }
    assert all(c.cached for c in predictor.compilations)
    readonly = images[:, ::-1, ::-1]  # strides of their own
    readonly.flags.writeable = False
    assert predictor.predict(readonly) == predictor.predict(readonly.copy())


def test_other_weights_share_programs_and_other_programs_do_not(tiny_file, tmp_path, folder):
    first, _ = answer(tiny_file)
    other = e2e.export(tiny_model(network=(tiny_model().network.function, -WEIGHTS)), tmp_path / "o.e2e")
    result, cached = answer(other)
    assert cached == {"prepare": True, "network": True, "ragged": True, "finish": True}
    assert result.top[0].id != first.top[0].id
    model = tiny_model(network=(lambda params, x: x[:, ::2].mean((1, 2)) @ params, WEIGHTS))
    _, cached = answer(e2e.export(model, tmp_path / "p.e2e"))
    assert cached == {"prepare": False, "network": False, "ragged": True, "finish": True}


def test_code_that_only_jax_can_set_up_is_not_kept(tmp_path, folder):
    def by_lapack(params, x):
        moments = jnp.einsum("bhwi,bhwj->bij", x, x) + jnp.eye(3, dtype=x.dtype)
        return jnp.linalg.cholesky(moments)[:, 2, :] @ params

    file = e2e.export(tiny_model(network=(by_lapack, WEIGHTS)), tmp_path / "l.e2e")
    first, _ = answer(file)
    second, cached = answer(file)
    assert cached == {"prepare": True, "network": False, "ragged": True, "finish": True}
    assert second == first


@pytest.mark.parametrize("setting", ["off", "jax", "jax off"])
def test_it_can_be_turned_off_and_yields_to_jaxs_own(tiny_file, folder, tmp_path, monkeypatch, setting):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    names = {
        "jax": ("jax_compilation_cache_dir", str(tmp_path / "jax")),
        "jax off": ("jax_enable_compilation_cache", False),
    }
    if setting == "off":
        monkeypatch.setenv(cache.SETTING, "off")
        assert answer(tiny_file)[1] == {"prepare": False, "network": False, "ragged": False, "finish": False}
    else:
        name, value = names[setting]
        before = getattr(jax.config, name)
        try:
            jax.config.update(name, value)
            assert cache.opened(jax.devices()[0]) is None
            assert getattr(jax.config, name) == value
        finally:
            jax.config.update(name, before)
    assert not entries(tmp_path)


def test_features_versions_and_options_are_in_the_key(tiny_file, folder, monkeypatch, machines):
    device = jax.devices()[0]
    names = [cache.opened(device).folder.name]
    for place, name, value in [
        (machine, "CPUINFO", _cpuinfo(folder.parent, "flags : fpu avx2")),
        (machine, "CPUINFO", _cpuinfo(folder.parent, "flags : fpu avx2 avx512f")),
        (cache.platform, "machine", lambda: "aarch64"),
        (cache.jaxlib, "__version__", "99.0"),
        (cache, "processor", lambda device: ("another fingerprint",)),
    ]:
        monkeypatch.setattr(place, name, value)
        cache.machine.cache_clear()
        names.append(cache.opened(device).folder.name)
    assert len(set(names)) == len(names)
    program, shape = e2e.load(tiny_file)._runner.programs["ragged"], jax.ShapeDtypeStruct((1, 64, 64, 3), np.uint8)
    key = compiled.key_of(program, (shape,), device)
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    flagged = compiled.key_of(program, (shape,), device)
    with jax.enable_x64(True):
        assert len({key, flagged, compiled.key_of(program, (shape,), device)}) == 3


def _cpuinfo(folder, flags):
    file = folder / f"cpuinfo{len(flags)}"
    file.write_text(f"processor : 0\n{flags}\nprocessor : 1\n{flags}\nbogomips : 5000\n")
    return file


def test_xla_tells_the_features_it_compiles_for(monkeypatch):
    monkeypatch.setattr(machine, "CPUINFO", Path("/no/such/file"))
    (by_xla,) = cache.processor(jax.devices()[0])
    topology = type(_topology()).deserialize(_topology().serialize().replace(b"64bit", b"65bit"))
    assert by_xla == str(_topology().fingerprint()) != str(topology.fingerprint())


def _topology():
    from jax._src.lib import xla_client

    return xla_client.get_topology_for_devices([jax.devices()[0]])


def test_without_known_features_nothing_is_kept(tiny_file, folder, monkeypatch, machines):
    monkeypatch.setattr(cache, "processor", lambda device: ())
    assert answer(tiny_file)[1] == {"prepare": False, "network": False, "ragged": False, "finish": False}
    assert not folder.exists()


@pytest.mark.parametrize(
    "damage", [lambda b: b[:100], lambda b: b"", lambda b: b[:-1] + b"?", lambda b: b"?" * len(b)]
)
def test_damaged_entries_are_compiled_anew_and_replaced(tiny_file, folder, damage):
    expected, _ = answer(tiny_file)
    for file in entries(folder):
        file.write_bytes(damage(file.read_bytes()))
    assert answer(tiny_file) == (expected, {"prepare": False, "network": False, "ragged": False, "finish": False})
    assert answer(tiny_file) == (expected, {"prepare": True, "network": True, "ragged": True, "finish": True})


def test_whole_entries_that_xla_cannot_read_are_replaced_too(tiny_file, folder):
    expected, _ = answer(tiny_file)
    kept = cache.opened(jax.devices()[0])
    for file in entries(folder):
        kept.put(file.stem, b"not what XLA wrote")
    assert answer(tiny_file) == (expected, {"prepare": False, "network": False, "ragged": False, "finish": False})
    assert answer(tiny_file)[1] == {"prepare": True, "network": True, "ragged": True, "finish": True}


def test_folders_and_entries_are_the_users_alone(tiny_file, folder):
    answer(tiny_file)
    (inner,) = folder.iterdir()
    assert [place.stat().st_mode & 0o777 for place in (folder, inner, *entries(folder))] == [0o700] * 2 + [
        0o600
    ] * 4


@pytest.mark.parametrize("unsafe", ["root writable by the group", "writable by others", "of another user"])
def test_a_folder_that_others_may_write_to_is_not_used(tiny_file, folder, caplog, monkeypatch, unsafe):
    expected, _ = answer(tiny_file)
    (inner,) = folder.iterdir()
    if unsafe == "of another user":
        another = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: another)
    else:
        (folder if "group" in unsafe else inner).chmod(0o770 if "group" in unsafe else 0o707)
    for _ in range(2):
        assert answer(tiny_file) == (
            expected,
            {"prepare": False, "network": False, "ragged": False, "finish": False},
        )
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    said, received, fix = record.getMessage().splitlines()
    assert "by you alone" in said
    assert "others may write" in received and str(folder) in received
    assert "E2E_JAX_CACHE=off" in fix


def test_an_entry_that_others_may_write_to_is_not_used(tiny_file, folder):
    answer(tiny_file)
    for file in entries(folder):
        file.chmod(0o666)
    assert answer(tiny_file)[1] == {"prepare": False, "network": False, "ragged": False, "finish": False}


@pytest.mark.parametrize("trouble", ["a file in the way", "no home", "disk full"])
def test_where_nothing_can_be_written_prediction_goes_on_with_one_line(
    tiny_file, folder, caplog, monkeypatch, trouble
):
    if trouble == "a file in the way":
        folder.write_text("")
    elif trouble == "no home":
        monkeypatch.delenv(cache.SETTING)
        monkeypatch.setattr(cache, "default_folder", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    else:
        monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    for _ in range(2):
        result, cached = answer(tiny_file)
        assert result.label
        assert cached == {"prepare": False, "network": False, "ragged": False, "finish": False}
    assert len(caplog.records) == 1
    if trouble == "disk full":
        assert "No space left" in caplog.text
        assert not entries(folder)  # nothing half written either


def test_a_read_only_folder_is_read(tiny_file, folder, monkeypatch):
    answer(tiny_file)
    refuse = lambda *_, **__: (_ for _ in ()).throw(PermissionError(30, "Read-only file system"))  # noqa: E731
    monkeypatch.setattr(os, "utime", refuse)
    assert answer(tiny_file)[1] == {"prepare": True, "network": True, "ragged": True, "finish": True}


def test_what_was_not_used_for_longest_goes_first_and_nothing_else_goes(folder, monkeypatch):
    kept, rng = cache.opened(jax.devices()[0]), np.random.default_rng(0)
    (folder / "notes.txt").write_bytes(bytes(9000))
    monkeypatch.setattr(cache, "LARGEST", 2500)
    old = folder / "another_machine"
    old.mkdir()
    (old / f"old{cache.ENDING}").write_bytes(bytes(1000))
    os.utime(old / f"old{cache.ENDING}", (0, 0))
    for age, key in ((3, "a"), (2, "b")):
        kept.put(key, rng.bytes(1000))
        os.utime(kept.folder / f"{key}{cache.ENDING}", (10 - age, 10 - age))
    assert [file.stem for file in entries(folder)] == ["a", "b"]
    assert kept.get("a") is not None  # used: b is now the oldest
    kept.put("c", rng.bytes(1000))
    assert [file.stem for file in entries(folder)] == ["a", "c"]
    assert (folder / "notes.txt").stat().st_size == 9000


@pytest.mark.parametrize(
    ("system", "setting", "expected"),
    [
        ("linux", {"HOME": "/h"}, "/h/.cache/e2e_jax"),
        ("linux", {"HOME": "/h", "XDG_CACHE_HOME": "/x"}, "/x/e2e_jax"),
        ("linux", {"HOME": "/h", "XDG_CACHE_HOME": "x"}, "/h/.cache/e2e_jax"),
        ("darwin", {"HOME": "/h", "XDG_CACHE_HOME": "/x"}, "/h/Library/Caches/e2e_jax"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/e2e_jax"),
    ],
)
def test_the_folder_is_where_the_system_keeps_caches(monkeypatch, system, setting, expected):
    monkeypatch.setattr(sys, "platform", system)
    for name in ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in setting.items():
        monkeypatch.setenv(name, value)
    assert cache.default_folder().as_posix() == expected


def test_network_and_geometry_are_compiled_at_the_same_time(tiny_file, folder, monkeypatch):
    both = threading.Barrier(2)
    real = compiled._by_xla

    def slow(program, arguments, device):
        if len(arguments) > 1:  # "prepare" takes the parameters alone, and its turn after them
            both.wait(timeout=60)  # broken unless two threads are here
        return real(program, arguments, device)

    monkeypatch.setattr(compiled, "_by_xla", slow)
    assert answer(tiny_file)[0].label


def test_a_compilation_that_fails_is_told_and_tried_again(tiny_file, folder, monkeypatch):
    predictor = e2e.load(tiny_file)
    with monkeypatch.context() as broken:
        broken.setattr(compiled, "_by_xla", lambda *_: (_ for _ in ()).throw(MemoryError("no room")))
        with pytest.raises(e2e.ArtifactError, match="MemoryError: no room"):
            predictor.predict(photo())
    assert predictor.predict(photo()) == answer(tiny_file)[0]
