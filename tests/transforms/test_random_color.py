"""Random colours: bytes of Pillow in every order, what is drawn and how often, light along AlexNet's axes."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageEnhance

from e2e_jax import transforms as T
from e2e_jax.errors import ImageError
from e2e_jax.ops.batch import list_to_batch
from e2e_jax.ops.jitter import STEPS, jitter
from e2e_jax.ops.lighting import lighting

FACTORS = {"brightness": 1.3, "contrast": 0.6, "saturation": 1.5, "hue": 0.1}
ALONE = {"brightness": T.Brightness, "contrast": T.Contrast, "saturation": T.Saturation, "hue": T.Hue}
KEY = jax.random.key(5)


def picture(height: int = 21, width: int = 33, channels: int = 3, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, channels)).astype(np.uint8)


def by_pillow(image: np.ndarray, name: str, factor: float) -> np.ndarray:
    source = Image.fromarray(image)
    if name != "hue":
        kinds = {"brightness": ImageEnhance.Brightness, "contrast": ImageEnhance.Contrast}
        return np.asarray(kinds.get(name, ImageEnhance.Color)(source).enhance(float(factor)))
    h, s, v = source.convert("HSV").split()
    turned = (np.asarray(h).astype(int) + int(float(factor) * 255)).astype(np.uint8)
    return np.asarray(Image.merge("HSV", (Image.fromarray(turned), s, v)).convert("RGB"))


def in_turn(image: np.ndarray, order: list[int], factors: dict) -> np.ndarray:
    for step in order:
        image = by_pillow(image, STEPS[step], np.asarray(factors[STEPS[step]]).item())
    return image


def test_jitter_is_pillow_in_each_of_24_orders():
    compiled = jax.jit(lambda x, order: jitter(x, factors=FACTORS, order=order))
    results = set()
    for order in itertools.permutations(range(4)):
        changed = np.asarray(compiled(picture(), np.array(order, np.int32)))
        np.testing.assert_array_equal(changed, in_turn(picture(), order, FACTORS), str(order))
        results.add(changed.tobytes())
    assert len(results) > 12  # orders differ


@pytest.mark.parametrize("names", [*itertools.combinations(STEPS, 2), *itertools.combinations(STEPS, 3)])
def test_jitter_of_some_steps_is_pillow(names):
    factors = {name: FACTORS[name] for name in names}
    compiled = jax.jit(lambda x, order: jitter(x, factors=factors, order=order))
    for order in itertools.permutations(STEPS.index(name) for name in names):
        expected = in_turn(picture(), order, factors)
        np.testing.assert_array_equal(compiled(picture(), np.array(order, np.int32)), expected)


@pytest.mark.parametrize("kind", ["torch", "float32", "one channel"])
def test_jitter_is_the_steps_one_after_the_other(kind):
    image = picture(channels=1 if kind == "one channel" else 3)
    image = image.astype(np.float32) / 255 if kind == "float32" else image
    how = {"numerics": "torch"} if kind == "torch" else {}
    compiled = jax.jit(lambda x, order: jitter(x, factors=FACTORS, order=order, **how))
    for order in ([0, 1, 2, 3], [3, 1, 0, 2], [2, 3, 1, 0]):
        expected = T.Compose([ALONE[STEPS[step]](FACTORS[STEPS[step]], **how) for step in order])(image)
        apart = np.abs(np.asarray(compiled(image, np.array(order, np.int32))) - np.asarray(expected, np.float64))
        assert apart.max() <= {"torch": 1, "float32": 1e-5, "one channel": 0}[kind]


def test_color_jitter_does_what_it_drew_sample_by_sample():
    step, batch = T.ColorJitter(0.4, 0.4, 0.4, 0.1), np.stack([picture(seed=n) for n in range(8)])
    changed, (drawn,) = step(batch, key=KEY, return_draws=True)
    for n, image in enumerate(batch):
        factors = {name: values[n] for name, values in drawn["factors"].items()}
        np.testing.assert_array_equal(changed[n], in_turn(image, drawn["order"][n].tolist(), factors))
    assert len({tuple(order) for order in drawn["order"].tolist()}) > 1
    np.testing.assert_array_equal(step(batch, draws=(drawn,)), changed)


def test_color_jitter_of_different_sizes_counts_only_the_picture():
    step, images = T.ColorJitter(0.4, 0.9, 0.4, 0.1), [picture(21, 33), picture(60, 17), picture(5, 5)]
    changed, (drawn,) = step(list_to_batch(images), key=KEY, return_draws=True)
    for n, image in enumerate(images):
        factors = {name: values[n] for name, values in drawn["factors"].items()}
        alone = np.asarray(changed.pixels[n])[: image.shape[0], : image.shape[1]]
        np.testing.assert_array_equal(alone, in_turn(image, drawn["order"][n].tolist(), factors))


def test_color_jitter_draws_evenly_from_its_ranges_and_orders():
    step = T.ColorJitter(brightness=1.5, contrast=(0.5, 3), saturation=0.25, hue=(-0.1, 0.3))
    _, (drawn,) = step(np.zeros((4000, 1, 1, 3), np.uint8), key=KEY, return_draws=True)
    ranges = {"brightness": (0, 2.5), "contrast": (0.5, 3), "saturation": (0.75, 1.25), "hue": (-0.1, 0.3)}
    for name, (low, high) in ranges.items():
        values = (np.asarray(drawn["factors"][name]) - low) / (high - low)
        assert values.min() >= -1e-6
        assert values.max() <= 1 + 1e-6
        np.testing.assert_allclose([values.mean(), values.var()], [1 / 2, 1 / 12], atol=0.02)
    for place in np.asarray(drawn["order"]).T:
        np.testing.assert_allclose(np.bincount(place, minlength=4) / 4000, 1 / 4, atol=0.03)
    between = np.corrcoef([drawn["factors"][name] for name in STEPS])
    assert np.abs(between - np.eye(4)).max() < 0.06


def test_steps_without_a_range_do_not_happen():
    _, (drawn,) = T.ColorJitter(hue=0.1, contrast=(1, 1))(picture(), key=KEY, return_draws=True)
    assert list(drawn["factors"]) == ["hue"]
    assert drawn["order"].tolist() == [3]
    np.testing.assert_array_equal(T.ColorJitter()(picture(), key=KEY), picture())
    switched_off = T.ColorJitter(0.4, 0.4, 0.4, 0.1)
    switched_off.eval()
    np.testing.assert_array_equal(switched_off(picture()), picture())


def test_color_jitter_is_differentiable_in_floats():
    image = picture().astype(np.float32) / 255
    slope = jax.jit(jax.grad(lambda x: T.ColorJitter(0.4, 0.4, 0.4, 0.1)(x, key=KEY).sum()))(image)
    assert np.isfinite(slope).all()
    assert np.abs(slope).max() > 0.1


def test_random_grayscale_is_grey_as_often_as_it_says():
    batch = np.broadcast_to(np.array([250, 100, 3], np.uint8), (2000, 1, 1, 3))
    changed = np.asarray(T.RandomGrayscale(0.3)(batch, key=KEY))
    grey = np.asarray(Image.fromarray(batch[0]).convert("L")).item()
    assert {tuple(pixel) for pixel in changed.reshape(-1, 3).tolist()} == {(250, 100, 3), (grey,) * 3}
    np.testing.assert_allclose((changed[:, 0, 0, 0] == grey).mean(), 0.3, atol=0.03)
    one = picture(channels=1)
    np.testing.assert_array_equal(T.RandomGrayscale(1.0)(one, key=KEY), one)


def test_lighting_is_alexnets_sum():
    values, vectors = (
        np.array([55.46, 4.794, 1.148]),
        np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]),
    )  # GluonCV, experimental/image.py and data/transforms: eigval, eigvec
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(3), atol=2e-3)  # one axis per column
    alpha = np.array([-0.11, 0.2, -0.35])  # adds 3.99, 3.87 and 2.73 levels
    light = np.dot(vectors * alpha, values)
    expected = np.clip(np.rint(picture() + light), 0, 255)
    np.testing.assert_array_equal(lighting(picture(), alpha=alpha), expected)
    unit = picture().astype(np.float32) / 255
    np.testing.assert_allclose(lighting(unit, alpha=alpha), unit + light / 255, atol=1e-6)


def test_random_lighting_draws_normal_strengths():
    _, (drawn,) = T.RandomLighting(0.3)(np.zeros((3000, 1, 1, 3), np.uint8), key=KEY, return_draws=True)
    alpha = np.asarray(drawn["alpha"])
    np.testing.assert_allclose(alpha.mean(0), 0, atol=0.03)
    np.testing.assert_allclose(np.cov(alpha.T), 0.09 * np.eye(3), atol=0.01)
    with pytest.raises(ImageError, match="RandomLighting: an image must have 3 channels"):
        T.RandomLighting()(picture(channels=1), key=KEY)


def test_channels_that_are_not_colours_are_refused():
    with pytest.raises(ImageError, match="1 or 3 channels"):
        T.ColorJitter(0.1, 0.1)(jnp.zeros((2, 2, 4), jnp.uint8), key=KEY)
