"""Given weights: as a mapping, as a file of either format; and what is said of those that do not fit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torchvision_graphs
from flax import nnx
from torch_files import saved

from e2e_jax import zoo
from e2e_jax.errors import ArtifactError, ConfigError
from e2e_jax.zoo import efficientnet, mobilenet, resnet
from e2e_jax.zoo.weights import efficientnet_lite0_file, read_torch_state

MODULES = {"resnet18": resnet, "mobilenet_v2": mobilenet, "efficientnet_lite0": efficientnet}
each_network = pytest.mark.parametrize("name", list(MODULES))


@pytest.fixture(scope="module")
def states() -> dict[str, dict[str, np.ndarray]]:
    """torch's names and arrays of each network; those of EfficientNet-Lite0 are its trained ones."""
    graphs = {name: getattr(torchvision_graphs, name)().arrays for name in ("resnet18", "mobilenet_v2")}
    return graphs | {"efficientnet_lite0": dict(read_torch_state(efficientnet_lite0_file()))}


def in_torchs_terms(name: str, model: nnx.Module) -> dict[str, np.ndarray]:
    """The network's arrays under torch's names, axes put in torch's order by NumPy."""
    arrays = {}
    for path, variable in nnx.to_flat_state(nnx.state(model)):
        array = np.asarray(variable[...])
        if array.ndim == 4:
            array = np.moveaxis(array, (3, 2), (0, 1))  # (h, w, in, out) -> (out, in, h, w)
        arrays[MODULES[name].upstream_name(path)] = np.moveaxis(array, -1, 0) if array.ndim == 2 else array
    return arrays


def assert_holds(name: str, model: nnx.Module, state: dict[str, np.ndarray]) -> None:
    found = in_torchs_terms(name, model)
    assert sorted(found) == sorted(key for key in state if not key.endswith("num_batches_tracked"))
    for key, array in found.items():
        np.testing.assert_array_equal(array, state[key], err_msg=key)


@each_network
def test_a_mapping_goes_in_and_comes_out_again(name, states):
    model = getattr(zoo, name)(weights=states[name] | {"bn.num_batches_tracked": np.int64(7)})
    assert_holds(name, model, states[name])
    assert model.stem.norm.use_running_average


@pytest.mark.parametrize("as_zip", [True, False])
def test_a_file_does_too(states, tmp_path, as_zip):
    (tmp_path / "mobilenet.pth").write_bytes(saved(states["mobilenet_v2"], as_zip=as_zip))
    assert_holds("mobilenet_v2", zoo.mobilenet_v2(weights=tmp_path / "mobilenet.pth"), states["mobilenet_v2"])
    assert_holds("mobilenet_v2", zoo.mobilenet_v2(weights=str(tmp_path / "mobilenet.pth")), states["mobilenet_v2"])


def test_given_weights_go_before_pretrained_ones(states):
    shifted = states["efficientnet_lite0"] | {"_fc.bias": np.arange(1000, dtype=np.float32)}
    assert zoo.efficientnet_lite0(weights=shifted).classifier.bias[7] == 7
    assert zoo.resnet18(pretrained=True, weights=states["resnet18"]).classifier.kernel.shape == (512, 1000)


def test_arrays_are_copied_and_become_float32(states):
    state = {key: array.astype(np.float64) for key, array in states["resnet18"].items()}
    state["bn1.weight"] = jnp.asarray(state["bn1.weight"], jnp.bfloat16)
    state["fc.bias"] = own = np.array(states["resnet18"]["fc.bias"])
    model = zoo.resnet18(weights=state)
    own[:] = np.nan
    np.testing.assert_array_equal(model.classifier.bias[...], states["resnet18"]["fc.bias"])
    assert {leaf.dtype for leaf in jax.tree.leaves(nnx.state(model))} == {jnp.dtype("float32")}


def refusal(kind: type, weights: object) -> list[str]:
    """The three lines."""
    with pytest.raises(kind) as caught:
        zoo.resnet18(weights=weights)
    return str(caught.value).splitlines()


def test_missing_and_unexpected_names_are_told_in_three_lines(states, tmp_path):
    state = {key: array for key, array in states["resnet18"].items() if not key.startswith("layer1.0")}
    state |= {"head.weight": np.zeros((1000, 512), np.float32)}
    expected, received, fix = refusal(ConfigError, state)
    assert expected.startswith("torchvision.models.resnet18: weights must hold each array of the network")
    assert received.strip().startswith("Received: missing: layer1.0.")
    assert received.endswith(" and 7 more; unexpected: head.weight")  # two convolutions, two normalisations: 10
    assert "state_dict() of torchvision.models.resnet18" in fix
    (tmp_path / "other.pth").write_bytes(saved(state, as_zip=True))
    _, from_file, _ = refusal(ArtifactError, tmp_path / "other.pth")
    assert from_file == received.replace("Received: ", f"Received: {tmp_path / 'other.pth'}: ")


def test_other_shapes_and_dtypes_are_told(states):
    state = states["resnet18"] | {"fc.weight": np.zeros((10, 512), np.float32), "bn1.bias": np.zeros(64, int)}
    _, received, _ = refusal(ConfigError, state)
    assert received.endswith(
        "of another shape: fc.weight (10, 512), not (1000, 512); not of floats: bn1.bias int64"
    )
    conv = states["resnet18"]["conv1.weight"].transpose(2, 3, 1, 0)
    _, received, _ = refusal(ConfigError, states["resnet18"] | {"conv1.weight": conv})
    assert received.endswith("of another shape: conv1.weight (7, 7, 3, 64), not (64, 3, 7, 7)")


def test_what_is_no_array_or_no_weights_at_all_is_told(states, tmp_path):
    _, received, _ = refusal(ConfigError, states["resnet18"] | {"fc.bias": [[1.0], [1.0, 2.0]]})
    assert "fc.bias: setting an array element" in received
    assert refusal(ConfigError, 18)[1].endswith("weights of type int")
    assert str(tmp_path / "none.pth") in refusal(ArtifactError, tmp_path / "none.pth")[1]
