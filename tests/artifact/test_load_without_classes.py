"""load needs nothing but the file: not the network's class, gone with a script that has ended, nor the zoo."""

import json
import subprocess
import sys

import numpy as np
import pytest
from model_fixtures import photo

import e2e_jax as e2e

SCRIPT = """
import sys
import jax, numpy as np
from flax import nnx
import e2e_jax as e2e
from e2e_jax import transforms as T

class OnlyHere(nnx.Module):
    def __init__(self, rngs):
        self.conv = nnx.Conv(3, 8, (3, 3), strides=2, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.out = nnx.Linear(8, 4, rngs=rngs)
    def __call__(self, x):
        return self.out(jax.nn.relu(self.norm(self.conv(x))).mean((1, 2)))

folder = sys.argv[1]
steps = T.Compose([T.Resize((24, 24)), T.ToTensor()])
model = e2e.EndToEnd(steps, OnlyHere(nnx.Rngs(3)), T.Classify(["a", "b", "c", "d"]))
e2e.export(model, folder + "/model.e2e", progress=False)
model.network.eval()
np.savez(folder + "/expected.npz", **model(np.load(folder + "/photo.npy")))
"""
LOADER = """
import json, sys
import numpy as np
import e2e_jax as e2e
result = e2e.load(sys.argv[1] + "/model.e2e").predict(np.load(sys.argv[1] + "/photo.npy"))
print(json.dumps({"top": result.top, "zoo": [name for name in sys.modules if name.startswith("e2e_jax.zoo")]}))
"""


def run(command, cwd):
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=120, cwd=cwd, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("script")
    np.save(path / "photo.npy", photo())
    (path / "train.py").write_text(SCRIPT)
    run(["train.py", str(path)], cwd=path)
    (path / "train.py").unlink()
    return path


def answers(folder):
    with np.load(folder / "expected.npz") as stored:
        return dict(stored)


def test_this_process_predicts_what_the_script_computed(folder):
    result = e2e.load(folder / "model.e2e").predict(photo())
    expected = answers(folder)
    assert [c.id for c in result.top] == expected["ids"].tolist()
    np.testing.assert_allclose([c.score for c in result.top], expected["scores"], atol=1e-5)


def test_a_fresh_process_predicts_it_too_and_imports_no_zoo(folder, tmp_path):
    answer = json.loads(run(["-c", LOADER, str(folder)], cwd=tmp_path))
    expected = answers(folder)
    assert [identifier for _, _, identifier in answer["top"]] == expected["ids"].tolist()
    np.testing.assert_allclose([score for _, score, _ in answer["top"]], expected["scores"], atol=1e-5)
    assert answer["zoo"] == []
