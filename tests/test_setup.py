"""Set-up on other machines: which Python is chosen, and that the three lists of packages agree."""

import importlib.metadata
import os
import re
import shutil
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


def bash(script: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs a script with an otherwise empty environment."""
    return subprocess.run(["bash", script, *arguments], env=env, capture_output=True, text=True)


def which(folder: Path, home: Path, *minor: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs the bootstrap's search."""
    search = {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(home)}
    return bash(ROOT / ".ci/setup", "--which", *minor, **search | variables)


def fake_python(path: Path, version: str, flags: str = "") -> Path:
    """A python that claims a version, or fails like a pyenv shim without one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pretend = f"import sys; sys.version_info = ({version}, 0); sys.abiflags = '{flags}'; exec(sys.argv[1])"
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


def test_free_threaded_python_is_passed_over(tmp_path: Path) -> None:
    hide_system_python(tmp_path / "bin")
    versions = tmp_path / ".pyenv/versions"
    fake_python(versions / "3.13.1t/bin/python3", "3, 13", "t")
    ordinary = fake_python(versions / "3.12.1/bin/python3", "3, 12")
    assert which(tmp_path / "bin", tmp_path).stdout == f"{ordinary}\n"


def test_one_minor_version_can_be_asked_for(tmp_path: Path) -> None:
    fake_python(tmp_path / "bin/python3.13", "3, 13")
    fake_python(tmp_path / "bin/python3.12", "3, 12")
    assert which(tmp_path / "bin", tmp_path, "12").stdout == "python3.12\n"


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


class Checkout:
    """A copy of what set-up reads, with pythons that make fake environments and note what pip is asked for."""

    PYTHON = """#!/bin/sh
    case "$1 $2" in
        "-m venv") mkdir -p .venv/bin; cp "$0" .venv/bin/python; echo venv >>log ;;
        "-m pip") echo pip >>log; test ! -e offline ;;
        *) pretend="import sys; sys.version_info = (3, {minor}); sys._base_executable = '$0'"
           exec {real} -c "$pretend; exec(sys.argv[1])" "$2"
    esac
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / ".ci", folder / ".ci")
        for name in ("requirements.lock", "pyproject.toml"):
            shutil.copy(ROOT / name, folder)
        self.pythons = {minor: self.python(minor) for minor in (12, 13)}

    def python(self, minor: int) -> str:
        path = self.folder / f"python-{minor}"
        path.write_text(self.PYTHON.format(real=sys.executable, minor=minor))
        path.chmod(0o755)
        return str(path)

    def setup(self, python: str) -> tuple[int, list[str]]:
        """The exit status, and the commands that made environments or called pip."""
        log = self.folder / "log"
        log.write_text("")
        done = bash(self.folder / ".ci/setup", PATH="/usr/bin:/bin", PYTHON=python)
        return done.returncode, log.read_text().split()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A checkout that has been set up with Python 3.13."""
    checkout = Checkout(tmp_path / "checkout")
    assert checkout.setup(checkout.pythons[13]) == (0, ["venv", "pip", "pip"])
    return checkout


def test_second_setup_does_nothing_and_a_symlink_is_no_other_place(checkout: Checkout, tmp_path: Path) -> None:
    python = checkout.pythons[13]
    assert checkout.setup(python) == (0, [])
    (tmp_path / "link").symlink_to(checkout.folder)
    checkout.folder = tmp_path / "link"
    assert checkout.setup(python) == (0, [])


def test_changed_lock_keeps_the_environment_and_installs_again(checkout: Checkout) -> None:
    with (checkout.folder / "requirements.lock").open("a") as lock:
        lock.write("one-more==1\n")
    assert checkout.setup(checkout.pythons[13]) == (0, ["pip", "pip"])
    assert checkout.setup(checkout.pythons[13]) == (0, [])


def test_interrupted_setup_never_counts_as_done(checkout: Checkout) -> None:
    lock, python = checkout.folder / "requirements.lock", checkout.pythons[13]
    before = lock.read_text()
    lock.write_text(before + "one-more==1\n")
    (checkout.folder / "offline").touch()
    status, commands = checkout.setup(python)
    assert status != 0
    assert commands == ["pip"]
    (checkout.folder / "offline").unlink()
    lock.write_text(before)  # the lock of the last complete set-up, but not its packages
    assert checkout.setup(python) == (0, ["pip", "pip"])


def test_broken_moved_and_differently_asked_environments_are_made_again(checkout: Checkout) -> None:
    python, again = checkout.pythons[13], (0, ["venv", "pip", "pip"])
    (checkout.folder / ".venv/bin/python").unlink()
    assert checkout.setup(python) == again
    checkout.folder = checkout.folder.rename(checkout.folder.parent / "moved")
    python = checkout.python(13)
    assert checkout.setup(python) == again
    assert checkout.setup(checkout.python(12)) == again
    assert checkout.setup("/nowhere/python") == (1, [])


def test_environment_may_be_made_again_from_its_own_python(checkout: Checkout) -> None:
    (checkout.folder / ".venv/.e2e-setup").unlink()
    own = checkout.folder / ".venv/bin/python"
    own.write_text(own.read_text().replace("'$0'", f"'{checkout.pythons[13]}'"))
    assert checkout.setup(".venv/bin/python") == (0, ["venv", "pip", "pip"])


def test_lock_serves_every_dependency_of_the_project() -> None:
    extras = PROJECT["optional-dependencies"]
    wanted = [Requirement(text) for texts in (PROJECT["dependencies"], *extras.values()) for text in texts]
    assert set(extras) >= {"fast", "notebook", "onnx", "openvino", "test"}
    for requirement in wanted:
        name = re.sub("[-_.]+", "-", requirement.name).lower()
        assert name == "e2e-jax" or requirement.specifier.contains(PINS[name]), requirement


def test_lock_is_the_whole_truth() -> None:
    """pip installs it with --no-deps: what a locked package needs has to be in it too."""
    lacking = [
        f"{name} needs {requirement}"
        for name in PINS
        for requirement in map(Requirement, importlib.metadata.requires(name) or [])
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if (pin := PINS.get(re.sub("[-_.]+", "-", requirement.name).lower())) is None
        or not requirement.specifier.contains(pin)
    ]
    assert lacking == []


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
