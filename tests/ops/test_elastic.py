"""Elastic deformation: the field and the reading against OpenCV's Gaussian and remap, points back and forth."""

from __future__ import annotations

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from e2e_jax.errors import ConfigError
from e2e_jax.ops.elastic import elastic, elastic_boxes, elastic_displacement, elastic_points

H, W = 45, 64
FLAGS = {"nearest": cv2.INTER_NEAREST, "bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}


def picture() -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (H, W, 3)).astype(np.uint8)


def noise(height: int = H, width: int = W) -> np.ndarray:
    return np.random.default_rng(8).uniform(-1, 1, (height, width, 2)).astype(np.float32)


def smoothed(field: np.ndarray, sigma: tuple[float, float], axis: int) -> np.ndarray:
    """OpenCV's own Gaussian, as wide as torchvision cuts it."""
    if sigma[axis] == 0:
        return field
    taps = int(8 * sigma[axis] + 1) | 1
    across, down = (cv2.getGaussianKernel(taps, s) for s in sigma)
    return cv2.sepFilter2D(field, cv2.CV_32F, across, down, borderType=cv2.BORDER_REFLECT_101)


@pytest.mark.parametrize(
    ("alpha", "sigma"),
    [((50.0, 50.0), (5.0, 5.0)), ((30.0, 7.0), (2.3, 1.2)), ((9.0, 9.0), (0.4, 3.0)), ((9.0, 9.0), (0.0, 0.0))],
)
def test_displacement_is_a_gaussian_of_the_noise(alpha, sigma):
    ours = elastic_displacement(noise(), alpha=alpha, sigma=sigma)
    for axis in (0, 1):
        theirs = smoothed(noise()[..., axis], sigma, axis) * alpha[axis] / 2  # halves of the image -> pixels
        np.testing.assert_allclose(ours[..., axis], theirs, rtol=0, atol=2e-6 * alpha[axis])


def test_displacement_takes_numbers_and_sizes_at_run_time():
    slot = np.full((60, 70, 2), 1e3, np.float32)
    slot[:H, :W] = noise()

    @jax.jit
    def at_run_time(noise, alpha, sigma, size):
        return elastic_displacement(noise, alpha=alpha, sigma=sigma, source_size=(size[0], size[1]))

    ours = at_run_time(slot, 20.0, 2.5, jnp.array([H, W], jnp.int32))
    assert np.isfinite(ours).all()
    np.testing.assert_allclose(
        ours[:H, :W], elastic_displacement(noise(), alpha=20.0, sigma=2.5), rtol=0, atol=2e-5
    )


@pytest.mark.parametrize("numerics", ["pillow", "torch", "opencv"])
@pytest.mark.parametrize("method", ["nearest", "bilinear"])
def test_no_displacement_changes_nothing(numerics, method):
    still = np.zeros((H, W, 2), np.float32)
    np.testing.assert_array_equal(
        elastic(picture(), displacement=still, method=method, numerics=numerics), picture()
    )


@pytest.mark.parametrize("numerics", ["pillow", "torch", "opencv"])
def test_one_displacement_for_all_is_a_crop(numerics):
    shift = np.broadcast_to(np.array([5, -3], np.float32), (H, W, 2))
    moved = elastic(picture(), displacement=shift, numerics=numerics, fill=(1, 2, 3))
    np.testing.assert_array_equal(moved[3:, :-5], picture()[:-3, 5:])
    assert (np.asarray(moved)[:3] == (1, 2, 3)).all()


@pytest.mark.parametrize("method", list(FLAGS))
def test_elastic_follows_opencv_remap(method):
    field = np.asarray(elastic_displacement(noise(), alpha=120.0, sigma=4.0))
    rows, columns = np.mgrid[:H, :W].astype(np.float32)
    maps = columns + field[..., 0], rows + field[..., 1]
    theirs = cv2.remap(picture(), *maps, FLAGS[method], borderMode=cv2.BORDER_CONSTANT, borderValue=(9, 8, 7))
    ours = elastic(picture(), displacement=field, method=method, numerics="opencv", fill=(9, 8, 7))
    difference = np.abs(np.asarray(ours).astype(int) - theirs)
    assert difference.max() <= (0 if method == "nearest" else 1)
    assert (difference > 0).mean() <= 1e-3


def test_torch_and_opencv_read_floats_alike_inside_the_image():
    image = picture().astype(np.float32) / 255
    field = np.asarray(elastic_displacement(noise(), alpha=60.0, sigma=4.0))
    rows, columns = np.mgrid[:H, :W].astype(np.float32)
    theirs = cv2.remap(image, columns + field[..., 0], rows + field[..., 1], cv2.INTER_LINEAR)
    ours = elastic(image, displacement=field, numerics="torch", fill=None)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def test_points_move_with_the_picture():
    field = np.asarray(elastic_displacement(noise(), alpha=40.0, sigma=5.0))
    assert np.abs(np.diff(field, axis=1)).max() > 0.05  # not a trivial field
    rows, columns = np.mgrid[:H, :W].astype(np.float32) + np.float32(0.5)
    at_centres = np.stack([columns, rows], -1)[4:-4, 4:-4]
    sources = (at_centres + field[4:-4, 4:-4]).astype(np.float32)  # what those output pixels show
    found = elastic_points(sources, displacement=field)
    np.testing.assert_allclose(found, at_centres, rtol=0, atol=0.01)


def test_boxes_hold_their_moved_corners():
    shift = np.broadcast_to(np.array([2.5, -1.0], np.float32), (H, W, 2))
    boxes = np.array([[10, 5, 20, 15], [0, 0, 4, 4]], np.float32)
    moved = elastic_boxes(boxes, displacement=shift, extent=(H, W))
    np.testing.assert_allclose(moved, [[7.5, 6, 17.5, 16], [0, 1, 1.5, 5]])


def test_derivative_by_the_displacement_is_that_of_finite_differences():
    image = picture()[:12, :14].astype(np.float32) / 255
    field = np.asarray(elastic_displacement(noise(12, 14), alpha=20.0, sigma=2.0))
    weight = np.random.default_rng(3).normal(size=image.shape).astype(np.float32)

    @jax.jit
    def loss(field):
        return (elastic(image, displacement=field, fill=None) * weight).sum()

    direction, step = np.sign(noise(12, 14)[::-1]), np.float32(2e-3)
    numeric = (loss(field + step * direction) - loss(field - step * direction)) / (2 * step)
    np.testing.assert_allclose((jax.grad(loss)(field) * direction).sum(), numeric, rtol=2e-2)


def test_fields_of_another_size_and_single_numbers_are_refused():
    with pytest.raises(ConfigError, match="one displacement"):
        elastic(picture(), displacement=noise(H, W + 1))
    with pytest.raises(ConfigError, match="pairs"):
        elastic_displacement(noise()[..., :1])
