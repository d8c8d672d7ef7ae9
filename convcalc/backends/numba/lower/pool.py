"""Pooling, nearest upsampling, cropping, slicing and padding as steps: all are windows that are products of ranges."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod
from typing import TYPE_CHECKING, NamedTuple, cast

from convcalc.backends.numba.kernels.pool import PoolWindow, mean_of_sums, pool
from convcalc.backends.numba.layout import triple
from convcalc.backends.numba.lower import pool_windows as windows
from convcalc.backends.numba.lower.combine import source_of
from convcalc.backends.numba.lower.lowering import Lowering, PartialSums, kernel_for
from convcalc.backends.numba.passes.fusion import FusedLayer, Fusion
from convcalc.backends.numba.runtime.program import Step, Word
from convcalc.graph import Node
from convcalc.ops import axis_dimensions
from convcalc.shapes import per_axis

if TYPE_CHECKING:
    from convcalc.ops.avgpool import Avgpool
    from convcalc.ops.crop import Crop
    from convcalc.ops.maxpool import Maxpool
    from convcalc.ops.pad import Pad
    from convcalc.ops.slice import Slice
    from convcalc.ops.upsample import Upsample


class PoolPlan(NamedTuple):
    """What the `pool` kernel computes of an axis' windows.

    axes: the windows of each output place, along each axis; steps: from one pixel of a window to the next, per axis;
    largest: the largest value of a window instead of its mean; empty: what a window over nothing gives.
    """

    axes: list[windows.Windows]
    steps: Sequence[int] = ()
    largest: bool = False
    empty: float = 0.0


def _maxpool(node: Node) -> PoolPlan:
    op = cast("Maxpool", node.op)
    axes = [windows.sliding(axis) for axis in op.axes(node.input_shapes)]
    return PoolPlan(axes, per_axis(op.dilation, len(axes), "dilation"), largest=True)


def _avgpool(node: Node) -> PoolPlan:
    op = cast("Avgpool", node.op)
    axes = [windows.sliding(axis, op.count_padding) for axis in op.axes(node.input_shapes)]
    if op.divisor is not None:
        first, *others = axes
        axes = [windows.divided(first, op.divisor), *(windows.divided(axis, 1) for axis in others)]
    return PoolPlan(axes)


def _global(node: Node, largest: bool) -> PoolPlan:
    return PoolPlan([[PoolWindow(0, size, size)] for size in node.input_shapes[0][1:]], largest=largest)


def _adaptive(node: Node, largest: bool) -> PoolPlan:
    sizes = zip(node.input_shapes[0][1:], node.output_shape[1:], strict=True)
    return PoolPlan([windows.adaptive(n, m) for n, m in sizes], largest=largest)


def _upsample(node: Node) -> PoolPlan:
    axes = cast("Upsample", node.op).taps(node.input_shapes[0])
    return PoolPlan([windows.single([pixel for ((pixel, _),) in outputs]) for outputs in axes])


def _crop(node: Node) -> PoolPlan:
    return PoolPlan([windows.single(part) for part in cast("Crop", node.op).parts(node.input_shapes)])


def _slice(node: Node) -> PoolPlan:
    """Of one spatial axis some pixels, by the largest of one each, which keeps a −0."""
    op = cast("Slice", node.op)
    (place,) = axis_dimensions(op.axis, len(node.output_shape))
    axes = [windows.single(range(size)) for size in node.output_shape[1:]]
    axes[place - 1] = windows.single(op.kept)
    return PoolPlan(axes, largest=True)


def _pad(node: Node) -> PoolPlan:
    op = cast("Pad", node.op)
    return PoolPlan([windows.single(axis) for axis in op.places(node.input_shapes[0])[1:]], empty=op.value)


POOLINGS: Mapping[str, Callable[[Node], PoolPlan]] = {
    "maxpool": _maxpool,
    "avgpool": _avgpool,
    "global_avgpool": partial(_global, largest=False),
    "global_maxpool": partial(_global, largest=True),
    "adaptive_avgpool": partial(_adaptive, largest=False),
    "adaptive_maxpool": partial(_adaptive, largest=True),
    "upsample": _upsample,
    "crop": _crop,
    "pad": _pad,
    "slice": _slice,
}


AVERAGES = ("avgpool", "global_avgpool", "adaptive_avgpool")


def _averages_all(node: Node) -> bool:
    """Whether a layer is the mean of each channel's pixels."""
    whole = [[PoolWindow(0, size, size)] for size in node.input_shapes[0][1:]]
    return node.kind in AVERAGES and POOLINGS[node.kind](node).axes == whole


def averaged_values(fusion: Fusion) -> frozenset[int]:
    """The values whose channels a kernel is to average, so that their sums are worth making with the value."""
    averaging = (
        layer for layer in fusion.layers if not fusion.is_outside(layer) and _averages_all(layer.node)
    )
    return frozenset(value for layer in averaging for value in fusion.sources(layer))


def lower_pool(low: Lowering, layer: FusedLayer) -> None:
    """The largest value or the mean of every window; see `kernels/pool.py`."""
    node = layer.node
    (value,) = low.fusion.sources(layer)
    if value in low.sums and _averages_all(node):
        _add_mean_of_sums(low, layer, low.sums[value])
        return
    pooling = POOLINGS[node.kind](node)
    axes = [[PoolWindow(0, 1, 1)]] * (3 - len(pooling.axes)) + pooling.axes
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
    kernel = kernel_for(pool, source, target)
    low.program.add(Step(kernel, values, items, (source.span,), (target.span,), node.index))


def _add_mean_of_sums(low: Lowering, layer: FusedLayer, sums: PartialSums) -> None:
    """The step of a mean over a map whose kernel has summed it."""
    node = layer.node
    target = low.target(layer.value, node)
    blocks = target.layout.blocks
    values: dict[str, Word] = {
        "sums": sums.place, "parts": sums.parts, "blocks": blocks, "share": 1 / prod(node.input_shapes[0][1:]),
        "target": target.real, "target_block": target.layout.block, "low": layer.low, "high": layer.high,
    }  # fmt: skip
    kernel = kernel_for(mean_of_sums, target)
    low.program.add(Step(kernel, values, blocks, (sums.span,), (target.span,), node.index))
