"""An exported program compiled for arrays of certain shapes, by XLA or by an earlier process."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Callable
from typing import Any

import jax
from jax import export as jax_export

from e2e_jax import cache
from e2e_jax.compiler import compiler_options

FORMAT = 1  # of what is kept; part of the key

#: Of ``jax.config``: what reaches the compiler beside the program, from ``jax._src.compiler.get_compile_options``.
OPTIONS = ("jax_optimization_level", "jax_memory_fitting_level", "jax_disable_most_optimizations", "jax_enable_x64",
           "jax_compiler_enable_remat_pass", "jax_use_shardy_partitioner", "jax_xla_profile_version")  # fmt: skip

#: XLA's own names begin with two underscores, or are TopK. Others, such as LAPACK's, are set up by JAX's lowering.
FOREIGN_CODE = re.compile(r'custom_call_target="(?!__|TopK")')

logger = logging.getLogger("e2e_jax")

type Call = Callable[..., Any]


class Restored:
    """A compiled program read back from the cache, called with the same arguments as the exported one.

    Args:
        program: It was compiled from.
        content: What `portable` made of the compiled program.
        arguments: Of the shapes it was compiled for; lists are parameters, which lie on the device.
        device: To run on.
    """

    def __init__(
        self, program: jax_export.Exported, content: bytes, arguments: tuple[Any, ...], device: jax.Device
    ) -> None:
        from jax._src.lib import xla_client  # an inner part of JAX: where it is gone, programs are compiled anew

        devices = xla_client.DeviceList((device,))
        self.execute = device.client.deserialize_executable(content, executable_devices=devices).execute_sharded
        self.put, self.device = xla_client.batched_device_put, device  # 5 us, jax.device_put 90
        self.place = jax.sharding.SingleDeviceSharding(device)
        self.kinds = [
            None if isinstance(a, list) else [jax.core.ShapedArray(leaf.shape, leaf.dtype) for leaf in _leaves(a)]
            for a in arguments
        ]
        self.outputs = program.out_tree

    def __call__(self, *arguments: Any) -> Any:
        flat: list[jax.Array] = []
        for kinds, argument in zip(self.kinds, arguments, strict=True):
            if kinds is None:
                flat += argument
            else:
                pairs = zip(kinds, _leaves(argument), strict=True)
                flat += [self.put(kind, self.place, [leaf], [self.device]) for kind, leaf in pairs]
        results = self.execute(flat).disassemble_into_single_device_arrays()
        return jax.tree.unflatten(self.outputs, [shards[0] for shards in results])


def _leaves(argument: Any) -> list[Any]:
    """An array as it is, which is faster than to ask for its tree."""
    return [argument] if hasattr(argument, "shape") else jax.tree.leaves(argument)


def compiled(program: jax_export.Exported, arguments: tuple[Any, ...], device: jax.Device) -> tuple[Call, bool]:
    """A program made ready for arguments of these shapes.

    Args:
        program: Exported, any sizes symbolic.
        arguments: Arrays or anything with shapes and dtypes.
        device: To run on.

    Returns:
        What runs it, and whether an earlier process had compiled it.
    """
    kept = cache.opened(device)
    if kept is None:
        return _by_xla(program, arguments, device), False
    key = key_of(program, arguments, device)
    if (content := kept.get(key)) is not None:
        try:
            return Restored(program, content, arguments, device), True
        except Exception as error:  # whatever jaxlib makes of bytes it cannot use: it is compiled anew
            logger.debug("compiled: %s cannot be read: %s", key, error)
    fresh = _by_xla(program, arguments, device)
    if (content := portable(fresh)) is not None:
        kept.put(key, content)
    return fresh, False


def key_of(program: jax_export.Exported, arguments: tuple[Any, ...], device: jax.Device) -> str:
    """Names a program, the shapes it is compiled for, and the options of the compiler."""
    shapes = [(leaf.shape, str(leaf.dtype)) for leaf in jax.tree.leaves(arguments)]
    options = [getattr(jax.config, name, None) for name in OPTIONS]
    convention = (program.platforms, program.module_kept_var_idx, program.calling_convention_version)
    told = (compiler_options(), os.environ.get("XLA_FLAGS", ""))
    around = repr((FORMAT, shapes, device.id, convention, options, told))
    return hashlib.sha256(around.encode() + program.mlir_module_serialized).hexdigest()


def portable(compiled: jax.stages.Compiled) -> bytes | None:
    """The compiled program as bytes for `Restored`; ``None`` where it cannot run without having been lowered."""
    try:
        executable: Any = compiled.runtime_executable()
        return None if FOREIGN_CODE.search(compiled.as_text() or "") else bytes(executable.serialize())
    except Exception as error:  # not every backend can
        logger.debug("compiled: a program cannot be kept: %s", error)
        return None


def _by_xla(program: jax_export.Exported, arguments: tuple[Any, ...], device: jax.Device) -> jax.stages.Compiled:
    place = jax.sharding.SingleDeviceSharding(device)
    shapes = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=place), arguments)
    call = jax.jit(program.call, keep_unused=True, compiler_options=compiler_options())
    return call.lower(*shapes).compile()
