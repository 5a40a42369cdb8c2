"""YUVToRGB: see `e2e_jax.ops.yuv.yuv_to_rgb`."""

from __future__ import annotations

from e2e_jax.ops.sizes import Extents
from e2e_jax.ops.yuv import LAYOUTS, Layout, frame_size, yuv_to_rgb
from e2e_jax.transforms.base import Samplewise
from e2e_jax.transforms.check import one_of
from e2e_jax.transforms.run import Numbers
from e2e_jax.types import Sample


class YUVToRGB(Samplewise):
    """Turns YUV 4:2:0 frames ``(h * 3 / 2, w, 1)`` into RGB ``(h, w, 3)``.

    Boxes and key points are those of the picture and stay; a mask keeps its first h rows.

    Args:
        layout: ``"nv12"`` (U and V alternate) or ``"i420"`` (U, then V).

    Raises:
        ConfigError: The layout is another.

    Source:
        OpenCV 5.0 ``cvtColor``, bit-exact. See `e2e_jax.ops.yuv.yuv_to_rgb`.

    Example:
        >>> import numpy as np
        >>> YUVToRGB("nv12")(np.full((6, 4, 1), 128, np.uint8))[0, 0].tolist()
        [130, 130, 130]
    """

    is_spatial = True

    def __init__(self, layout: Layout) -> None:
        self.layout = one_of("YUVToRGB", "layout", layout, LAYOUTS)

    def resized(self, size: Extents) -> Extents:
        """See `Transform.resized`."""
        return frame_size(*size)

    def on_sample(self, sample: Sample, size: Extents, *numbers: Numbers) -> tuple[Sample, Extents]:
        """One frame."""
        image = yuv_to_rgb(sample.image, layout=self.layout, size=size)
        height, width = image.shape[:2]
        mask = None if sample.mask is None else sample.mask[:height, :width]
        return sample.with_parts(image=image, mask=mask), self.resized(size)
