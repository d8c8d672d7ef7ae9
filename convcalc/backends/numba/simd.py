"""Vectors of floats and raw addresses for Numba: what the kernels are written in.

Numba knows neither SIMD registers nor pointers, so this module adds them as intrinsics, functions whose body is
emitted as LLVM instructions:

    a = vload(address); b = splat(2.0)
    vstore(address + 4 * WIDTH, fma(a, b, a * b + a))

A `Vector` is one register of WIDTH floats (AVX-512 16, AVX2 8, NEON and SSE 4). An address is a plain int64, counted
in bytes. Nothing here checks bounds: each kernel that uses an address argues in its docstring why it stays inside.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Callable
from typing import Any, TypeVar, cast

import llvmlite.binding as llvm
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic as numba_intrinsic
from numba.extending import models, overload, register_model

F = TypeVar("F", bound=Callable[..., Any])


def _host_width() -> int:
    """Floats per register of the host, or what CONVCALC_VECTOR says (4, 8 or 16; narrower ones run anywhere)."""
    forced = os.environ.get("CONVCALC_VECTOR")
    if forced in ("4", "8", "16"):
        return int(forced)
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 16
    return 8 if features.get("avx2") and features.get("fma") else 4


BLOCK = 16  # channels of a block, on every host: a layout does not depend on the processor
WIDTH = _host_width()  # floats of a register
LANES = BLOCK // WIDTH  # registers of a block
ARM = llvm.get_default_triple().startswith(("aarch64", "arm64"))
X86 = llvm.get_default_triple().startswith(("x86_64", "amd64", "i686"))

# The register tile: PIXELS × VECTORS accumulators, VECTORS weights and one broadcast input stay in registers. The
# smaller FEW × VECTORS tile finishes what a whole number of tiles leaves over.
#   32 registers of 16 floats: 14 · 2 + 2 + 1 = 31; 16 registers of 8: 6 · 2 + 2 + 1 = 15
PIXELS, FEW, VECTORS = {
    16: (14, 8, 2),
    8: (6, 3, 2),
    4: (6, 3, 4) if ARM else (2, 1, 4),
}[WIDTH]
TILE = WIDTH * VECTORS  # output channels of a tile
TILE_BLOCKS = TILE // BLOCK
INPUT_TILE = BLOCK * 4  # bytes of one pixel of one block


def inline(function: F) -> F:
    """A function kernels may call; LLVM inlines it where that pays."""
    return cast(F, njit(nogil=True, error_model="numpy", fastmath=False)(function))


def intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Numba's intrinsic: callers leave out the typing context that its definition begins with."""
    return cast(Callable[..., Any], numba_intrinsic(prefer_literal=True)(function))


class VectorType(types.Type):  # type: ignore[misc]
    """The Numba type of one register of WIDTH floats."""

    def __init__(self) -> None:
        super().__init__(name=f"Vector{WIDTH}")


VECTOR = VectorType()
FLOAT = ir.FloatType()
INT = ir.IntType(64)
REGISTER = ir.VectorType(FLOAT, WIDTH)
INT_REGISTER = ir.VectorType(ir.IntType(32), WIDTH)


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: VectorType) -> None:
        super().__init__(manager, kind, REGISTER)


# --- emitting: what the intrinsics below, and the register tile, are made of -------------------------------------


def pointer(builder: ir.IRBuilder, address: ir.Value, to: ir.Type) -> ir.Value:
    """An int64 address as an LLVM pointer."""
    return builder.inttoptr(address, to.as_pointer())


def emit_load(builder: ir.IRBuilder, address: ir.Value, kind: ir.Type = REGISTER) -> ir.Value:
    """The value at an address; it need not be aligned."""
    return builder.load(pointer(builder, address, kind), align=4)


def emit_store(builder: ir.IRBuilder, address: ir.Value, value: ir.Value) -> None:
    """The value written to an address; it need not be aligned."""
    builder.store(value, pointer(builder, address, value.type), align=4)


def emit_splat(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """A register with the value in every lane."""
    one = builder.insert_element(ir.Constant(REGISTER, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(one, ir.Constant(REGISTER, ir.Undefined), lanes)


def emit_call(builder: ir.IRBuilder, name: str, result: ir.Type, *arguments: ir.Value) -> ir.Value:
    """A call of an LLVM intrinsic or a C function by its full name."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, arguments)


def emit_fma(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """a·b + c, rounded once where the host can."""
    return emit_call(builder, f"llvm.fmuladd.v{WIDTH}f32", REGISTER, a, b, c)


def emit_prefetch(builder: ir.IRBuilder, address: ir.Value) -> None:
    """Asks for the cache line at an address, which need not exist, before it is read."""
    number = ir.IntType(32)
    read, keep, data = (ir.Constant(number, value) for value in (0, 3, 1))
    place = pointer(builder, address, ir.IntType(8))
    emit_call(builder, "llvm.prefetch.p0", ir.VoidType(), place, read, keep, data)


def emit_max(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    """The larger in each lane; where b is not a number, b."""
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def emit_min(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    """The smaller in each lane; where b is not a number, b."""
    return builder.select(builder.fcmp_ordered("<", a, b), a, b)


def _intrinsic(
    result: types.Type, arguments: tuple[types.Type, ...], emit: Callable[..., ir.Value | None]
) -> Any:
    """What an intrinsic's typing function returns, from an emitter that takes (builder, *values)."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        value = emit(builder, *values)
        return context.get_dummy_value() if value is None else value

    return result(*arguments), generate


# --- vectors -----------------------------------------------------------------------------------------------------


@intrinsic
def vload(context: Any, address: Any) -> Any:
    """The WIDTH floats at an address."""
    return _intrinsic(VECTOR, (types.int64,), emit_load)


@intrinsic
def vstore(context: Any, address: Any, vector: Any) -> Any:
    """Writes the WIDTH floats to an address."""
    return _intrinsic(types.void, (types.int64, VECTOR), emit_store)


@intrinsic
def splat(context: Any, value: Any) -> Any:
    """The value in every lane."""
    return _intrinsic(VECTOR, (types.float32,), emit_splat)


@intrinsic
def fma(context: Any, a: Any, b: Any, c: Any) -> Any:
    """a·b + c."""
    return _intrinsic(VECTOR, (VECTOR, VECTOR, VECTOR), emit_fma)


@intrinsic
def vmax(context: Any, a: Any, b: Any) -> Any:
    """The larger in each lane; where b is not a number, b."""
    return _intrinsic(VECTOR, (VECTOR, VECTOR), emit_max)


@intrinsic
def vmin(context: Any, a: Any, b: Any) -> Any:
    """The smaller in each lane; where b is not a number, b."""
    return _intrinsic(VECTOR, (VECTOR, VECTOR), emit_min)


@intrinsic
def below(context: Any, a: Any, b: Any, yes: Any, no: Any) -> Any:
    """In each lane, `yes` where a < b, else `no`."""

    def emit(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, yes: ir.Value, no: ir.Value) -> ir.Value:
        return builder.select(builder.fcmp_ordered("<", a, b), yes, no)

    return _intrinsic(VECTOR, (VECTOR, VECTOR, VECTOR, VECTOR), emit)


@intrinsic
def vsqrt(context: Any, a: Any) -> Any:
    """The square root of each lane."""
    return _intrinsic(
        VECTOR, (VECTOR,), lambda builder, a: emit_call(builder, f"llvm.sqrt.v{WIDTH}f32", REGISTER, a)
    )


@intrinsic
def exponent(context: Any, a: Any) -> Any:
    """The float whose exponent is a lane's lowest 8 bits: 2ⁿ, where adding 127 + n left n there."""

    def emit(builder: ir.IRBuilder, a: ir.Value) -> ir.Value:
        bits = builder.bitcast(a, INT_REGISTER)
        return builder.bitcast(builder.shl(bits, ir.Constant(INT_REGISTER, [23] * WIDTH)), REGISTER)

    return _intrinsic(VECTOR, (VECTOR,), emit)


@intrinsic
def reciprocal(context: Any, a: Any) -> Any:
    """1/a, exact to about a bit; by estimate and one Newton step where that is quicker than dividing."""

    def emit(builder: ir.IRBuilder, a: ir.Value) -> ir.Value:
        one = ir.Constant(REGISTER, [1.0] * WIDTH)
        if WIDTH != 16 or not X86:
            return builder.fdiv(one, a)
        everything = ir.Constant(ir.IntType(16), 0xFFFF)
        first = emit_call(builder, "llvm.x86.avx512.rcp14.ps.512", REGISTER, a, one, everything)
        error = emit_fma(builder, builder.fneg(a), first, one)
        return emit_fma(builder, first, error, first)

    return _intrinsic(VECTOR, (VECTOR,), emit)


@intrinsic
def total(context: Any, a: Any) -> Any:
    """The sum of the lanes, halves added to halves."""

    def emit(builder: ir.IRBuilder, a: ir.Value) -> ir.Value:
        count = WIDTH
        while count > 1:
            count //= 2
            parts = []
            for first in (0, count):
                lanes = ir.Constant(
                    ir.VectorType(ir.IntType(32), count), [first + lane for lane in range(count)]
                )
                parts.append(builder.shuffle_vector(a, ir.Constant(a.type, ir.Undefined), lanes))
            a = builder.fadd(*parts)
        return builder.extract_element(a, ir.Constant(ir.IntType(32), 0))

    return _intrinsic(types.float32, (VECTOR,), emit)


def _arithmetic(function: Any, instruction: str) -> None:
    @intrinsic
    def apply(context: Any, a: Any, b: Any) -> Any:
        return _intrinsic(VECTOR, (VECTOR, VECTOR), lambda builder, a, b: getattr(builder, instruction)(a, b))

    def both(a: Any, b: Any) -> Any:
        return apply(a, b)

    def typed(a: Any, b: Any) -> Any:
        return both if isinstance(a, VectorType) and isinstance(b, VectorType) else None

    overload(function)(typed)


for _function, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _arithmetic(_function, _instruction)


# --- scalars at addresses ----------------------------------------------------------------------------------------


@intrinsic
def load_float(context: Any, address: Any) -> Any:
    """The float at an address."""
    return _intrinsic(types.float32, (types.int64,), lambda builder, a: emit_load(builder, a, FLOAT))


@intrinsic
def store_float(context: Any, address: Any, value: Any) -> Any:
    """Writes a float to an address."""
    return _intrinsic(types.void, (types.int64, types.float32), emit_store)


@intrinsic
def load_int(context: Any, address: Any) -> Any:
    """The int64 at an address."""
    return _intrinsic(types.int64, (types.int64,), lambda builder, a: emit_load(builder, a, INT))


@intrinsic
def store_int(context: Any, address: Any, value: Any) -> Any:
    """Writes an int64 to an address."""
    return _intrinsic(types.void, (types.int64, types.int64), emit_store)


@intrinsic
def load_offset(context: Any, address: Any) -> Any:
    """The int32 at an address, as int64."""

    def emit(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
        return builder.sext(emit_load(builder, address, ir.IntType(32)), INT)

    return _intrinsic(types.int64, (types.int64,), emit)


@intrinsic
def as_float(context: Any, bits: Any) -> Any:
    """The float whose bits are an int64's lower half."""

    def emit(builder: ir.IRBuilder, bits: ir.Value) -> ir.Value:
        return builder.bitcast(builder.trunc(bits, ir.IntType(32)), FLOAT)

    return _intrinsic(types.float32, (types.int64,), emit)


@intrinsic
def fields(context: Any, record: Any, count: Any) -> Any:
    """The first `count` (a literal) int64s at an address, as a tuple: a kernel's parameters."""
    result = types.UniTuple(types.int64, count.literal_value)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        loaded = [
            emit_load(builder, builder.add(values[0], ir.Constant(INT, 8 * place)), INT)
            for place in range(count.literal_value)
        ]
        return context.make_tuple(builder, result, loaded)

    return result(types.int64, count), generate


# --- threads -----------------------------------------------------------------------------------------------------


@intrinsic
def atomic_add(context: Any, address: Any, value: Any) -> Any:
    """Adds to the int64 at an address in one step, seen by all threads in order; what was there before."""

    def emit(builder: ir.IRBuilder, address: ir.Value, value: ir.Value) -> ir.Value:
        return builder.atomic_rmw("add", pointer(builder, address, INT), value, "seq_cst")

    return _intrinsic(types.int64, (types.int64, types.int64), emit)


@intrinsic
def atomic_load(context: Any, address: Any) -> Any:
    """The int64 at an address, and with it all that was written before it."""
    return _intrinsic(
        types.int64,
        (types.int64,),
        lambda builder, a: builder.load_atomic(pointer(builder, a, INT), "acquire", 8),
    )


@intrinsic
def pause(context: Any) -> Any:
    """Tells the processor that this thread spins."""

    def emit(builder: ir.IRBuilder) -> None:
        if ARM:
            emit_call(builder, "llvm.aarch64.hint", ir.VoidType(), ir.Constant(ir.IntType(32), 1))
        elif X86:
            emit_call(builder, "llvm.x86.sse2.pause", ir.VoidType())

    return _intrinsic(types.void, (), emit)


@intrinsic
def give_way(context: Any) -> Any:
    """Lets another thread have this processor, where the system has sched_yield."""

    def emit(builder: ir.IRBuilder) -> None:
        if os.name == "posix":
            emit_call(builder, "sched_yield", ir.IntType(32))

    return _intrinsic(types.void, (), emit)


@intrinsic
def ticks(context: Any) -> Any:
    """The processor's clock, in a unit of its own."""

    name = "llvm.readsteadycounter" if ARM else "llvm.readcyclecounter"
    return _intrinsic(types.int64, (), lambda builder: emit_call(builder, name, INT))


@intrinsic
def call(context: Any, function: Any, arguments: Any) -> Any:
    """Calls the kernel at an address with a tuple of int64s."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        unpacked = cgutils.unpack_tuple(builder, values[1])
        kind = ir.FunctionType(ir.VoidType(), [INT] * len(unpacked))
        builder.call(pointer(builder, values[0], kind), unpacked)
        return context.get_dummy_value()

    return types.void(types.int64, arguments), generate
