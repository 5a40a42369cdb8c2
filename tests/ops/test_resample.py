"""uint8 resizing against Pillow: zero differing bytes, for sizes known when tracing and for sizes that are not."""

from __future__ import annotations

import functools

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2e_jax.ops.axis import Axis, Taps, tables
from e2e_jax.ops.dialects import interpolation
from e2e_jax.ops.geometry import resize
from e2e_jax.ops.interpolation import FIXED_POINT_BITS
from e2e_jax.ops.plans import _pillow13_rows_first, resize_plan, transform
from e2e_jax.ops.resample import resample
from e2e_jax.ops.sizes import Scaling

METHODS = ("nearest", "bilinear", "bicubic", "lanczos", "area", "hamming")
STORED = {"nearest": "nearest", "bilinear": "bilinear", "bicubic": "bicubic", "lanczos": "lanczos", "area": "box"}

compiled_resize = jax.jit(resize, static_argnames=("size", "max_size", "method", "antialias", "numerics"))


def noise(seed: int, *shape: int) -> np.ndarray:
    """Random bytes, half of them at the ends of the range, where bicubic and lanczos overshoot and are clipped."""
    rng = np.random.default_rng(seed)
    extremes = rng.choice(np.array([0, 255], np.uint8), shape)
    return np.where(rng.random(shape) < 0.5, extremes, rng.integers(0, 256, shape, np.uint8))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((67, 41, 3), (13, 99)),  # down and up
        ((23, 311, 1), (150, 7)),  # up and far down, gray
        ((40, 57, 4), (11, 12)),  # four channels: one full word
        ((31, 30, 6), (45, 17)),  # more channels than a word holds
        ((1, 1, 3), (5, 3)),
        ((700, 3, 3), (1, 700)),
    ],
)
def test_static_resize_is_pillow_to_the_byte(method, shape, size, pillow):
    image = noise(sum(shape), *shape)
    np.testing.assert_array_equal(compiled_resize(image, size=size, method=method), pillow(image, *size, method))


@pytest.mark.parametrize("method", METHODS)
@settings(deadline=None, max_examples=3, derandomize=True)
@given(shape=st.tuples(*[st.integers(1, 700)] * 2), size=st.tuples(*[st.integers(1, 700)] * 2))
def test_random_static_sizes_are_pillow_to_the_byte(method, shape, size, pillow):
    image = noise(shape[0], *shape, 3)
    np.testing.assert_array_equal(compiled_resize(image, size=size, method=method), pillow(image, *size, method))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("shape", "size"), [((151, 47, 3), (80, 170)), ((90, 80, 3), (30, 50)), ((9, 9, 3), (9, 5))]
)
def test_one_call_of_the_installed_pillow_gives_its_own_numerics(method, shape, size, live_pillow):
    call, numerics = live_pillow
    image = noise(3, *shape)
    resized = compiled_resize(image, size=size, method=method, numerics=numerics)
    np.testing.assert_array_equal(resized, call(image, *size, method))


@pytest.mark.parametrize("method", list(STORED))
def test_pillow_numerics_match_stored_pillow_12(method, stored):
    arrays = stored("torchvision_geometry")
    names = [n for n in arrays if n.endswith(f"_{STORED[method]}") and "pil_resize" in n]
    assert len(names) == 5
    for name in names:
        expected = arrays[name]
        image = arrays[f"{name.partition('/')[0]}/image"]
        resized = compiled_resize(image, size=expected.shape[:2], method=method)
        np.testing.assert_array_equal(resized, expected, err_msg=name)


@pytest.mark.parametrize("method", METHODS)
def test_pillow13_numerics_match_stored_pillow_13(method, stored):
    sources, arrays = stored("torchvision_geometry"), stored("pillow13_resize")
    names = [n for n in arrays if n.endswith(f"_{STORED.get(method, method)}")]
    assert len(names) == 5
    for name in names:
        expected = arrays[name]
        image = sources[f"{name.partition('/')[0]}/image"]
        resized = compiled_resize(image, size=expected.shape[:2], method=method, numerics="pillow13")
        np.testing.assert_array_equal(resized, expected, err_msg=name)


def test_the_two_numerics_differ_where_rows_shrink_most(stored):
    image = stored("torchvision_geometry")["tall/image"]
    old, new = (
        compiled_resize(image, size=(80, 170), method="lanczos", numerics=n) for n in ("pillow", "pillow13")
    )
    assert 1000 < int((np.asarray(old) != np.asarray(new)).sum()) < 40_800


def test_pillow13_order_is_the_same_for_traced_sizes():
    sizes = np.random.default_rng(0).integers(1, 400, (5000, 4)).astype(np.int32)
    traced = np.asarray(jax.jit(jax.vmap(lambda s: _pillow13_rows_first(*s)))(sizes))
    h, w, new_h, new_w = sizes.T
    np.testing.assert_array_equal(traced, (h > new_h) & (h - new_h > 2 * (w - new_w)))
    assert [_pillow13_rows_first(*map(int, s)) for s in sizes[:200]] == traced[:200].tolist()
    assert 0.2 < traced.mean() < 0.8


def columns(image: np.ndarray, width: int, method: str) -> np.ndarray:
    """One column pass over (h, w) bytes in NumPy, by nothing but the plan's own table."""
    n = image.shape[1]
    taps = table_of(n, width, method)
    assert 0 <= taps.position.min() <= taps.position.max() < n
    if method == "nearest":
        return image[:, taps.position[:, 0]]
    total = np.einsum("hwt,wt->hw", image.astype(np.int64)[:, taps.position], taps.weight)
    return np.clip((total + (1 << (FIXED_POINT_BITS - 1))) >> FIXED_POINT_BITS, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("method", METHODS)
def test_tables_of_a_thousand_widths_are_pillows(method, live_pillow):
    rng = np.random.default_rng(METHODS.index(method))
    sizes = [(1, 1), (1, 700), (700, 1), (2, 3), (3, 2), *rng.integers(1, 701, (1000, 2)).tolist()]
    strip = noise(5, 2, 701)
    for n, width in sizes:
        expected = live_pillow[0](strip[:, :n, None], 2, width, method)[..., 0]
        np.testing.assert_array_equal(columns(strip[:, :n], width, method), expected, err_msg=f"{n} -> {width}")


def pillow_axis(axis, target, method, *, bound, capacity):
    rule = interpolation(method=method, numerics="pillow")
    return axis.resample(Scaling(axis.size, target, bound), rule=rule, antialias=True, capacity=capacity)


ROOM, STEEPEST = 120, (24, 1)  # the traced tests' array, and the greatest scale their windows have room for


@functools.partial(jax.jit, static_argnames="method")
def traced_resize(pixels, sizes, method):
    """(ROOM, ROOM, C) of which sizes[:2] are the image, to sizes[2:] in the corner of another such array."""
    rows, cols = (
        pillow_axis(Axis.of(sizes[i], ROOM), sizes[i + 2], method, bound=STEEPEST, capacity=ROOM) for i in (0, 1)
    )
    return resample(pixels, rows=rows, cols=cols)


@pytest.mark.parametrize("method", METHODS)
def test_traced_sizes_are_pillow_to_the_byte_whatever_lies_in_the_padding(method, pillow):
    rng = np.random.default_rng(1)
    targets = rng.integers(1, ROOM + 1, (40, 2))
    sources = np.minimum(rng.integers(1, ROOM + 1, (40, 2)), targets * STEEPEST[0])
    for seed, (source, target) in enumerate(zip(sources, targets, strict=True)):
        pixels = noise(seed, ROOM, ROOM, 3)  # garbage everywhere outside the image
        moved = traced_resize(pixels, np.array([*source, *target], np.int32), method)[: target[0], : target[1]]
        expected = pillow(pixels[: source[0], : source[1]], *map(int, target), method)
        np.testing.assert_array_equal(moved, expected, err_msg=f"{source} -> {target}")


@functools.partial(jax.jit, static_argnames="method")
def padded_resize(pixels, sizes, method):
    """As transforms do it: a batch of images of different sizes to one size known when tracing."""
    return jax.vmap(lambda p, s: transform(p, [resize_plan((12, 31), method=method)], size=s)[0])(pixels, sizes)


@pytest.mark.parametrize("method", METHODS)
def test_batch_of_sizes_to_one_size_is_pillow_to_the_byte(method, pillow):
    pixels = noise(7, 60, 96, 96, 3)
    sizes = np.random.default_rng(7).integers(1, 97, (60, 2)).astype(np.int32)
    for image, (h, w), resized in zip(pixels, sizes, padded_resize(pixels, sizes, method), strict=True):
        np.testing.assert_array_equal(resized, pillow(image[:h, :w], 12, 31, method), err_msg=f"{h}x{w}")


LONGEST = 600


@pytest.mark.parametrize("target", [7, 49, 224])
@pytest.mark.parametrize("method", METHODS)
def test_traced_tables_of_all_sizes_are_the_static_ones(method, target):
    """Position and fixed-point weight agree entry by entry, not only in what they do to one picture."""

    def table(source):
        axis = Axis.of(source, LONGEST)
        bound = (LONGEST, target)
        return tables(pillow_axis(axis, target, method, bound=bound, capacity=target), fixed=True)

    traced = jax.device_get(jax.jit(jax.vmap(table))(np.arange(1, LONGEST + 1, dtype=np.int32)))
    for source in range(1, LONGEST + 1):
        one = Taps(*(leaf[source - 1] for leaf in traced))
        np.testing.assert_array_equal(matrix(table_of(source, target, method), source), matrix(one, source))


def table_of(source, target, method):
    axis = pillow_axis(Axis.of(source), target, method, bound=(source, target), capacity=target)
    return tables(axis, fixed=True)


def matrix(taps, source):
    """The (target, source) matrix that a table stands for."""
    target = taps.position.shape[0]
    weights = np.zeros((target, source), np.int64)
    np.add.at(
        weights, (np.broadcast_to(np.arange(target)[:, None], taps.position.shape), taps.position), taps.weight
    )
    return weights


@pytest.mark.parametrize("method", METHODS)
def test_every_row_of_a_table_sums_to_one_up_to_its_rounding(method):
    for n, m in [(1, 1), (7, 300), (300, 7), (641, 224)]:
        taps = table_of(n, m, method)
        assert np.abs(taps.weight.sum(1) - (1 << FIXED_POINT_BITS)).max() <= taps.weight.shape[1]
        assert not taps.outside.any()
