"""make gallery: every public transform on one photo, with its box and key points, in build/gallery.png."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tqdm.auto import tqdm

from e2e_jax import transforms as T
from e2e_jax.types import PaddedImages

ROOT = Path(__file__).parents[1]
PHOTO, OTHER = ROOT / "data_samples" / "chelsea.jpg", ROOT / "data_samples" / "coffee.jpg"
TARGET = ROOT / "build" / "gallery.png"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet, torchvision's references/classification

HEIGHT, WIDTH = 200, 300  # of the photo, in pixels
PICTURE, CAPTION, GAP, MARGIN, COLUMNS = (210, 140), 44, 18, 36, 7
INK, GRAY, PAPER, FRAME = (28, 28, 30), (120, 120, 126), (252, 252, 250), (236, 236, 232)
BOX, POINT = (255, 204, 0), (0, 190, 255)
BOXES = np.array([[62, 22, 250, 196]], np.float32)  # the cat's head
KEYPOINTS = np.array([[112, 93], [186, 90], [160, 128]], np.float32)  # its eyes and nose
CORNERS = [(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)]
WITHOUT_PARTS = (T.FiveCrop, T.TenCrop, T.Tile, T.AugMix)  # to which no single box belongs
KEY = jax.random.key(7)


def negative(image: Any) -> Any:
    """A function of the user's, for `T.Lambda`."""
    return 255 - image


GEOMETRY = [
    T.Resize((130, 130)),
    T.CropToAspect((150, 150)),
    T.Letterbox((200, 200), fill=114),
    T.CenterCrop((150, 200)),
    T.Crop(10, 60, 150, 180),
    T.CropResize(20, 60, 150, 180, (100, 200)),
    T.Pad(30, mode="symmetric"),
    T.HorizontalFlip(),
    T.VerticalFlip(),
    T.Rotate(20, expand=True),
    T.Affine(angle=-10, scale=0.8, shear=(12, 0), fill=114),
    T.Perspective(CORNERS, [(40, 25), (270, 0), (300, 170), (0, 200)]),
    T.Elastic(alpha=400, sigma=9),
    T.FiveCrop((100, 140)),
    T.TenCrop((100, 140)),
    T.Tile((80, 120), overlap=(20, 30)),
]
VALUES = [
    T.ToTensor(),
    T.Normalize(127, 60),
    T.Cast("float32"),
    T.ToLayout("CHW"),
    T.Rescale(1 / 255, offset=-0.5),
    T.Denormalize(0.5, 0.25),
    T.Window(100, 80),
    T.Percentile(5, 95),
    T.ListToBatch(),
    T.Lambda(negative),
    T.Compose([T.Resize(100), T.CenterCrop(90)]),
]
COLOUR = [
    T.Grayscale(3),
    T.ToRGB(),
    T.ChannelOrder((2, 1, 0)),
    T.Invert(),
    T.Brightness(1.5),
    T.Contrast(1.8),
    T.Saturation(2.2),
    T.Hue(0.25),
    T.Gamma(0.5),
    T.Sharpness(8),
    T.GaussianBlur(15, 5),
    T.Posterize(2),
    T.Solarize(128),
    T.AutoContrast(2),
    T.Equalize(),
    T.YUVToRGB("nv12"),
]
RANDOM = [
    T.RandomResizedCrop((140, 200), scale=(0.3, 0.7)),
    T.RandomCrop((150, 200)),
    T.RandomHorizontalFlip(1.0),
    T.RandomVerticalFlip(1.0),
    T.RandomRotation(30),
    T.RandomAffine(15, translate=(0.1, 0.1), scale=(0.7, 1.2)),
    T.RandomPerspective(p=1.0),
    T.RandomZoomOut(p=1.0, side_range=(1.5, 2), fill=114),
    T.RandomExpand(max_ratio=2, p=1.0, fill=114),
    T.ColorJitter(0.5, 0.5, 0.5, 0.2),
    T.RandomGrayscale(1.0),
    T.RandomLighting(0.6),
    T.RandomErasing(1.0, scale=(0.05, 0.15), value=(255, 204, 0)),
    T.RandAugment(magnitude=20),
    T.TrivialAugmentWide(),
    T.AugMix(severity=8),
    T.MixUp(alpha=20),
    T.CutMix(),
    T.RandomApply([T.Invert()], p=1.0),
    T.RandomChoice([T.HorizontalFlip(), T.Rotate(30)]),
    T.RandomOrder([T.Posterize(2), T.Rotate(15)]),
]
FUSED = [
    T.ResizeCropNormalize(150, 140, mean=MEAN, std=STD),
    T.CropMirrorNormalize((150, 200), mean=MEAN, std=STD, mirror=True),
    T.ResizeCropMirror(150, 140, mirror=True),
    T.FastResizeCropMirror(150, 140, mirror=True),
]
BOXES_ALONE = [
    T.SSDRandomCrop(thresholds=[0.7, 0.9]),
    T.BoundingBoxFlip(),
    T.ClampBoxes(),
    T.SanitizeBoxes(),
    T.ConvertBoxes("xyxy", "xyxy"),
]
GROUPS = {
    "Geometry": GEOMETRY,
    "Values": VALUES,
    "Colour": COLOUR,
    "Random": RANDOM,
    "Fused": FUSED,
    "Detection": BOXES_ALONE,
}


def sample() -> T.Sample:
    """The photo, a box around the cat's head, key points on its eyes and nose."""
    photo = Image.open(PHOTO).convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    return T.Sample(np.asarray(photo), boxes=BOXES, keypoints=KEYPOINTS)


def picture(step: T.Transform) -> Image.Image:
    """What a transform makes of the photo, fitted into a cell."""
    result = step(_given(step), key=KEY)
    result = result if isinstance(result, T.Sample) else T.Sample(result)
    drawn = Image.fromarray(_displayed(result.image))
    if drawn.size == PICTURE or result.boxes is None or np.ndim(result.boxes) != 2:
        return _fitted(drawn)[0]
    fitted, scale, corner = _fitted(drawn)
    _mark(ImageDraw.Draw(fitted), np.asarray(result.boxes) * scale, np.asarray(result.keypoints) * scale, corner)
    return fitted


def _given(step: T.Transform) -> Any:
    """What suits a transform: a photo, with its parts where they move, in a batch, or as the camera's frame."""
    given = sample()
    if any(inner.kind == "batch" for inner in step.steps_flat):
        other = Image.open(OTHER).convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        return T.Sample(np.stack([given.image, np.asarray(other)]), label=np.eye(2, dtype=np.float32))
    if isinstance(step, T.YUVToRGB):
        return _frame(given.image)
    moves = any(inner.reads_boxes for inner in step.steps_flat) and not isinstance(step, WITHOUT_PARTS)
    return given if moves else given.image


def _frame(photo: np.ndarray) -> np.ndarray:
    """NV12: luma above interleaved chroma of half the resolution, BT.601 narrowed to video."""
    luma, *chroma = np.moveaxis(np.asarray(Image.fromarray(photo).convert("YCbCr")).astype(float), -1, 0)
    halves = np.stack([c[::2, ::2] for c in chroma], -1).reshape(HEIGHT // 2, WIDTH)
    levels = np.concatenate([16 + luma * 219 / 255, 128 + (halves - 128) * 224 / 255])
    return levels.round().astype(np.uint8)[..., None]


def _displayed(image: Any) -> np.ndarray:
    """uint8 (h, w, 3) of what a transform returns: bytes as they are, floats from their least to their greatest."""
    if isinstance(image, PaddedImages):
        height, width = np.asarray(image.sizes).reshape(-1, 2)[0]
        image = np.asarray(image.pixels).reshape(-1, *image.pixels.shape[-3:])[0, :height, :width]
    pixels = np.asarray(image)
    if pixels.ndim > 3:
        pixels = _side_by_side(pixels.reshape(-1, *pixels.shape[-3:]))
    if pixels.shape[0] == 3:
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.dtype != np.uint8:
        low, high = float(pixels.min()), float(pixels.max())
        pixels = ((pixels - low) / max(high - low, 1e-6) * 255).astype(np.uint8)
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))


def _side_by_side(pixels: np.ndarray, rule: int = 6) -> np.ndarray:
    """Several images of one size in rows, with white rules between them."""
    across = {2: 2, 5: 3, 9: 3}.get(len(pixels), 5)
    padded = np.pad(pixels, ((0, -len(pixels) % across), (0, rule), (0, rule), (0, 0)), constant_values=252)
    rows = padded.reshape(-1, across, *padded.shape[1:])
    return np.concatenate([np.concatenate(list(row), 1) for row in rows], 0)[:-rule, :-rule]


def _fitted(drawn: Image.Image) -> tuple[Image.Image, float, tuple[int, int]]:
    """The picture in the middle of its cell, the factor it was scaled by, and its top left corner."""
    scale = min(PICTURE[0] / drawn.width, PICTURE[1] / drawn.height)
    size = (max(round(drawn.width * scale), 1), max(round(drawn.height * scale), 1))
    corner = ((PICTURE[0] - size[0]) // 2, (PICTURE[1] - size[1]) // 2)
    cell = Image.new("RGB", PICTURE, FRAME)
    cell.paste(drawn.resize(size, Image.Resampling.LANCZOS), corner)
    return cell, scale, corner


def _mark(pen: ImageDraw.ImageDraw, boxes: np.ndarray, keypoints: np.ndarray, corner: tuple[int, int]) -> None:
    for left, top, right, bottom in (boxes + np.tile(corner, 2)).tolist():
        pen.rectangle((left, top, max(right - 1, left), max(bottom - 1, top)), outline=BOX, width=2)
    for x, y in (keypoints + np.array(corner)).tolist():
        pen.ellipse((x - 3, y - 3, x + 3, y + 3), fill=POINT, outline=INK)


def caption(step: T.Transform) -> tuple[str, str]:
    """The name, and the arguments that fit below it."""
    name, _, arguments = repr(step).partition("(")
    text = arguments.removesuffix(")")
    return name, text if len(text) < 36 else text[:34] + "…"


def sheet(groups: dict[str, list[T.Transform]]) -> Image.Image:
    """All groups below one another, a heading above each."""
    heading, name, small = (ImageFont.load_default(size) for size in (26, 15, 11))
    (wide, high), line = PICTURE, 62
    rows = {group: -(-len(steps) // COLUMNS) for group, steps in groups.items()}
    height = 2 * MARGIN + sum(line + count * (high + CAPTION + GAP) for count in rows.values())
    page = Image.new("RGB", (2 * MARGIN + COLUMNS * (wide + GAP) - GAP, height), PAPER)
    pen, top = ImageDraw.Draw(page), MARGIN
    progress = tqdm(total=sum(map(len, groups.values())), unit="transform", delay=1.0)
    for group, steps in groups.items():
        pen.text((MARGIN, top + 12), group, INK, heading)
        top += line
        for number, step in enumerate(steps):
            left, down = MARGIN + number % COLUMNS * (wide + GAP), top + number // COLUMNS * (high + CAPTION + GAP)
            page.paste(picture(step), (left, down))
            title, arguments = caption(step)
            pen.text((left, down + high + 7), title, INK, name)
            pen.text((left, down + high + 27), arguments, GRAY, small)
            progress.update()
        top += rows[group] * (high + CAPTION + GAP)
    return page


def main() -> None:
    TARGET.parent.mkdir(exist_ok=True)
    sheet(GROUPS).save(TARGET)
    print(f"{TARGET.relative_to(ROOT)}: {sum(map(len, GROUPS.values()))} transforms")


if __name__ == "__main__":
    main()
