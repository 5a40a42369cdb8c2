"""How large a picture in a graph becomes, and where windows begin: the rules of `e2e_jax.ops` on sizes to come."""

from __future__ import annotations

from e2e_jax.graphs.numbers import Size
from e2e_jax.graphs.picture import Picture
from e2e_jax.ops.fitting import LETTERBOXES

type Extents = tuple[Size, Size]


def shorter_edge(picture: Picture, size: int, max_size: int | None, numerics: str) -> Extents:
    """As `e2e_jax.ops.plans.shorter_edge`."""
    xp, height, width = picture.xp, picture.height, picture.width
    divided = _half_even if numerics == "tf" else _floor
    tall, wide = divided(size * height, width), divided(size * width, height)
    short: Size = size
    long = xp.maximum(tall, wide)
    if max_size is not None:
        short = xp.minimum(size, xp.maximum(max_size * size // xp.row(long), 1))
        long = xp.minimum(long, max_size)
    least, most = xp.minimum, xp.maximum
    return least(most(tall, short), long), least(most(wide, short), long)


def _floor(numerator: Size, denominator: Size) -> Size:
    return numerator // denominator


def _half_even(numerator: Size, denominator: Size) -> Size:
    """The quotient rounded; a tie goes down where the floor is even."""
    return (2 * numerator + denominator - 1 + numerator // denominator % 2) // (2 * denominator)


def letterbox(picture: Picture, frame: tuple[int, int], numerics: str) -> Extents:
    """As `e2e_jax.ops.fitting.letterbox_size`."""
    xp = picture.xp
    rule = LETTERBOXES[numerics]
    fitted = rule(xp, xp.row(picture.height), xp.row(picture.width), frame)
    tall, wide = (xp.maximum(xp.row(edge).astype("int64"), 1) for edge in fitted)
    return tall, wide


def half(rest: Size, numerics: str) -> Size:
    """Of the rest of a frame before a letterbox, as `e2e_jax.ops.fitting.letterbox_start`."""
    cut = rest >> 1
    return cut + (rest % 2) * (cut % 2) if numerics in ("pillow", "pillow13") else cut


def middle(picture: Picture, difference: Size, rounding: str) -> Size:
    """Where a centred window starts, as `e2e_jax.ops.selections.center_offset`; negative where it is larger."""
    xp = picture.xp
    over, under = xp.maximum(difference, 0), xp.maximum(-difference, 0)
    cut = over >> 1
    if rounding == "half_even":
        cut = (over + cut % 2) >> 1
    elif rounding == "half_up":
        cut = (over + 1) >> 1
    return cut - (under >> 1)


def aspect_window(picture: Picture, frame: tuple[int, int]) -> Extents:
    """As `e2e_jax.ops.fitting.aspect_window`."""
    xp, (tall, wide) = picture.xp, frame
    height, width = picture.height, picture.width
    rows, cols = xp.minimum(height, width * tall // wide), xp.minimum(width, height * wide // tall)
    return xp.maximum(rows, 1), xp.maximum(cols, 1)


def aspect_border(picture: Picture, frame: tuple[int, int]) -> Extents:
    """Rows above and columns before that bring a picture to a frame's aspect ratio, as Keras has it."""
    xp, (tall, wide) = picture.xp, frame
    height, width = picture.height, picture.width
    top = (xp.maximum(height, width * tall // wide) - height) // 2
    return top, (xp.maximum(width, height * wide // tall) - width) // 2
