"""Dense layers as steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from convcalc.backends.numba.jit.simd import BLOCK
from convcalc.backends.numba.kernels.dense import dense
from convcalc.backends.numba.layout import blocks_of
from convcalc.backends.numba.lower.direct import CACHE
from convcalc.backends.numba.lower.lowering import Lowering, padded_vector
from convcalc.backends.numba.passes.fusion import FusedLayer
from convcalc.backends.numba.runtime.program import Step, Word

if TYPE_CHECKING:
    from convcalc.ops.dense import Dense


def lower_dense(low: Lowering, layer: FusedLayer) -> None:
    """A `dense` on a vector, by the weights as they are."""
    node = layer.node
    op = cast("Dense", node.op)
    features, units = node.input_shapes[0][0], op.units
    source = low.flat(low.fusion.alias[node.inputs[0]], node)
    target = low.target(layer.value, node)
    bias = low.parameter(node, "bias") if op.bias else np.zeros(units, np.float32)
    rows = blocks_of(units) * BLOCK
    item = BLOCK
    while rows // item > 16 * low.threads and item * features * 4 < CACHE:
        item += BLOCK
    while rows % item:
        item -= BLOCK
    weights = low.parameter(node, "weight")
    values: dict[str, Word] = {
        "weights": weights, "bias": padded_vector(bias, rows), "source": source, "target": target.corner,
        "features": features, "units": units, "item_units": item, "low": layer.low, "high": layer.high,
    }  # fmt: skip
    reads = (low.flat_span(source, features),)
    low.program.add(
        Step(
            dense, values, rows // item, reads, (target.span,), node.index, macs=layer.macs,
            weight_bytes=weights.nbytes,
        )
    )  # fmt: skip
