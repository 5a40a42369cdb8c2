"""The depthwise convolution against XLA's own, on every size, stride and platform."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from e2e_jax.zoo.depthwise import depthwise_conv


def convolve(x, kernel, stride, convolution):
    layout = lax.conv_dimension_numbers(x.shape, kernel.shape, ("NHWC", "HWIO", "NHWC"))
    options = {"dimension_numbers": layout, "feature_group_count": x.shape[-1]}
    return convolution(x, kernel, (stride, stride), "SAME", **options)


@pytest.mark.parametrize("size", [(7, 7), (8, 5), (1, 2)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [3, 5])
def test_depthwise_conv_matches_xla_and_so_do_its_gradients(size, stride, side):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, *size, 4)).astype(np.float32)
    kernel = rng.normal(size=(side, side, 1, 4)).astype(np.float32)

    def run(convolution):
        def loss(x, kernel):
            y = convolve(x, kernel, stride, convolution)
            return jnp.sin(y).sum(), y

        return jax.jit(jax.grad(loss, (0, 1), has_aux=True))(x, kernel)

    jax.tree.map(
        lambda ours, xla: np.testing.assert_allclose(ours, xla, atol=2e-5),
        run(depthwise_conv),
        run(lax.conv_general_dilated),
    )


@pytest.mark.parametrize(("platform", "grouped"), [("cpu", False), ("cuda", True)])
def test_only_cpu_replaces_the_grouped_convolution(platform, grouped):
    x, kernel = jnp.zeros((1, 8, 8, 4)), jnp.zeros((3, 3, 1, 4))
    forward = jax.jit(lambda x, k: convolve(x, k, 1, depthwise_conv))
    text = jax.export.export(forward, platforms=[platform])(x, kernel).mlir_module()
    assert ("feature_group_count = 4" in text) == grouped
