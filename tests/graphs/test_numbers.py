"""Numbers in an ONNX graph: what Python makes of the same ones."""

import numpy as np
import pytest

from e2e_jax.graphs.graph import Graph, Port
from e2e_jax.graphs.numbers import Arithmetic, Numbers
from e2e_jax.ops.extend import inside

VALUES = [-7, -4, -1, 0, 1, 3, 8, 375]


def computed(opened, function, value):
    """Of one whole number that the graph is given."""
    graph = Graph()
    found = function(Arithmetic(graph), Numbers(graph, "n"))
    graph.named(found.name, "found")
    session = opened(graph, [Port("n", "int64", [1])], [Port("found", found.dtype, ["k"])])
    return session.run(None, {"n": np.array([value])})[0].tolist()


@pytest.mark.parametrize(
    "function",
    [
        lambda xp, n: n + 3,
        lambda xp, n: 3 - n,
        lambda xp, n: -n * 5,
        lambda xp, n: n // 4,
        lambda xp, n: n % 4,
        lambda xp, n: n >> 1,
        lambda xp, n: 100 // (n * n + 1),
        lambda xp, n: n / 8,
        lambda xp, n: 3 / (n * n + 1),
        lambda xp, n: 0.5 * n + n,
        lambda xp, n: n > 0,
        lambda xp, n: n < 0.5,
        lambda xp, n: n >= 3,
    ],
)
def test_operators_are_those_of_python(opened, function):
    for value in VALUES:
        assert computed(opened, function, value) == [function(None, value)]


def test_functions_are_those_of_numpy(opened):
    functions = [
        lambda xp, n: xp.minimum(n, 3),
        lambda xp, n: xp.maximum(2, n),
        lambda xp, n: xp.maximum(0.5, n * 1.0),
        lambda xp, n: xp.round(n / 2),
        lambda xp, n: xp.floor(n / 3),
        lambda xp, n: xp.where(n > 0, n, 5),
        lambda xp, n: xp.where(n > 0, n / 2, 5),
        lambda xp, n: xp.clip(n, -1, 4),
    ]
    for function in functions:
        for value in VALUES:
            assert computed(opened, function, value) == [function(np, value)]
    assert computed(opened, lambda xp, n: xp.arange(-2, n), 4) == [-2, -1, 0, 1, 2, 3]


@pytest.mark.parametrize("mode", ["edge", "reflect", "symmetric"])
def test_rules_of_ops_serve_in_a_graph(opened, mode):
    found = computed(opened, lambda xp, n: inside(xp, xp.arange(-9, n + 9), n, mode), 4)
    assert found == np.pad(np.arange(4), 9, mode=mode).tolist()


def test_plain_numbers_stay_plain():
    xp = Arithmetic(Graph())
    assert (xp.minimum(3, 4), xp.maximum(3, 4), xp.clip(9, 0, 5)) == (3, 4, 5)
    assert not xp.graph.nodes
    assert xp.together(1, 2) == xp.together(1, 2) == "constant_1"
