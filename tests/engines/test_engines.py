"""Engines beside JAX: the same logits, what the graph holds, and what is said where one is missing."""

import importlib.util
import subprocess
import sys

import jax
import numpy as np
import onnx
import pytest
from flax import nnx

from e2e_jax.engines import catalog
from e2e_jax.engines.onnx_graph import BATCH, to_onnx
from e2e_jax.engines.onnxruntime import OnnxRuntime
from e2e_jax.engines.openvino import OpenVINO
from e2e_jax.errors import ConfigError

SHAPE = (17, 12, 3)


class Net(nnx.Module):
    """Every kind of layer the networks of the zoo have."""

    def __init__(self, *, padding) -> None:
        rngs = nnx.Rngs(0)
        self.stem = nnx.Conv(3, 8, (3, 3), strides=2, padding=1, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.depthwise = nnx.Conv(8, 8, (3, 3), feature_group_count=8, padding="SAME", rngs=rngs)
        self.classifier = nnx.Linear(8, 5, rngs=rngs)
        self.padding = padding
        self.norm.mean[...] = jax.random.normal(jax.random.key(1), (8,))
        self.eval()

    def __call__(self, x):
        x = -nnx.relu6(self.norm(self.stem(x)))  # below zero: padding with zeros would win
        x = nnx.max_pool(x, window_shape=(3, 3), strides=(2, 2), padding=self.padding)
        return self.classifier((x + self.depthwise(x)).mean((1, 2)))


@pytest.fixture(scope="module", params=["SAME", "VALID", ((1, 1), (1, 1)), ((0, 2), (1, 0))], ids=str)
def network(request):
    return Net(padding=request.param)


@pytest.fixture(scope="module")
def graph(network):
    return to_onnx(lambda x: network(x), SHAPE)


def images(batch: int) -> np.ndarray:
    return np.random.default_rng(batch).normal(size=(batch, *SHAPE)).astype(np.float32)


@pytest.mark.parametrize("engine", [OnnxRuntime, OpenVINO])
@pytest.mark.parametrize("batch", [None, 3])
def test_logits_are_those_of_jax(network, graph, engine, batch):
    run = engine(graph, batch=batch, threads=1)
    for count in (1, 4) if batch is None else (batch,):
        found = run(images(count))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, network(images(count)), rtol=1e-4, atol=1e-5)


def test_padding_costs_no_pass_of_its_own(network, graph):
    nodes = onnx.load_from_string(graph).graph.node
    assert [node.op_type for node in nodes].count("MaxPool") == 1
    assert "Pad" not in [node.op_type for node in nodes]


def test_the_graph_has_one_free_axis_and_versions_onnx_runtime_of_the_jvm_reads(graph):
    model = onnx.load_from_string(graph)
    assert [size.dim_param for size in model.graph.input[0].type.tensor_type.shape.dim] == [BATCH, "", "", ""]
    assert (model.opset_import[0].version, model.ir_version) <= (23, 10)
    assert not model.graph.value_info


def test_converting_leaves_flax_as_it_was(network):
    before = nnx.max_pool, nnx.Conv.__call__
    to_onnx(lambda x: network(x), SHAPE)
    assert (nnx.max_pool, nnx.Conv.__call__) == before


def test_what_does_not_convert_is_a_config_error_with_the_reason():
    with pytest.raises(ConfigError, match="jax2onnx must be able to convert") as caught:
        to_onnx(lambda x: jax.image.resize(x, (1, 5, 5, 3), "bilinear"), (9, 9, 3))
    assert len(str(caught.value).splitlines()) == 3


def test_openvino_knows_two_precisions(graph):
    with pytest.raises(ConfigError, match="OpenVINO: precision must be known"):
        OpenVINO(graph, precision="float16")


@pytest.mark.parametrize(
    ("name", "package", "fix"),
    [
        ("onnxruntime", "onnxruntime", "pip install 'e2e_jax[onnx]'"),
        ("onnxruntime", "jax2onnx", "pip install 'e2e_jax[onnx]'"),
        ("openvino", "openvino", "pip install 'e2e_jax[onnx,openvino]'"),
    ],
)
def test_a_missing_engine_names_its_extra(monkeypatch, name, package, fix):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == package else find(n))
    assert catalog.missing(name) == [package]
    with pytest.raises(ConfigError, match=f"no package {package}") as caught:
        catalog.require([name])
    assert str(caught.value).endswith(fix)
    with pytest.raises(ConfigError, match="the engine must be installed"):
        {"onnxruntime": OnnxRuntime, "openvino": OpenVINO}[name](b"")


RELU = """
import os, signal
import numpy as np
from onnx import TensorProto, helper
from e2e_jax.engines.openvino import OpenVINO
ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in "xy"]
graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ends[:1], ends[1:])
relu = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]).SerializeToString()
"""


def output_of(code: str) -> list[str]:
    """What it prints in a fresh interpreter, which must end well."""
    done = subprocess.run([sys.executable, "-c", RELU + code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_openvino_neither_forks_nor_reports_home():
    code = """
forks = []
os.register_at_fork(before=lambda: forks.append(1))
print(OpenVINO(relu)(np.float32([[-1, 2]])).tolist())
import sys
print(forks, "openvino_telemetry" in sys.modules)
"""
    assert output_of(code) == ["[[0.0, 2.0]]", "[] False"]


def test_ctrl_c_after_openvino_is_no_crash():
    code = """
signal.signal(signal.SIGINT, signal.default_int_handler)
first, second = OpenVINO(relu), OpenVINO(relu)
del first
del second
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("caught")
"""
    assert output_of(code) == ["caught"]


def test_conversion_leaves_the_functions_of_jax_as_they_are():
    found = """
import jax, jax.numpy as jnp
from flax import nnx
from e2e_jax.engines.onnx_graph import to_onnx

before = [dict(vars(module)) for module in (jnp, jax.lax, jax.nn, nnx)]
to_onnx(lambda x: x.mean((1, 2)), (8, 8, 3))
after = [dict(vars(module)) for module in (jnp, jax.lax, jax.nn, nnx)]
print([name for old, new in zip(before, after) for name in old if new.get(name) is not old[name]])
print(jnp.cumsum(jnp.ones(3), -1).tolist())
"""
    done = subprocess.run([sys.executable, "-c", found], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "[1.0, 2.0, 3.0]"]
