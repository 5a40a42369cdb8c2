"""Fused names: chains that `Compose` runs as one resampling anyway, under the names people look for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from flax import nnx

from e2e_jax.ops.dialects import Method, Numerics
from e2e_jax.transforms.base import Transform
from e2e_jax.transforms.check import channel_values, flag, one_of, pixels, probability, resampling
from e2e_jax.transforms.geometry import CenterCrop, HorizontalFlip, Resize
from e2e_jax.transforms.random_geometry import RandomCrop, RandomHorizontalFlip
from e2e_jax.transforms.values import Cast, Normalize, ToLayout, ToTensor


class Chain(Transform, abstract=True):
    """A transform that is nothing but steps."""

    steps: nnx.List[Transform]

    @property
    def steps_flat(self) -> tuple[Transform, ...]:
        """The steps it stands for."""
        return tuple(flat for step in self.steps for flat in step.steps_flat)


def _mirror(mirror: bool, p: float | None) -> list[Transform]:
    if p is not None:
        return [RandomHorizontalFlip(p)]
    return [HorizontalFlip()] if mirror else []


class ResizeCropNormalize(Chain):
    """Resizes, cuts out the middle, scales to 0..1 and normalises, in one pass over the pixels that survive.

    Args:
        size: Of the resize, as for `Resize`.
        crop_size: Of the crop, as for `CenterCrop`.
        mean: One value, or one per channel, for values 0..1.
        std: Likewise.
        method: As for `Resize`.
        antialias: As for `Resize`.
        numerics: As for `Resize` and `CenterCrop`.

    Raises:
        ConfigError: An argument does not suit its step.

    Source:
        ``Compose([Resize(size), CenterCrop(crop_size), ToTensor(), Normalize(mean, std)])``, to the bit.

    Example:
        >>> import numpy as np
        >>> step = ResizeCropNormalize(32, 24, mean=0.5, std=0.25)
        >>> step(np.full((60, 90, 3), 255, np.uint8))[0, 0].tolist()
        [2.0, 2.0, 2.0]
    """

    def __init__(
        self,
        size: int | Sequence[int],
        crop_size: int | Sequence[int],
        *,
        mean: float | Sequence[float],
        std: float | Sequence[float],
        method: Method = "bilinear",
        antialias: bool | None = None,
        numerics: Numerics = "pillow",
    ) -> None:
        name = "ResizeCropNormalize"
        self.size = pixels(name, "size", size, least=1)
        self.crop_size = pixels(name, "crop_size", crop_size, least=1)
        self.mean, self.std = channel_values(name, "mean", mean), channel_values(name, "std", std)
        self.method, self.antialias, self.numerics = resampling(name, method, antialias, numerics)
        resize = Resize(self.size, method=method, antialias=antialias, numerics=numerics)
        crop = CenterCrop(self.crop_size, numerics=numerics)
        self.steps = nnx.List([resize, crop, ToTensor(), Normalize(self.mean, self.std)])


class CropMirrorNormalize(Chain):
    """Cuts out the middle, mirrors, scales to 0..1, normalises, and brings layout and dtype in order.

    Args:
        size: Of the crop, as for `CenterCrop`.
        mean: One value, or one per channel, for values 0..1. (DALI's are levels: divide them by 255.)
        std: Likewise.
        mirror: Whether to swap left and right.
        p: Swap with this probability instead, drawn for each sample.
        layout: ``"HWC"`` or ``"CHW"``.
        dtype: Of the result: ``"float32"``, ``"float16"`` or ``"bfloat16"``.

    Raises:
        ConfigError: An argument does not suit its step.

    Source:
        The name and purpose of DALI's ``crop_mirror_normalize``; the arithmetic of the steps it stands for.

    Example:
        >>> import numpy as np
        >>> CropMirrorNormalize(24, mean=0.5, std=0.5, layout="CHW")(np.zeros((30, 40, 3), np.uint8)).shape
        (3, 24, 24)
    """

    def __init__(
        self,
        size: int | Sequence[int],
        *,
        mean: float | Sequence[float],
        std: float | Sequence[float],
        mirror: bool = False,
        p: float | None = None,
        layout: Literal["HWC", "CHW"] = "HWC",
        dtype: str = "float32",
    ) -> None:
        name = "CropMirrorNormalize"
        self.size = pixels(name, "size", size, least=1)
        self.mean, self.std = channel_values(name, "mean", mean), channel_values(name, "std", std)
        self.mirror, self.p = flag(name, "mirror", mirror), None if p is None else probability(name, p)
        self.layout = one_of(name, "layout", layout, ("HWC", "CHW"))
        self.dtype = one_of(name, "dtype", dtype, ("float32", "float16", "bfloat16"))
        values = [ToTensor(), Normalize(self.mean, self.std)]
        cast = [] if dtype == "float32" else [Cast(dtype)]
        moved = [ToLayout(layout)] if layout != "HWC" else []
        self.steps = nnx.List([CenterCrop(self.size), *_mirror(mirror, p), *values, *cast, *moved])


class ResizeCropMirror(Chain):
    """Resizes, crops and mirrors, computing only the pixels that survive.

    Args:
        size: Of the resize, as for `Resize`.
        crop_size: Of the crop, as for `CenterCrop`.
        mirror: Whether to swap left and right.
        p: Swap with this probability instead, drawn for each sample.
        random_crop: Crop at a place drawn for each sample rather than in the middle.
        method: As for `Resize`.
        antialias: As for `Resize`.
        numerics: As for `Resize` and `CenterCrop`.

    Raises:
        ConfigError: An argument does not suit its step.

    Source:
        The name and purpose of DALI's ``resize_crop_mirror``; the arithmetic of the steps it stands for.

    Example:
        >>> import numpy as np
        >>> ResizeCropMirror(32, (24, 20), mirror=True)(np.zeros((60, 90, 3), np.uint8)).shape
        (24, 20, 3)
    """

    def __init__(
        self,
        size: int | Sequence[int],
        crop_size: int | Sequence[int],
        *,
        mirror: bool = False,
        p: float | None = None,
        random_crop: bool = False,
        method: Method = "bilinear",
        antialias: bool | None = None,
        numerics: Numerics = "pillow",
    ) -> None:
        name = type(self).__name__
        self.size = pixels(name, "size", size, least=1)
        self.crop_size = pixels(name, "crop_size", crop_size, least=1)
        self.mirror, self.p = flag(name, "mirror", mirror), None if p is None else probability(name, p)
        self.random_crop = flag(name, "random_crop", random_crop)
        self.method, self.antialias, self.numerics = resampling(name, method, antialias, numerics)
        resize = Resize(self.size, method=method, antialias=antialias, numerics=numerics)
        crop = RandomCrop(self.crop_size) if random_crop else CenterCrop(self.crop_size, numerics=numerics)
        self.steps = nnx.List([resize, crop, *_mirror(mirror, p)])


class FastResizeCropMirror(ResizeCropMirror):
    """`ResizeCropMirror` without antialiasing: reads few source pixels for each one it makes.

    Args:
        size: Of the resize, as for `Resize`.
        crop_size: Of the crop, as for `CenterCrop`.
        mirror: Whether to swap left and right.
        p: Swap with this probability instead, drawn for each sample.
        random_crop: Crop at a place drawn for each sample rather than in the middle.
        method: As for `Resize`.
        numerics: As for `Resize` and `CenterCrop`.

    Raises:
        ConfigError: An argument does not suit its step.

    Source:
        DALI's ``fast_resize_crop_mirror``, an alias with ``antialias=False``.

    Example:
        >>> import numpy as np
        >>> FastResizeCropMirror(32, 24)(np.zeros((60, 90, 3), np.uint8)).shape
        (24, 24, 3)
    """

    def __init__(
        self,
        size: int | Sequence[int],
        crop_size: int | Sequence[int],
        *,
        mirror: bool = False,
        p: float | None = None,
        random_crop: bool = False,
        method: Method = "bilinear",
        numerics: Numerics = "pillow",
    ) -> None:
        super().__init__(
            size,
            crop_size,
            mirror=mirror,
            p=p,
            random_crop=random_crop,
            method=method,
            antialias=False,
            numerics=numerics,
        )
