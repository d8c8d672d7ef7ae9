"""The queries, keys and values of a head and a window, laid out for the products of `attention`.

A map's pixels become rows of words: of floats, or in bfloat16 of two features each. The keys are transposed, and the
values' words hold in bfloat16 the same feature of two places.
"""

from __future__ import annotations

from math import sqrt

from convcalc.backends.numba.jit.declare import inline
from convcalc.backends.numba.jit.intrinsics import (
    eload,
    estore,
    fma,
    load_element,
    load_float,
    load_offset,
    load_words,
    splat,
    store_element,
    store_float,
    total,
    transpose,
    vstore,
)
from convcalc.backends.numba.jit.sizes import BLOCK, ELEMENT, PIXEL, TILE, WORD
from convcalc.backends.numba.jit.target import WIDTH

MIN_LENGTH = 1e-12  # as `ops.attention` has it; kernels are compiled without it


@inline
def channel_at(at: int, block: int, channel: int) -> int:
    """The address of a channel of a pixel."""
    return at + channel // BLOCK * block + channel % BLOCK * ELEMENT


@inline
def words_of(count: int) -> int:
    """Words that hold so many elements."""
    return (count + WORD - 1) // WORD


@inline
def _copy_row(at: int, block: int, channel: int, depth: int, factor: float, to: int) -> None:
    """`depth` channels of a pixel, from the channel-th on, times a factor, to words that lie one after the other; what
    the last one holds beyond them is 0."""
    if channel % BLOCK == 0 and depth % BLOCK == 0:
        factors = splat(factor)
        for k in range(0, depth, WIDTH):
            estore(to + k * ELEMENT, eload(channel_at(at, block, channel + k)) * factors)
    else:
        for k in range(depth):
            store_element(to + k * ELEMENT, load_element(channel_at(at, block, channel + k)) * factor)
        for k in range(depth, words_of(depth) * WORD):
            store_element(to + k * ELEMENT, 0.0)


@inline
def _per_length(at: int, block: int, channel: int, depth: int, factor: float) -> float:
    """A factor divided by the length of the vector of `depth` channels, from the channel-th on."""
    square = 0.0
    if channel % BLOCK == 0 and depth % BLOCK == 0:
        squares = splat(0.0)
        for k in range(0, depth, WIDTH):
            value = eload(channel_at(at, block, channel + k))
            squares = fma(value, value, squares)
        square += total(squares)
    else:
        for k in range(depth):
            value = load_element(channel_at(at, block, channel + k))
            square += value * value
    return factor / max(sqrt(square), MIN_LENGTH)


@inline
def _turn_keys(rows: int, words: int, width: int, to: int) -> None:
    """WIDTH rows of words, each a key, as columns of a tile that is `width` columns wide."""
    if words % WIDTH == 0:
        for k in range(0, words, WIDTH):
            transpose(rows + 4 * k, 4 * words, to + 4 * k * width, 4 * width)
    else:
        for k in range(words):
            for column in range(WIDTH):
                store_float(to + 4 * (k * width + column), load_float(rows + 4 * (column * words + k)))


@inline
def _copy_values(
    first: int, first_block: int, second: int, second_block: int, channel: int, depth: int, row: int, rows: int, to: int
) -> None:  # fmt: skip
    """A row of words in each tile of features, which has `rows`, continued by zeros to whole blocks: the values of a
    place, or in bfloat16 each with that of a second place."""
    for tile in range(0, depth, TILE):
        real = min(TILE, depth - tile)
        width = (real + BLOCK - 1) // BLOCK * BLOCK
        own = to + 4 * (tile * rows + row * width)
        if channel % BLOCK == 0 and depth % BLOCK == 0:
            for k in range(0, real, WIDTH):
                c = channel + tile + k
                words = load_words(channel_at(first, first_block, c), channel_at(second, second_block, c))
                vstore(own + 4 * k, words)
        else:
            for k in range(real):
                c = channel + tile + k
                store_element(own + 4 * k, load_element(channel_at(first, first_block, c)))
                if WORD > 1:
                    store_element(own + 4 * k + ELEMENT, load_element(channel_at(second, second_block, c)))
            for k in range(real, width):
                store_float(own + 4 * k, 0.0)


@inline
def lay_out_keys(
    places: int, projected: int, projected_block: int, filling: int, count: int, channel: int, depth: int,
    is_cosine: bool, lines: int, keys: int,
) -> None:  # fmt: skip
    """The keys of a head and a window in tiles of places, continued by zeros to whole blocks."""
    words = words_of(depth)
    padded = (count + BLOCK - 1) // BLOCK * BLOCK
    for first in range(0, padded, WIDTH):
        for place in range(first, first + WIDTH):
            to = lines + 4 * (place - first) * words
            if place < count:
                offset = load_offset(places + 4 * place)
                at = filling if offset < 0 else projected + offset
                block = PIXEL if offset < 0 else projected_block
                factor = _per_length(at, block, channel, depth, 1.0) if is_cosine else 1.0
                _copy_row(at, block, channel, depth, factor, to)
            else:
                for k in range(words):
                    store_float(to + 4 * k, 0.0)
        tile = first - first % TILE
        width = min(TILE, padded - tile)
        _turn_keys(lines, words, width, keys + 4 * (tile * words + first - tile))


@inline
def lay_out(
    places: int, projected: int, projected_block: int, filling: int, zeros: int, count: int, channel: int,
    features: int, depth: int, own_factor: int, queries: int, values: int,
) -> None:  # fmt: skip
    """The queries and values of a head and a window as the sweeps read them.

    own_factor: the address of the head's factor of cosines, or 0.
    """
    words, rows = words_of(depth), words_of(count)
    for place in range(count):
        offset = load_offset(places + 4 * place)
        at = filling if offset < 0 else projected + offset
        block = PIXEL if offset < 0 else projected_block
        factor = 1.0
        if own_factor:
            factor = _per_length(at, block, channel, depth, load_float(own_factor))
        _copy_row(at, block, channel, depth, factor, queries + 4 * place * words)
        if place % WORD == 0:
            other, other_block = zeros, 0  # where there is no second place
            if place + WORD - 1 < count:
                offset = load_offset(places + 4 * (place + WORD - 1))
                other = filling if offset < 0 else projected + offset
                other_block = PIXEL if offset < 0 else projected_block
            _copy_values(
                at, block, other, other_block, 2 * features + channel, depth, place // WORD, rows, values
            )
