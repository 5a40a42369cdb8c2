"""MixUp and CutMix: images, labels and areas by NumPy; numbers of its own for each sample."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from e2e_jax import transforms as T
from e2e_jax.errors import ConfigError
from e2e_jax.ops.mix import draw_cut

KEY = jax.random.key(6)
IMAGES = np.random.default_rng(2).integers(0, 256, (5, 12, 17, 3)).astype(np.uint8)
LABELS = np.array([3, 0, 2, 2, 1])
ONE_HOT = np.eye(4, dtype=np.float32)[LABELS]
STEPS = [T.MixUp(num_classes=4), T.CutMix(num_classes=4)]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_mixup_is_the_weighted_mean_with_the_image_before(dtype):
    images = IMAGES.astype(dtype)
    mixed, (drawn,) = T.MixUp(num_classes=4)(T.Sample(images, label=LABELS), key=KEY, return_draws=True)
    share = np.asarray(drawn["share"], np.float64)
    expected = share[:, None, None, None] * images + (1 - share)[:, None, None, None] * np.roll(images, 1, 0)
    assert mixed.image.dtype == dtype
    assert np.abs(np.asarray(mixed.image) - expected).max() <= (0.501 if dtype == np.uint8 else 1e-3)
    weights = share[:, None] * ONE_HOT + (1 - share)[:, None] * np.roll(ONE_HOT, 1, 0)
    np.testing.assert_allclose(mixed.label, weights, rtol=0, atol=1e-6)
    assert len(np.unique(share)) == 5, "each sample has a share of its own"


def test_cutmix_pastes_the_window_and_weighs_by_its_area():
    for seed in range(4):
        given = T.Sample(IMAGES, label=ONE_HOT)
        mixed, (drawn,) = T.CutMix()(given, key=jax.random.key(seed), return_draws=True)
        for n, (left, top, right, bottom) in enumerate(np.asarray(drawn["window"])):
            expected = IMAGES[n].copy()
            expected[top:bottom, left:right] = IMAGES[n - 1][top:bottom, left:right]
            np.testing.assert_array_equal(mixed.image[n], expected)
            share = 1 - (bottom - top) * (right - left) / (12 * 17)
            np.testing.assert_allclose(mixed.label[n], share * ONE_HOT[n] + (1 - share) * ONE_HOT[n - 1], atol=1e-6)


def test_windows_lie_in_the_image_and_have_the_area_asked_for():
    keys = jax.random.split(KEY, 2000)
    windows = np.asarray(jax.vmap(lambda key: draw_cut(key, 120, 170, share=0.75))(keys))
    assert windows.min() >= 0
    assert windows.max(0).tolist() == [127, 89, 170, 120]  # half the window before the last pixel
    wide, tall = windows[:, 2] - windows[:, 0], windows[:, 3] - windows[:, 1]
    whole = (windows[:, :2] > 0).all(1) & (windows[:, 2:] < [170, 120]).all(1)
    assert set(wide[whole]) == {84}  # 170 * sqrt(1/4) / 2, cut off, twice
    assert set(tall[whole]) == {60}
    centres = windows[:, :2] + windows[:, 2:]
    assert abs((centres[whole] / 2).mean(0) - [85, 60]).max() < 3


def test_shares_follow_the_beta_distribution():
    batch = T.Sample(np.zeros((4000, 1, 1, 1), np.float32), label=np.zeros((4000, 1), np.float32))
    for alpha in (0.3, 1.0, 4.0):
        _, (drawn,) = T.MixUp(alpha=alpha)(batch, key=KEY, return_draws=True)
        share = np.asarray(drawn["share"])
        assert abs(share.mean() - 0.5) < 0.03
        assert share.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)


@pytest.mark.parametrize("step", STEPS, ids=repr)
def test_draws_replay_and_evaluation_mixes_nothing(step):
    given = T.Sample(IMAGES, label=LABELS)
    mixed, draws = step(given, key=KEY, return_draws=True)
    again = step(given, draws=draws)
    np.testing.assert_array_equal(again.image, mixed.image)
    np.testing.assert_array_equal(again.label, mixed.label)
    still = T.Compose([step.config])
    still.eval()
    np.testing.assert_array_equal(still(given).image, IMAGES)
    np.testing.assert_array_equal(still(given).label, LABELS)


@pytest.mark.parametrize("step", STEPS, ids=repr)
def test_after_a_crop_in_a_pipeline(step):
    pipeline = T.Compose([T.RandomCrop(8), T.ToTensor(), step])
    mixed = pipeline(T.Sample(IMAGES, label=LABELS), key=KEY)
    assert mixed.image.shape == (5, 8, 8, 3)
    np.testing.assert_allclose(np.asarray(mixed.label).sum(1), 1, rtol=1e-6)


WRONG = {
    "whole labels need num_classes": (T.MixUp(), T.Sample(IMAGES, label=LABELS)),
    "every image needs a label": (T.CutMix(), T.Sample(IMAGES)),
    "needs a batch of images of one size": (T.MixUp(), T.Sample(IMAGES[0], label=ONE_HOT[0])),
    "have no boxes": (T.CutMix(), T.Sample(IMAGES, boxes=np.ones((5, 1, 4)) * [1, 1, 5, 5], label=np.ones((5, 1)))),
}


@pytest.mark.parametrize("expected", WRONG)
def test_what_cannot_be_mixed_is_refused_in_three_lines(expected):
    step, given = WRONG[expected]
    with pytest.raises(ConfigError, match=expected) as caught:
        step(given, key=KEY)
    assert len(str(caught.value).splitlines()) == 3
