"""Convolutions row by row, each block of channels from the same block of the input: depthwise, and in small groups."""

from __future__ import annotations

from collections.abc import Container

from convcalc.backends.numba.jit.cache import Kernel
from convcalc.backends.numba.jit.sizes import BLOCK
from convcalc.backends.numba.kernels.rows import ROW_TILES
from convcalc.backends.numba.layout import Array
from convcalc.backends.numba.lower.direct import finish_of, target_table
from convcalc.backends.numba.lower.lowering import Lowering, kernel_for, padded_vector
from convcalc.backends.numba.passes.algorithm import ConvPlan
from convcalc.backends.numba.passes.fusion import FusedLayer
from convcalc.backends.numba.runtime.program import MapView, Ref, Step, Word


def has_rows(plan: ConvPlan, taps: Container[int], strides: Container[int]) -> bool:
    """Whether its windows are those of a kernel of `rows_kernel` of these widths and strides along the rows, in maps
    wide enough for a tile of pixels."""
    return (
        plan.kernel[0] == 1
        and plan.kernel[2] in taps
        and plan.stride[2] in strides
        and plan.stride[0] == plan.dilation[2] == 1
        and plan.output[0] == 1
        and plan.output[2] >= ROW_TILES[-1]
    )


def add_rows(
    low: Lowering,
    layer: FusedLayer,
    plan: ConvPlan,
    source: MapView,
    target: MapView,
    kernel: Kernel,
    weights: Array,
    bias: Array,
) -> None:
    """The step of a convolution by a kernel of `rows_kernel`. weights: as that reads them, block after block."""
    layout = source.layout
    shift = sum((h - b) * s for h, b, s in zip(layout.before, plan.halo.before, layout.strides, strict=True))
    _, rows, width = plan.output
    item_rows = low.item_rows(rows, width * layout.pixel)
    values: dict[str, Word] = {
        "height": plan.kernel[1], "source": Ref(source.buffer, source.offset + shift),
        "source_step": layout.row * plan.stride[1], "source_row": layout.row * plan.dilation[1],
        "target": target.real, "target_row": target.layout.row, "width": width, "rows": rows, "item_rows": item_rows,
    }  # fmt: skip
    pixels = target_table(target.layout) - target.layout.first  # as the target is the first real pixel
    add_parts(low, layer, source, target, kernel, values, pixels, -(-rows // item_rows), weights, bias)


def add_parts(
    low: Lowering,
    layer: FusedLayer,
    source: MapView,
    target: MapView,
    kernel: Kernel,
    own: dict[str, Word],
    pixels: Array,
    parts: int,
    weights: Array,
    bias: Array,
) -> None:
    """The step of a convolution that computes each block of channels from the same block of the input.

    own: the kernel's parameters but for those that all such kernels have; pixels: of the target, for an activation;
    parts: items for each block.
    """
    blocks = target.layout.blocks
    values = own | finish_of(low, layer, target, pixels)
    values |= {
        "weights": weights, "block_weights": weights.nbytes // blocks, "bias": padded_vector(bias, blocks * BLOCK),
        "source_block": source.layout.block, "target_block": target.layout.block, "blocks": blocks,
        "low": layer.low, "high": layer.high, "sums": 0,
    }  # fmt: skip
    writes = [target.span]
    if layer.function is not None and layer.value in low.averaged:
        sums = low.new_sums(layer.value, layer.node, blocks, parts)
        values["sums"] = sums.place
        writes.append(sums.span)
    low.program.add(
        Step(
            kernel_for(kernel, source, target), values, blocks * parts, (source.span,), writes, layer.node.index,
            macs=layer.macs, weight_bytes=weights.nbytes,
        )
    )  # fmt: skip
