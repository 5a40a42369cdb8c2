"""What a predictor does with bad input: an ImageError or ConfigError in three lines, and nothing else is lost."""

import io
import struct
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from model_fixtures import WEIGHTS, mean_colour, photo, tiny_model
from PIL import Image

import e2e_jax as e2e
from e2e_jax import transforms as T


def encoded(image: np.ndarray, kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind)
    return file.getvalue()


def huge_png() -> bytes:
    """A header that claims 50000 x 50000 pixels, and no pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    chunks = [header, b"IDAT" + zlib.compress(b"\0"), b"IEND"]
    parts = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


FILES = {
    "truncated.jpg": (lambda: encoded(photo(200, 200), "JPEG")[:1000], "must be complete and undamaged"),
    "text.png": (lambda: b"this is no picture", "must be a JPEG, PNG"),
    "empty.jpg": (lambda: b"", "which is empty"),
    "huge.png": (huge_png, "pixels at most"),
}
IMAGE = photo()
VALUES = {
    "floats": (IMAGE / np.float32(255), r"pixels must be uint8 in 0\.\.255"),
    "floats with NaN": (np.full((4, 4, 3), np.nan, np.float32), "with NaN or infinite values"),
    "int64": (IMAGE.astype(np.int64), r"Received: int64 in \d+\.\.\d+\n"),
    "uint16, big end first": (IMAGE.astype(">u2"), "pixels must be uint8"),
    "bool": (IMAGE > 9, "Received: bool"),
    "object": (IMAGE.astype(object), "Received: object"),
    "text array": (IMAGE.astype(str), "Received: <U3"),
    "complex": (IMAGE.astype(complex), "Received: complex128"),
    "dates": (np.zeros((4, 4, 3), "M8[D]"), "Received: datetime64"),
    "records": (np.zeros((4, 4, 3), [("r", "u1")]), "pixels must be uint8"),
    "bfloat16": (jnp.zeros((4, 4, 3), jnp.bfloat16), "Received: bfloat16"),
    "two channels": (IMAGE[..., :2], "must have 3 channels"),
    "four channels": (photo(channels=4), "must have 3 channels"),
    "channels first": (np.moveaxis(IMAGE, -1, 0), "channels last"),
    "no rows": (IMAGE[:0], r"shape \(0, 50, 3\)"),
    "no columns": (IMAGE[:, :0], r"shape \(40, 0, 3\)"),
    "no channels": (IMAGE[..., :0], r"shape \(40, 50, 0\)"),
    "empty gray": (IMAGE[:0, :, 0], r"shape \(0, 50, 3\)"),
    "five axes": (IMAGE[None, None], r"shape \(1, 1, 40, 50, 3\)"),
    "one axis": (np.zeros(9, np.uint8), r"shape \(9,\)"),
    "no axis": (np.array(9, np.uint8), r"shape \(\)"),
    "batch of gray": (IMAGE[None, ..., :1], "must have 3 channels"),
    "None": (None, "must be a path, bytes"),
    "int": (7, "must be a path, bytes"),
    "mapping": ({"image": IMAGE}, "must be a path, bytes"),
    "set": ({"a.png"}, "must be a path, bytes"),
    "missing path": ("no/such/file.jpg", "must lead to a readable file"),
    "URL": ("https://example.org/cat.jpg", "must be a path on this machine"),
    "no path": ("\0", "must lead to a readable file"),
    "text file": (io.StringIO("hello"), "must be a path, bytes"),
    "floats in PIL": (Image.new("F", (5, 5)), "must be integers"),
}


def three_lines(error: e2e.ImageError) -> None:
    first, second, third = str(error).splitlines()
    assert first.endswith(".")
    assert second.startswith("  Received: ")
    assert third.startswith("  Fix: ")


@pytest.fixture
def files(tmp_path):
    for name, (content, _) in FILES.items():
        (tmp_path / name).write_bytes(content())
    return tmp_path


@pytest.mark.parametrize("name", FILES)
def test_bad_files_and_their_bytes_are_image_errors(predictor, files, name):
    for source in (str(files / name), files / name, (files / name).read_bytes(), io.BytesIO(FILES[name][0]())):
        with pytest.raises(e2e.ImageError, match=FILES[name][1]) as caught:
            predictor.predict(source)
        three_lines(caught.value)


@pytest.mark.parametrize("kind", VALUES)
def test_bad_values_are_image_errors(predictor, kind):
    value, why = VALUES[kind]
    with pytest.raises(e2e.ImageError, match=why) as caught:
        predictor.predict(value)
    three_lines(caught.value)


def test_a_folder_is_an_image_error(predictor, tmp_path):
    with pytest.raises(e2e.ImageError, match="a directory"):
        predictor.predict(tmp_path)


def test_the_fix_for_floats_works(predictor):
    scaled = IMAGE / np.float32(255)
    with pytest.raises(e2e.ImageError) as caught:
        predictor.predict(scaled)
    assert "(image * 255).round().astype(np.uint8)" in caught.value.fix
    assert predictor.predict((scaled * 255).round().astype(np.uint8)) == predictor.predict(IMAGE)


def test_skip_puts_each_error_in_its_place_and_keeps_the_others(predictor, files):
    bad = [value for value, _ in VALUES.values()] + [files / name for name in FILES]
    mixed = [item for value in bad for item in (value, IMAGE)]
    results = predictor.predict(mixed, on_error="skip")
    assert len(results) == len(mixed)
    assert all(isinstance(result, e2e.ImageError) for result in results[::2])
    assert {result.label for result in results[1::2]} == {predictor.predict(IMAGE).label}
    assert results[2].__notes__ == ["item 2 of the list"]
    assert results[-2].__notes__ == [f"item {len(mixed) - 2} of the list"]


def test_a_batch_or_a_list_inside_a_list_is_an_error_in_its_place(predictor):
    batch, inner, good = predictor.predict([IMAGE[None], [IMAGE], IMAGE], on_error="skip")
    assert "must be one image" in str(batch)
    assert isinstance(inner, e2e.ImageError)
    assert good == predictor.predict(IMAGE)


def test_raise_says_which_item_it_was(predictor):
    with pytest.raises(e2e.ImageError) as caught:
        predictor.predict([IMAGE] * 40 + [None])
    assert caught.value.__notes__ == ["item 40 of the list"]


def test_unknown_options_are_config_errors(predictor):
    with pytest.raises(e2e.ConfigError, match=r"predict\(images, on_error, progress, batch_size\)"):
        predictor.predict(IMAGE, top_k=3)
    for value in ("ignore", None, ["skip"]):
        with pytest.raises(e2e.ConfigError, match="one of raise, skip"):
            predictor.predict([IMAGE], on_error=value)


def test_inside_jit_predict_points_to_as_module(predictor):
    with pytest.raises(e2e.ConfigError, match=r"predictor\.as_module\(\)"):
        jax.jit(lambda x: predictor.predict(x))(IMAGE)


def test_a_photo_smaller_than_a_crop_without_padding_is_an_image_error(tmp_path):
    model = tiny_model(preprocess=T.Compose([T.HorizontalFlip(), T.CenterCrop(30, smaller="refuse"), T.ToTensor()]))
    predictor = e2e.load(e2e.export(model, tmp_path / "c.e2e", progress=False))
    small, good = predictor.predict([photo(29, 99), photo(30, 30)], on_error="skip")
    assert "must lie inside the image" in str(small)
    assert "in step 1 of the pipeline: CenterCrop(30, smaller='refuse'), input 29x99" in small.__notes__
    assert good.label
    with pytest.raises(e2e.ImageError, match="must lie inside"):
        predictor.predict(photo(29, 99)[None])


def test_a_float_signature_wants_floats_in_its_range(tmp_path):
    path = e2e.export(tiny_model(), tmp_path / "f.e2e", progress=False, dtype="float32")
    predictor, image = e2e.load(path), IMAGE / np.float32(255)
    (expected,) = tiny_model().postprocess.build(tiny_model()(image[None]))
    assert predictor.predict(image).top[0].score == pytest.approx(expected.top[0].score, abs=1e-5)
    assert predictor.predict(encoded(IMAGE, "PNG")) == predictor.predict(image)  # files are scaled
    assert predictor.signature["inputs"]["images"]["range"] == [0, 1]
    nan, over, under, whole, double = image.copy(), image.copy(), image.copy(), IMAGE, image.astype(np.float64)
    nan[3, 4, 1], over[3, 4, 1], under[3, 4, 1] = np.nan, 1.01, -0.01
    outside = [
        (nan, "NaN or infinite"),
        (nan[None], "NaN"),
        (over, r"in 0\.\.1\.01\n"),
        (under, r"in -0\.01\.\.1\n"),
    ]
    for bad, why in [*outside, (whole, "must be float32"), (double, "must be float32")]:
        with pytest.raises(e2e.ImageError, match=why):
            predictor.predict(bad)


def test_a_gray_signature_takes_gray_arrays_and_makes_files_gray_as_pillow_does(tmp_path):
    network = (lambda params, x: mean_colour(params, x), WEIGHTS[:1])
    model = tiny_model(network=network)
    predictor = e2e.load(e2e.export(model, tmp_path / "g.e2e", progress=False, channels=1))
    gray = np.asarray(Image.fromarray(IMAGE).convert("L"))
    expected = predictor.predict(gray[..., None])
    assert predictor.predict(gray) == predictor.predict(encoded(gray, "PNG")) == expected
    assert predictor.predict(encoded(IMAGE, "PNG")) == expected
    assert predictor.predict(gray[None, ..., None])[0].label == expected.label
    with pytest.raises(e2e.ImageError, match="must have 1 channels"):
        predictor.predict(IMAGE)
