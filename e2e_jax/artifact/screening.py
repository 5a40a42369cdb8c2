"""What a stored program may be, checked on its bytes before JAX or XLA read them.

`jax.export` says that its bytes "must be trusted input": a program may call any native function that jaxlib has
registered under a name, among them one that takes the address of a Python object. So before they are deserialised
each program, and the derivative inside it, is held to this:

- it is no larger than `PROGRAM_LIMIT`, and nothing in it is longer, deeper or more numerous than the limits below,
  so that reading it takes time and memory in proportion to its bytes;
- its operations are of StableHLO and compute: none of them talks to the host, to other devices or to the outside;
- its custom calls name nothing but `TARGETS` and jaxlib's kernels of linear algebra;
- its trees hold lists, tuples and dictionaries only, its symbolic sizes are sums of products, and it has no
  effects.

That holds what a program *can* do to arithmetic on its arguments. It does not hold how long it computes or how much
memory a loop or a large constant shape takes while it runs, nor does it prove the compiler or those kernels free of
faults when they are given odd shapes: run programs of strangers in a process with limits of its own, or accept only
those signed by people you know.
"""

from __future__ import annotations

import re

from e2e_jax.artifact.bytecode import names
from e2e_jax.artifact.flat import FlatTable

PROGRAM_LIMIT = 256 << 20  # bytes of one program with the derivative in it; constants of a network may lie in it
COUNT_LIMIT = 1 << 16  # parameters, results and different shapes; jax.export counts parameters in 16 bits
EXTENTS_LIMIT = 1 << 16  # extents of all shapes of one program
NODES_LIMIT = 1 << 17  # nodes of its trees of arguments and results
LEVELS_LIMIT = 32  # how deep they are
DERIVATIVES_LIMIT = 2  # programs one inside the other

#: What custom calls may name: those of symbolic sizes, which never reach a compiler, and random bits on CUDA.
TARGETS = frozenset({
    "shape_assertion", "stablehlo.dynamic_reduce_window", "stablehlo.dynamic_rng_bit_generator",
    "stablehlo.dynamic_top_k", "cu_threefry2x32_ffi",
})  # fmt: skip
#: jaxlib's kernels for what XLA does not compute itself: LAPACK, and cuSOLVER and cuBLAS for CUDA.
KERNELS = re.compile(r"lapack_[sdcz][a-z0-9]+_ffi|cu(?:solver|blas)_[a-z0-9_]+_ffi|cu_lu_pivots_to_permutation")

#: Operations of StableHLO that compute, without the version at their ends: VhloOps.td of release 1.18. The others,
#: such as outfeed, send and all_reduce, talk to the host or to other devices.
OPERATIONS = frozenset(
    re.findall(
        r"\w+",
        """abs acos acosh add and asin asinh atan atan2 atanh batch_norm_grad batch_norm_inference
        batch_norm_training bitcast_convert broadcast broadcast_in_dim call case cbrt ceil cholesky
        clamp compare complex composite concatenate constant convert convolution cosh cosine
        count_leading_zeros custom_call divide dot dot_general dynamic_broadcast_in_dim dynamic_conv
        dynamic_gather dynamic_iota dynamic_pad dynamic_reshape dynamic_slice dynamic_update_slice
        einsum erf erf_inv exponential exponential_minus_one fft floor func gather get_dimension_size
        get_tuple_element if imag iota is_finite log log_plus_one logistic map maximum minimum multiply
        negate not optimization_barrier or pad popcnt power real real_dynamic_slice reduce
        reduce_precision reduce_window remainder reshape return reverse rng_bit_generator
        round_nearest_afz round_nearest_even rsqrt scatter select select_and_scatter set_dimension_size
        shift_left shift_right_arithmetic shift_right_logical sign sine sinh slice sort sqrt subtract
        tan tanh top_k torch_index_select transpose triangular_solve tuple while xor""",
    )
)
DICTIONARIES = "call_target_name"  # how a target would be named outside the properties; jax.export never does

#: A size: a number, or a sum of products of symbols and of functions of sums, as JAX prints it.
SIZE = re.compile(
    r"-?\d{1,10}|(?=.{1,200}$)"
    r"(?:(?:floordiv|mod|max|min)\(|[a-z]\w*+(?!\()|\^\d(?! *[\d^])|[ )*+,-]|\d{1,10}+(?!\d))++"
)

# Slots of the tables in serialization_generated.py of JAX 0.12; a flatbuffer never renumbers them.
TREES, PROGRAM, DERIVATIVE, DEVICES = (8, 12), 30, 38, 40  # trees of arguments and of results
SHAPED = (10, 14, 42)  # lists of shapes: of arguments, of results, the different ones
COUNTED = (*SHAPED, 18, 20, 22, 34, 48, 50, 52, 54)  # lists that may have entries
FORBIDDEN = {24: "effects", 26: "effects", 28: "checks that were switched off", 44: "meshes", 46: "shardings"}
SHAPE = 6
NODE_KIND, NODE_CHILDREN = 4, 6
NODE_KINDS = range(5)  # leaf, none, tuple, list, dictionary; the sixth is a class that some package has registered

MODULE = {"builtin.module"}


def screen(content: bytes) -> None:
    """Holds the bytes of a program to what programs may be.

    Args:
        content: As `jax.export` writes them.

    Raises:
        ValueError: They are something else, or may do more; one clause says what.
    """
    if len(content) > PROGRAM_LIMIT:
        raise ValueError(f"a program of {len(content)} bytes; at most {PROGRAM_LIMIT} are read")
    program: FlatTable | None = FlatTable.root(content)
    for _ in range(DERIVATIVES_LIMIT):
        if program is not None:
            _screen_fields(program)
            _screen_operations(program.bytes(PROGRAM))
            program = program.table(DERIVATIVE)
    if program is not None:
        raise ValueError(f"derivatives of more than order {DERIVATIVES_LIMIT - 1}")


def _screen_fields(program: FlatTable) -> None:
    for slot, what in FORBIDDEN.items():
        if program.length(slot):
            raise ValueError(f"a program with {what}")
    if any(program.length(slot) > COUNT_LIMIT for slot in COUNTED):
        raise ValueError(f"a program with lists of more than {COUNT_LIMIT} items")
    if program.number(DEVICES, "<I") > 1:
        raise ValueError("a program for several devices")
    extents = 0
    for slot in SHAPED:
        for shaped in program.tables(slot):
            extents += shaped.length(SHAPE)
            if extents > EXTENTS_LIMIT:
                raise ValueError(f"a program with shapes of more than {EXTENTS_LIMIT} extents")
            if wrong := next((size for size in shaped.texts(SHAPE) if not SIZE.fullmatch(size)), None):
                raise ValueError(f"a program with a size {wrong[:80]!r}")
    nodes = sum(_nodes(tree, LEVELS_LIMIT, NODES_LIMIT) for slot in TREES if (tree := program.table(slot)))
    if nodes > NODES_LIMIT:
        raise ValueError(f"a program with trees of more than {NODES_LIMIT} nodes")


def _nodes(tree: FlatTable, levels: int, most: int) -> int:
    """How many nodes a tree has, counted until there are too many: the same one may stand in many places."""
    if levels == 0 or tree.number(NODE_KIND, "<b") not in NODE_KINDS:
        raise ValueError("a program with other trees than lists, tuples and dictionaries, or too deep ones")
    count = 1
    for child in tree.tables(NODE_CHILDREN):
        count += _nodes(child, levels - 1, most - count)
        if count > most:
            break
    return count


def _screen_operations(content: bytes) -> None:
    found = names(content)
    kinds = {operation.removeprefix("vhlo.").rpartition("_v")[0] for operation in found.operations - MODULE}
    if odd := sorted(kinds - OPERATIONS):
        raise ValueError(f"a program with operations that do not compute ({', '.join(odd)[:80]})")
    if odd := sorted(target for target in found.targets - TARGETS if not KERNELS.fullmatch(target)):
        raise ValueError(f"a program that calls foreign code ({', '.join(odd)[:80]})")
    if "custom_call" in kinds and DICTIONARIES in found.strings:
        raise ValueError("a program that hides what it calls")
