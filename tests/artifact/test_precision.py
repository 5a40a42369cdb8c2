"""How export makes a network fast: precisions and their bounds, measured ways, the manifest, what is refused."""

import jax
import numpy as np
import pytest
from flax import nnx
from model_fixtures import LABELS, assert_same, filled, photo

import e2e_jax as e2e
from e2e_jax import transforms as T
from e2e_jax.artifact import archive, bundle
from e2e_jax.lowering import tune


class Network(nnx.Module):
    """Enough channels that bfloat16 has a part in it."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.stem = nnx.Conv(3, 16, (3, 3), strides=2, rngs=rngs)
        self.conv = nnx.Conv(16, 16, (3, 3), use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(16, rngs=rngs)
        self.depthwise = nnx.Conv(16, 16, (3, 3), feature_group_count=16, rngs=rngs)
        self.dense = nnx.Linear(16, 4, rngs=rngs)

    def __call__(self, x):
        x = jax.nn.relu(self.norm(self.conv(jax.nn.relu(self.stem(x)))))
        return 5 * self.dense(self.depthwise(x).mean((1, 2)))


@pytest.fixture(scope="module")
def model():
    steps = T.Compose([T.CenterCrop(16), T.ToTensor(), T.Normalize([0.5] * 3, [0.25] * 3)])
    whole = e2e.EndToEnd(steps, filled(Network), T.Classify(LABELS, top_k=4))
    whole.eval()
    return whole


@pytest.fixture(scope="module")
def both(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("both") / "both.e2e"
    return e2e.export(model, path, precision=("float32", "bfloat16"), progress=False)


def scores(predictor, image):
    return np.float32([c.score for c in sorted(predictor.predict(image).top, key=lambda c: c.id)])


def test_both_precisions_are_stored_and_replay(both, model):
    members = archive.read(both)
    kinds = ("prepare", "dense", "network")
    assert {f"programs/{kind}{end}.jax" for kind in kinds for end in ("", "_bfloat16")} <= set(members)
    exact, short = (e2e.load(both, precision=precision) for precision in ("float32", "bfloat16"))
    assert exact.replay() <= 1e-5
    assert 1e-6 < short.replay() < 0.02
    plain = model(photo())
    order = np.argsort(plain["ids"])
    assert np.abs(scores(exact, photo()) - plain["scores"][order]).max() < 1e-5
    assert 1e-6 < np.abs(scores(short, photo()) - plain["scores"][order]).max() < 0.02


def test_the_manifest_says_how_far_each_is_off(both):
    said = e2e.load(both).manifest.precisions
    assert list(said) == ["float32", "bfloat16"]
    assert said["float32"]["difference"] < 1e-5 < said["bfloat16"]["difference"] < 0.02
    assert said["float32"]["agreement"] == said["bfloat16"]["agreement"] == 1.0
    short = e2e.load(both, precision="bfloat16")
    assert short.replay() == pytest.approx(said["bfloat16"]["difference"], rel=0.5)


@pytest.mark.parametrize(
    ("asked", "fastest", "chosen"),
    [
        (None, "bfloat16", "float32"),
        ("float32", "bfloat16", "float32"),
        ("bfloat16", "float32", "bfloat16"),
        ("fastest", "bfloat16", "bfloat16"),
        ("fastest", "float32", "float32"),
    ],
)
def test_load_picks_the_precision(both, monkeypatch, asked, fastest, chosen):
    monkeypatch.setattr(bundle, "fastest_precision", lambda: fastest)
    read = bundle.read_bundle(both, asked)
    assert read.precision == chosen
    assert ("bf16" in str(read.programs["dense"].mlir_module())) == (chosen == "bfloat16")


def test_where_one_is_stored_the_other_is_refused_and_the_fastest_is_that_one(model, tmp_path, monkeypatch):
    path = e2e.export(model, tmp_path / "one.e2e", precision="bfloat16", progress=False)
    monkeypatch.setattr(bundle, "fastest_precision", lambda: "float32")
    assert bundle.read_bundle(path, "fastest").precision == bundle.read_bundle(path).precision == "bfloat16"
    for wrong in ("float32", "int8"):
        with pytest.raises(e2e.ConfigError, match="must be one that is stored") as caught:
            e2e.load(path, precision=wrong)
        assert f"{wrong!r} of " in caught.value.received
        assert "one of bfloat16, fastest" in caught.value.fix
    assert list(e2e.load(path).manifest.precisions) == ["bfloat16"]


def test_what_is_too_far_off_is_refused(model, tmp_path):
    options = {"precision": ("float32", "bfloat16"), "max_difference": 1e-5}
    with pytest.raises(e2e.ConfigError, match="the outputs in bfloat16 must be within 1e-05") as caught:
        e2e.export(model, tmp_path / "x.e2e", progress=False, **options)
    assert len(str(caught.value).splitlines()) == 3
    assert "without bfloat16" in caught.value.fix
    assert float(caught.value.fix.rsplit("=", 1)[1].rstrip(".")) > 1e-5, "what would be allowed"
    assert not list(tmp_path.iterdir())


def test_without_lowering_there_is_nothing_to_prepare_and_the_answers_are_the_same(model, both, tmp_path):
    path = e2e.export(model, tmp_path / "plain.e2e", lower=False, progress=False)
    assert not [name for name in archive.read(path) if "prepare" in name]
    predictor = e2e.load(path)
    assert predictor.manifest.precisions == {"float32": {"difference": 0.0, "agreement": 1.0}}
    assert predictor.replay() <= 1e-5
    assert_same(predictor.predict(photo()), e2e.load(both).predict(photo()))
    assert_same(predictor.predict([photo(30, 20)])[0], e2e.load(both).predict([photo(30, 20)])[0])


BAD = {
    "unknown": ({"precision": "float16"}, "precision must be known"),
    "one of two unknown": ({"precision": ("float32", "half")}, "precision must be known"),
    "none": ({"precision": ()}, "precision must not be empty"),
    "no word": ({"precision": None}, "precision must be known"),
    "tune is no bool": ({"tune": 1}, "tune must be"),
    "lower is no bool": ({"lower": "no"}, "lower must be"),
    "tune what is not lowered": ({"lower": False, "tune": True}, "stays as it is"),
    "bfloat16 without lowering": ({"lower": False, "precision": "bfloat16"}, "stays as it is"),
    "negative bound": ({"max_difference": -1}, "max_difference must be"),
    "bound that is no number": ({"max_difference": float("nan")}, "max_difference must be"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_options_are_refused_in_three_lines(model, tmp_path, kind):
    options, why = BAD[kind]
    with pytest.raises(e2e.ConfigError, match=why) as caught:
        e2e.export(model, tmp_path / "x.e2e", progress=False, **options)
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0].strip() for line in lines] == ["export", "Received", "Fix"]
    assert not list(tmp_path.iterdir())


def test_ways_are_measured_on_a_cpu_only(model, tmp_path, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    with pytest.raises(e2e.ConfigError, match="tune measures on a CPU") as caught:
        e2e.export(model, tmp_path / "x.e2e", progress=False, tune=True)
    assert "JAX_PLATFORMS=cpu" in caught.value.fix


def test_measured_ways_are_recorded_and_used(model, both, tmp_path, monkeypatch):
    taken = {"native": 3e-3, "shifted": 2e-3, "patches": 1e-3, "winograd": 4e-3}
    monkeypatch.setattr(tune, "_compiled", lambda convolution, name: name)
    monkeypatch.setattr(tune, "_seconds", lambda name: taken[name])
    path = e2e.export(model, tmp_path / "tuned.e2e", progress=False, tune=True)
    tuned = e2e.load(path)
    ways = {(way["convolution"]["inputs"], way["convolution"]["groups"]): way for way in tuned.manifest.ways}
    assert {key: way["way"] for key, way in ways.items()} == {
        (3, 1): "patches",
        (16, 1): "patches",
        (16, 16): "shifted",
    }
    assert ways[16, 1]["milliseconds"] == {"native": 3.0, "patches": 1.0, "winograd": 4.0}
    assert ways[3, 1]["convolution"]["strides"] == [2, 2]
    assert e2e.load(both).manifest.ways == []
    assert tuned.replay() <= 1e-5
    programs = [bundle.read_bundle(each).programs["dense"].mlir_module() for each in (path, both)]
    products = [text.count("stablehlo.dot_general") for text in programs]
    assert products[0] > products[1], "both dense convolutions by patches, which by rule are native"
