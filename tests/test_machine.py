"""Facts about the machine, read from kernels' own words."""

import os

import pytest

from e2e_jax import machine

X86 = (
    "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu avx2 avx512f amx_bf16\n\nprocessor\t: 1\nflags\t: sve\n"
)
ARM = "processor\t: 0\nFeatures\t: fp asimd bf16 sve\nCPU implementer\t: 0x41\n"
OLD = "processor\t: 0\nmodel name\t: Old\nflags\t\t: fpu sse2\n"


@pytest.fixture
def cpuinfo(tmp_path, monkeypatch):
    """Puts a text in the place of the kernel's."""

    def put(text: str) -> None:
        file = tmp_path / "cpuinfo"
        file.write_text(text)
        monkeypatch.setattr(machine, "CPUINFO", file)
        machine.processor.cache_clear()
        machine.features.cache_clear()

    yield put
    monkeypatch.undo()
    machine.processor.cache_clear()
    machine.features.cache_clear()


@pytest.mark.parametrize(
    ("text", "features", "fast"),
    [
        (X86, ("avx2", "avx512f", "amx_bf16"), True),
        (ARM, ("asimd", "sve", "bf16"), True),
        (OLD, (), False),
        ("", (), False),
    ],
)
def test_features_are_those_of_the_first_core(cpuinfo, text, features, fast):
    cpuinfo(text)
    assert machine.features() == features
    assert machine.has_bfloat16() is fast


def test_processor_has_the_kernels_name_for_it(cpuinfo):
    cpuinfo(X86)
    assert machine.processor() == "Some CPU"


def test_without_the_kernels_file_the_platform_answers(cpuinfo, monkeypatch, tmp_path):
    cpuinfo("")
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "missing")
    monkeypatch.setattr(machine.platform, "processor", lambda: "")
    monkeypatch.setattr(machine.platform, "machine", lambda: "riscv64")
    assert machine.processor() == "riscv64"
    assert machine.features() == ()


def test_threads_are_the_cores_this_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    assert machine.threads() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert machine.threads() == 1
