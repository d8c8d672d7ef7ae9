"""The Numba backend gives the reference's numbers: on layers made by chance, on every operator, on whole networks."""

from __future__ import annotations

import mmap
import sys
from array import array
from collections.abc import Iterator, Sequence
from math import copysign, gcd, inf, isfinite, nan, prod
from pathlib import Path
from random import Random

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from numba_support import (
    Network,
    any_values,
    any_weights,
    assert_close,
    by_chance,
    compare,
    groups_of,
    margin,
    per_axis,
    sizes,
)

from convcalc import ops
from convcalc.backends import reference
from convcalc.backends.numba.arrays.registry import MAKERS, has_arrays
from convcalc.backends.numba.kernels.copies import gather
from convcalc.backends.numba.lower import winograd as lower_winograd
from convcalc.backends.numba.lower.operators import LOWER
from convcalc.backends.numba.lower.winograd import cut_tiles
from convcalc.backends.numba.passes import algorithm as choice
from convcalc.backends.numba.passes import traits
from convcalc.backends.numba.passes.traits import TRAITS, has_kernel
from convcalc.backends.numba.plan import Plan, prepare
from convcalc.backends.numba.runtime.driver import StepRow
from convcalc.backends.numba.runtime.helpers import helpers
from convcalc.backends.numba.runtime.step_table import StepTable
from convcalc.graph import INPUT, Graph
from convcalc.language.load import load_graph
from convcalc.weights.load import load_weights, random_weights


@pytest.fixture(scope="module", autouse=True)
def no_threads_left() -> Iterator[None]:
    """Other tests fork, which a process with threads should not."""
    yield
    helpers.stop()


ROOT = Path(__file__).parent.parent.parent
NO_RESERVE = (
    0x4000 if sys.platform == "linux" else 0
)  # mmap: addresses, of which only what is written takes memory
HERE = Path(__file__).parent


# --- layers made by chance -----------------------------------------------------------------------------------------


def any_conv(source: Random) -> Graph:
    rank = source.choice([1, 2, 2, 2, 3])
    channels = source.choice([1, 2, 3, 5, 8, 16, 17, 32, 40])
    network = Network(channels, *sizes(source, rank))
    filters = source.choice([1, 3, 16, 20, 32, 33, 48, 70])
    network.add(
        "conv",
        filters=filters,
        kernel=per_axis(source, rank, 1, 5),
        stride=per_axis(source, rank, 1, 3),
        dilation=per_axis(source, rank, 1, 3) if source.random() < 0.4 else 1,
        padding=margin(source, rank, 3),
        groups=groups_of(source, channels, filters) if source.random() < 0.5 else 1,
        bias=source.random() < 0.7,
        rounding=source.choice(["floor", "floor", "ceil"]),
    )
    return network.graph()


@pytest.mark.parametrize("seed", range(150))
def test_any_convolution(seed: int) -> None:
    compare(by_chance(any_conv, seed), seed)


def any_narrow(source: Random) -> Graph:
    """Filters whose last block is half used, and groups that each read half a block, with what may follow them."""
    rank = source.choice([1, 2, 2, 3])
    groups, depth = source.choice([(1, 19), (1, 40), (2, 8), (5, 8), (3, 8), (6, 4), (7, 1), (9, 2), (4, 6)])
    network = Network(groups * depth, *sizes(source, rank))
    network.add("relu")  # so that no image is read
    share = source.choice([8, 8, 24, 4, 1, 3, 40]) if groups > 1 else source.choice([1, 7, 8, 24, 40, 56, 72])
    fields: dict[str, object] = {"filters": groups * share, "groups": groups, "padding": "same"}
    kernel = per_axis(source, rank, 1, 3)
    last = network.add("conv", kernel=kernel, dilation=per_axis(source, rank, 1, 2), **fields)
    if source.random() < 0.5:
        network.add("conv", 0, kernel=kernel, bias=False, **fields)
        last = network.add("add", last, network.last)
    network.add(source.choice(["relu6", "silu", "hardswish", "identity"]), last)
    network.add(
        "conv", filters=17, kernel=1, stride=per_axis(source, rank, 1, 2)
    )  # reads the unused half too
    return network.graph()


@pytest.mark.parametrize("seed", range(60))
def test_any_narrow_convolution(seed: int) -> None:
    compare(by_chance(any_narrow, seed), seed)


def any_depthwise(source: Random) -> Graph:
    rank = source.choice([1, 2, 3])
    channels = source.choice([2, 5, 16, 19, 48])
    network = Network(channels, *sizes(source, rank))
    network.add(
        "conv",
        depthwise=True,
        kernel=per_axis(source, rank, 1, 5),
        stride=per_axis(source, rank, 1, 3),
        dilation=per_axis(source, rank, 1, 2),
        padding=margin(source, rank, 3),
    )
    network.add("relu6")
    return network.graph()


@pytest.mark.parametrize("seed", range(30))
def test_any_depthwise_convolution(seed: int) -> None:
    compare(by_chance(any_depthwise, seed), seed)


def any_excitation(source: Random) -> Graph:
    """Convolutions of one pixel, from the mean of a map and back to a factor for each of its channels; sometimes with
    what the kernel for one pixel does not do: groups, a sum, neighbours that are padding. The map's kernel may have
    summed it already, chunk by chunk."""
    channels = source.choice([5, 16, 40, 130, 272])
    network = Network(channels, *sizes(source, source.choice([1, 2, 2, 3])))
    kernel = source.choice([1, 3, 3, 5])
    start = network.add(
        "conv", depthwise=True, kernel=kernel, padding=source.choice([kernel // 2, kernel - 1])
    )
    if kind := source.choice([None, "silu", "hardswish", "mish", "gelu", "relu6"]):
        start = network.add(kind)
    pooling = source.choice(["global_avgpool", "global_avgpool", "adaptive_avgpool", "global_maxpool"])
    network.add(pooling, **({"size": 1} if pooling == "adaptive_avgpool" else {}))
    for filters in (source.choice([3, 8, 24, 100, 331]), channels):
        before = network.last
        extra = source.choice([{}, {}, {}, {"groups": gcd(filters, network.builder.shape(before)[0])}])
        kernel = source.choice([1, 1, 1, 3])
        network.add(
            "conv", filters=filters, kernel=kernel, padding=kernel // 2, bias=source.random() < 0.7, **extra
        )
        if source.random() < 0.3:
            network.add("batchnorm")
        if source.random() < 0.2 and network.builder.shape(before) == network.builder.shape(network.last):
            network.add("add", before, network.last)
        if kind := source.choice([None, "relu6", "silu", "sigmoid", "hardsigmoid", "gelu"]):
            network.add(kind)
    factor = network.last
    if source.random() < 0.3:
        factor = network.add(
            "slice", network.add("concat", factor, network.last), start=channels, stop=2 * channels
        )
    scaled = network.add("multiply", *source.sample([start, factor], 2))
    return network.graph_of(*source.sample([scaled, factor, start], source.choice([1, 2])))


@pytest.mark.parametrize("seed", range(40))
def test_any_squeeze_and_excitation(seed: int) -> None:
    compare(by_chance(any_excitation, seed), seed, threads=1 + seed % 3)


@pytest.mark.parametrize("width", range(5, 41))
def test_depthwise_along_rows_of_every_width(width: int) -> None:
    """Windows that overlap along the row, whatever they do across rows."""
    source = Random(width)
    for taps in (3, 5, 7):
        network = Network(source.choice([3, 16, 20, 33]), source.randint(5, 9), width)
        padding = ((source.randint(0, 3), source.randint(0, 3)), (source.randint(0, 3), source.randint(0, 2)))
        network.add(
            "conv",
            depthwise=True,
            kernel=(source.randint(1, 3), taps),
            stride=(source.randint(1, 2), 1),
            dilation=(source.randint(1, 2), 1),
            padding=padding,
        )
        network.add(source.choice(["relu6", "silu", "hardswish", "identity"]))
        compare(network.graph(), width)


def any_grouped(source: Random) -> Graph:
    """Groups of few channels with windows that overlap along the row: blocks of whole groups, the last one often with
    lanes to spare. Sometimes a sum, or more filters than channels, for which there is no kernel of its own."""
    depth = source.choice([4, 8, 16])
    groups = source.choice([2, 3, 4, 5, 7, 9, 13]) if depth < 16 else source.choice([2, 3])
    stride = source.choice([1, 1, 2])
    height, width = source.randint(3, 9), source.choice([7, 8, 9, 13, 14, 15, 20, 21, 22, 28, 29, 35])
    network = Network(depth * groups, height, stride * width + source.choice([-1, 0, 1]))
    start = network.add("relu")  # so that no image is read
    share = source.choice([1, 1, 1, 1, 1, 2])
    padding = ((source.randint(0, 2), source.randint(0, 2)), (source.randint(1, 3), source.randint(0, 2)))
    network.add(
        "conv",
        filters=depth * groups * share,
        groups=groups,
        kernel=(source.randint(1, 3), 3),
        stride=(source.randint(1, 2), stride),
        dilation=(source.randint(1, 2) if height > 4 else 1, 1),
        padding=padding,
        bias=source.random() < 0.7,
    )
    if network.builder.shape(network.last) == network.builder.shape(start) and source.random() < 0.5:
        network.add("add", start, network.last)
    network.add(source.choice(["relu", "relu6", "silu", "hardswish", "identity"]))
    network.add("conv", filters=17, kernel=1)  # reads the lanes to spare too
    return network.graph()


@pytest.mark.parametrize("seed", range(60))
def test_any_convolution_in_small_groups(seed: int) -> None:
    compare(by_chance(any_grouped, seed), seed, threads=1 + seed % 3)


@pytest.mark.parametrize("width", [5, 6, 7, 8, 9, 13, 14, 15, 20, 21, 22, 28, 29, 31])
def test_small_groups_in_rows_of_every_width(width: int) -> None:
    """From seven outputs on by kernels of their own, below and of 16 channels by the register tile."""
    for depth in (4, 8, 16):
        for stride, by in ((1, ""), (2, "_by2")):
            network = Network(3 * depth, 4, width * stride)
            network.add("relu")
            network.add(
                "conv", filters=3 * depth, groups=3, kernel=3, stride=(1, stride), padding=((1, 0), (0, 2))
            )
            assert (f"grouped{depth}{by}" in kernels_of(network)) == (width >= 7 and depth < 16)


def many_groups() -> Graph:
    """A network that every kernel for small groups takes part in."""
    network = Network(48, 5, 33)
    network.add("relu")
    for depth in (4, 8, 16):
        network.add("conv", filters=48, groups=48 // depth, kernel=3, padding=((1, 1), (0, 2)))
        network.add("silu")
    network.add("conv", filters=40, kernel=1)
    for depth in (4, 8):
        network.add("conv", filters=40, groups=40 // depth, kernel=3, stride=(1, 2), padding=((1, 1), (0, 1)))
        network.add("upsample", scale=(1, 2))
    network.add("conv", filters=48, kernel=1)
    network.add("conv", filters=48, groups=3, kernel=(2, 3), stride=2, padding=((1, 1), (0, 2)))
    return network.graph()


def any_deconv(source: Random) -> Graph:
    rank = source.choice([1, 2, 2, 3])
    channels, filters = source.choice([1, 3, 16, 20]), source.choice([1, 4, 16, 34])
    network = Network(channels, *(min(size, 9) for size in sizes(source, rank)))
    network.add(
        "deconv",
        filters=filters,
        kernel=per_axis(source, rank, 1, 4),
        stride=per_axis(source, rank, 1, 3),
        dilation=per_axis(source, rank, 1, 2),
        padding=margin(source, rank, 2),
        output_padding=source.choice([0, 0, 1]),
        groups=groups_of(source, channels, filters),
    )
    network.add("relu")
    return network.graph()


@pytest.mark.parametrize("seed", range(40))
def test_any_deconvolution(seed: int) -> None:
    graph = by_chance(lambda source: None if any_same_extra(graph := any_deconv(source)) else graph, seed)
    compare(graph, seed)


def any_same_extra(graph: Graph) -> bool:
    """Output padding larger than the kernel reaches is left to the operator's own tests."""
    return prod(graph.output_shape) == 0


def any_winograd(source: Random) -> Graph:
    channels, filters = source.choice([9, 16, 33, 64]), source.choice([8, 16, 40, 64])
    network = Network(channels, source.randint(1, 21), source.randint(1, 40))
    kernel = source.choice([3, 3, 5])
    padding = source.choice([0, 1, 2, "same", ((0, 2), (1, 0))])
    network.add("conv", filters=filters, kernel=kernel, padding=padding)
    first = network.last
    network.add("relu")
    if source.random() < 0.5:
        network.add("conv", filters=filters, kernel=3, padding=1)
        network.add("add", first, network.last)
        network.add("relu")
    return network.graph()


def force_winograd(patch: pytest.MonkeyPatch, fused: bool, outputs: int = 4) -> None:
    """Winograd wherever it can be, by F(4×4, 3×3) or F(2×2, 3×3), a register tile of its tiles a chunk."""

    def cut(
        frequencies: int, tiles: int, ins: int, out_tiles: int, threads: int, value: int
    ) -> tuple[bool, int, int]:
        return fused, min(tiles, lower_winograd.PIXELS), 1 if fused else out_tiles

    patch.setattr(choice, "_winograd_cycles", lambda *_: 0.0)
    patch.setitem(choice.TILE_OUTPUTS, (1, 3, 3), (outputs,))
    patch.setattr(lower_winograd, "cut_tiles", cut)


@pytest.mark.parametrize("outputs", [2, 4])
@pytest.mark.parametrize("seed", range(20))
def test_winograd_wherever_it_can_be(seed: int, outputs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut as its layers are, or into chunks of a register tile that do or do not transform their own input."""
    force_winograd(monkeypatch, fused=seed % 4 == 1, outputs=outputs)
    if seed % 2 == 0:
        monkeypatch.setattr(lower_winograd, "cut_tiles", cut_tiles)
    graph = by_chance(any_winograd, seed, 12_000_000)
    weights = any_weights(graph, seed)
    values = any_values(graph, seed)
    wanted = reference.run(graph, weights, values, threads=1).values
    plan = prepare(graph, weights, 2, guard=1024)
    assert kernels_run(plan, values) & {"winograd6", "winograd4" if outputs == 2 else "winograd6"}
    assert_close(plan.run(values).values, wanted, 3e-5)
    assert plan.overrun_buffers() == []


def test_winograd_can_be_turned_off() -> None:
    network = Network(64, 30, 30)
    network.add("conv", filters=64, kernel=3, padding=1)
    graph = network.graph()
    weights, values = any_weights(graph, 1), any_values(graph, 1)
    plans = [prepare(graph, weights, 1, winograd=allowed) for allowed in ("auto", "f4", "f2", None)]
    tiles = [kernels_run(plan, values) & {"winograd4", "winograd6"} for plan in plans]
    assert tiles == [{"winograd6"}, {"winograd6"}, {"winograd4"}, set()]


def kernels_run(plan: Plan, values: Sequence[float]) -> set[str]:
    """The kernels that a run uses."""
    return {work.kernel for work in plan.profile(values, 1)[1]}


WINOGRADS = [(fused, outputs) for fused in (False, True) for outputs in (4, 2)]  # as for `force_winograd`


def two_of_winograd() -> Graph:
    """Two convolutions that Winograd suits, and a residual."""
    network = Network(20, 9, 8)
    start = network.add("conv", filters=40, kernel=3, padding=1)
    network.add("conv", filters=40, kernel=3, padding=1)
    network.add("add", start, network.last)
    return network.graph()


def many_kernels() -> Graph:
    """A network that every kernel but Winograd's takes part in."""
    network = Network(3, 9, 23)
    network.add("conv", filters=40, kernel=3, padding=1)
    network.add("silu")
    start = network.add("conv", filters=40, kernel=(3, 4), padding="same", groups=2)
    network.add("conv", filters=40, kernel=1)
    network.add("add", start, network.last)
    for taps in (3, 5, 7):
        network.add("conv", depthwise=True, kernel=(3, taps), padding=1)
        network.add("hardswish")
    network.add("conv", depthwise=True, kernel=3, stride=2)
    start = network.add("gelu")
    network.add("global_avgpool")
    network.add("multiply", start, network.last)
    network.add("deconv", filters=40, kernel=3, stride=2, padding=1)
    network.add("maxpool", kernel=3, stride=2)
    network.add("lrn", size=5)
    network.add("layernorm")
    network.add("batchnorm")
    network.add("prelu")
    narrow = network.add("slice", start=3, stop=29)
    other = network.add("batchnorm", narrow)
    network.add("global_avgpool", other)
    network.add("conv", filters=90, kernel=1)
    network.add("silu")
    network.add("conv", filters=26, kernel=1)
    network.add("multiply", other, network.last)
    network.add("concat", narrow, network.last)
    network.add("tanh")
    network.add("softmax")
    network.add("flatten")
    network.add("dense", units=21)
    network.add("softmax")
    return network.graph()


def any_pool(source: Random) -> Graph:
    rank = source.choice([1, 2, 2, 3])
    network = Network(source.choice([1, 7, 16, 30]), *sizes(source, rank))
    kinds = ["maxpool", "maxpool", "avgpool", "avgpool", "crop", "pad"]
    kind = source.choice(
        [*kinds, *(f"{way}_{what}pool" for way in ("adaptive", "global") for what in ("avg", "max"))]
    )
    if kind.startswith("adaptive"):
        network.add(kind, size=per_axis(source, rank, 1, 6))
    elif kind.startswith("global"):
        network.add(kind)
    elif kind == "crop":
        network.add(kind, size=per_axis(source, rank, 1, 6))
    elif kind == "pad":
        mode = source.choice(["zeros", "reflect", "replicate", "circular"])
        network.add(kind, padding=margin(source, rank, 4), mode=mode)
    else:
        extra = (
            {"dilation": per_axis(source, rank, 1, 2)}
            if kind == "maxpool"
            else {"count_padding": source.random() < 0.5, "divisor": source.choice([None, None, 7])}
        )
        network.add(
            kind,
            kernel=per_axis(source, rank, 1, 4),
            stride=per_axis(source, rank, 1, 3),
            padding=margin(source, rank, 1),
            rounding=source.choice(["floor", "ceil"]),
            **extra,
        )
    if source.random() < 0.5:
        network.add("relu")
    return network.graph()


@pytest.mark.parametrize("seed", range(60))
def test_any_pooling(seed: int) -> None:
    compare(by_chance(any_pool, seed), seed)


# --- every operator ------------------------------------------------------------------------------------------------

ONE_INPUT: dict[str, list[tuple[tuple[int, ...], dict[str, object]]]] = {
    "abs": [((20, 7, 5), {})],
    "adaptive_avgpool": [((20, 7, 5), {"size": (3, 4)})],
    "adaptive_maxpool": [((20, 7, 5), {"size": (3, 4)}), ((3, 5), {"size": 7})],
    "avgpool": [((20, 7, 5), {"kernel": 3, "stride": 2, "padding": 1}),
                ((20, 7, 5), {"kernel": 2, "dilation": (3, 2), "padding": ((1, 0), (0, 1)), "count_padding": False}),
                ((3, 9), {"kernel": 3, "dilation": 2, "divisor": 2})],
    "batchnorm": [((20, 7, 5), {}), ((20, 7, 5), {"affine": False}), ((20,), {}), ((20, 3, 4, 5), {"eps": 0.01})],
    "celu": [((20, 7, 5), {}), ((20, 7, 5), {"alpha": 0.3})],
    "channel_shuffle": [((12, 7, 5), {"groups": 3}), ((32, 3, 2), {"groups": 2}), ((12,), {"groups": 4})],
    "clip": [((20, 7, 5), {"min": -0.4, "max": 0.3}), ((20, 7, 5), {"min": 0.2}), ((9,), {"max": 0.1})],
    "conv": [((20, 7, 5), {"filters": 9, "kernel": 3})],
    "crop": [((20, 7, 5), {"size": (3, 4)}), ((3, 4, 5, 6), {"size": 2, "offset": (1, 3, 0)})],
    "deconv": [((20, 7, 5), {"filters": 9, "kernel": 3, "stride": 2})],
    "dense": [
        ((37,), {"units": 21}), ((19,), {"units": 311}), ((37,), {"units": 4, "bias": False}),
        ((5, 37), {"units": 21, "axis": "last"}),
    ],
    "dropout": [((20, 7, 5), {})],
    "elu": [((20, 7, 5), {}), ((5,), {"alpha": 0.5}), ((2, 3, 2, 3, 2), {"alpha": 0.5})],
    "erf": [((20, 7, 5), {})],
    "exp": [((20, 7, 5), {}), ((2, 3, 2, 3, 2), {})],
    "flatten": [((20, 7, 5), {}), ((20, 1, 1), {}), ((7,), {})],
    "gelu": [((20, 7, 5), {}), ((20, 7, 5), {"approximate": "tanh"})],
    "global_avgpool": [((20, 7, 5), {}), ((20, 9), {}), ((3, 2, 4, 5), {})],
    "global_maxpool": [((20, 7, 5), {}), ((20, 9), {}), ((3, 2, 4, 5), {})],
    "groupnorm": [((20, 7, 5), {"groups": 4}), ((20, 7, 5), {"groups": 1, "affine": False}), ((20,), {"groups": 5}),
                  ((33, 3, 4, 2), {"groups": 3, "eps": 0.01})],
    "hardsigmoid": [((20, 7, 5), {}), ((20, 7, 5), {"alpha": 0.2, "beta": 0.4})],
    "hardswish": [((20, 7, 5), {})],
    "identity": [((20, 7, 5), {})],
    "instancenorm": [((20, 7, 5), {}), ((20, 9), {"affine": True})],
    "l2norm": [((20, 7, 5), {}), ((20, 7, 5), {"axis": (1, 2)}), ((33,), {})],
    "layernorm": [((20, 7, 5), {}), ((20, 7, 5), {"axis": "last"}), ((20,), {"axis": "last"}), ((33,), {}),
                  ((20, 7, 5), {"axis": (0, 1, 2)}), ((20, 7, 5), {"axis": 1}), ((20, 7, 5), {"affine": False})],
    "leaky_relu": [((20, 7, 5), {"slope": 0.2})],
    "log": [((20, 7, 5), {})],
    "lrn": [((20, 7, 5), {"size": 5, "alpha": 0.3, "k": 2.0}), ((40, 3, 2), {"size": 4, "alpha": 0.9, "beta": 0.5})],
    "maxpool": [((20, 7, 5), {"kernel": (3, 2), "stride": 2})],
    "mish": [((20, 7, 5), {})],
    "negate": [((20, 7, 5), {})],
    "pad": [((20, 7, 5), {"padding": ((1, 2), (0, 3)), "value": 1.5}), ((3, 4), {"padding": 2}),
            ((20, 7, 5), {"padding": ((1, 2), (0, 3)), "mode": "reflect"}),
            ((3, 4), {"padding": 3, "mode": "circular"}),
            ((20, 7, 5), {"channels": (2, 1), "mode": "replicate"}), ((7,), {"channels": (2, 0), "value": 3.0})],
    "pixel_shuffle": [((18, 7, 5), {"factor": 3}), ((6, 5), {"factor": 2}), ((8, 2, 3, 4), {"factor": 2})],
    "pixel_unshuffle": [((5, 9, 6), {"factor": 3}), ((3, 8), {"factor": 2}), ((2, 4, 2, 6), {"factor": 2})],
    "prelu": [((20, 7, 5), {}), ((20, 7, 5), {"per_channel": True})],
    "reciprocal": [((20, 7, 5), {})],
    "reduce": [((20, 7, 5), {}), ((20, 7, 5), {"mode": "max", "axis": 0}),
               ((20, 7, 5), {"mode": "min", "axis": (2, 0)}),
               ((20, 7, 5), {"mode": "sum", "axis": (-1,), "keep": True}), ((9,), {"axis": 0, "keep": True})],
    "relu": [((20, 7, 5), {}), ((9,), {}), ((2, 3, 2, 2, 2), {})],
    "relu6": [((20, 7, 5), {})],
    "reshape": [((20, 6, 5), {"shape": (10, -1, 5)}), ((24,), {"shape": (2, 3, 4)})],
    "rmsnorm": [((20, 7, 5), {}), ((20, 7, 5), {"axis": "last"}), ((20, 7, 5), {"axis": (1, 2), "affine": False})],
    "roll": [((20, 7, 5), {"shift": (-3, 2)}), ((20, 7, 5), {"shift": 6, "axis": 0}), ((9,), {"shift": 1, "axis": 0})],
    "scale": [((20, 7, 5), {}), ((20, 7, 5), {"value": -0.17}), ((9,), {"value": 3.0})],
    "select": [((20, 7, 5), {"indices": (3, 17, 3, 0)}), ((20, 7, 5), {"indices": (-1, 0, 2, 2, 2, 1), "axis": 2}),
               ((9,), {"indices": (8, 1)})],
    "selu": [((20, 7, 5), {}), ((20, 7, 5), {"alpha": 0.3, "scale": 2.0})],
    "sigmoid": [((20, 7, 5), {})],
    "silu": [((20, 7, 5), {})],
    "slice": [((40, 7, 5), {"start": 16, "stop": 35}), ((40, 7, 5), {"start": 3, "stop": 35}),
              ((20, 7, 5), {"axis": 2, "step": 2}), ((20, 7, 5), {"axis": 1, "start": -2, "step": -3}),
              ((20, 7, 5), {"start": 17, "stop": 2, "step": -2}), ((9,), {"step": 4})],
    "softmax": [((20,), {}), ((20, 7, 5), {}), ((20, 7, 5), {"axis": 1}), ((20, 7, 5), {"axis": "last"})],
    "softplus": [((20, 7, 5), {}), ((20, 7, 5), {"beta": 3.0, "threshold": 1.0})],
    "sqrt": [((20, 7, 5), {})],
    "tanh": [((20, 7, 5), {})],
    "transpose": [((20, 7, 5), {"order": (1, 2, 0)}), ((20, 7), {"order": (1, 0)})],
    "upsample": [((20, 7, 5), {"scale": (2, 3)}), ((20, 7, 5), {"scale": 2, "mode": "bilinear"}),
                 ((3, 4), {"scale": 3}), ((20, 7, 5), {"size": (9, 4)}), ((20, 7, 5), {"scale": (0.5, 1.5)}),
                 ((20, 7, 5), {"size": (5, 8), "mode": "bilinear", "align_corners": True}),
                 ((3, 4, 2, 5), {"scale": 1.5, "mode": "bilinear"}), ((20, 7, 5), {"scale": 2, "mode": "bicubic"})],
}  # fmt: skip
JOINS = {"add", "subtract", "multiply", "divide", "maximum", "minimum"}
OF_POSITIVE = {"log", "reciprocal", "sqrt"}
CASES = [(kind, shape, fields) for kind, cases in ONE_INPUT.items() for shape, fields in cases]


@pytest.mark.parametrize(("kind", "shape", "fields"), CASES, ids=[f"{c[0]}-{n}" for n, c in enumerate(CASES)])
def test_every_operator(kind: str, shape: tuple[int, ...], fields: dict[str, object]) -> None:
    alone = Network(*shape)
    if kind in OF_POSITIVE:
        alone.add("sigmoid")
    alone.add(kind, **fields)
    compare(alone.graph())
    if len(shape) != 3:
        return
    between = Network(24, *shape[1:])
    between.add("conv", filters=shape[0], kernel=1)
    if kind in OF_POSITIVE:
        between.add("sigmoid")
    made = between.last
    between.add(kind, **fields)
    if len(between.builder.shape(between.last)) > 1:
        between.add("conv", filters=17, kernel=1, padding=1)
    if kind not in ("reshape", "transpose"):
        between.add("flatten")
        between.add("dense", units=30)
    compare(between.graph(), 3)
    if len(between.builder.shape(made)) > 1:
        between.last = made
        between.add("conv", filters=4, kernel=2, padding=1)
        compare(between.graph(), 4)


def test_every_operator_is_tried() -> None:
    elsewhere = {"attention", "concat", "constant", "gather", "matmul", "parameter", "unknown"}
    assert set(ONE_INPUT) | JOINS | elsewhere == set(ops.names())


def test_a_learned_tensor_joins_a_map_and_is_an_output() -> None:
    network = Network(20, 7, 5)
    network.add("conv", filters=17, kernel=1)
    network.add("add", network.last, network.add("parameter", shape=(17, 7, 5)))
    network.add("conv", filters=3, kernel=3)
    compare(network.graph())
    alone = Network(20, 7, 5)
    alone.add("parameter", shape=(2, 3))
    compare(alone.graph())


def test_every_operator_has_a_kernel_or_is_computed_on_whole_arrays() -> None:
    passing = {kind for kind in ops.names() if ops.get(kind).is_passing}
    assert set(ops.names()) <= TRAITS.keys() | MAKERS.keys() | passing | {"unknown"}
    assert TRAITS.keys() == LOWER.keys()


def test_transpositions_beyond_four_dimensions_are_not_slow() -> None:
    network = Network(2, 3, 4, 5, 6)
    network.add("transpose", order=(4, 3, 2, 1, 0))
    assert has_arrays(network.graph().nodes[0])


def test_an_operator_without_a_kernel_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traits, "TRAITS", {kind: can for kind, can in TRAITS.items() if kind != "tanh"})
    network = Network(20, 7, 5)
    for _ in range(3):
        network.add("conv", filters=20, kernel=1)
        network.add("tanh")
    plan = compare(network.graph())
    assert plan.notes == ("tanh: no fast kernel here, computed as the reference backend does",)


@pytest.mark.parametrize("kind", ["sigmoid", "tanh", "gelu", "silu", "mish", "elu", "softplus", "hardswish"])
def test_activations_far_from_zero_and_near(kind: str) -> None:
    network = Network(1, 401)
    network.add(kind)
    graph = network.graph()
    for scale in (100.0, 10.0, 0.1, 1e-3):
        values = array("f", [scale * (place - 200) / 200 for place in range(401)])
        got = prepare(graph, any_weights(graph, 0), 1).run(values).values
        wanted = reference.run(graph, any_weights(graph, 0), values).values
        assert_close(got, wanted, 2e-6)


# --- joins, and what lives inside what -----------------------------------------------------------------------------


def test_joins_of_every_form() -> None:
    for channels in (16, 20):
        network = Network(channels, 9, 6)
        a = network.add("conv", filters=channels, kernel=3, padding=1)
        b = network.add("conv", a, filters=channels, kernel=1)
        c = network.add("relu", b)
        d = network.add("add", a, b, c, c)
        e = network.add("multiply", d, a)
        f = network.add("concat", e, a, INPUT, e)
        g = network.add("concat", f, b)
        h = network.add("batchnorm", g)
        network.add("relu")
        i = network.add("global_avgpool", h)
        j = network.add("sigmoid", i)
        network.add("multiply", j, h)
        network.add("conv", filters=5, kernel=3, padding=((2, 0), (0, 2)))
        network.add("add", network.last, network.last)
        compare(network.graph(), channels)


@pytest.mark.parametrize("kind", sorted(JOINS))
@pytest.mark.parametrize("small", [(20, 1, 1), (1, 9, 6), (20, 9, 1), (1, 1, 6), (20, 9, 6)])
def test_joins_over_dimensions_of_one(kind: str, small: tuple[int, int, int]) -> None:
    """Between layers in kernels, either input first; a residual that is repeated is no residual of a convolution."""
    for turned in (False, True):
        network = Network(20, 9, 6)
        start = network.add("conv", filters=20, kernel=3, padding=1)
        mean = network.add("adaptive_avgpool", start, size=small[1:])
        mean = network.add("conv", mean, filters=small[0], kernel=1)
        mean = network.add("sigmoid", mean)  # nothing near 0 to divide by
        full = network.add("sigmoid", network.add("conv", start, filters=20, kernel=1))
        network.add(kind, *((mean, full) if turned else (full, mean)))
        network.add("relu")
        network.add("conv", filters=17, kernel=3, padding=1)
        compare(network.graph(), 3)


@pytest.mark.parametrize("kind", sorted(JOINS))
def test_joins_of_inputs_with_all_channels_have_a_kernel(kind: str) -> None:
    """Two that are repeated along different axes give a map that neither has; three are joined from the left."""
    network = Network(20, 9, 6)
    rows, columns = (
        network.add("sigmoid", network.add("adaptive_avgpool", INPUT, size=size)) for size in ((9, 1), (1, 6))
    )
    network.add(
        kind, rows, columns, *([network.add("sigmoid", INPUT)] if kind in ("add", "multiply") else [])
    )
    network.add("relu6")
    network.add("conv", filters=17, kernel=3, padding=1)
    plan = compare(network.graph(), 3)
    assert plan._lowered.outside == ()


@pytest.mark.parametrize("turned", [False, True])
def test_a_convolution_and_what_is_repeated(turned: bool) -> None:
    """A sum with a shape of its own is not taken into the convolution, whichever of the two is repeated."""
    for shapes in (((20, 9, 6), (20, 1, 1)), ((20, 1, 1), (20, 9, 6))):
        network = Network(20, 9, 6)
        values = []
        for shape in shapes:
            pooled = network.add("adaptive_avgpool", INPUT, size=shape[1:])
            values.append(network.add("conv", pooled, filters=20, kernel=1))
        network.add("add", *(reversed(values) if turned else values))
        compare(network.graph(), 3)


def kernels_of(network: Network) -> set[str]:
    """The kernels that a network runs in, compared with the reference on the way."""
    graph = network.graph()
    compare(graph, 3)
    return {
        work.kernel for work in prepare(graph, any_weights(graph, 3), 1).profile(any_values(graph, 3), 1)[1]
    }


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_depthwise_convolution_sums_what_is_averaged(stride: int, threads: int) -> None:
    """Squeeze-and-excitation reads the sums that its convolution left, of every chunk, not the map once more."""
    network = Network(37, 41, 83)
    network.add("conv", depthwise=True, kernel=3, padding=1, stride=stride)
    first = network.add("silu")
    mean = network.add("global_avgpool")
    network.add("global_maxpool", first)
    network.add("add", mean, network.last)
    network.add("sigmoid")
    scaled = network.add("multiply", first, network.last)
    graph = network.graph_of(mean, scaled)
    plan = compare(graph, 5, threads=threads)
    assert [work.kernel for work in plan.profile(any_values(graph, 5), 1)[1]].count("mean_of_sums") == 1


def test_a_clip_is_a_bound_as_relu6_is() -> None:
    found = []
    for kind, fields in (
        ("relu6", {}),
        ("clip", {"min": 0.0, "max": 6.0}),
        ("clip", {"min": -0.3, "max": 0.2}),
    ):
        network = Network(20, 9, 6)
        network.add("conv", filters=33, kernel=3, padding=1)
        network.add(kind, **fields)
        network.add("maxpool", kernel=2)
        network.add(kind, **fields)
        found.append(kernels_of(network))
    assert found[0] == found[1] == found[2]
    assert not found[0] & {"combine", "activate"}


@pytest.mark.parametrize(
    ("kind", "fields"), [("selu", {}), ("celu", {"alpha": 0.3}), ("abs", {}), ("negate", {})]
)
def test_functions_that_a_convolution_takes_in(kind: str, fields: dict[str, object]) -> None:
    network = Network(20, 9, 6)
    network.add("conv", filters=33, kernel=(3, 2), padding=1)  # no kernel of Winograd's
    network.add(kind, **fields)
    network.add("conv", filters=7, kernel=1)
    assert not kernels_of(network) & {"combine", "activate"}


def test_a_sum_with_a_number_per_channel_is_computed_in_a_kernel() -> None:
    network = Network(20, 9, 6)
    full = network.add("conv", filters=33, kernel=3, padding=1)
    mean = network.add("global_avgpool", full)
    network.add("add", mean, full, mean)
    network.add("conv", filters=7, kernel=1)
    assert "combine" in kernels_of(network)
    graph = network.graph()
    assert all(has_kernel(node) for node in graph)


@pytest.mark.parametrize("axis", [1, "last"])
def test_concatenations_along_other_dimensions(axis: int | str) -> None:
    network = Network(20, 9, 6)
    first = network.add("conv", filters=20, kernel=3, padding=1)
    other = network.add(
        "tanh", network.add("conv", INPUT, filters=20, kernel=(1, 3) if axis == "last" else (4, 1))
    )
    network.add("concat", first, other, first, axis=axis)
    network.add("conv", filters=17, kernel=3, padding=1)
    compare(network.graph(), 3)


def test_densely_connected_layers_share_one_buffer() -> None:
    network = Network(32, 8, 7)
    block = network.add("conv", filters=32, kernel=1)
    for _ in range(4):
        network.add("batchnorm", block)
        network.add("relu")
        network.add("conv", filters=16, kernel=3, padding=1)
        block = network.add("concat", block, network.last)
    network.add("batchnorm", block)
    network.add("relu")
    graph = network.graph()
    compare(graph, 2)
    plan = prepare(graph, any_weights(graph, 1), 1)
    assert "gather" not in {work.kernel for work in plan.profile(any_values(graph, 1), 1)[1]}


@pytest.mark.parametrize("channels", [32, 58])
def test_shuffle_units(channels: int) -> None:
    network = Network(channels, 6, 5)
    start = network.add("conv", filters=channels, kernel=3, padding=1)
    for _ in range(2):
        left = network.add("slice", start, stop=channels // 2)
        network.add("slice", start, start=channels // 2)
        network.add("conv", filters=channels // 2, kernel=1)
        network.add("relu")
        network.add("conv", depthwise=True, kernel=3, padding=1)
        joined = network.add("concat", left, network.last)
        start = network.add("channel_shuffle", joined, groups=2)
    compare(network.graph(), channels)


def test_vectors_that_lie_one_behind_the_other_are_joined_each_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once a block was copied across the border of two buffers that happened to be neighbours."""
    monkeypatch.setenv("CONVCALC_CHECKED", "1")
    network = Network(15)
    sixteen = network.add("dense", units=16)
    network.add("dense", units=2)
    network.add("concat", network.add("dense", units=20), sixteen, INPUT)
    graph = network.graph()
    weights, values = any_weights(graph, 1), any_values(graph, 1)
    got = prepare(graph, weights, 1).run(values).values
    assert_close(got, reference.run(graph, weights, values, threads=1).values)


@pytest.mark.parametrize("value", [nan, inf])
@pytest.mark.parametrize("kind", ["conv", "deconv"])
@pytest.mark.parametrize("stop", [16, 17, 31])
def test_a_channel_behind_a_slice_is_not_read(kind: str, stop: int, value: float) -> None:
    """A slice that ends within a block once shared the block, and 0 times not-a-number is none."""
    network = Network(32, 5, 5)
    network.add("batchnorm")
    network.add("slice", stop=stop)
    network.add(kind, filters=4, kernel=3)
    graph = network.graph()
    weights, values = any_weights(graph, 1), any_values(graph, 1)
    values[25 * 31 + 12] = value
    got = prepare(graph, weights, 1).run(values).values
    assert_close(got, reference.run(graph, weights, values, threads=1).values)
    assert all(map(isfinite, got))


@pytest.mark.parametrize(
    "kind", ["lrn", "softmax", "layernorm", "rmsnorm", "l2norm", "groupnorm", "global_maxpool"]
)
@pytest.mark.parametrize("channels", [5, 21])
def test_what_a_block_holds_beyond_its_channels_is_in_no_norm(kind: str, channels: int) -> None:
    """It is ½ behind a sigmoid and 1 behind a division."""
    fields: dict[str, dict[str, object]] = {"lrn": {"size": 3, "alpha": 0.9}, "groupnorm": {"groups": 1}}
    network = Network(channels, 3, 2)
    network.add("divide", INPUT, network.add("sigmoid"))
    network.add(kind, **fields.get(kind, {}))
    compare(network.graph(), 1)
    network = Network(channels, 3, 2)
    network.add("sigmoid")
    network.add(kind, **fields.get(kind, {}))
    compare(network.graph(), 1)


def test_channels_there_are_not_are_zero_wherever_a_map_lies() -> None:
    """A map whose address, its lower half taken for a float, is not a number once made its zeros none too."""
    space = mmap.mmap(-1, 2**32 + 2**16, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NO_RESERVE)
    bytes_there = np.frombuffer(space, np.uint8)
    offset = (0x7FC0_0000 - bytes_there.ctypes.data) % 2**32
    source = bytes_there[offset : offset + 2 * 64].view(np.float32).reshape(2, 16)  # two pixels of a block
    source[:] = np.arange(32).reshape(2, 16)
    address = source.ctypes.data
    assert np.isnan(np.uint32(address % 2**32).view(np.float32))
    lanes = np.zeros((16, 3), np.int64)  # of which three are from channels 5, 2 and 9
    lanes[:3, 0] = [address + 4 * channel for channel in (5, 2, 9)]
    whole = np.zeros(1, np.int64)
    target = np.full((2, 16), 7, np.float32)
    values = {
        "table": lanes.ctypes.data, "whole": whole.ctypes.data, "target": target.ctypes.data, "target_block": 128,
        "target_plane": 128,
        "target_row": 128, "height": 1, "width": 2, "rows": 1, "blocks": 1, "item_rows": 1,
    }  # fmt: skip
    record = gather.record(values, int)
    StepTable([StepRow(gather.address, record.ctypes.data, 1, 0)], None, 1).run(0, 1)
    assert target[:, :3].tolist() == [[5, 2, 9], [21, 18, 25]]
    assert not target[:, 3:].any()


def moves_of_moves(seed: int) -> Graph:
    """Concatenations, slices and shuffles of one another, read by further ones and by layers that compute."""
    source = Random(seed)
    network = Network(source.choice([16, 20, 32]), 5, 4)
    values = [network.add("conv", filters=source.choice([16, 24, 32, 48]), kernel=1) for _ in range(2)]
    for _ in range(12):
        kind = source.choice(["concat", "concat", "slice", "slice", "channel_shuffle", "relu", "conv"])
        value = source.choice(values[-4:])
        channels = network.builder.nodes[value].output_shape[0]
        if kind == "concat" and channels < 200:
            parts = [value, *source.choices(values[-5:], k=source.randint(1, 2))]
            values.append(network.add("concat", *parts))
        elif kind == "slice":
            start = source.choice([0, 0, 16, channels // 2]) % channels
            values.append(network.add("slice", value, start=start, stop=source.randint(start + 1, channels)))
        elif kind == "channel_shuffle":
            groups = source.choice([n for n in range(1, channels + 1) if channels % n == 0])
            values.append(network.add("channel_shuffle", value, groups=groups))
        elif kind == "relu":
            values.append(network.add("relu", value))
        else:
            values.append(network.add("conv", value, filters=source.choice([8, 16, 33]), kernel=3, padding=1))
    network.add("concat", *values[-3:])
    if source.random() < 0.5:
        network.add("channel_shuffle", groups=1)
    return network.graph()


@pytest.mark.parametrize("seed", range(40))
def test_moves_of_moves(seed: int) -> None:
    compare(moves_of_moves(seed), seed)


def test_a_chain_of_moves_longer_than_is_looked_through() -> None:
    network = Network(18, 3, 4)
    network.add("conv", filters=30, kernel=1)
    for place in range(150):
        network.add("channel_shuffle", groups=(2, 3, 5)[place % 3])
    compare(network.graph(), 1)


def test_residual_blocks() -> None:
    network = Network(24, 12, 9)
    start = network.add("conv", filters=32, kernel=3, padding=1)
    for width, stride in ((32, 1), (48, 2)):
        network.add("conv", start, filters=width, kernel=3, stride=stride, padding=1, bias=False)
        network.add("batchnorm")
        network.add("dropout")
        network.add("relu")
        network.add("conv", filters=width, kernel=3, padding=1, bias=False)
        main = network.add("batchnorm")
        other = start
        if stride > 1:
            network.add("conv", start, filters=width, kernel=1, stride=stride, bias=False)
            other = network.add("batchnorm")
        network.add("add", main, other)
        start = network.add("relu")
    graph = network.graph()
    plan = compare(graph, 5)
    kernels = [work.kernel for work in plan.profile(any_values(graph, 1), 1)[1]]
    assert "combine" not in kernels


def test_a_value_read_with_and_without_padding() -> None:
    network = Network(16, 9, 7)
    a = network.add("conv", filters=32, kernel=3, padding=1)
    b = network.add("conv", a, filters=16, kernel=5, padding=((4, 1), (0, 3)))
    c = network.add("conv", a, filters=16, kernel=1)
    d = network.add("conv", a, filters=16, kernel=3, dilation=2, padding=2)
    e = network.add("maxpool", a, kernel=3, stride=1, padding=1)
    network.add("concat", c, d, e)
    network.add("flatten", b)
    network.last = network.add("concat", c, d, e)
    compare(network.graph(), 8)


def test_the_input_as_output_and_networks_without_weights() -> None:
    network = Network(3, 4, 5)
    network.add("identity")
    network.add("dropout")
    compare(network.graph())
    network = Network(3, 4, 5)
    network.add("flatten")
    network.add("relu")
    compare(network.graph())


# --- whole networks ------------------------------------------------------------------------------------------------

SMALL = {
    "lenet5": None,
    "torchvision/alexnet": (3, 67, 67),
    "googlenet": (3, 33, 33),
    "resnet18": (3, 33, 35),
    "torchvision/densenet121": (3, 32, 32),
    "torchvision/mobilenet_v2": (3, 40, 33),
    "torchvision/mobilenet_v3_small": (3, 48, 45),
    "torchvision/efficientnet_b0": (3, 33, 32),
    "torchvision/shufflenet_v2_x0_5": (3, 64, 50),
    "torchvision/squeezenet1_1": (3, 65, 61),
    "torchvision/convnext_tiny": (3, 32, 32),
    "torchvision/regnet_y_400mf": (3, 32, 64),
    "torchvision/mnasnet0_5": (3, 64, 32),
}


@pytest.mark.parametrize(("name", "shape"), SMALL.items(), ids=SMALL)
def test_bundled_networks(name: str, shape: tuple[int, ...] | None) -> None:
    graph = load_graph(name, input_shape=shape)
    compare(graph, weights=random_weights(graph, 3), close=1e-4)


def test_trained_weights() -> None:
    graph = load_graph("lenet5")
    compare(graph, weights=load_weights(graph, str(ROOT / "architectures" / "lenet5.safetensors")))


def test_pixels_are_sliced_into_the_map_that_joins_them() -> None:
    """Four pixels of each 2×2 as channels, as Swin merges patches: all in kernels, and nothing is copied twice."""
    network = Network(16, 7, 10)
    start = network.add("relu")
    parts = []
    for down, across in ((0, 0), (1, 0), (0, 1), (1, 1)):
        network.add("slice", start, axis=1, start=down, stop=6 + down, step=2)
        parts.append(network.add("slice", axis=2, start=across, step=2))
    network.add("concat", *parts)
    network.add("conv", filters=5, kernel=1)
    plan = compare(network.graph())
    assert plan._lowered.outside == ()
    names = [step.kernel.name for step in plan._program.steps]
    assert names.count("pool") == 8
    assert "gather" not in names


def test_slices_keep_the_sign_of_zero() -> None:
    network = Network(3, 4)
    network.add("relu")
    network.add("slice", axis=1, start=-1, step=-2)
    network.add("negate")
    network.add("slice", axis=1, step=2)
    graph = network.graph()
    got = prepare(graph, any_weights(graph, 1), 1).run([0.0] * 12).values
    assert [copysign(1, value) for value in got] == [-1.0] * 3
