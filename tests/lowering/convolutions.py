"""Random convolutions, drawn from a seed, and the comparison of all tests of the lowering."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np
from jax import lax

LETTERS = "DHW"
TOLERANCE = 1e-5  # of the largest value of a result


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """A convolution and its operands."""

    x: Any
    kernel: Any
    options: dict[str, Any]
    constant: bool

    def __call__(self, x: Any, kernel: Any) -> jax.Array:
        """By XLA's own operation."""
        return lax.conv_general_dilated(x, kernel, **self.options)


def draw(seed: int) -> Case:
    """One of all kinds: rank 1..3, kernel 1..7, stride and dilations 1..3, padding, groups, layout and batch."""
    rng = np.random.default_rng(seed)
    rank, plain = int(rng.choice([1, 2, 2, 2, 3])), rng.random() < 0.7  # plain: a kind there is a rule for
    kernel = rng.integers(1, 8 if rank < 3 else 4, rank)
    kernel = np.full(rank, rng.choice([1, 3])) if rng.random() < 0.4 else kernel
    strides = rng.integers(1, 4, rank) if rng.random() < 0.5 else np.ones(rank, int)
    dilation = rng.integers(1, 4, rank) if rng.random() < 0.3 else np.ones(rank, int)
    stretch = np.ones(rank, int) if plain else rng.integers(1, 4, rank)  # of the image: a transposed convolution
    reach = (kernel - 1) * dilation + 1
    extents = [int(n) for n in reach + rng.integers(0, 8 if rank < 3 else 4, rank)]
    explicit = [tuple(map(int, rng.integers(0, 4, 2))) for _ in range(rank)]
    padding = [explicit, "VALID", "SAME", "SAME"] if set(stretch) == {1} else [explicit]
    groups, inside, outside = _channels(rng)
    options = {
        "window_strides": [int(n) for n in strides],
        "padding": padding[rng.integers(len(padding))],
        "lhs_dilation": [int(n) for n in stretch],
        "rhs_dilation": [int(n) for n in dilation],
        "feature_group_count": groups,
    }
    batch = int(rng.choice([0, 1, 1, 2, 3]))
    shapes = (batch, *extents, inside), (*map(int, kernel), inside // groups, outside)
    x, weights = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
    return _laid_out(rng, x, weights, options, last=plain or rng.random() < 0.5)


def _channels(rng: np.random.Generator) -> tuple[int, int, int]:
    """Groups, input and output channels."""
    kind, inside = rng.choice(["dense", "depthwise", "multiplied", "grouped"]), int(rng.choice([1, 3, 4, 5, 8]))
    if kind == "dense":
        return 1, inside, int(rng.choice([1, 2, 7, 8]))
    if kind == "grouped":
        return 3, 3 * inside, 3 * int(rng.integers(1, 4))
    return inside, inside, inside * (1 if kind == "depthwise" else int(rng.integers(2, 4)))


def _laid_out(rng: np.random.Generator, x: Any, kernel: Any, options: dict[str, Any], *, last: bool) -> Case:
    """With channels last, or else first."""
    space = LETTERS[-(x.ndim - 2) :]
    names = (f"N{space}C", f"{space}IO", f"N{space}C") if last else (f"NC{space}", f"OI{space}", f"NC{space}")
    if not last:
        x, kernel = np.moveaxis(x, -1, 1), np.moveaxis(kernel, (-1, -2), (0, 1))
    return Case(x, kernel, options | {"dimension_numbers": names}, bool(rng.random() < 0.7))


def assert_close(found: Any, expected: Any, tolerance: float = TOLERANCE, note: str = "") -> None:
    """Equal shape and dtype, and values within a part of the largest one."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    found, expected = found.astype(np.float64), expected.astype(np.float64)
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=1e-30)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale, err_msg=note)
