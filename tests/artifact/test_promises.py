"""verify: each promise is checked, and a broken one is found."""

import json

import numpy as np
import pytest
from flax import nnx
from model_fixtures import WEIGHTS, rewrite, tiny_model

import e2e_jax as e2e
from e2e_jax.artifact import archive


class Colour(nnx.Module):
    """`mean_colour` as a module that code can make again."""

    def __init__(self) -> None:
        self.kernel = nnx.Param(WEIGHTS)

    def __call__(self, x):
        return (x.mean((1, 2)) - np.float32(0.5)) @ self.kernel[...]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    model = e2e.EndToEnd(tiny_model().preprocess, Colour(), tiny_model().postprocess, factory=e2e.Factory(Colour))
    return e2e.export(model, tmp_path_factory.mktemp("promises") / "p.e2e", progress=False)


def by_promise(path, **options):
    found = e2e.load(path).verify(**options)
    return {check.promise.split(",")[0].split(" = ")[0]: check for check in found.checks}, found


def test_all_promises_hold_and_are_listed(file):
    checks, found = by_promise(file, factory=Colour)
    assert found.passed
    assert all(check.difference is not None for check in found.checks)
    assert len(checks) == len({check.promise for check in found.checks}) - 1  # single = list and = batch
    assert 0 <= found.worst < 1e-5
    assert str(found).count("\n  ok") == len(found.checks) == 6
    said = json.loads(found.to_json())
    assert (said["passed"], len(said["checks"])) == (True, 6)
    assert found._repr_html_().count("<tr>") == 7


def test_what_cannot_be_checked_is_said(file):
    checks, found = by_promise(file)
    assert found.passed
    assert checks["stored programs"].difference is None
    assert "the network's code must come from you" in checks["stored programs"].note
    assert "not checked" in str(found)


def other(tmp_path, **parts):
    return archive.read(e2e.export(tiny_model(**parts), tmp_path / "other.e2e", progress=False))


BROKEN = {
    "dense": ("the stored sample replays", {"network": (lambda p, x: x[:, ::2].mean((1, 2)) @ p, WEIGHTS)}),
    "network": ("one program", {"network": (lambda p, x: x[:, ::2].mean((1, 2)) @ p, WEIGHTS)}),
}


@pytest.mark.parametrize("program", BROKEN)
def test_a_program_that_computes_something_else_breaks_a_promise(file, tmp_path, program):
    promise, parts = BROKEN[program]
    name = f"programs/{program}.jax"
    members = {name: other(tmp_path, **parts)[name]}
    checks, found = by_promise(rewrite(file, tmp_path / "x.e2e", members=members))
    assert not found.passed
    assert not checks[promise].holds
    assert json.loads(found.to_json())["passed"] is False


def test_programs_that_their_code_would_not_make_are_found(file):
    class Twisted(Colour):
        def __call__(self, x):
            return super().__call__(x[:, :, ::-1] ** 2)

    checks, found = by_promise(file, factory=Twisted)
    assert not found.passed
    assert not checks["stored programs"].holds
