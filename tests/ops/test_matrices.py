"""Maps of the plane against OpenCV, NumPy and torchvision; the canvas of a turned image against Pillow."""

from __future__ import annotations

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from e2e_jax.errors import ConfigError
from e2e_jax.ops.canvas import expanded_bound, expanded_size
from e2e_jax.ops.matrices import affine, compose, invert, move_boxes, move_points, perspective, rotation

EXTENT = (61, 133)
START = np.array([[0, 0], [132, 0], [132, 60], [0, 60]])
END = np.array([[7, 4], [124, 2], [130, 53], [2, 56]])


@pytest.mark.parametrize("angle", [0, 33.3, 90, -120, 400])
@pytest.mark.parametrize("center", [None, (10, 20.5)])
def test_rotation_undoes_that_of_opencv(angle, center):
    forward = cv2.getRotationMatrix2D(center or (EXTENT[1] / 2, EXTENT[0] / 2), angle, 1)
    both = compose(rotation(EXTENT, angle=angle, center=center), np.vstack([forward, [0, 0, 1]]))
    np.testing.assert_allclose(both, np.eye(3), rtol=0, atol=1e-12)


def test_rotation_moves_the_image_to_the_middle_of_its_canvas():
    size = expanded_size(EXTENT, angle=33)
    matrix = rotation(EXTENT, angle=33, output=size)
    np.testing.assert_allclose(matrix @ [size[1] / 2, size[0] / 2, 1], [EXTENT[1] / 2, EXTENT[0] / 2, 1])


def step_by_step(angle, translate, scale, shear, center):
    """Source to output in the words of torchvision: T * C * R * S * SHy * SHx * C^-1."""
    turn, along_x, along_y = np.radians([angle, *shear])
    cos, sin = np.cos(turn), np.sin(turn)
    move, to, back = np.eye(3), np.eye(3), np.eye(3)
    move[:2, 2], to[:2, 2], back[:2, 2] = translate, center, np.negative(center)
    turned, scaled = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]), np.diag([scale, scale, 1])
    shear_x = np.array([[1, -np.tan(along_x), 0], [0, 1, 0], [0, 0, 1]])
    shear_y = np.array([[1, 0, 0], [-np.tan(along_y), 1, 0], [0, 0, 1]])
    return move @ to @ turned @ scaled @ shear_y @ shear_x @ back


@pytest.mark.parametrize("center", [None, (3.0, 40.5)])
def test_affine_is_the_inverse_of_its_steps(center):
    numbers = {"angle": -17.0, "translate": (6, -4), "scale": 1.3, "shear": (8.0, -5.0)}
    forward = step_by_step(*numbers.values(), center or (EXTENT[1] / 2, EXTENT[0] / 2))
    np.testing.assert_allclose(affine(EXTENT, center=center, **numbers), np.linalg.inv(forward), atol=1e-12)


def test_perspective_is_that_of_opencv():
    theirs = cv2.getPerspectiveTransform(END.astype(np.float32), START.astype(np.float32))
    ours = perspective(START, end=END)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    assert (ours == ours.astype(np.float32)).all()  # torchvision hands the coefficients on as float32
    np.testing.assert_allclose(move_points(START, matrix=ours), END, rtol=0, atol=1e-3)


TRACED = {
    "rotation": lambda a: rotation(EXTENT, angle=a * 33, center=(a, 5.0)),
    "canvas": lambda a: rotation(EXTENT, angle=a * 33, output=(90, a * 100)),
    "affine": lambda a: affine(EXTENT, angle=a * 10, translate=(a, 2), scale=a, shear=(a, 3)),
    "perspective": lambda a: perspective(START.astype(np.float32) * a, end=END),
    "inverse": lambda a: invert(perspective(START, end=END.astype(np.float32) * a)),
    "composition": lambda a: compose(rotation(EXTENT, angle=a * 33), affine(EXTENT, scale=2.0)),
}


@pytest.mark.parametrize("name", list(TRACED))
def test_traced_numbers_make_the_same_matrix(name):
    traced = jax.jit(lambda a: TRACED[name](a))(jnp.float32(1.25))
    plain = TRACED[name](1.25)
    assert traced.dtype == plain.dtype == np.float64
    np.testing.assert_allclose(traced, plain, rtol=1e-7, atol=1e-12)


def test_inverse_gives_back_where_points_came_from():
    matrix = perspective(START, end=END)
    points = np.random.default_rng(1).uniform(0, 60, (7, 2)).astype(np.float32)
    there = move_points(points, matrix=matrix)
    np.testing.assert_allclose(move_points(there, matrix=invert(matrix)), points, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["wide", "tall", "square"])
def test_boxes_and_points_turn_as_in_torchvision(name, stored):
    arrays = stored("torchvision_warp")
    extent = arrays[f"{name}/image"].shape[:2]
    matrix = rotation(extent, angle=33)
    boxes = move_boxes(arrays[f"{name}/boxes"], matrix=matrix, extent=extent)
    np.testing.assert_allclose(boxes, arrays[f"{name}/boxes_rotate_33"], rtol=0, atol=5e-5)
    points = move_points(arrays[f"{name}/points"], matrix=matrix)
    np.testing.assert_allclose(points, arrays[f"{name}/points_rotate_33"], rtol=0, atol=5e-5)


def test_whole_numbers_become_float32_and_batches_keep_their_shape():
    boxes = np.array([[[0, 0, 2, 1]], [[1, 0, 2, 2]]])
    moved = move_boxes(boxes, matrix=rotation((2, 2), angle=90))
    assert moved.dtype == np.float32
    assert moved.tolist() == [[[0, 0, 1, 2]], [[0, 0, 2, 1]]]


ANGLES = (0, 0.5, 33, 45, 89.9, 90, 180, -120.5, 270, 500)


@pytest.mark.parametrize("extent", [(61, 133), (40, 40), (7, 300)])
def test_expanded_size_is_that_of_pillow(extent):
    image = Image.new("L", extent[::-1])
    bound = expanded_bound(extent)
    for angle in ANGLES:
        theirs = image.rotate(angle, expand=True).size[::-1]
        assert expanded_size(extent, angle=angle) == theirs
        assert theirs[0] <= bound[0] >= theirs[1]
        theirs = image.rotate(angle, expand=True, center=(3, 4.25)).size[::-1]
        assert expanded_size(extent, angle=angle, center=(3, 4.25)) == theirs


def test_expanded_size_is_that_of_torchvision(stored):
    arrays = stored("torchvision_warp")
    for name in ("wide", "tall"):
        size = arrays[f"{name}/float_rotate_33_expand_nearest"].shape[:2]
        assert expanded_size(arrays[f"{name}/image"].shape[:2], angle=33, numerics="torch") == size
    assert expanded_size((7, 300), angle=-90, numerics="torch") == (300, 7)


@pytest.mark.parametrize("numerics", ["pillow", "torch"])
def test_expanded_size_at_run_time(numerics):
    traced = jax.jit(lambda h, w, a: expanded_size((h, w), angle=a, numerics=numerics))
    for angle in (33.0, -120.5, 270.0):
        height, width = traced(jnp.int32(61), jnp.int32(133), jnp.float32(angle))
        assert height.dtype == np.int32
        assert (int(height), int(width)) == expanded_size(EXTENT, angle=angle, numerics=numerics)


def test_expanded_bound_of_symbolic_sizes_holds_for_every_size():
    h, w = jax.export.symbolic_shape("h, w")
    bound, _ = expanded_bound((h, w))
    assert bound - h - w == 1


def test_what_cannot_be_is_refused():
    with pytest.raises(ConfigError, match="expand"):
        expanded_size(EXTENT, angle=3, numerics="opencv")
    with pytest.raises(ConfigError, match="four points"):
        perspective(START[:3], end=END)
    with pytest.raises(ConfigError, match="canvas"):
        jax.jit(lambda n: expanded_bound((n, 5)))(3)


def test_derivatives_pass_compiled_functions():
    points = np.array([[20.0, 10.0], [90.0, 44.0]], np.float32)

    @jax.jit
    def spread(a):
        matrix = compose(
            perspective(START, end=END.astype(np.float32) + a * START.astype(np.float32) / 50),
            affine(EXTENT, angle=a * 30, shear=(a, 2)),
        )
        return move_points(points, matrix=compose(matrix, rotation(EXTENT, angle=a * 9))).std()

    a, step = jnp.float32(0.3), 1e-2
    numeric = (spread(a + step) - spread(a - step)) / (2 * step)
    np.testing.assert_allclose(jax.jit(jax.grad(spread))(a), numeric, rtol=1e-2)
