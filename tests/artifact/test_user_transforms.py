"""A user's own transform exports like a built-in one and runs without its source."""

from __future__ import annotations

import json
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from model_fixtures import photo, tiny_model

import e2e_jax as e2e
from e2e_jax import transforms as T
from e2e_jax.errors import ConfigError
from e2e_jax.ops.plans import Geometry
from e2e_jax.ops.selections import flip_plan

SCRIPT = """
import sys
import jax.numpy as jnp, numpy as np
import e2e_jax as e2e
from e2e_jax import transforms as T
from e2e_jax.ops.selections import flip_plan

class Emboss(T.Imagewise):
    def __init__(self, strength):
        self.strength = strength
    def apply(self, image, size):
        gray = image.astype(jnp.float32)
        return jnp.clip(gray - self.strength * jnp.roll(gray, 1, 1), 0, 255).astype(image.dtype)

class Upside(T.Geometric):
    def __init__(self):
        pass
    def plan(self, geometry, *numbers):
        return flip_plan("vertical")(geometry)

def halved(image):
    return image // 2

folder = sys.argv[1]
steps = T.Compose([Upside(), T.Resize((20, 20)), Emboss(0.5), T.Lambda(halved), T.ToTensor()])
network = (lambda params, x: x[:, ::5, ::5].reshape(x.shape[0], -1) @ params, np.ones((48, 3), np.float32))
model = e2e.EndToEnd(steps, network)
e2e.export(model, folder + "/own.e2e", progress=False)
image = np.load(folder + "/photo.npy")
np.save(folder + "/expected.npy", model(image)["outputs"] if isinstance(model(image), dict) else model(image))
"""
LOADER = """
import json, sys
import numpy as np
import e2e_jax as e2e
predictor = e2e.load(sys.argv[1] + "/own.e2e")
result = predictor.predict(np.load(sys.argv[1] + "/photo.npy"))
print(json.dumps({"result": np.asarray(result).tolist(), "shown": repr(predictor)}))
"""


def run(command: list[str]) -> str:
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_runs_in_another_process_after_its_source_is_gone(tmp_path):
    np.save(tmp_path / "photo.npy", photo())
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    run([str(script), str(tmp_path)])
    script.unlink()
    answer = json.loads(run(["-c", LOADER, str(tmp_path)]))
    np.testing.assert_allclose(answer["result"], np.load(tmp_path / "expected.npy"), rtol=1e-5)


class Upside(T.Geometric):
    def __init__(self):
        pass

    def plan(self, geometry: Geometry, *numbers):
        return flip_plan("vertical")(geometry)


def test_a_geometric_subclass_fuses_and_moves_the_parts():
    image = np.random.default_rng(1).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    moved = T.Compose([Upside(), T.Crop(1, 1, 6, 5)])(T.Sample(image, boxes=[[1, 2, 3, 4]]))
    np.testing.assert_array_equal(moved.image, image[::-1][1:7, 1:6])
    assert moved.boxes.tolist() == [[0, 4, 2, 6]]


class Counted(T.Pointwise):
    def __init__(self):
        pass

    def apply(self, image):
        if float(image.sum()) > 0:  # this line cannot be traced
            return image + 1
        return image


def branches(image):
    return image if image.mean() > 3 else -image  # nor can this one


@pytest.mark.parametrize(
    ("step", "line"),
    [(Counted(), "if float(image.sum()) > 0:"), (T.Lambda(branches), "return image if image.mean() > 3")],
    ids=["subclass", "Lambda"],
)
def test_what_cannot_be_traced_is_named_with_its_line(step, line, tmp_path):
    pipeline = T.Compose([T.Resize((8, 8)), step, T.ToTensor()])
    for use in (lambda: pipeline(photo()), lambda: e2e.export(tiny_model(preprocess=pipeline), tmp_path / "x.e2e")):
        with pytest.raises(ConfigError) as caught:
            use()
        said, received, fix = str(caught.value).splitlines()
        assert said == f"{step!r}: a transform must be traceable, in JAX operations on arrays of any size."
        assert line in received
        assert __file__ in received
        assert fix.startswith("  Fix: use jax.numpy")
    assert not list(tmp_path.iterdir())


def test_a_lambda_cannot_be_read_from_a_config():
    with pytest.raises(ConfigError, match="Lambda: function must be callable"):
        T.Transform.from_config(T.Lambda(jnp.abs).config)
