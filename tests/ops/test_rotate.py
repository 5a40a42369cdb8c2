"""Turning against Pillow as installed: canvases, angles at run time, batches, export, derivatives."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from e2e_jax.errors import ConfigError
from e2e_jax.ops.canvas import expanded_bound, expanded_size
from e2e_jax.ops.matrices import rotation
from e2e_jax.ops.rotate import rotate
from e2e_jax.ops.warp import warp

H, W = 41, 57
FILL = (200, 3, 77)
RESAMPLE = {"nearest": Image.NEAREST, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}
each_method = pytest.mark.parametrize("method", list(RESAMPLE))


def picture(height: int = H, width: int = W, channels: int = 3) -> np.ndarray:
    return (
        np.random.default_rng(height * width + channels)
        .integers(0, 256, (height, width, channels))
        .astype(np.uint8)
    )


def double(matrix: np.ndarray) -> jax.Array:
    """As an argument that stays float64."""
    with jax.enable_x64(True):
        return jnp.asarray(matrix)


@functools.cache
def warper(extent: tuple[int, int], method: str):
    """One compiled program for every matrix."""
    return jax.jit(lambda x, m: warp(x, matrix=m, size=extent, method=method, fill=FILL))


TURNS = [0, 30, 45, 90, 180, 225, 270, -33.3, 359.9, 3.6e7 + 33.3]


@each_method
@pytest.mark.parametrize("extent", [(H, W), (44, 44)])
def test_rotation_is_bit_exact_with_pillow(method, extent):
    image = picture(*extent)
    for angle in TURNS:
        for center in (None, (10, 20.5)):
            matrix = rotation(extent, angle=angle, center=center)
            turned = Image.fromarray(image).rotate(angle, RESAMPLE[method], center=center, fillcolor=FILL)
            ours = warper(extent, method)(image, double(matrix))
            np.testing.assert_array_equal(ours, turned, err_msg=f"{angle=}, {center=}")


@each_method
def test_rotate_is_bit_exact_with_pillow_for_traced_angles(method):
    image, turn = picture(), jax.jit(lambda x, a: rotate(x, angle=a, method=method, fill=FILL))
    for angle in (0.0, 90.0, 180.0, -33.25, 12.625, 301.5):
        turned = Image.fromarray(image).rotate(angle, RESAMPLE[method], fillcolor=FILL)
        np.testing.assert_array_equal(turn(image, jnp.float32(angle)), turned, err_msg=f"{angle=}")


@pytest.mark.parametrize(
    ("angle", "method", "center"),
    [(33, "bilinear", None), (90, "nearest", None), (-120.5, "nearest", None), (70, "bilinear", (9, 5.25))],
)
def test_rotate_expands_as_pillow_does(angle, method, center):
    image = picture(width=58)  # odd and even: a quarter turn would round, were it calculated
    turned = Image.fromarray(image).rotate(angle, RESAMPLE[method], expand=True, center=center, fillcolor=FILL)
    turn = jax.jit(lambda x: rotate(x, angle=angle, method=method, expand=True, center=center, fill=FILL))
    ours = turn(image)
    np.testing.assert_array_equal(ours, turned)


def test_batches_and_vmap_give_what_single_images_give():
    images = np.stack([picture(), picture()[::-1]])
    angles = jnp.array([20.0, -50.0], jnp.float32)
    turn = jax.jit(lambda x, a: rotate(x, angle=a, method="bilinear"))
    each = np.stack([turn(x, a) for x, a in zip(images, angles, strict=True)])
    np.testing.assert_array_equal(jax.jit(jax.vmap(turn))(images, angles), each)
    np.testing.assert_array_equal(turn(images, angles[0])[0], each[0])
    np.testing.assert_array_equal(rotate(images[0], angle=angles[0], method="bilinear"), each[0])  # not compiled
    assert turn(images[:0], angles[0]).shape == (0, H, W, 3)


@pytest.mark.parametrize("method", ["nearest", "bilinear"])
def test_export_serves_every_size(method):
    batch, height, width = jax.export.symbolic_shape("b, h, w")
    turn = jax.vmap(lambda x, a: rotate(x, angle=a, method=method, fill=FILL))
    shapes = jax.ShapeDtypeStruct((batch, height, width, 3), jnp.uint8), jax.ShapeDtypeStruct((batch,), jnp.float32)
    program = jax.export.deserialize(jax.export.export(jax.jit(turn))(*shapes).serialize())
    for extent in ((19, 30), (33, 8)):
        images = np.stack([picture(*extent)] * 2)
        turned = program.call(images, jnp.array([15.0, 200.0], jnp.float32))
        for image, angle, ours in zip(images, (15, 200), turned, strict=True):
            theirs = Image.fromarray(image).rotate(angle, RESAMPLE[method], fillcolor=FILL)
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("numerics", "method"), [("pillow", "bilinear"), ("pillow", "bicubic"), ("torch", "bilinear")]
)
def test_derivatives_are_those_of_finite_differences(numerics, method):
    image = jnp.asarray(picture(12, 14, 1).astype(np.float32) / 255)
    weight = np.random.default_rng(3).normal(size=(12, 14, 1)).astype(np.float32)

    @jax.jit
    def loss(x, angle):
        return (rotate(x, angle=angle, method=method, numerics=numerics) * weight).sum()

    angle, step = jnp.float32(20.3), 1e-2
    by_image, by_angle = jax.jit(jax.grad(loss, (0, 1)))(image, angle)
    direction = weight[::-1]
    numeric = (loss(image + step * direction, angle) - loss(image - step * direction, angle)) / (2 * step)
    np.testing.assert_allclose((by_image * direction).sum(), numeric, rtol=2e-3)
    numeric = (loss(image, angle + step) - loss(image, angle - step)) / (2 * step)
    np.testing.assert_allclose(by_angle, numeric, rtol=3e-2)


def test_nearest_has_no_derivative_by_the_angle_and_the_weights_by_the_image():
    image = picture(12, 14, 1).astype(np.float32)
    loss = jax.jit(lambda x, angle: (rotate(x, angle=angle, method="nearest") * jnp.arange(14.0)[:, None]).sum())
    by_image, by_angle = jax.jit(jax.grad(loss, (0, 1)))(image, jnp.float32(180.0))
    assert by_angle == 0
    np.testing.assert_array_equal(by_image[..., 0], np.tile(np.arange(14.0)[::-1], (12, 1)))


def test_expand_needs_an_angle_known_now():
    with pytest.raises(ConfigError, match="expand"):
        jax.jit(lambda a: rotate(picture(), angle=a, expand=True))(30.0)


def test_expanding_in_a_slot_for_any_size_and_angle():
    slots = np.stack([picture(24, 31), picture(31, 24)[:24, :24].repeat(2, 1)[:, :31]])
    sizes, angles = jnp.array([[24, 31], [13, 19]], jnp.int32), jnp.array([10.0, 130.0], jnp.float32)
    bound = expanded_bound((24, 31))

    def turn(x, size, angle):
        extent = size[0], size[1]
        output = expanded_size(extent, angle=angle)
        matrix = rotation(extent, angle=angle, output=output)[:2]
        return warp(x, matrix=matrix, size=bound, source_size=extent), jnp.stack(output)

    turned, outputs = jax.jit(jax.vmap(turn))(slots, sizes, angles)
    for slot, size, angle, ours, (h, w) in zip(slots, sizes, angles, turned, outputs, strict=True):
        image = Image.fromarray(slot[: size[0], : size[1]])
        np.testing.assert_array_equal(ours[:h, :w], image.rotate(float(angle), Image.BILINEAR, expand=True))
