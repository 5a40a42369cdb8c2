"""Every notebook is thin, clean, and runs to its last assertion."""

import ast
from pathlib import Path

import nbclient
import nbformat
import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SECONDS = 120
LONGEST_CELL = 12  # lines: STYLE rule 22

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(path: Path) -> list:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def test_there_are_notebooks():
    assert "01_quickstart" in [path.stem for path in NOTEBOOKS]


@each_notebook
def test_it_runs(path):
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}
    )
    client.execute()
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")


@each_notebook
def test_it_is_stored_without_results(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert "widgets" not in notebook.metadata
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in code_cells(path):
        assert cell.outputs == []
        assert cell.execution_count is None


@each_notebook
def test_its_cells_are_thin_and_hold_no_class(path):
    for cell in code_cells(path):
        assert len(cell.source.splitlines()) <= LONGEST_CELL, cell.source
        assert not any(isinstance(node, ast.ClassDef) for node in ast.walk(ast.parse(cell.source))), cell.source


@each_notebook
def test_its_last_cell_asserts_the_lesson(path):
    assert any(isinstance(node, ast.Assert) for node in ast.parse(code_cells(path)[-1].source).body)


@each_notebook
def test_it_names_no_absolute_path(path):
    for cell in code_cells(path):
        strings = [node.value for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Constant)]
        absolute = [
            s for s in strings if isinstance(s, str) and (s.startswith(("/", "~")) or s[1:3] in (":\\", ":/"))
        ]
        assert absolute == []
