"""Matrix products as steps."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, cast

import numpy as np

from convcalc.backends.numba.jit.sizes import BLOCK, PIXELS, TILE
from convcalc.backends.numba.kernels.matmul import TILE_ROW, multiply, pack_columns
from convcalc.backends.numba.kernels.tile import sweep
from convcalc.backends.numba.layout import blocks_of, pixel_table
from convcalc.backends.numba.lower.direct import ITEMS, inner_record, tiles_of
from convcalc.backends.numba.lower.lowering import Lowering
from convcalc.backends.numba.passes.fusion import FusedLayer
from convcalc.backends.numba.runtime.program import ByteSpan, Ref, Step, Word

if TYPE_CHECKING:
    from convcalc.ops.matmul import Matmul

MAX_CHUNK = 4 * PIXELS  # rows of an item


def lower_matmul(low: Lowering, layer: FusedLayer) -> None:
    """a·b of matrices that lie row after row: b is laid out in tiles, then rows of a are multiplied by it."""
    node = layer.node
    op = cast("Matmul", node.op)
    a, b = (low.flat(low.fusion.alias[source], node) for source in node.inputs)
    counts = [prod(shape) for shape in node.input_shapes]
    batch = prod(node.output_shape[:-2])
    rows, columns = node.output_shape[-2:]
    depth = counts[0] // (batch * rows)
    packed_batch = 4 * depth * blocks_of(columns) * BLOCK
    buffer = low.program.buffer(batch * packed_batch, f"{node.name} packed")
    packed = ByteSpan(buffer, 0, batch * packed_batch)
    source_row, source_column = (4, 4 * depth) if op.transpose_b else (4 * columns, 4)
    tiles = tiles_of(columns)
    values: dict[str, Word] = {
        "source": b, "source_batch": 4 * depth * columns, "source_row": source_row, "source_column": source_column,
        "depth": depth, "columns": columns, "tiles": tiles, "packed": Ref(buffer), "packed_batch": packed_batch,
    }  # fmt: skip
    reads = (low.flat_span(b, counts[1]),)
    low.program.add(Step(pack_columns, values, batch * tiles, reads, (packed,), node.index))
    chunk = min(MAX_CHUNK, -(-batch * rows // (ITEMS * low.threads)))
    chunk = min(rows, -(-chunk // PIXELS) * PIXELS)
    chunks = -(-rows // chunk)
    results = -(-4 * (chunk + PIXELS) * depth // 64) * 64
    low.program.need_scratch(results + TILE_ROW * (chunk + PIXELS))
    sources, targets = (
        pixel_table((0, 0, row), (range(1), range(1), range(chunk))) for row in (4 * depth, TILE_ROW)
    )
    record = inner_record(
        sweep, low, runs=np.zeros(1, np.int32), run_count=1, run_length=depth, last_length=depth,
        source_pixels=sources, target_pixels=targets, target_block=4 * BLOCK, residual_pixels=0, residual_block=0,
        next_weights=0, wide=0, low=-np.inf, high=np.inf, fill=0,
    )  # fmt: skip
    target = low.new_flat(layer.value)
    source_row, source_step = (4, 4 * rows) if op.transpose_a else (4 * depth, 4)
    values = {
        "sweep": sweep, "sweep_record": record, "zeros": np.zeros(TILE, np.float32), "source": a,
        "source_batch": 4 * rows * depth, "source_row": source_row, "source_step": source_step,
        "packed": Ref(buffer), "packed_batch": packed_batch, "target": target, "rows": rows, "depth": depth,
        "columns": columns, "chunk": chunk, "chunks": chunks, "results": results,
    }  # fmt: skip
    spans = (low.flat_span(a, counts[0]), packed)
    written = (low.flat_span(target, prod(node.output_shape)),)
    low.program.add(Step(multiply, values, batch * chunks, spans, written, node.index, macs=layer.macs))
