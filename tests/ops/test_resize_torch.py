"""numerics="torch": torchvision's tensor path, against stored results of torchvision 0.29."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from e2e_jax.errors import ConfigError
from e2e_jax.ops.geometry import resize
from e2e_jax.ops.plans import resize_plan, transform
from e2e_jax.ops.resize_torch import CHUNK
from e2e_jax.ops.selections import center_crop_plan, flip_plan
from e2e_jax.transforms.geometry import Resize

IMAGES = ("wide", "tall", "square")
WEIGHED = ("bilinear", "bicubic")
FLOAT_BOUND = 1.5e-6  # of the range of the values

compiled_resize = jax.jit(resize, static_argnames=("size", "max_size", "method", "antialias", "numerics"))


def cases(stored, kind: str, method: str) -> list[tuple[str, np.ndarray, np.ndarray, bool]]:
    """Name, image, torchvision's result and whether it was antialiased."""
    images, arrays = stored("torchvision_geometry"), stored("torchvision_resize")
    named = [(n, *n.split("/")) for n in arrays if n != "versions"]
    found = [(n, images[f"{i}/image"], arrays[n], n.endswith("aa1")) for n, i, op in named if op.startswith(kind)]
    return [case for case in found if case[0].partition("_resize_")[2].split("_", 1)[1].rsplit("_aa")[0] == method]


@pytest.mark.parametrize("method", ["nearest", "nearest_exact"])
def test_nearest_is_torchvisions(method, stored):
    found = cases(stored, "tensor", method)
    assert len(found) == 8
    for name, image, expected, _ in found:
        resized = compiled_resize(image, size=expected.shape[:2], method=method, numerics="torch")
        np.testing.assert_array_equal(resized, expected, err_msg=name)


@pytest.mark.parametrize("method", WEIGHED)
def test_bytes_are_torchvisions(method, stored):
    found = cases(stored, "tensor", method)
    assert len(found) == 12
    for name, image, expected, antialias in found:
        resized = compiled_resize(
            image, size=expected.shape[:2], method=method, antialias=antialias, numerics="torch"
        )
        np.testing.assert_array_equal(resized, expected, err_msg=name)


@pytest.mark.parametrize("method", WEIGHED)
def test_floats_are_torchvisions(method, stored):
    found = cases(stored, "float", method)
    assert len(found) == 2
    for name, image, expected, antialias in found:
        unit = image.astype(np.float32) / np.float32(255)
        resized = compiled_resize(
            unit, size=expected.shape[:2], method=method, antialias=antialias, numerics="torch"
        )
        np.testing.assert_allclose(resized, expected, atol=FLOAT_BOUND, rtol=0, err_msg=name)


def test_the_shorter_edge_and_the_antialias_of_torchvision_are_the_defaults(stored):
    image = stored("torchvision_geometry")["wide/image"]
    expected = stored("torchvision_resize")["wide/tensor_resize_40_bilinear_aa1"]
    np.testing.assert_array_equal(Resize(40, numerics="torch")(image), expected)


@pytest.mark.parametrize("method", ["nearest", "nearest_exact", *WEIGHED])
@pytest.mark.parametrize("antialias", [False, True])
def test_traced_sizes_give_the_bytes_of_static_ones(method, antialias):
    """A batch of images of different sizes, garbage around them, to one size."""
    rng = np.random.default_rng(3)
    pixels = rng.choice(np.array([0, 77, 255], np.uint8), (12, 80, 80, 3))
    sizes = rng.integers(1, 81, (12, 2)).astype(np.int32)
    sizes[0], sizes[1] = (31, 8), (17, 62)  # one axis unchanged, one doubled
    plan = resize_plan((34, 16), method=method, antialias=antialias, numerics="torch")
    run = jax.jit(jax.vmap(lambda p, s: transform(p, [plan], size=s)[0]))
    for image, (h, w), moved in zip(pixels, sizes, run(pixels, sizes), strict=True):
        np.testing.assert_array_equal(moved, transform(image[:h, :w], [plan])[0], err_msg=f"{h}x{w}")


@pytest.mark.parametrize("method", WEIGHED)
def test_the_precision_follows_the_whole_axis_also_where_its_length_is_not_known(method):
    """Shorter edge to 60 and a crop: the long edge has up to 300 pixels, of which 20 are computed."""
    assert CHUNK < 300
    image = np.random.default_rng(4).integers(0, 256, (40, 200, 3), np.uint8)
    plans = [resize_plan(60, method=method, numerics="torch"), center_crop_plan(20, 20)]
    whole = resize(image, size=(60, 300), method=method, numerics="torch")
    room = np.pad(image, ((0, 7), (0, 3), (0, 0)), mode="reflect")
    moved = jax.jit(lambda i, s: transform(i, plans, size=s)[0])(room, np.array([40, 200], np.int32))
    np.testing.assert_array_equal(moved, whole[20:40, 140:160])


@pytest.mark.parametrize("method", WEIGHED)
def test_fused_with_a_crop_and_a_flip_is_the_cut_of_the_whole(method):
    image = np.random.default_rng(5).integers(0, 256, (45, 61, 3), np.uint8)
    plans = [
        resize_plan((30, 90), method=method, numerics="torch"),
        center_crop_plan(20, 20),
        flip_plan("horizontal"),
    ]
    whole = np.asarray(resize(image, size=(30, 90), method=method, numerics="torch"))
    np.testing.assert_array_equal(transform(image, plans)[0], whole[5:25, 35:55][:, ::-1])


def test_methods_that_torchvision_has_not_for_tensors_are_refused():
    with pytest.raises(ConfigError, match='numerics="torch".*\n  Received: .*lanczos.*\n  Fix: one of nearest, '):
        Resize(8, method="lanczos", numerics="torch")


@pytest.mark.parametrize("numerics", ["pillow", "pillow13"])
def test_nearest_exact_is_refused_where_nearest_is_it(numerics):
    with pytest.raises(ConfigError, match='\n  Received: .*nearest_exact.*\n  Fix: "nearest": .*pixel centres'):
        Resize(8, method="nearest_exact", numerics=numerics)
