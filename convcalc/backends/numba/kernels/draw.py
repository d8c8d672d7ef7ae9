"""The kernel that draws random weights: the Mersenne Twister, and a table in which 16 of its bits select a number.

Matsumoto & Nishimura 1998, "Mersenne Twister: a 623-dimensionally equidistributed uniform pseudo-random number
generator". Word n + 624 is made of the words n, n + 1 and n + 397, so as many words as fit into a register are made
at once. What is drawn is what `convcalc.weights.initialise.he_normal` gives, bit by bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from llvmlite import ir

from convcalc.backends.numba.jit.cache import kernel
from convcalc.backends.numba.jit.declare import intrinsic
from convcalc.backends.numba.jit.emit import (
    BITS,
    FLOAT,
    INT,
    INT_REGISTER,
    REGISTER,
    emit_all,
    emit_call,
    emit_load,
    emit_splat,
    emit_store,
)
from convcalc.backends.numba.jit.footprint import KernelCall, entries
from convcalc.backends.numba.jit.intrinsics import load_float, load_row, row_bytes, store_float
from convcalc.backends.numba.jit.target import WIDTH
from convcalc.weights.initialise import LEVELS

WORDS = 624  # of the generator's state: whole registers
MIDDLE = 397  # the third word that one is made of
# Words of memory that a tensor needs besides its numbers: the state, the next one, what is drawn
ROOM = 3 * WORDS


class DrawnTensor(NamedTuple):
    """A row of `draw`'s table: the addresses of the generator's state, of the numbers that can be drawn, and of the
    target; how many numbers it takes."""

    words: int
    levels: int
    target: int
    numbers: int


DRAWN_TENSOR = row_bytes(DrawnTensor)


def _all(value: int) -> ir.Constant:
    return emit_all(INT_REGISTER, value)


def emit_gather(builder: ir.IRBuilder, addresses: ir.Value) -> ir.Value:
    """The floats at the addresses in the lanes."""
    pointers = ir.VectorType(FLOAT.as_pointer(), WIDTH)
    every_lane = ir.Constant(ir.VectorType(ir.IntType(1), WIDTH), [1] * WIDTH)
    return emit_call(
        builder, f"llvm.masked.gather.v{WIDTH}f32.v{WIDTH}p0", REGISTER, builder.inttoptr(addresses, pointers),
        ir.Constant(BITS, 4), every_lane, ir.Constant(REGISTER, [0.0] * WIDTH),
    )  # fmt: skip


@intrinsic("int int -> none")
def next_words(builder: ir.IRBuilder, words: ir.Value, drawn: ir.Value) -> None:
    """A register of the words that come WORDS after those at an address. They are written there, WORDS further on, and
    to `drawn` after the scrambling with which they are given out."""

    def at(place: int) -> ir.Value:
        return builder.add(words, ir.Constant(INT, 4 * place))

    first, second, third = (emit_load(builder, at(place), INT_REGISTER) for place in (0, 1, MIDDLE))
    joined = builder.or_(builder.and_(first, _all(0x8000_0000)), builder.and_(second, _all(0x7FFF_FFFF)))
    odd = builder.sub(_all(0), builder.and_(second, _all(1)))  # all bits where the last one is set
    word = builder.xor(third, builder.lshr(joined, _all(1)))
    word = builder.xor(word, builder.and_(odd, _all(0x9908_B0DF)))
    emit_store(builder, words, word)
    emit_store(builder, at(WORDS), word)
    word = builder.xor(word, builder.lshr(word, _all(11)))
    word = builder.xor(word, builder.and_(builder.shl(word, _all(7)), _all(0x9D2C_5680)))
    word = builder.xor(word, builder.and_(builder.shl(word, _all(15)), _all(0xEFC6_0000)))
    emit_store(builder, drawn, builder.xor(word, builder.lshr(word, _all(18))))


@intrinsic("int int int -> none")
def look_up(builder: ir.IRBuilder, drawn: ir.Value, levels: ir.Value, target: ir.Value) -> None:
    """For each of a register of words the number that its lower 16 bits select, and then that of its upper 16."""
    words = emit_load(builder, drawn, INT_REGISTER)
    table = emit_splat(builder, levels)
    picks = (builder.and_(words, _all(0xFFFF)), builder.lshr(words, _all(16)))
    wide = (builder.zext(pick, table.type) for pick in picks)
    four = ir.Constant(table.type, [4] * WIDTH)
    low, high = (emit_gather(builder, builder.add(table, builder.mul(pick, four))) for pick in wide)
    for half in (0, WIDTH // 2):
        lanes = [lane for own in range(half, half + WIDTH // 2) for lane in (own, WIDTH + own)]
        both = builder.shuffle_vector(low, high, ir.Constant(ir.VectorType(BITS, WIDTH), lanes))
        emit_store(builder, builder.add(target, ir.Constant(INT, 8 * half)), both)


@intrinsic("int -> int")
def load_word(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    """The unsigned 32-bit word at an address."""
    return builder.zext(emit_load(builder, address, BITS), INT)


@kernel
def draw(first: int, stop: int, thread: int, *, tensors: int) -> None:
    """Random numbers for tensors. Item i is a tensor, described by a `DrawnTensor` of `tensors`.

    Bounds. Of ROOM words the first WORDS are the state, all used up; from them the next WORDS are made behind them,
    register by register, and take their place, and the last WORDS are what is drawn. The last register reads the words
    WORDS − WIDTH + MIDDLE and on, fewer than 2 · WORDS. 16 bits are less than LEVELS. Each word gives two numbers:
    whole registers of words while there are as many numbers left, then word by word up to `count`.
    """
    for item in range(first, stop):
        tensor = load_row(tensors + item * DRAWN_TENSOR, DrawnTensor)
        drawn = tensor.words + 8 * WORDS
        levels = tensor.levels
        for begin in range(0, tensor.numbers, 2 * WORDS):
            for word in range(0, 4 * WORDS, 4 * WIDTH):
                next_words(tensor.words + word, drawn + word)
            target = tensor.target + 4 * begin
            count = min(2 * WORDS, tensor.numbers - begin)
            pairs = count // 2
            whole = pairs - pairs % WIDTH
            for pair in range(0, whole, WIDTH):
                look_up(drawn + 4 * pair, levels, target + 8 * pair)
            for pair in range(whole, pairs):
                bits = load_word(drawn + 4 * pair)
                store_float(target + 8 * pair, load_float(levels + 4 * (bits & 0xFFFF)))
                store_float(target + 8 * pair + 4, load_float(levels + 4 * (bits >> 16)))
            if count % 2:
                bits = load_word(drawn + 4 * pairs)
                store_float(target + 8 * pairs, load_float(levels + 4 * (bits >> 16)))


@draw.footprint
def draw_footprint(call: KernelCall) -> None:
    """The memory of each tensor, and the whole table, of which chance tells what is read."""
    rows = call.table_rows("tensors", call.tensors, DrawnTensor, call.items)
    for item, tensor in enumerate(map(DrawnTensor._make, rows.tolist())):
        if tensor.numbers <= 0:
            continue
        row = entries("tensors", np.zeros(1, np.int64), item)
        drawn = tensor.words + 8 * WORDS
        call.reads("", tensor.words, 4 * WORDS, row)
        call.writes("", tensor.words, 8 * WORDS, row)
        call.reads("", tensor.words, 4 * (WORDS + MIDDLE), row)
        call.writes("", drawn, 4 * WORDS, row)
        call.reads("", drawn, 4 * min(WORDS, (tensor.numbers + 1) // 2), row)
        call.reads("", tensor.levels, 4 * LEVELS, row)
        call.writes("", tensor.target, 4 * tensor.numbers, row)
