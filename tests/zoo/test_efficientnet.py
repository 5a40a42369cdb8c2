"""EfficientNet-Lite0 against ONNX Runtime's logits; its weights, modes, export and refusals."""

import runpy
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from e2e_jax.errors import ArtifactError, ConfigError, ImageError
from e2e_jax.zoo import efficientnet, weights
from e2e_jax.zoo.efficientnet import EfficientNetLite0, efficientnet_lite0, upstream_name

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def model() -> EfficientNetLite0:
    return efficientnet_lite0()


@pytest.fixture(scope="module")
def golden() -> list[tuple[np.ndarray, np.ndarray]]:
    """Inputs (1, h, w, 3) and the logits (1000,) that tests/golden/efficientnet_lite0.py got from ONNX Runtime."""
    images = runpy.run_path(str(GOLDEN / "efficientnet_lite0.py"))["images"]()
    return list(zip(images, np.load(GOLDEN / "efficientnet_lite0.npz")["logits"], strict=True))


def flat(model: nnx.Module) -> dict:
    return {path: np.asarray(variable[...]) for path, variable in nnx.to_flat_state(nnx.state(model))}


def test_logits_match_onnx_runtime(model, golden):
    forward = jax.jit(model)
    for image, logits in golden:
        np.testing.assert_allclose(forward(image)[0], logits, atol=5e-5)


def test_batch_gives_each_image_its_own_logits(model, golden):
    (plate, first), (tiles, second), _ = golden
    logits = jax.jit(model)(np.concatenate([tiles, plate, tiles]))
    np.testing.assert_allclose(logits, [second, first, second], atol=5e-5)


def test_network_has_the_published_number_of_weights(model):
    sizes = {
        kind: sum(x.size for x in jax.tree.leaves(nnx.state(model, kind))) for kind in (nnx.Param, nnx.BatchStat)
    }
    assert sizes == {nnx.Param: 4_652_008, nnx.BatchStat: 42_016}


def test_blocks_have_the_published_shapes(model):
    arrays = flat(model)
    found = [arrays["blocks", n, "depthwise", "conv", "kernel"].shape[::3] for n in range(16)]
    wide = [32, 96, 144, 144, 240, 240, 480, 480, 480, 672, 672, 672, 1152, 1152, 1152, 1152]
    assert found == list(zip([3, 3, 3, 5, 5, 3, 3, 3, 5, 5, 5, 5, 5, 5, 5, 3], wide, strict=True))
    assert ("blocks", 0, "expand", "conv", "kernel") not in arrays
    assert [n for n, block in enumerate(model.blocks) if block.skip] == [2, 4, 6, 7, 9, 10, 12, 13, 14]


def test_every_array_of_the_file_is_used_once(model):
    used = sorted(upstream_name(path) for path in flat(model))
    stored = weights.read_torch_state(weights.efficientnet_lite0_file())
    assert used == sorted(name for name in stored if not name.endswith("num_batches_tracked"))


def test_export_with_symbolic_batch_replays_for_every_size(model, golden):
    graph, state = nnx.split(model)
    leaves, tree = jax.tree.flatten(state)
    forward = jax.jit(lambda leaves, images: nnx.merge(graph, tree.unflatten(leaves))(images))
    images = jax.ShapeDtypeStruct(jax.export.symbolic_shape("b, 224, 224, 3"), jnp.float32)
    exported = jax.export.export(forward, platforms=("cpu", "cuda"))(leaves, images)
    replay = jax.export.deserialize(exported.serialize()).call
    (plate, first), (tiles, second), _ = golden
    np.testing.assert_allclose(replay(leaves, plate), [first], atol=5e-5)
    np.testing.assert_allclose(replay(leaves, np.concatenate([plate, tiles])), [first, second], atol=5e-5)


def test_jit_traces_once_for_one_shape(model):
    traces = []
    forward = jax.jit(lambda x: traces.append(x.shape) or model(x))
    forward(np.zeros((1, 32, 32, 3), np.float32))
    forward(np.ones((1, 32, 32, 3), np.float32))
    assert traces == [(1, 32, 32, 3)]


def test_strict_promotion_holds_in_both_modes():
    with jax.numpy_dtype_promotion("strict"):
        random = nnx.eval_shape(lambda: EfficientNetLite0(rngs=nnx.Rngs(0)))
        for mode in (random.train, random.eval):
            mode()
            graph, state = nnx.split(random)
            logits = jax.eval_shape(lambda s, x, g=graph: nnx.merge(g, s)(x), state, jnp.zeros((2, 64, 64, 3)))
            assert (logits.shape, logits.dtype) == ((2, 1000), jnp.float32)


def test_train_mode_updates_statistics_and_eval_mode_does_not():
    model = efficientnet_lite0()
    images = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)), jnp.float32)
    forward = nnx.jit(lambda model, images: model(images))
    before = model.stem.norm.mean[...]
    forward(model, images)
    np.testing.assert_array_equal(model.stem.norm.mean[...], before)
    model.train()
    forward(model, images)
    batch = model.stem.conv(images).mean((0, 1, 2))
    np.testing.assert_allclose(model.stem.norm.mean[...], 0.99 * before + 0.01 * batch, rtol=1e-4, atol=1e-6)


def test_random_weights_follow_the_rngs():
    default, same, other = (flat(efficientnet_lite0(False, rngs)) for rngs in (None, nnx.Rngs(0), nnx.Rngs(1)))
    for path, array in default.items():
        np.testing.assert_array_equal(array, same[path])
    kernels = [path for path in default if path[-1] == "kernel"]
    assert len(kernels) == 50
    assert not any((default[path] == other[path]).any() for path in kernels)
    head = default["head", "conv", "kernel"]  # (1, 1, 320, 1280)
    assert abs(head.std() / (2 / 320) ** 0.5 - 1) < 0.01


def test_random_network_is_in_train_mode_and_pretrained_in_eval_mode(model):
    random = nnx.eval_shape(lambda: efficientnet_lite0(pretrained=False))
    modes = [{unit.norm.use_running_average for unit in (net.stem, net.head)} for net in (model, random)]
    assert modes == [{True}, {False}]


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, 224, 224, 3), np.uint8),
        np.zeros((224, 224, 3), np.float32),
        np.zeros((1, 3, 32, 32), np.float32),
    ],
)
def test_other_images_are_refused(model, images):
    with pytest.raises(ImageError) as caught:
        model(images)
    assert caught.value.received == f"{images.shape} {images.dtype}"


def test_missing_package_is_a_config_error_only_if_pretrained(monkeypatch):
    monkeypatch.setattr(weights, "LITE0_PACKAGE", "not_installed")
    with pytest.raises(ConfigError, match="pretrained=False"):
        efficientnet_lite0()
    assert nnx.eval_shape(lambda: efficientnet_lite0(pretrained=False)).classifier.kernel.shape == (1280, 1000)


def test_changed_weights_are_refused(monkeypatch, tmp_path):
    data = weights.efficientnet_lite0_file().read_bytes()
    (tmp_path / "lite0.pth").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    monkeypatch.setattr(efficientnet, "efficientnet_lite0_file", lambda: tmp_path / "lite0.pth")
    with pytest.raises(ArtifactError, match="sha256"):
        efficientnet_lite0()
