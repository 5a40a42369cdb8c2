"""tune: each way that fits is measured, and the one that took least is the choice."""

import jax
import numpy as np
import pytest
from jax import lax

from e2e_jax.lowering import tune as module
from e2e_jax.lowering.lower import lower
from e2e_jax.lowering.tune import tune
from e2e_jax.lowering.ways import WAYS

RNG = np.random.default_rng(6)
X = RNG.standard_normal((1, 6, 6, 4)).astype(np.float32)
KERNELS = [RNG.standard_normal(n).astype(np.float32) for n in ((3, 3, 4, 4), (3, 3, 1, 4), (3, 3, 2, 4))]


def network(params, x):
    for kernel, groups in zip(params, (1, 4, 2), strict=True):
        options = {"dimension_numbers": ("NHWC", "HWIO", "NHWC"), "feature_group_count": groups}
        x = lax.conv_general_dilated(x, kernel, (1, 1), "SAME", **options)
    return lax.conv_general_dilated(x, params[0], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


@pytest.fixture
def seconds(monkeypatch):
    """What each way is said to take, without measuring."""
    taken = {"native": 3e-3, "shifted": 1e-3, "patches": 2e-3, "winograd": 4e-3}
    monkeypatch.setattr(module, "_compiled", lambda convolution, name: name)
    monkeypatch.setattr(module, "_seconds", lambda name: taken[name])
    return taken


def test_the_fastest_way_of_those_that_fit_is_chosen(seconds):
    found = tune(network, KERNELS, X, progress=False)
    ways = {convolution.groups: measured.way for convolution, measured in found.items()}
    assert ways == {1: "patches", 4: "shifted", 2: "shifted"}
    [dense] = [measured for convolution, measured in found.items() if convolution.groups == 1]
    assert dense.seconds == {name: seconds[name] for name in ("native", "patches", "winograd")}
    seconds["winograd"] = 1e-4
    again = tune(network, KERNELS, X, progress=False)
    assert "winograd" in {measured.way for measured in again.values()}


def test_the_median_counts_not_the_first_call(monkeypatch):
    calls = iter([9.0, 1.0] + [1.0, 2.0] * (module.ROUNDS - 1))
    monkeypatch.setattr(module, "_compiled", lambda convolution, name: name)
    monkeypatch.setattr(module, "_seconds", lambda name: next(calls))
    measured = module._measured(None, ["native", "patches"])
    assert measured == ("native", {"native": 1.0, "patches": 2.0})


def test_what_is_measured_computes_the_convolution():
    found = tune(network, KERNELS, X, progress=False)
    for convolution, measured in found.items():
        assert set(measured.seconds) == {name for name, way in WAYS.items() if way.fits(convolution)}
        assert all(0 < taken < 1 for taken in measured.seconds.values())
        results = [np.asarray(module._compiled(convolution, name)()) for name in measured.seconds]
        for result in results:
            assert result.shape == (1, *convolution.result, convolution.outputs)
            np.testing.assert_allclose(result, results[0], atol=1e-4)
    ways = {convolution: measured.way for convolution, measured in found.items()}
    fast = jax.jit(lower(lambda x: network(KERNELS, x), choices=ways))
    np.testing.assert_allclose(fast(X), network(KERNELS, X), atol=1e-3)


def test_a_way_that_is_slow_is_avoided(monkeypatch):
    def slow(x, kernel, convolution, precision):
        for _ in range(200):
            x = lax.optimization_barrier(jax.numpy.sin(x))
        return run(x, kernel, convolution, precision)

    run = WAYS["native"].run
    monkeypatch.setitem(module.WAYS, "native", WAYS["native"]._replace(run=slow))
    found = tune(network, KERNELS, X, progress=False)
    assert "native" not in {measured.way for measured in found.values()}
