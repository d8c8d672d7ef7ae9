"""Multi-head attention within windows: softmax(q·kᵀ + bias + mask)·v, after the projection and before the next one.
For cosines, queries and keys are first divided by their lengths.

For one head and one window, whose N places hold d features each, this is two matrix products. The register tile
computes both (`tile.sweep`), with the queries as its pixels:

    scores  (N queries, N keys)      = queries (N, d) · keysᵀ (d, N)        one run of d numbers for each query
    outputs (N queries, d features)  = powers (N, N) · values (N, d)        one run of N numbers

The powers are e^(score − the query's largest score); outputs are divided by their sum when they are written. The keys
are laid out transposed and the values in rows, both in tiles as weights are. Everything lies in the thread's scratch
memory; the scores are computed for some queries at a time, so that they stay in cache until the product with the
values.

In bfloat16 both products are, of words of two numbers: two features of a query and of a key, two places of powers and
of values. Scores, their powers' sum and outputs are float32; a power is rounded when it is stored.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from convcalc.backends.numba.jit.cache import kernel
from convcalc.backends.numba.jit.declare import inline
from convcalc.backends.numba.jit.footprint import AccessAxis, Array, KernelCall, entries, steps
from convcalc.backends.numba.jit.intrinsics import (
    as_float,
    below,
    call,
    estore,
    largest_lane,
    load_float,
    load_offset,
    splat,
    store_element,
    store_float,
    total,
    vload,
    vmax,
    vstore,
)
from convcalc.backends.numba.jit.sizes import BLOCK, ELEMENT, TILE, TILE_BLOCKS
from convcalc.backends.numba.jit.target import WIDTH
from convcalc.backends.numba.kernels.activations import exponential
from convcalc.backends.numba.kernels.attention_layout import channel_at, lay_out, lay_out_keys, words_of
from convcalc.backends.numba.kernels.matmul import tiles_alike

MINUS_INFINITY = float("-inf")


@inline
def _write_row(at: int, channel: int, depth: int, factor: float, to: int, block: int) -> None:
    """Floats that lie one after the other, times a factor, to `depth` channels of a pixel."""
    if channel % BLOCK == 0 and depth % BLOCK == 0:
        factors = splat(factor)
        for k in range(0, depth, WIDTH):
            estore(channel_at(to, block, channel + k), vload(at + 4 * k) * factors)
    else:
        for k in range(depth):
            store_element(channel_at(to, block, channel + k), load_float(at + 4 * k) * factor)


@inline
def _add_row(scores: int, added: int, count: int) -> None:
    """Adds `count` floats to a row of scores."""
    whole = count - count % WIDTH
    for k in range(0, whole, WIDTH):
        vstore(scores + 4 * k, vload(scores + 4 * k) + vload(added + 4 * k))
    for k in range(whole, count):
        store_float(scores + 4 * k, load_float(scores + 4 * k) + load_float(added + 4 * k))


@inline
def _powers(scores: int, count: int, padded: int, parts: int, part: float) -> float:
    """eˣ of the first `count` numbers of a row of floats less the largest, as elements in the same place; those after
    them, up to `padded`, become 0. Returns 1/Σeˣ.

    parts, where not 0: a float for each key; those of another part than the query's are not read. NaN among the others
    makes the sum NaN, as do two infinite scores.
    """
    for k in range(count, padded):
        store_float(scores + 4 * k, MINUS_INFINITY)
    highest = splat(MINUS_INFINITY)
    for k in range(0, padded, WIDTH):
        x = vload(scores + 4 * k)
        if parts:
            distance = vload(parts + 4 * k) - splat(part)
            x = below(distance * distance, splat(0.5), x, splat(MINUS_INFINITY))
            vstore(scores + 4 * k, x)
        highest = vmax(x, highest)
    shift = splat(largest_lane(highest))
    sums = splat(0.0)
    for k in range(0, padded, WIDTH):
        power = exponential(vload(scores + 4 * k) - shift)
        sums = sums + power
        estore(scores + ELEMENT * k, power)
    return 1.0 / total(sums)  # type: ignore[no-any-return]


@kernel
def attend(
    first: int, stop: int, thread: int, *, sweep: int, scores_record: int, outputs_record: int, zeros: int,
    projected: int, projected_block: int, filling: int, places: int, count: int, heads: int, depth: int,
    factors: int, bias: int, mask: int, mask_window: int, parts: int,
    target: int, target_block: int, target_places: int, chunk: int, keys: int, values: int, scores: int, outputs: int,
    lines: int, inverses: int, scratch: int, scratch_bytes: int,
) -> None:  # fmt: skip
    """One head of one window for each item; the heads of a window follow one another.

    projected: a map of 3·heads·depth channels, the queries times their scale, then the keys, then the values. factors:
    a float for each head, of its cosines, or 0: then queries and keys are multiplied as they are.
    places, target_places: int32 for each window and each of its `count` places: the offset of its pixel in `projected`
    and in the target, negative for a place without a position, which reads `filling`, a pixel with blocks one after the
    other, and is written nowhere. bias: floats (heads, count, count) or 0; mask: (count, count) for each window,
    mask_window bytes apart, or 0. parts: a float for each window and place, in rows of whole blocks, or 0; places read
    only those of their own part. scores_record, outputs_record: of the sweeps; chunk: queries of a sweep.

    Bounds. Scratch memory holds, at these offsets: in words as the sweeps read them, the queries at 0, count + PIXELS
    rows of a head's features; keys, a row of places in whole blocks for each word of features; values, a row of
    features in whole blocks for each word of places; lines, WIDTH rows of a head's features; and in floats scores,
    chunk + PIXELS rows of whole blocks of places, outputs, as many of whole blocks of features, and inverses, chunk.
    `zeros` are a block at least. The tables of the sweeps hold chunk pixels and are continued by PIXELS copies of the
    last. Of target and filling, channels below heads·depth and 3·heads·depth are touched, and the rest of the target's
    last block is set to 0 by the last head.
    """
    queries = scratch + thread * scratch_bytes
    own_keys, own_values = queries + keys, queries + values
    own_scores, own_outputs = queries + scores, queries + outputs
    own_lines, own_inverses = queries + lines, queries + inverses
    features = heads * depth
    score_row = (count + BLOCK - 1) // BLOCK * BLOCK * 4
    output_row = (depth + BLOCK - 1) // BLOCK * BLOCK * 4
    query_row, key_rows, value_rows = 4 * words_of(depth), words_of(depth), words_of(count)
    for item in range(first, stop):
        window, head = item // heads, item % heads
        own_places = places + 4 * window * count
        own_targets = target_places + 4 * window * count
        own_parts = parts + window * score_row if parts else 0
        lay_out(
            own_places, projected, projected_block, filling, zeros, count, head * depth, features, depth,
            factors + 4 * head if factors else 0, queries, own_values,
        )  # fmt: skip
        lay_out_keys(
            own_places, projected, projected_block, filling, count, features + head * depth, depth, factors != 0,
            own_lines, own_keys,
        )  # fmt: skip
        for begin in range(0, count, chunk):
            rows = min(chunk, count - begin)
            for tile in range(0, count, TILE):
                blocks = min(TILE_BLOCKS, (count - tile + BLOCK - 1) // BLOCK)
                weights, to = own_keys + 4 * tile * key_rows, own_scores + tile * 4
                source = queries + begin * query_row
                call(sweep, (scores_record, weights, zeros, source, to, 0, 0, rows, blocks))
            for row in range(rows):
                query = begin + row
                at = own_scores + row * score_row
                if bias:
                    _add_row(at, bias + 4 * (head * count + query) * count, count)
                if mask:
                    _add_row(at, mask + window * mask_window + 4 * query * count, count)
                part = load_float(own_parts + 4 * query) if parts else as_float(0)
                store_float(own_inverses + 4 * row, _powers(at, count, score_row // 4, own_parts, part))
            for tile in range(0, depth, TILE):
                blocks = min(TILE_BLOCKS, (depth - tile + BLOCK - 1) // BLOCK)
                weights, to = own_values + 4 * tile * value_rows, own_outputs + tile * 4
                call(sweep, (outputs_record, weights, zeros, own_scores, to, 0, 0, rows, blocks))
            for row in range(rows):
                offset = load_offset(own_targets + 4 * (begin + row))
                if offset >= 0:
                    at, inverse = own_outputs + row * output_row, load_float(own_inverses + 4 * row)
                    _write_row(at, head * depth, depth, inverse, target + offset, target_block)
                    if head == heads - 1:
                        for c in range(features, (features + BLOCK - 1) // BLOCK * BLOCK):
                            store_element(channel_at(target + offset, target_block, c), 0.0)


def _runs(first: int, stop: int, block: int, element: int) -> Iterator[tuple[int, int, AccessAxis]]:
    """Channels first..stop of a pixel as (offset of the first, bytes of each, an axis of blocks)."""
    channel = first
    while channel < stop:
        lane = channel % BLOCK
        lanes = min(BLOCK - lane, stop - channel)
        count = (stop - channel) // BLOCK if lanes == BLOCK else 1
        yield channel // BLOCK * block + element * lane, element * lanes, steps("block", count, block)
        channel += lanes if count == 1 else count * BLOCK


@attend.footprint
def attend_footprint(call: KernelCall) -> None:
    """The channels of each head in the places of its window; scratch memory; the positions' channels in the target."""
    call.positive("heads", "chunk", "depth")
    if call.items <= 0 or call.count <= 0:
        return
    whole, rest = divmod(call.items, call.heads)
    windows = whole + (rest > 0)
    places, targets = (
        call.table(name, call.values[name], windows * call.count).reshape(windows, call.count)
        for name in ("places", "target_places")
    )
    parts = ((0, whole, call.heads), (whole, windows, rest))
    for first, stop, heads in parts:
        if first < stop:
            _inputs_footprint(call, places[first:stop], heads, first)
    _scratch_footprint(call, windows, targets)
    for first, stop, heads in parts:
        if first < stop:
            _outputs_footprint(call, targets[first:stop], heads)


def _inputs_footprint(call: KernelCall, places: Array, heads: int, first: int) -> None:
    """What some heads read in some windows, and what is added to their scores."""
    features, square = call.heads * call.depth, 4 * call.count * call.count
    element = call.element_bytes
    real = np.unique(places[places >= 0])
    for part in range(3):
        begin = part * features
        for offset, size, blocks in _runs(begin, begin + heads * call.depth, call.projected_block, element):
            call.reads("projected", call.projected + offset, size, entries("places", real), blocks)
        if (places < 0).any():
            for offset, size, blocks in _runs(begin, begin + heads * call.depth, call.pixel_bytes, element):
                call.reads("filling", call.filling + offset, size, blocks)
    if call.factors:
        call.reads("factors", call.factors, 4 * heads)
    if call.bias:
        call.reads("bias", call.bias, heads * square)
    if call.mask:
        call.reads("mask", call.mask, square, steps("mask_window", len(places), call.mask_window, first))
    if call.parts:
        row = -(-call.count // BLOCK) * BLOCK * 4
        call.reads("parts", call.parts + first * row, len(places) * row)


def _scratch_footprint(call: KernelCall, windows: int, targets: Array) -> None:
    """What every item does in scratch memory: chunks and tiles that are alike are described together."""
    count, depth, chunk = call.count, call.depth, call.chunk
    places, features = -(-count // BLOCK) * BLOCK, -(-depth // BLOCK) * BLOCK
    key_rows, value_rows = (-(-number * call.element_bytes // 4) for number in (depth, count))
    queries, keys, values = call.scratch, call.scratch + call.keys, call.scratch + call.values["values"]
    scores, outputs = call.scratch + call.scores, call.scratch + call.outputs
    lines, inverses = call.scratch + call.lines, call.scratch + call.inverses
    call.writes("scratch", queries, 4 * count * key_rows)
    call.writes("scratch", lines, 4 * WIDTH * key_rows)
    call.reads("scratch", lines, 4 * WIDTH * key_rows)
    call.writes("scratch", keys, 4 * places * key_rows)
    call.writes("scratch", values, 4 * value_rows * features)
    written = np.flatnonzero((targets >= 0).any(axis=0))
    for begin, rows, chunks in ((0, chunk, count // chunk), (count - count % chunk, count % chunk, 1)):
        if not rows or not chunks:
            continue
        every = steps("chunk", chunks, 4 * chunk * key_rows)
        for tile, blocks, tiles in tiles_alike(places):
            call.calls(
                "sweep", call.sweep, call.scores_record,
                weights=(keys + 4 * tile * key_rows, "scratch"), bias=(call.zeros, "zeros"),
                source=(queries + 4 * begin * key_rows, "scratch"), target=(scores + 4 * tile, "scratch"),
                residual=(0, ""), first=(0, ""), stop=(rows, ""), blocks=(blocks, ""),
                along={
                    "weights": (steps("tile", tiles, 4 * TILE * key_rows),), "source": (every,),
                    "target": (steps("tile", tiles, 4 * TILE),),
                },
            )  # fmt: skip
        call.writes("scratch", scores, 4 * rows * places)
        call.reads("scratch", scores, 4 * rows * places)
        call.writes("scratch", inverses, 4 * rows)
        for tile, blocks, tiles in tiles_alike(features):
            call.calls(
                "sweep", call.sweep, call.outputs_record,
                weights=(values + 4 * tile * value_rows, "scratch"), bias=(call.zeros, "zeros"),
                source=(scores, "scratch"), target=(outputs + 4 * tile, "scratch"),
                residual=(0, ""), first=(0, ""), stop=(rows, ""), blocks=(blocks, ""),
                along={
                    "weights": (steps("tile", tiles, 4 * TILE * value_rows),),
                    "target": (steps("tile", tiles, 4 * TILE),),
                },
            )  # fmt: skip
        own = written[(written >= begin) & (written < begin + rows * chunks)]
        kept = np.unique((own - begin) % chunk)
        call.reads("scratch", inverses, 4, entries("target_places", kept * 4))
        call.reads("scratch", outputs, 4 * depth, entries("target_places", kept * 4 * features))


def _outputs_footprint(call: KernelCall, targets: Array, heads: int) -> None:
    """The channels of some heads at the positions of some windows."""
    features = call.heads * call.depth
    real = entries("target_places", np.unique(targets[targets >= 0]))
    element = call.element_bytes
    for offset, size, blocks in _runs(0, heads * call.depth, call.target_block, element):
        call.writes("target", call.target + offset, size, real, blocks)
    if heads == call.heads:
        for offset, size, blocks in _runs(
            features, -(-features // BLOCK) * BLOCK, call.target_block, element
        ):
            call.writes("target", call.target + offset, size, real, blocks)
