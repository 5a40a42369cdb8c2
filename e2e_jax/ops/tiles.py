"""Big images as overlapping tiles, and back."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from e2e_jax.errors import ImageError
from e2e_jax.ops.sizes import Extents, Size, value
from e2e_jax.types import Array

type Pair = tuple[int, int]  # rows and columns


def tile_starts(extent: Size, *, size: int, overlap: int) -> Array:
    """First positions of the tiles along one axis, every ``size - overlap``, until the axis is covered.

    Args:
        extent: Pixels of the axis; an int or a symbolic dimension.
        size: Of a tile, in pixels.
        overlap: Of neighbours, in pixels, below ``size``.

    Returns:
        ``(n,)`` int32; a NumPy array where the extent is an int.

    Source:
        The sliding windows of big-image inference; the last one may reach past the end.

    Example:
        >>> tile_starts(10, size=4, overlap=1).tolist()
        [0, 3, 6]
    """
    step = size - overlap
    if isinstance(extent, int):
        return np.arange(max(-(-(extent - overlap) // step), 1), dtype=np.int32) * np.int32(step)
    count = jax.core.max_dim(-(-(extent - overlap) // step), 1)
    return jnp.arange(count, dtype=jnp.int32) * step


def tile(
    image: Array, *, size: Pair, overlap: Pair = (0, 0), fill: float = 0, source: Extents | None = None
) -> Array:
    """Cuts an image into tiles, row by row.

    Args:
        image: ``(..., H, W, C)`` of any dtype.
        size: Height and width of a tile in pixels.
        overlap: Of neighbours, down and across, in pixels, each below the tile's.
        fill: Value where tiles reach past the image, in its units.
        source: Height and width of the image inside its array, ints or traced; the whole array if absent.

    Returns:
        ``(..., n, h, w, C)`` of the image's dtype, n tiles that cover the whole array.

    Source:
        ``numpy`` slicing; OpenVINO Model API tiles images in the same order.

    Example:
        >>> tile(np.arange(4, dtype=np.uint8).reshape(1, 4, 1), size=(1, 3), fill=9)[..., 0].tolist()
        [[[0, 1, 2]], [[3, 9, 9]]]
    """
    places = []
    for axis, extent in enumerate(image.shape[-3:-1]):
        starts = tile_starts(extent, size=size[axis], overlap=overlap[axis])
        places.append(starts[:, None] + np.arange(size[axis], dtype=np.int32))  # (tiles, pixels)
    rows, cols = places
    height, width = source or image.shape[-3:-1]
    index = (jnp.minimum(rows, image.shape[-3] - 1), jnp.minimum(cols, image.shape[-2] - 1))
    cut = jnp.asarray(image)[..., index[0][:, None, :, None], index[1][None, :, None, :], :]  # (..., R, S, h, w, C)
    inside = (rows < value(height))[:, None, :, None] & (cols < value(width))[None, :, None, :]
    cut = jnp.where(inside[..., None], cut, jnp.asarray(fill, image.dtype))
    return cut.reshape(*cut.shape[:-5], rows.shape[0] * cols.shape[0], *cut.shape[-3:])  # (..., n, h, w, C)


def untile(tiles: Array, *, height: int, width: int, overlap: Pair = (0, 0)) -> Array:
    """Lays tiles back in place; where they overlap, their mean.

    Args:
        tiles: ``(..., n, h, w, C)`` as `tile` orders them; values may be those of a network, of any dtype.
        height: Of the image, in pixels.
        width: Likewise.
        overlap: As given to `tile`.

    Returns:
        ``(..., height, width, C)`` of the tiles' dtype; integer means are rounded half to even.

    Raises:
        ImageError: The number of tiles is not that of an image of this size.

    Source:
        The inverse of `tile`.

    Example:
        >>> row = np.arange(10, dtype=np.uint8).reshape(1, 10, 1)
        >>> untile(tile(row, size=(1, 4), overlap=(0, 2)), height=1, width=10, overlap=(0, 2)).ravel().tolist()
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """
    size = tiles.shape[-3:-1]
    down, across = (tile_starts(n, size=size[a], overlap=overlap[a]) for a, n in enumerate((height, width)))
    if tiles.shape[-4] != len(down) * len(across):
        received = f"{tiles.shape[-4]} tiles {size} for {height}x{width} pixels"
        fix = f"pass the {len(down) * len(across)} tiles that tile makes of it, and the same overlap."
        raise ImageError("untile: every place must have its tile.", received, fix)
    canvas = jnp.zeros((*tiles.shape[:-4], int(down[-1]) + size[0], int(across[-1]) + size[1], tiles.shape[-1]))
    count = np.zeros(canvas.shape[-3:-1], np.float32)
    for number, (top, left) in enumerate((t, x) for t in down.tolist() for x in across.tolist()):
        window = (slice(top, top + size[0]), slice(left, left + size[1]))
        canvas = canvas.at[..., *window, :].add(tiles[..., number, :, :, :].astype(canvas.dtype))
        count[window] += 1
    mean = (canvas / count[..., None])[..., :height, :width, :]
    return (jnp.round(mean) if jnp.issubdtype(tiles.dtype, jnp.integer) else mean).astype(tiles.dtype)
