"""Bad files, sources and options are refused in three parts, whatever their bytes."""

import base64
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

import numpy as np
import PIL
import pytest
from image_files import COLOURS, RGB, SAMPLES, Pipe, exif, png, saved, tiff
from PIL import Image

from e2e_jax.decoding import DECODE_RULES, FORMATS, MAX_PIXELS, WHITE, decode, decoding_record
from e2e_jax.errors import ConfigError, ImageError


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
