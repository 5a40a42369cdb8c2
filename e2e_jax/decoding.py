"""Files, bytes and PIL images become RGB pixels, by rules that are written here once and kept in the manifest."""

from __future__ import annotations

import contextlib
import copy
import io
import os
import re
import threading
import warnings
from collections.abc import Sequence
from typing import IO, Any

import numpy as np
import PIL
from PIL import Image, UnidentifiedImageError, features

from e2e_jax.errors import ConfigError, ImageError, known_arguments

type ImageSource = str | os.PathLike[str] | bytes | bytearray | memoryview | Image.Image | IO[bytes]

MAX_PIXELS = 89_478_485  # 1/4 GiB of 3-byte pixels: default of PIL.Image.MAX_IMAGE_PIXELS, which is never lifted
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")  # Pillow's names; JPEG includes MPO, PPM all of PNM
WHITE = (255, 255, 255)  # R, G, B 0..255

ORIENTATION_TAG = 0x0112  # TIFF 6.0, section 8, and EXIF 2.3, 4.6.4
UPRIGHT = {  # orientation tag: what brings the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
BITS_PER_SAMPLE_TAG, PHOTOMETRIC_TAG, WHITE_IS_ZERO = 258, 262, 0  # TIFF 6.0, section 8
REFUSED_MODES = {
    "F": "scale the values to 0..255 and pass a uint8 array.",
    "LAB": "convert it to RGB with PIL.ImageCms, where you choose the profile.",
}

DECODE_RULES: dict[str, Any] = {
    "decoder": "Pillow",
    "version": PIL.__version__,
    "libjpeg_turbo": features.version("libjpeg_turbo"),
    "formats": list(FORMATS),
    "max_pixels": MAX_PIXELS,
    "background": list(WHITE),
    "exif": "orientation 1 to 8 applied, from EXIF or else XMP; an unreadable or unknown one counts as 1",
    "icc": "colour profiles and gamma ignored, values taken as sRGB",
    "gray": "repeated into three equal channels, 1-bit as 0 and 255",
    "palette": "looked up as RGB, transparent entries composited",
    "alpha": "RGBA, LA, PA, premultiplied, and transparent colours (tRNS) composited on the background",
    "sixteen_bit": "shifted right by 8, not clipped; 12-bit TIFF by 4; integers outside 0..65535 refused",
    "cmyk": "Pillow's conversion without profile, Adobe's inverted JPEG values turned first",
    "ycbcr_hsv": "Pillow's conversion",
    "float_lab": "refused",
    "animated": "first frame of a file (of an APNG its default image), current frame of a PIL image",
    "truncated": "refused if pixels are missing",
}

# Warning filters belong to the whole process: without this lock, threads side by side could leave them changed.
_WARNING_FILTERS = threading.RLock()


@known_arguments
def decode(
    source: ImageSource, *, max_pixels: int = MAX_PIXELS, background: Sequence[int] = WHITE
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Reads one image file, in any of seven formats, as upright 8-bit RGB.

    - EXIF: all eight orientations are applied. ICC profiles and gamma are ignored: values count as sRGB.
    - Gray, 1-bit: three equal channels. Palette: looked up. YCbCr, HSV, CMYK (Adobe's inverted too): as Pillow.
    - Transparency (RGBA, LA, PA, palette entries, PNG's transparent colour): composited on ``background``.
    - 16 bits per channel: shifted right by 8, not clipped. Floats and CIE Lab: refused.
    - Animations and many pages: the first frame. A PIL image: its current frame.
    - A file cut off before its last pixel, or with damage the decoder sees: refused. Damaged EXIF: orientation 1.

    Args:
        source: A path, the bytes of a file, an open binary file (read from its start; one thread at a time), or a
            PIL image. Arrays need no decoding.
        max_pixels: Height times width that is still decoded; the header is checked before any pixel is read.
            Pillow's own limit of twice `PIL.Image.MAX_IMAGE_PIXELS` stays in force.
        background: R, G, B 0..255 under transparent pixels.

    Returns:
        ``(h, w, 3)`` uint8 RGB 0..255, contiguous and, like a JAX array, read-only.

    Raises:
        ImageError: The source cannot be found, read, identified or decoded, is empty or too large.
        ConfigError: ``max_pixels`` or ``background`` is out of range.

    Source:
        Pillow 13.0.0 decodes; these rules are `DECODE_RULES`. The formats are given to `PIL.Image.open`, so that no
        other decoder is ever tried.

    Example:
        >>> file = io.BytesIO()
        >>> Image.new("LA", (640, 427), (0, 0)).save(file, "PNG")
        >>> pixels = decode(file.getvalue())
        >>> pixels.shape, pixels[0, 0].tolist()
        ((427, 640, 3), [255, 255, 255])
        >>> decode(b"hello")
        Traceback (most recent call last):
        e2e_jax.errors.ImageError: decode: the source must be a JPEG, PNG, WEBP, GIF, BMP, TIFF or PPM file.
          Received: <5 bytes>, which starts with b'hello'
          Fix: check that it is an image and complete; convert another format to PNG or JPEG first.
    """
    _check_options(max_pixels, background)
    name = _name(source)
    try:
        with _stream(source, name) as stream:
            image = _loaded(stream, name, max_pixels)
            rgb = _rgb(image, name, (background[0], background[1], background[2]))
            return np.asarray(_upright(rgb, _orientation(image)))
    except ImageError:
        raise
    except Exception as error:
        # Pillow's readers meet hostile bytes with OSError, SyntaxError, ValueError, struct.error, zlib.error,
        # EOFError, KeyError, OverflowError, MemoryError (a size from the header) and more, and a file object adds
        # its own: for the caller each means that this one source gave no image. KeyboardInterrupt passes.
        raise _unreadable(name, error) from error


def decoding_record() -> dict[str, Any]:
    """The rules and the decoder's version as JSON-able data, for an artifact's manifest.

    Returns:
        A copy of `DECODE_RULES`, yours to change.

    Example:
        >>> decoding_record()["sixteen_bit"]
        'shifted right by 8, not clipped; 12-bit TIFF by 4; integers outside 0..65535 refused'
    """
    return copy.deepcopy(DECODE_RULES)


def _check_options(max_pixels: int, background: Sequence[int]) -> None:
    if isinstance(max_pixels, bool) or not isinstance(max_pixels, int) or max_pixels < 1:
        fix = "pass height times width of the largest image you accept."
        raise ConfigError("decode: max_pixels must be a positive int.", f"max_pixels={max_pixels!r}", fix)
    channels = list(background) if isinstance(background, Sequence) else []
    if len(channels) != 3 or not all(isinstance(value, int) and 0 <= value <= 255 for value in channels):
        fix = "pass (red, green, blue), e.g. (255, 255, 255) for white."
        raise ConfigError("decode: background must be three ints 0..255.", f"background={background!r}", fix)


def _name(source: Any) -> str:
    """How an error message calls the source."""
    if isinstance(source, bytes | bytearray | memoryview):
        return f"<{memoryview(source).nbytes} bytes>"
    if isinstance(source, Image.Image):
        return f"<PIL image {source.mode} {source.width}x{source.height}>"
    if isinstance(source, str | os.PathLike):
        path = os.fsdecode(source)
        return repr(path if len(path) <= 200 else f"{path[:97]}...{path[-100:]}")
    return f"<{type(source).__name__}>"


def _stream(source: Any, name: str) -> contextlib.AbstractContextManager[Any]:
    """A PIL image or a seekable binary file, closed at the end if we opened it."""
    if isinstance(source, Image.Image):
        return contextlib.nullcontext(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return io.BytesIO(bytes(source))
    if isinstance(source, str | os.PathLike):
        return _file(os.fsdecode(source), name)
    if not hasattr(source, "read") or isinstance(source, io.TextIOBase):
        fix = 'pass open(path, "rb") for a file; arrays need no decoding and go to the pipeline as they are.'
        raise ImageError("decode: the source must be a path, bytes, a binary file or a PIL image.", name, fix)
    if hasattr(source, "seekable") and not source.seekable():
        return io.BytesIO(source.read())
    return contextlib.nullcontext(source)


def _file(path: str, name: str) -> IO[bytes]:
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/|data:", path):
        fix = "download it first, e.g. decode(urllib.request.urlopen(url).read()), or pass a local path."
        raise ImageError("decode: a str must be a path on this machine.", f"the URL {name}", fix)
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe would block, a device might never end
        kind = "a directory" if os.path.isdir(path) else "not a regular file"
        fix = "pass one image file, or for a folder a list of its files: sorted(Path(folder).glob('*.jpg'))."
        raise ImageError("decode: the path must lead to a file.", f"{name}, {kind}", fix)
    try:
        return open(path, "rb")
    except (OSError, ValueError) as error:  # ValueError: a null character
        fix = f"check the path; a relative one starts at {os.getcwd()!r}. The bytes of a file are passed as bytes."
        if isinstance(error, PermissionError):
            fix = "change the file's permissions, or run as a user who may read it."
        received = f"{name}: {getattr(error, 'strerror', None) or error}"
        raise ImageError("decode: the path must lead to a readable file.", received, fix) from error


def _loaded(stream: Any, name: str, max_pixels: int) -> Image.Image:
    """Header, size check, then pixels. Pillow's warnings stay inside: damage is refused, the rest has a rule."""
    with _WARNING_FILTERS, warnings.catch_warnings(action="ignore"):
        image = stream if isinstance(stream, Image.Image) else _identified(stream, name, max_pixels)
        _check_size(image, name, max_pixels)
        if image is stream or image.format == "TIFF":
            image.load()  # TIFF warns here too; and threads may have been given one PIL image
    image.load()  # outside the lock: files decode side by side
    return image


def _identified(stream: IO[bytes], name: str, max_pixels: int) -> Image.Image:
    """The header. Pillow gets a stream, not a path, which it would map into memory: fatal if the file shrinks."""
    try:
        image = Image.open(stream, formats=FORMATS)
    except UnidentifiedImageError as error:
        stream.seek(0)
        start = stream.read(16)
        received = f"{name}, which starts with {start!r}" if start else f"{name}, which is empty"
        fix = "check that it is an image and complete; convert another format to PNG or JPEG first."
        formats = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        raise ImageError(f"decode: the source must be a {formats} file.", received, fix) from error
    except Image.DecompressionBombError as error:
        raise _too_large(f"{name}: {error}", max_pixels) from error
    if image.format == "PNG" and "transparency" in image.info:
        _match_key_to_pixels(image)
    return image


def _match_key_to_pixels(image: Any) -> None:
    """PNG's transparent colour counts in the file's bits, Pillow's pixels in 8: PNG specification 11.3.2.1."""
    key, packing = image.info["transparency"], image.tile[0].args
    if packing in ("L;2", "L;4"):
        image.info["transparency"] = key * (85 if packing == "L;2" else 17)  # 0..3 or 0..15 to 0..255
    elif packing == "RGB;16B":
        image.info["transparency"] = tuple(value >> 8 for value in key)


def _check_size(image: Image.Image, name: str, max_pixels: int) -> None:
    if 0 in image.size:
        raise ImageError("decode: an image must have at least one pixel.", name, "check how the image was made.")
    if image.width * image.height > max_pixels:
        raise _too_large(f"{name}: {image.width} x {image.height} pixels", max_pixels)


def _too_large(received: str, max_pixels: int) -> ImageError:
    fix = "shrink or crop it, or pass a larger max_pixels if you trust the source and have the memory."
    return ImageError(f"decode: an image may have {max_pixels} pixels at most.", received, fix)


def _rgb(image: Image.Image, name: str, background: tuple[int, int, int]) -> Image.Image:
    if image.mode in REFUSED_MODES:
        received, fix = f"{name}, in Pillow's mode {image.mode!r}", REFUSED_MODES[image.mode]
        raise ImageError("decode: pixels must be integers in a device colour space.", received, fix)
    if image.mode == "I" or image.mode.startswith("I;16"):
        image = _eight_bit(image, name)
    if image.mode == "La":
        image = image.convert("LA")  # Pillow knows no direct way from premultiplied gray
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        canvas = Image.new("RGB", image.size, background)
        canvas.paste(rgba, mask=rgba)
        return canvas
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bit(image: Image.Image, name: str) -> Image.Image:
    """The upper 8 of 16 bits. Pillow's own conversion clips, and leaves 12-bit and white-is-zero TIFF as stored."""
    samples, tags = np.asarray(image), getattr(image, "tag_v2", {})  # (h, w) uint16, either byte order, or int32
    if samples.min() < 0 or samples.max() > 0xFFFF:
        received = f"{name} with values {samples.min()}..{samples.max()}"
        fix = "scale them to 0..255 and pass a uint8 array."
        raise ImageError("decode: gray values must lie in 0..65535.", received, fix)
    if tags.get(BITS_PER_SAMPLE_TAG) == (12,):
        samples = samples << 4
    if image.mode.startswith("I;16") and tags.get(PHOTOMETRIC_TAG) == WHITE_IS_ZERO:
        samples = 0xFFFF - samples
    gray = Image.fromarray((samples >> 8).astype(np.uint8))
    if "transparency" in image.info:
        gray.putalpha(Image.fromarray(np.where(samples == image.info["transparency"], 0, 255).astype(np.uint8)))
    return gray


def _orientation(image: Image.Image) -> int:
    """1 to 8, or nonsense. Asked after loading: that turns a TIFF, and EXIF of a PNG may follow its pixels."""
    try:
        with _WARNING_FILTERS, warnings.catch_warnings(action="ignore"):
            return image.getexif().get(ORIENTATION_TAG, 1)
    except Exception:  # as in `decode`; the photo is sound, and a viewer would show it as stored
        return 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image


def _unreadable(name: str, error: Exception) -> ImageError:
    expected, fix = "the image must be complete and undamaged", "fetch or save it again, and try it in a viewer."
    if isinstance(error, MemoryError):
        expected, fix = "the image must fit in memory", "lower max_pixels to refuse such images by their header."
    return ImageError(f"decode: {expected}.", f"{name}: {type(error).__name__}: {str(error)[:200]}", fix)
