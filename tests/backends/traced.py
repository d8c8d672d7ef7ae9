"""Kernels that note every address they touch: compiled from the same source, each load and store writes to a log."""

from __future__ import annotations

import mmap
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest
from llvmlite import ir

from convcalc.backends.numba.jit import cache, compiler, emit, intrinsics, threads
from convcalc.backends.numba.jit.cache import Kernel
from convcalc.backends.numba.jit.ranges import Ranges
from convcalc.backends.numba.kernels import (
    attention,
    conv,
    copies,
    dense,
    depthwise,
    draw,
    grouped,
    matmul,
    norm,
    pointwise,
    pool,
    tile,
    transforms,
    weights,
    winograd,
)
from convcalc.backends.numba.runtime import driver

MODULES = (
    emit,
    intrinsics,
    threads,
    copies,
    tile,
    depthwise,
    draw,
    grouped,
    transforms,
)  # which emit loads and stores
ENTRIES = 1 << 24  # of the log: an address, and its size times two, plus one for a store
OF_FLOATS = {"direct", "draw", "halo", "multiply", "pack_columns"}  # which do not ask what elements are
NO_RESERVE = 0x4000 if sys.platform == "linux" else 0  # of mmap: only what is written takes memory


def kernels() -> dict[str, Kernel]:
    """All kernels of a program's steps, and those that these call."""
    modules = (
        attention,
        conv,
        copies,
        dense,
        depthwise,
        draw,
        matmul,
        norm,
        pointwise,
        pool,
        tile,
        weights,
    )
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Kernel)]
    for variants in (depthwise.depthwise_rows, grouped.grouped, winograd.winograd_input, winograd.winograd):
        found += variants.values()
    of_bfloat16 = [kernel.bfloat16 for kernel in found if kernel.name not in OF_FLOATS]
    return {kernel.name: kernel for kernel in (*found, *of_bfloat16)}


class Log:
    """What was touched since it was last read."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(
            -1, 8 + 16 * ENTRIES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NO_RESERVE
        )
        self._words = np.frombuffer(self._memory, np.int64)
        self.address = self._words.ctypes.data

    def take(self) -> tuple[Ranges, Ranges]:
        """The bytes read and the bytes written."""
        count = int(self._words[0])
        assert count < ENTRIES, "the log is too short"
        places = np.unique(self._words[1 : 1 + 2 * count].reshape(-1, 2), axis=0)
        self._words[0] = 0
        addresses, sizes, stores = places[:, 0], places[:, 1] // 2, places[:, 1] % 2 == 1
        reads, writes = (
            Ranges.union(addresses[which], (addresses + sizes)[which]) for which in (~stores, stores)
        )
        return reads, writes


def _bytes_of(kind: ir.Type) -> int:
    """The size of what is loaded or stored."""
    if isinstance(kind, ir.VectorType):
        return kind.count * _bytes_of(kind.element)
    return 4 if kind == emit.FLOAT else kind.width // 8


def _emitters(log: Log) -> dict[str, Any]:
    """emit_load, emit_store and pointer as in emit, and emit_gather as in draw, after a note in the log. A pointer to
    an integer that is neither for a load nor a store is for both at once: an atomic instruction."""
    load, store, pointer, gather = emit.emit_load, emit.emit_store, emit.pointer, draw.emit_gather
    noted: list[ir.Value] = []

    def note(builder: ir.IRBuilder, address: ir.Value, kind: ir.Type, stores: int) -> None:
        def constant(value: int) -> ir.Value:
            return ir.Constant(emit.INT, value)

        def word(place: ir.Value) -> ir.Value:
            return builder.inttoptr(place, emit.INT.as_pointer())

        count = builder.atomic_rmw("add", word(constant(log.address)), constant(1), "monotonic")
        inside = builder.and_(count, constant(ENTRIES - 1))
        at = builder.add(constant(log.address + 8), builder.mul(inside, constant(16)))
        builder.store(address, word(at))
        builder.store(constant(2 * _bytes_of(kind) + stores), word(builder.add(at, constant(8))))

    def emit_load(builder: ir.IRBuilder, address: ir.Value, kind: ir.Type = emit.REGISTER) -> ir.Value:
        note(builder, address, kind, 0)
        noted.append(address)
        return load(builder, address, kind)

    def emit_store(builder: ir.IRBuilder, address: ir.Value, value: ir.Value) -> None:
        note(builder, address, value.type, 1)
        noted.append(address)
        store(builder, address, value)

    def emit_gather(builder: ir.IRBuilder, addresses: ir.Value) -> ir.Value:
        for lane in range(emit.REGISTER.count):
            note(builder, builder.extract_element(addresses, ir.Constant(emit.BITS, lane)), emit.FLOAT, 0)
        return gather(builder, addresses)

    def traced_pointer(builder: ir.IRBuilder, address: ir.Value, to: ir.Type) -> ir.Value:
        if noted and noted[-1] is address:
            noted.pop()
        elif to == emit.INT:
            note(builder, address, to, 1)
        return pointer(builder, address, to)

    return {
        "emit_load": emit_load,
        "emit_store": emit_store,
        "emit_gather": emit_gather,
        "pointer": traced_pointer,
    }


@contextmanager
def traced() -> Iterator[Log]:
    """Within it all kernels write to the log: those already loaded are put aside."""
    log = Log()
    emitters = _emitters(log)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())
    assert all(
        kernel.address for kernel in (driver.drive, driver.worker_loop, driver.post)
    )  # these do not write to it
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "_read", lambda *_: None)  # compiled when first asked for, and never kept
        patch.setattr(cache, "_write", lambda *_: None)
        patch.setattr(cache, "_link", lambda _, code: _linked(engine, code))
        for module in MODULES:
            for name, emitter in emitters.items():
                if hasattr(module, name):
                    patch.setattr(module, name, emitter)
        patch.setattr(compiler, "_resolvers", {element: compiler._Resolver(element) for element in (4, 2)})
        for kernel in kernels().values():
            patch.setattr(kernel, "_address", 0)
        yield log


def _linked(engine: Any, code: cache.Code) -> int:
    symbol, needs, binary = code
    cache._supply(symbol, needs)
    engine.add_object_file(llvm.ObjectFileRef.from_data(binary))
    engine.finalize_object()
    return int(engine.get_function_address(symbol))


def _machine() -> Any:
    cache._engine()  # opens this process to LLVM
    return llvm.Target.from_default_triple().create_target_machine(codemodel="jitdefault")
