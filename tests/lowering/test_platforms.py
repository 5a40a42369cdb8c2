"""On other platforms than CPU a network keeps XLA's convolutions, in float32; batches of any size fit."""

import re

import jax
import numpy as np
import pytest
from convolutions import assert_close
from jax import export, lax

from e2e_jax.lowering.lower import lower

RNG = np.random.default_rng(3)
X = RNG.standard_normal((3, 14, 14, 128)).astype(np.float32)
DEPTHWISE = RNG.standard_normal((3, 3, 1, 128)).astype(np.float32)
WIDE = RNG.standard_normal((3, 3, 128, 128)).astype(np.float32)
POINT = RNG.standard_normal((1, 1, 128, 128)).astype(np.float32)
DENSE = RNG.standard_normal((128, 5)).astype(np.float32)


def network(x):
    """A depthwise, a wide, and a pointwise convolution, pooling, and a dense layer."""
    for kernel, groups in ((DEPTHWISE, 128), (WIDE, 1), (POINT, 1)):
        options = {"dimension_numbers": ("NHWC", "HWIO", "NHWC"), "feature_group_count": groups}
        x = jax.nn.relu(lax.conv_general_dilated(x, kernel, (1, 1), "SAME", **options) * np.float32(0.1))
    x = lax.reduce_window(x, np.float32(-np.inf), lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return x.mean((1, 2)) @ DENSE


def stablehlo(function, platform):
    shape = jax.ShapeDtypeStruct(X.shape, X.dtype)
    return export.export(jax.jit(function), platforms=[platform])(shape).mlir_module()


def operations(text, name):
    return [line for line in text.splitlines() if f"stablehlo.{name}" in line and "=" in line]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_gpu_gets_every_convolution_and_a_cpu_none(precision):
    fast = lower(network, precision=precision)
    cpu, cuda = stablehlo(fast, "cpu"), stablehlo(fast, "cuda")
    assert len(operations(cuda, "convolution")) == 3
    assert len(operations(cuda, "reduce_window")) == 1
    assert len(operations(cuda, "dot_general")) == 1
    assert "bf16" not in "".join(operations(cuda, "convolution") + operations(cuda, "dot_general"))
    assert not operations(cpu, "convolution")
    assert not operations(cpu, "reduce_window")
    short = [line for line in operations(cpu, "dot_general") if "bf16" in line]
    assert len(operations(cpu, "dot_general")) == 3
    assert len(short) == (3 if precision == "bfloat16" else 0)


@pytest.mark.parametrize("asked", [None, "highest"])
def test_the_exactness_asked_of_a_gpu_stays(asked):
    with jax.default_matmul_precision(asked):
        cuda = stablehlo(lower(network), "cuda")
    lines = operations(cuda, "convolution") + operations(cuda, "dot_general")
    assert len(lines) == 4
    assert all(("HIGHEST" in line) == (asked is not None) for line in lines)


def test_one_export_for_both_platforms_takes_batches_of_any_size():
    shape = jax.ShapeDtypeStruct((*export.symbolic_shape("b"), *X.shape[1:]), X.dtype)
    exported = export.export(jax.jit(lower(network)), platforms=("cpu", "cuda"))(shape)
    restored = export.deserialize(exported.serialize())
    for batch in (1, 3):
        assert_close(restored.call(X[:batch]), jax.jit(network)(X[:batch]))


def test_symbolic_heights_keep_the_convolutions_as_they_are():
    def narrow(x):
        return network(x)

    shape = jax.ShapeDtypeStruct((*export.symbolic_shape("b, h, w"), 128), X.dtype)
    exported = export.export(jax.jit(lower(narrow)))(shape)
    text = exported.mlir_module()
    assert len(re.findall(r"stablehlo\.(?:dynamic_conv|convolution)", text)) == 3
    assert_close(exported.call(X[:1]), jax.jit(network)(X[:1]))
