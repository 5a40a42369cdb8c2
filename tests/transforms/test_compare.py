"""compare finds the steps that make two pipelines differ; describe says by whose rules each works."""

from __future__ import annotations

import cv2
import jax
import numpy as np
import pytest
from PIL import Image

from e2e_jax import transforms as T
from e2e_jax.errors import ImageError


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    coarse = np.random.default_rng(4).integers(0, 256, (8, 12, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((90, 60), Image.Resampling.BICUBIC))


def pipeline(*, numerics: str = "pillow", mean: float = 0.5) -> T.Compose:
    return T.Compose([T.Resize(32, numerics=numerics), T.CenterCrop(28), T.ToTensor(), T.Normalize(mean, 0.25)])


def test_equal_pipelines_are_the_same(photo):
    found = T.compare(pipeline(), pipeline(), [photo, photo[:40]])
    assert found.same
    assert not found.culprits
    assert str(found).endswith("same result")


def test_the_gap_of_a_resize_is_that_between_the_libraries(photo, pillow):
    found = T.compare(T.Resize((24, 31)), T.Resize((24, 31), numerics="opencv"), photo)
    theirs = cv2.resize(photo, (31, 24), interpolation=cv2.INTER_LINEAR).astype(float)
    gap = np.abs(pillow(photo, 24, 31, "bilinear") - theirs)
    (row,) = found.rows
    assert (row.alone.most, row.so_far.most) == (gap.max(), gap.max())
    assert row.alone.mean == pytest.approx(gap.mean())
    assert not found.same


def test_only_the_guilty_step_is_a_culprit(photo):
    found = T.compare(pipeline(), pipeline(mean=0.4), photo)
    assert [row.first for row in found.culprits] == ["Normalize((0.5,), (0.25,))"]
    assert found.rows[-1].alone.most == pytest.approx(0.1 / 0.25)
    assert "* Normalize" in str(found)
    early = T.compare(pipeline(), pipeline(numerics="torch"), photo)
    assert [row.first for row in early.culprits] == ["Resize(32)"]
    assert all(row.so_far.most > 0 for row in early.rows)


def test_a_missing_step_a_shape_and_a_dtype_are_named(photo):
    missing = T.compare(T.Compose([T.Resize(32), T.HorizontalFlip()]), T.Resize(32), photo)
    assert (missing.rows[1].first, missing.rows[1].second, missing.rows[1].alone) == ("HorizontalFlip()", "", None)
    shape = T.compare(T.Resize((5, 6)), T.Resize((6, 5)), photo)
    assert "shapes (5, 6, 3) and (6, 5, 3)" in str(shape)
    dtype = T.compare(T.Cast("float32"), T.Cast("int32"), photo)
    assert dtype.rows[0].alone.most == 0
    assert not dtype.same
    assert "float32 and int32" in str(dtype)


def test_random_steps_draw_the_same_for_both(photo):
    drawn = T.Compose([T.RandomResizedCrop(24), T.RandomHorizontalFlip()])
    assert T.compare(drawn, drawn, photo, key=jax.random.key(0)).same


def test_describe_names_the_rules_the_sizes_and_what_is_fused():
    steps = T.Compose(
        [T.Resize(32, numerics="opencv"), T.CenterCrop(28), T.ToTensor(), T.Rotate(9, numerics="torch")]
    )
    lines = T.describe(steps, size=(60, 90)).lines
    assert [line.size for line in lines] == [(32, 48), (28, 28), (28, 28), (28, 28)]
    assert [line.fused for line in lines] == [False, True, False, False]
    assert [line.rules.split()[0] if line.rules else "" for line in lines] == [
        "OpenCV,",
        "Pillow",
        "Pillow",
        "torchvision",
    ]
    with pytest.raises(ImageError, match="Crop"):
        T.describe(T.Crop(0, 0, 40, 40), size=(30, 90))


def test_describe_says_something_of_every_transform(step):
    text = str(T.describe(step))
    assert all(line.does.endswith(".") for line in T.describe(step).lines)
    assert text
