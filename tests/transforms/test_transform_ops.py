"""A transform is a thin coat: each hands all of its arguments to the op of the same name, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from e2e_jax import transforms as T
from e2e_jax.ops import geometry, values

IMAGE = np.random.default_rng(0).integers(0, 256, (70, 41, 3), np.uint8)
FILL = (9.0, 0.0, 200.0)

# Each argument takes a value at which forgetting it, or swapping two, changes pixels.
PAIRS = [
    (T.Resize(20), geometry.resize, {"size": 20}),
    (T.Resize((33, 20)), geometry.resize, {"size": (33, 20)}),
    (T.Resize(20, max_size=25), geometry.resize, {"size": 20, "max_size": 25}),
    (T.Resize((33, 20), method="area"), geometry.resize, {"size": (33, 20), "method": "area"}),
    (T.Resize((9, 8), antialias=False), geometry.resize, {"size": (9, 8), "antialias": False}),
    (T.Resize((9, 30), numerics="pillow13"), geometry.resize, {"size": (9, 30), "numerics": "pillow13"}),
    (T.CenterCrop(30), geometry.center_crop, {"height": 30, "width": 30}),
    (T.CenterCrop((31, 20)), geometry.center_crop, {"height": 31, "width": 20}),
    (
        T.CenterCrop((67, 38), rounding="floor"),
        geometry.center_crop,
        {"height": 67, "width": 38, "rounding": "floor"},
    ),
    (T.CenterCrop(60, fill=FILL), geometry.center_crop, {"height": 60, "width": 60, "fill": FILL}),
    (T.Crop(3, 5, 20, 30), geometry.crop, {"top": 3, "left": 5, "height": 20, "width": 30}),
    (
        T.Crop(60, -5, 20, 30, padding=True, fill=FILL),
        geometry.crop,
        {"top": 60, "left": -5, "height": 20, "width": 30, "padding": True, "fill": FILL},
    ),
    (T.Pad(3), geometry.pad, {"left": 3, "top": 3, "right": 3, "bottom": 3}),
    (T.Pad((1, 2)), geometry.pad, {"left": 1, "top": 2, "right": 1, "bottom": 2}),
    (T.Pad((1, 2, 3, 4), fill=FILL), geometry.pad, {"left": 1, "top": 2, "right": 3, "bottom": 4, "fill": FILL}),
    (T.HorizontalFlip(), geometry.flip, {"direction": "horizontal"}),
    (T.VerticalFlip(), geometry.flip, {"direction": "vertical"}),
    (T.ToTensor(), values.to_tensor, {}),
    (T.ToTensor(numerics="torch"), values.to_tensor, {"numerics": "torch"}),
    (T.Normalize((1, 2, 3), (4, 5, 6)), values.normalize, {"mean": (1, 2, 3), "std": (4, 5, 6)}),
    (T.Cast("int16"), values.cast, {"dtype": "int16"}),
    (T.ToLayout("CHW"), values.to_layout, {"layout": "CHW"}),
]


@pytest.mark.parametrize(
    ("step", "op", "arguments"), PAIRS, ids=lambda x: repr(x) if isinstance(x, T.Transform) else ""
)
def test_a_transform_is_its_op(step, op, arguments):
    expected, result = op(IMAGE, **arguments), step(IMAGE)
    assert result.dtype == expected.dtype
    np.testing.assert_array_equal(result, expected)


def test_the_options_tried_here_change_pixels():
    """Or the comparison above could not fail."""
    results = [np.asarray(step(IMAGE)).tobytes() for step, _, _ in PAIRS]
    plain = [T.Resize((9, 8)), T.Resize((9, 30)), T.CenterCrop((67, 38)), T.CenterCrop(60), T.Pad((1, 2, 3, 4))]
    assert len(set(results)) == len(results)
    assert not {np.asarray(step(IMAGE)).tobytes() for step in plain} & set(results)
