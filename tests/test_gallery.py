"""The gallery shows every public transform, each on what suits it."""

from __future__ import annotations

import numpy as np

from e2e_jax import transforms as T
from notebooks import gallery


def test_every_public_transform_is_shown_once():
    shown = [type(step).__name__ for steps in gallery.GROUPS.values() for step in steps]
    known = T.Transform.registry
    public = [name for name in vars(T) if name in known and issubclass(known[name], T.Transform)]
    assert sorted(shown) == sorted(public)


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
