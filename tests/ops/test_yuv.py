"""YUV frames against OpenCV, and in every size, batch and compilation."""

from __future__ import annotations

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from e2e_jax import transforms as T
from e2e_jax.errors import ConfigError, ImageError
from e2e_jax.ops.yuv import yuv_to_rgb
from e2e_jax.types import PaddedImages, Sample

CODES = {"nv12": cv2.COLOR_YUV2RGB_NV12, "i420": cv2.COLOR_YUV2RGB_I420}
each_layout = pytest.mark.parametrize("layout", list(CODES))


def frame(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height * 3 // 2, width, 1), np.uint8)


def by_opencv(image, layout):
    return cv2.cvtColor(image[..., 0], CODES[layout])


@each_layout
@pytest.mark.parametrize("size", [(2, 2), (6, 10), (8, 4), (46, 70), (240, 320)])
def test_frames_are_opencvs_to_the_bit(layout, size):
    image = frame(*size)
    expected = by_opencv(image, layout)
    np.testing.assert_array_equal(yuv_to_rgb(image, layout=layout), expected)
    compiled = jax.jit(yuv_to_rgb, static_argnames="layout")
    np.testing.assert_array_equal(compiled(image, layout=layout), expected)


def test_every_level_of_y_u_and_v_is_opencvs():
    levels = np.arange(0, 256, 3, dtype=np.uint8)
    u, v = (plane.astype(np.uint8) for plane in np.meshgrid(np.arange(256), np.arange(256)))
    chroma = np.stack([u, v], -1).reshape(256, 512)
    compiled = jax.jit(lambda x: yuv_to_rgb(x, layout="nv12"))
    for level in levels:
        image = np.concatenate([np.full((512, 512), level), chroma])[..., None]
        np.testing.assert_array_equal(compiled(image), by_opencv(image, "nv12"))


@each_layout
def test_what_lies_outside_the_size_does_not_show(layout):
    image = frame(14, 12)
    expected = by_opencv(image, layout)
    compiled = jax.jit(lambda x, size: yuv_to_rgb(x, layout=layout, size=size))
    for room in ((21, 12), (64, 64), (25, 31)):
        inside = np.random.default_rng(1).integers(0, 256, (*room, 1), np.uint8)
        inside[:21, :12] = image
        result = compiled(inside, (np.int32(21), np.int32(12)))
        np.testing.assert_array_equal(result[:14, :12], expected)


@each_layout
def test_symbolic_sizes_export(layout):
    h, w = export.symbolic_shape("h, w", constraints=["h >= 3", "w >= 2"])
    program = export.export(jax.jit(lambda x: yuv_to_rgb(x, layout=layout)))
    call = program(jax.ShapeDtypeStruct((h * 3, w * 2, 1), jnp.uint8)).call
    for size in ((6, 10), (8, 4)):
        np.testing.assert_array_equal(call(frame(*size)), by_opencv(frame(*size), layout))


@each_layout
def test_transform_of_one_a_batch_and_a_list(layout):
    step = T.YUVToRGB(layout)
    images = [frame(14, 12), frame(14, 12, 1), frame(30, 4), frame(2, 50)]
    expected = [by_opencv(image, layout) for image in images]
    np.testing.assert_array_equal(step(images[0]), expected[0])
    np.testing.assert_array_equal(step(np.stack(images[:2])), expected[:2])
    np.testing.assert_array_equal(jax.jit(jax.vmap(step))(np.stack(images[:2])), expected[:2])
    mixed = step(images)
    assert isinstance(mixed, PaddedImages)
    assert mixed.sizes.tolist() == [[14, 12], [14, 12], [30, 4], [2, 50]]
    for pixels, alone in zip(mixed.pixels, expected, strict=True):
        np.testing.assert_array_equal(pixels[: alone.shape[0], : alone.shape[1]], alone)


def test_transform_keeps_boxes_and_cuts_the_mask():
    image, box = frame(4, 6), np.array([[1.0, 0.0, 5.0, 4.0]], np.float32)
    mask = np.arange(36, dtype=np.int32).reshape(6, 6)
    step = T.Compose([T.YUVToRGB("nv12"), T.HorizontalFlip()])
    result = step(Sample(image, boxes=box, mask=mask))
    np.testing.assert_array_equal(result.image, by_opencv(image, "nv12")[:, ::-1])
    np.testing.assert_array_equal(result.mask, mask[:4, ::-1])
    assert np.asarray(result.boxes).tolist() == [[1.0, 0.0, 5.0, 4.0]]
    assert step.inverse(box, size=(6, 6)).tolist() == [[1.0, 0.0, 5.0, 4.0]]


def test_transform_knows_its_size_and_takes_an_empty_batch():
    step = T.Compose([T.YUVToRGB("i420"), T.Resize((8, 9))])
    assert T.YUVToRGB("i420").output_size(720, 640) == (480, 640)
    assert step(np.stack([frame(4, 6)])[:0]).shape == (0, 8, 9, 3)
    assert T.Transform.from_config({"type": "YUVToRGB", "layout": "i420"}) == T.YUVToRGB("i420")


@pytest.mark.parametrize("shape", [(7, 4, 1), (6, 5, 1), (8, 4, 1)])
def test_sizes_that_hold_no_frame_are_refused(shape):
    expected = "must divide by 3 and the width by 2.\n  Received: .*\n  Fix: pass h \\* 3 / 2 rows"
    image = np.zeros(shape, np.uint8)
    with pytest.raises(ImageError, match=expected):
        yuv_to_rgb(image, layout="nv12")
    with pytest.raises(ImageError, match=expected):
        T.YUVToRGB("nv12")([image, frame(4, 4)])


@pytest.mark.parametrize("image", [np.zeros((6, 4, 3), np.uint8), np.zeros((6, 4, 1), np.float32)])
def test_other_images_are_refused(image):
    with pytest.raises(ImageError, match=r"uint8 of one channel.\n  Received: \(6, 4"):
        yuv_to_rgb(image, layout="nv12")
    with pytest.raises(ConfigError, match="layout must be known"):
        yuv_to_rgb(image, layout="yv12")
