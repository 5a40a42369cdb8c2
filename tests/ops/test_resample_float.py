"""Float resizing against Pillow's mode F, TensorFlow and jax.image; its gradients; which dtypes are refused."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from e2e_jax.errors import ImageError
from e2e_jax.ops.geometry import pad, resize
from e2e_jax.ops.plans import resize_plan, transform
from e2e_jax.ops.selections import pad_plan
from e2e_jax.transforms.geometry import Resize
from e2e_jax.types import PaddedImages

SMOOTH = ("bilinear", "bicubic", "lanczos", "area")
TF = {"bilinear": "bilinear", "bicubic": "bicubic", "lanczos": "lanczos3"}
LEVEL = 255.0

compiled_resize = jax.jit(resize, static_argnames=("size", "max_size", "method", "antialias", "numerics"))


def floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(4).uniform(0, LEVEL, shape).astype(np.float32)


@pytest.mark.parametrize("method", SMOOTH)
@pytest.mark.parametrize(("shape", "size"), [((61, 33, 1), (20, 50)), ((10, 90, 1), (25, 8)), ((1, 7, 1), (4, 3))])
def test_float_resize_matches_pillow_mode_f(method, shape, size, pillow):
    image = floats(*shape)
    resized = compiled_resize(image, size=size, method=method)
    assert resized.dtype == jnp.float32
    np.testing.assert_allclose(resized, pillow(image, *size, method), atol=1e-6 * LEVEL)


@pytest.mark.parametrize("name", ["wide", "tall", "square"])
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("method", list(TF))
def test_float_resize_matches_tensorflow(method, antialias, name, stored):
    image = stored("torchvision_geometry")[f"{name}/image"].astype(np.float32)
    expected = stored("tf_resize")[f"{name}/resize_45x30_{TF[method]}_aa{int(antialias)}"]
    resized = compiled_resize(image, size=(45, 30), method=method, antialias=antialias)
    # without antialias TF reads bicubic weights from a table of 1024 steps: kTableSize, resize_bicubic_op.cc
    coarse = method == "bicubic" and not antialias
    np.testing.assert_allclose(resized, expected, atol=0.25 if coarse else 1e-5 * LEVEL)


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize(
    ("method", "name"), [("bilinear", "linear"), ("bicubic", "cubic"), ("lanczos", "lanczos3")]
)
def test_float_resize_matches_jax_image(method, name, antialias):
    image = floats(37, 52, 3)
    expected = jax.image.resize(image, (14, 70, 3), name, antialias=antialias)
    resized = compiled_resize(image, size=(14, 70), method=method, antialias=antialias)
    np.testing.assert_allclose(resized, expected, atol=1e-5 * LEVEL)


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("method", SMOOTH)
def test_traced_float_resize_is_the_static_one_and_never_reads_the_padding(method, antialias):
    step = Resize((12, 31), method=method, antialias=antialias)
    room = np.full((2, 64, 64, 3), np.nan, np.float32)
    images = [floats(50, 20, 3), floats(7, 64, 3)]
    for slot, image in zip(room, images, strict=True):
        slot[: image.shape[0], : image.shape[1]] = image
    room = np.where(np.isnan(room), np.float32(1e30), room)
    moved = step(PaddedImages(room, np.array([i.shape[:2] for i in images], np.int32)))
    for one, image in zip(moved, images, strict=True):
        np.testing.assert_allclose(one, step(image), atol=1e-6 * LEVEL)


@pytest.mark.parametrize("traced", [False, True])
def test_floats_are_filled_before_and_after_they_are_weighed(traced, pillow):
    image, fill = floats(20, 30, 1), (-7.5,)
    plans = [pad_plan(3, 2, 5, 4, fill=fill), resize_plan((11, 50)), pad_plan(1, 0, 0, 2, fill=fill)]
    size = np.array([20, 30], np.int32)
    moved = jax.jit(lambda i, s: transform(i, plans, size=s if traced else None)[0])(image, size)
    around = np.pad(image, ((2, 4), (3, 5), (0, 0)), constant_values=fill[0])
    expected = np.pad(pillow(around, 11, 50, "bilinear"), ((0, 2), (1, 0), (0, 0)), constant_values=fill[0])
    np.testing.assert_allclose(moved, expected, atol=1e-6 * LEVEL)


@pytest.mark.parametrize("method", SMOOTH)
def test_gradient_of_resize_is_the_transposed_resize(method):
    """Resizing is linear: <v, resize(x)> = <grad, x>, for a gradient taken anywhere."""
    image, cotangent = floats(40, 9, 2), np.random.default_rng(5).normal(size=(7, 21, 2)).astype(np.float32)
    forward = lambda x: (resize(x, size=(7, 21), method=method) * cotangent).sum()  # noqa: E731
    gradient = jax.jit(jax.grad(forward))(np.zeros_like(image))
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose((gradient * image).sum(), jax.jit(forward)(image), rtol=1e-4)


def test_gradient_of_bilinear_resize_matches_finite_differences():
    image = floats(9, 11, 1)
    forward = jax.jit(lambda x: (resize(x, size=(4, 15)) ** 2).sum() / 1000)
    gradient = np.asarray(jax.grad(forward)(image))
    rng = np.random.default_rng(6)
    for _ in range(10):
        direction = rng.normal(size=image.shape).astype(np.float32)
        numerical = (forward(image + direction) - forward(image - direction)) / 2  # exact for a quadratic
        np.testing.assert_allclose((gradient * direction).sum(), numerical, rtol=2e-3, atol=0.05)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_floats_keep_their_dtype_and_are_summed_in_float32(dtype):
    image = jnp.asarray(floats(70, 8, 1)).astype(dtype)
    resized = compiled_resize(image, size=(2, 4), method="area")
    assert resized.dtype == dtype
    exact = np.asarray(image.astype(jnp.float32)).reshape(2, 35, 4, 2, 1).mean((1, 3))  # (2, 4, 1)
    np.testing.assert_allclose(resized.astype(jnp.float32), exact, rtol=0.004 if dtype == "bfloat16" else 0.0005)


@pytest.mark.parametrize("dtype", ["int32", "uint16", "bool"])
def test_other_dtypes_are_refused_where_pixels_are_weighed(dtype):
    image = np.ones((6, 6, 1), dtype)
    with pytest.raises(ImageError, match=f"must be uint8 0..255 or floating.\n  Received: .*{dtype}\n  Fix: Cast"):
        resize(image, size=(3, 3))
    nearest = resize(image, size=(3, 3), method="nearest")
    assert nearest.dtype == dtype
    assert np.asarray(nearest).tolist() == np.ones((3, 3, 1), dtype).tolist()


@pytest.mark.parametrize("fill", [(300,), (-1,), (0.5,), (float("nan"),), (0, 256, 0)])
def test_a_fill_that_is_no_level_of_the_image_is_refused(fill):
    with pytest.raises(ImageError, match="level of uint8.*\n  Received: fill=.*\n  Fix: pass whole numbers 0..255"):
        pad(np.zeros((2, 2, 3), np.uint8), left=1, top=1, right=1, bottom=1, fill=fill)


def test_a_fill_for_another_number_of_channels_is_refused():
    with pytest.raises(ImageError, match="one per channel.*\n  Received: fill=.*channels=3\n  Fix: pass one fill"):
        pad(np.zeros((2, 2, 3), np.float32), left=1, top=1, right=1, bottom=1, fill=(1, 2))
