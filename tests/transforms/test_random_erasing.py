"""RandomErasing: rectangles as torchvision draws them, painted where they were drawn and nowhere else."""

from __future__ import annotations

import math

import jax
import numpy as np
import pytest

from e2e_jax import transforms as T
from e2e_jax.errors import ImageError
from e2e_jax.ops.erasing import draw_erasing, random_content

KEY = jax.random.key(4)
PHOTO = np.random.default_rng(8).integers(0, 200, (45, 61, 3)).astype(np.uint8)
STEP = T.RandomErasing(1.0, value=255)


def by_torchvision(rng, height: int, width: int, scale, ratio) -> tuple[int, int]:
    """The loop of ``RandomErasing.get_params``, in NumPy."""
    for _ in range(10):
        area = height * width * rng.uniform(*scale)
        shape = math.exp(rng.uniform(*np.log(ratio)))
        tall, wide = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
        if tall < height and wide < width:
            return tall, wide
    return 0, 0


def furthest(first: np.ndarray, second: np.ndarray) -> float:
    """The statistic of Kolmogorov and Smirnov."""
    places = np.sort(np.concatenate([first, second]))
    shares = [np.searchsorted(np.sort(one), places, side="right") / len(one) for one in (first, second)]
    return float(np.abs(shares[0] - shares[1]).max())


@pytest.mark.parametrize(("size", "scale"), [((45, 61), (0.02, 0.33)), ((20, 90), (0.3, 0.9))])
def test_rectangles_are_torchvisions_by_distribution(size, scale):
    count, ratio = 4000, (0.3, 3.3)
    draw = jax.jit(jax.vmap(lambda key: draw_erasing(key, *size, scale=scale, ratio=ratio)))
    ours = jax.tree.map(np.asarray, draw(jax.random.split(KEY, count)))
    rng = np.random.default_rng(5)
    theirs = np.array([by_torchvision(rng, *size, scale, ratio) for _ in range(count)])
    critical = 1.95 * math.sqrt(2 / count)  # p = 0.001
    assert furthest(ours["height"], theirs[:, 0]) < critical
    assert furthest(ours["width"], theirs[:, 1]) < critical
    assert furthest(ours["height"] * ours["width"], theirs.prod(1)) < critical
    ends = ours["top"] + ours["height"], ours["left"] + ours["width"]
    assert ours["top"].min() == 0 and ends[0].max() == size[0]  # noqa: PT018
    assert ours["left"].min() == 0 and ends[1].max() == size[1]  # noqa: PT018


def test_the_ratio_is_height_by_width():
    drawn = draw_erasing(KEY, 40, 60, scale=(0.08, 0.08), ratio=(2.0, 2.0))
    assert (int(drawn["height"]), int(drawn["width"])) == (20, 10)  # 192 pixels: 19.6 x 9.8


def test_the_rectangle_is_painted_and_nothing_else():
    for seed in range(5):
        erased, (drawn,) = STEP(PHOTO, key=jax.random.key(seed), return_draws=True)
        top, left, height, width = (int(drawn[name]) for name in ("top", "left", "height", "width"))
        expected = PHOTO.copy()
        expected[top : top + height, left : left + width] = 255
        assert height * width > 0
        np.testing.assert_array_equal(erased, expected)
        np.testing.assert_array_equal(STEP(PHOTO, draws=(drawn,)), expected)


def test_it_happens_with_its_probability_and_not_in_evaluation():
    batch = np.zeros((400, 8, 8, 1), np.uint8)
    happened = np.asarray(T.RandomErasing(0.3, value=9)(batch, key=KEY)).any((1, 2, 3)).mean()
    assert 0.22 < happened < 0.38
    assert not np.asarray(T.RandomErasing(0.0, value=9)(batch, key=KEY)).any()
    still = T.Compose([STEP.config])
    still.eval()
    np.testing.assert_array_equal(still(PHOTO), PHOTO)


@pytest.mark.parametrize("value", [7, (1, 2, 3), "random"])
def test_single_is_batch_is_list(value):
    step = T.RandomErasing(1.0, value=value)
    alone = np.asarray(step(PHOTO, key=KEY))
    np.testing.assert_array_equal(step(np.stack([PHOTO] * 2), key=KEY)[0], alone)
    ragged = step([PHOTO, np.zeros((90, 30, 3), np.uint8)], key=KEY)
    np.testing.assert_array_equal(ragged.pixels[0, :45, :61], alone)
    assert (alone != PHOTO).any()


def test_noise_is_even_for_bytes_and_normal_for_floats():
    seed = np.array([3, 4], np.uint32)
    levels = np.asarray(random_content(seed, height=100, width=90, channels=3, dtype=np.dtype(np.uint8)))
    assert abs(levels.mean() - 127.5) < 2
    assert levels.min() == 0
    assert levels.max() == 255
    normal = np.asarray(random_content(seed, height=100, width=90, channels=3, dtype=np.dtype(np.float32)))
    assert abs(normal.mean()) < 0.03
    assert abs(normal.std() - 1) < 0.03
    assert 0.0455 * 0.8 < (np.abs(normal) > 2).mean() < 0.0455 * 1.2
    correlation = np.corrcoef(normal.reshape(-1, 3).T)
    assert np.abs(correlation - np.eye(3)).max() < 0.05


def test_parts_stay_and_other_types_are_refused():
    given = T.Sample(PHOTO, boxes=[[2, 3, 9, 9]], mask=PHOTO[..., 0].astype(np.int32), keypoints=[[3, 4]])
    erased = STEP(given, key=KEY)
    assert erased.boxes.tolist() == [[2, 3, 9, 9]]
    np.testing.assert_array_equal(erased.mask, given.mask)
    with pytest.raises(ImageError, match="one fill value"):
        T.RandomErasing(1.0, value=(1, 2))(PHOTO, key=KEY)
    with pytest.raises(ImageError, match="uint8 or floating"):
        STEP(PHOTO.astype(np.int32), key=KEY)
