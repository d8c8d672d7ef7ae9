"""Which kernel computes a convolution, by modelled cost, and the halo it then needs.

The model counts cycles: multiply-accumulates at the register tile's rate, Winograd's transforms per tile, and weights
at what memory delivers, whichever takes longer. Its constants were measured on two machines and matter only near
break-even.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from convcalc.backends.numba.jit.simd import BLOCK, LANES, WIDTH
from convcalc.backends.numba.layout import Triple, blocks_of, triple
from convcalc.graph import INPUT, Node
from convcalc.shapes import per_axis

FEW_CHANNELS = 8  # up to so many, an image stays interleaved
BYTES_PER_CYCLE = 8.0  # from memory, all threads together
INPUT_CYCLES = 150.0  # per tile and block, for one register a block
OUTPUT_CYCLES = 130.0
FREQUENCIES = 36


@dataclass(frozen=True)
class Conv:
    """A convolution's numbers, three axes each, and the kernel chosen for it."""

    channels: int
    filters: int
    groups: int
    size: Triple
    output: Triple
    kernel: Triple
    stride: Triple
    dilation: Triple
    before: Triple
    after: Triple
    algorithm: str = "direct"
    outputs: int = 0  # of Winograd's tiles, per side

    @property
    def taps(self) -> int:
        """Places of a kernel."""
        return prod(self.kernel)

    @property
    def tiles(self) -> tuple[int, int]:
        """Winograd's tiles, down and across."""
        return -(-self.output[1] // self.outputs), -(-self.output[2] // self.outputs)


def choose(node: Node, source: int, threads: int, winograd: bool) -> Conv:
    """The numbers of a `conv` node and the kernel for it."""
    op: Any = node.op
    shape = node.input_shapes[0]
    rank = len(shape) - 1
    axes = op.axes(node.input_shapes)
    size = triple(shape[1:])
    output = triple(node.output_shape[1:])
    kernel = triple(per_axis(op.kernel, rank, "kernel"))
    stride = triple(per_axis(op.stride, rank, "stride"))
    dilation = triple(per_axis(op.dilation, rank, "dilation"))
    before = triple((axis.before for axis in axes), 0)
    after = triple(
        max(0, (o - 1) * s + d * (k - 1) + 1 - n - b)
        for o, s, d, k, n, b in zip(output, stride, dilation, kernel, size, before, strict=True)
    )
    conv = Conv(
        shape[0], node.output_shape[0], op.groups, size, output, kernel, stride, dilation, before, after
    )
    return _pick(conv, source, threads, winograd)


def _pick(conv: Conv, source: int, threads: int, winograd: bool) -> Conv:
    if conv.groups > 1 and conv.groups == conv.channels == conv.filters:
        return _with(conv, "depthwise")
    if source == INPUT and conv.groups == 1 and conv.channels <= FEW_CHANNELS and conv.dilation[2] == 1:
        return _with(conv, "interleaved")
    outputs = {(1, 3, 3): 4, (1, 5, 5): 2}.get(conv.kernel, 0)
    fits = conv.size[0] == 1 and conv.stride == (1, 1, 1) and conv.dilation == (1, 1, 1) and conv.groups == 1
    if not (winograd and outputs and fits) or conv.before[0] or conv.after[0]:
        return conv
    tiled = _with(conv, "winograd", outputs)
    return tiled if _winograd_cycles(tiled, threads) < _direct_cycles(conv, threads) else conv


def _with(conv: Conv, algorithm: str, outputs: int = 0) -> Conv:
    import dataclasses

    conv = dataclasses.replace(conv, algorithm=algorithm, outputs=outputs)
    if not outputs:
        return conv
    # Tiles reach past the last output: the halo must hold whole tiles.
    after = tuple(
        max(0, tiles * outputs + (kernel - 1) - size - before)
        for tiles, kernel, size, before in zip(
            conv.tiles, conv.kernel[1:], conv.size[1:], conv.before[1:], strict=True
        )
    )
    return dataclasses.replace(conv, after=triple(after, 0))


def _direct_cycles(conv: Conv, threads: int) -> float:
    weights = blocks_of(conv.channels) * BLOCK * blocks_of(conv.filters) * BLOCK * conv.taps
    compute = weights * prod(conv.output) / (2 * WIDTH * threads)
    return max(compute, 4 * weights / BYTES_PER_CYCLE)


def _winograd_cycles(conv: Conv, threads: int) -> float:
    ins, outs = blocks_of(conv.channels), blocks_of(conv.filters)
    tiles = prod(conv.tiles)
    weights = FREQUENCIES * ins * outs * BLOCK * BLOCK
    # products of few tiles leave the register tile half empty
    products = weights * (tiles + 3) / (0.9 * 2 * WIDTH * threads)
    transforms = tiles * LANES * (ins * INPUT_CYCLES + outs * OUTPUT_CYCLES) / threads
    return max(products, 4 * weights / BYTES_PER_CYCLE) + transforms
