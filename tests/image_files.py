"""Image files written byte by byte, and what the tests of decoding compare them with."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

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


class Pipe(io.RawIOBase):
    """A stream that cannot seek, such as standard input or a network answer."""

    def __init__(self, data: bytes) -> None:
        self.rest = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        return self.rest.readinto(buffer)
