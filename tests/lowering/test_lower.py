"""lower: any function as before, with its control flow, trees of outputs, widths, derivatives and errors."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from convolutions import assert_close
from equations import counted
from flax import nnx
from jax import lax

import e2e_jax as e2e
from e2e_jax import transforms as T
from e2e_jax.lowering.convolution import Convolution
from e2e_jax.lowering.lower import lower

RNG = np.random.default_rng(7)
X = RNG.standard_normal((2, 6, 7, 4)).astype(np.float32)
KERNEL = RNG.standard_normal((3, 3, 1, 4)).astype(np.float32)
POINT = RNG.standard_normal((1, 1, 4, 4)).astype(np.float32)
EACH = RNG.standard_normal(4).astype(np.float32)


def conv(x, kernel=KERNEL):
    groups = x.shape[-1] // kernel.shape[-2]
    options = {"dimension_numbers": ("NHWC", "HWIO", "NHWC"), "feature_group_count": groups}
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", **options)


def scanned(x):
    def step(carry, kernel):
        carry = jnp.tanh(conv(carry, kernel) * EACH)
        return carry, carry.sum((1, 2))

    return lax.scan(step, x, jnp.stack([KERNEL, KERNEL * np.float32(2)]))


@jax.custom_vjp
def halved(x):
    return x * np.float32(0.5)


halved.defvjp(lambda x: (halved(x), None), lambda _, g: (g * np.float32(7),))

PROGRAMS = {
    "custom_jvp": lambda x: jax.nn.relu6(conv(x) * EACH),
    "custom_vjp": lambda x: halved(conv(x)) * EACH,
    "jit": jax.jit(lambda x: jax.jit(conv)(x) * EACH + EACH),
    "jit around the scale": lambda x: jax.jit(lambda y: y * EACH + EACH)(conv(x)),
    "remat": jax.checkpoint(lambda x: conv(conv(x) * EACH) + EACH),
    "cond": lambda x: lax.cond(x.sum() > 0, lambda x: conv(x) * EACH, lambda x: x - EACH, x),
    "scan": scanned,
    "while": lambda x: lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, jnp.tanh(conv(s[1]))), (0, x)),
    "fori": lambda x: lax.fori_loop(0, 2, lambda _, y: jnp.tanh(conv(y) * EACH), conv(x) * EACH),
    "vmap inside": lambda x: jax.vmap(lambda one: conv(one[None])[0] * EACH)(x),
    "grad inside": lambda x: jax.grad(lambda x: jnp.sin(conv(x) * EACH).sum())(x),
    "sort, cumsum": lambda x: jnp.sort(jnp.cumsum(conv(x) * EACH, axis=1), axis=-1),
    "random": lambda x: x + jax.random.normal(jax.random.key(0), x.shape),
    "several": lambda x: (conv(x), conv(x) * EACH, x.sum()),
    "one value twice": lambda x: [y := conv(x), y, (y, y * EACH)],
    "dict": lambda x: {"b": conv(x), "a": {"c": x - EACH}, "none": None},
    "constants": lambda x: (EACH, np.float32(3), jnp.ones(4) * EACH, conv(x)),
    "inputs": lambda x: (x, x, conv(x)),
    "nothing": lambda x: (),
    "integers": lambda x: jnp.argmax(conv(x) + EACH, axis=-1),
}


@pytest.mark.parametrize("kind", PROGRAMS)
def test_any_program_gives_what_it_gave(kind):
    function = PROGRAMS[kind]
    found, expected = jax.jit(lower(function))(X), jax.jit(function)(X)
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert_close(one, other)


@pytest.mark.parametrize("kind", ["jit", "jit around the scale", "remat"])
def test_functions_inside_are_rewritten_and_folded_too(kind):
    done = counted(lower(PROGRAMS[kind]), X, size=X.size)
    assert done["jit"] + done["remat2"] + done["checkpoint"] == 0
    layers = 2 if kind == "remat" else 1
    assert (done["mul"], done["add"]) == (9 * layers, 8 * layers + 1)  # of the shifted sums, and one shift


def test_arguments_may_be_trees_keywords_and_numbers():
    def function(pair, *, scale, parts):
        return conv(pair[0]) * scale + parts["shift"] * pair[1]

    arguments = ((X, 2.0),), {"scale": np.float32(3), "parts": {"shift": EACH}}
    positional, named = arguments
    assert_close(lower(function)(*positional, **named), function(*positional, **named))


@pytest.mark.parametrize("value", [3, 2.5, np.arange(3.0), np.int64(4)])
def test_numbers_are_what_jit_makes_of_them(value):
    def function(x):
        return x + x, x * 2, -x

    for found, expected in zip(lower(function)(value), jax.jit(function)(value), strict=True):
        assert (found.dtype, found.tolist()) == (expected.dtype, expected.tolist())


def test_the_wrapper_keeps_the_name():
    assert lower(conv).__name__ == "conv"
    assert lower(conv).__wrapped__ is conv


NETWORK = {"point": POINT, "kernel": KERNEL, "scale": EACH, "dense": RNG.standard_normal((4, 3)).astype(np.float32)}


def network(params, x):
    x = jax.nn.relu6(conv((x + np.float32(0.5)) * params["scale"], params["point"]))
    x = jax.nn.silu(conv(x, params["kernel"]) * params["scale"] + np.float32(0.25))
    x = lax.reduce_window(x, np.float32(-np.inf), lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "SAME")
    return (x.mean((1, 2)) - params["scale"]) @ params["dense"]


@pytest.mark.parametrize("parameters", [(), (0,)])
def test_derivatives_are_those_of_the_function(parameters):
    def loss(function):
        return jax.jit(jax.grad(lambda p, x: jnp.sin(function(p, x)).sum(), argnums=(0, 1)))

    found, expected = loss(lower(network, parameters=parameters))(NETWORK, X), loss(network)(NETWORK, X)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert_close(one, other)


def test_derivatives_forward_and_of_what_is_closed_over():
    function = functools.partial(network, NETWORK)
    tangent = RNG.standard_normal(X.shape).astype(np.float32)
    found, expected = (jax.jit(lambda x, f=f: jax.jvp(f, (x,), (tangent,)))(X) for f in (lower(function), function))
    for one, other in zip(found, expected, strict=True):
        assert_close(one, other)


def test_mapped_over_images_and_over_weights():
    images = np.stack([X, -X, X * 2])
    function = functools.partial(network, NETWORK)
    assert_close(jax.jit(jax.vmap(lower(function)))(images), jax.jit(jax.vmap(function))(images))
    several = jax.tree.map(lambda leaf: np.stack([leaf, leaf * np.float32(0.5)]), NETWORK)
    folded = lower(network, parameters=(0,))
    found, expected = (jax.jit(jax.vmap(f, (0, None)))(several, X) for f in (folded, network))
    assert_close(found, expected)


def test_it_is_traced_once_under_jit():
    traces = []

    def function(x):
        traces.append(x)
        return conv(x)

    fast = jax.jit(lower(function))
    for _ in range(3):
        fast(X)
    assert len(traces) == fast._cache_size() == 1


PIPELINES = {
    "torchvision": T.Compose([T.Resize((9, 11)), T.ToTensor(), T.Normalize([0.5, 0.4, 0.3], [0.2, 0.3, 0.4])]),
    "cropped": T.Compose([T.Resize(12), T.CenterCrop(8), T.ToTensor(), T.Normalize([0.5] * 3, [0.25] * 3)]),
    "pixels": T.Compose([T.Resize((10, 7), antialias=False)]),
}


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("kind", PIPELINES)
def test_exact_pipelines_stay_exact_to_the_byte(kind, dtype):
    photos = RNG.integers(0, 256, (2, 20, 25, 3)).astype(np.uint8)
    photos = photos if dtype == "uint8" else (photos / 255).astype(np.float32)

    def pipeline(x):
        return PIPELINES[kind](x)

    found, expected = jax.jit(lower(pipeline))(photos), jax.jit(pipeline)(photos)
    assert found.dtype == expected.dtype
    assert np.asarray(found).tobytes() == np.asarray(expected).tobytes()


def test_programs_of_64_bits_stay_so():
    with jax.enable_x64(True):
        x, each = X.astype(np.float64), EACH.astype(np.float64)

        def function(x):
            return conv((x - each) * each, KERNEL.astype(np.float64)) / each, x.astype(np.int64) + 2**40

        found, expected = jax.jit(lower(function))(x), jax.jit(function)(x)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_64_bits_inside_a_program_of_32():
    def inner(x):
        with jax.enable_x64(True):
            return ((x.astype(np.float64) + 1e-12) - 1).astype(np.float32) * np.float32(1e12)

    ones = np.ones(3, np.float32)
    np.testing.assert_array_equal(jax.jit(lower(inner))(ones), jax.jit(inner)(ones))
    np.testing.assert_array_equal(lower(jax.jit(inner))(ones), jax.jit(inner)(ones))
    assert lower(inner)(ones)[0] > 0.9, "in 32 bits it is 0"


PRODUCTS = {"bfloat16": jnp.bfloat16, "float64": jnp.float64, "float32": jnp.float32}


@pytest.mark.parametrize("kind", PRODUCTS)
def test_products_keep_the_dtype_asked_for(kind):
    def dense(x):
        numbers = (((x.ndim - 1,), (0,)), ((), ()))
        return lax.dot_general(x, NETWORK["dense"], numbers, preferred_element_type=PRODUCTS[kind])

    with jax.enable_x64(kind == "float64"):
        assert_close(lower(dense)(X), dense(X))


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_convolutions_keep_the_dtype_asked_for(kind):
    def layer(x):
        names = ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(
            x, POINT, (1, 1), "SAME", dimension_numbers=names, preferred_element_type=PRODUCTS[kind]
        )

    with jax.enable_x64(kind == "float64"):
        assert_close(lower(layer)(X), layer(X))


@pytest.mark.parametrize(
    "numbers", [(((0,), (0,)), ((), ())), (((1,), (1,)), ((), ())), (((1,), (1,)), ((0,), (0,)))]
)
def test_other_products_pass_through(numbers):
    left, right = X[0, 0, :4], RNG.standard_normal((4, 4, 4) if numbers[1][0] else (4, 4)).astype(np.float32)

    def product(x):
        return lax.dot_general(x, right, numbers) * np.float32(2)

    assert_close(lower(product)(left), product(left))


def test_products_of_two_images_or_two_constants():
    np.testing.assert_allclose(lower(lambda x: (x @ x.mT) * EACH[:1])(X), (X @ X.mT) * EACH[:1], atol=1e-4)
    assert_close(lower(lambda x: x @ (POINT[0, 0] @ NETWORK["dense"]))(X), X @ (POINT[0, 0] @ NETWORK["dense"]))
    vector = lower(lambda x: (x @ NETWORK["dense"]) * EACH[:3])
    assert_close(vector(X[0, 0, 0]), (X[0, 0, 0] @ NETWORK["dense"]) * EACH[:3])


def test_what_waits_is_computed_once():
    def function(x):
        y = conv(x, POINT) * EACH
        return lax.reduce_window(y, np.float32(-np.inf), lax.max, (1, 6, 7, 1), (1, 1, 1, 1), "VALID")

    assert counted(lower(function), X)["dot_general"] == 1


def test_bfloat16_is_within_its_rounding_and_not_equal():
    function = functools.partial(network, NETWORK)
    found, exact = jax.jit(lower(function, precision="bfloat16"))(X), jax.jit(function)(X)
    assert_close(found, exact, 2e-2)  # 8 bits of each factor
    assert not np.allclose(found, exact, rtol=0, atol=1e-4)
    assert found.dtype == np.float32


FIVE = Convolution((9, 9), (5, 5), (1, 1), ((2, 2), (2, 2)), (1, 1), inputs=4, outputs=4)

BAD = {
    "unknown way": (lambda: lower(conv, choices={FIVE: "fft"}), "choices must be known"),
    "way of 3 x 3": (lambda: lower(conv, choices={FIVE: "winograd"}), "must compute its convolution"),
    "precision": (lambda: lower(conv, precision="float16"), "precision must be known"),
    "no function of arrays": (lambda: lower(lambda x: float(x.sum()))(X), "must be traceable"),
    "shapes": (lambda: lower(lambda x: x @ x)(X), "must be traceable"),
    "argument": (lambda: lower(conv, precison="float32"), "precison"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_one_error_of_three_lines(kind):
    call, why = BAD[kind]
    with pytest.raises(e2e.ConfigError, match=why) as caught:
        call()
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("lower: ")
    assert [line[:5] for line in lines[1:]][0] == "  Rec"
    assert "  Fix: " in str(caught.value)


def test_our_own_errors_pass_as_they_are():
    with pytest.raises(e2e.ImageError, match="must lie inside"):
        lower(lambda x: T.CenterCrop(50, smaller="refuse")(x))(X)


def test_state_that_changes_is_refused():
    norm = nnx.BatchNorm(4, rngs=nnx.Rngs(0))
    with pytest.raises(e2e.ConfigError, match="must be traceable"):
        lower(norm)(X)
