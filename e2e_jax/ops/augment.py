"""The operations of RandAugment and its kin, chosen by a number that may be drawn: maps of the plane and tables."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.ops.color import luma, posterize, solarize
from e2e_jax.ops.enhance import blend, brightness
from e2e_jax.ops.histogram import LEVELS, autocontrast_table, equalize_table, histogram, look_up
from e2e_jax.ops.levels import WHITE
from e2e_jax.ops.matrices import affine, rotation
from e2e_jax.ops.means import whole_mean
from e2e_jax.ops.sizes import Extents, value
from e2e_jax.types import Array

type Operation = Literal[
    "Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Color", "Sharpness",
    "Brightness", "Contrast", "Posterize", "Solarize", "AutoContrast", "Equalize",
]  # fmt: skip
OPERATIONS: tuple[Operation, ...] = get_args(Operation.__value__)
NUMBER = {name: number for number, name in enumerate(OPERATIONS)}
MOVES = OPERATIONS[1:6]
TABLES = OPERATIONS[8:]
MOST_BITS = 8


class Span(NamedTuple):
    """The magnitudes of an operation, in even steps.

    Args:
        first: The weakest.
        last: The strongest.
        signed: Whether half of the draws are negative.
        unit: ``"width"`` and ``"height"`` multiply them; ``"bits"`` are rounded to whole ones.
    """

    first: float = 0.0
    last: float = 0.0
    signed: bool = False
    unit: Literal["", "width", "height", "bits"] = ""


type Space = dict[Operation, Span]


def magnitudes(span: Span, *, bins: int) -> np.ndarray:
    """The steps of a span.

    Args:
        span: From the weakest to the strongest.
        bins: How many there are, at least 2.

    Returns:
        ``(bins,)`` float32.

    Source:
        torchvision 0.29 ``_AUGMENTATION_SPACE``: ``torch.linspace``, bits rounded half to even.

    Example:
        >>> magnitudes(Span(8, 4, unit="bits"), bins=5).tolist()
        [8.0, 7.0, 6.0, 5.0, 4.0]
    """
    steps = np.linspace(span.first, span.last, bins, dtype=np.float32)
    return np.round(steps) if span.unit == "bits" else steps


def draw_operation(key: jax.Array, space: Space, *, bins: int, step: Array, size: Extents) -> dict[str, jax.Array]:
    """Draws one operation of a space, and its sign.

    Args:
        key: A JAX random key.
        space: The operations, all equally likely, and their spans.
        bins: Of each span.
        step: Which magnitude of the span, ``0 … bins - 1``; may be traced.
        size: Height and width of the image in pixels; may be traced.

    Returns:
        ``which``, int32, a place in `OPERATIONS`; ``magnitude``, float32, with its sign and in its unit.

    Source:
        torchvision 0.29 ``RandAugment``.

    Example:
        >>> found = draw_operation(jax.random.key(0), {"Rotate": Span(0, 30, True)}, bins=31, step=9, size=(4, 6))
        >>> OPERATIONS[int(found["which"])], abs(float(found["magnitude"]))
        ('Rotate', 9.0)
    """
    first, second = jax.random.split(key)
    place = jax.random.randint(first, (), 0, len(space))
    spans = jnp.asarray(np.stack([magnitudes(span, bins=bins) for span in space.values()]))
    lengths = {"height": size[0], "width": size[1]}
    units = jnp.stack([jnp.asarray(value(lengths.get(s.unit, 1))).astype(jnp.float32) for s in space.values()])
    signed = jnp.asarray(np.array([span.signed for span in space.values()]))[place]
    negative = signed & jax.random.bernoulli(second)
    amount = spans[place, jnp.asarray(step)] * units[place]
    which = jnp.asarray(np.array([NUMBER[name] for name in space], np.int32))[place]
    return {"which": which, "magnitude": jnp.where(negative, -amount, amount)}


def move_matrix(size: Extents, *, which: Array, magnitude: Array) -> jax.Array:
    """The map of the plane of an operation, the identity for those that move nothing.

    Args:
        size: Height and width of the image in pixels; may be traced.
        which: A place in `OPERATIONS`.
        magnitude: A shear as the tangent of its angle, a translation in pixels, an angle in degrees.

    Returns:
        ``(3, 3)`` float64 from output to source, as those of `e2e_jax.ops.matrices`.

    Source:
        torchvision 0.29 ``_apply_image_or_video_transform``: shears about the top left corner, translations by
        whole pixels, rotations counter-clockwise about the centre.

    Example:
        >>> move_matrix((4, 6), which=OPERATIONS.index("TranslateX"), magnitude=2.7)[0].tolist()
        [1.0, 0.0, -2.0]
    """
    which, magnitude = jnp.asarray(which), jnp.asarray(magnitude, jnp.float32)

    def amount_of(name: Operation, amount: jax.Array) -> jax.Array:
        return jnp.where(which == NUMBER[name], amount, jnp.zeros_like(amount))

    with jax.enable_x64(True):
        strength = magnitude.astype(jnp.float64)
        slant, whole = jnp.degrees(jnp.arctan(strength)), jnp.trunc(strength)
        sheared = (amount_of("ShearX", slant), amount_of("ShearY", slant))
        shifted = (amount_of("TranslateX", whole), amount_of("TranslateY", whole))
        upright = affine(size, shear=sheared, translate=shifted, center=(0.0, 0.0))
        turned = rotation(size, angle=amount_of("Rotate", strength))
        return jnp.where(which == NUMBER["Rotate"], jnp.asarray(turned), jnp.asarray(upright))


def change_levels(image: Array, *, which: Array, magnitude: Array, size: Extents | None = None) -> jax.Array:
    """Runs an operation that is a table of levels for each channel.

    Args:
        image: ``(H, W, C)`` uint8, of 1 or 3 channels.
        which: A place in `OPERATIONS`, of one of `TABLES`; others leave the image.
        magnitude: Brightness and contrast: the factor less one. Posterize: bits. Solarize: the threshold, 0..1.
        size: Height and width of the part that counts, at the top left; may be traced. All of it if absent.

    Returns:
        The image's shape, uint8; for each table the bytes of the operation of that name with Pillow's numerics.

    Source:
        torchvision 0.29 ``_apply_image_or_video_transform`` on PIL images.

    Example:
        >>> darker = {"which": OPERATIONS.index("Brightness"), "magnitude": -0.5}
        >>> change_levels(np.array([[[10], [200]]], np.uint8), **darker).ravel().tolist()
        [5, 100]
    """
    magnitude = jnp.asarray(magnitude, jnp.float32)
    ramp = jnp.arange(LEVELS, dtype=jnp.uint8).reshape(1, LEVELS, 1)
    counts = histogram(image, size=size)
    grey = luma(image, numerics="pillow") if image.shape[-1] == 3 else jnp.asarray(image)[..., 0]
    bits = jnp.clip(magnitude, 0, MOST_BITS).astype(jnp.int32)
    with jax.enable_x64(True):
        threshold = jnp.ceil(magnitude.astype(jnp.float64) * float(WHITE)).astype(jnp.float32)
    fewer = jnp.stack([posterize(ramp, bits=kept) for kept in range(MOST_BITS + 1)])
    flat = {
        "Brightness": brightness(ramp, factor=1 + magnitude),
        "Contrast": blend(ramp, degenerate=whole_mean(grey, size), factor=1 + magnitude),
        "Posterize": fewer[bits],
        "Solarize": solarize(ramp, threshold=threshold),
    }
    tables = {name: jnp.broadcast_to(levels.reshape(1, LEVELS), counts.shape) for name, levels in flat.items()}
    tables |= {"AutoContrast": autocontrast_table(counts), "Equalize": equalize_table(counts)}
    unchanged = jnp.broadcast_to(ramp.reshape(1, LEVELS), counts.shape)
    stacked = jnp.stack([*(tables[name] for name in TABLES), unchanged])
    row = jnp.asarray(which) - NUMBER[TABLES[0]]
    return look_up(image, table=stacked[jnp.where(row < 0, len(TABLES), row)])
