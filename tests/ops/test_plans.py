"""The sizes a plan works with: the shorter-edge rule, and the scale bound that gives traced windows their room."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from e2e_jax.errors import ConfigError
from e2e_jax.ops.axis import Axis, tables
from e2e_jax.ops.plans import Geometry, _shorter_edge_bound, resize_plan, shorter_edge, transform
from e2e_jax.ops.selections import flip_plan

RULES = [(256, None), (1, None), (40, None), (224, 500), (40, 41), (7, 3000)]


def by_torchvision(height: int, width: int, size: int, max_size: int | None) -> tuple[int, int]:
    """``_compute_resized_output_size`` of torchvision 0.29, line by line, but for edges below one pixel."""
    short, long = (width, height) if width <= height else (height, width)
    new_short, new_long = size, int(size * long / short)
    if max_size is not None and new_long > max_size:
        new_short, new_long = int(max_size * new_short / new_long), max_size
    new_width, new_height = (new_short, new_long) if width <= height else (new_long, new_short)
    return max(new_height, 1), max(new_width, 1)


@pytest.mark.parametrize(("size", "max_size"), RULES)
def test_shorter_edge_is_torchvisions_for_ints_and_traced_sizes(size, max_size):
    extents = np.random.default_rng(size).integers(1, 3000, (3000, 2)).astype(np.int32)
    static = [shorter_edge(h, w, size=size, max_size=max_size) for h, w in extents.tolist()]
    assert static == [by_torchvision(h, w, size, max_size) for h, w in extents.tolist()]
    traced = jax.jit(lambda e: shorter_edge(e[:, 0], e[:, 1], size=size, max_size=max_size))(extents)
    assert list(zip(*(t.tolist() for t in traced), strict=True)) == static


def test_shorter_edge_gives_the_stored_torchvision_shapes(stored):
    arrays = stored("torchvision_geometry")
    for name in ("wide", "tall", "square"):
        height, width, _ = arrays[f"{name}/image"].shape
        assert shorter_edge(height, width, size=40) == arrays[f"{name}/pil_resize_40_bilinear"].shape[:2]


@pytest.mark.parametrize(("size", "max_size"), RULES)
def test_no_scale_exceeds_its_bound(size, max_size):
    rng = np.random.default_rng(1)
    room = rng.integers(1, 2000, (5000, 2))
    extents = np.maximum((room * np.sqrt(rng.random((5000, 2)))).astype(int), 1)
    extents[::7] = room[::7]  # images that fill their array
    for room_of_one, (h, w) in zip(room.tolist(), extents.tolist(), strict=True):
        numerator, denominator = _shorter_edge_bound(tuple(room_of_one), size, max_size)
        new_h, new_w = shorter_edge(h, w, size=size, max_size=max_size)
        assert max(h * denominator - numerator * new_h, w * denominator - numerator * new_w) <= 0


@pytest.mark.parametrize("method", ["area", "bilinear", "lanczos"])
def test_a_traced_window_has_room_for_every_tap(method):
    """Where the bound holds no tap is cut off: each row has as many as the table of the same sizes known early."""
    step = resize_plan(20, max_size=33, method=method)

    def taps(extents):
        rows = step(Geometry.of(extents[0], extents[1], (150, 90))).rows
        return (tables(rows, fixed=True).weight != 0).sum(1)

    extents = np.stack(np.meshgrid(np.arange(2, 151, 4), np.arange(2, 91, 4)), -1).reshape(-1, 2)
    counts = jax.device_get(jax.jit(jax.vmap(taps))(extents.astype(np.int32)))
    for count, (height, width) in zip(counts, extents.tolist(), strict=True):
        rows = step(Geometry.of(height, width)).rows
        expected = (tables(rows, fixed=True).weight != 0).sum(1)
        np.testing.assert_array_equal(count[: rows.size], expected, err_msg=f"{height}x{width}")


def test_unknown_result_sizes_without_a_bound_are_refused():
    image, size = np.zeros((8, 8, 3), np.uint8), np.array([5, 6], np.int32)
    with pytest.raises(
        ConfigError, match="bound.*\n  Received: .*without max_size.*\n  Fix: add CenterCrop or Crop"
    ):
        jax.jit(lambda i, s: transform(i, [resize_plan(4), flip_plan("horizontal")], size=s)[0])(image, size)


def test_a_resize_to_the_same_size_adds_no_pass():
    rows = resize_plan((5, 9))(Geometry.of(5, 7)).rows
    assert rows.edits == ()
    assert Axis.of(5).select(offset=0, size=5).resamplings == 0
