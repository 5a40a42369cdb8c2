"""numerics="opencv" against the installed cv2.resize: to the byte, but for bicubic, which may be Intel's (IPP)."""

from __future__ import annotations

import cv2
import jax
import numpy as np
import pytest

from e2e_jax.ops.geometry import resize
from e2e_jax.ops.plans import resize_plan, transform

FLAGS = {
    "nearest": cv2.INTER_NEAREST,
    "nearest_exact": cv2.INTER_NEAREST_EXACT,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
    "area": cv2.INTER_AREA,
}
LEVELS = dict.fromkeys(FLAGS, 0) | {"bicubic": 1}  # how far a byte may be off
WITH_IPP = hasattr(cv2, "ipp") and cv2.ipp.useIPP()
OTHER_BYTES = {True: 0.001, False: 0.06}  # of the bytes, for bicubic: in IPP, and in OpenCV's own 11 bits
FLOAT_BOUND = 1.5e-3  # levels of 0..255

compiled_resize = jax.jit(resize, static_argnames=("size", "max_size", "method", "antialias", "numerics"))


def by_opencv(image: np.ndarray, height: int, width: int, method: str) -> np.ndarray:
    resized = cv2.resize(image, (width, height), interpolation=FLAGS[method])
    return resized.reshape(height, width, image.shape[-1])


def noise(seed: int, *shape: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    extremes = rng.choice(np.array([0, 255], np.uint8), shape)
    return np.where(rng.random(shape) < 0.5, extremes, rng.integers(0, 256, shape, np.uint8))


def assert_opencvs(resized: np.ndarray, expected: np.ndarray, method: str, label: str, *, by_ipp: bool) -> None:
    off = np.abs(np.asarray(resized).astype(int) - expected)
    assert off.max() <= LEVELS[method], label
    assert (off > 0).mean() <= OTHER_BYTES[by_ipp], label


SHAPES = [
    ((67, 41, 3), (13, 99)),  # down and up
    ((60, 84, 3), (20, 12)),  # whole blocks
    ((64, 48, 1), (32, 24)),  # halved, which linear interpolation and areas have their own code for
    ((30, 22, 2), (15, 11)),  # and halved with two channels, which they do not
    ((44, 60, 4), (33, 42)),  # three quarters and seven tenths: sums at a half
    ((49, 49, 3), (1, 7)),  # a reciprocal that is not exact in double
    ((40, 31, 3), (40, 20)),  # one axis kept
    ((9, 11, 3), (27, 35)),  # both up
    ((300, 90, 3), (4, 2)),  # windows of 75 pixels
    ((1, 1, 3), (5, 3)),
]


@pytest.mark.parametrize("method", list(FLAGS))
def test_static_sizes_are_opencvs(method):
    for shape, size in SHAPES:
        image = noise(sum(shape), *shape)
        resized = compiled_resize(image, size=size, method=method, numerics="opencv")
        by_ipp = WITH_IPP and shape[-1] != 2 and min(shape[:2]) >= 4  # ipp_resize declines the others
        assert_opencvs(resized, by_opencv(image, *size, method), method, f"{shape} -> {size}", by_ipp=by_ipp)


@pytest.mark.parametrize("target", [(12, 31), (40, 20)])
@pytest.mark.parametrize("method", list(FLAGS))
def test_a_batch_of_sizes_is_opencvs_whatever_lies_in_the_padding(method, target):
    pixels = noise(7, 60, 96, 96, 3)
    sizes = np.random.default_rng(7).integers(1, 97, (60, 2)).astype(np.int32)
    sizes[:6] = [(24, 62), (80, 40), (40, 20), (12, 31), (60, 93), (96, 31)]
    plan = resize_plan(target, method=method, numerics="opencv")
    moved = jax.jit(jax.vmap(lambda p, s: transform(p, [plan], size=s)[0]))(pixels, sizes)
    for image, (h, w), resized in zip(pixels, sizes, moved, strict=True):
        expected = by_opencv(np.ascontiguousarray(image[:h, :w]), *target, method)
        assert_opencvs(resized, expected, method, f"{h}x{w}", by_ipp=WITH_IPP and min(h, w) >= 4)


@pytest.mark.parametrize("method", list(FLAGS))
def test_floats_are_opencvs(method):
    for shape, size in SHAPES[:-1]:
        image = np.random.default_rng(1).uniform(0, 255, shape).astype(np.float32)
        resized = compiled_resize(image, size=size, method=method, numerics="opencv")
        np.testing.assert_allclose(resized, by_opencv(image, *size, method), atol=FLOAT_BOUND, rtol=0)


def test_the_shorter_edge_is_truncated_as_mxnet_does():
    image = noise(0, 30, 41, 3)
    resized = resize(image, size=20, numerics="opencv")
    np.testing.assert_array_equal(resized, by_opencv(image, 20, 20 * 41 // 30, "bilinear"))
