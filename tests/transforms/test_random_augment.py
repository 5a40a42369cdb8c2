"""RandAugment, TrivialAugmentWide, AugMix: what is drawn, and that each draw is its operation."""

from __future__ import annotations

import collections

import jax
import numpy as np
import pytest

from e2e_jax import transforms as T
from e2e_jax.errors import ConfigError, ImageError
from e2e_jax.ops.augment import OPERATIONS
from e2e_jax.transforms.augment import AUGMIX, RAND_AUGMENT, TRIVIAL_WIDE

KEY = jax.random.key(9)
H, W = 33, 47
PHOTO = np.clip(np.random.default_rng(3).normal(120, 40, (H, W, 3)), 0, 255).astype(np.uint8)
STEPS = [T.RandAugment(), T.TrivialAugmentWide(), T.AugMix(chain_depth=1, mixture_width=2)]


@pytest.fixture(scope="module")
def draws():
    """Two thousand draws of each, of one image size."""

    def many(step):
        one = jax.jit(jax.vmap(lambda key: step.draw(key, (H, W), T.Sample(None))))
        return jax.tree.map(np.asarray, one(jax.random.split(KEY, 2000)))

    return {type(step).__name__: many(step) for step in STEPS}


def test_every_operation_is_drawn_alike(draws):
    for name, space in (("RandAugment", RAND_AUGMENT), ("TrivialAugmentWide", TRIVIAL_WIDE)):
        drawn = draws[name][0] if name == "RandAugment" else draws[name]
        counts = collections.Counter(OPERATIONS[which] for which in drawn["which"])
        assert set(counts) == set(space)
        expected = 2000 / len(space)
        assert sum((n - expected) ** 2 / expected for n in counts.values()) < 35  # chi-square of 13, p = 0.001


def test_magnitudes_are_torchvisions_steps_with_half_the_signs_turned(draws):
    first = draws["RandAugment"][0]
    amounts = {name: first["magnitude"][first["which"] == OPERATIONS.index(name)] for name in RAND_AUGMENT}
    for name, amount in (("Rotate", 9.0), ("ShearX", 0.09), ("Color", 0.27), ("TranslateX", 0.3 * 150 / 331 * W)):
        np.testing.assert_allclose(np.abs(amounts[name]), amount, rtol=1e-5)
        assert 0.35 < (amounts[name] < 0).mean() < 0.65
    assert set(amounts["Posterize"]) == {7.0}
    np.testing.assert_allclose(amounts["Solarize"], 0.7, rtol=1e-6)
    wide = draws["TrivialAugmentWide"]
    shifts = np.abs(wide["magnitude"][wide["which"] == OPERATIONS.index("TranslateY")])
    assert len(np.unique(shifts)) > 20
    assert shifts.max() == 32


def test_augmix_draws_mild_operations_and_weights_that_sum_to_one(draws):
    drawn = draws["AugMix"]
    np.testing.assert_allclose(drawn["weights"].sum(-1), 1, rtol=1e-5)
    assert 0.45 < drawn["original"].mean() < 0.55
    turned = np.abs(drawn["operations"]["magnitude"][drawn["operations"]["which"] == OPERATIONS.index("Rotate")])
    np.testing.assert_allclose(np.unique(turned.round(4)), [0, 3.3333, 6.6667], atol=1e-3)
    assert {OPERATIONS[n] for n in np.unique(drawn["operations"]["which"])} >= set(AUGMIX)


REFERENCE = {
    "Identity": lambda m: T.Compose([]),
    "ShearX": lambda m: T.Affine(shear=(float(np.degrees(np.arctan(m))), 0), center=(0, 0), method="nearest"),
    "TranslateY": lambda m: T.Affine(translate=(0, int(m)), method="nearest"),
    "Rotate": lambda m: T.Rotate(m, method="nearest"),
    "Brightness": lambda m: T.Brightness(1 + m),
    "Color": lambda m: T.Saturation(1 + m),
    "Contrast": lambda m: T.Contrast(1 + m),
    "Sharpness": lambda m: T.Sharpness(1 + m),
    "Posterize": lambda m: T.Posterize(4),
    "Solarize": lambda m: T.Solarize(0.75 * 255),
    "AutoContrast": lambda m: T.AutoContrast(),
    "Equalize": lambda m: T.Equalize(),
}


@pytest.mark.parametrize("name", REFERENCE)
def test_a_draw_is_the_transform_of_its_name(name):
    magnitude = {"Posterize": 4.0, "Solarize": 0.75, "TranslateY": -7.6, "Rotate": 25.0}.get(name, 0.25)
    drawn = {"which": np.int32(OPERATIONS.index(name)), "magnitude": np.float32(magnitude)}
    ours = T.TrivialAugmentWide()(PHOTO, draws=(drawn,))
    np.testing.assert_array_equal(ours, REFERENCE[name](magnitude)(PHOTO))
    if name != "Identity":
        assert (np.asarray(ours) != PHOTO).any()


def test_augmix_weighs_its_chains():
    turned, dark = np.asarray(T.Rotate(20, method="bilinear")(PHOTO)), np.asarray(T.Brightness(0.5)(PHOTO))
    which = np.array([[OPERATIONS.index("Rotate")] * 3, [OPERATIONS.index("Brightness")] * 3], np.int32)
    drawn = {
        "original": np.float32(0.25),
        "weights": np.array([0.6, 0.4], np.float32),
        "depth": np.array([1, 1], np.int32),
        "operations": {"which": which, "magnitude": np.array([[20.0] * 3, [-0.5] * 3], np.float32)},
    }
    ours = T.AugMix(mixture_width=2)(PHOTO, draws=(drawn,))
    mixed = 0.25 * PHOTO + 0.75 * (0.6 * turned + 0.4 * dark)
    assert np.abs(np.asarray(ours) - mixed).max() <= 0.501


@pytest.mark.parametrize("step", STEPS, ids=repr)
def test_single_is_batch_is_list_and_replays(step):
    alone, drawn = step(PHOTO, key=KEY, return_draws=True)
    np.testing.assert_array_equal(step(PHOTO, draws=drawn), alone)
    np.testing.assert_array_equal(step(np.stack([PHOTO] * 2), key=KEY)[0], alone)
    ragged = step([PHOTO, np.full((50, 20, 3), 9, np.uint8)], key=KEY)
    np.testing.assert_array_equal(ragged.pixels[0, :H, :W], alone)
    still = T.Compose([step.config])
    still.eval()
    np.testing.assert_array_equal(still(PHOTO), PHOTO)


def test_parts_move_where_pixels_do_and_stay_where_colours_change():
    given = T.Sample(PHOTO, boxes=[[10, 8, 30, 20]], keypoints=[[12, 9]], mask=np.eye(H, W, dtype=np.int32))
    for name, moves in (("TranslateX", True), ("Equalize", False)):
        drawn = {"which": np.int32(OPERATIONS.index(name)), "magnitude": np.float32(3)}
        moved = T.TrivialAugmentWide()(given, draws=(drawn,))
        assert moved.boxes.tolist() == [[13 if moves else 10, 8, 33 if moves else 30, 20]]
        assert moved.keypoints.tolist() == [[15 if moves else 12, 9]]
        np.testing.assert_array_equal(moved.mask, np.eye(H, W, 3 if moves else 0))


def test_what_they_do_not_take_is_refused():
    with pytest.raises(ImageError, match="must be uint8 of 1 or 3 channels"):
        T.RandAugment()(PHOTO.astype(np.float32), key=KEY)
    with pytest.raises(ConfigError, match="have no boxes"):
        T.AugMix()(T.Sample(PHOTO, boxes=[[10, 8, 30, 20]]), key=KEY)
