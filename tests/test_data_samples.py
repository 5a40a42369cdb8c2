"""The sample photos are what their README says."""

import numpy as np
from image_files import SAMPLES
from PIL import Image

from e2e_jax.decoding import decode

SAMPLE_SIZES = {
    "astronaut.jpg": (512, 512),
    "camera_16bit.png": (256, 256),
    "camera_gray.jpg": (512, 512),
    "cat_rotated.jpg": (300, 250),
    "chelsea.jpg": (300, 451),
    "chelsea_palette.png": (150, 225),
    "coffee.jpg": (400, 600),
    "coffee_cmyk.jpg": (200, 300),
    "coffee_tiny.jpg": (90, 103),
    "horse_1bit.gif": (328, 400),
    "hubble.webp": (240, 320),
    "retina_wide.jpg": (900, 1411),
    "rocket_rgba.png": (300, 200),
    "rocket_tall.jpg": (427, 180),
}


def test_every_sample_has_its_size():
    files = sorted(path for path in SAMPLES.iterdir() if path.suffix in {".jpg", ".png", ".gif", ".webp"})
    assert {path.name: decode(path).shape[:2] for path in files} == SAMPLE_SIZES


def like(name: str, size: tuple[int, int], box=None) -> np.ndarray:
    with Image.open(SAMPLES / name) as photo:
        return np.asarray(photo.convert("RGB").resize(size, Image.Resampling.BICUBIC, box=box)).astype(float)


def test_samples_show_what_they_should():
    for name, reference in {
        "cat_rotated.jpg": like("chelsea.jpg", (250, 300), (100, 0, 350, 300)),
        "chelsea_palette.png": like("chelsea.jpg", (225, 150)),
        "coffee_cmyk.jpg": like("coffee.jpg", (300, 200)),
        "camera_16bit.png": like("camera_gray.jpg", (256, 256)),
    }.items():
        assert np.abs(decode(SAMPLES / name) - reference).mean() < 6, name


def test_the_hidden_colour_of_the_rgba_sample_stays_hidden():
    with Image.open(SAMPLES / "rocket_rgba.png") as image:
        assert image.getpixel((0, 0)) == (255, 0, 255, 0)
    pixels = decode(SAMPLES / "rocket_rgba.png").astype(int)
    assert pixels[0, 0].tolist() == [255, 255, 255] and (pixels[..., 1] - pixels[..., 0]).min() > -130
