"""Consecutive geometric steps: one pass per axis, no pixel computed in vain, and the same bytes as one by one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from e2e_jax.ops.plans import resize_plan, transform
from e2e_jax.ops.selections import center_crop_plan, crop_plan, flip_plan, pad_plan
from e2e_jax.types import Array

ROOM = 96
FEW_TAPS = 4  # of a bilinear window, here, where the size is traced


def gathers(jaxpr: Any) -> Iterator[tuple[int, ...]]:
    """Result shapes of all gathers, inner jaxprs included."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "gather":
            yield equation.outvars[0].aval.shape
        for parameter in jax.tree.leaves(list(equation.params.values()), is_leaf=is_jaxpr):
            if is_jaxpr(parameter):
                yield from gathers(getattr(parameter, "jaxpr", parameter))


def is_jaxpr(value: object) -> bool:
    return hasattr(value, "eqns")


def found(steps: list, traced: bool) -> list[tuple[int, ...]]:
    """What each pass gathers: one of a size known when tracing, or of many taps, does so once, others by tap."""
    shapes = gathered(steps, traced)
    passes = [(shape, len(list(same))) for shape, same in itertools.groupby(shapes)]
    assert max(count for _, count in passes) <= (FEW_TAPS if traced else 1)
    return [shape for shape, _ in passes]


def gathered(steps: list, traced: bool) -> list[tuple[int, ...]]:
    image, size = np.zeros((90, 70, 3), np.uint8), np.array([90, 70], np.int32)
    run = (lambda i, s: transform(i, steps, size=s)[0]) if traced else (lambda i, s: transform(i, steps)[0])
    return list(gathers(jax.make_jaxpr(run)(image, size).jaxpr))


CHAIN = [resize_plan(40), center_crop_plan(24, 20), flip_plan("horizontal")]


@pytest.mark.parametrize("traced", [False, True])
def test_resize_crop_mirror_is_one_pass_per_axis(traced):
    assert len(found(CHAIN, traced)) == 2


@pytest.mark.parametrize("traced", [False, True])
def test_a_chain_that_filters_twice_needs_two_passes_per_axis(traced):
    assert len(found([resize_plan((50, 50)), resize_plan((20, 30))], traced)) == 4


def test_pixels_outside_the_crop_are_never_computed():
    """Resize 90x70 -> 51x40, crop 24 rows from 14 (torchvision's round) and 20 columns: what each pass gathers."""
    first, second = found(CHAIN, traced=False)
    scale = 90 / 51
    needed = int((14 + 23 + 0.5) * scale + scale + 0.5) - int((14 + 0.5) * scale - scale + 0.5)  # Pillow's window
    assert first[:3] == (1, needed, 20)
    assert second[0::2] == (1, 24) + second[4:]
    assert second[1:] == (second[1], 24, 20)
    assert needed < 50


def test_traced_chain_computes_only_the_crop():
    first, second = found(CHAIN, traced=True)
    assert (first[1], first[2]) == (90, 20)
    assert second[1:] == (24, 20)


def numpy_crop(image: np.ndarray, top: int, left: int, height: int, width: int, fill: int) -> np.ndarray:
    """A window that may leave the image."""
    border = max(image.shape) + max(height, width) + abs(top) + abs(left)
    wide = np.pad(image, ((border, border), (border, border), (0, 0)), constant_values=fill)
    return wide[top + border : top + border + height, left + border : left + border + width]


def numpy_center(image: np.ndarray, height: int, width: int, fill: int) -> np.ndarray:
    def start(extent: int, window: int) -> int:
        return round((extent - window) / 2) if extent >= window else -((window - extent) // 2)

    return numpy_crop(image, start(image.shape[0], height), start(image.shape[1], width), height, width, fill)


def numpy_pad(image: np.ndarray, left: int, top: int, right: int, bottom: int, fill: int) -> np.ndarray:
    return np.pad(image, ((top, bottom), (left, right), (0, 0)), constant_values=fill)


def resized(h: int, w: int, method: str = "bilinear", **options: str) -> tuple:
    return resize_plan((h, w), method=method, **options), lambda image, pillow: pillow(image, h, w, method)


def cropped(*window: int) -> tuple:
    return crop_plan(*window, padding=True), lambda image, pillow: numpy_crop(image, *window, 0)


def centred(h: int, w: int, fill: int = 0) -> tuple:
    return center_crop_plan(h, w, fill=(fill,)), lambda image, pillow: numpy_center(image, h, w, fill)


def padded(*sides: int, fill: int = 0) -> tuple:
    return pad_plan(*sides, fill=(fill,)), lambda image, pillow: numpy_pad(image, *sides, fill)


LEFT_RIGHT = (flip_plan("horizontal"), lambda image, pillow: image[:, ::-1])
UP_DOWN = (flip_plan("vertical"), lambda image, pillow: image[::-1])

CHAINS = {
    "resize-crop-flip": [resized(40, 31), centred(24, 20), LEFT_RIGHT],
    "nearest-crop-flip": [resized(40, 131, "nearest"), cropped(5, 9, 30, 60), LEFT_RIGHT, UP_DOWN],
    "nearest-outgrown-flip": [resized(20, 21, "nearest"), centred(30, 25, 9), LEFT_RIGHT],
    "pad-resize": [padded(3, 4, 15, 6, fill=77), resized(31, 52, "bicubic")],
    "pad-nearest": [padded(3, 4, 15, 6, fill=77), resized(31, 52, "nearest")],
    "crop-resize": [cropped(7, 3, 41, 29), resized(20, 44, "lanczos")],
    "crop-outside-resize": [cropped(-5, 33, 41, 59), resized(20, 44, "lanczos")],
    "flip-resize": [LEFT_RIGHT, UP_DOWN, resized(33, 71, "bicubic")],
    "flip-resize-down": [LEFT_RIGHT, UP_DOWN, resized(13, 11, "area")],
    "resize-pad-crop": [resized(30, 33), padded(9, 8, 7, 6, fill=200), cropped(4, 2, 36, 35)],
    "two-fills": [padded(2, 2, 2, 2, fill=50), resized(45, 40), padded(3, 0, 1, 2, fill=210), centred(60, 30, 5)],
    "resize-resize": [resized(90, 25, "lanczos"), LEFT_RIGHT, resized(28, 61, "bicubic")],
    "pad-resize-pad-flip": [padded(5, 5, 5, 5, fill=9), resized(31, 29), padded(1, 2, 3, 4, fill=9), UP_DOWN],
    "outgrown": [centred(90, 91, 30), cropped(-3, 2, 95, 60), UP_DOWN],
}


def one_by_one(image: np.ndarray, chain: list, pillow) -> np.ndarray:
    for _, reference in chain:
        image = reference(image, pillow)
    return image


def picture() -> np.ndarray:
    return np.random.default_rng(8).integers(0, 256, (67, 54, 3), np.uint8)


@pytest.mark.parametrize("name", list(CHAINS))
def test_fused_chain_is_every_step_on_its_own_to_the_byte(name, pillow):
    chain, image = CHAINS[name], picture()
    fused = jax.jit(lambda i: transform(i, [plan for plan, _ in chain])[0])(image)
    np.testing.assert_array_equal(fused, one_by_one(image, chain, pillow))


@pytest.mark.parametrize("name", list(CHAINS))
def test_traced_chain_is_every_step_on_its_own_to_the_byte(name, pillow):
    chain, image = CHAINS[name], picture()
    room = np.random.default_rng(9).integers(0, 256, (ROOM, ROOM, 3), np.uint8)  # garbage around the image
    room[: image.shape[0], : image.shape[1]] = image

    def fused(pixels: Array, size: Array) -> tuple[Array, Array]:
        moved, (height, width) = transform(pixels, [plan for plan, _ in chain], size=size)
        return moved, jnp.stack([jnp.asarray(height, jnp.int32), jnp.asarray(width, jnp.int32)])

    moved, size = jax.jit(fused)(room, np.array(image.shape[:2], np.int32))
    expected = one_by_one(image, chain, pillow)
    assert tuple(size.tolist()) == expected.shape[:2]
    np.testing.assert_array_equal(moved[: expected.shape[0], : expected.shape[1]], expected)


def test_fused_pillow13_order_looks_at_the_sizes_of_the_resize_alone(pillow):
    """90x70 -> 20x60 filters rows first, also when a crop leaves little of the rows."""
    image = np.random.default_rng(1).integers(0, 256, (90, 70, 3), np.uint8)
    fused = transform(image, [resize_plan((20, 60), method="bicubic", numerics="pillow13"), crop_plan(3, 2, 9, 50)])
    rows = pillow(image, 20, 70, "bicubic")
    np.testing.assert_array_equal(fused[0], pillow(rows, 20, 60, "bicubic")[3:12, 2:52])


@pytest.mark.parametrize("numerics", ["opencv", "pillow", "torch", "tf"])
@pytest.mark.parametrize(("scale", "method"), [(2, "bilinear"), (3, "bicubic"), (4, "nearest"), (5, "bilinear")])
def test_windows_side_by_side_are_mirrored_and_cut_like_all_others(scale, method, numerics):
    """Whole scales are read without a gather; a step on its own has no mirror to get wrong."""
    image = np.random.default_rng(scale).integers(0, 256, (12 * scale, 10 * scale, 3)).astype(np.uint8)
    resize = resize_plan((12, 10), method=method, antialias=None, numerics=numerics)
    small = np.asarray(transform(image, [resize])[0])
    chain = [resize, crop_plan(2, 1, 9, 8), flip_plan("horizontal"), flip_plan("vertical")]
    np.testing.assert_array_equal(transform(image, chain)[0], small[2:11, 1:9][::-1, ::-1])


def test_whole_scales_by_the_rules_of_opencv_are_read_without_a_gather():
    image = np.zeros((48, 40, 3), np.uint8)
    plans = [resize_plan((24, 20), numerics="opencv"), flip_plan("horizontal")]
    assert not list(gathers(jax.make_jaxpr(lambda x: transform(x, plans)[0])(image).jaxpr))
