"""Two stages do what the program does; what depends on parameters alone is done in the first."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from convolutions import assert_close
from equations import counted
from jax import lax

from e2e_jax.lowering.choose import Choices
from e2e_jax.lowering.lower import in_stages
from e2e_jax.lowering.stages import staged

RNG = np.random.default_rng(4)
X = RNG.standard_normal((2, 6, 7, 4)).astype(np.float32)
SHAPES = {"kernel": (3, 3, 4, 8), "mean": (8,), "variance": (8,), "scale": (8,), "dense": (8, 3), "bias": (3,)}
PARAMS = [RNG.uniform(0.5, 1.5, shape).astype(np.float32) for shape in SHAPES.values()]


def network(params, x):
    kernel, mean, variance, scale, dense, bias = params
    x = lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    x = (x - mean) * (lax.rsqrt(variance + np.float32(1e-5)) * scale)
    return {"logits": jax.nn.relu(x).mean((1, 2)) @ dense + bias, "scale": x.max((1, 2)) + scale}


def stages_of(function, params, *inputs, **options):
    return in_stages(function, params, *inputs, choices=Choices(**options))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_one_after_the_other_they_are_the_program(precision):
    (prepare, run), tree = stages_of(network, PARAMS, X, precision=precision)
    found = jax.tree.unflatten(tree, jax.jit(run)(jax.jit(prepare)(PARAMS), [X]))
    expected = jax.jit(network)(PARAMS, X)
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert_close(value, expected[name], 1e-5 if precision == "float32" else 1e-2)


def test_batch_normalisation_is_done_in_the_first():
    (prepare, run), _ = stages_of(network, PARAMS, X)
    first, second = counted(prepare, PARAMS), counted(run, prepare(PARAMS), [X])
    assert (first["rsqrt"], second["rsqrt"]) == (1, 0)
    assert first["mul"] >= 2
    assert second["mul"] == second["sub"] == second["neg"] == 0
    assert (first["conv_general_dilated"], second["conv_general_dilated"]) == (0, 1)
    assert counted(prepare, PARAMS, size=PARAMS[0].size + 1).total() == 0, "what repeats a parameter is not stored"


def test_nothing_is_stored_larger_or_twice_and_what_is_unused_not_at_all():
    (prepare, _), _ = stages_of(network, PARAMS, X)
    prepared = prepare(PARAMS)
    assert sum(p.size for p in prepared) <= sum(p.size for p in PARAMS)
    assert len({np.asarray(p).tobytes() for p in prepared}) == len(prepared)
    assert sorted(p.size for p in prepared) == [3, 8, 8, 24, 288]  # bias, shift, scale, dense, kernel


def test_parameters_that_are_used_as_they_are_pass_through():
    (prepare, run), _ = stages_of(lambda params, x: x * params[0] + params[1], [PARAMS[1], PARAMS[2]], X[..., :1])
    given = [PARAMS[1], PARAMS[2]]
    prepared = prepare(given)
    for stored, parameter in zip(prepared, given, strict=True):
        np.testing.assert_array_equal(np.ravel(stored), parameter)
    assert_close(run(prepared, [X[..., :1]])[0], X[..., :1] * given[0] + given[1])


def test_repeats_are_made_late_and_products_of_parameters_early():
    program = jax.make_jaxpr(lambda a, x: (jnp.broadcast_to(a, x.shape) + x, (a * a)[:2] + x[0, :2]))
    a, x = np.arange(3, dtype=np.float32), np.ones((5, 3), np.float32)
    prepare, run = staged(program(a, x), 1)
    assert [p.shape for p in prepare([a])] == [(3,), (2,)]
    found = run(prepare([a]), [x])
    np.testing.assert_array_equal(found[0], a + x)
    np.testing.assert_array_equal(found[1], (a * a)[:2] + x[0, :2])


def test_what_only_constants_make_is_not_stored():
    table = np.arange(4, dtype=np.float32)
    program = jax.make_jaxpr(lambda a, x: x * jnp.sin(table) + a * jnp.cos(table) + jnp.arange(4, dtype=np.float32))
    a, x = np.float32(2), np.ones(4, np.float32)
    prepare, run = staged(program(a, x), 1)
    [stored] = prepare([a])
    np.testing.assert_allclose(stored, 2 * np.cos(table), atol=1e-6)
    np.testing.assert_allclose(run([stored], [x])[0], np.sin(table) + np.asarray(stored) + np.arange(4), atol=1e-6)


def test_outputs_may_be_parameters_inputs_literals_and_products_of_parameters():
    program = jax.make_jaxpr(lambda a, b, x: (a, x, np.float32(3), a * b))
    prepare, run = staged(program(np.float32(2), np.float32(5), np.float32(7)), 2)
    prepared = prepare([np.float32(2), np.float32(5)])
    assert [float(p) for p in prepared] == [2, 10]
    assert [float(out) for out in run(prepared, [np.float32(7)])] == [2, 7, 3, 10]


def test_programs_of_64_bits_are_divided_in_64_bits():
    def exact(params, x):
        with jax.enable_x64(True):
            wide = params[0].astype(np.float64) + 1e-12
            return ((wide - 1) * 1e12 * x.astype(np.float64)).astype(np.float32)

    one, x = np.float32(1), np.ones(2, np.float32)
    (prepare, run), _ = stages_of(exact, [one], x)
    found = jax.jit(run)(jax.jit(prepare)([one]), [x])[0]
    np.testing.assert_array_equal(found, jax.jit(exact)([one], x))
    assert found[0] > 0.9, "in 32 bits it is 0"


def test_symbolic_batches_and_the_prepared_matrices():
    batch = jax.export.symbolic_shape("b")
    shape = jax.ShapeDtypeStruct((*batch, *X.shape[1:]), X.dtype)
    shapes = [jax.ShapeDtypeStruct(p.shape, p.dtype) for p in PARAMS]
    (prepare, run), _ = stages_of(network, shapes, shape)
    prepared = jax.jit(prepare)(PARAMS)
    exported = jax.export.export(jax.jit(run))(prepared, [shape])
    expected = functools.partial(jax.jit(network), PARAMS)
    for count in (1, 2):
        assert_close(exported.call(prepared, [X[:count]])[0], expected(X[:count])["logits"])
