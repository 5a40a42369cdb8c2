"""Classify against a softmax and a sort written in NumPy; ties, short label lists and typed results."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from e2e_jax import transforms as T
from e2e_jax.errors import ConfigError
from e2e_jax.types import Classification, ScoredLabel

NAMES = tuple(f"class {n}" for n in range(11))
LOGITS = np.random.default_rng(0).normal(0, 3, (6, 11)).astype(np.float32)


def softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x.astype(np.float64) - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


ACTIVATIONS = {
    "softmax": softmax,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x.astype(np.float64))),
    "none": lambda x: x,
}


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_top_k_matches_numpy(activation, compiled):
    classify = T.Classify(NAMES, top_k=4, activation=activation)
    outputs = (jax.jit(classify) if compiled else classify)(LOGITS)
    order = np.argsort(-LOGITS, axis=-1, kind="stable")[:, :4]
    np.testing.assert_array_equal(outputs["ids"], order)
    expected = np.take_along_axis(ACTIVATIONS[activation](LOGITS), order, -1)
    np.testing.assert_allclose(outputs["scores"], expected, rtol=1e-5, atol=1e-7)
    assert outputs["ids"].dtype == np.int32
    assert outputs["scores"].dtype == np.float32


def test_large_logits_do_not_overflow():
    scores = T.Classify(["a", "b", "c"])(np.array([[1e4, 1e4 - 1, -1e4]], np.float32))["scores"]
    np.testing.assert_allclose(scores, [[0.7310586, 0.26894143, 0.0]], rtol=1e-6)


def test_half_precision_logits_are_scored_in_float32():
    scores = T.Classify(NAMES, top_k=11)(jax.numpy.asarray(LOGITS).astype("bfloat16"))["scores"]
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores.sum(-1), 1, rtol=1e-6)


def test_equal_scores_keep_the_lower_id_first():
    outputs = T.Classify(NAMES[:5], top_k=4)(np.array([[1, 7, 7, 0, 7]], np.float32))
    assert outputs["ids"].tolist() == [[1, 2, 4, 0]]


def test_fewer_labels_than_top_k_give_them_all():
    outputs = T.Classify(["a", "b"], top_k=5)(np.array([[0.0, 1.0]], np.float32))
    assert outputs["ids"].tolist() == [[1, 0]]


@pytest.mark.parametrize("labels", [10, 12])
def test_another_number_of_labels_is_refused(labels):
    expected = rf"needs a label.\n  Received: {labels} labels for outputs of shape \(6, 11\)\n  Fix: pass one label"
    with pytest.raises(ConfigError, match=expected):
        T.Classify([f"class {n}" for n in range(labels)])(LOGITS)


def test_results_are_typed_and_named():
    classify = T.Classify(["cat", "dog", "cow"], top_k=2, activation="none")
    first, second = classify.build(classify(np.array([[0.25, 0.5, 0.125], [0.75, 0.0, 0.5]], np.float32)))
    assert first == Classification((ScoredLabel("dog", 0.5, 1), ScoredLabel("cat", 0.25, 0)))
    assert (second.label, second.score, second.id) == ("cat", 0.75, 0)
    assert [type(value) for value in first.top[0]] == [str, float, int]


def test_an_empty_batch_gives_no_results():
    classify = T.Classify(NAMES)
    assert classify.build(classify(LOGITS[:0])) == []
