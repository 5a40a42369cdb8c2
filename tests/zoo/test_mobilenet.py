"""MobileNetV2 against ONNX Runtime on torchvision's graph; its sizes, modes, export and refusals."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torchvision_graphs
from flax import nnx

from e2e_jax.errors import ConfigError, ImageError
from e2e_jax.zoo.mobilenet import MobileNetV2, mobilenet_v2

SHAPES = [(2, 64, 64, 3), (1, 75, 61, 3), (1, 32, 32, 3)]


@pytest.fixture(scope="module")
def graph() -> torchvision_graphs.Graph:
    return torchvision_graphs.mobilenet_v2()


@pytest.fixture(scope="module")
def model(graph) -> MobileNetV2:
    return mobilenet_v2(weights=graph.arrays)


def images(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def assert_close(logits, reference) -> None:
    np.testing.assert_allclose(logits, reference, rtol=0, atol=1e-5 * np.abs(reference).max())


@pytest.mark.parametrize("shape", SHAPES)
def test_logits_match_onnx_runtime(model, graph, shape):
    assert_close(jax.jit(model)(images(*shape)), graph.run(images(*shape)))


def test_network_has_the_published_number_of_weights():
    model = nnx.eval_shape(mobilenet_v2)
    sizes = {
        kind: sum(x.size for x in jax.tree.leaves(nnx.state(model, kind))) for kind in (nnx.Param, nnx.BatchStat)
    }
    assert sizes == {nnx.Param: 3_504_872, nnx.BatchStat: 34_112}  # of 17,056 channels that are normalised


def test_blocks_of_stride_one_and_equal_channels_add_their_input(model):
    assert [n for n, block in enumerate(model.blocks) if block.skip] == [2, 4, 5, 7, 8, 9, 11, 12, 14, 15]


def test_depthwise_convolutions_are_plain_grouped_ones(model):
    """Export rewrites them where that is faster; the network itself says what is meant."""
    structure, state = nnx.split(model)
    forward = jax.jit(lambda state, x: nnx.merge(structure, state)(x))
    text = forward.lower(state, images(1, 32, 32, 3)).as_text()
    groups = re.findall(r"feature_group_count = (\d+)", text)
    assert [int(n) for n in groups if n != "1"] == [
        *(32, 96, 144, 144, 192, 192, 192, 384, 384, 384, 384, 576, 576, 576, 960, 960, 960)
    ]
    assert len(groups) == text.count("stablehlo.convolution") == 52


def test_export_with_symbolic_batch_replays_for_every_size(model, graph):
    structure, state = nnx.split(model)
    leaves, tree = jax.tree.flatten(state)
    forward = jax.jit(lambda leaves, x: nnx.merge(structure, tree.unflatten(leaves))(x))
    symbolic = jax.ShapeDtypeStruct(jax.export.symbolic_shape("b, 64, 64, 3"), jnp.float32)
    exported = jax.export.export(forward, platforms=("cpu", "cuda"))(leaves, symbolic)
    replay = jax.export.deserialize(exported.serialize()).call
    x = images(3, 64, 64, 3)
    assert_close(replay(leaves, x), graph.run(x))
    assert_close(replay(leaves, x[1:2]), graph.run(x[1:2]))


def test_strict_promotion_holds_in_both_modes():
    random = nnx.eval_shape(mobilenet_v2)
    for mode in (random.train, random.eval):
        mode()
        structure, state = nnx.split(random)
        logits = jax.eval_shape(lambda s, x, g=structure: nnx.merge(g, s)(x), state, jnp.zeros((2, 64, 64, 3)))
        assert (logits.shape, logits.dtype) == ((2, 1000), jnp.float32)


def test_random_weights_follow_the_rngs_and_are_to_be_trained():
    default, same, other = mobilenet_v2(), mobilenet_v2(rngs=nnx.Rngs(0)), mobilenet_v2(False, nnx.Rngs(1))
    kernels = [model.head.conv.kernel[...] for model in (default, same, other)]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert not (kernels[0] == kernels[2]).any()
    assert abs(kernels[0].std() / (2 / 320) ** 0.5 - 1) < 0.01
    norm = default.stem.norm
    assert (norm.use_running_average, norm.momentum) == (False, 0.9)  # torch's 0.1 is the share of the new batch


def test_pretrained_says_how_to_give_weights():
    with pytest.raises(ConfigError, match=r"torchvision's mobilenet_v2\(\).state_dict\(\)") as caught:
        mobilenet_v2(pretrained=True)
    assert caught.value.expected.startswith("mobilenet_v2: trained weights must be given")


def test_misspelt_arguments_are_config_errors():
    with pytest.raises(ConfigError, match="weight"):
        mobilenet_v2(weight={})


@pytest.mark.parametrize(
    "x",
    [np.zeros((1, 64, 64, 3), np.uint8), np.zeros((64, 64, 3), np.float32), np.zeros((1, 3, 64, 64), np.float32)],
)
def test_other_images_are_refused(model, x):
    with pytest.raises(ImageError, match="MobileNetV2: images must be") as caught:
        model(x)
    assert caught.value.received == f"{x.shape} {x.dtype}"
