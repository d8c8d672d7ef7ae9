"""Vectors of floats and raw addresses for Numba: what the kernels are written in.

Numba knows neither SIMD registers nor pointers, so this module adds them as intrinsics, functions whose body is
emitted as LLVM instructions:

    a = vload(address); b = splat(2.0)
    vstore(address + 4 * WIDTH, fma(a, b, a * b + a))

A vector is one register of WIDTH floats (AVX-512 16, AVX2 8, NEON and SSE 4). An address is a plain int64, counted
in bytes. Nothing here checks bounds: each kernel that uses an address argues in its docstring why it stays inside.

The elements of maps are float32, or bfloat16 in the variant `Kernel.bfloat16` of a kernel: what is written with
`eload`, `estore` and the sizes that are a `Sized` is compiled for either. Sums and everything else in
registers are float32 in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from llvmlite import ir

from convcalc.backends.numba.jit.declare import intrinsic
from convcalc.backends.numba.jit.emit import (
    FLOAT,
    INT,
    INT_REGISTER,
    REGISTER,
    SHORT,
    emit_call,
    emit_dot,
    emit_float,
    emit_fma,
    emit_load,
    emit_load_elements,
    emit_max,
    emit_min,
    emit_row,
    emit_splat,
    emit_store,
    emit_store_elements,
    pointer,
    word_type,
)
from convcalc.backends.numba.jit.target import SCALES, WIDTH

# --- vectors -----------------------------------------------------------------------------------------------------


@intrinsic("int -> vector")
def vload(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    """The WIDTH floats at an address."""
    return emit_load(builder, address)


@intrinsic("int vector -> none")
def vstore(builder: ir.IRBuilder, address: ir.Value, vector: ir.Value) -> None:
    """Writes the WIDTH floats to an address."""
    emit_store(builder, address, vector)


@intrinsic("int -> vector", by_element=True)
def eload(builder: ir.IRBuilder, element: int, address: ir.Value) -> ir.Value:
    """The WIDTH elements of a map at an address."""
    return emit_load_elements(builder, element, address)


@intrinsic("int vector -> none", by_element=True)
def estore(builder: ir.IRBuilder, element: int, address: ir.Value, vector: ir.Value) -> None:
    """Writes WIDTH elements of a map to an address."""
    emit_store_elements(builder, element, address, vector)


@intrinsic("float -> vector")
def splat(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """The value in every lane."""
    return emit_splat(builder, value)


@intrinsic("vector vector vector -> vector")
def fma(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """a·b + c."""
    return emit_fma(builder, a, b, c)


@intrinsic("vector vector -> vector")
def vmax(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    """The larger value in each lane; b where either is NaN."""
    return emit_max(builder, a, b)


def _larger(builder: ir.IRBuilder, largest: ir.Value, *others: ir.Value) -> ir.Value:
    """The largest value in each lane, NaN where any of them is. One comparison tests two values for NaN."""
    pairs = [(others[place], others[min(place + 1, len(others) - 1)]) for place in range(0, len(others), 2)]
    for other in others:
        largest = emit_max(builder, other, largest)  # a NaN in `largest` stays
    is_nan = [builder.fcmp_unordered("uno", *pair) for pair in pairs]
    nan = ir.Constant(REGISTER, [float("nan")] * WIDTH)
    return builder.select(reduce(builder.or_, is_nan), nan, largest)


@intrinsic("vector vector -> vector")
def larger(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    """The larger value in each lane, NaN where either is NaN."""
    return _larger(builder, a, b)


@intrinsic("vector vector vector -> vector")
def larger_of_3(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """The largest value in each lane, NaN where any of them is NaN."""
    return _larger(builder, a, b, c)


@intrinsic("vector vector vector vector -> vector")
def larger_of_4(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value, d: ir.Value) -> ir.Value:
    """The largest value in each lane, NaN where any of them is NaN."""
    return _larger(builder, a, b, c, d)


@intrinsic("vector vector -> vector")
def vmin(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    """The smaller value in each lane; b where either is NaN."""
    return emit_min(builder, a, b)


@intrinsic("vector vector vector vector -> vector")
def below(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, yes: ir.Value, no: ir.Value) -> ir.Value:
    """`yes` in the lanes where a < b, `no` in the others and where either is NaN."""
    return builder.select(builder.fcmp_ordered("<", a, b), yes, no)


@intrinsic("vector -> vector")
def vsqrt(builder: ir.IRBuilder, a: ir.Value) -> ir.Value:
    """The square root of each lane."""
    return emit_call(builder, f"llvm.sqrt.v{WIDTH}f32", REGISTER, a)


@intrinsic("vector -> vector")
def exponent(builder: ir.IRBuilder, a: ir.Value) -> ir.Value:
    """2ⁿ in each lane, where the lowest 8 bits of a lane hold n + 127, the biased exponent of a float."""
    bits = builder.bitcast(a, INT_REGISTER)
    return builder.bitcast(builder.shl(bits, ir.Constant(INT_REGISTER, [23] * WIDTH)), REGISTER)


@intrinsic("vector -> vector")
def nearest(builder: ir.IRBuilder, a: ir.Value) -> ir.Value:
    """The whole number next to each lane, the even one of two; only where SCALES."""
    without_exceptions = ir.Constant(ir.IntType(32), 8)
    return _masked(builder, "rndscale", a, without_exceptions)


@intrinsic("vector vector -> vector")
def scaled(builder: ir.IRBuilder, a: ir.Value, n: ir.Value) -> ir.Value:
    """a·2ⁿ in each lane for whole n; only where SCALES."""
    return _masked(builder, "scalef", a, n)


def _masked(builder: ir.IRBuilder, name: str, a: ir.Value, other: ir.Value) -> ir.Value:
    """An AVX-512 operation of all lanes, rounded as set."""
    all_lanes, as_set = ir.Constant(ir.IntType(16), 0xFFFF), ir.Constant(ir.IntType(32), 4)
    return emit_call(builder, f"llvm.x86.avx512.mask.{name}.ps.512", REGISTER, a, other, a, all_lanes, as_set)


@intrinsic("vector -> vector")
def reciprocal(builder: ir.IRBuilder, a: ir.Value) -> ir.Value:
    """1/a, exact to about a bit. Where that is faster than a division, by the processor's estimate x, good to 14 bits,
    and one step of Newton's method: x + x·(1 − a·x)."""
    unit = ir.Constant(REGISTER, [1.0] * WIDTH)
    if not SCALES:
        return builder.fdiv(unit, a)
    all_lanes = ir.Constant(ir.IntType(16), 0xFFFF)
    estimate = emit_call(builder, "llvm.x86.avx512.rcp14.ps.512", REGISTER, a, unit, all_lanes)
    error = emit_fma(builder, builder.fneg(a), estimate, unit)
    return emit_fma(builder, estimate, error, estimate)


@intrinsic("vector -> float")
def total(builder: ir.IRBuilder, a: ir.Value) -> ir.Value:
    """The sum of the lanes, by halves: lanes 0–7 plus lanes 8–15 and so on."""
    count = WIDTH
    while count > 1:
        count //= 2
        a = builder.fadd(*_halves(builder, a, count))
    return builder.extract_element(a, ir.Constant(ir.IntType(32), 0))


@intrinsic("vector -> float")
def largest_lane(builder: ir.IRBuilder, a: ir.Value) -> ir.Value:
    """The largest of the lanes, none of which is NaN, by halves."""
    count = WIDTH
    while count > 1:
        count //= 2
        low, high = _halves(builder, a, count)
        a = builder.select(builder.fcmp_ordered(">", low, high), low, high)
    return builder.extract_element(a, ir.Constant(ir.IntType(32), 0))


def _halves(builder: ir.IRBuilder, a: ir.Value, count: int) -> list[ir.Value]:
    """The first `count` lanes, and the next ones."""
    parts = []
    for first in (0, count):
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), count), [first + lane for lane in range(count)])
        parts.append(builder.shuffle_vector(a, ir.Constant(a.type, ir.Undefined), lanes))
    return parts


@intrinsic("int int vector -> vector", by_element=True)
def add_word(
    builder: ir.IRBuilder, element: int, weights: ir.Value, word: ir.Value, total: ir.Value
) -> ir.Value:
    """A sum plus, in each lane, a word times a word of weights, both given by addresses: one product of floats, or two
    of bfloat16."""
    kind, multiply = word_type(element), emit_dot if element == 2 else emit_fma
    word = emit_splat(builder, emit_load(builder, word, kind))
    return multiply(builder, word, emit_load(builder, weights, ir.VectorType(kind, WIDTH)), total)


@intrinsic("int int -> vector", by_element=True)
def load_words(builder: ir.IRBuilder, element: int, first: ir.Value, second: ir.Value) -> ir.Value:
    """WIDTH words, only to be stored: the floats at the first address, or of bfloat16 each element at the first
    together with one at the second."""
    if element == 4:
        return emit_load(builder, first)
    kind = ir.VectorType(SHORT, WIDTH)
    lower, upper = (builder.zext(emit_load(builder, at, kind), INT_REGISTER) for at in (first, second))
    upper = builder.shl(upper, ir.Constant(INT_REGISTER, [16] * WIDTH))
    return builder.bitcast(builder.or_(lower, upper), REGISTER)


@intrinsic("int int int int -> none")
def transpose(
    builder: ir.IRBuilder, source: ir.Value, source_row: ir.Value, target: ir.Value, target_row: ir.Value
) -> None:
    """WIDTH columns of WIDTH words, from as many rows; source_row, target_row: bytes from a row to the next.

    By exchanges of halves, quarters and so on: where a place's row and column differ in a bit, it changes both.
    """
    rows = []
    for _ in range(WIDTH):
        rows.append(emit_load(builder, source, INT_REGISTER))
        source = builder.add(source, source_row)
    apart = WIDTH // 2
    while apart:
        for row in range(WIDTH):
            if row & apart:
                continue
            pair = rows[row], rows[row + apart]
            for own, first in ((row, 0), (row + apart, apart)):
                lanes = []
                for lane in range(WIDTH):
                    group, inside = divmod(lane, 2 * apart)
                    # Lanes of the pair's second row follow those of the first
                    second = WIDTH if inside >= apart else 0
                    lanes.append(second + group * 2 * apart + first + inside % apart)
                rows[own] = builder.shuffle_vector(*pair, ir.Constant(INT_REGISTER, lanes))
        apart //= 2
    for row in rows:
        emit_store(builder, target, row)
        target = builder.add(target, target_row)


# --- scalars at addresses ----------------------------------------------------------------------------------------


@intrinsic("int -> float")
def load_float(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    """The float at an address."""
    return emit_load(builder, address, FLOAT)


@intrinsic("int float -> none")
def store_float(builder: ir.IRBuilder, address: ir.Value, value: ir.Value) -> None:
    """Writes a float to an address."""
    emit_store(builder, address, value)


@intrinsic("int -> float", by_element=True)
def load_element(builder: ir.IRBuilder, element: int, address: ir.Value) -> ir.Value:
    """The element of a map at an address."""
    return emit_load_elements(builder, element, address, FLOAT)


@intrinsic("int float -> none", by_element=True)
def store_element(builder: ir.IRBuilder, element: int, address: ir.Value, value: ir.Value) -> None:
    """Writes an element of a map to an address."""
    emit_store_elements(builder, element, address, value)


@intrinsic("int -> int")
def load_int(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    """The int64 at an address."""
    return emit_load(builder, address, INT)


@intrinsic("int int -> none")
def store_int(builder: ir.IRBuilder, address: ir.Value, value: ir.Value) -> None:
    """Writes an int64 to an address."""
    emit_store(builder, address, value)


@intrinsic("int -> int")
def load_offset(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    """The int32 at an address, as int64."""
    return builder.sext(emit_load(builder, address, ir.IntType(32)), INT)


@intrinsic("int -> float")
def as_float(builder: ir.IRBuilder, bits: ir.Value) -> ir.Value:
    """The float whose bits are an int64's lower half."""
    return emit_float(builder, bits)


@intrinsic("int row -> row")
def load_row(builder: ir.IRBuilder, address: ir.Value, count: int) -> list[ir.Value]:
    """The row of a table that begins at an address: an int64 for each field of a NamedTuple class."""
    return emit_row(builder, address, count)


def row_bytes(row: type[tuple[int, ...]]) -> int:
    """From one row of a table to the next."""
    return 8 * len(row._fields)  # type: ignore[attr-defined]


# --- kernels that call others ------------------------------------------------------------------------------------


@intrinsic("int ints -> none")
def call(builder: ir.IRBuilder, function: ir.Value, arguments: Sequence[ir.Value]) -> None:
    """Calls the kernel at an address with a tuple of int64s as its arguments."""
    kind = ir.FunctionType(ir.VoidType(), [INT] * len(arguments))
    builder.call(pointer(builder, function, kind), arguments)
