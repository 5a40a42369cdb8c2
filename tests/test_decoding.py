"""Decoding against NumPy formulas, OpenCV, `colorsys` and files written byte by byte here; and bad files."""

import base64
import colorsys
import io
import json
import os
import random
import struct
import sys
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import PIL
import pytest
from PIL import Image, ImageOps

from e2e_jax.decoding import DECODE_RULES, FORMATS, MAX_PIXELS, WHITE, decode, decoding_record
from e2e_jax.errors import ConfigError, ImageError

SAMPLES = Path(__file__).parent.parent / "data_samples"
ORIENTATION = 0x0112
COLOURS = np.random.default_rng(0).integers(0, 256, (5, 7, 4), np.uint8)  # (h, w, RGBA), no symmetry
RGB = COLOURS[..., :3]
BACKGROUND = (10, 200, 90)


def saved(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(
    width: int, height: int, bits: int, colour_type: int, rows: list[bytes], *chunks: tuple[bytes, bytes]
) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    before = b"".join(chunk(*one) for one in chunks if one[0] != b"eXIf")
    after = b"".join(chunk(*one) for one in chunks if one[0] == b"eXIf")
    return b"\x89PNG\r\n\x1a\n" + header + before + pixels + after + chunk(b"IEND", b"")


def tiff(order: str, width: int, height: int, bits: int, photometric: int, data: bytes, **more: int) -> bytes:
    data += b"\0" * (len(data) % 2)
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: height}
    tags |= {279: len(data)} | {int(tag[1:]): value for tag, value in more.items()}  # all as LONG
    entries = b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in tags.items())
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(data))
    return start + data + struct.pack(order + "H", len(tags)) + entries + bytes(4)


def over(colour: np.ndarray, alpha: np.ndarray, background=BACKGROUND) -> np.ndarray:
    """Porter and Duff's "over" on an opaque background, in float64."""
    share = alpha[..., None] / 255.0
    return np.round(colour * share + np.array(background) * (1 - share)).astype(np.uint8)


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[ORIENTATION] = orientation
    return block


# How a camera stores an upright picture under each orientation: EXIF 2.3, table of tag 274.
STORED = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright),
    7: lambda upright: np.rot90(upright, 2).swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})])
def test_exif_orientation_is_applied(kind, options, orientation):
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](RGB)))
    np.testing.assert_array_equal(decode(saved(stored, kind, exif=exif(orientation), **options)), RGB)


@pytest.mark.parametrize("orientation", STORED)
def test_jpeg_orientation_matches_opencv(orientation):
    smooth = Image.fromarray(RGB).resize((70, 50), Image.Resampling.BICUBIC)
    file = saved(smooth, "JPEG", quality=95, exif=exif(orientation))
    reference = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_allclose(decode(file).astype(int), reference.astype(int), atol=4)


@pytest.mark.parametrize("pages", [1, 2])
def test_orientation_of_a_tiff_is_applied_once(pages):
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(RGB)))
    more = {"save_all": True, "append_images": [stored] * (pages - 1)} if pages > 1 else {}
    file = saved(stored, "TIFF", exif=exif(6), compression="tiff_lzw", **more)
    np.testing.assert_array_equal(decode(file), RGB)


def test_orientation_from_xmp_and_from_exif_behind_the_pixels():
    stored = np.ascontiguousarray(np.rot90(RGB))
    rows = [row.tobytes() for row in stored]
    behind = png(5, 7, 8, 2, rows, (b"eXIf", exif(6).tobytes()[6:]))
    np.testing.assert_array_equal(decode(behind), RGB)
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    np.testing.assert_array_equal(decode(saved(Image.fromarray(stored), "WEBP", lossless=True, xmp=xmp)), RGB)


@pytest.mark.parametrize(
    "block", [exif(9).tobytes(), exif(0).tobytes(), b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0no"]
)
def test_an_unknown_or_damaged_orientation_counts_as_upright(block):
    file = saved(Image.fromarray(RGB), "PNG", exif=block)
    np.testing.assert_array_equal(decode(file), RGB)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_orientation_survives_damage_elsewhere_in_the_exif(kind):
    block = exif(6)
    block[0x0131] = "the name of a program, cut off"
    file = saved(
        Image.fromarray(np.ascontiguousarray(np.rot90(RGB))), kind, lossless=True, exif=block.tobytes()[:-9]
    )
    with pytest.warns(UserWarning), Image.open(io.BytesIO(file)) as image:
        image.getexif()  # Pillow complains, decode does not
    np.testing.assert_array_equal(decode(file), RGB)


def test_damaged_exif_of_a_jpeg_or_a_tiff_gives_no_warning():
    jpeg = saved(Image.fromarray(RGB), "JPEG", exif=exif(6).tobytes()[:-9])
    with pytest.warns(UserWarning), Image.open(io.BytesIO(jpeg)) as image:
        image.getexif()
    assert decode(jpeg).shape == (5, 7, 3)
    lost = tiff("<", 2, 1, 8, 1, b"\x05\x06", t34665=9)  # an EXIF directory in the middle of the pixels
    with pytest.warns(UserWarning), Image.open(io.BytesIO(lost)) as image:
        image.load()
    assert decode(lost).tolist() == [[[5] * 3, [6] * 3]]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "MPO"])
def test_each_format_equals_opencv_or_pillow(kind):
    file = saved(Image.fromarray(RGB), kind)
    with Image.open(io.BytesIO(file)) as image:
        reference = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    pixels = decode(file)
    np.testing.assert_array_equal(pixels, reference)
    assert pixels.dtype == np.uint8 and pixels.flags.c_contiguous and not pixels.flags.writeable
    assert np.abs(pixels.astype(int) - RGB).max() == 0 or kind in {"JPEG", "WEBP", "GIF", "MPO"}  # these lose


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_jpeg_matches_opencv(subsampling, progressive):
    file = (SAMPLES / "coffee.jpg").read_bytes()
    with Image.open(io.BytesIO(file)) as photo:
        file = saved(photo.crop((0, 0, 131, 77)), "JPEG", subsampling=subsampling, progressive=progressive)
    reference = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_allclose(decode(file).astype(int), reference.astype(int), atol=3)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "PPM", "GIF"])
def test_gray_becomes_three_equal_channels(kind):
    gray = np.arange(0, 250, 5, dtype=np.uint8).reshape(5, 10)
    np.testing.assert_array_equal(decode(saved(Image.fromarray(gray), kind)), np.dstack([gray] * 3))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "PPM"])
def test_one_bit_becomes_0_and_255(kind):
    bits = COLOURS[..., 0] > 127
    np.testing.assert_array_equal(decode(saved(Image.fromarray(bits), kind)), np.dstack([bits * np.uint8(255)] * 3))


def test_palette_is_looked_up():
    table = np.random.default_rng(1).integers(0, 256, (4, 3), np.uint8)
    chunk = (b"PLTE", table.tobytes())
    np.testing.assert_array_equal(decode(png(4, 1, 8, 3, [bytes([0, 3, 1, 2])], chunk))[0], table[[0, 3, 1, 2]])


def test_transparent_palette_entries_are_composited():
    table, alpha = np.random.default_rng(1).integers(0, 256, (4, 3), np.uint8), np.array([255, 0, 77, 255])
    file = png(4, 1, 8, 3, [bytes(range(4))], (b"PLTE", table.tobytes()), (b"tRNS", bytes([255, 0, 77])))
    np.testing.assert_array_equal(decode(file, background=BACKGROUND)[0], over(table, alpha))


def test_transparent_entry_of_a_gif_is_composited():
    image = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8))
    image.putpalette([1, 2, 3, 40, 50, 60, 7, 8, 9])
    pixels = decode(saved(image, "GIF", transparency=1), background=BACKGROUND)
    assert pixels.tolist() == [[[1, 2, 3], list(BACKGROUND)], [[7, 8, 9], list(BACKGROUND)]]


@pytest.mark.parametrize("background", [None, BACKGROUND, [0, 0, 0]])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", None])
def test_alpha_is_composited_and_hides_what_is_under_it(kind, background):
    colours = np.concatenate([COLOURS, COLOURS])
    colours[0, :, 3], colours[1, :, 3] = 0, 255
    image = Image.fromarray(colours)
    source = (
        image
        if kind is None
        else saved(image, kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}))
    )
    pixels = decode(source) if background is None else decode(source, background=background)
    reference = over(colours[..., :3], colours[..., 3], background or (255, 255, 255))
    np.testing.assert_array_equal(pixels, reference)


def test_gray_with_alpha_is_composited():
    gray, alpha = COLOURS[..., 0], COLOURS[..., 1]
    reference = over(np.dstack([gray] * 3), alpha)
    image = Image.merge("LA", [Image.fromarray(gray), Image.fromarray(alpha)])
    np.testing.assert_array_equal(decode(saved(image, "PNG"), background=BACKGROUND), reference)
    indexed = Image.merge("PA", [Image.fromarray(gray).convert("P"), Image.fromarray(alpha)])
    np.testing.assert_array_equal(decode(indexed, background=BACKGROUND), reference)


@pytest.mark.parametrize("mode", ["RGBa", "La"])
def test_premultiplied_alpha_is_composited(mode):
    colour, alpha = (60, 60, 60, 128)[: len(mode) - 1], 128  # 60 is 120 at half opacity
    pixels = decode(Image.new(mode, (2, 1), (*colour, alpha)), background=(0, 0, 0))
    np.testing.assert_allclose(pixels, 60, atol=1)


@pytest.mark.parametrize(
    ("bits", "colour_type", "row", "key", "expected"),
    [
        (1, 0, bytes([0b01000000]), [1], [0, None]),
        (2, 0, bytes([0b00011011]), [2], [0, 85, None, 255]),
        (4, 0, bytes([0x05, 0x5F]), [5], [0, None, None, 255]),
        (8, 0, bytes([0, 85, 170]), [85], [0, None, 170]),
        (16, 0, struct.pack(">3H", 300, 301, 65535), [301], [1, None, 255]),
        (8, 2, bytes([9, 9, 9, 9, 8, 9]), [9, 8, 9], [9, None]),
        (16, 2, struct.pack(">6H", 300, 600, 301, 900, 900, 900), [300, 600, 301], [None, 3]),
    ],
)
def test_transparent_colour_of_a_png_counts_in_the_bits_of_the_file(bits, colour_type, row, key, expected):
    file = png(len(expected), 1, bits, colour_type, [row], (b"tRNS", struct.pack(f">{len(key)}H", *key)))
    reference = [list(BACKGROUND) if value is None else [value] * 3 for value in expected]
    assert decode(file, background=BACKGROUND)[0].tolist() == reference


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bit_gray_keeps_the_upper_byte(kind):
    samples = np.linspace(0, 65535, 35).astype(np.uint16).reshape(5, 7)
    file = saved(Image.fromarray(samples), kind)
    reference = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED) >> 8
    np.testing.assert_array_equal(decode(file), np.dstack([reference] * 3))


@pytest.mark.parametrize(("extension", "channels"), [("png", 3), ("tiff", 3), ("png", 4)])
def test_sixteen_bit_colour_keeps_the_upper_byte(extension, channels):
    samples = np.random.default_rng(2).integers(0, 65536, (5, 7, channels)).astype(np.uint16)  # B, G, R (, A)
    samples[..., 3:] = 65535
    pixels = decode(cv2.imencode(f".{extension}", samples)[1].tobytes())
    np.testing.assert_array_equal(pixels, (samples >> 8)[..., 2::-1])


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_sixteen_bit_pil_images_in_either_byte_order(mode):
    image = Image.new(mode, (2, 1), 0xABCD)
    assert decode(image).tolist() == [[[0xAB] * 3] * 2]


@pytest.mark.parametrize("order", "<>")
def test_sixteen_bit_tiff_in_either_byte_order(order):
    assert decode(tiff(order, 2, 1, 16, 1, struct.pack(order + "2H", 0x1234, 0xFEDC)))[0, :, 0].tolist() == [
        0x12,
        0xFE,
    ]


def test_white_is_zero_and_twelve_bits_of_a_tiff():
    white_is_zero = tiff("<", 2, 1, 16, 0, struct.pack("<2H", 0x1234, 0xFEDC))
    assert decode(white_is_zero)[0, :, 0].tolist() == [0xED, 0x01]
    assert decode(tiff("<", 2, 1, 12, 1, bytes.fromhex("123fed")))[0, :, 0].tolist() == [0x12, 0xFE]


def test_cmyk_tiff_follows_the_formula():
    cmyk = COLOURS.astype(float)
    reference = (255 - cmyk[..., :3]) * (255 - cmyk[..., 3:]) / 255  # ink absorbs, black on top
    image = Image.frombytes("CMYK", (7, 5), COLOURS.tobytes())
    np.testing.assert_allclose(decode(saved(image, "TIFF")).astype(float), reference, atol=1)


@pytest.mark.parametrize(("ink", "colour"), [((0, 255, 255, 0), (255, 0, 0)), ((0, 0, 0, 0), (255, 255, 255))])
def test_inverted_cmyk_of_an_adobe_jpeg_is_turned(ink, colour):
    file = saved(Image.new("CMYK", (16, 16), ink), "JPEG", quality=95)
    assert b"Adobe" in file
    np.testing.assert_allclose(decode(file), np.broadcast_to(colour, (16, 16, 3)), atol=3)


def test_hsv_and_ycbcr_become_rgb():
    hue, saturation, value = 100, 200, 220
    reference = np.array(colorsys.hsv_to_rgb(hue / 255, saturation / 255, value / 255)) * 255
    np.testing.assert_allclose(decode(Image.new("HSV", (1, 1), (hue, saturation, value)))[0, 0], reference, atol=2)
    y, cb, cr = 120, 90, 160  # JFIF 1.02, page 3
    reference = [y + 1.402 * (cr - 128), y - 0.34414 * (cb - 128) - 0.71414 * (cr - 128), y + 1.772 * (cb - 128)]
    np.testing.assert_allclose(decode(Image.new("YCbCr", (1, 1), (y, cb, cr)))[0, 0], reference, atol=1)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_only_the_first_frame_of_a_file_counts(kind):
    frames = [Image.new("RGB", (4, 3), colour) for colour in ("red", "blue", "lime")]
    options = {"lossless": True} if kind == "WEBP" else {}
    file = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert decode(file).tolist() == [[[255, 0, 0]] * 4] * 3


def test_the_current_frame_of_a_pil_image_counts(tmp_path):
    frames = [Image.new("RGB", (4, 3), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "two.tiff", save_all=True, append_images=frames[1:])
    with Image.open(tmp_path / "two.tiff") as image:
        colours = []
        for frame in (0, 1):
            image.seek(frame)
            colours.append(decode(image)[0, 0].tolist())
    assert colours == [[255, 0, 0], [0, 0, 255]]


class Pipe(io.RawIOBase):
    """A stream that cannot seek, such as standard input or a network answer."""

    def __init__(self, data: bytes) -> None:
        self.rest = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        return self.rest.readinto(buffer)


@pytest.mark.parametrize(
    "wrap",
    [str, Path, Path.read_bytes, lambda p: bytearray(p.read_bytes()), lambda p: memoryview(p.read_bytes()),
     lambda p: io.BytesIO(p.read_bytes()), lambda p: Pipe(p.read_bytes()), lambda p: _PathLike(p)],
    ids=["str", "Path", "bytes", "bytearray", "memoryview", "BytesIO", "pipe", "PathLike"],
)  # fmt: skip
def test_every_kind_of_source_gives_the_same_pixels(wrap):
    path = SAMPLES / "cat_rotated.jpg"
    with Image.open(path) as image:
        reference = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    np.testing.assert_array_equal(decode(wrap(path)), reference)


class _PathLike:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)


def test_a_file_and_a_pil_image_stay_open_and_can_be_decoded_again():
    with open(SAMPLES / "coffee_tiny.jpg", "rb") as file, Image.open(SAMPLES / "cat_rotated.jpg") as image:
        assert np.array_equal(decode(file), decode(file)) and not file.closed
        assert decode(image).shape == decode(image).shape == (300, 250, 3)
        assert image.size == (300, 250) and image.getpixel((0, 0))  # the caller's image is as stored


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


def half(kind: str, **options) -> bytes:
    noise = Image.fromarray(np.random.default_rng(3).integers(0, 256, (40, 40, 3), np.uint8))
    file = saved(noise, kind, **options)
    return file[: len(file) // 2]


FULL = saved(Image.fromarray(RGB), "PNG")
BAD_BYTES = {
    "empty": (b"", "JPEG", "empty"),
    "text": (b"a text, renamed to picture.png", "JPEG", "starts with b'a text, renamed '"),
    "html": (b"<!DOCTYPE html><html>", "JPEG", "starts with b'<!DOCTYPE html"),
    "only a signature": (b"\x89PNG\r\n\x1a\n", "JPEG", "<8 bytes>"),
    "zero width": (png(0, 5, 8, 0, [b""]), "JPEG", "PNG"),
    "half a JPEG": (half("JPEG"), "complete", "truncated"),
    "half a progressive JPEG": (half("JPEG", progressive=True), "complete", "truncated"),
    "half a PNG": (half("PNG"), "complete", "truncated"),
    "half a GIF": (half("GIF"), "complete", "truncated"),
    "half a BMP": (half("BMP"), "complete", "truncated"),
    "half a PPM": (half("PPM"), "complete", "truncated"),
    "half a WebP": (half("WEBP", lossless=True), "complete", "OSError"),
    "half a TIFF": (half("TIFF", compression="tiff_lzw"), "JPEG", "II*"),
    "PNG with broken pixels": (FULL.replace(b"IDAT", b"IDAT\xff\xff"), "complete", "Error"),
    "another format": (saved(Image.fromarray(RGB), "TGA"), "JPEG", "bytes"),
    "icon": (saved(Image.fromarray(RGB).resize((16, 16)), "ICO"), "JPEG", "bytes"),
    "JPEG 2000": (saved(Image.fromarray(RGB), "JPEG2000"), "JPEG", "jP"),
    "float TIFF": (saved(Image.new("F", (2, 2), 0.5), "TIFF"), "integers", "'F'"),
    "float PPM": (saved(Image.new("F", (2, 2), 0.5), "PPM"), "integers", "'F'"),
    "Lab TIFF": (saved(Image.new("LAB", (2, 2)), "TIFF"), "integers", "'LAB'"),
    "signed TIFF": (tiff("<", 2, 1, 16, 1, struct.pack("<2h", -5, 7), t339=2), "0..65535", "-5..7"),
    "32-bit TIFF": (saved(Image.new("I", (2, 2), 70000), "TIFF"), "0..65535", "70000..70000"),
    "bomb": (png(50_000, 50_000, 8, 0, [b""]), "89478485", "2500000000 pixels"),
    "bomb that Pillow only warns about": (png(12_000, 10_000, 8, 0, [b""]), "89478485", "12000 x 10000"),
    "GIF header alone": (b"GIF89a" + struct.pack("<HHBBB", 60_000, 60_000, 0, 0, 0) + b";", "JPEG", "GIF89a"),
    "text bomb in a PNG": (
        png(1, 1, 8, 0, [b"\0"], (b"zTXt", b"k\0\0" + zlib.compress(bytes(5_000_000)))), "complete", "too large"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_BYTES)
def test_bad_bytes_are_refused_in_three_parts(name):
    data, expected, received = BAD_BYTES[name]
    with pytest.raises(ImageError) as caught:
        decode(data)
    assert caught.value.expected.startswith("decode: ") and expected in caught.value.expected
    assert caught.value.received.startswith(f"<{len(data)} bytes>") and received in caught.value.received
    assert caught.value.fix.endswith(".") and len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("source", "expected", "received"),
    [
        (None, "a path, bytes", "<NoneType>"),
        (3, "a path, bytes", "<int>"),
        (RGB, "a path, bytes", "<ndarray>"),
        (io.StringIO("text"), "a path, bytes", "<StringIO>"),
        ("no/such/photo.jpg", "readable file", "'no/such/photo.jpg': No such file"),
        ("", "readable file", "'': No such file"),
        ("null\0.jpg", "readable file", "null"),
        ("x" * 5000, "readable file", "x...x"),
        (os.devnull, "lead to a file", "not a regular file"),
        (SAMPLES, "lead to a file", "a directory"),
        ("https://example.org/cat.jpg", "on this machine", "the URL 'https://example.org/cat.jpg'"),
        (Path("https://example.org/cat.jpg"), "on this machine", "the URL"),
        ("data:image/png;base64," + base64.b64encode(FULL).decode(), "on this machine", "the URL 'data:"),
        (Image.new("RGB", (0, 4)), "at least one pixel", "<PIL image RGB 0x4>"),
        (Image.new("F", (2, 2)), "integers", "<PIL image F 2x2>, in Pillow's mode 'F'"),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, str | Path) else type(value).__name__,
)
def test_bad_sources_are_refused_in_three_parts(source, expected, received):
    with pytest.raises(ImageError) as caught:
        decode(source)
    assert expected in caught.value.expected and received in caught.value.received
    assert caught.value.fix.endswith(".") and len(str(caught.value)) < 600


def test_an_unreadable_file_names_its_path(tmp_path, monkeypatch):
    path = tmp_path / "locked.jpg"
    path.write_bytes(FULL)

    def locked(*_):  # root may read everything, so that permissions cannot be taken away in every test run
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", locked)
    with pytest.raises(ImageError, match=r"locked.jpg': Permission denied\n  Fix: change the file's permissions"):
        decode(path)


def test_the_first_bytes_of_a_stream_that_cannot_seek_are_shown():
    with pytest.raises(ImageError, match="<Pipe>, which starts with b'a text'"):
        decode(Pipe(b"a text"))


def test_a_truncated_file_names_its_path_and_keeps_the_cause(tmp_path):
    path = tmp_path / "cut.jpg"
    path.write_bytes(half("JPEG"))
    with pytest.raises(ImageError, match="'.*cut.jpg': OSError: image file is truncated") as caught:
        decode(path)
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize(
    "error", [TimeoutError("slow disk"), MemoryError(), ZeroDivisionError("odd"), UserWarning("w")]
)
def test_whatever_a_source_raises_becomes_an_image_error(error):
    class Broken(io.BytesIO):
        def read(self, *_):
            raise error

    with pytest.raises(ImageError, match=type(error).__name__) as caught:
        decode(Broken(FULL))
    assert caught.value.__cause__ is error
    assert ("memory" in caught.value.expected) == isinstance(error, MemoryError)


def test_an_interrupt_is_not_caught():
    class Interrupted(io.BytesIO):
        def read(self, *_):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode(Interrupted(FULL))


def test_max_pixels_is_the_largest_accepted_size():
    assert decode(FULL, max_pixels=35).shape == (5, 7, 3)
    with pytest.raises(ImageError, match="34 pixels at most.\n  Received: .*7 x 5 pixels"):
        decode(FULL, max_pixels=34)
    with pytest.raises(ImageError, match="34 pixels at most"):
        decode(Image.fromarray(RGB), max_pixels=34)
    assert Image.MAX_IMAGE_PIXELS == MAX_PIXELS  # ours is Pillow's default, and Pillow's is as it was


@pytest.mark.parametrize(
    "options",
    [{"max_pixels": 0}, {"max_pixels": 1e6}, {"max_pixels": None}, {"max_pixels": True}, {"background": "white"},
     {"background": 5}, {"background": (0, 0)}, {"background": (0, 0, 256)}, {"background": (0.0, 0.0, 0.0)},
     {"backgruond": WHITE}],
    ids=str,
)  # fmt: skip
def test_wrong_options_are_config_errors(options):
    with pytest.raises(ConfigError, match=f"{next(iter(options))}"):
        decode(FULL, **options)


def test_the_record_is_json_and_names_the_decoder():
    record = decoding_record()
    assert json.loads(json.dumps(record)) == record == DECODE_RULES
    assert (record["decoder"], record["version"]) == ("Pillow", PIL.__version__)
    assert (record["formats"], record["max_pixels"]) == (list(FORMATS), MAX_PIXELS)
    assert record.keys() >= {"exif", "cmyk", "palette", "alpha", "sixteen_bit", "gray", "animated", "background"}
    record["formats"].clear()
    assert decoding_record()["formats"] == list(FORMATS)


def test_threads_leave_the_warning_filters_as_they_were():
    before, interval = list(warnings.filters), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda _: decode(FULL), range(400)))
    finally:
        sys.setswitchinterval(interval)
    assert warnings.filters == before
    assert all(np.array_equal(pixels, RGB) for pixels in results)


def test_threads_may_share_an_image_that_is_not_loaded_yet():
    class Slow(io.BytesIO):
        def read(self, *size):
            time.sleep(0.002)  # other threads run now
            return super().read(*size)

    file = (SAMPLES / "retina_wide.jpg").read_bytes()
    with Image.open(Slow(file)) as image, ThreadPoolExecutor(4) as pool:
        results = list(pool.map(decode, [image] * 4))
    assert all(np.array_equal(pixels, decode(file)) for pixels in results)


def mutated(file: bytes, rng: random.Random) -> bytes:
    data = bytearray(file)
    for _ in range(rng.choice([1, 1, 2, 8])):
        at = rng.randrange(len(data))
        change = rng.randrange(4)
        if change == 0:
            data[at] = rng.randrange(256)
        elif change == 1:
            data[at : at + 4] = struct.pack(
                rng.choice("<>") + "I", rng.choice([0, 1, 255, 2**16, 2**31, 2**32 - 1])
            )
        elif change == 2:
            del data[at : min(at + rng.randrange(1, 30), len(data) - 1)]
        else:
            data[at:at] = data[: rng.randrange(1, 30)]
    return bytes(data[: rng.randrange(1, len(data))] if rng.random() < 0.1 else data)


def fuzz_bases() -> list[bytes]:
    rgba, block = Image.fromarray(COLOURS), exif(6)
    files = [
        saved(rgba.convert("RGB"), kind, exif=block)
        for kind in ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "PPM")
    ]
    files += [saved(rgba.convert("RGB").convert(mode), "PNG") for mode in ("P", "L", "1")]
    files += [saved(rgba.convert("RGB").convert(mode), "TIFF") for mode in ("CMYK", "P", "I", "F", "YCbCr", "LAB")]
    files += [saved(rgba, kind) for kind in ("PNG", "TIFF", "WEBP", "BMP")]
    files += [saved(rgba.convert("CMYK"), "JPEG"), saved(rgba.convert("L"), "JPEG", progressive=True)]
    files += [saved(rgba.convert("RGB"), kind, save_all=True, append_images=[rgba.convert("RGB").rotate(9)])
              for kind in ("GIF", "PNG", "TIFF", "WEBP", "MPO")]  # fmt: skip
    return files


def test_mutated_files_give_pixels_or_an_image_error():
    rng, bases, outcomes = random.Random(0), fuzz_bases(), {"pixels": 0, "refused": 0}
    for number in range(3000):
        try:
            pixels = decode(mutated(bases[number % len(bases)], rng), max_pixels=10_000_000)
            assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.size
            outcomes["pixels"] += 1
        except ImageError as error:
            assert error.expected.startswith("decode: ") and error.received and error.fix
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 500, outcomes
