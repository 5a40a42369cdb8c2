"""Constant scales and shifts go into the weights beside them, where that gives the same, and nowhere else."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from convolutions import assert_close
from equations import counted
from flax import nnx
from jax import lax
from model_fixtures import filled

from e2e_jax.lowering.lower import lower

RNG = np.random.default_rng(5)
X = RNG.standard_normal((2, 6, 7, 4)).astype(np.float32)
CHANNELS = 5
KERNEL = RNG.standard_normal((3, 3, 4, CHANNELS)).astype(np.float32)
WEIGHTS = RNG.standard_normal((4, CHANNELS)).astype(np.float32)
EACH = RNG.uniform(-2, 2, CHANNELS).astype(np.float32)
IMAGE = 2 * 4 * 5 * CHANNELS  # elements of the smallest result: a convolution without padding


def conv(x, kernel=KERNEL, padding="VALID", **options):
    return lax.conv_general_dilated(
        x, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"), **options
    )


def dense(x):
    return x @ WEIGHTS


LAYERS = {"conv": conv, "padded": functools.partial(conv, padding="SAME"), "dense": dense}
AFTER = {  # what is done to the output of a layer
    "(c,)": lambda y: y * EACH,
    "(1, 1, 1, c)": lambda y: y * EACH.reshape(1, 1, 1, -1) + EACH.reshape(1, 1, 1, -1),
    "broadcast_in_dim": lambda y: y - lax.broadcast_in_dim(jnp.asarray(EACH), y.shape, (3,)),
    "broadcast rows": lambda y: y * lax.broadcast_in_dim(jnp.asarray(EACH)[None], (1, *y.shape[1:]), (0, 3)),
    "scalar": lambda y: y * np.float32(3) - np.float32(0.5),
    "scalar first": lambda y: np.float32(0.5) + np.float32(3) * y,
    "one element": lambda y: y * np.float32([2]) + np.float32([[[[3]]]]),
    "full": lambda y: y * jnp.full(y.shape, np.float32(3)),
    "negative": lambda y: y * -EACH,
    "zero": lambda y: y * (EACH * np.float32(0)) + EACH,
    "divided": lambda y: y / EACH,
    "in every order": lambda y: ((y + EACH) * EACH - EACH) / EACH * np.float32(2) + np.float32(1),
    "scaled twice": lambda y: (y * EACH + EACH) * np.float32(3) / np.abs(EACH),
    "constants worked out": lambda y: y * lax.rsqrt(jnp.abs(EACH) + np.float32(1e-3)) - jnp.sqrt(jnp.abs(EACH)),
}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("after", AFTER)
def test_what_is_folded_gives_the_same_without_a_product_of_image_size(layer, after):
    def network(x):
        return AFTER[after](LAYERS[layer](x))

    assert_close(jax.jit(lower(network))(X), jax.jit(network)(X))
    done = counted(lower(network), X)
    assert done["mul"] + done["div"] + done["sub"] == 0, "worked out while tracing"
    assert done["add"] <= 1
    assert done["conv_general_dilated"] + done["dot_general"] == 1


def test_the_sum_of_what_is_added_is_added_once():
    assert counted(lower(lambda x: conv(x) + EACH - np.float32(2) + EACH), X)["add"] == 1
    assert counted(lower(lambda x: conv(x) * EACH), X)["add"] == 0


PER_ROW = RNG.standard_normal((2, 1, 1, 1)).astype(np.float32)
NOT_FOLDED = {  # one number per channel does not say these
    "a map": lambda y: y * np.ones((4, 5, 1), np.float32) * RNG_MAP,
    "per photo": lambda y: y * PER_ROW + PER_ROW,
    "a map per channel": lambda y: y + FULL_MAP,
    "a map spread": lambda y: y * lax.broadcast_in_dim(jnp.asarray(RNG_MAP[..., 0]), y.shape, (1, 2)),
    "per column, as many": lambda y: y * lax.broadcast_in_dim(jnp.asarray(EACH), y.shape, (2,)),
    "itself": lambda y: y * y,
    "divides": lambda y: EACH / (np.float32(50) + y),
    "taken from": lambda y: EACH - y,
    "after a nonlinearity": lambda y: jax.nn.relu(y) * EACH,
    "twice read": lambda y: y * EACH + y,
    "twice read, later": lambda y: jax.nn.relu(y * EACH + EACH) + y,
    "read scaled twice": lambda y: (y * EACH) ** 2 + (y * EACH),
}
RNG_MAP = RNG.standard_normal((4, 5, 1)).astype(np.float32)
FULL_MAP = RNG.standard_normal((4, 5, CHANNELS)).astype(np.float32)


@pytest.mark.parametrize("after", NOT_FOLDED)
def test_what_must_not_be_folded_is_not(after):
    def network(x):
        return NOT_FOLDED[after](conv(x))

    assert_close(jax.jit(lower(network))(X), jax.jit(network)(X))
    before, now = (counted(f, X, size=IMAGE) for f in (network, lower(network)))
    names = ("mul", "div", "sub", "add", "conv_general_dilated")
    assert {n: now[n] for n in names} == {n: before[n] for n in names}


LARGER = {
    "conv": lambda x: conv(x[:1]) + jnp.full((3, 4, 5, CHANNELS), np.float32(2)),
    "dense": lambda x: dense(x[:1, 0, 0]) * jnp.full((3, 1), np.float32(2)),
    "before": lambda x: conv(x.mean((1, 2), keepdims=True) * jnp.full((2, 6, 7, 4), np.float32(2))),
    "before, added": lambda x: dense(jnp.full((3, 4), np.float32(2)) - x[:1, 0, 0] + jnp.ones((3, 4), np.float32)),
    "one channel": lambda x: conv(x, KERNEL[..., :1]) * EACH,
}


@pytest.mark.parametrize("kind", LARGER)
def test_constants_that_make_a_result_larger_do(kind):
    assert_close(lower(LARGER[kind])(X), LARGER[kind](X))


SCALE, SHIFT = (RNG.uniform(0.5, 2, 4).astype(np.float32) for _ in range(2))
BEFORE = {
    "scale": lambda x: x * SCALE,
    "shift": lambda x: x + SHIFT,
    "both": lambda x: (x - SHIFT) / SCALE,
    "scalars": lambda x: np.float32(2) * x - np.float32(1),
    "twice": lambda x: ((x + SHIFT) * SCALE - np.float32(1)) * SCALE,
    "in another float": lambda x: ((x.astype(jnp.bfloat16) * jnp.bfloat16(2)) - jnp.bfloat16(1)).astype(
        jnp.float32
    ),
}
IMAGE_BEFORE = X.size


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("layer", ["conv", "dense"])
def test_what_stands_before_an_unpadded_layer_goes_into_it(before, layer):
    def network(x):
        return LAYERS[layer](BEFORE[before](x))

    short = 1e-2 if "other" in before else 1e-5
    assert_close(jax.jit(lower(network))(X), jax.jit(network)(X), short)
    optimized = jax.jit(lower(network)).lower(X).compile().as_text()
    assert " multiply(" not in optimized
    assert " subtract(" not in optimized


PAST = {
    "padded": functools.partial(conv, padding="SAME"),
    "depthwise": functools.partial(conv, kernel=KERNEL[:, :, :1, :4], feature_group_count=4),
    "relu": lambda x: conv(jax.nn.relu(x)),
    "from the image": lambda x: conv(x) + x[:, 1:-1, 1:-1].sum(-1, keepdims=True),
}


@pytest.mark.parametrize("layer", PAST)
def test_what_stands_before_other_layers_is_computed(layer):
    def network(x):
        return PAST[layer]((x - SHIFT) * SCALE)

    assert_close(jax.jit(lower(network))(X), jax.jit(network)(X))
    done = counted(lower(network), X, size=IMAGE_BEFORE)
    assert done["mul"] >= 1, "the border is zero after the scale, not before it"


@pytest.mark.parametrize("after", ["(c,)", "in every order"])
@pytest.mark.parametrize("second", [KERNEL[:, :, :1].repeat(CHANNELS, 2), None])
def test_layers_on_both_sides_share_one_scale(after, second):
    """It goes into the layer before; the one after takes what that gives."""

    def network(x):
        y = AFTER[after](conv((x - SHIFT) * SCALE))
        return (y @ np.ones((CHANNELS, 3), np.float32) if second is None else conv(y, second)) * np.float32(3)

    assert_close(jax.jit(lower(network))(X), jax.jit(network)(X))
    done = counted(lower(network), X[:, :, :, :])
    assert done["mul"] == done["sub"] == 0  # those of the image too, which nothing reads any more
    optimized = jax.jit(lower(network)).lower(X).compile().as_text()
    assert " multiply(" not in optimized


def test_integers_are_not_scaled_into_weights():
    photo = RNG.integers(0, 255, (2, 6, 7, 4)).astype(np.uint8)

    def network(x):
        return conv((x + np.uint8(200)).astype(jnp.float32) * np.float32(1 / 255)) * EACH

    assert_close(jax.jit(lower(network))(photo), jax.jit(network)(photo))

    def whole(x):
        return lax.dot_general(x * np.int32(3), np.ones((4, 2), np.int32), (((3,), (0,)), ((), ()))) // np.int32(2)

    np.testing.assert_array_equal(lower(whole)(photo.astype(np.int32)), whole(photo.astype(np.int32)))


class Net(nnx.Module):
    """Convolution, batch normalisation, relu6, a pointwise and a dense layer."""

    def __init__(self, rngs):
        self.conv = nnx.Conv(4, 6, (3, 3), rngs=rngs)
        self.depthwise = nnx.Conv(6, 6, (3, 3), feature_group_count=6, use_bias=False, rngs=rngs)
        self.point = nnx.Conv(6, 8, (1, 1), use_bias=False, rngs=rngs)
        self.norms = nnx.List([nnx.BatchNorm(n, rngs=rngs) for n in (6, 6, 8)])
        self.dense = nnx.Linear(8, 3, rngs=rngs)
        self.last = nnx.BatchNorm(3, rngs=rngs)

    def __call__(self, x):
        for conv, norm in zip((self.conv, self.depthwise, self.point), self.norms, strict=True):
            x = jax.nn.relu6(norm(conv(x)))
        return self.last(self.dense(x.mean((1, 2))))


@pytest.fixture(scope="module")
def net():
    network = filled(Net)
    network.eval()
    return network


def test_batch_normalisation_goes_into_the_weights(net):
    assert_close(jax.jit(lower(net))(X), jax.jit(lambda x: net(x))(X))
    size = 2 * 6 * 7 * 6
    before, now = (counted(f, X, size=size) for f in (lambda x: net(x), lower(net)))
    assert before["mul"] + before["sub"] + before["div"] >= 6
    assert now["sub"] == now["div"] == now["rsqrt"] == 0
    assert now["mul"] == 9, "those of the depthwise sum"
    small = counted(lower(net), X)
    assert small["rsqrt"] == 0, "worked out while tracing"


def test_weights_that_are_arguments_are_folded_where_they_are_named(net):
    graph, state = nnx.split(net)

    def function(state, x):
        return nnx.merge(graph, state)(x)

    named = lower(function, parameters=(0,))
    assert_close(jax.jit(named)(state, X), jax.jit(function)(state, X))
    size = 2 * 6 * 7 * 6
    assert counted(named, state, X, size=size)["sub"] == 0
    assert counted(lower(function), state, X, size=size)["sub"] >= 3
    assert_close(jax.jit(lower(function))(state, X), jax.jit(function)(state, X))


def test_only_the_named_arguments_are_weights():
    def function(x, scale, kernel=KERNEL):
        return conv(x, kernel) * scale

    assert counted(lower(function, parameters=(1,)), X, EACH, size=IMAGE)["mul"] == 0
    assert counted(lower(function, parameters=(2,)), X, EACH, KERNEL, size=IMAGE)["mul"] == 1
    by_name = lower(function, parameters=(1,))
    given = functools.partial(counted, lambda x, scale, kernel: by_name(x, scale, kernel=kernel), X, EACH)
    assert given(KERNEL, size=IMAGE)["mul"] == 1
    assert_close(by_name(X, EACH, kernel=KERNEL), function(X, EACH))
