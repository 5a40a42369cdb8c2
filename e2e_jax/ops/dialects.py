"""Which library has which method: the one table, and the errors of a wrong pair."""

from __future__ import annotations

from typing import Literal, get_args

from e2e_jax.errors import ConfigError
from e2e_jax.ops import resize_opencv as opencv
from e2e_jax.ops import resize_tf as tf
from e2e_jax.ops.filters import FILTERS, KEYS, SHARP, TRIANGLE
from e2e_jax.ops.interpolation import Interpolation
from e2e_jax.ops.resize_pillow import pillow, walked
from e2e_jax.ops.resize_torch import centred, floored, torch

type Method = Literal[
    "nearest",
    "nearest_exact",
    "bilinear",
    "bicubic",
    "lanczos",
    "area",
    "hamming",
    "lanczos5",
    "mitchell",
    "gaussian",
]
type Numerics = Literal["pillow", "pillow13", "torch", "opencv", "tf"]
METHODS: tuple[str, ...] = get_args(Method.__value__)
NUMERICS: tuple[str, ...] = get_args(Numerics.__value__)

PILLOW = {"nearest": Interpolation(pick=walked)} | {name: pillow(kernel) for name, kernel in FILTERS.items()}
TORCH = {
    "nearest": Interpolation(pick=floored),
    "nearest_exact": Interpolation(pick=centred),
    "bilinear": torch(TRIANGLE, TRIANGLE),
    "bicubic": torch(KEYS, SHARP),
}
OPENCV = {
    "nearest": Interpolation(pick=opencv.floored),
    "nearest_exact": Interpolation(pick=walked),
    "bilinear": opencv.LINEAR,
    "bicubic": opencv.CUBIC,
    "lanczos": opencv.LANCZOS,
    "area": opencv.AREA,
}
TF = {
    "nearest": Interpolation(pick=tf.floored),
    "bilinear": tf.BILINEAR,
    "bicubic": tf.BICUBIC,
    "lanczos": tf.LANCZOS,
    "area": tf.AREA,
    "lanczos5": tf.LANCZOS5,
    "mitchell": tf.MITCHELL,
    "gaussian": tf.GAUSSIAN,
}

#: Every pair of numerics and method that there is.
DIALECTS: dict[str, dict[str, Interpolation]] = {
    "pillow": PILLOW,
    "pillow13": PILLOW,
    "torch": TORCH,
    "opencv": OPENCV,
    "tf": TF,
}

#: Whether a library widens its filter where the image shrinks, unless told otherwise.
ANTIALIAS = {"pillow": True, "pillow13": True, "torch": True, "opencv": False, "tf": False}


def interpolation(*, method: str, numerics: str) -> Interpolation:
    """The way of a library to make a method.

    Raises:
        ConfigError: The library has no such method.

    Example:
        >>> interpolation(method="nearest", numerics="torch").pick.__name__
        'floored'
    """
    if numerics not in DIALECTS:
        fix = f"one of {', '.join(DIALECTS)}."
        raise ConfigError("Resize: numerics must be known.", f"numerics={numerics!r}", fix)
    known = DIALECTS[numerics]
    if method not in known:
        expected = f'numerics="{numerics}" must have the method' if method in METHODS else "method must be known"
        exact = method == "nearest_exact"
        fix = '"nearest": it already reads at pixel centres here' if exact else f"one of {', '.join(known)}"
        raise ConfigError(f"Resize: {expected}.", f"method={method!r}", f"{fix}.")
    return known[method]


def antialiases(antialias: bool | None, *, numerics: str) -> bool:
    """Whether the filter widens, ``None`` being what the library does.

    Raises:
        ConfigError: The library cannot do it.

    Example:
        >>> antialiases(None, numerics="torch")
        True
    """
    if antialias and numerics == "opencv":
        fix = 'leave antialias out; method="area" averages where the image shrinks.'
        raise ConfigError('Resize: numerics="opencv" has no antialias.', f"{antialias=}", fix)
    return ANTIALIAS[numerics] if antialias is None else antialias
