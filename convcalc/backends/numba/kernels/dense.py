"""The kernels of a vector times a matrix: a dense layer, and a convolution of one pixel.

Their work is divided into items, which threads take one after the other; the result of an item does not depend on the
thread.
"""

from __future__ import annotations

from convcalc.backends.numba.jit.cache import kernel
from convcalc.backends.numba.jit.footprint import KernelCall, steps
from convcalc.backends.numba.jit.intrinsics import (
    add_word,
    as_float,
    call,
    eload,
    estore,
    fma,
    load_element,
    load_float,
    splat,
    store_float,
    total,
    vload,
    vmax,
    vmin,
)
from convcalc.backends.numba.jit.sizes import BLOCK, ELEMENT, LANES, PIXEL
from convcalc.backends.numba.jit.target import WIDTH

STREAMS = 4  # parts of an item's rows that are read side by side


@kernel
def dense(
    first: int, stop: int, thread: int, *, weights: int, bias: int, source: int, target: int, features: int,
    units: int, item_units: int, low: float, high: float,
) -> None:  # fmt: skip
    """weight·x + bias with the weights as they are stored, a row per unit. Item i is `item_units` units.

    Weights are elements; everything else is floats.

    An item's rows are cut into STREAMS parts, and a row of each is read at once, so that as many loads are under way.
    Each part is read from its first row to its last, one place after the other: neighbouring rows side by side would
    end after a page or two, before the processor's own prefetching has got going.

    Bounds. Rows r < units of `features` elements are read in whole registers, and the rest one by one. item_units ·
    items floats of the target are written; those beyond `units` are zeros that fill its last block.
    """
    whole = features - features % WIDTH
    row = features * ELEMENT
    for item in range(first, stop):
        begin = item * item_units
        part = max(0, min(item_units, units - begin)) // STREAMS
        far = part * row
        for unit in range(begin, begin + part):
            at = weights + unit * row
            a = splat(0.0)
            b = splat(0.0)
            c = splat(0.0)
            d = splat(0.0)
            for k in range(0, whole, WIDTH):
                x = vload(source + 4 * k)
                a = fma(eload(at + ELEMENT * k), x, a)
                b = fma(eload(at + far + ELEMENT * k), x, b)
                c = fma(eload(at + 2 * far + ELEMENT * k), x, c)
                d = fma(eload(at + 3 * far + ELEMENT * k), x, d)
            sums = (total(a), total(b), total(c), total(d))
            for stream in range(STREAMS):
                value = sums[stream]
                own = unit + stream * part
                for k in range(whole, features):
                    value += load_element(weights + own * row + ELEMENT * k) * load_float(source + 4 * k)
                value += load_float(bias + 4 * own)
                store_float(target + 4 * own, min(max(value, low), high))
        for unit in range(begin + STREAMS * part, begin + item_units):
            value = splat(0.0)
            rest = as_float(0)
            if unit < units:
                at = weights + unit * row
                for k in range(0, whole, WIDTH):
                    value = fma(eload(at + ELEMENT * k), vload(source + 4 * k), value)
                rest = total(value)
                for k in range(whole, features):
                    rest += load_element(at + ELEMENT * k) * load_float(source + 4 * k)
                rest = min(max(rest + load_float(bias + 4 * unit), low), high)
            store_float(target + 4 * unit, rest)


@dense.footprint
def dense_footprint(call: KernelCall) -> None:
    """The weights and biases of the units of all items, and the target of all items."""
    call.positive("item_units")
    units = min(call.units, call.items * call.item_units)
    call.reads("weights", call.weights, call.element_bytes * units * call.features)
    call.reads("source", call.source, 4 * call.features if units > 0 else 0)
    call.reads("bias", call.bias, 4 * units)
    written = steps("item_units", call.items, 4 * call.item_units)
    call.writes("target", call.target, 4 * call.item_units, written)


@kernel
def one_pixel(
    first: int, stop: int, thread: int, *, weights: int, block_weights: int, bias: int, source: int, target: int,
    words: int, blocks: int, item_blocks: int, low: float, high: float, finish: int, finish_record: int,
) -> None:  # fmt: skip
    """A convolution of a map of one pixel with weights as `pack_weights` puts them in tiles of a block: for each block
    of filters, a block of weights for each word of channels. An item is item_blocks blocks of filters.

    Weights are read once, as fast as memory gives them, so what counts is that they are read in long runs, in STREAMS
    parts as by `dense`, and that a word takes no longer than its weights: the register tile computes several pixels,
    of which one would be used.

    Bounds. Of the weights of each block below `blocks`, the first `words` registers of a block are read; source holds
    as many words. bias and target hold whole blocks. finish, 0 for none, is called for the one pixel of the blocks just
    written.
    """
    lowest, highest = splat(low), splat(high)
    for item in range(first, stop):
        begin = item * item_blocks
        end = min(blocks, begin + item_blocks)
        part = (end - begin) // STREAMS
        far, apart = part * block_weights, part * BLOCK * 4
        for lane in range(LANES):
            inside = lane * WIDTH * 4
            for block in range(begin, begin + part):
                at = weights + block * block_weights + inside
                shift = block * BLOCK * 4 + inside
                a = vload(bias + shift)
                b = vload(bias + shift + apart)
                c = vload(bias + shift + 2 * apart)
                d = vload(bias + shift + 3 * apart)
                for k in range(words):
                    own, word = at + k * BLOCK * 4, source + 4 * k
                    a = add_word(own, word, a)
                    b = add_word(own + far, word, b)
                    c = add_word(own + 2 * far, word, c)
                    d = add_word(own + 3 * far, word, d)
                to = target + block * PIXEL + lane * WIDTH * ELEMENT
                estore(to, vmin(highest, vmax(lowest, a)))
                estore(to + part * PIXEL, vmin(highest, vmax(lowest, b)))
                estore(to + 2 * part * PIXEL, vmin(highest, vmax(lowest, c)))
                estore(to + 3 * part * PIXEL, vmin(highest, vmax(lowest, d)))
            for block in range(begin + STREAMS * part, end):
                at = weights + block * block_weights + inside
                shift = block * BLOCK * 4 + inside
                a = vload(bias + shift)
                for k in range(words):
                    a = add_word(at + k * BLOCK * 4, source + 4 * k, a)
                estore(target + block * PIXEL + lane * WIDTH * ELEMENT, vmin(highest, vmax(lowest, a)))
        if finish:
            call(finish, (finish_record, target + begin * PIXEL, 0, 1, end - begin, 0))


@one_pixel.footprint
def one_pixel_footprint(call: KernelCall) -> None:
    """The weights of the blocks of all items, all words, and the target's blocks."""
    blocks = max(0, min(call.blocks, call.items * call.item_blocks))
    row = BLOCK * 4
    call.reads("bias", call.bias, blocks * row)
    call.reads("source", call.source, 4 * call.words if blocks else 0)
    own = steps("block_weights", blocks, call.block_weights)
    call.reads("weights", call.weights, call.words * row, own)
    call.writes("target", call.target, blocks * call.pixel_bytes)
    if call.finish and blocks:
        call.calls(
            "finish", call.finish, call.finish_record, target=(call.target, "target"),
            first=(0, ""), stop=(1, ""), blocks=(blocks, ""), sums=(0, ""),
        )  # fmt: skip
