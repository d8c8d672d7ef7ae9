"""Pooling, nearest upsampling and padding as steps: all of them are windows that are products of ranges."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

from convcalc.backends.numba.kernels.pool import Window, pool
from convcalc.backends.numba.layout import triple
from convcalc.backends.numba.lower import pool_windows as windows
from convcalc.backends.numba.lower.combine import source_of
from convcalc.backends.numba.lower.lowering import Lowering
from convcalc.backends.numba.passes.fusion import FusedLayer
from convcalc.backends.numba.runtime.program import Step, Word
from convcalc.graph import Node
from convcalc.shapes import pads, per_axis

if TYPE_CHECKING:
    from convcalc.ops.adaptive_avgpool import AdaptiveAvgpool
    from convcalc.ops.avgpool import Avgpool
    from convcalc.ops.maxpool import Maxpool
    from convcalc.ops.pad import Pad
    from convcalc.ops.upsample import Upsample


class Pooling(NamedTuple):
    """What the `pool` kernel computes of an axis' windows.

    axes: the windows of each output place, along each axis; steps: from one pixel of a window to the next, per axis;
    largest: the largest value of a window instead of its mean; empty: what a window over nothing gives.
    """

    axes: list[windows.Windows]
    steps: Sequence[int] = ()
    largest: bool = False
    empty: float = 0.0


def _maxpool(node: Node) -> Pooling:
    op = cast("Maxpool", node.op)
    axes = [windows.sliding(axis) for axis in op.axes(node.input_shapes)]
    return Pooling(axes, per_axis(op.dilation, len(axes), "dilation"), largest=True)


def _avgpool(node: Node) -> Pooling:
    op = cast("Avgpool", node.op)
    return Pooling([windows.sliding(axis, op.count_padding) for axis in op.axes(node.input_shapes)])


def _global_avgpool(node: Node) -> Pooling:
    return Pooling([[Window(0, size, size)] for size in node.input_shapes[0][1:]])


def _adaptive_avgpool(node: Node) -> Pooling:
    spatial = node.input_shapes[0][1:]
    sizes = per_axis(cast("AdaptiveAvgpool", node.op).size, len(spatial), "size")
    return Pooling([windows.adaptive(n, m) for n, m in zip(spatial, sizes, strict=True)])


def _upsample(node: Node) -> Pooling:
    spatial = node.input_shapes[0][1:]
    scales = per_axis(cast("Upsample", node.op).scale, len(spatial), "scale")
    return Pooling([windows.repeated(n, scale) for n, scale in zip(spatial, scales, strict=True)])


def _pad(node: Node) -> Pooling:
    op = cast("Pad", node.op)
    spatial = node.input_shapes[0][1:]
    axes = [windows.padded(n, *pads(op.padding, axis, len(spatial))) for axis, n in enumerate(spatial)]
    return Pooling(axes, empty=op.value)


POOLINGS: Mapping[str, Callable[[Node], Pooling]] = {
    "maxpool": _maxpool,
    "avgpool": _avgpool,
    "global_avgpool": _global_avgpool,
    "adaptive_avgpool": _adaptive_avgpool,
    "upsample": _upsample,
    "pad": _pad,
}


def lower_pool(low: Lowering, layer: FusedLayer) -> None:
    """The largest value or the mean of every window; see `kernels/pool.py`."""
    node = layer.node
    pooling = POOLINGS[node.kind](node)
    axes = [[Window(0, 1, 1)]] * (3 - len(pooling.axes)) + pooling.axes
    source, target = source_of(low, layer), low.target(layer.value, node)
    out = target.layout.spatial
    rows = out[0] * out[1]
    item_rows = low.item_rows(rows, source.layout.size // source.layout.blocks // rows)
    tables: list[Word] = [windows.table(axis) for axis in axes]
    values: dict[str, Word] = {
        "largest": int(pooling.largest), "empty": pooling.empty, "item_rows": item_rows,
        "blocks": target.layout.blocks, "low": layer.low, "high": layer.high,
    }  # fmt: skip
    values |= source.strides("source") | target.strides("target")
    values |= dict(zip(("depths", "heights", "widths"), tables, strict=True))
    values |= dict(zip(("out_depth", "out_height", "out_width"), out, strict=True))
    values |= dict(zip(("depth_step", "height_step", "width_step"), triple(pooling.steps), strict=True))
    items = target.layout.blocks * -(-rows // item_rows)
    low.program.add(Step(pool, values, items, (source.span,), (target.span,), node.index))
