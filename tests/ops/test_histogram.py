"""Equalize and autocontrast: Pillow and OpenCV live, torchvision stored, padding that must not count."""

from __future__ import annotations

import cv2
import jax
import numpy as np
import pytest
from PIL import Image, ImageOps

from e2e_jax.errors import ConfigError, ImageError
from e2e_jax.ops.histogram import autocontrast, equalize, histogram, look_up

RNG = np.random.default_rng(11)
IMAGES = {
    "photo": np.clip(RNG.normal(120, 25, (61, 83, 3)), 0, 255).astype(np.uint8),
    "two levels": RNG.choice(np.array([3, 200], np.uint8), (40, 30, 3)),
    "one level": np.full((20, 20, 3), 77, np.uint8),
    "full": RNG.integers(0, 256, (64, 64, 3)).astype(np.uint8),
    "few pixels": RNG.integers(0, 256, (5, 7, 3)).astype(np.uint8),
    "a dark crowd": np.where(RNG.random((50, 50, 3)) < 0.97, 2, RNG.integers(0, 256, (50, 50, 3))).astype(np.uint8),
}
each_image = pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)


@each_image
def test_histogram_is_pillows(image):
    assert np.asarray(histogram(image)).ravel().tolist() == Image.fromarray(image).histogram()


@each_image
def test_equalize_is_pillows(image):
    np.testing.assert_array_equal(equalize(image), ImageOps.equalize(Image.fromarray(image)))


@each_image
def test_equalize_is_opencvs(image):
    theirs = np.stack([cv2.equalizeHist(np.ascontiguousarray(image[..., c])) for c in range(3)], -1)
    np.testing.assert_array_equal(equalize(image, numerics="opencv"), theirs)


@pytest.mark.parametrize("cutoff", [(0, 0), (2, 2), (0.7, 13.3), (40, 60), (30, 0), (100, 100), (100, 0), (0, 100)])
@each_image
def test_autocontrast_is_pillows(image, cutoff):
    theirs = ImageOps.autocontrast(Image.fromarray(image), cutoff=cutoff)
    np.testing.assert_array_equal(autocontrast(image, cutoff=cutoff), theirs)


def test_every_span_of_autocontrast_is_pillows():
    """All pairs of a darkest and a lightest level, each a channel of its own."""
    low, high = np.triu_indices(256, 1)
    ramps = np.linspace(low, high, 9).round().astype(np.uint8)  # 9 pixels, 32,640 channels
    ours = np.asarray(autocontrast(ramps[None]))[0]
    tables = {}
    for at, (dark, light) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
        theirs = ImageOps.autocontrast(Image.fromarray(ramps[None, :, at]))
        tables[dark, light] = bool((ours[:, at] == np.asarray(theirs)[0]).all())
    assert all(tables.values()), [pair for pair, same in tables.items() if not same][:5]


@pytest.mark.parametrize("name", ["wide", "tall", "square"])
def test_torchvision_on_tensors(stored, name):
    arrays = stored("torchvision_tone")
    image = stored("torchvision_geometry")[f"{name}/image"]
    np.testing.assert_array_equal(equalize(image, numerics="torch"), arrays[f"{name}/tensor_equalize"])
    np.testing.assert_array_equal(autocontrast(image, numerics="torch"), arrays[f"{name}/tensor_autocontrast"])


@pytest.mark.parametrize("numerics", ["pillow", "torch", "opencv"])
def test_padding_does_not_count(numerics):
    image = IMAGES["photo"]
    slot = np.full((90, 100, 3), 255, np.uint8)
    slot[:61, :83] = image
    operations = [equalize] if numerics == "opencv" else [equalize, autocontrast]
    for operation in operations:
        run = jax.jit(lambda x, s, o=operation: o(x, numerics=numerics, size=(s[0], s[1])))
        padded = run(slot, np.array([61, 83], np.int32))
        np.testing.assert_array_equal(padded[:61, :83], operation(image, numerics=numerics))


def test_floats_stretch_like_bytes_and_differentiate():
    image = IMAGES["photo"].astype(np.float32) / 255
    ours = np.asarray(autocontrast(image, numerics="torch"))
    low, high = image.min((0, 1)), image.max((0, 1))
    np.testing.assert_allclose(ours, (image - low) / (high - low), rtol=0, atol=1e-6)
    slot = np.full((70, 90, 3), 7, np.float32)
    slot[:61, :83] = image
    np.testing.assert_array_equal(autocontrast(slot, numerics="torch", size=(61, 83))[:61, :83], ours)
    gradient = jax.grad(lambda x: autocontrast(x, numerics="torch")[30, 40, 1])(image)
    assert gradient[30, 40, 1] == pytest.approx(1 / (high - low)[1], rel=1e-4)


def test_batches_are_images_one_by_one():
    batch = np.stack([IMAGES["full"], IMAGES["full"] // 3 + 40])
    for operation in (equalize, autocontrast, histogram):
        np.testing.assert_array_equal(operation(batch), np.stack([operation(one) for one in batch]))


def test_look_up_takes_a_table_per_channel():
    tables = RNG.integers(0, 256, (3, 256)).astype(np.uint8)
    image = IMAGES["full"]
    theirs = np.stack([cv2.LUT(np.ascontiguousarray(image[..., c]), tables[c]) for c in range(3)], -1)
    np.testing.assert_array_equal(look_up(image, table=tables), theirs)


def test_what_has_no_levels_is_refused():
    with pytest.raises(ImageError, match="must be uint8"):
        equalize(np.zeros((4, 4, 3), np.float32))
    with pytest.raises(ConfigError, match="no cutoff"):
        autocontrast(IMAGES["full"], cutoff=(1, 1), numerics="torch")
