"""Which arithmetic the interpolation of two axes asks for."""

from __future__ import annotations

import functools
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.ops.arithmetic import Arithmetic, Words
from e2e_jax.ops.arithmetic_exact import (
    BLOCK_ROUNDED_UP,
    Areas,
    Doubles,
    ElevenBits,
    round_22_bits,
    round_quarters,
)
from e2e_jax.ops.axis import Axis
from e2e_jax.ops.interpolation import Step
from e2e_jax.ops.resize_opencv import block, blocks
from e2e_jax.ops.sizes import value
from e2e_jax.types import Array


def arithmetic_of(rows: Axis, cols: Axis, channels: int) -> Arithmetic:
    """The arithmetic for bytes of an image with so many channels."""
    down, across = rows.resampling, cols.resampling
    if across is None or down is None or across.interpolation.arithmetic == "words":
        return Words()
    match across.interpolation.arithmetic:
        case "doubles":
            return Doubles()
        case "opencv_area":
            return _areas(down.step, across.step)
        case "opencv_lanczos":
            return ElevenBits(round_22_bits)
    halved = _halves(down.step) & _halves(across.step) & (channels not in BLOCK_ROUNDED_UP)
    return ElevenBits(functools.partial(round_quarters, half_even=halved), short=True)


def _halves(step: Step) -> bool | Array:
    """OpenCV interpolates an image of half the size by areas; the sums are the same, but not all roundings."""
    return value(step.scaling.source) == 2 * value(step.scaling.target)


def _areas(down: Step, across: Step) -> Areas:
    xp: ModuleType = np if down.is_static else jnp
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        rows, cols = (block(xp, step.scaling)[0].astype(np.float32) for step in (down, across))
        return Areas(blocks(xp, down), rows, cols)
