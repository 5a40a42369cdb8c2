"""Random numbers by place: uniform, unlike each other, and the same in arrays of any size."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from e2e_jax.ops.noise import draw_seed, pixel_noise


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return np.asarray(pixel_noise(draw_seed(jax.random.key(3)), height=300, width=200))


def test_noise_is_uniform_in_both_numbers(noise):
    for numbers in (noise[..., 0], noise[..., 1]):
        assert 0 <= numbers.min() < 1e-3
        assert 1 - 1e-3 < numbers.max() < 1
        counts, _ = np.histogram(numbers, 50, (0, 1))
        expected = numbers.size / 50
        assert np.square(counts - expected).sum() / expected < 85  # chi-square of 49 degrees, p = 0.001


def test_neighbours_and_the_two_numbers_are_not_alike(noise):
    x, y = noise[..., 0] - 0.5, noise[..., 1] - 0.5
    for other in (y, np.roll(x, 1, 0), np.roll(x, 1, 1)):
        assert abs((x * other).mean()) < 4 / 12 / np.sqrt(x.size)  # four standard errors


def test_a_pixel_draws_the_same_in_an_array_of_any_size(noise):
    part = pixel_noise(draw_seed(jax.random.key(3)), height=17, width=31)
    np.testing.assert_array_equal(part, noise[:17, :31])


def test_another_seed_draws_other_numbers(noise):
    other = pixel_noise(draw_seed(jax.random.key(4)), height=300, width=200)
    assert (np.asarray(other) == noise).mean() < 1e-3
