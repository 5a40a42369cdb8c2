"""The gallery shows every public transform, each on what suits it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from e2e_jax import transforms as T
from e2e_jax.types import PaddedImages
from notebooks import gallery

SHOWN = [step for steps in gallery.GROUPS.values() for step in steps]
APART = (*gallery.WITHOUT_PARTS, T.MixUp, T.CutMix, T.YUVToRGB)  # take images or batches alone


def test_every_public_transform_is_shown_once():
    shown = [type(step).__name__ for step in SHOWN]
    known = T.Transform.registry
    public = [name for name in vars(T) if name in known and issubclass(known[name], T.Transform)]
    assert sorted(shown) == sorted(public)


@pytest.mark.parametrize("step", [s for s in SHOWN if not isinstance(s, T.Lambda)], ids=lambda s: repr(s)[:50])
def test_every_public_transform_survives_json(step):
    again = T.Transform.from_config(json.loads(json.dumps(step.config)))
    assert again == step
    assert repr(again) == repr(step)


@pytest.mark.parametrize("step", [s for s in SHOWN if not isinstance(s, APART)], ids=lambda s: repr(s)[:50])
def test_every_public_transform_takes_a_sample_and_does_to_its_image_what_it_does_alone(step):
    given = gallery.sample().with_parts(mask=np.eye(gallery.HEIGHT, gallery.WIDTH, dtype=np.int32))
    moved = step(given, key=gallery.KEY)
    if not isinstance(step, T.SSDRandomCrop):  # looks at the boxes
        np.testing.assert_array_equal(_pixels(moved.image), _pixels(step(given.image, key=gallery.KEY)))
    assert moved.boxes.shape == gallery.BOXES.shape
    assert np.isfinite(moved.boxes).all()
    assert moved.keypoints.shape == gallery.KEYPOINTS.shape
    assert moved.mask.dtype == np.int32


def _pixels(image: Any) -> np.ndarray:
    return np.asarray(image.pixels if isinstance(image, PaddedImages) else image)


def test_a_sheet_holds_a_picture_for_each():
    steps = [T.HorizontalFlip(), T.Normalize(127, 60), T.FiveCrop((100, 140)), T.MixUp(), T.YUVToRGB("nv12")]
    page = np.asarray(gallery.sheet({"A group": steps}))
    wide, high = gallery.PICTURE
    lefts = [gallery.MARGIN + number * (wide + gallery.GAP) for number in range(len(steps))]
    pictures = [
        page[-high - gallery.CAPTION - gallery.GAP - gallery.MARGIN :, left : left + wide][:high] for left in lefts
    ]
    assert all(picture.std() > 20 for picture in pictures)
    assert len({picture.tobytes() for picture in pictures}) == len(steps)
    assert page[:, lefts[-1] + wide + 1 :].std() < 1, "nothing beside the last one"


def test_boxes_and_points_are_drawn_where_the_cat_went():
    yellow = (np.asarray(gallery.picture(T.HorizontalFlip())) == gallery.BOX).all(-1)
    rows, cols = np.nonzero(yellow)
    scale = gallery.PICTURE[0] / gallery.WIDTH
    assert abs(cols.min() - (gallery.WIDTH - gallery.BOXES[0, 2]) * scale) < 2
    assert abs(rows.min() - gallery.BOXES[0, 1] * scale) < 2
