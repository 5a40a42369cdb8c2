"""Every pair of method and numerics: fused as one by one, traced and symbolic as static, finite gradients."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from e2e_jax.errors import ConfigError
from e2e_jax.ops.dialects import DIALECTS, METHODS, NUMERICS, antialiases
from e2e_jax.ops.geometry import resize
from e2e_jax.ops.plans import resize_plan, transform
from e2e_jax.ops.selections import center_crop_plan, crop_plan, flip_plan, pad_plan
from e2e_jax.transforms.geometry import Resize

PAIRS = [(method, numerics) for numerics, methods in DIALECTS.items() for method in methods]
WEIGHED = [pair for pair in PAIRS if not pair[0].startswith("nearest")]
ROOM = 64
TARGET = (30, 24)
SIZES = [(60, 48), (30, 24), (45, 17), (20, 60), (15, 12), (1, 64), (30, 48)]  # halved, kept, mixed, grown, doubled


def picture(seed: int, *shape: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(
        rng.random(shape) < 0.5,
        rng.choice(np.array([0, 255], np.uint8), shape),
        rng.integers(0, 256, shape, np.uint8),
    )


def one_by_one(image: np.ndarray, plans: list) -> np.ndarray:
    for plan in plans:
        image = np.asarray(transform(image, [plan])[0])
    return image


@pytest.mark.parametrize(("method", "numerics"), PAIRS)
def test_fused_is_one_by_one_to_the_byte(method, numerics):
    plans = [
        pad_plan(2, 1, 0, 3, fill=(77,)),
        resize_plan((26, 21), method=method, numerics=numerics),
        crop_plan(-3, 2, 24, 25, padding=True, fill=(77,)),
        flip_plan("horizontal"),
    ]
    image = picture(1, 48, 40, 3)
    np.testing.assert_array_equal(transform(image, plans)[0], one_by_one(image, plans))


@pytest.mark.parametrize(("method", "numerics"), PAIRS)
def test_traced_sizes_give_the_bytes_of_static_ones(method, numerics):
    """A batch of different images in one array, garbage around them, fused with a crop that leaves them."""
    plans = [resize_plan(TARGET, method=method, numerics=numerics), center_crop_plan(32, 20, fill=(9,))]
    pixels, sizes = picture(2, len(SIZES), ROOM, ROOM, 3), np.array(SIZES, np.int32)
    moved = jax.jit(jax.vmap(lambda p, s: transform(p, plans, size=s)[0]))(pixels, sizes)
    for image, (h, w), one in zip(pixels, SIZES, moved, strict=True):
        np.testing.assert_array_equal(one, transform(image[:h, :w], plans)[0], err_msg=f"{h}x{w}")


SYMBOLIC = [
    ("hamming", "pillow"),
    ("nearest", "torch"),
    ("bicubic", "torch"),
    ("nearest", "opencv"),
    ("bilinear", "opencv"),
    ("area", "opencv"),
    ("bicubic", "tf"),
    ("area", "tf"),
    ("gaussian", "tf"),
]


@pytest.mark.parametrize(("method", "numerics"), SYMBOLIC)
def test_symbolic_sizes_give_the_bytes_of_static_ones(method, numerics):
    plan = resize_plan(TARGET, method=method, numerics=numerics)
    shape = export.symbolic_shape("b, h, w, 3")
    exported = export.export(jax.jit(lambda i: transform(i, [plan])[0]))(jax.ShapeDtypeStruct(shape, jnp.uint8))
    for size in SIZES[:5]:
        batch = picture(3, 2, *size, 3)
        np.testing.assert_array_equal(exported.call(batch), transform(batch, [plan])[0], err_msg=str(size))


@pytest.mark.parametrize(("method", "numerics"), WEIGHED)
def test_gradient_is_finite_and_spreads_each_output_pixel_over_weights_that_sum_to_one(method, numerics):
    image = np.full((20, 9, 1), 255, np.float32)
    gradient = jax.grad(lambda x: resize(x, size=(7, 13), method=method, numerics=numerics).sum())(image)
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(gradient.sum(), 7 * 13, rtol=1e-4)


def test_the_table_holds_what_the_names_say():
    assert set(DIALECTS) == set(NUMERICS)
    assert {method for methods in DIALECTS.values() for method in methods} == set(METHODS)
    assert len(PAIRS) == 30


@pytest.mark.parametrize("numerics", NUMERICS)
def test_a_pair_that_is_not_in_the_table_is_refused_in_three_lines(numerics):
    for method in set(METHODS) - set(DIALECTS[numerics]):
        with pytest.raises(
            ConfigError, match=f'numerics="{numerics}".*\n  Received: .*{method}.*\n  Fix: .*nearest'
        ):
            Resize(8, method=method, numerics=numerics)


def test_antialias_is_what_the_library_does_unless_told():
    assert [antialiases(None, numerics=n) for n in NUMERICS] == [True, True, True, False, False]
    with pytest.raises(ConfigError, match='"opencv".*\n  Received: antialias=True\n  Fix: .*area'):
        Resize(8, numerics="opencv", antialias=True)
