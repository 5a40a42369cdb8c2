"""The README's code runs as it stands."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_python_snippets_run_and_find_espresso(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "data_samples").symlink_to(ROOT / "data_samples")
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet, "README.md", "exec"), {})
    espresso, animals_and_rockets, shape = capsys.readouterr().out.splitlines()
    assert espresso == "espresso"
    assert "cat" in animals_and_rockets
    assert "missile" in animals_and_rockets
    assert shape == "(5,)"


def test_every_path_the_readme_names_exists() -> None:
    text = (ROOT / "README.md").read_text()
    named = set(re.findall(r"`((?:tests|notebooks|benchmarks|data_samples|e2e_jax)/[\w./]*)", text))
    assert named
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
