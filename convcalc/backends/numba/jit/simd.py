"""Vectors of floats and raw addresses for Numba: what the kernels are written in.

Numba knows neither SIMD registers nor pointers, so this module adds them as intrinsics, functions whose body is
emitted as LLVM instructions:

    a = vload(address); b = splat(2.0)
    vstore(address + 4 * WIDTH, fma(a, b, a * b + a))

A vector is one register of WIDTH floats (AVX-512 16, AVX2 8, NEON and SSE 4). An address is a plain int64, counted
in bytes. Nothing here checks bounds: each kernel that uses an address argues in its docstring why it stays inside.

The elements of maps are float32, or bfloat16 in the variant `Kernel.half` of a kernel: what is written with
`eload`, `estore` and the sizes that are a `Sized` is compiled for either. Sums and everything else in
registers are float32 in both.

This module only declares; `compiler` translates for Numba when a kernel has to be compiled.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal, TypeVar, cast

import llvmlite.binding as llvm
from llvmlite import ir

F = TypeVar("F", bound=Callable[..., Any])


def _host_width() -> int:
    """Floats per register of the host, or CONVCALC_VECTOR (4, 8 or 16; a narrower one runs on any host)."""
    forced = os.environ.get("CONVCALC_VECTOR")
    if forced in ("4", "8", "16"):
        return int(forced)
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 16
    return 8 if features.get("avx2") and features.get("fma") else 4


def target_features(host: Mapping[str, bool], width: int) -> str:
    """The processor's features that machine code for registers of so many floats may use, as LLVM takes them.

    Below 16 floats none of AVX-512 and what includes it: its instructions for narrower registers, with twice as many
    of them, would give kernels that no processor without it has.
    """
    wide = () if width == 16 else ("avx512", "avx10", "amx-avx512")
    return ",".join(
        f"{'+' if on and not name.startswith(wide) else '-'}{name}" for name, on in sorted(host.items())
    )


class Sized(int):
    """A number that is another one, `half`, in the variant of a kernel whose elements are bfloat16."""

    half: int

    def __new__(cls, value: int, half: int) -> Sized:
        made = super().__new__(cls, value)
        made.half = half
        return made


SYMBOL = "convcalc."  # followed by a kernel's name: the symbol of its machine code
BLOCK = 16  # channels of a block, on every host: a layout does not depend on the processor
ELEMENT = Sized(4, 2)  # bytes of an element of a map
WORD = Sized(1, 2)  # elements of four bytes
PIXEL = Sized(4 * BLOCK, 2 * BLOCK)  # bytes of a pixel of a block
WIDTH = _host_width()  # floats of a register
LANES = BLOCK // WIDTH  # registers of a block
FEATURES = target_features(llvm.get_host_cpu_features(), WIDTH)
ARM = llvm.get_default_triple().startswith(("aarch64", "arm64"))
X86 = llvm.get_default_triple().startswith(("x86_64", "amd64", "i686"))
SCALES = X86 and WIDTH == 16  # AVX-512 alone has `nearest` and `scaled`


def _bfloat16() -> Literal["native", "emulated", ""]:
    """How maps of bfloat16 are computed: by the processor's own instructions, or slowly by those for integers and
    floats; nothing where they are not. For tests, CONVCALC_BF16 is `emulated`, to have them computed slowly, or
    `anywhere`, to have that where the processor has no such instructions."""
    asked = os.environ.get("CONVCALC_BF16")
    has_dots = llvm.get_host_cpu_features().get("avx512bf16", False)
    if X86 and WIDTH == 16 and has_dots and asked != "emulated":
        return "native"
    return "emulated" if asked in ("emulated", "anywhere") else ""


BFLOAT16 = _bfloat16()

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
HALF = BLOCK // 2  # output channels of the half block that narrow tiles end with


@dataclass(frozen=True, eq=False)
class Inline:
    """A function that kernels may call; LLVM inlines it where that pays."""

    function: Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Intrinsic:
    """A function whose body is LLVM instructions, which `emit` adds to a builder for the values of the arguments.
    half: what takes its place in kernels whose elements are bfloat16, if anything.

    Kinds of arguments and of the result: `vector`, `float`, `int`, `ints` (a tuple of them, a list for `emit`), and for
    no result `none`. `row` as an argument is a NamedTuple class of ints, for `emit` the number of its fields, and as
    the result one of these tuples, of `emit` a list.
    """

    name: str
    emit: Callable[..., Any]
    arguments: tuple[str, ...]
    result: str
    half: Intrinsic | None = None


def inline(function: F) -> F:
    """Marks a function that kernels may call."""
    return cast(F, Inline(function))


def intrinsic(
    signature: str, half: Callable[..., Any] | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declares an intrinsic by the function that emits it; a signature reads `vector float -> vector`.

    half: the function that emits it in kernels whose elements are bfloat16.
    """
    before, result = signature.split("->")
    kinds = tuple(before.split()), result.strip()

    def declare(emit: Callable[..., Any]) -> Callable[..., Any]:
        name = emit.__name__.strip("_")
        made = Intrinsic(name, emit, *kinds, Intrinsic(name, half, *kinds) if half else None)
        return cast(Callable[..., Any], made)

    return declare


class _BFloat(ir.types.Type):  # type: ignore[misc]
    """LLVM's bfloat, which llvmlite does not have."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _BFloat)

    def __hash__(self) -> int:
        return hash(_BFloat)


FLOAT = ir.FloatType()
INT = ir.IntType(64)
BITS = ir.IntType(32)  # of a float, or of two elements of bfloat16
SHORT = ir.IntType(16)  # the bits of one
BFLOAT = _BFloat()
REGISTER = ir.VectorType(FLOAT, WIDTH)
INT_REGISTER = ir.VectorType(BITS, WIDTH)


# --- emitters, of which the intrinsics below and the register tile are made ---------------------------------------


def pointer(builder: ir.IRBuilder, address: ir.Value, to: ir.Type) -> ir.Value:
    """An int64 address as an LLVM pointer."""
    return builder.inttoptr(address, to.as_pointer())


def _align(kind: ir.Type) -> int:
    """The alignment of every address of this type: an element of bfloat16 is 2 bytes."""
    return 2 if _like(kind, SHORT) == kind else 1 if kind == ir.IntType(8) else 4


def emit_load(builder: ir.IRBuilder, address: ir.Value, kind: ir.Type = REGISTER) -> ir.Value:
    """The value at an address; it need not be aligned."""
    return builder.load(pointer(builder, address, kind), align=_align(kind))


def emit_store(builder: ir.IRBuilder, address: ir.Value, value: ir.Value) -> None:
    """The value written to an address; it need not be aligned."""
    builder.store(value, pointer(builder, address, value.type), align=_align(value.type))


def emit_row(builder: ir.IRBuilder, address: ir.Value, count: int) -> list[ir.Value]:
    """`count` int64s that lie one after the other."""
    places = (builder.add(address, ir.Constant(INT, 8 * place)) for place in range(count))
    return [emit_load(builder, place, INT) for place in places]


def emit_float(builder: ir.IRBuilder, bits: ir.Value) -> ir.Value:
    """The float whose bits are an int64's lower half."""
    return builder.bitcast(builder.trunc(bits, ir.IntType(32)), FLOAT)


def emit_splat(builder: ir.IRBuilder, value: ir.Value, width: int = WIDTH) -> ir.Value:
    """A register of `width` lanes with the value in every one."""
    undefined = ir.Constant(ir.VectorType(value.type, width), ir.Undefined)
    first_lane = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width)
    return builder.shuffle_vector(first_lane, undefined, lanes)


def emit_call(builder: ir.IRBuilder, name: str, result: ir.Type, *arguments: ir.Value) -> ir.Value:
    """A call of an LLVM intrinsic or a C function by its full name."""
    function = builder.module.globals.get(name)
    if function is None:
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        function = ir.Function(builder.module, kind, name)
    return builder.call(function, arguments)


def emit_fma(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """a·b + c, rounded once where the host can."""
    return emit_call(builder, f"llvm.fmuladd.v{a.type.count}f32", a.type, a, b, c)


def _like(kind: ir.Type, element: ir.Type) -> ir.Type:
    """A type with as many lanes as another, of other elements."""
    return ir.VectorType(element, kind.count) if isinstance(kind, ir.VectorType) else element


def _all(kind: ir.Type, value: int) -> ir.Constant:
    """An integer in every lane."""
    return ir.Constant(kind, [value] * kind.count if isinstance(kind, ir.VectorType) else value)


def emit_widened(builder: ir.IRBuilder, address: ir.Value, kind: ir.Type = REGISTER) -> ir.Value:
    """The elements of bfloat16 at an address, as floats: their bits are the upper halves of a float's."""
    bits = builder.zext(emit_load(builder, address, _like(kind, SHORT)), _like(kind, BITS))
    return builder.bitcast(builder.shl(bits, _all(bits.type, 16)), kind)


def emit_rounded(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """Floats rounded to bfloat16, the even one of two, as bits. NaN stays NaN; what is denormal may become 0."""
    kind = value.type
    if BFLOAT16 == "native":
        return builder.bitcast(builder.fptrunc(value, _like(kind, BFLOAT)), _like(kind, SHORT))
    bits = builder.bitcast(value, _like(kind, BITS))
    upper = builder.lshr(bits, _all(bits.type, 16))
    odd = builder.and_(upper, _all(bits.type, 1))
    rounded = builder.add(builder.add(bits, _all(bits.type, 0x7FFF)), odd)
    # What is NaN in its lower half alone would become infinite.
    quiet = builder.or_(upper, _all(bits.type, 0x40))
    is_nan = builder.fcmp_unordered("uno", value, value)
    chosen = builder.select(is_nan, quiet, builder.lshr(rounded, _all(bits.type, 16)))
    return builder.trunc(chosen, _like(kind, SHORT))


def emit_load_elements(
    builder: ir.IRBuilder, half: bool, address: ir.Value, kind: ir.Type = REGISTER
) -> ir.Value:
    """The elements of a map at an address, as floats. half: of bfloat16."""
    return (emit_widened if half else emit_load)(builder, address, kind)


def emit_store_elements(builder: ir.IRBuilder, half: bool, address: ir.Value, value: ir.Value) -> None:
    """Floats written to an address as elements of a map. half: of bfloat16."""
    emit_store(builder, address, emit_rounded(builder, value) if half else value)


def emit_dot(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """c plus the sum of two products in each lane, of the elements of bfloat16 that a lane of a and of b holds."""
    if BFLOAT16 == "native":
        name = f"llvm.x86.avx512bf16.dpbf16ps.{32 * c.type.count}"
        return emit_call(builder, name, c.type, c, a, b)
    upper = _all(a.type, 0xFFFF0000)
    a0, b0 = (builder.bitcast(builder.shl(pair, _all(a.type, 16)), c.type) for pair in (a, b))
    a1, b1 = (builder.bitcast(builder.and_(pair, upper), c.type) for pair in (a, b))
    return emit_fma(builder, a1, b1, emit_fma(builder, a0, b0, c))


def emit_prefetch(builder: ir.IRBuilder, address: ir.Value) -> None:
    """Prefetches the cache line at an address, which need not exist."""
    number = ir.IntType(32)
    read, keep, data = (ir.Constant(number, value) for value in (0, 3, 1))
    place = pointer(builder, address, ir.IntType(8))
    emit_call(builder, "llvm.prefetch.p0", ir.VoidType(), place, read, keep, data)


def emit_max(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    """The larger value in each lane; b where either is NaN."""
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def emit_min(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    """The smaller value in each lane; b where either is NaN."""
    return builder.select(builder.fcmp_ordered("<", a, b), a, b)


def emit_local(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """A local variable with an initial value, to be loaded and stored by the builder; LLVM keeps it in a register."""
    with builder.goto_entry_block():
        place = builder.alloca(value.type)
    builder.store(value, place)
    return place


@contextmanager
def emit_loop(builder: ir.IRBuilder, count: ir.Value) -> Iterator[ir.Value]:
    """A loop whose body is what the `with` block emits, run `count` times; yields the index."""
    before = builder.block
    head, body, after = (builder.append_basic_block(name) for name in ("head", "body", "after"))
    builder.branch(head)
    builder.position_at_end(head)
    index = builder.phi(INT)
    index.add_incoming(ir.Constant(INT, 0), before)
    builder.cbranch(builder.icmp_signed("<", index, count), body, after)
    builder.position_at_end(body)
    yield index
    index.add_incoming(builder.add(index, ir.Constant(INT, 1)), builder.block)
    builder.branch(head)
    builder.position_at_end(after)


# --- vectors -----------------------------------------------------------------------------------------------------


@intrinsic("int -> vector")
def vload(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    """The WIDTH floats at an address."""
    return emit_load(builder, address)


@intrinsic("int vector -> none")
def vstore(builder: ir.IRBuilder, address: ir.Value, vector: ir.Value) -> None:
    """Writes the WIDTH floats to an address."""
    emit_store(builder, address, vector)


@intrinsic("int -> vector", half=emit_widened)
def eload(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    """The WIDTH elements of a map at an address."""
    return emit_load(builder, address)


def _store_rounded(builder: ir.IRBuilder, address: ir.Value, value: ir.Value) -> None:
    emit_store_elements(builder, True, address, value)


@intrinsic("int vector -> none", half=_store_rounded)
def estore(builder: ir.IRBuilder, address: ir.Value, vector: ir.Value) -> None:
    """Writes WIDTH elements of a map to an address."""
    emit_store(builder, address, vector)


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


def _emit_added_pair(builder: ir.IRBuilder, weights: ir.Value, word: ir.Value, total: ir.Value) -> ir.Value:
    both = emit_splat(builder, emit_load(builder, word, BITS))
    return emit_dot(builder, both, emit_load(builder, weights, INT_REGISTER), total)


@intrinsic("int int vector -> vector", half=_emit_added_pair)
def add_word(builder: ir.IRBuilder, weights: ir.Value, word: ir.Value, total: ir.Value) -> ir.Value:
    """A sum plus, in each lane, a word times a word of weights, both given by addresses: one product of floats, or two
    of bfloat16."""
    return emit_fma(
        builder, emit_splat(builder, emit_load(builder, word, FLOAT)), emit_load(builder, weights), total
    )


# The LLVM instructions of +, −, · and / on two vectors.
OPERATORS = {operator.add: "fadd", operator.sub: "fsub", operator.mul: "fmul", operator.truediv: "fdiv"}


# --- scalars at addresses ----------------------------------------------------------------------------------------


@intrinsic("int -> float")
def load_float(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    """The float at an address."""
    return emit_load(builder, address, FLOAT)


@intrinsic("int float -> none")
def store_float(builder: ir.IRBuilder, address: ir.Value, value: ir.Value) -> None:
    """Writes a float to an address."""
    emit_store(builder, address, value)


def _load_widened(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    return emit_widened(builder, address, FLOAT)


@intrinsic("int -> float", half=_load_widened)
def load_element(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    """The element of a map at an address."""
    return emit_load(builder, address, FLOAT)


@intrinsic("int float -> none", half=_store_rounded)
def store_element(builder: ir.IRBuilder, address: ir.Value, value: ir.Value) -> None:
    """Writes an element of a map to an address."""
    emit_store(builder, address, value)


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


# --- threads -----------------------------------------------------------------------------------------------------


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


@intrinsic("int ints -> none")
def call(builder: ir.IRBuilder, function: ir.Value, arguments: Sequence[ir.Value]) -> None:
    """Calls the kernel at an address with a tuple of int64s as its arguments."""
    kind = ir.FunctionType(ir.VoidType(), [INT] * len(arguments))
    builder.call(pointer(builder, function, kind), arguments)
