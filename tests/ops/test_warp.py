"""Warping against installed Pillow and OpenCV and stored torchvision; padding, batches, export, derivatives."""

from __future__ import annotations

import functools

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from e2e_jax.errors import ConfigError, ImageError
from e2e_jax.ops import matrices
from e2e_jax.ops.rotate import affine, perspective, rotate
from e2e_jax.ops.sampling import sample
from e2e_jax.ops.warp import warp

H, W = 41, 57
FILL = (200, 3, 77)
RESAMPLE = {"nearest": Image.NEAREST, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}
FLAGS = {"nearest": cv2.INTER_NEAREST, "bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}
MODES = {1: "L", 3: "RGB", 4: "CMYK"}
each_method = pytest.mark.parametrize("method", list(RESAMPLE))

AFFINE = {
    "turned": [[0.8, -0.6, 14.3], [0.6, 0.8, -9.1], [0, 0, 1]],
    "sheared": [[1.7, 0.4, -20.1], [-0.9, -0.7, 60.0], [0, 0, 1]],
    "diagonal": [[0.5, -0.5, 20.5], [0.5, 0.5, 2.5], [0, 0, 1]],  # every second position on an edge of pixels
    "enlarged": [[1 / 3, 0, 2], [0, 0.4, 3], [0, 0, 1]],
    "mirrored": [[-1, 0, W], [0, 1, 0], [0, 0, 1]],
    "moved": [[1, 0, -2.25], [0, 1, 3.5], [0, 0, 1]],
    "far": [[1394.6, 0.5, -687], [0.01, 0.8, 1], [0, 0, 1]],  # 16.16 fixed point would come round again
}
PROJECTIVE = {
    "leaning": [[0.9, 0.1, 2], [-0.05, 1.1, 3], [0.004, -0.002, 1]],
    "horizon": [[1, 0, 0], [0, 1, 0], [0, -0.08, 1]],  # the depth of one row is 0
    "scaled": [[1.8, 0.2, 4], [-0.1, 2.2, 6], [0.008, -0.004, 2]],  # a last element other than 1
    "tripled": [[1.038, -1.346, 40.25], [1.346, 1.038, -30.125], [0, 0, 3]],  # affine all the same
}


def picture(height: int = H, width: int = W, channels: int = 3) -> np.ndarray:
    return (
        np.random.default_rng(height * width + channels)
        .integers(0, 256, (height, width, channels))
        .astype(np.uint8)
    )


def by_pillow(image: np.ndarray, matrix: list, size: tuple[int, int], method: str, fill: tuple) -> np.ndarray:
    m = np.asarray(matrix, np.float64) / matrix[2][2]
    kind = Image.Transform.AFFINE if tuple(m[2]) == (0, 0, 1) else Image.Transform.PERSPECTIVE
    source = Image.frombytes(MODES[image.shape[-1]], image.shape[1::-1], image.tobytes())
    fill = fill[0] if image.shape[-1] == 1 else fill
    moved = source.transform(size[::-1], kind, m.ravel()[:8].tolist(), RESAMPLE[method], fillcolor=fill)
    return np.asarray(moved).reshape(*size, -1)


def double(matrix: object) -> jax.Array:
    with jax.enable_x64(True):
        return jnp.asarray(np.asarray(matrix, np.float64))


@functools.cache
def warper(size: tuple[int, int], method: str, numerics: str, fill: tuple | None = FILL):
    """One compiled program for every matrix."""
    return jax.jit(lambda x, m: warp(x, matrix=m, size=size, method=method, numerics=numerics, fill=fill))


@each_method
def test_warp_is_bit_exact_with_pillow_for_traced_matrices(method):
    image, size = picture(), (47, 50)
    for name, matrix in (AFFINE | PROJECTIVE).items():
        ours = warper(size, method, "pillow")(image, double(matrix))
        np.testing.assert_array_equal(ours, by_pillow(image, matrix, size, method, FILL), err_msg=name)


@each_method
@pytest.mark.parametrize("name", ["turned", "enlarged", "far", "leaning", "tripled"])
def test_warp_is_bit_exact_with_pillow_for_matrices_known_now(name, method):
    image, matrix = picture(), (AFFINE | PROJECTIVE)[name]
    ours = jax.jit(lambda x: warp(x, matrix=np.asarray(matrix), size=(30, 44), method=method, fill=FILL))(image)
    np.testing.assert_array_equal(ours, by_pillow(image, matrix, (30, 44), method, FILL))


@pytest.mark.parametrize("channels", [1, 4])
def test_warp_packs_any_number_of_channels(channels):
    image, fill = picture(channels=channels), (9, 8, 7, 6)[:channels]
    ours = warper((H, W), "bilinear", "pillow", fill)(image, double(AFFINE["turned"]))
    np.testing.assert_array_equal(ours, by_pillow(image, AFFINE["turned"], (H, W), "bilinear", fill))
    five = np.concatenate([image] * 5, -1)
    in_words = warper((H, W), "bilinear", "pillow", fill * 5)(five, double(AFFINE["turned"]))
    np.testing.assert_array_equal(in_words, np.concatenate([ours] * 5, -1))


@each_method
def test_float_warp_is_pillows_mode_f_within_rounding(method):
    image = picture(channels=1).astype(np.float32) / 255
    for matrix in (AFFINE["turned"], PROJECTIVE["leaning"]):
        m = np.asarray(matrix, np.float64)
        kind = Image.Transform.AFFINE if m[2, 0] == 0 else Image.Transform.PERSPECTIVE
        source = Image.fromarray(image[..., 0])
        theirs = source.transform((50, 47), kind, m.ravel()[:8].tolist(), RESAMPLE[method], fillcolor=0.25)
        ours = warper((47, 50), method, "pillow", (0.25,))(image, double(matrix))
        np.testing.assert_allclose(ours[..., 0], np.asarray(theirs), rtol=0, atol=1e-6)


def moved_by_torchvision(operation: str, image: np.ndarray, mode: str) -> np.ndarray:
    how, (h, w) = {"method": mode, "numerics": "torch", "fill": None}, image.shape[:2]
    start, end = [[0, 0], [w - 1, 0], [w - 1, h - 1], [0, h - 1]], [[7, 4], [w - 9, 2], [w - 3, h - 8], [2, h - 5]]
    shape = {"angle": -17.0, "translate": (6, -4), "scale": 1.3, "shear": (8.0, -5.0)}
    operations = {
        "rotate_33": lambda: rotate(image, angle=33.0, **how),
        "rotate_33_expand": lambda: rotate(image, angle=33.0, expand=True, **how),
        "affine": lambda: affine(image, **shape, **how),
        "perspective": lambda: perspective(image, start=start, end=end, **how),
    }
    return np.asarray(jax.jit(operations[operation])())


CASES = [
    *(f"wide/float_{o}" for o in ("rotate_33_nearest", "rotate_33_bilinear", "rotate_33_expand_nearest")),
    *(f"tall/float_{o}" for o in ("rotate_33_expand_nearest", "rotate_33_expand_bilinear", "affine_nearest")),
    *(f"square/float_{o}" for o in ("rotate_33_bilinear", "affine_bilinear", "perspective_nearest")),
    *("wide/float_perspective_bilinear", "tall/float_affine_bilinear", "square/float_perspective_bilinear"),
]


@pytest.mark.parametrize("case", CASES)
def test_warp_follows_torchvision(case, stored):
    arrays = stored("torchvision_warp")
    name, operation = case.split("/float_")
    operation, _, mode = operation.rpartition("_")
    ours = moved_by_torchvision(operation, arrays[f"{name}/image"].astype(np.float32) / np.float32(255), mode)
    assert ours.shape == arrays[case].shape
    apart = np.abs(ours - arrays[case]) > 5e-5
    ties = 1 if case == "square/float_perspective_nearest" else 0  # a position within float32 rounding of a tie
    assert apart.any(-1).sum() <= ties


def test_torch_blends_with_the_fill_once_more():
    ones, matrix = np.ones((9, 9, 1), np.float32), double([[1, 0, 0.25], [0, 1, 0], [0, 0, 1]])
    black, filled = (warper((9, 9), "bilinear", "torch", fill)(ones, matrix) for fill in (None, (0.5,)))
    np.testing.assert_allclose(black[0, -2:, 0], [1, 0.75])  # torch: zeros beyond the edge
    np.testing.assert_allclose(filled[0, -2:, 0], [1, (0.75 - 0.5) * 0.75 + 0.5])  # _apply_grid_transform


@pytest.mark.parametrize("numerics", ["pillow", "torch", "opencv"])
@each_method
def test_positions_out_of_reach_are_outside(numerics, method):
    x = np.array([[np.inf, -np.inf, np.nan, 3e20, -3e20, 5.0]], np.float32)
    method = "bilinear" if numerics == "torch" and method == "bicubic" else method
    read = sample(picture(), x=x, y=np.full((1, 6), 4.0, np.float32), method=method, fill=FILL, numerics=numerics)
    assert (np.asarray(read)[0, :5] == FILL).all()
    assert (np.asarray(read)[0, 5] != FILL).any()


def test_torch_rounds_bytes_half_to_even():
    image = np.array([[[0], [1], [2], [3]]], np.uint8)
    half_way = sample(image, x=np.array([[0.5, 1.5]]), y=np.zeros((1, 2)), numerics="torch")
    assert half_way.ravel().tolist() == [0, 2]  # of 0.5 and 1.5


def by_opencv(image: np.ndarray, matrix: np.ndarray, size: tuple[int, int], method: str) -> np.ndarray:
    how = {"flags": FLAGS[method] | cv2.WARP_INVERSE_MAP, "borderValue": FILL}
    if tuple(matrix[2]) == (0, 0, 1):
        return cv2.warpAffine(image, matrix[:2], size[::-1], **how)
    return cv2.warpPerspective(image, matrix, size[::-1], **how)


@each_method
def test_warp_follows_opencv(method):
    image, size = picture(), (47, 64)
    centre, edge = np.eye(3), np.eye(3)
    centre[:2, 2], edge[:2, 2] = 0.5, -0.5
    apart = total = 0
    for name in ("turned", "sheared", "enlarged", "mirrored", "leaning"):
        matrix = np.asarray((AFFINE | PROJECTIVE)[name], np.float64)  # from centre to centre, as OpenCV counts
        ours = warper(size, method, "opencv")(image, double(centre @ matrix @ edge))
        difference = np.abs(np.asarray(ours).astype(int) - by_opencv(image, matrix, size, method))
        assert method == "nearest" or difference.max() <= 1, name
        apart, total = apart + (difference > 0).sum(), total + difference.size
    assert apart / total <= 1e-3


@pytest.mark.parametrize("numerics", ["pillow", "torch", "opencv"])
@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_padding_never_shows(numerics, kind):
    image, matrix = picture(23, 31), double(AFFINE["turned"])
    image = image.astype(kind)
    slot = np.full((40, 40, 3), 255, kind)
    slot[:23, :31] = image
    in_slot = jax.jit(
        lambda x, s: warp(x, matrix=matrix, size=(30, 34), numerics=numerics, source_size=(s[0], s[1]))
    )
    tight = warper((30, 34), "bilinear", numerics, (0,))(image, matrix)
    rounding = 0 if kind == "uint8" else 1e-4  # of 255: two programs, fused in two ways
    np.testing.assert_allclose(in_slot(slot, jnp.array([23, 31], jnp.int32)), tight, rtol=0, atol=rounding)


def test_nearest_copies_masks_of_any_dtype():
    mask = np.arange(12, dtype=np.int32).reshape(3, 4, 1) - 5
    matrix = matrices.rotation((3, 4), angle=180)
    turned = warp(mask, matrix=matrix, size=(3, 5), method="nearest", fill=(-9,))
    np.testing.assert_array_equal(turned[:, :4], mask[::-1, ::-1])
    assert (turned[:, 4] == -9).all()


def test_derivatives_are_finite_at_the_horizon():
    image = picture(20, 20, 1).astype(np.float32)
    loss = jax.jit(lambda m: warp(image, matrix=m, size=(20, 20)).sum())
    slope = jax.jit(jax.grad(loss))(jnp.asarray(PROJECTIVE["horizon"], jnp.float32))
    assert np.isfinite(slope).all()
    assert np.abs(slope).max() > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"numerics": "tf"}, "numerics must be one of"),
        ({"numerics": "torch", "method": "bicubic"}, "there is"),
        ({"method": "lanczos"}, "there is"),
        ({"matrix": np.eye(4)}, "matrix must be"),
    ],
)
def test_what_does_not_exist_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        warp(picture(), **({"matrix": np.eye(3), "size": (H, W)} | arguments))


def test_weighing_refuses_whole_numbers_and_strange_fills():
    with pytest.raises(ImageError, match="uint8"):
        warp(picture().astype(np.int32), matrix=np.eye(3), size=(H, W))
    with pytest.raises(ImageError, match="Fill"):
        warp(picture(), matrix=np.eye(3), size=(H, W), fill=(1, 2))
