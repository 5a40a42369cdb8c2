"""Decoding by the rules: against NumPy formulas, OpenCV, `colorsys` and files written byte by byte."""

import colorsys
import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from image_files import BACKGROUND, COLOURS, RGB, SAMPLES, STORED, Pipe, exif, over, png, saved, tiff
from PIL import Image, ImageOps

from e2e_jax.decoding import decode


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
