"""Every kind of convolution gives what XLA's own operation gives, by every way there is."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime
import pytest
from convolutions import Case, assert_close, draw
from flax import nnx
from jax import lax
from onnx import helper

from e2e_jax.lowering.choose import Choices
from e2e_jax.lowering.convolution import Convolution, described
from e2e_jax.lowering.lower import lower
from e2e_jax.lowering.ways import WAYS

CASES = [draw(seed) for seed in range(120)]
TOGETHER = 15  # cases compiled as one program


def convolve(cases, lowered):
    """Results of cases; kernels that are constant are closed over."""

    def together(operands):
        return [
            case(x, case.kernel if case.constant else kernel)
            for case, (x, kernel) in zip(cases, operands, strict=True)
        ]

    return jax.jit(lower(together) if lowered else together)([(case.x, case.kernel) for case in cases])


def describe(case):
    [equation] = jax.make_jaxpr(lambda x, kernel: case(x, kernel))(case.x, case.kernel).jaxpr.eqns
    return described(case.x, case.kernel, equation.params)


@pytest.mark.parametrize("start", range(0, len(CASES), TOGETHER))
def test_random_convolutions_are_those_of_xla(start):
    cases = CASES[start : start + TOGETHER]
    results = zip(convolve(cases, True), convolve(cases, False), cases, strict=True)
    for n, (found, expected, case) in enumerate(results, start):
        assert_close(found, expected, note=f"draw({n}): {case.options}")


def test_the_random_convolutions_are_of_all_kinds():
    known = [c for c in map(describe, CASES) if c is not None]
    assert len(CASES) / 3 < len(known) < len(CASES) * 0.9
    assert {len(c.extents) for c in known} == {1, 2, 3}
    assert {len(case.x) for case in CASES} == {0, 1, 2, 3}
    assert sum(c.groups == c.inputs > 1 for c in known) > 10
    assert sum(c.groups == c.inputs > 1 and c.outputs > c.inputs for c in known) > 4
    assert sum(c.pointwise for c in known) > 2
    assert sum(WAYS["winograd"].fits(c) for c in known) > 2
    assert sum(c.groups not in (1, c.inputs) for c in known) > 4
    assert sum(set(c.dilation) != {1} for c in known) > 8
    assert sum(any(a != b for a, b in c.padding) for c in known) > 8
    used = Choices()
    for convolution in known:
        used(convolution, constant=True)
    assert set(used.made.values()) == {"native", "shifted", "patches"}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_that_fits_computes_the_convolution(way):
    fitting = [case for case in CASES if (c := describe(case)) and WAYS[way].fits(c) and math.prod(c.kernel) < 30]
    assert len(fitting) > 2
    assert_same_by(way, fitting[:20])


def assert_same_by(way, cases):
    """In one way, by one program."""

    def by_way(operands):
        for case, (x, kernel) in zip(cases, operands, strict=True):
            yield WAYS[way].run(x, WAYS[way].prepare(kernel, "float32"), describe(case), "float32")

    operands = [(case.x, case.kernel) for case in cases]
    found = jax.jit(lambda operands: list(by_way(operands)))(operands)
    expected = jax.jit(lambda operands: [c(*both) for c, both in zip(cases, operands, strict=True)])(operands)
    for one, other, case in zip(found, expected, cases, strict=True):
        assert_close(one, other, note=str(case.options))


SIDES = [(3, 3), (4, 7), (9, 6)]
BORDERS = [((0, 0), (0, 0)), ((1, 1), (1, 1)), ((0, 3), (2, 0))]


def test_winograd_tiles_cover_any_size_and_batch():
    rng = np.random.default_rng(1)
    kernel = rng.standard_normal((3, 3, 5, 6)).astype(np.float32)
    cases = []
    for sides, padding, batch in itertools.product(SIDES, BORDERS, (0, 2)):
        options = {"window_strides": (1, 1), "padding": padding, "dimension_numbers": HWIO}
        cases.append(Case(rng.standard_normal((batch, *sides, 5)).astype(np.float32), kernel, options, True))
    assert_same_by("winograd", cases)


HWIO = ("NHWC", "HWIO", "NHWC")


def test_by_rule_wide_constant_3_x_3_kernels_take_winograd_and_agree():
    rng = np.random.default_rng(0)
    x, kernel = (rng.standard_normal(n).astype(np.float32) for n in ((1, 15, 14, 128), (3, 3, 128, 128)))
    case = Case(x, kernel, {"window_strides": (1, 1), "padding": "SAME", "dimension_numbers": HWIO}, True)
    given = {}
    choices = Choices(given)
    assert choices(describe(case), constant=True) == "winograd"
    assert choices(describe(case), constant=False) == "native"
    program = jax.make_jaxpr(lower(lambda x: case(x, kernel)))(x)
    assert "conv_general_dilated" not in {e.primitive.name for e in program.jaxpr.eqns}
    assert_close(jax.jit(lower(lambda x: case(x, kernel)))(x), case(x, kernel))


LAYER = Convolution((20, 20), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), inputs=8, outputs=8)
RULES = {  # what differs from a narrow 3 x 3 layer of 20 x 20 pixels; the way in float32 and in bfloat16
    "narrow": ({}, "native", "native"),
    "16 channels": ({"inputs": 16}, "native", "patches"),
    "15 channels": ({"inputs": 15}, "native", "native"),
    "wide": ({"inputs": 128, "outputs": 128}, "winograd", "patches"),
    "few outputs": ({"inputs": 128, "outputs": 127}, "native", "patches"),
    "few inputs": ({"inputs": 127, "outputs": 128}, "native", "patches"),
    "few pixels": ({"inputs": 128, "outputs": 128, "extents": (14, 13)}, "native", "patches"),
    "enough pixels": ({"inputs": 128, "outputs": 128, "extents": (14, 14)}, "winograd", "patches"),
    "strided": ({"inputs": 128, "outputs": 128, "extents": (40, 40), "strides": (2, 2)}, "native", "patches"),
    "dilated": ({"inputs": 128, "outputs": 128, "dilation": (2, 2)}, "native", "patches"),
    "5 x 5": ({"inputs": 128, "outputs": 128, "kernel": (5, 5)}, "native", "patches"),
    "depthwise": ({"groups": 8}, "shifted", "shifted"),
    "four channels in a group": ({"groups": 2}, "shifted", "shifted"),
    "five channels in a group": ({"groups": 2, "inputs": 10}, "native", "native"),
    "one channel": ({"inputs": 1, "outputs": 1}, "native", "native"),
    "1 x 1": ({"kernel": (1, 1), "padding": ((0, 0), (0, 0))}, "patches", "patches"),
    "1 x 1, padded": ({"kernel": (1, 1)}, "native", "native"),
}


@pytest.mark.parametrize("kind", RULES)
def test_the_rule(kind):
    changes, exact, short = RULES[kind]
    convolution = Convolution(**(vars(LAYER) | changes))
    assert Choices()(convolution, constant=True) == exact
    assert Choices(precision="bfloat16")(convolution, constant=True) == short
    assert Choices({convolution: "patches"})(convolution, constant=True) == "patches"


def test_a_given_way_is_taken_by_that_convolution_alone():
    x, kernel = np.ones((1, 6, 6, 4), np.float32), np.ones((3, 3, 4, 4), np.float32)
    case = Case(x, kernel, {"window_strides": (1, 1), "padding": "VALID", "dimension_numbers": HWIO}, True)
    program = lower(lambda x: case(case(x, kernel), kernel), choices={describe(case): "patches"})
    names = [e.primitive.name for e in jax.make_jaxpr(program)(x).jaxpr.eqns]
    assert names.count("conv_general_dilated") == 1
    assert_close(program(x), case(case(x, kernel), kernel))


def test_operations_are_multiplications_and_additions():
    assert LAYER.operations == 2 * 20 * 20 * 9 * 8 * 8
    assert Convolution(**(vars(LAYER) | {"groups": 8})).operations == 2 * 20 * 20 * 9 * 8


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_other_dtypes_pass_through_to_the_bit(dtype):
    with jax.enable_x64(dtype == "float64"):
        for case in CASES[:6]:
            x, kernel = (jnp.asarray(array, dtype) for array in (case.x, case.kernel))
            found = jax.jit(lower(lambda x, case=case, kernel=kernel: case(x, kernel)))(x)
            np.testing.assert_array_equal(found, jax.jit(case)(x, kernel))
            assert found.dtype == dtype


@pytest.mark.parametrize("padding", ["SAME", "VALID", "CIRCULAR"])
def test_layers_of_flax(padding):
    rngs = nnx.Rngs(0)
    layers = [
        nnx.ConvTranspose(3, 4, (3, 3), strides=(2, 2), padding=padding, rngs=rngs),
        nnx.Conv(3, 6, (5, 5), padding=padding, feature_group_count=3, rngs=rngs),
        nnx.Conv(3, 4, (3, 2), strides=(2, 1), kernel_dilation=2, padding=padding, rngs=rngs),
    ]
    x = np.random.default_rng(0).standard_normal((2, 9, 10, 3)).astype(np.float32)
    found, expected = (
        jax.jit(lower(lambda x: [f(x) for f in layers]))(x),
        jax.jit(lambda x: [f(x) for f in layers])(x),
    )
    for one, other in zip(found, expected, strict=True):
        assert_close(one, other)


def test_more_than_one_batch_group_passes_through():
    x, kernel = np.ones((4, 5, 5, 2), np.float32), np.ones((3, 3, 2, 4), np.float32)

    def grouped(x):
        return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=HWIO, batch_group_count=2)

    np.testing.assert_array_equal(lower(grouped)(x), grouped(x))


@pytest.mark.parametrize("padding", [((-1, 0), (0, -1)), ((-2, -2), (0, 0))])
def test_negative_padding_and_empty_results_pass_through(padding):
    x, kernel = np.arange(60, dtype=np.float32).reshape(1, 5, 6, 2), np.ones((2, 2, 1, 2), np.float32)

    def cropped(x):
        options = {"dimension_numbers": HWIO, "feature_group_count": 2}
        return lax.conv_general_dilated(x, kernel, (1, 1), padding, **options)

    np.testing.assert_array_equal(lower(cropped)(x), cropped(x))


def by_onnx_runtime(case):
    """A channels-last 2-D case by ONNX Runtime."""
    convolution = describe(case)
    (top, bottom), (left, right) = convolution.padding
    node = helper.make_node(
        "Conv",
        ["x", "w"],
        ["y"],
        pads=[top, left, bottom, right],
        strides=convolution.strides,
        dilations=convolution.dilation,
        group=convolution.groups,
    )
    ports = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None] * 4) for name in "xwy"]
    graph = helper.make_graph([node], "conv", ports[:2], ports[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {"x": case.x.transpose(0, 3, 1, 2).copy(), "w": case.kernel.transpose(3, 2, 0, 1).copy()}
    return session.run(None, feeds)[0].transpose(0, 2, 3, 1)


def test_onnx_runtime_computes_the_same():
    known = [(case, c) for case in CASES if len(case.x) and (c := describe(case)) is not None]
    cases = [case for case, c in known if len(c.extents) == 2][:16]
    assert len(cases) == 16
    for found, case in zip(convolve(cases, True), cases, strict=True):
        assert_close(found, by_onnx_runtime(case))
