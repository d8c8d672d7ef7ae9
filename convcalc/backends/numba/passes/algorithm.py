"""Which kernel computes a convolution, by modelled cost, and the zeros it then reads around its input.

The model counts cycles: multiply-accumulates at the register tile's rate, for whole register tiles, or weights at what
memory delivers, whichever takes longer, and Winograd's transforms per tile. Its constants were measured on two machines
and matter only near break-even.

Winograd's method is there for kernels of 3×3 with tiles of 4×4 or 2×2 outputs, F(4×4, 3×3) and F(2×2, 3×3), and of 5×5
with tiles of 2×2. What `winograd` allows:

    auto    any of them, whichever is cheapest
    f2      tiles of 2×2 outputs only
    f4      F(4×4, 3×3) wherever it is cheaper than direct convolution, then tiles of 2×2
    None    none of them

Where elements are bfloat16, tiles of 6×6 pixels err three to four times as much as direct convolution, those of 4×4
half as much again as it; so those of 6×6, of both kernels, are there for `f4` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Literal, NamedTuple, cast

from convcalc.backends import Winograd
from convcalc.backends.numba.jit.sizes import BLOCK, FEW, HALF, LANES, PIXELS
from convcalc.backends.numba.jit.target import WIDTH
from convcalc.backends.numba.layout import Halo, Triple, blocks_of, triple
from convcalc.backends.numba.passes.fusion import Fusion
from convcalc.graph import Node, is_input
from convcalc.ops.conv import Conv
from convcalc.ops.deconv import Deconv, Spread
from convcalc.shapes import per_axis

MAX_INTERLEAVED = 8  # channels up to which an image stays interleaved
BYTES_PER_CYCLE = 8.0  # from memory, all threads together
CORE_BYTES_PER_CYCLE = 4.5  # from memory, a thread
PRODUCTS_PER_CYCLE = 2 * min(WIDTH, 8)  # two registers of 8 or, on many processors, one of 16
# Winograd's transforms by the side of a tile: cycles per tile and block, for one register a block
INPUT_CYCLES = {4: 45.0, 6: 150.0}
OUTPUT_CYCLES = {4: 40.0, 6: 130.0}
EXACT_SIDE = 4  # the largest tiles, in pixels, whose transforms bfloat16 holds well enough
TILE_OUTPUTS = {(1, 3, 3): (4, 2), (1, 5, 5): (2,)}  # outputs per side of Winograd's tiles, by the kernel

Algorithm = Literal["direct", "interleaved", "depthwise", "winograd"]


@dataclass(frozen=True, kw_only=True)
class ConvPlan:
    """A convolution's numbers, three axes each, and the kernel chosen for it.

    halo: the zeros it reads around its input. outputs: those of a Winograd tile, per side.
    """

    channels: int
    filters: int
    groups: int
    size: Triple
    output: Triple
    kernel: Triple
    stride: Triple
    dilation: Triple
    halo: Halo
    algorithm: Algorithm = "direct"
    outputs: int = 0

    @property
    def taps(self) -> int:
        """Places of a kernel."""
        return prod(self.kernel)

    @property
    def side(self) -> int:
        """Input pixels of a Winograd tile, per side."""
        return self.outputs + self.kernel[2] - 1

    @property
    def frequencies(self) -> int:
        """Products of a Winograd tile, per channel and filter."""
        return self.side * self.side

    @property
    def tiles(self) -> tuple[int, int]:
        """Winograd's tiles, down and across."""
        return -(-self.output[1] // self.outputs), -(-self.output[2] // self.outputs)


class Phase(NamedTuple):
    """One axis of a deconvolution's output places of equal remainder by the stride.

    taps: the kernel's places that reach them; shifts: for each tap, how far from `sources` the input pixel lies that
    it reads; sources: for each output place, the input place of shift 0; targets: the output places.
    """

    taps: Sequence[int]
    shifts: Sequence[int]
    sources: Sequence[int]
    targets: Sequence[int]


@dataclass(frozen=True, kw_only=True)
class DeconvPlan:
    """A deconvolution's phases along each of three axes, and the zeros it reads around its input."""

    kernel: Triple
    phases: tuple[Sequence[Phase], ...]
    halo: Halo


Plans = dict[int, ConvPlan | DeconvPlan]


def choose(fusion: Fusion, threads: int, winograd: Winograd | None, element: int = 4) -> Plans:
    """How each convolution and deconvolution that kernels compute is computed, by the layer's value. winograd: the
    tiles of Winograd's that may be used; element: bytes of an element of maps."""
    plans: Plans = {}
    for layer in fusion.layers:
        if fusion.is_outside(layer):
            continue
        if isinstance(layer.node.op, Conv):
            source = fusion.alias[layer.node.inputs[0]]
            plans[layer.value] = plan_conv(layer.node, source, threads, winograd, element)
        elif isinstance(layer.node.op, Deconv):
            plans[layer.value] = plan_deconv(layer.node)
    return plans


def plan_conv(node: Node, source: int, threads: int, winograd: Winograd | None, element: int = 4) -> ConvPlan:
    """The numbers of a convolution and the kernel for it. source: the value it reads; winograd: the tiles of Winograd's
    that may be used; element: bytes of an element of maps."""
    op = cast(Conv, node.op)
    shape = node.input_shapes[0]
    rank = len(shape) - 1
    size = triple(shape[1:])
    output = triple(node.output_shape[1:])
    kernel = triple(per_axis(op.kernel, rank, "kernel"))
    stride = triple(per_axis(op.stride, rank, "stride"))
    dilation = triple(per_axis(op.dilation, rank, "dilation"))
    before = triple((axis.before for axis in op.axes(node.input_shapes)), 0)
    after = triple(
        max(0, (o - 1) * s + d * (k - 1) + 1 - n - b)
        for o, s, d, k, n, b in zip(output, stride, dilation, kernel, size, before, strict=True)
    )
    plan = ConvPlan(
        channels=shape[0],
        filters=node.output_shape[0],
        groups=op.groups,
        size=size,
        output=output,
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        halo=Halo(before, after),
    )
    if plan.groups > 1 and plan.groups == plan.channels == plan.filters:
        return replace(plan, algorithm="depthwise")
    few = plan.channels <= MAX_INTERLEAVED
    if is_input(source) and plan.groups == 1 and few and plan.dilation[2] == 1:
        return replace(plan, algorithm="interleaved")
    return _cheapest(plan, threads, winograd, element) if winograd else plan


def _cheapest(plan: ConvPlan, threads: int, winograd: Winograd, element: int) -> ConvPlan:
    """A convolution by direct convolution or by what is allowed of Winograd's method, as modelled."""
    steps = plan.stride == plan.dilation == (1, 1, 1)
    flat = plan.size[0] == 1 and not plan.halo.before[0] and not plan.halo.after[0]
    if not (steps and flat and plan.groups == 1):
        return plan
    best, cycles = plan, _direct_cycles(plan, threads, element)
    for outputs in TILE_OUTPUTS.get(plan.kernel, ()):
        if winograd == "f2" and outputs != 2:
            continue
        tiled = _tiled(plan, outputs)
        if element == 2 and winograd != "f4" and tiled.side > EXACT_SIDE:
            continue
        own = _winograd_cycles(tiled, threads, element)
        if own < cycles:
            best, cycles = tiled, own
            if winograd == "f4":
                break
    return best


def _tiled(plan: ConvPlan, outputs: int) -> ConvPlan:
    """The convolution by Winograd's method, with tiles of outputs×outputs pixels."""
    tiled = replace(plan, algorithm="winograd", outputs=outputs)
    # Tiles reach past the last output: the halo must hold whole tiles.
    after = (
        max(0, tiles * outputs + (kernel - 1) - size - before)
        for tiles, kernel, size, before in zip(
            tiled.tiles, plan.kernel[1:], plan.size[1:], plan.halo.before[1:], strict=True
        )
    )
    return replace(tiled, halo=plan.halo._replace(after=triple(after, 0)))


def _direct_cycles(plan: ConvPlan, threads: int, element: int) -> float:
    weights = blocks_of(plan.channels) * BLOCK * -(-plan.filters // HALF) * HALF * plan.taps
    return _product_cycles(weights, prod(plan.output), threads, element)


def _winograd_cycles(plan: ConvPlan, threads: int, element: int) -> float:
    ins, outs = blocks_of(plan.channels), blocks_of(plan.filters)
    tiles = prod(plan.tiles)
    products = _product_cycles(plan.frequencies * ins * outs * BLOCK * BLOCK, tiles, threads, element)
    cycles = ins * INPUT_CYCLES[plan.side] + outs * OUTPUT_CYCLES[plan.side]
    return products + tiles * LANES * cycles / threads


def _product_cycles(weights: int, pixels: int, threads: int, element: int) -> float:
    """The cycles in which so many weights are multiplied by so many pixels each, while memory delivers the weights for
    what is next, see `kernels.tile.sweep`."""
    large = max(0, -(-(pixels - 2 * FEW) // PIXELS))
    rest = pixels - large * PIXELS  # by one or two small tiles, unless it fills a large one
    computed = pixels if rest == PIXELS else large * PIXELS + -(-rest // FEW) * FEW
    cycle = weights / (4 // element * PRODUCTS_PER_CYCLE * threads)
    reading = element * weights / min(BYTES_PER_CYCLE, CORE_BYTES_PER_CYCLE * threads)
    return max(computed * cycle, reading)


def plan_deconv(node: Node) -> DeconvPlan:
    """A deconvolution's phases: each is an ordinary convolution.

    Output o reads input (o + before − t·dilation)/stride for the taps t where that is whole, so outputs of equal
    remainder by the stride read by the same taps.
    """
    axes = cast(Deconv, node.op).axes(node.input_shapes)
    phases = [_phases(axis) for axis in axes]
    missing = 3 - len(axes)
    return DeconvPlan(
        kernel=triple(axis.kernel for axis in axes),
        phases=(*([[Phase([0], [0], [0], [0])]] * missing), *phases),
        halo=_deconv_halo(axes, phases),
    )


def _phases(axis: Spread) -> list[Phase]:
    """One axis' phases."""
    result = []
    for remainder in range(min(axis.stride, axis.output)):
        count = -(-(axis.output - remainder) // axis.stride)
        taps, shifts = [], []
        for tap in range(axis.kernel):
            distance = remainder + axis.before - tap * axis.dilation
            if distance % axis.stride == 0:
                taps.append(tap)
                shifts.append(distance // axis.stride)
        targets = [remainder + axis.stride * place for place in range(count)]
        result.append(Phase(taps, shifts, list(range(count)), targets))
    return result


def _deconv_halo(axes: Sequence[Spread], phases: Sequence[Sequence[Phase]]) -> Halo:
    """The zeros that the first and the last outputs read before and after each axis."""
    before, after = [], []
    for axis, own in zip(axes, phases, strict=True):
        reads = [
            place + shift
            for phase in own
            for shift in phase.shifts
            for place in (phase.sources[0], phase.sources[-1])
        ]
        before.append(max(0, -min(reads, default=0)))
        after.append(max(0, max(reads, default=0) - axis.size + 1))
    return Halo(triple(before, 0), triple(after, 0))
