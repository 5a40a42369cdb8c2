"""What a convolution does, read off its equation: the convolutions that this floor has a rule for."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jax import lax


@dataclasses.dataclass(frozen=True)
class Convolution:
    """A channels-last float32 convolution over images of a known size; the batch may be any.

    Args:
        extents: Of the input along each spatial axis, in pixels.
        kernel: Extents of the kernel.
        strides: Steps of the window in pixels.
        padding: Zeros before and after along each axis; none is negative.
        dilation: Distance of neighbouring kernel elements in pixels.
        inputs: Input channels.
        outputs: Output channels.
        groups: Into how many parts the channels are divided; each sees only its own.
    """

    extents: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    inputs: int
    outputs: int
    groups: int = 1

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Convolution:
        """From its fields with lists in the place of tuples.

        Raises:
            TypeError: The fields are others.
        """
        return cls(**{name: _tuples(value) for name, value in fields.items()})

    @property
    def padded(self) -> tuple[int, ...]:
        """Extents with the padding."""
        return tuple(n + before + after for n, (before, after) in zip(self.extents, self.padding, strict=True))

    @property
    def result(self) -> tuple[int, ...]:
        """Extents of the output."""
        reach = (d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True))
        room = zip(self.padded, reach, self.strides, strict=True)
        return tuple(max(0, (n - r) // s + 1) for n, r, s in room)

    @property
    def operations(self) -> int:
        """Multiplications and additions for one image."""
        window = math.prod(self.kernel) * self.inputs // self.groups
        return 2 * math.prod(self.result) * window * self.outputs

    @property
    def pointwise(self) -> bool:
        """Whether it is one matrix product over the channels of each pixel."""
        untouched = not any(before or after for before, after in self.padding)
        return self.groups == 1 and set(self.kernel) == {1} and untouched

    @property
    def seen(self) -> int:
        """Input channels that an output channel sees: one, if it is depthwise."""
        return self.inputs // self.groups

    @property
    def dimensions(self) -> lax.ConvDimensionNumbers:
        """Channels last, kernels ``(…, in, out)``."""
        rank = len(self.extents)
        image = (0, rank + 1, *range(1, rank + 1))
        return lax.ConvDimensionNumbers(image, (rank + 1, rank, *range(rank)), image)


def asks_float32(params: dict[str, Any]) -> bool:
    """Whether a product of float32 is to give float32."""
    preferred = params["preferred_element_type"]  # not `in (None, …)`: NumPy's float64 equals None
    return preferred is None or preferred == jnp.float32


def described(x: Any, kernel: Any, params: dict[str, Any]) -> Convolution | None:
    """The convolution an equation of ``conv_general_dilated`` asks for, or ``None`` where there is no rule for it.

    Args:
        x: Anything with the shape and dtype of the image.
        kernel: Anything with those of the kernel.
        params: Of the equation.

    Example:
        >>> import jax
        >>> layout = ("NWC", "WIO", "NWC")
        >>> conv = lambda x, w: lax.conv_general_dilated(x, w, (1,), "SAME", dimension_numbers=layout)
        >>> x, w = jnp.zeros((1, 8, 2)), jnp.zeros((3, 2, 5))
        >>> equation = jax.make_jaxpr(conv)(x, w).jaxpr.eqns[0]
        >>> described(x, w, equation.params).result
        (8,)
    """
    rank = len(x.shape) - 2
    if rank < 1 or not all(isinstance(n, int) for n in x.shape[1:]):
        return None
    convolution = Convolution(
        extents=tuple(x.shape[1:-1]),
        kernel=tuple(kernel.shape[:-2]),
        strides=tuple(params["window_strides"]),
        padding=tuple((int(before), int(after)) for before, after in params["padding"]),
        dilation=tuple(params["rhs_dilation"]),
        inputs=x.shape[-1],
        outputs=kernel.shape[-1],
        groups=params["feature_group_count"],
    )
    plain = (
        params["dimension_numbers"] == convolution.dimensions
        and set(params["lhs_dilation"]) == {1}
        and params["batch_group_count"] == 1
        and asks_float32(params)
        and x.dtype == kernel.dtype == jnp.float32
        and min(min(pair) for pair in convolution.padding) >= 0
        and 0 not in convolution.result
    )
    return convolution if plain else None


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
