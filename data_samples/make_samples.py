"""Makes the pictures of this folder from scikit-image's sample photos; needs only Pillow and NumPy.

pip download scikit-image==0.26.0 --no-deps -d /tmp/wheel && unzip -q /tmp/wheel/*.whl -d /tmp/skimg
python data_samples/make_samples.py /tmp/skimg/skimage/data
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
ORIENTATION_TAG, ROTATE_RIGHT = 0x0112, 6  # EXIF: the viewer must turn the stored pixels by 90 degrees clockwise


def jpeg(image: Image.Image, name: str, **options: object) -> None:
    image.save(HERE / name, "JPEG", quality=90, optimize=True, **options)


def rotated_by_the_camera(cat: Image.Image) -> None:
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = ROTATE_RIGHT
    jpeg(cat.transpose(Image.Transpose.ROTATE_90), "cat_rotated.jpg", exif=exif)


def sixteen_bits(camera: Image.Image) -> None:
    fine = np.random.default_rng(0).integers(0, 16, (256, 256))  # lower bits, as a sensor's noise
    samples = np.asarray(camera.resize((256, 256))).astype(np.uint16) * 256 + fine.astype(np.uint16)
    Image.fromarray(samples).save(HERE / "camera_16bit.png", optimize=True)


def hidden_colour(rocket: Image.Image) -> None:
    """Opaque disc, soft edge; under the transparent rest the photo is replaced by magenta nobody may ever see."""
    pixels = np.asarray(rocket.crop((220, 0, 420, 300)))  # (300, 200, 3)
    y, x = np.mgrid[:300, :200]
    distance = np.hypot((x - 100) / 95, (y - 150) / 145)  # 1 on the ellipse
    alpha = np.clip((1 - distance) * 20, 0, 1)
    colour = np.where(alpha[..., None] > 0, pixels, np.array([255, 0, 255]))
    rgba = np.dstack([colour, np.round(alpha * 255)]).astype(np.uint8)
    Image.fromarray(rgba).save(HERE / "rocket_rgba.png", optimize=True)


def main(folder: Path) -> None:
    photo = {path.stem: Image.open(path).convert("RGB") for path in folder.glob("*.[pj][np]g")}
    jpeg(photo["coffee"], "coffee.jpg")
    jpeg(photo["coffee"].resize((300, 200)).convert("CMYK"), "coffee_cmyk.jpg")
    jpeg(photo["coffee"].crop((130, 30, 530, 380)).resize((103, 90)), "coffee_tiny.jpg")
    jpeg(photo["chelsea"], "chelsea.jpg")
    rotated_by_the_camera(photo["chelsea"].crop((100, 0, 350, 300)))
    photo["chelsea"].resize((225, 150)).quantize(128).save(HERE / "chelsea_palette.png", optimize=True)
    jpeg(photo["camera"].convert("L"), "camera_gray.jpg")
    sixteen_bits(photo["camera"].convert("L"))
    jpeg(photo["astronaut"], "astronaut.jpg", progressive=True)
    jpeg(photo["rocket"].crop((240, 0, 420, 427)), "rocket_tall.jpg")
    hidden_colour(photo["rocket"])
    jpeg(photo["retina"].crop((0, 250, 1411, 1150)), "retina_wide.jpg")
    photo["hubble_deep_field"].crop((300, 300, 620, 540)).save(HERE / "hubble.webp", quality=85, method=6)
    Image.open(folder / "horse.png").convert("1").save(HERE / "horse_1bit.gif")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
