"""Plans of bfloat16 give the reference's numbers but for rounding: on layers made by chance, on every operator."""

from __future__ import annotations

import os
import struct
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from fractions import Fraction
from math import inf, nan
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import test_numba as layers
from attention_networks import any_attention, three_attentions
from bfloat16 import bfloat16_kernels, compare_bfloat16, nearest, nearest_weights
from generated import MIXES, small_machine
from generated import network as network_of
from matmul_networks import any_matmul, two_products
from numba_support import Network, any_values, any_weights, by_chance, run_script

from convcalc.backends import PRECISIONS, Winograd
from convcalc.backends.numba.jit.cache import Kernel
from convcalc.backends.numba.jit.sizes import BLOCK
from convcalc.backends.numba.kernels.copies import pack, unpack
from convcalc.backends.numba.kernels.weights import copy_weights
from convcalc.backends.numba.layout import as_elements
from convcalc.backends.numba.plan import prepare
from convcalc.backends.numba.runtime.driver import StepRow
from convcalc.backends.numba.runtime.helpers import helpers
from convcalc.backends.numba.runtime.step_table import StepTable
from convcalc.graph import INPUT, Graph

MOST = 600_000  # MACs of a generated network


@pytest.fixture(scope="module", autouse=True)
def no_threads_left() -> Iterator[None]:
    """Other tests fork, which a process with threads should not."""
    yield
    helpers.stop()


# --- rounding ------------------------------------------------------------------------------------------------------

LOWER = (
    0x0000,
    0x0001,
    0x4000,
    0x7FFF,
    0x8000,
    0x8001,
    0xFFFF,
)  # what is cut off: ties, and their neighbours
UPPER = (
    0x0000,
    0x0080,
    0x0081,
    0x3F7F,
    0x3F80,
    0x3F81,
    0x4049,
    0x7EFE,
    0x7F7E,
    0x7F7F,
    0x7F80,
    0x7FBF,
    0x7FC0,
    0x7FFF,
)
LEAST = 0x0080  # the upper half of the least number that is not denormal


def bit_patterns() -> list[int]:
    """Of floats: both signs, ties between even and odd, the largest, infinite, none; and many by chance."""
    chosen = [sign | upper << 16 | lower for sign in (0, 1 << 31) for upper in UPPER for lower in LOWER]
    source = Random(1)
    by_chance = [source.getrandbits(16) << 16 | source.choice(LOWER) for _ in range(2000)]
    return chosen + by_chance + [source.getrandbits(32) for _ in range(2001)]


def value_of(bits: int) -> Fraction:
    """The number that a finite float's bits, without the sign, are; of infinity's, what would follow the largest."""
    if bits == 0x7F80 << 16:
        return Fraction(2) ** 128
    return Fraction(struct.unpack("<f", struct.pack("<I", bits))[0])


def rounded_bits(bits: int) -> set[int]:
    """The bits of bfloat16 that a float's may become; of what is none, any that is none."""
    sign, magnitude = bits >> 31 << 15, bits & 0x7FFFFFFF
    upper = magnitude >> 16
    if magnitude > 0x7F80 << 16:
        return {sign | 0x7F80 | lower for lower in range(1, 0x80)}
    if magnitude == 0x7F80 << 16:
        return {sign | upper}
    below, above = (value_of(bits << 16) for bits in (upper, upper + 1))
    down, up = value_of(magnitude) - below, above - value_of(magnitude)
    nearest = upper if down < up or (down == up and upper % 2 == 0) else upper + 1
    found = {sign | nearest}
    return found | {sign} if upper < LEAST else found  # what is denormal may become 0


def assert_bits(found: Sequence[int], patterns: Sequence[int]) -> None:
    wrong = [
        (hex(bits), hex(got))
        for bits, got in zip(patterns, found, strict=True)
        if got not in rounded_bits(bits)
    ]
    assert wrong == []


def floats_of(patterns: Sequence[int]) -> np.ndarray:
    return np.array(patterns, np.uint32).view(np.float32)


def run_kernel(kernel: Kernel, values: dict[str, Any]) -> None:
    record = kernel.record(
        {
            name: value.ctypes.data if isinstance(value, np.ndarray) else value
            for name, value in values.items()
        },
        int,
    )
    StepTable([StepRow(kernel.address, record.ctypes.data, 1, 0)], None, 1).run(0, 1)


def test_an_independent_rounding_knows_ties() -> None:
    """By hand: 1 + 2⁻⁸ is half way between 1 and 1 + 2⁻⁷, and 1 + 3·2⁻⁸ between 1 + 2⁻⁷ and 1 + 2⁻⁶."""
    assert rounded_bits(0x3F80_8000) == {0x3F80}
    assert rounded_bits(0x3F81_8000) == {0x3F82}
    assert rounded_bits(0x3F80_8001) == {0x3F81}
    assert rounded_bits(0x7F7F_8000) == {0x7F80}
    assert nearest([1 + 2**-8, 1 + 3 * 2**-8, -1 - 3 * 2**-8]).tolist() == [1, 1 + 2**-6, -1 - 2**-6]


def test_numbers_laid_out_before_a_run_are_rounded_to_the_nearest() -> None:
    patterns = bit_patterns()
    assert_bits(as_elements(floats_of(patterns), 2).tolist(), patterns)


def test_registers_and_single_numbers_are_rounded_to_the_nearest() -> None:
    """An odd number of them: the last ones do not fill a register."""
    patterns = bit_patterns()
    target = np.zeros(len(patterns) + 1, np.uint16)
    values = {
        "source": floats_of(patterns),
        "target": target,
        "count": len(patterns),
        "item_count": len(patterns),
    }
    run_kernel(copy_weights.bfloat16, values)
    assert_bits(target[:-1].tolist(), patterns)
    assert target[-1] == 0


def test_numbers_are_rounded_into_a_map_and_come_out_of_it_as_they_are() -> None:
    """A row of pixels of 5 channels: the other channels of the block are 0."""
    patterns = bit_patterns()
    channels, width = 5, len(patterns) // 5
    patterns = patterns[: channels * width]
    source = floats_of(patterns)
    packed = np.full((width, BLOCK), 0x7FFF, np.uint16)
    strides = {"source_channel": 4 * width, "source_plane": 0, "source_row": 0, "source_pixel": 4}
    target = {"target": packed, "target_block": 0, "target_plane": 0, "target_row": 0, "pixel": 32}
    size = {"channels": channels, "depth": 1, "height": 1, "width": width}
    run_kernel(
        pack.bfloat16,
        {"source": source, "lanes": BLOCK, "blocks": 1, "item_rows": 1, **strides, **target, **size},
    )
    assert_bits(packed[:, :channels].T.ravel().tolist(), patterns)
    assert not packed[:, channels:].any()
    unpacked = np.zeros(channels * width, np.float32)
    back = {"source": packed, "source_block": 0, "source_plane": 0, "source_row": 0}
    floats = {
        "target": unpacked,
        "target_channel": 4 * width,
        "target_plane": 0,
        "target_row": 0,
        "target_pixel": 4,
    }
    run_kernel(unpack.bfloat16, {**back, **floats, **size})
    assert (unpacked.view(np.uint32) >> 16).tolist() == packed[:, :channels].T.ravel().tolist()
    assert not (unpacked.view(np.uint32) & 0xFFFF).any()


# --- layers made by chance -----------------------------------------------------------------------------------------

LAYERS: dict[str, tuple[Callable[[Random], Graph | None], int]] = {
    "conv": (layers.any_conv, 80),
    "depthwise": (layers.any_depthwise, 20),
    "deconv": (layers.any_deconv, 25),
    "pool": (layers.any_pool, 40),
}


@pytest.mark.parametrize(
    ("kind", "seed"), [(kind, seed) for kind, (_, count) in LAYERS.items() for seed in range(count)]
)
def test_any_layer(kind: str, seed: int) -> None:
    """Of numbers that are bfloat16: their products are exact, so the result is off by its own rounding alone."""
    graph = by_chance(LAYERS[kind][0], seed, MOST)
    plan = compare_bfloat16(graph, seed, layers=False, winograd=None)
    assert bfloat16_kernels(plan) or graph.output_shape == graph.input_shape


NETWORKS: dict[str, tuple[Callable[[Random], Graph | None], int]] = {
    "narrow": (layers.any_narrow, 40),
    "grouped": (layers.any_grouped, 30),
    "attention": (any_attention, 20),
    "matmul": (any_matmul, 12),
    "moves": (lambda source: layers.moves_of_moves(source.randrange(1000)), 15),
}


@pytest.mark.parametrize(
    ("kind", "seed"), [(kind, seed) for kind, (_, count) in NETWORKS.items() for seed in range(count)]
)
def test_any_network(kind: str, seed: int) -> None:
    compare_bfloat16(by_chance(NETWORKS[kind][0], seed, MOST), seed)


@pytest.mark.parametrize("width", range(5, 41, 3))
def test_depthwise_along_rows(width: int) -> None:
    for taps in (3, 5, 7):
        network = Network(20, 7, width)
        network.add("conv", depthwise=True, kernel=(3, taps), padding=((1, 0), (taps // 2, 1)))
        compare_bfloat16(network.graph(), width, layers=False)


@pytest.mark.parametrize(
    ("kind", "shape", "fields"), layers.CASES, ids=[f"{c[0]}-{n}" for n, c in enumerate(layers.CASES)]
)
def test_every_operator(kind: str, shape: tuple[int, ...], fields: dict[str, object]) -> None:
    alone = Network(*shape)
    if kind in layers.OF_POSITIVE:
        alone.add("sigmoid")
    alone.add(kind, **fields)
    compare_bfloat16(alone.graph())
    if len(shape) != 3:
        return
    between = Network(24, *shape[1:])
    between.add("conv", filters=shape[0], kernel=1)
    if kind in layers.OF_POSITIVE:
        between.add("sigmoid")
    between.add(kind, **fields)
    if len(between.builder.shape(between.last)) > 1:
        between.add("conv", filters=17, kernel=1, padding=1)
    if kind not in ("reshape", "transpose"):
        between.add("flatten")
        between.add("dense", units=30)
    compare_bfloat16(between.graph(), 3)


@pytest.mark.parametrize("kind", sorted(layers.JOINS))
@pytest.mark.parametrize("small", [(20, 1, 1), (1, 9, 6), (20, 9, 1), (1, 1, 6), (20, 9, 6)])
def test_joins_over_dimensions_of_one(kind: str, small: tuple[int, int, int]) -> None:
    network = Network(20, 9, 6)
    start = network.add("conv", filters=20, kernel=3, padding=1)
    mean = network.add("adaptive_avgpool", start, size=small[1:])
    mean = network.add("sigmoid", network.add("conv", mean, filters=small[0], kernel=1))
    full = network.add("sigmoid", network.add("conv", start, filters=20, kernel=1))
    network.add(kind, *((mean, full) if small[0] == 1 else (full, mean)))
    network.add("conv", filters=17, kernel=3, padding=1)
    compare_bfloat16(network.graph(), 3)


@pytest.mark.parametrize("cut", ["large", "small", "several"])
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("mix", MIXES)
def test_generated_networks(mix: str, seed: int, cut: str) -> None:
    """As they are, cut into as many pieces as large ones are, and of several inputs and outputs."""
    with small_machine() if cut == "small" else nullcontext():
        compare_bfloat16(network_of(Random(seed), mix, several=cut == "several"), seed)


@pytest.mark.parametrize("winograd", ["f2", "f4"])
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_winograd(seed: int, fused: bool, winograd: Winograd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its transformed inputs and weights are rounded too: the rms of what F(2×2) is off by is 4e-3 of the result's, of
    F(4×4) 1.1e-2, and the largest some five times as much. F(2×2, 5×5) has F(4×4)'s transforms."""
    layers.force_winograd(monkeypatch, fused, 2 if winograd == "f2" else 4)
    graph = by_chance(layers.any_winograd, seed, 3_000_000)
    large = winograd == "f4" or 5 in {getattr(node.op, "kernel", 0) for node in graph}
    plan = compare_bfloat16(graph, seed, winograd="f4", off=0.08 if large else 0.03)
    assert {"winograd4", "winograd6"} & set(bfloat16_kernels(plan))


def test_networks_of_many_kernels() -> None:
    for graph in (layers.many_kernels(), three_attentions(), two_products(), layers.two_of_winograd()):
        compare_bfloat16(graph, 2)


# --- dense layers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("units", [1, 4, 21, 70])
@pytest.mark.parametrize("features", [1, 3, 16, 37, 1000])
def test_dense_layers_round_weights_alone(features: int, units: int) -> None:
    """The input, the sums, the bias and the result are float32."""
    network = Network(features)
    network.add("dense", units=units)
    network.add("relu6")
    graph = network.graph()
    weights, values = any_weights(graph, features), any_values(graph, units)
    own = weights.nodes[0]
    matrix = np.asarray(nearest(own["weight"]), np.float64).reshape(units, features)
    wanted = np.clip(matrix @ np.asarray(values) + np.asarray(own["bias"]), 0, 6)
    for threads in (1, 2):
        plan = prepare(graph, weights, threads, guard=1024, precision="bf16")
        got = np.asarray(plan.run(values).values)
        assert np.abs(got - wanted).max() <= 1e-5 * max(1.0, np.abs(wanted).max())
        assert plan.overrun_buffers() == []
    assert bfloat16_kernels(plan) == ["dense"]


# --- values, places and readers ------------------------------------------------------------------------------------


def test_maps_take_half_the_memory() -> None:
    network = Network(32, 30, 20)
    for _ in range(3):
        network.add("conv", filters=64, kernel=3, padding=1)
    graph = network.graph()
    full, rounded = (
        prepare(graph, any_weights(graph, 1), 1, precision=precision, winograd=None) for precision in PRECISIONS
    )  # fmt: skip
    assert rounded.weight_bytes < 0.51 * full.weight_bytes
    floats = 4 * (32 + 64) * 30 * 20  # the input and the output
    assert rounded.activation_bytes - floats < 0.51 * (full.activation_bytes - floats)
    assert rounded.precision == "bf16"
    assert rounded.notes == ()


def test_kept_values_and_outputs_that_are_read_further() -> None:
    network = Network(21, 9, 7)
    first = network.add("conv", filters=33, kernel=3, padding=1)
    second = network.add("relu", first)
    third = network.add("conv", second, filters=33, kernel=1)
    total = network.add("add", second, third)
    mean = network.add("global_avgpool", total)
    flat = network.add("flatten", mean)
    last = network.add("dense", flat, units=5)
    compare_bfloat16(network.graph_of(last, second, total, mean, second), 4, kept=(first, third, flat))
    compare_bfloat16(network.graph_of(last), 4, kept=(first, second, third, total, mean, flat))


def test_an_input_that_is_an_output_is_not_rounded() -> None:
    network = Network(3, 4, 5)
    network.add("identity")
    graph = network.graph()
    values = any_values(graph, 1)
    assert prepare(graph, any_weights(graph, 1), 1, precision="bf16").run(values).values == values


def test_several_inputs() -> None:
    network = Network(20, 9, 6, others=[(5, 9, 6), (20,), (3, 18, 12)])
    image = network.add("conv", -4, filters=20, kernel=3, stride=2, padding=1)
    joined = network.add("concat", INPUT, -2, image)
    network.add("conv", joined, filters=20, kernel=3, padding=1)
    gate = network.add("reshape", network.add("sigmoid", -3), shape=(20, 1, 1))
    product = network.add("multiply", network.last - 2, gate)
    compare_bfloat16(network.graph_of(product, INPUT, -2, joined), 5)


@pytest.mark.parametrize("channels", [16, 23, 40])
def test_squeeze_and_excitation(channels: int) -> None:
    """Maps of a single pixel have elements of bfloat16 too."""
    network = Network(channels, 9, 6)
    start = network.add("conv", depthwise=True, kernel=3, padding=1)
    network.add("global_avgpool")
    network.add("conv", filters=7, kernel=1)
    network.add("silu")
    network.add("conv", filters=channels, kernel=1)
    gate = network.add("sigmoid")
    network.add("multiply", start, gate)
    network.add("conv", filters=19, kernel=1)
    compare_bfloat16(network.graph(), channels)


@pytest.mark.parametrize("channels", [16, 20, 32])
def test_concatenations_that_hold_what_they_join(channels: int) -> None:
    network = Network(channels, 8, 7)
    block = network.add("conv", filters=channels, kernel=1)
    for _ in range(3):
        network.add("batchnorm", block)
        network.add("relu")
        network.add("conv", filters=16, kernel=3, padding=1)
        block = network.add("concat", block, network.last)
    half = network.add("slice", block, start=16, stop=channels + 17)
    network.add("silu", half)
    network.add("channel_shuffle", block, groups=channels // 4 + 12)
    network.add("conv", filters=9, kernel=3, padding=((2, 0), (0, 1)))
    compare_bfloat16(network.graph_of(network.last, half + 1), channels)


def test_a_value_read_with_paddings_of_its_own_by_each_reader() -> None:
    network = Network(17, 9, 7)
    start = network.add("conv", filters=35, kernel=3, padding=1)
    parts = [
        network.add("conv", start, filters=16, kernel=5, padding=((2, 1), (1, 2))),
        network.add("conv", start, filters=3, kernel=3, dilation=2, padding=((2, 1), (2, 1))),
        network.add("conv", start, depthwise=True, kernel=3, stride=2, padding=((1, 0), (0, 2))),
        network.add("deconv", start, filters=5, kernel=3, stride=2, padding=1),
        network.add("maxpool", start, kernel=3, stride=1, padding=((1, 0), (0, 1))),
        network.add("avgpool", start, kernel=2, stride=2, padding=((0, 1), (1, 0))),
    ]
    network.add("concat", *(network.add("flatten", part) for part in parts))
    compare_bfloat16(network.graph(), 8)


def test_activations_in_place() -> None:
    network = Network(19, 6, 5)
    value = network.add("conv", filters=19, kernel=3, padding=1)
    network.add("add", value, INPUT, value)
    for kind in ("tanh", "hardswish", "prelu", "batchnorm", "mish"):
        network.add(kind)
    compare_bfloat16(network.graph(), 1)


# --- what is not finite --------------------------------------------------------------------------------------------


def readers_of_channels(channels: int) -> Iterator[tuple[str, Graph]]:
    """Layers that read some or all channels of pixels, of the input as an image and of a map."""
    groups = [n for n in range(2, channels + 1) if channels % n == 0]
    for between in (False, True):
        for kind, fields in [
            ("conv", {"filters": 8, "kernel": 1}),
            ("conv", {"filters": 8, "kernel": 3}),
            ("conv", {"filters": 8, "kernel": (1, 2), "stride": 2, "padding": 1}),
            ("conv", {"depthwise": True, "kernel": 3}),
            ("deconv", {"filters": 8, "kernel": 2, "stride": 2}),
            *(("conv", {"filters": 8 * count, "kernel": 2, "groups": count}) for count in groups),
            ("maxpool", {"kernel": 2}),
            ("avgpool", {"kernel": (2, 1)}),
            ("softmax", {}),
            ("lrn", {"size": 3}),
            ("layernorm", {}),
            ("silu", {}),
            ("global_avgpool", {}),
            ("slice", {"start": 1}),
        ]:
            network = Network(channels, 4, 5)
            if between:
                network.add("batchnorm")
            network.add(kind, **fields)
            yield f"{kind} {fields}{' of a map' * between}", network.graph()
            network.add("conv", filters=3, kernel=1)
            yield f"{kind} {fields}{' of a map' * between}, read", network.graph()


@pytest.mark.parametrize("value", [nan, inf, -inf])
@pytest.mark.parametrize("channels", [3, 9, 17, 24])
def test_what_is_not_finite_stays_where_it_is_in_float32(channels: int, value: float) -> None:
    """An odd number of channels leaves one of a pair unused, whose weight is 0."""
    for name, graph in readers_of_channels(channels):
        weights, values = nearest_weights(graph, 1), any_values(graph, 2)
        plans = [prepare(graph, weights, 1, precision=precision) for precision in PRECISIONS]
        for place in (0, 20 * (channels - 1) + 7, len(values) - 1):
            own = array("f", values)
            own[place] = value
            full, rounded = (np.asarray(plan.run(own).values) for plan in plans)
            for test in (np.isnan, np.isposinf, np.isneginf):
                assert np.array_equal(test(full), test(rounded)), (name, place)


# --- processors ----------------------------------------------------------------------------------------------------

SUBSET = """
import sys
sys.path.insert(0, sys.argv[1])
import test_attention as attention
import test_bfloat16 as tests
from convcalc.backends.numba.jit.target import BFLOAT16, WIDTH
assert BFLOAT16 == "emulated"
tests.test_numbers_laid_out_before_a_run_are_rounded_to_the_nearest()
tests.test_registers_and_single_numbers_are_rounded_to_the_nearest()
tests.test_numbers_are_rounded_into_a_map_and_come_out_of_it_as_they_are()
for kind, (make, count) in tests.LAYERS.items():
    for seed in range(8):
        tests.test_any_layer(kind, seed)
tests.test_dense_layers_round_weights_alone(37, 21)
for features, heads, places in ((21, 3, 5), (70, 2, 58), (128, 2, 35)):
    attention.test_both_products_are_of_bfloat16(features, heads, places)
if WIDTH == 16:
    for kind in tests.NETWORKS:
        for seed in range(5):
            tests.test_any_network(kind, seed)
    tests.test_networks_of_many_kernels()
tests.test_what_is_not_finite_stays_where_it_is_in_float32(9, float("nan"))
"""

PLAIN = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from bfloat16 import bfloat16_kernels, nearest_weights
from numba_support import Network, any_values
from convcalc.backends.numba.jit.target import BFLOAT16
from convcalc.backends.numba.plan import prepare
assert BFLOAT16 == ""
network = Network(20, 7, 5)
network.add("conv", filters=9, kernel=3)
network.add("flatten")
network.add("dense", units=21)
graph = network.graph()
weights, values = nearest_weights(graph, 1), any_values(graph, 2)
full, rounded = (prepare(graph, weights, 2, precision=precision) for precision in ("float32", "bf16"))
assert bfloat16_kernels(rounded) == ["dense"]
assert full.notes == ()
[note] = rounded.notes
assert "avx512_bf16" in note and "dense" in note
a, b = (np.asarray(plan.run(values).values) for plan in (full, rounded))
assert np.abs(a - b).max() <= 1e-5 * np.abs(a).max()
"""


def run_elsewhere(script: str, **surroundings: str) -> None:
    """In a process with other instructions; what is not named is not set."""
    kept = {
        name: value for name, value in os.environ.items() if name not in ("CONVCALC_BF16", "CONVCALC_VECTOR")
    }
    run_script(script, kept | surroundings)


@pytest.mark.parametrize("vector", ["16", "8", "4"])
def test_without_the_instructions(vector: str) -> None:
    """The same plan by integers and floats. At 16 floats with AVX-512 and without it: LLVM splits what is too wide."""
    run_elsewhere(SUBSET, CONVCALC_VECTOR=vector, CONVCALC_BF16="emulated")


def test_where_nothing_is_emulated_only_dense_weights_are_rounded() -> None:
    run_elsewhere(PLAIN, CONVCALC_VECTOR="8")
