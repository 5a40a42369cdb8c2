"""What programs may be: refused on their bytes, before JAX's own parsers see them."""

import collections
import functools
import time

import flatbuffers
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export as jax_export
from jax._src.export import serialization_generated as generated
from model_fixtures import WEIGHTS, rewrite, tiny_model

import e2e_jax as e2e
from e2e_jax.artifact import archive, bytecode, programs, screening
from e2e_jax.artifact.screening import SIZE, screen

DENSE = "programs/dense.jax"


@pytest.fixture(scope="module")
def dense(tiny_file):
    return archive.read(tiny_file)[DENSE]


def patched(content, old, new):
    """A program in which a name is another of the same length, wherever it stands."""
    assert len(old) == len(new)
    assert b"\0" + old + b"\0" in content
    return content.replace(b"\0" + old + b"\0", b"\0" + new + b"\0")


def exported(function, *shapes, vjp_order=0, **options):
    return bytes(jax_export.export(jax.jit(function), **options)(*shapes).serialize(vjp_order=vjp_order))


ROW = jax.ShapeDtypeStruct((4,), jnp.float32)


def test_ours_are_accepted_and_read_as_mlir_prints_them(dense):
    screen(dense)
    program = jax_export.deserialize(bytearray(dense))
    names, text = bytecode.names(program.mlir_module_serialized), program.mlir_module()
    assert names.dialects == {"builtin", "vhlo"}
    assert names.targets == {"shape_assertion"}
    for operation in names.operations - {"builtin.module", "vhlo.func_v1", "vhlo.call_v1", "vhlo.return_v1"}:
        assert f"stablehlo.{operation.removeprefix('vhlo.').rpartition('_v')[0]}" in text


FOREIGN = [(b"shape_assertion", b"xla_python_code", "calls foreign code \\(xla_python_code\\)"),
           (b"reshape_v1", b"outfeed_v1", "operations that do not compute \\(outfeed\\)"),
           (b"broadcast_in_dim", b"call_target_name", "hides what it calls"),
           (b"vhlo", b"llvm", "operations that do not compute")]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "why"), FOREIGN, ids=[str(new) for _, new, _ in FOREIGN])
def test_foreign_code_is_refused_before_it_is_deserialised(tiny_file, dense, tmp_path, monkeypatch, old, new, why):
    path = rewrite(tiny_file, tmp_path / "x.e2e", members={DENSE: patched(dense, old, new)})

    def deserialize(content, **_):
        return content == dense and pytest.fail("deserialised")

    monkeypatch.setattr(programs, "deserialize", deserialize)
    with pytest.raises(e2e.ArtifactError, match=why):
        e2e.load(path)


def test_a_callback_into_python_is_refused():
    call = functools.partial(jax.ffi.ffi_call("xla_ffi_python_cpu_callback", ROW), index=np.uint64(0x41414141))
    check = jax_export.DisabledSafetyCheck.custom_call("xla_ffi_python_cpu_callback")
    content = exported(call, ROW, disabled_checks=[check])
    with pytest.raises(ValueError, match="checks that were switched off"):
        screen(content)
    module = jax_export.deserialize(bytearray(content)).mlir_module_serialized
    with pytest.raises(ValueError, match=r"calls foreign code \(xla_ffi_python_cpu_callback\)"):
        screening._screen_operations(module)


def test_what_would_not_load_is_not_exported(tmp_path):
    network = (lambda params, x: jax.lax.psum(x.mean((1, 2)), "devices") @ params, WEIGHTS)
    odd = e2e.EndToEnd(tiny_model().preprocess, network, None)

    def over_devices(params, x):
        mesh = jax.make_mesh((1,), ("devices",))
        spec = jax.sharding.PartitionSpec()
        return jax.shard_map(lambda y: network[0](params, y), mesh=mesh, in_specs=spec, out_specs=spec)(x)

    odd = tiny_model(network=(over_devices, WEIGHTS), postprocess=None)
    with pytest.raises(e2e.ConfigError, match=r"export: the .* program must be one that load accepts"):
        e2e.export(odd, tmp_path / "x.e2e", progress=False, lower=False)
    assert not list(tmp_path.iterdir())


def test_limits(tiny_file, monkeypatch):
    network = archive.read(tiny_file)["programs/network.jax"]  # with its derivative
    size = len(network)
    for name, limit, why in (
        ("PROGRAM_LIMIT", size - 1, f"a program of {size} bytes; at most {size - 1} are read"),
        ("COUNT_LIMIT", 1, "lists of more than 1 items"),
        ("EXTENTS_LIMIT", 5, "shapes of more than 5 extents"),
        ("NODES_LIMIT", 3, "trees of more than 3 nodes"),
        ("LEVELS_LIMIT", 1, "too deep ones"),
        ("DERIVATIVES_LIMIT", 1, "derivatives of more than order 0"),
    ):
        with monkeypatch.context() as patch, pytest.raises(ValueError, match=why):
            patch.setattr(screening, name, limit)
            screen(network)


def test_programs_for_several_devices_are_refused():
    mesh = jax.sharding.AbstractMesh((2,), ("x",))
    place = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    content = exported(jnp.sin, jax.ShapeDtypeStruct((4,), jnp.float32, sharding=place))
    with pytest.raises(ValueError, match="a program with meshes"):
        screen(content)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(ValueError, match="a program for several devices"):
        patch.setattr(screening, "FORBIDDEN", {})
        screen(content)


def test_derivatives_of_derivatives_are_refused():
    screen(exported(jnp.sin, ROW, vjp_order=1))
    with pytest.raises(ValueError, match="derivatives of more than order 1"):
        screen(exported(jnp.sin, ROW, vjp_order=2))


def test_trees_of_other_classes_are_refused():
    point = collections.namedtuple("point", "x y")
    jax_export.register_namedtuple_serialization(point, serialized_name="tests.point")
    with pytest.raises(ValueError, match="other trees than"):
        screen(exported(lambda x: point(x, x), ROW))


def test_a_tree_that_unfolds_without_end_is_refused_at_once():
    builder = flatbuffers.Builder(64)
    node = None
    for _ in range(screening.LEVELS_LIMIT - 2):
        children = []
        if node is not None:
            generated.PyTreeDefStartChildrenVector(builder, 2)
            for _ in range(2):
                builder.PrependUOffsetTRelative(node)
            children = [builder.EndVector()]
        generated.PyTreeDefStart(builder)
        generated.PyTreeDefAddKind(builder, 3 if children else 0)
        for each in children:
            generated.PyTreeDefAddChildren(builder, each)
        node = generated.PyTreeDefEnd(builder)
    generated.ExportedStart(builder)
    generated.ExportedAddOutTree(builder, node)
    builder.Finish(generated.ExportedEnd(builder))
    content, start = bytes(builder.Output()), time.perf_counter()
    assert len(content) < 2000  # and 2**29 nodes
    with pytest.raises(ValueError, match="trees of more than"):
        screen(content)
    assert time.perf_counter() - start < 5


def test_sizes_as_jax_prints_them_are_accepted():
    b, h = jax_export.symbolic_shape("b, h")
    made = [
        b,
        h * 2 + 3 * b * h - 1,
        h // 2,
        (h + b) % 3,
        jax.core.max_dim(h, 5),
        jax.core.min_dim(b, h - 7),
        h * h * h,
    ]
    for size in [*map(str, made), "0", "224", "-1", "2147483648"]:
        assert SIZE.fullmatch(size), size


ODD_SIZES = ["(b + h)*(b + h)", "b^99", "b^2^2", "b^2 ^2", "b" * 201, "exec(b)", "b;h", "", "9" * 11, "b.h",
             "a" * 199 + "!", "a a " * 49 + "("]  # fmt: skip


@pytest.mark.parametrize("size", ODD_SIZES)
def test_sizes_that_would_take_long_or_mean_something_else_are_refused(size):
    start = time.perf_counter()
    assert not SIZE.fullmatch(size)
    assert time.perf_counter() - start < 0.1


def test_a_size_in_a_program_is_checked(tiny_file):
    content = archive.read(tiny_file)["programs/inverse.jax"]
    odd = content.replace(b"\1\0\0\0m\0", b"\1\0\0\0;\0")
    assert odd != content
    with pytest.raises(ValueError, match="a size ';'"):
        screen(odd)


@pytest.mark.parametrize("content", [b"", b"\0", b"\xff" * 64, bytes(64), b"ML\xefR" * 9], ids=range(5))
def test_no_program_is_a_value_error(content):
    with pytest.raises(ValueError, match="program"):
        screen(content)
    with pytest.raises(ValueError, match="program"):
        bytecode.names(content)


def test_numbers_of_mlir():
    for number, coded in (
        (0, "01"),
        (63, "7f"),
        (127, "ff"),
        (128, "0202"),
        (16383, "feff"),
        (2**56, "00" + "00" * 7 + "01"),
    ):
        assert bytecode._Reader(bytes.fromhex(coded)).number() == number
