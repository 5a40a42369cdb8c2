"""The value of what lies outside an image, checked against its dtype."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from e2e_jax.errors import ImageError


def fill_levels(fill: tuple[float, ...], channels: int, dtype: np.dtype) -> np.ndarray:
    """The fill value of each channel, (channels,)."""
    level = np.asarray(fill)
    if level.size not in (1, channels):
        fix = "pass one fill value, or one per channel."
        raise ImageError("Fill: there must be one value, or one per channel.", f"{fill=}, {channels=}", fix)
    if jnp.issubdtype(dtype, jnp.integer):
        limits = jnp.iinfo(dtype)
        if not np.all((level == np.trunc(level)) & (level >= limits.min) & (level <= limits.max)):
            fix = f"pass whole numbers {limits.min}..{limits.max}, the image's own units."
            raise ImageError(f"Fill: every value must be a level of {dtype}.", f"{fill=}", fix)
    return np.broadcast_to(level, (channels,))
