"""What this machine is: the facts that a published figure needs, and that compiled code depends on."""

from __future__ import annotations

import functools
import os
import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")  # Linux only; elsewhere less is known

#: Instructions that decide how fast a network runs, by the kernel's names: x86, then Arm.
NOTABLE = (
    *("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16"),
    *("asimd", "asimddp", "sve", "bf16", "i8mm"),
)
BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}  # multiply bfloat16 in hardware


def threads() -> int:
    """How many cores this process may use.

    Example:
        >>> threads() >= 1
        True
    """
    usable = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(usable(0)) if usable else os.cpu_count() or 1


@functools.cache
def processor() -> str:
    """Its name as the kernel or the platform gives it."""
    return _first_core().get("model name", "") or platform.processor() or platform.machine()


@functools.cache
def features() -> tuple[str, ...]:
    """Which of `NOTABLE` it has; none where there is no ``/proc/cpuinfo``.

    Example:
        >>> set(features()) <= set(NOTABLE)
        True
    """
    facts = _first_core()
    flags = set((facts.get("flags") or facts.get("Features", "")).split())  # x86, Arm
    return tuple(name for name in NOTABLE if name in flags)


def has_bfloat16() -> bool:
    """Whether bfloat16 is more than float32 with zeros to this processor."""
    return not BFLOAT16.isdisjoint(features())


def cpuinfo() -> str:
    """What the kernel says of each core, a line per fact; empty where it says nothing."""
    try:
        return CPUINFO.read_text()
    except (OSError, UnicodeDecodeError):
        return ""


def _first_core() -> dict[str, str]:
    pairs = (line.partition(":") for line in cpuinfo().split("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
