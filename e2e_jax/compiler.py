"""What XLA is told, and how exact its products are, so that programs suit the machine they run on."""

from __future__ import annotations

import functools

import jax
from jax.errors import JaxRuntimeError

from e2e_jax import machine

#: XLA's option for the kinds of operations handed to the library YNNPACK; empty for none. Without AVX-512 that
#: library loses: ResNet-18 at 224 x 224 takes 61 ms with it and 39 ms without (two cores of a Zen 3, jax 0.12.0.1).
YNNPACK = "xla_cpu_experimental_ynn_fusion_type"


def fastest_precision() -> str:
    """``"bfloat16"`` on CPUs with instructions for its products, ``"float32"`` on others and on GPUs.

    Example:
        >>> fastest_precision() in ("float32", "bfloat16")
        True
    """
    return "bfloat16" if jax.default_backend() == "cpu" and machine.has_bfloat16() else "float32"


@functools.cache
def compiler_options() -> dict[str, str]:
    """What to pass to ``jax.jit(…, compiler_options=…)`` for networks on the default device.

    Example:
        >>> import numpy as np
        >>> float(jax.jit(lambda x: x + 1, compiler_options=compiler_options())(np.float32(1)))
        2.0
    """
    features = machine.features()
    if jax.default_backend() != "cpu" or "avx2" not in features or "avx512f" in features:
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
