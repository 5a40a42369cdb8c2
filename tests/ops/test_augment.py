"""The operations of RandAugment against the calls of Pillow that torchvision makes for PIL images."""

from __future__ import annotations

import math

import jax
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from e2e_jax.ops.augment import MOVES, NUMBER, OPERATIONS, TABLES, Span, change_levels, magnitudes, move_matrix
from e2e_jax.ops.warp import warp

H, W = 61, 83
IMAGE = np.clip(np.random.default_rng(12).normal(120, 40, (H, W, 3)), 0, 255).astype(np.uint8)
BY_PILLOW = {
    "Brightness": lambda image, m: ImageEnhance.Brightness(image).enhance(1 + m),
    "Contrast": lambda image, m: ImageEnhance.Contrast(image).enhance(1 + m),
    "Posterize": lambda image, m: ImageOps.posterize(image, int(m)),
    "Solarize": lambda image, m: ImageOps.solarize(image, 255 * m),
    "AutoContrast": lambda image, m: ImageOps.autocontrast(image),
    "Equalize": lambda image, m: ImageOps.equalize(image),
}
STRENGTHS = {"Posterize": (1, 4, 8), "Solarize": (0.0, 0.4, 1.0)}
AFFINE = {  # coefficients that torchvision hands to Image.transform: output to source
    "ShearX": lambda m: (1, math.tan(math.atan(m)), 0, 0, 1, 0),
    "ShearY": lambda m: (1, 0, 0, math.tan(math.atan(m)), 1, 0),
    "TranslateX": lambda m: (1, 0, -int(m), 0, 1, 0),
    "TranslateY": lambda m: (1, 0, 0, 0, 1, -int(m)),
}

changed = jax.jit(change_levels)


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_those_of_pillow(name):
    for magnitude in STRENGTHS.get(name, (-0.9, -0.31, 0.0, 0.7)):
        ours = changed(IMAGE, which=np.int32(NUMBER[name]), magnitude=np.float32(magnitude))
        theirs = BY_PILLOW[name](Image.fromarray(IMAGE), float(np.float32(magnitude)))
        np.testing.assert_array_equal(ours, theirs, err_msg=f"{magnitude}")


@pytest.mark.parametrize("name", MOVES)
def test_moves_are_those_of_pillow(name):
    @jax.jit
    def run(which, magnitude):
        matrix = move_matrix((H, W), which=which, magnitude=magnitude)
        return warp(IMAGE, matrix=matrix, size=(H, W), method="nearest")

    for magnitude in (-23.4, 0.0, 17.9) if name[0] in "TR" else (-0.3, 0.0, 0.21):
        ours = run(np.int32(NUMBER[name]), np.float32(magnitude))
        exact = float(np.float32(magnitude))
        image = Image.fromarray(IMAGE)
        if name == "Rotate":
            theirs = image.rotate(exact)
        else:
            theirs = image.transform((W, H), Image.Transform.AFFINE, AFFINE[name](exact))
        differing = (np.asarray(theirs) != np.asarray(ours)).any(-1).mean()
        assert differing == 0, f"{magnitude}: {differing}"


def test_what_is_not_its_own_business_is_left_alone():
    for name in OPERATIONS:
        which = np.int32(NUMBER[name])
        if name not in MOVES:
            assert move_matrix((H, W), which=which, magnitude=0.7).tolist() == np.eye(3).tolist()
        if name not in TABLES:
            np.testing.assert_array_equal(changed(IMAGE, which=which, magnitude=np.float32(0.7)), IMAGE)


def test_padding_does_not_count():
    slot = np.full((80, 90, 3), 255, np.uint8)
    slot[:H, :W] = IMAGE
    run = jax.jit(lambda s, w, m: change_levels(slot, which=w, magnitude=m, size=(s[0], s[1])))
    for name in TABLES:
        drawn = np.int32(NUMBER[name]), np.float32(0.5)
        ours = run(np.array([H, W], np.int32), *drawn)[:H, :W]
        np.testing.assert_array_equal(ours, changed(IMAGE, which=drawn[0], magnitude=drawn[1]))


def test_magnitudes_are_torchvisions():
    assert magnitudes(Span(0.0, 30.0), bins=31).tolist() == list(range(31))
    bits = [8, 8, 8, 8, 7, 7, 7, 7, 7, 7, 7, 7, 6, 6, 6, 6]  # (8 - arange(31) / (30 / 4)).round()
    assert magnitudes(Span(8, 4, unit="bits"), bins=31)[:16].tolist() == bits
