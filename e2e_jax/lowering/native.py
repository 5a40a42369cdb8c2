"""The convolution as XLA has it."""

from __future__ import annotations

from typing import Any

import jax
from jax import lax

from e2e_jax.lowering.convolution import Convolution
from e2e_jax.types import Array


def convolve(x: Array, kernel: Array, convolution: Convolution, exactness: Any = None) -> jax.Array:
    """``(b, …, in)`` float32 and a kernel ``(…, in / groups, out)`` to ``(b, …, out)``, on GPUs so exactly."""
    return lax.conv_general_dilated(
        x,
        kernel,
        convolution.strides,
        convolution.padding,
        rhs_dilation=convolution.dilation,
        dimension_numbers=convolution.dimensions,
        feature_group_count=convolution.groups,
        precision=exactness,
    )
