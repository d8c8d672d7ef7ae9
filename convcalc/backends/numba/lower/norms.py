"""Normalisations over channels as steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from convcalc.backends.numba.jit.cache import Kernel
from convcalc.backends.numba.jit.sizes import BLOCK
from convcalc.backends.numba.kernels import norm as kernels_norm
from convcalc.backends.numba.layout import blocks_of
from convcalc.backends.numba.lower.combine import source_of
from convcalc.backends.numba.lower.lowering import Lowering, kernel_for, padded_vector
from convcalc.backends.numba.passes.fusion import FusedLayer
from convcalc.backends.numba.runtime.program import Step, Word

if TYPE_CHECKING:
    from convcalc.ops.layernorm import Layernorm
    from convcalc.ops.lrn import Lrn


def lower_lrn(low: Lowering, layer: FusedLayer) -> None:
    """Local response normalisation."""
    op = cast("Lrn", layer.node.op)
    blocks = blocks_of(layer.node.output_shape[0])
    low.program.need_scratch(4 * (2 * (op.size + BLOCK) + blocks * BLOCK))
    own: dict[str, Word] = {
        "blocks": blocks, "size": op.size, "factor": op.alpha / op.size, "beta": op.beta, "k": op.k,
    }  # fmt: skip
    _add_rows(low, layer, kernels_norm.lrn, own)


def lower_softmax(low: Lowering, layer: FusedLayer) -> None:
    """Softmax over the channels of each pixel."""
    _add_pixels(low, layer, kernels_norm.softmax, {})


def lower_layernorm(low: Lowering, layer: FusedLayer) -> None:
    """Layer norm over the channels of each pixel."""
    node = layer.node
    op = cast("Layernorm", node.op)
    channels = node.output_shape[0]
    own: dict[str, Word] = {"eps": op.eps}
    for name, initial in (("weight", 1.0), ("bias", 0.0)):
        values = low.parameter(node, name) if op.affine else np.full(channels, initial)
        own[name] = padded_vector(values, blocks_of(channels) * BLOCK)
    _add_pixels(low, layer, kernels_norm.layernorm, own)


def _add_pixels(low: Lowering, layer: FusedLayer, kernel: Kernel, own: dict[str, Word]) -> None:
    """A step of which an item is some pixels of a row with all their channels."""
    channels, *spatial = layer.node.output_shape
    width = spatial[-1] if spatial else 1
    lanes = blocks_of(channels) * BLOCK
    item_width = low.item_rows(width, lanes * low.element_of(layer.value))
    row_items = -(-width // item_width)
    own |= {
        "real": padded_vector(np.ones(channels - lanes + BLOCK), BLOCK), "item_width": item_width,
        "row_items": row_items,
    }  # fmt: skip
    _add_rows(low, layer, kernel, own, row_items)


def _add_rows(
    low: Lowering, layer: FusedLayer, kernel: Kernel, own: dict[str, Word], row_items: int = 1
) -> None:
    """A step of which an item is a row of pixels with all their channels, or one of row_items parts of a row."""
    node = layer.node
    source, target = source_of(low, layer), low.target(layer.value, node)
    depth, height, width = target.layout.spatial
    values: dict[str, Word] = {"height": height, "width": width, "channels": node.output_shape[0]}
    values |= own | source.strides("source") | target.strides("target")
    low.program.add(
        Step(
            kernel_for(kernel, source, target),
            values,
            depth * height * row_items,
            (source.span,),
            (target.span,),
            node.index,
        )
    )
