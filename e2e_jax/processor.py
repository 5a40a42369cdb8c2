"""The processor this runs on, and what XLA must be told so that its programs suit it."""

from __future__ import annotations

import functools
from pathlib import Path

import jax
from jax.errors import JaxRuntimeError

CPUINFO = Path("/proc/cpuinfo")
FLAGS = ("flags", "Features")  # the line of CPUINFO with the instruction sets: on x86, on ARM

#: Instruction sets that multiply bfloat16 faster than float32, by their names on x86 and ARM.
BFLOAT16 = frozenset({"amx_bf16", "avx512_bf16", "bf16"})

#: XLA's option for the kinds of operations handed to the library YNNPACK; empty for none. Without AVX-512 that
#: library loses: ResNet-18 at 224 x 224 takes 61 ms with it and 39 ms without (two cores of a Zen 3, jax 0.12.0.1).
YNNPACK = "xla_cpu_experimental_ynn_fusion_type"


@functools.cache
def features() -> frozenset[str]:
    """Names of the processor's instruction sets as Linux lists them; empty where there is no such list.

    Example:
        >>> all(isinstance(name, str) for name in features())
        True
    """
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:
        return frozenset()
    listed = (line.partition(":")[2] for line in lines if line.partition(":")[0].strip() in FLAGS)
    return frozenset(next(listed, "").split())


def fastest_precision() -> str:
    """``"bfloat16"`` where the processor has instructions for its products, ``"float32"`` elsewhere and on GPUs."""
    return "bfloat16" if jax.default_backend() == "cpu" and features() & BFLOAT16 else "float32"


@functools.cache
def compiler_options() -> dict[str, str]:
    """What to pass to ``jax.jit(…, compiler_options=…)`` for networks on the default device.

    Example:
        >>> import numpy as np
        >>> float(jax.jit(lambda x: x + 1, compiler_options=compiler_options())(np.float32(1)))
        2.0
    """
    if jax.default_backend() != "cpu" or not features() or "avx512f" in features() or "avx2" not in features():
        return {}
    options = {YNNPACK: ""}
    return options if _known(options) else {}


def _known(options: dict[str, str]) -> bool:
    """Whether this XLA has them; options are not part of what it promises to keep."""
    try:
        jax.jit(lambda x: x, compiler_options=options).lower(0.0).compile()
    except (JaxRuntimeError, ValueError):
        return False
    return True
