"""ONNX forms of all other transforms: the numbers of the transform itself, to the bit where nothing is resized."""

import numpy as np
import pytest

from e2e_jax import transforms as T
from e2e_jax.errors import ConfigError

SIZES = [(17, 30), (41, 12)]


def image(height, width, channels=3):
    return np.random.default_rng(height).integers(0, 256, (height, width, channels), dtype=np.uint8)


EXACT = [
    T.CenterCrop(9),
    T.CenterCrop((40, 13), fill=7),
    T.CenterCrop((12, 25), rounding="half_up", fill=(1, 2, 3)),
    T.CenterCrop((11, 10), rounding="floor"),
    T.CenterCrop(8, smaller="refuse"),
    T.Crop(2, 3, 9, 8),
    T.Crop(-2, 3, 60, 50, padding=True, fill=9),
    T.Crop(5, -4, 6, 9, padding=True),
    T.Pad((1, 2, 3, 4), fill=200),
    T.Pad(2),
    T.Pad((2, 0), fill=(5, 6, 7)),
    T.Pad((3, 2, 1, 4), mode="reflect"),
    T.Pad(40, mode="symmetric"),
    T.Pad((5, 0), mode="edge"),
    T.HorizontalFlip(),
    T.VerticalFlip(),
    T.ToTensor(),
    T.ToTensor(numerics="torch"),
    T.Normalize((120, 110.5, 90), (60, 50, 70.25)),
    T.Denormalize(0.5, 3),
    T.Rescale(1 / 127.5, -1),
    T.Rescale((0.1, 0.2, 0.3), (1, 2, 3)),
    T.Cast("float32"),
    T.Cast("int16"),
    T.ToLayout("CHW"),
    T.ToLayout("HWC"),
    T.ChannelOrder((2, 0, 1)),
    T.Grayscale(),
    T.Grayscale(3),
    T.Grayscale(numerics="opencv"),
    T.ToRGB(),
    T.Invert(),
    T.Posterize(3),
    T.Solarize(128),
    T.Brightness(1.3),
    T.Contrast(1.7),
    T.Saturation(0.3),
    T.Gamma(0.6, 1.1),
    T.CropMirrorNormalize(10, mean=0.5, std=(0.2, 0.25, 0.3), mirror=True, layout="CHW", dtype="float16"),
]


@pytest.mark.parametrize("step", EXACT, ids=repr)
def test_bytes_give_the_same_numbers_alone_and_in_a_batch(in_onnx, step):
    run = in_onnx(step)
    for size in SIZES:
        expected = np.asarray(step(image(*size)))
        found = run(np.stack([image(*size), image(*size)[::-1]]))
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found[0], expected)
        np.testing.assert_array_equal(run(image(*size)), expected)


FLOATS = [
    T.CenterCrop((40, 13), fill=0.25),
    T.Pad(30, mode="reflect"),
    T.ToTensor(),
    T.Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.25)),
    T.Cast("uint8"),
    T.Compose([T.Cast("bfloat16"), T.Cast("float32")]),
    T.Grayscale(3),
    T.Grayscale(numerics="torch"),
    T.Invert(),
    T.Posterize(4),
    T.Solarize(0.5),
    T.Brightness(1.3),
    T.Contrast(1.7),
    T.Contrast(0.4, numerics="torch"),
    T.Saturation(1.8),
]


@pytest.mark.parametrize("step", FLOATS, ids=repr)
def test_floats_are_within_single_precision(in_onnx, step):
    """To 2e-6 of 0..1."""
    run, floats = in_onnx(step, dtype="float32"), image(*SIZES[0]).astype(np.float32) / 255
    expected = np.asarray(step(floats))
    found = run(floats)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, atol=2e-6)


RESIZING = [
    T.Letterbox((30, 21), fill=114),
    T.Letterbox((19, 40), numerics="torch"),
    T.Letterbox((19, 40), pad_first=True, fill=3),
    T.CropToAspect((16, 8)),
    T.CropResize(3, 2, 12, 9, (9, 12), method="bicubic"),
    T.ResizeCropMirror(14, (9, 10), mirror=True, method="bicubic"),
    T.Compose([T.Resize(20), T.RandomHorizontalFlip(), T.Compose([T.CenterCrop(11), T.Invert()])]),
]


@pytest.mark.parametrize("step", RESIZING, ids=repr)
def test_frames_are_within_one_level(in_onnx, step):
    step.eval()
    run = in_onnx(step)
    for size in [*SIZES, (30, 30)]:
        expected = np.asarray(step(image(*size)), int)
        found = run(image(*size))
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= 1
        assert (found != expected).mean() < 0.06


@pytest.mark.parametrize("frame", [(30, 21), (13, 50), (24, 24)])
@pytest.mark.parametrize("numerics", ["pillow", "torch"])
def test_a_letterbox_stands_where_it_stands_for_all_sizes(in_onnx, frame, numerics):
    """White on black shows position and size to the pixel."""
    step = T.Letterbox(frame, method="nearest", numerics=numerics)
    run = in_onnx(step)
    for height, width in np.random.default_rng(1).integers(1, 90, (8, 2)).tolist():
        white = np.full((height, width, 3), 255, np.uint8)
        np.testing.assert_array_equal(run(white), step(white))


def test_a_gray_picture_becomes_rgb_and_rgba_loses_its_alpha(in_onnx):
    for channels in (1, 4):
        given = image(9, 8, channels)
        np.testing.assert_array_equal(in_onnx(T.ToRGB(), channels=channels)(given), T.ToRGB()(given))


@pytest.mark.parametrize(
    "step",
    [T.Equalize(), T.Hue(0.2), T.GaussianBlur(3), T.Rotate(20), T.Lambda(abs), T.RandomHorizontalFlip()],
    ids=lambda step: type(step).__name__,
)
def test_a_transform_without_a_form_is_refused_by_name(in_onnx, step):
    with pytest.raises(ConfigError, match=f"^{type(step).__name__}: has no ONNX form"):
        in_onnx(T.Compose([T.Invert(), step]))


def test_bytes_whose_rounding_onnx_does_not_have_are_refused(in_onnx):
    for step in (T.Grayscale(numerics="torch"), T.Contrast(2, numerics="torch"), T.Contrast(2, numerics="tf")):
        with pytest.raises(ConfigError, match="has no ONNX form"):
            in_onnx(step)
    with pytest.raises(ConfigError, match=r"Gamma: has no ONNX form.*\n.*float32"):
        in_onnx(T.Gamma(2.0), dtype="float32")


class Halved(T.Pointwise):
    """A transform of a user's own with an ONNX form of its own."""

    def __init__(self) -> None:
        pass

    def apply(self, picture):
        return picture // np.uint8(2)

    def as_onnx(self, picture):
        return picture.astype("int32").apply("Div", picture.graph.constant(2, "int32")).astype("uint8")


def test_a_transform_of_your_own_says_its_form(in_onnx):
    given = image(9, 8)
    np.testing.assert_array_equal(in_onnx(T.Compose([Halved(), T.HorizontalFlip()]))(given), given[:, ::-1] // 2)
