"""The largest of each window is that of `lax.reduce_window`, to the bit, derivatives included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from equations import counted
from jax import lax

from e2e_jax.lowering.lower import lower

RNG = np.random.default_rng(2)
X = RNG.standard_normal((2, 9, 10, 3)).astype(np.float32)


def largest(x, window, strides, padding, dilation=(1, 1), base=(1, 1), least=-np.inf):
    least = np.asarray(least, x.dtype)
    options = {"window_dilation": (1, *dilation, 1), "base_dilation": (1, *base, 1)}
    return lax.reduce_window(x, least, lax.max, (1, *window, 1), (1, *strides, 1), padding, **options)


WINDOWS = {  # window, strides, padding, dilation
    "3 x 3": ((3, 3), (2, 2), "SAME"),
    "unpadded": ((2, 2), (2, 2), "VALID"),
    "oblong": ((1, 5), (1, 3), "SAME"),
    "explicit": ((3, 2), (1, 2), [(0, 0), (2, 1), (0, 1), (0, 0)]),
    "overlapping": ((5, 5), (1, 1), "VALID"),
    "dilated": ((3, 3), (1, 2), "VALID", (2, 3)),
    "only border": ((2, 2), (1, 1), [(0, 0), (3, 3), (3, 3), (0, 0)]),
}
OTHERS = {  # no rule
    "large": ((5, 6), (1, 1), "SAME"),
    "stretched": ((2, 2), (1, 1), "VALID", (1, 1), (2, 2)),
    "too large for the image": ((2, 11), (1, 1), "VALID"),
}


def branches(function, x):
    return counted(function, x)["platform_index"]


@pytest.mark.parametrize("kind", WINDOWS | OTHERS)
def test_it_is_that_of_xla(kind):
    parts = (WINDOWS | OTHERS)[kind]

    def pool(x):
        return largest(x, *parts)

    np.testing.assert_array_equal(jax.jit(lower(pool))(X), pool(X))
    assert branches(lower(pool), X) == (kind in WINDOWS)
    assert lower(pool)(X[:0]).shape == pool(X[:0]).shape


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_other_floats(dtype):
    with jax.enable_x64(dtype == "float64"):
        x = jnp.asarray(X, dtype)
        found = lower(lambda x: largest(x, *WINDOWS["3 x 3"]))(x)
        np.testing.assert_array_equal(found, largest(x, *WINDOWS["3 x 3"]))
        assert found.dtype == dtype


def test_nothing_infinite_or_undefined_is_lost():
    x = X.copy()
    x[0, 2, 3] = np.nan
    x[0, 6:, 6:] = -np.inf
    x[1, 4, 4] = np.inf
    for parts in WINDOWS.values():
        np.testing.assert_array_equal(lower(lambda x, p=parts: largest(x, *p))(x), largest(x, *parts))


@pytest.mark.parametrize("dtype", ["int32", "uint8"])
def test_integers_pass_through(dtype):
    x = RNG.integers(0, 100, X.shape).astype(dtype)

    def pool(x):
        return largest(x, *WINDOWS["3 x 3"], least=np.iinfo(dtype).min)

    np.testing.assert_array_equal(lower(pool)(x), pool(x))
    assert branches(lower(pool), x) == 0


def test_windows_over_batch_or_channels_pass_through():
    for window in ((2, 2, 2, 1), (1, 2, 2, 3)):

        def pool(x, window=window):
            return lax.reduce_window(x, np.float32(-np.inf), lax.max, window, (1, 1, 1, 1), "SAME")

        np.testing.assert_array_equal(lower(pool)(X), pool(X))
        assert branches(lower(pool), X) == 0


def test_one_and_three_axes():
    for x, window in ((X[:, :, 0], (1, 3, 1)), (np.stack([X, X + 1], 1), (1, 2, 2, 2, 1))):

        def pool(x, window=window):
            return lax.reduce_window(x, np.float32(-np.inf), lax.max, window, window, "SAME")

        np.testing.assert_array_equal(lower(pool)(x), pool(x))
        assert branches(lower(pool), x) == 1


@pytest.mark.parametrize("kind", ["3 x 3", "explicit"])
def test_of_equals_the_gradient_takes_the_first_as_xla_does(kind):
    x = np.round(X)  # many equal values
    weights = RNG.standard_normal(largest(x, *WINDOWS[kind]).shape).astype(np.float32)

    def loss(pool):
        return jax.jit(jax.grad(lambda x: (pool(x) * weights).sum()))

    def pool(x):
        return largest(x, *WINDOWS[kind])

    np.testing.assert_array_equal(loss(lower(pool))(x), loss(pool)(x))
    tangents = [jax.jvp(f, (x,), (X,))[1] for f in (lower(pool), pool)]
    np.testing.assert_array_equal(*tangents)
    np.testing.assert_array_equal(jax.vmap(lower(pool))(x[:, None]), jax.vmap(pool)(x[:, None]))
