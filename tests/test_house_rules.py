"""The rules of the house, read off the source: floors, imports, names, signatures, docstrings, lengths."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e_jax import transforms
from e2e_jax.transforms.base import Transform

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "e2e_jax"
FILES = sorted(SOURCE.rglob("*.py"))
LONGEST_FILE = 350  # lines

#: Longest prefix wins. The front doors (``e2e_jax``, ``e2e_jax.transforms``) stand apart: they only re-export.
FLOORS = {
    "e2e_jax.errors": 0,
    "e2e_jax.types": 0,
    "e2e_jax.factory": 0.5,  # uses errors
    "e2e_jax.machine": 0,
    "e2e_jax.compiler": 0.5,  # uses machine
    "e2e_jax.labels": 0,
    "e2e_jax.ops": 1,
    "e2e_jax.graphs": 1.5,  # uses ops; transforms say their ONNX form with it
    "e2e_jax.decoding": 1,
    "e2e_jax.transforms": 2,
    "e2e_jax.model": 3,
    "e2e_jax.lowering": 3,
    "e2e_jax.zoo": 3.5,  # uses 0 to 3
    "e2e_jax.engines": 3.5,  # use 0 to 2; the artifact is written with them, the predictor runs them
    "e2e_jax.benchmark": 3.5,  # honest timing, which the choice of an engine needs too
    "e2e_jax.artifact": 4,
    "e2e_jax.predictor": 5,
    "e2e_jax.bare": 5,
    "e2e_jax.loading": 5,
    "e2e_jax.module": 5,
    "e2e_jax.parts": 5,
    "e2e_jax.refreshing": 5,
    "e2e_jax.streaming": 5,
    "e2e_jax.verification": 5,
    "e2e_jax.intake": 5,
    "e2e_jax.runner": 5,
    "e2e_jax.choice": 5,
    "e2e_jax.compiled": 5,
    "e2e_jax.cache": 5,
    "e2e_jax.staging": 5,
    "e2e_jax.workbench": 7,
    "e2e_jax.bench": 7,
    "e2e_jax.cli": 7,
    "e2e_jax.demo": 7,
    "e2e_jax.__main__": 7,
    "e2e_jax": 8,
}
HEAVY = {  # package: where it may be imported
    "cryptography": ("artifact.signing",),
    "ipywidgets": ("workbench",),
    "matplotlib": ("workbench", "bench.plot"),
    "onnx": ("engines", "graphs.graph"),  # only to write a graph that is complete
    "onnxruntime": ("engines",),
    "openvino": ("engines",),
    "jax2onnx": ("engines",),
}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}
each_module = pytest.mark.parametrize("module", list(MODULES))


@functools.cache
def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text())


def imported(module: str) -> Iterator[tuple[str, ast.stmt]]:
    """Every module an import statement names, wherever it stands."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            whole = f"{'.' * node.level}{node.module or ''}"
            for alias in node.names:
                yield (f"{whole}.{alias.name}" if f"{whole}.{alias.name}" in MODULES else whole), node


def ours(module: str) -> set[str]:
    return {name for name, _ in imported(module) if name.split(".")[0] == "e2e_jax"}


def floor(module: str) -> float:
    return FLOORS[max((p for p in FLOORS if f"{module}.".startswith(f"{p}.")), key=len)]


@each_module
def test_every_module_has_a_floor(module):
    assert module == "e2e_jax" or floor(module) < FLOORS["e2e_jax"], "add the new module to FLOORS"


@each_module
def test_imports_only_go_down(module):
    upward = {name for name in ours(module) if floor(name) > floor(module)}
    assert not upward


def test_imports_make_no_cycle():
    done: list[str] = []
    waiting = {module: ours(module) - {module} for module in MODULES}
    while ready := [m for m, needs in waiting.items() if needs <= set(done)]:
        done += ready
        for module in ready:
            del waiting[module]
    assert not waiting, f"each of these waits for another: {waiting}"


@each_module
def test_imports_are_absolute_and_name_the_defining_module(module):
    for name, node in imported(module):
        assert not name.startswith("."), f"line {node.lineno}: relative import"
        if name.split(".")[0] != "e2e_jax" or not isinstance(node, ast.ImportFrom):
            continue
        front_door = MODULES[name].name == "__init__.py" and name != module
        taken = {alias.name for alias in node.names if f"{name}.{alias.name}" not in MODULES}
        assert not (front_door and taken - defined(name)), f"line {node.lineno}: import {taken} where it is defined"


def defined(module: str) -> set[str]:
    """Top-level names a module makes itself, rather than imports."""
    names: set[str] = set()
    for node in tree(module).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign | ast.TypeAlias):
            target = node.target if isinstance(node, ast.AnnAssign) else node.name
            names.add(target.id if isinstance(target, ast.Name) else "")
    return names


@pytest.mark.parametrize("package", ["e2e_jax", "e2e_jax.transforms", "e2e_jax.zoo"])
def test_front_doors_list_each_name_once_and_where_it_is_defined(package):
    body = [node for node in tree(package).body if isinstance(node, ast.ImportFrom)]
    assert len(body) == len(tree(package).body) - 1, "a front door holds a docstring and re-exports"
    names = [alias.name for node in body for alias in node.names]
    assert len(names) == len(set(names))
    for node in body:
        assert {alias.name for alias in node.names} == {alias.asname for alias in node.names}
        assert {alias.name for alias in node.names} <= defined(node.module)
    door = importlib.import_module(package)
    assert all(hasattr(door, name) for name in names)


def public_transforms() -> list[str]:
    return [name for name in vars(transforms) if name in Transform.registry]


@pytest.mark.parametrize("name", [*public_transforms(), "list_to_batch"])
def test_readme_mentions_every_public_transform(name):
    assert re.search(rf"\b{name}\b", (ROOT / "README.md").read_text())


def public_functions(module: str) -> list[ast.FunctionDef]:
    return [n for n in tree(module).body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_")]


OPS = [
    *("geometry", "resample", "values", "batch", "rotate", "warp", "elastic", "tiles", "placement", "fitting"),
    *("color", "enhance", "hue", "jitter", "lighting", "histogram", "blur", "sharpness", "window", "yuv"),
    *("draws", "noise", "augment", "boxes", "overlap", "nms", "masks", "ssd", "mix", "erasing"),
]
OPS_FUNCTIONS = [(f"e2e_jax.ops.{m}", f) for m in OPS for f in public_functions(f"e2e_jax.ops.{m}")]
DATA = {  # what a function works on
    *("image", "images", "outputs", "extent", "height", "width", "size", "tiles", "geometry", "counts"),
    *("key", "seed", "noise", "space", "span", "points", "boxes", "others", "scores", "classes", "masks", "mask"),
}


@pytest.mark.parametrize(("module", "function"), OPS_FUNCTIONS, ids=lambda x: getattr(x, "name", ""))
def test_ops_take_data_by_position_and_all_else_by_keyword(module, function):
    by_position = [a.arg for a in function.args.posonlyargs + function.args.args]
    assert by_position
    assert set(by_position) <= DATA
    assert function.args.vararg is None


def section(document: str, name: str) -> str:
    """What stands under a heading of a docstring, with its leading newline."""
    return re.split(r"\n\w+:\n", document.partition(f"\n{name}:")[2] + "\n")[0]


def assert_documented(document: str, needed: set[str], arguments: list[str]) -> None:
    missing = [name for name in sorted(needed) if not section(document, name).strip()]
    assert not missing, f"no {missing}"
    assert ">>> " in document.partition("\nExample:\n")[2]
    unexplained = [a for a in arguments if f"\n    {a}: " not in section(document, "Args")]
    assert not unexplained, f"{unexplained} is not explained"


@pytest.mark.parametrize(("module", "function"), OPS_FUNCTIONS, ids=lambda x: getattr(x, "name", ""))
def test_ops_are_documented_in_five_parts(module, function):
    raises = any(isinstance(node, ast.Raise) for node in ast.walk(function))
    needed = {"Args", "Returns", "Source", "Example"} | ({"Raises"} if raises else set())
    arguments = [a.arg for a in function.args.args + function.args.kwonlyargs]
    assert_documented(ast.get_docstring(function) or "", needed, arguments)


@pytest.mark.parametrize("name", public_transforms())
def test_transforms_are_documented(name):
    kind = Transform.registry[name]
    arguments = [a for a in inspect.signature(kind.__init__).parameters if a != "self"]
    needed = {"Source", "Example"} | ({"Args", "Raises"} if arguments else set())
    assert_documented(inspect.cleandoc(kind.__doc__ or ""), needed, arguments)


@each_module
def test_files_are_short_and_say_what_they_hold(module):
    text = MODULES[module].read_text()
    assert len(text.splitlines()) <= LONGEST_FILE
    assert not text.strip() or ast.get_docstring(tree(module))


def test_no_drawer_is_called_utils():
    assert not [path for path in FILES if re.search(r"util|helper|misc|common", path.stem)]


@each_module
def test_no_except_without_a_name(module):
    assert not [n.lineno for n in ast.walk(tree(module)) if isinstance(n, ast.ExceptHandler) and n.type is None]


@each_module
def test_widgets_plots_and_engines_stay_in_their_rooms(module):
    taken = {name.split(".")[0] for name, _ in imported(module)} & set(HEAVY)
    rooms = {name: tuple(f"e2e_jax.{room}." for room in HEAVY[name]) for name in taken}
    assert not [name for name in taken if not f"{module}.".startswith(rooms[name])]
