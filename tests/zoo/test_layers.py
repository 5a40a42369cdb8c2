"""The shared convolution unit against lax, and how kernels are drawn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax

from e2e_jax.zoo import layers
from e2e_jax.zoo.layers import ConvUnit, he_normal, torch_unit


@pytest.mark.parametrize(
    ("padding", "size", "pixels"),
    [("SAME", 8, (0, 1)), ("SAME", 9, (1, 1)), ("symmetric", 8, (1, 1)), ("symmetric", 9, (1, 1))],
)
def test_padding_is_tensorflows_or_torchs(padding, size, pixels):
    options = {"padding": padding, "momentum": 0.9, "epsilon": 1e-5, "activation": None}
    unit = ConvUnit((3, 4), kernel=3, stride=2, rngs=nnx.Rngs(0), **options)
    x = np.random.default_rng(0).normal(size=(1, size, size, 3)).astype(np.float32)
    layout = lax.conv_dimension_numbers(x.shape, (3, 3, 3, 4), ("NHWC", "HWIO", "NHWC"))
    by_lax = lax.conv_general_dilated(x, unit.conv.kernel[...], (2, 2), (pixels, pixels), dimension_numbers=layout)
    np.testing.assert_allclose(unit.conv(x), by_lax, atol=1e-6)


def test_torch_unit_normalises_as_batch_norm_2d_does():
    unit = torch_unit((2, 2), activation=jax.nn.relu, rngs=nnx.Rngs(0))
    x = np.random.default_rng(0).normal(1e-3, 2e-3, (4, 5, 5, 2)).astype(np.float32)  # variances near epsilon
    unit.conv.kernel[...] = jnp.eye(2)[None, None]
    mean, var = x.mean((0, 1, 2), np.float64), x.var((0, 1, 2), np.float64)
    np.testing.assert_allclose(unit(x), np.maximum((x - mean) / (var + 1e-5) ** 0.5, 0), atol=1e-4)
    np.testing.assert_allclose(unit.norm.mean[...], 0.1 * mean, rtol=1e-5)
    np.testing.assert_allclose(unit.norm.var[...], 0.9 + 0.1 * var, rtol=1e-5)


def test_he_normal_scales_by_fan_in():
    deep, flat_kernel = he_normal(jax.random.key(1), (5, 5, 1, 1152)), he_normal(jax.random.key(1), (1280, 10))
    assert abs(deep.std() / (2 / 25) ** 0.5 - 1) < 0.02
    assert abs(flat_kernel.std() / (2 / 1280) ** 0.5 - 1) < 0.02


def test_kernels_of_every_size_are_drawn_by_two_programs():
    layers._noise.clear_cache()
    for shape in ((3, 3, 512, 512), (3, 3, 512, 256), (2**18, 1), (2**18 + 1, 1), (7, 7, 3, 64), (1, 1)):
        kernel = he_normal(jax.random.key(0), shape)
        assert kernel.shape == shape
        assert bool((kernel != 0).all())
    assert layers._noise._cache_size() == 2


def test_program_does_not_change_the_numbers():
    small, large = he_normal(jax.random.key(0), (2**18, 1)), he_normal(jax.random.key(0), (2**18 + 1, 1))
    np.testing.assert_allclose(small, large[:-1], rtol=1e-5)
