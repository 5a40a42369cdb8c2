"""Random transforms: numbers per sample, explicit keys, replay, evaluation mode, torchvision's distributions."""

from __future__ import annotations

import functools

import jax
import numpy as np
import pytest
from flax import nnx

from e2e_jax import transforms as T
from e2e_jax.errors import ConfigError, ImageError
from e2e_jax.ops.draws import draw_crop, draw_resized_crop, draw_zoom_out
from e2e_jax.types import PaddedImages, Sample

KEY = jax.random.key(3)
H, W = 60, 74


def photos(count: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (count, H, W, 3), np.uint8)


RANDOM = [
    T.RandomResizedCrop(24, method="bicubic"),
    T.RandomCrop(40, padding=4, mode="reflect"),
    T.RandomCrop((70, 90), pad_if_needed=True, fill=9),
    T.RandomHorizontalFlip(),
    T.RandomVerticalFlip(0.3),
    T.RandomZoomOut(fill=114, p=0.8),
    T.RandomExpand(max_ratio=2),
    T.RandomRotation(30),
    T.RandomAffine(10, translate=(0.2, 0.1), scale=(0.8, 1.2), shear=5),
    T.RandomPerspective(p=0.7),
    T.RandomApply([T.HorizontalFlip(), T.RandomRotation(20)]),
    T.RandomChoice([T.Resize((20, 30)), T.CenterCrop((20, 30))], weights=[2, 1]),
    T.RandomOrder([T.HorizontalFlip(), T.RandomVerticalFlip(), T.Pad(0)]),
    T.Compose([T.RandomResizedCrop(24), T.RandomHorizontalFlip(), T.ToTensor()]),
    T.ResizeCropMirror(50, 40, p=0.5, random_crop=True),
]
each_random = pytest.mark.parametrize("random", RANDOM, ids=lambda step: repr(step)[:50])


def unpadded(result: object) -> list[np.ndarray]:
    if isinstance(result, PaddedImages):
        return [np.asarray(p)[:h, :w] for p, (h, w) in zip(result.pixels, result.sizes.tolist(), strict=True)]
    return [np.asarray(image) for image in result]


def assert_alike(actual: list[np.ndarray], expected: list[np.ndarray]) -> None:
    """To the byte, but for a tie of a warp whose map is computed with other roundings."""
    for one, other in zip(actual, expected, strict=True):
        assert one.shape == other.shape
        apart = np.abs(one.astype(np.float64) - other.astype(np.float64))
        assert apart.max() <= 1
        assert (apart > 1e-6).mean() < 0.002


@each_random
def test_every_sample_draws_its_own_numbers_and_the_first_what_it_draws_alone(random):
    batch = np.stack([photos(1)[0]] * 6)
    together = unpadded(random(batch, key=KEY))
    assert len({image.tobytes() for image in together}) > 1
    assert_alike(together[:1], [np.asarray(random(batch[0], key=KEY))])
    assert_alike(unpadded(random(list(batch), key=KEY)), together)
    assert_alike(unpadded(jax.jit(lambda b, k: random(b, key=k))(batch, KEY)), together)


@each_random
def test_draws_can_be_returned_and_replayed(random):
    batch = photos(3)
    result, draws = random(batch, key=KEY, return_draws=True)
    again, same = random(batch, draws=draws, return_draws=True)
    assert_alike(unpadded(again), unpadded(result))
    assert len(draws) == len(random.steps_flat)
    assert jax.tree.structure(draws) == jax.tree.structure(same)
    other = unpadded(random(batch, key=jax.random.key(99)))
    assert any(a.shape != b.shape or (a != b).any() for a, b in zip(other, unpadded(result), strict=True))


@each_random
def test_evaluation_mode_switches_it_off_and_training_on_again(random):
    pipeline = T.Compose([T.Compose([T.Transform.from_config(random.config)])])
    pipeline.eval()
    batch = photos(2)
    fixed = [step for step in T.Compose([random]).steps_flat if not step.is_random]
    np.testing.assert_array_equal(pipeline(batch), T.Compose(fixed)(batch))
    pipeline.train()
    with pytest.raises(ConfigError, match="needs a key.\n  Received: key=None\n  Fix: pass key="):
        pipeline(batch)


def test_a_model_in_evaluation_mode_has_inert_transforms():
    class Model(nnx.Module):
        def __init__(self) -> None:
            self.prepare = T.Compose([T.RandomApply([T.RandomVerticalFlip()])])

    model = Model()
    model.eval()
    np.testing.assert_array_equal(model.prepare(photos(1)), photos(1))


def test_keys_may_come_from_nnx_rngs():
    step = T.RandomResizedCrop(20)
    first, second = (step(photos(1), key=rngs) for rngs in [nnx.Rngs(transforms=1)] * 2)
    np.testing.assert_array_equal(first, step(photos(1), key=nnx.Rngs(transforms=1)))
    assert (np.asarray(first) != second).any()
    np.testing.assert_array_equal(first, step(photos(1), key=nnx.Rngs(1)))


@pytest.mark.parametrize("key", [3, "seed", np.zeros(2, np.uint32), jax.random.split(KEY, 2)])
def test_what_is_no_key_is_refused(key):
    with pytest.raises(ConfigError, match="key must be one JAX random key"):
        T.RandomHorizontalFlip()(photos(1), key=key)


def test_draws_of_another_pipeline_are_refused():
    _, draws = T.RandomHorizontalFlip()(photos(1), key=KEY, return_draws=True)
    with pytest.raises(ConfigError, match="one entry per step"):
        T.Compose([T.RandomHorizontalFlip(), T.ToTensor()])(photos(1), draws=draws)


def test_parts_move_with_what_was_drawn():
    mask = photos(1)[0, ..., 0].astype(np.int32)
    points = np.array([[10, 20], [33, 5]], np.float32)
    step = T.Compose([T.RandomHorizontalFlip(), T.RandomVerticalFlip(), T.RandomCrop((50, 61))])
    moved = step([Sample(photos(1)[0], mask=mask, keypoints=points)] * 8, key=KEY)
    for image, m, kept in zip(moved.image, moved.mask, np.asarray(moved.keypoints), strict=True):
        np.testing.assert_array_equal(image[..., 0], m)
        for (x, y), (column, row) in zip(points.astype(int), kept.astype(int), strict=True):
            if 0 <= row < 50 and 0 <= column < 61:
                assert m[row, column] == mask[y, x]
    assert len({str(k) for k in np.asarray(moved.keypoints).tolist()}) > 4


def kolmogorov(first: np.ndarray, second: np.ndarray) -> float:
    """Largest distance of two empirical distribution functions."""
    values = np.concatenate([first, second])
    below = [np.searchsorted(np.sort(s), values, side="right") / len(s) for s in (first, second)]
    return float(np.abs(below[0] - below[1]).max())


@pytest.fixture(scope="module")
def windows() -> np.ndarray:
    draw = functools.partial(draw_resized_crop, height=240, width=320, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3))
    drawn = jax.jit(jax.vmap(lambda key: draw(key)))(jax.random.split(jax.random.key(0), 4000))
    return np.stack(drawn, 1)


FACTS = {
    "area": lambda w: w[:, 2] * w[:, 3],
    "log ratio": lambda w: np.log(w[:, 3] / w[:, 2]),
    "top": lambda w: w[:, 0] / np.maximum(240 - w[:, 2], 1),
    "left": lambda w: w[:, 1] / np.maximum(320 - w[:, 3], 1),
    "height": lambda w: w[:, 2],
    "width": lambda w: w[:, 3],
}


@pytest.mark.parametrize("fact", list(FACTS))
def test_random_resized_crop_draws_as_torchvision_does(fact, windows, stored):
    """Two samples of 4,000: above 0.0385 they would differ at the level of 0.5 % (Kolmogorov-Smirnov)."""
    reference = stored("torchvision_parts")["random_resized_crop/240x320_top_left_height_width"]
    assert kolmogorov(FACTS[fact](windows), FACTS[fact](reference)) < 0.0385


def test_windows_lie_inside_and_touch_every_edge(windows):
    top, left, height, width = windows.T
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + height).max() == 240
    assert (left + width).max() == 320
    assert min(top.min(), left.min()) == 0


@pytest.mark.parametrize(("size", "window"), [((10, 400), (0, 193, 10, 13)), ((400, 10), (193, 0, 13, 10))])
def test_without_a_fit_the_middle_is_taken(size, window):
    """torchvision: ratio 4/3 of 10 rows is 13 columns, at (400 - 13) // 2; ratio 3/4 of 10 columns is 13 rows."""
    drawn = draw_resized_crop(KEY, *size, scale=(0.9, 1.0), ratio=(3 / 4, 4 / 3))
    assert tuple(int(n) for n in drawn) == window


def test_crops_start_anywhere_and_nowhere_else():
    drawn = jax.vmap(lambda k: draw_crop(k, 9, 7, size=(7, 7)))(jax.random.split(KEY, 300))
    assert set(drawn[0].tolist()) == {0, 1, 2}
    assert set(drawn[1].tolist()) == {0}


def test_canvases_have_the_drawn_side_and_probability():
    keys = jax.random.split(KEY, 2000)
    left, top, right, bottom = jax.vmap(lambda k: draw_zoom_out(k, 30, 40, side_range=(1.0, 4.0), p=0.25))(keys)
    factor = np.asarray(40 + left + right) / 40
    assert 0.21 < (factor > 1).mean() < 0.29
    assert factor.max() < 4
    larger = factor > 1
    assert 2.3 < factor[larger].mean() < 2.7  # evenly from 1 to 4
    np.testing.assert_allclose(np.asarray(30 + top + bottom) / 30, factor, atol=0.06)


def test_probabilities_are_kept():
    batch = np.zeros((2000, 1, 2, 1), np.uint8)
    batch[:, 0, 1] = 1
    flipped = np.asarray(T.RandomHorizontalFlip(0.2)(batch, key=KEY))[:, 0, 0, 0]
    assert 0.17 < flipped.mean() < 0.23


def test_a_crop_larger_than_the_image_is_refused():
    with pytest.raises(ImageError, match="RandomCrop: the image must be as large(.|\n)*pad_if_needed"):
        T.RandomCrop(90)(photos(1), key=KEY)
    with pytest.raises(ImageError, match="RandomCrop: the image must be as large(.|\n)*pad_if_needed"):
        T.RandomCrop(70)([photos(1)[0], photos(1)[0][:50]], key=KEY)


def test_choices_that_differ_in_size_are_refused():
    for step in (T.RandomApply([T.CenterCrop(9)]), T.RandomChoice([T.Resize((5, 5)), T.Resize((5, 6))])):
        with pytest.raises(ConfigError, match="must not differ in size or dtype"):
            step(photos(1), key=KEY)


def test_the_size_of_a_drawn_canvas_is_not_promised():
    with pytest.raises(ConfigError, match="the output size must not be drawn"):
        T.RandomZoomOut().output_size(30, 40)
    assert T.Compose([T.RandomZoomOut(), T.RandomResizedCrop(24)]).output_size(30, 40) == (24, 24)


def number(drawn: dict, *names: str) -> list:
    return [drawn[name].item() for name in names]


def test_a_window_a_canvas_and_a_mirror_are_what_was_drawn(pillow):
    """By NumPy, from the numbers that were given back; and a resized window as Pillow resizes it."""
    photo = photos(1)[0]
    height, width, _ = photo.shape
    for seed in range(6):
        key = jax.random.key(seed)
        image, (drawn,) = T.RandomCrop((20, 31))(photo, key=key, return_draws=True)
        top, left = number(drawn, "top", "left")
        np.testing.assert_array_equal(image, photo[top : top + 20, left : left + 31])
        image, (drawn,) = T.RandomZoomOut(fill=114, p=1.0)(photo, key=key, return_draws=True)
        left, top, right, bottom = number(drawn, "left", "top", "right", "bottom")
        canvas = np.full((top + height + bottom, left + width + right, 3), 114)
        canvas[top : top + height, left : left + width] = photo
        np.testing.assert_array_equal(image, canvas)
        for step, mirrored in ((T.RandomHorizontalFlip(), photo[:, ::-1]), (T.RandomVerticalFlip(), photo[::-1])):
            image, (drawn,) = step(photo, key=key, return_draws=True)
            np.testing.assert_array_equal(image, mirrored if drawn["flip"] else photo)
        image, (drawn,) = T.RandomResizedCrop((24, 30))(photo, key=key, return_draws=True)
        top, left, tall, wide = number(drawn, "top", "left", "height", "width")
        window = photo[top : top + tall, left : left + wide]
        np.testing.assert_array_equal(image, pillow(window, 24, 30, "bilinear"))
