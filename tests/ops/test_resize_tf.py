"""numerics="tf": tf.image.resize and Keras' Resizing, against stored results of TensorFlow 2.21."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from e2e_jax.ops.geometry import resize
from e2e_jax.ops.plans import Geometry, resize_plan, shorter_edge
from e2e_jax.transforms.geometry import Resize

NAMES = {"lanczos3": "lanczos", "mitchellcubic": "mitchell"}  # TensorFlow's to ours
METHODS = ("nearest", "bilinear", "bicubic", "lanczos", "area", "lanczos5", "mitchell", "gaussian")
FLOAT_BOUND = 2e-4  # levels of 0..255
OTHER_BYTES = 0.0025  # of the bytes, by one level: where TensorFlow's float lies at a half

compiled_resize = jax.jit(resize, static_argnames=("size", "max_size", "method", "antialias", "numerics"))


def cases(stored, method: str) -> list[tuple[str, np.ndarray, np.ndarray, bool]]:
    """Name, image, TensorFlow's result and whether it was antialiased."""
    images, arrays = stored("torchvision_geometry"), stored("tf_resize")
    found = []
    for name in arrays:
        image, _, operation = name.partition("/resize_")
        if operation and NAMES.get(operation.split("_")[1], operation.split("_")[1]) == method:
            found.append((name, images[f"{image}/image"], arrays[name], name.endswith("1")))
    return found


@pytest.mark.parametrize("method", METHODS)
def test_floats_are_tensorflows(method, stored):
    found = cases(stored, method)
    assert len(found) >= 2
    for name, image, expected, antialias in found:
        options = {"size": expected.shape[:2], "method": method, "antialias": antialias, "numerics": "tf"}
        resized = compiled_resize(image.astype(np.float32), **options)
        np.testing.assert_allclose(resized, expected, atol=FLOAT_BOUND, rtol=0, err_msg=name)


@pytest.mark.parametrize("method", METHODS)
def test_bytes_are_tensorflows_floats_rounded(method, stored):
    for name, image, expected, antialias in cases(stored, method):
        options = {"size": expected.shape[:2], "method": method, "antialias": antialias, "numerics": "tf"}
        resized = np.asarray(compiled_resize(image, **options)).astype(int)
        levels = np.rint(np.clip(expected, 0, 255)).astype(int)
        assert np.abs(resized - levels).max() <= (method != "nearest"), name
        assert (resized != levels).mean() < OTHER_BYTES, name


def test_bytes_at_a_half_are_rounded_to_even():
    image = np.array([1, 2, 3, 4], np.uint8).reshape(1, 4, 1)
    assert resize(image, size=(1, 2), numerics="tf").ravel().tolist() == [2, 4]  # 1.5 and 3.5


@pytest.mark.parametrize("method", ["mitchell", "gaussian"])
def test_a_filter_that_blurs_leaves_an_image_alone_that_keeps_its_size(method):
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    np.testing.assert_array_equal(resize(image, size=(9, 7), method=method, numerics="tf"), image)
    assert (np.asarray(resize(image, size=(9, 8), method=method, numerics="tf"))[:, :3] != image[:, :3]).any()


def test_antialias_is_off_as_in_tensorflow_and_keras(stored):
    image = stored("torchvision_geometry")["tall/image"]
    expected = stored("tf_resize")["tall/resize_45x30_bilinear_aa0"]
    resized = Resize((45, 30), numerics="tf")(image.astype(np.float32))
    np.testing.assert_allclose(resized, expected, atol=FLOAT_BOUND, rtol=0)


def test_the_longer_edge_is_rounded_half_to_even():
    extents = np.random.default_rng(0).integers(1, 700, (4000, 2)).astype(np.int32)
    extents[0], extents[1] = (8, 13), (8, 11)  # 6.5 and 5.5 for a shorter edge of 4
    static = [shorter_edge(h, w, size=4, numerics="tf") for h, w in extents.tolist()]
    assert static[:2] == [(4, 6), (4, 6)]
    expected = [(max(round(4 * h / w), 4), max(round(4 * w / h), 4)) for h, w in extents.tolist()]
    assert static == expected
    traced = jax.jit(lambda e: shorter_edge(e[:, 0], e[:, 1], size=4, numerics="tf"))(extents)
    assert list(zip(*(t.tolist() for t in traced), strict=True)) == static


def test_the_plan_asks_for_tensorflows_edge():
    assert resize_plan(4, numerics="tf")(Geometry.of(8, 15)).size == (4, 8)
    assert resize_plan(4)(Geometry.of(8, 15)).size == (4, 7)
