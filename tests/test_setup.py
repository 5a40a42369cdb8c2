"""Set-up on other machines: which Python is chosen, and that the three lists of packages agree."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = dict(line.split("==") for line in (ROOT / "requirements.lock").read_text().splitlines() if line[0] != "#")


def which(folder: Path, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs the bootstrap's search with an otherwise empty environment."""
    env = {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(home)} | variables
    return subprocess.run(["bash", ROOT / ".ci/setup", "--which"], env=env, capture_output=True, text=True)


def fake_python(path: Path, version: str) -> Path:
    """A python that claims a version, or fails like a pyenv shim without one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pretend = f"import sys; sys.version_info = ({version}, 0); exec(sys.argv[1])"
    claims, fails = f'exec {sys.executable} -c "{pretend}" "$2"', "echo 'pyenv: command not found' >&2; exit 127"
    path.write_text(f"#!/bin/sh\n{claims if version else fails}\n")
    path.chmod(0o755)
    return path


def hide_system_python(folder: Path) -> None:
    """Puts an old python3 and failing shims in front of whatever the test machine has in /usr/bin."""
    for name in ("python3.13", "python3.12"):
        fake_python(folder / name, "")
    fake_python(folder / "python3", "3, 11")


def test_python3_of_path_is_taken_when_it_is_new_enough(tmp_path: Path) -> None:
    hide_system_python(tmp_path / "bin")
    fake_python(tmp_path / "bin/python3", "3, 12")
    assert which(tmp_path / "bin", tmp_path).stdout == "python3\n"


def test_newest_name_on_the_path_wins(tmp_path: Path) -> None:
    fake_python(tmp_path / "bin/python3", "3, 12")
    fake_python(tmp_path / "bin/python3.13", "3, 13")
    assert which(tmp_path / "bin", tmp_path).stdout == "python3.13\n"


@pytest.mark.parametrize(
    ("place", "version"),
    [(".pyenv/versions/3.12.1", "3, 12"), (".local/share/uv/python/cpython-3.13.1-linux", "3, 13")],
)
def test_failing_shims_and_old_python_lead_to_pyenv_and_uv(tmp_path: Path, place: str, version: str) -> None:
    hide_system_python(tmp_path / "bin")
    python = fake_python(tmp_path / place / "bin/python3", version)
    assert which(tmp_path / "bin", tmp_path).stdout == f"{python}\n"


def test_named_python_comes_first_and_is_not_replaced_when_unusable(tmp_path: Path) -> None:
    fake_python(tmp_path / "bin/python3.13", "3, 13")
    named = fake_python(tmp_path / "mine", "3, 12")
    assert which(tmp_path / "bin", tmp_path, PYTHON=str(named)).stdout == f"{named}\n"
    refused = which(tmp_path / "bin", tmp_path, PYTHON="/nowhere/python")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "PYTHON=/nowhere/python is not" in refused.stderr


def test_without_any_python_one_sentence_says_how_to_get_one(tmp_path: Path) -> None:
    hide_system_python(tmp_path / "bin")
    failed = which(tmp_path / "bin", tmp_path)
    assert failed.returncode == 1
    assert len(failed.stderr.splitlines()) == 1
    assert "uv python install" in failed.stderr


def test_lock_serves_every_dependency_of_the_project() -> None:
    extras = PROJECT["optional-dependencies"]
    wanted = [Requirement(text) for texts in (PROJECT["dependencies"], *extras.values()) for text in texts]
    assert set(extras) >= {"fast", "notebook", "onnx", "openvino", "test"}
    for requirement in wanted:
        name = re.sub("[-_.]+", "-", requirement.name).lower()
        assert name == "e2e-jax" or requirement.specifier.contains(PINS[name]), requirement


def test_lock_holds_names_and_versions_only() -> None:
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in PINS)
    assert all(re.fullmatch(r"[\w.!+]+", version) for version in PINS.values())
    assert "torch" not in PINS


def test_conda_environment_is_the_locked_one() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, pip, packages = environment["dependencies"]
    assert environment["name"] == PROJECT["name"]
    assert packages == {"pip": ["-r requirements.lock", "-e ."]}
    assert Requirement(python).specifier.contains("3.12")
    assert Requirement(python).specifier.contains("3.13")
    bounds = re.search(r"OLDEST=(\d+) NEWEST=(\d+)", (ROOT / ".ci/setup").read_text())
    assert bounds is not None
    assert bounds.groups() == ("12", "13")
    assert PROJECT["requires-python"] == ">=3.12"


def test_ci_runs_what_the_readme_tells_users_to_run() -> None:
    script = (ROOT / ".ci/run").read_text()
    assert re.findall(r"^make .*$", script, re.MULTILINE) == ["make test"]
    assert "make test " in (ROOT / "README.md").read_text()
    assert os.access(ROOT / ".ci/run", os.X_OK)
