"""What XLA is told on which processor, and which precision is the fastest there."""

import jax
import pytest
from jax.errors import JaxRuntimeError

from e2e_jax import compiler, machine


@pytest.fixture
def on(monkeypatch):
    """Puts another processor or device in the place of this one."""

    def put(*features, device="cpu", option=None):
        monkeypatch.setattr(machine, "features", lambda: features)
        monkeypatch.setattr(jax, "default_backend", lambda: device)
        if option is not None:
            monkeypatch.setattr(compiler, "YNNPACK", option)
        compiler.compiler_options.cache_clear()

    yield put
    monkeypatch.undo()
    compiler.compiler_options.cache_clear()


def test_with_avx2_alone_the_library_for_avx512_is_left_out(on):
    on("avx2", "fma")
    assert compiler.compiler_options() == {"xla_cpu_experimental_ynn_fusion_type": ""}
    assert jax.jit(lambda x: x * 2, compiler_options=compiler.compiler_options())(3) == 6


@pytest.mark.parametrize(
    "place",
    [
        {"features": ("avx2", "avx512f")},
        {"features": ("asimd",)},
        {"features": ()},
        {"features": ("avx2",), "device": "gpu"},
        {"features": ("avx2",), "option": "xla_an_option_that_nobody_has"},
    ],
)
def test_otherwise_xla_goes_by_its_defaults(on, place):
    on(*place.pop("features"), **place)
    assert compiler.compiler_options() == {}


@pytest.mark.parametrize("error", [JaxRuntimeError, ValueError])
def test_options_are_tried_once(on, monkeypatch, error):
    tried = []

    def refuse(*args, **kwargs):
        tried.append(kwargs)
        raise error("no such option")

    on("avx2")
    monkeypatch.setattr(jax, "jit", refuse)
    assert compiler.compiler_options() == compiler.compiler_options() == {}
    assert len(tried) == 1


@pytest.mark.parametrize(
    ("features", "device", "fastest"),
    [
        (("avx2", "avx512_bf16"), "cpu", "bfloat16"),
        (("amx_bf16",), "cpu", "bfloat16"),
        (("bf16",), "cpu", "bfloat16"),
        (("avx2", "avx512f"), "cpu", "float32"),
        (("avx512_bf16",), "gpu", "float32"),
    ],
)
def test_the_fastest_precision(on, features, device, fastest):
    on(*features, device=device)
    assert compiler.fastest_precision() == fastest
