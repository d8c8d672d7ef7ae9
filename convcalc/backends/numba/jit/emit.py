"""Emitters: functions that add LLVM instructions to a builder. Intrinsics and the register tile are made of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from llvmlite import ir

from convcalc.backends.numba.jit.target import BFLOAT16, WIDTH


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


def word_type(element: int) -> ir.Type:
    """The type of a word, four bytes of a map or of weights: a float, or two elements of bfloat16 as bits."""
    return BITS if element == 2 else FLOAT


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


def emit_all(kind: ir.Type, value: int) -> ir.Constant:
    """An integer in every lane of a type, or as a scalar type."""
    return ir.Constant(kind, [value] * kind.count if isinstance(kind, ir.VectorType) else value)


def emit_rounded(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """Floats rounded to bfloat16, the even one of two, as bits. NaN stays NaN; what is denormal may become 0."""
    kind = value.type
    if BFLOAT16 == "native":
        return builder.bitcast(builder.fptrunc(value, _like(kind, BFLOAT)), _like(kind, SHORT))
    bits = builder.bitcast(value, _like(kind, BITS))
    upper = builder.lshr(bits, emit_all(bits.type, 16))
    odd = builder.and_(upper, emit_all(bits.type, 1))
    rounded = builder.add(builder.add(bits, emit_all(bits.type, 0x7FFF)), odd)
    # What is NaN in its lower half alone would become infinite.
    quiet = builder.or_(upper, emit_all(bits.type, 0x40))
    is_nan = builder.fcmp_unordered("uno", value, value)
    chosen = builder.select(is_nan, quiet, builder.lshr(rounded, emit_all(bits.type, 16)))
    return builder.trunc(chosen, _like(kind, SHORT))


def emit_load_elements(
    builder: ir.IRBuilder, element: int, address: ir.Value, kind: ir.Type = REGISTER
) -> ir.Value:
    """The elements of a map at an address, as floats. element: bytes of one, 4, or 2 of bfloat16, whose bits are the
    upper half of a float's."""
    if element == 4:
        return emit_load(builder, address, kind)
    bits = builder.zext(emit_load(builder, address, _like(kind, SHORT)), _like(kind, BITS))
    return builder.bitcast(builder.shl(bits, emit_all(bits.type, 16)), kind)


def emit_store_elements(builder: ir.IRBuilder, element: int, address: ir.Value, value: ir.Value) -> None:
    """Floats written to an address as elements of a map. element: bytes of one, 4, or 2 of bfloat16."""
    emit_store(builder, address, emit_rounded(builder, value) if element == 2 else value)


def emit_dot(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """c plus the sum of two products in each lane, of the elements of bfloat16 that a lane of a and of b holds."""
    if BFLOAT16 == "native":
        name = f"llvm.x86.avx512bf16.dpbf16ps.{32 * c.type.count}"
        return emit_call(builder, name, c.type, c, a, b)
    upper = emit_all(a.type, 0xFFFF0000)
    a0, b0 = (builder.bitcast(builder.shl(pair, emit_all(a.type, 16)), c.type) for pair in (a, b))
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
