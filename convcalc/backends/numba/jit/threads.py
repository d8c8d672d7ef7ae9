"""Intrinsics for threads that share memory: atomic instructions, and ways to wait."""

from __future__ import annotations

import os

from llvmlite import ir

from convcalc.backends.numba.jit.declare import intrinsic
from convcalc.backends.numba.jit.emit import INT, emit_call, pointer
from convcalc.backends.numba.jit.target import ARM, X86


@intrinsic("int int -> int")
def atomic_add(builder: ir.IRBuilder, address: ir.Value, value: ir.Value) -> ir.Value:
    """Adds to the int64 at an address atomically, sequentially consistent; returns the old value."""
    return builder.atomic_rmw("add", pointer(builder, address, INT), value, "seq_cst")


@intrinsic("int -> int")
def atomic_load(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    """The int64 at an address, with acquire order: what was written before it was stored is seen too."""
    return builder.load_atomic(pointer(builder, address, INT), "acquire", 8)


@intrinsic("int int -> none")
def atomic_store(builder: ir.IRBuilder, address: ir.Value, value: ir.Value) -> None:
    """Writes an int64 to an address with release order, after everything written before."""
    builder.store_atomic(value, pointer(builder, address, INT), "release", 8)


@intrinsic("int int int -> int")
def atomic_replace(builder: ir.IRBuilder, address: ir.Value, old: ir.Value, new: ir.Value) -> ir.Value:
    """Compare and swap: the int64 at an address becomes `new` if it is `old`; returns what it was."""
    both = builder.cmpxchg(pointer(builder, address, INT), old, new, "seq_cst", "seq_cst")
    return builder.extract_value(both, 0)


@intrinsic("-> none")
def pause(builder: ir.IRBuilder) -> None:
    """Tells the processor that this thread is spinning."""
    if ARM:
        emit_call(builder, "llvm.aarch64.hint", ir.VoidType(), ir.Constant(ir.IntType(32), 1))
    elif X86:
        emit_call(builder, "llvm.x86.sse2.pause", ir.VoidType())


@intrinsic("-> none")
def yield_cpu(builder: ir.IRBuilder) -> None:
    """Gives the processor to another thread, where the system has sched_yield."""
    if os.name == "posix":
        emit_call(builder, "sched_yield", ir.IntType(32))


@intrinsic("int int -> int")
def wait_for_byte(builder: ir.IRBuilder, pipe: ir.Value, buffer: ir.Value) -> ir.Value:
    """Sleeps until there is a byte in a pipe, and takes it; 0 at once where the system has no such way to sleep."""
    if os.name != "posix":
        return ir.Constant(INT, 0)
    number = builder.trunc(pipe, ir.IntType(32))
    emit_call(builder, "read", INT, number, pointer(builder, buffer, ir.IntType(8)), ir.Constant(INT, 1))
    return ir.Constant(INT, 1)


@intrinsic("-> int")
def ticks(builder: ir.IRBuilder) -> ir.Value:
    """The processor's clock, in a unit of its own."""
    return emit_call(builder, "llvm.readsteadycounter" if ARM else "llvm.readcyclecounter", INT)
