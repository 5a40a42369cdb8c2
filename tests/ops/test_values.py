"""Values: scale, normalise, cast and layout against NumPy's rounded arithmetic and OpenCV's saturation."""

from __future__ import annotations

from pathlib import Path

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from e2e_jax import transforms as T
from e2e_jax.errors import ConfigError, ImageError
from e2e_jax.ops.values import cast, channel_statistics, denormalize, normalize, rescale, to_layout, to_tensor

LEVELS = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet, torchvision's references/classification


@pytest.mark.parametrize("compiled", [False, True])
def test_to_tensor_divides_every_level_correctly_rounded(compiled):
    scale = jax.jit(to_tensor) if compiled else to_tensor
    scaled = scale(LEVELS)
    assert scaled.dtype == jnp.float32
    np.testing.assert_array_equal(scaled, LEVELS.astype(np.float32) / np.float32(255))
    product = LEVELS * np.float32(1 / 255)
    assert (np.asarray(scaled) != product).sum() > 50  # a product with the reciprocal is another number


@pytest.mark.parametrize("numerics", ["torch", "tf"])
def test_to_tensor_multiplies_where_torch_and_tensorflow_do(numerics):
    def scaled(image):
        return to_tensor(image, numerics=numerics)

    product = LEVELS * np.float32(1 / 255)
    np.testing.assert_array_equal(scaled(LEVELS), product)
    np.testing.assert_array_equal(jax.jit(scaled)(LEVELS), product)
    shifted = jax.jit(lambda image: scaled(image) - np.float32(0.485))(LEVELS)
    np.testing.assert_array_equal(shifted, product - np.float32(0.485))  # not fused into one rounding
    assert (product != np.asarray(to_tensor(LEVELS))).sum() == 126


def test_to_tensor_leaves_floats_alone():
    image = np.array([[[-1.5, 0.25, 300.0]]], np.float32)
    np.testing.assert_array_equal(to_tensor(image), image)
    assert to_tensor(image.astype(np.float16)).dtype == jnp.float32


@pytest.mark.parametrize("dtype", ["uint16", "int32", "bool"])
def test_to_tensor_refuses_levels_it_cannot_scale(dtype):
    with pytest.raises(ImageError, match=f"uint8 0..255 or floating.\n  Received: .*{dtype}\n  Fix: scale it"):
        to_tensor(np.ones((2, 2, 1), dtype))


@pytest.mark.parametrize("compiled", [False, True])
def test_normalize_is_numpy_float32_to_the_bit(compiled):
    image = np.random.default_rng(0).random((9, 8, 3)).astype(np.float32)
    call = jax.jit(normalize, static_argnames=("mean", "std")) if compiled else normalize
    expected = (image - np.float32(MEAN)) / np.float32(STD)
    np.testing.assert_array_equal(call(image, mean=MEAN, std=STD), expected)


def test_normalize_takes_bytes_and_one_value_for_all_channels():
    image = np.random.default_rng(0).integers(0, 256, (9, 8, 4), np.uint8)
    expected = (image.astype(np.float32) - np.float32(127)) / np.float32(128.5)
    np.testing.assert_array_equal(normalize(image, mean=(127.0,), std=(128.5,)), expected)


@pytest.mark.parametrize(("mean", "std", "name"), [(MEAN, (1.0,), "mean"), ((0.0,), STD, "std")])
def test_normalize_refuses_another_number_of_channels(mean, std, name):
    expected = (
        f"{name} must have one value.*\n  Received: 3 values for an image of 4 channels\n  Fix: pass 4 values"
    )
    with pytest.raises(ImageError, match=expected):
        normalize(np.zeros((2, 2, 4), np.float32), mean=mean, std=std)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16"])
def test_cast_saturates_as_opencv(dtype):
    halves = np.concatenate([np.arange(-300, 301) / 2, [7e4, -7e4, 254.5, 255.5, 256.5, 32767.5, 65535.4]])
    image = halves.astype(np.float32).reshape(1, -1)
    depth = {"uint8": cv2.CV_8U, "int16": cv2.CV_16S, "uint16": cv2.CV_16U}[dtype]
    expected = cv2.add(image, 0.0, dtype=depth)  # adds nothing and stores with saturate_cast
    assert cast(image, dtype=dtype).dtype == dtype
    np.testing.assert_array_equal(cast(image, dtype=dtype), expected)


@pytest.mark.parametrize(("source", "dtype"), [("int16", "uint8"), ("int32", "int16"), ("int16", "uint16")])
def test_cast_between_integers_saturates_as_opencv(source, dtype):
    image = np.array([[-32768, -1, 0, 1, 255, 256, 300, 32767]], source)
    depth = {"uint8": cv2.CV_8U, "int16": cv2.CV_16S, "uint16": cv2.CV_16U}[dtype]
    np.testing.assert_array_equal(cast(image, dtype=dtype), cv2.add(image, 0.0, dtype=depth))


def test_cast_between_floats_and_from_bytes_is_numpys():
    image = np.random.default_rng(0).normal(0, 1e4, (7, 5)).astype(np.float32)
    np.testing.assert_array_equal(cast(image, dtype="float16"), image.astype(np.float16))
    np.testing.assert_array_equal(cast(LEVELS, dtype="float32"), LEVELS.astype(np.float32))
    np.testing.assert_array_equal(cast(LEVELS, dtype="int32"), LEVELS.astype(np.int32))


def test_cast_to_int32_saturates_where_float32_cannot_say_the_limit():
    image = np.array([3e9, -3e9, 2147483520.0], np.float32)
    assert cast(image, dtype="int32").tolist() == [2**31 - 1, -(2**31), 2147483520]


def test_to_layout_is_numpy_moveaxis():
    image = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), np.uint8)
    assert to_layout(image, layout="CHW").dtype == jnp.uint8
    np.testing.assert_array_equal(to_layout(image, layout="CHW"), image.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(to_layout(image[0], layout="CHW"), image[0].transpose(2, 0, 1))
    np.testing.assert_array_equal(to_layout(image, layout="HWC"), image)


def test_gradients_are_those_of_the_formulas():
    image = np.random.default_rng(0).random((2, 2, 3)).astype(np.float32)
    gradient = jax.grad(lambda x: normalize(x, mean=MEAN, std=STD).sum())(image)
    np.testing.assert_allclose(gradient, np.broadcast_to(1 / np.float32(STD), (2, 2, 3)), rtol=1e-6)
    np.testing.assert_array_equal(jax.grad(lambda x: to_tensor(x).sum())(image), np.ones((2, 2, 3), np.float32))


@pytest.mark.parametrize("compiled", [False, True])
def test_rescale_is_numpys_in_double_precision_rounded_once(compiled):
    call = jax.jit(rescale, static_argnames=("scale", "offset")) if compiled else rescale
    image = np.random.default_rng(0).normal(0, 3, (9, 8, 3)).astype(np.float32)
    for source in (image, LEVELS):
        scale, offset = ((1 / 3, 0.7, -2.0), (0.1, -0.2, 1 / 7)) if source is image else ((1 / 127.5,), (-1.0,))
        expected = (source.astype(np.float64) * scale + offset).astype(np.float32)
        np.testing.assert_array_equal(call(source, scale=scale, offset=offset), expected)


def test_rescale_adds_as_tensorflows_brightness():
    with np.load(Path(__file__).parents[1] / "golden/torchvision_color.npz") as stored:
        unit = stored["square/image"].astype(np.float32) / 255
        brighter = stored["square/tf_brightness_0.2"]
    np.testing.assert_allclose(rescale(unit, scale=(1.0,), offset=(0.2,)), brighter, rtol=0, atol=1e-6)


def test_denormalize_undoes_normalize():
    image = np.random.default_rng(0).integers(0, 256, (9, 8, 3), np.uint8)
    there = normalize(image, mean=(123.7, 116.3, 103.5), std=(58.4, 57.1, 57.4))
    back = denormalize(there, mean=(123.7, 116.3, 103.5), std=(58.4, 57.1, 57.4))
    np.testing.assert_allclose(back, image, rtol=0, atol=3e-5)
    np.testing.assert_array_equal(cast(back, dtype="uint8"), image)


@pytest.mark.parametrize("call", [rescale, denormalize])
def test_another_number_of_channels_is_refused(call):
    names = {rescale: ("scale", "offset"), denormalize: ("mean", "std")}[call]
    with pytest.raises(
        ImageError, match=f"{names[0]} must have one value.*\n  Received: 3 values for an image of 4"
    ):
        call(np.zeros((2, 2, 4), np.float32), **dict.fromkeys(names, (1.0, 2.0, 3.0)))


def sizes_and_pictures(dtype: str) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = [(5, 7, 3), (1, 1, 3), (40, 30, 3), (2, 6, 6, 3)]
    return [
        rng.integers(0, 256 - 40 * n, shape).astype(dtype) + np.asarray(n, dtype) for n, shape in enumerate(shapes)
    ]


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float16"])
def test_adapt_is_numpys_mean_and_deviation_of_all_pixels(dtype):
    pictures = sizes_and_pictures(dtype)
    everything = np.concatenate([picture.reshape(-1, 3) for picture in pictures]).astype(np.float64)
    step = T.Normalize.adapt(iter(pictures))  # a stream is read once
    np.testing.assert_allclose(step.mean, everything.mean(0), rtol=1e-14)
    np.testing.assert_allclose(step.std, everything.std(0), rtol=1e-14)
    assert T.Transform.from_config(step.config) == step


def test_adapt_does_not_lose_digits_far_from_zero():
    far = np.random.default_rng(0).random((200, 30, 40, 1)) + 1e8
    expected = (far - 1e8).std()
    assert abs(channel_statistics(far)[1][0] / expected - 1) < 1e-8
    levels = [np.full((100, 100, 1), 255, np.uint8)] * 30 + [np.array([[[254]]], np.uint8)]
    count = 30 * 100 * 100 + 1
    mean, deviation = channel_statistics(levels)
    assert mean == (255 - 1 / count,)
    assert abs(deviation[0] / (np.sqrt(count - 1) / count) - 1) < 1e-15


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([], "there must be images"),
        ([np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2, 1), np.uint8)], "the first was uint8 of 3 channels"),
        ([np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2, 3), np.float32)], "the first was uint8 of 3 channels"),
        ([np.zeros((0, 2, 3), np.uint8)], r"Received: \(0, 2, 3\)"),
        ([np.zeros((2, 2, 3), np.int32)], r"Received: \(2, 2, 3\) int32"),
    ],
)
def test_adapt_refuses_what_has_no_statistics(images, message):
    with pytest.raises(ImageError, match=message):
        T.Normalize.adapt(images)


def test_adapt_refuses_a_constant_channel():
    image = np.random.default_rng(0).integers(0, 256, (5, 5, 3), np.uint8)
    image[..., 1] = 77
    with pytest.raises(ConfigError, match="std must not be zero"):
        T.Normalize.adapt([image, image])
