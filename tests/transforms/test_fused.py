"""Fused names are the chains they stand for, to the bit, and compute no pixel outside the crop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import pytest

from e2e_jax import transforms as T

PHOTO = np.random.default_rng(6).integers(0, 256, (90, 71, 3)).astype(np.uint8)
KEY = jax.random.key(2)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

NAMES = [
    T.ResizeCropNormalize(40, 33, mean=MEAN, std=STD),
    T.ResizeCropNormalize((30, 50), 28, mean=0.5, std=0.5, method="bicubic", numerics="opencv"),
    T.CropMirrorNormalize(50, mean=MEAN, std=STD, mirror=True, layout="CHW", dtype="float16"),
    T.ResizeCropMirror(40, (24, 20), mirror=True),
    T.ResizeCropMirror((61, 44), 33, random_crop=True, p=0.7, method="lanczos"),
    T.FastResizeCropMirror(40, 24, mirror=True, numerics="torch"),
    T.FastResizeCropMirror(50, 24, random_crop=True, p=0.5),
]


@pytest.mark.parametrize("step", NAMES, ids=lambda step: repr(step)[:60])
def test_a_fused_name_is_its_steps_one_after_the_other(step):
    together, draws = step(PHOTO, key=KEY, return_draws=True)
    apart: Any = PHOTO
    for inner, drawn in zip(step.steps_flat, draws, strict=True):
        apart = inner(apart, draws=(drawn,))
    assert together.dtype == apart.dtype
    np.testing.assert_array_equal(together, apart)


def test_the_chain_is_that_of_pillow_and_numpy(pillow):
    resized = pillow(PHOTO, 50, 40, "bilinear")  # 71 x 90, shorter 40
    mirrored = resized[13:37, 10:30][:, ::-1]
    np.testing.assert_array_equal(T.ResizeCropMirror(40, (24, 20), mirror=True)(PHOTO), mirrored)
    levels = resized[8:41, 4:37] / 255  # torchvision rounds 8.5 and 3.5 to even
    ours = T.ResizeCropNormalize(40, 33, mean=MEAN, std=STD)(PHOTO)
    np.testing.assert_allclose(ours, (levels - MEAN) / STD, rtol=0, atol=1e-6)


def test_fast_reads_without_antialiasing():
    small = {"mirror": True, "numerics": "torch"}
    slow, fast = T.ResizeCropMirror(40, 24, **small), T.FastResizeCropMirror(40, 24, **small)
    assert (np.asarray(slow(PHOTO)) != np.asarray(fast(PHOTO))).any()
    np.testing.assert_array_equal(fast(PHOTO), T.ResizeCropMirror(40, 24, antialias=False, **small)(PHOTO))


def sizes(jaxpr: Any) -> Iterator[int]:
    """Elements of everything computed, inner programs included."""
    for equation in jaxpr.eqns:
        inner = [p for p in jax.tree.leaves(list(equation.params.values()), is_leaf=is_jaxpr) if is_jaxpr(p)]
        for parameter in inner:
            yield from sizes(getattr(parameter, "jaxpr", parameter))
        if not inner:
            yield from (int(np.prod(out.aval.shape)) for out in equation.outvars)


def is_jaxpr(value: object) -> bool:
    return hasattr(value, "eqns")


@pytest.mark.parametrize(
    "step",
    [T.ResizeCropMirror(1000, 24, mirror=True), T.ResizeCropNormalize(1000, 24, mean=0.5, std=0.5)],
    ids=repr,
)
def test_nothing_the_size_of_the_resized_image_is_computed(step):
    """A crop of 24 from an image of 1000 x 1267: the largest array is the photo itself."""
    computed = max(sizes(jax.make_jaxpr(lambda image: step(image))(PHOTO).jaxpr))
    assert computed <= PHOTO.size
