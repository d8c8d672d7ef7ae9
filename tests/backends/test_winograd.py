"""Winograd's convolutions: the identity their matrices stand for, against float64, and which of them is chosen."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import test_numba as layers
from numba_support import Network, any_values, any_weights

from convcalc.backends import Winograd
from convcalc.backends.numba.kernels.transforms import OUTPUTS, PAIRS, kernel_matrix
from convcalc.backends.numba.passes.algorithm import plan_conv
from convcalc.backends.numba.plan import prepare
from convcalc.backends.numba.runtime.helpers import helpers
from convcalc.graph import INPUT, Graph

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module", autouse=True)
def no_threads_left() -> Iterator[None]:
    """Other tests fork, which a process with threads should not."""
    yield
    helpers.stop()


# --- matrices ------------------------------------------------------------------------------------------------------


def test_the_matrix_of_three_by_three_kernels_in_tiles_of_four() -> None:
    """Lavin & Gray 2015, section 4.1: G of F(2×2, 3×3), but for the sign of its first row, which Bᵀ has instead."""
    assert kernel_matrix(4, 3) == [[-1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]]


@pytest.mark.parametrize(("side", "outputs"), [(side, m) for side, counts in OUTPUTS.items() for m in counts])
def test_the_matrices_give_a_convolution(side: int, outputs: int) -> None:
    """Aᵀ [(G g) ∘ (Bᵀ d)] is the convolution of d with g, for Aᵀ and Bᵀ made from the points by their definition."""
    points = [0.0, *(sign * point for point in PAIRS[side] for sign in (1, -1))]
    size = side - outputs + 1
    forward = np.zeros((side, side))
    for row, point in enumerate(points):
        others = [other for other in points if other != point]
        forward[row, : side - 1] = np.poly(others)[::-1]
    forward[-1] = np.poly(points)[::-1]
    backward = np.array([[point**power for point in points] + [0.0] for power in range(outputs)])
    backward[-1, -1] = 1
    draw = np.random.default_rng(side)
    d, g = draw.normal(size=side), draw.normal(size=size)
    product = backward @ ((np.array(kernel_matrix(side, size)) @ g) * (forward @ d))
    assert np.allclose(product, np.correlate(d, g), atol=1e-12)


# --- numbers -------------------------------------------------------------------------------------------------------

Margin = tuple[tuple[int, int], tuple[int, int]]


def convolved(x: Array, weights: Array, padding: Margin) -> Array:
    """The convolution of (C, H, W) with (K, C, r, r) in float64, stride 1."""
    x = np.pad(x.astype(np.float64), ((0, 0), *padding))
    size = weights.shape[-1]
    height, width = (length - size + 1 for length in x.shape[1:])
    rows = [
        np.tensordot(weights[:, :, i, j].astype(np.float64), x[:, i : i + height, j : j + width], 1)
        for i in range(size)
        for j in range(size)
    ]
    return np.sum(rows, axis=0)


CASES: list[tuple[tuple[int, int, int], int, int, Margin]] = [
    ((33, 7, 5), 40, 3, ((1, 1), (1, 1))),
    ((48, 14, 12), 24, 3, ((0, 2), (1, 0))),
    ((20, 1, 9), 17, 3, ((2, 1), (0, 2))),  # two rows of outputs
    ((16, 9, 3), 8, 3, ((0, 0), (0, 0))),  # one column
    ((17, 23, 41), 33, 3, ((1, 0), (2, 1))),
    ((40, 11, 13), 24, 5, ((2, 1), (0, 2))),
]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("fused", "outputs"), layers.WINOGRADS)
@pytest.mark.parametrize(("shape", "filters", "kernel", "padding"), CASES)
def test_a_layer_against_float64(
    shape: tuple[int, int, int], filters: int, kernel: int, padding: Margin, fused: bool, outputs: int, threads: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A convolution, its activation, and a second one whose result the first one's is added to."""
    layers.force_winograd(monkeypatch, fused, outputs)
    network = Network(*shape)
    network.add("conv", filters=filters, kernel=kernel, padding=padding)
    start = network.add("relu")
    network.add("conv", filters=filters, kernel=3, padding=1)
    network.add("add", start, network.last)
    network.add("relu6")
    graph = network.graph()
    weights, values = any_weights(graph, 3), any_values(graph, 4)

    def layer(node: int, x: Array, margin: Margin) -> Array:
        own = weights.nodes[node]
        kernels = np.array(own["weight"]).reshape(filters, len(x), *[kernel if node == 0 else 3] * 2)
        return convolved(x, kernels, margin) + np.array(own["bias"], np.float64)[:, None, None]

    first = np.maximum(layer(0, np.array(values).reshape(shape), padding), 0)
    wanted = np.clip(layer(2, first, ((1, 1), (1, 1))) + first, 0, 6)
    plan = prepare(graph, weights, threads, guard=1024)
    assert "winograd4" in layers.kernels_run(plan, values) or outputs == 4
    got = np.array(plan.run(values).values).reshape(wanted.shape)
    scale = np.sqrt(np.mean(wanted**2))
    assert np.abs(got - wanted).max() <= 1.5e-5 * scale
    assert plan.overrun_buffers() == []


def test_tiles_of_two_outputs_round_less_than_direct_convolution(monkeypatch: pytest.MonkeyPatch) -> None:
    """512 channels at 7×7, the largest difference from float64 over the result's rms: 3e-6, of F(4×4) 1.4e-5."""
    channels = 512
    network = Network(channels, 7, 7)
    network.add("conv", filters=64, kernel=3, padding=1, bias=False)
    graph = network.graph()
    draw = np.random.default_rng(1)
    x = np.maximum(draw.normal(size=(channels, 7, 7)), 0).astype(np.float32)
    kernels = (draw.normal(size=(64, channels, 3, 3)) * (2 / (9 * channels)) ** 0.5).astype(np.float32)
    weights = any_weights(graph, 1)
    weights.nodes[0]["weight"] = array("f", kernels.ravel().tolist())
    wanted = convolved(x, kernels, ((1, 1), (1, 1)))
    errors = {}
    for outputs in (2, 4):
        layers.force_winograd(monkeypatch, False, outputs)
        got = np.array(prepare(graph, weights, 1).run(x.ravel().tolist()).values).reshape(wanted.shape)
        errors[outputs] = float(np.abs(got - wanted).max() / np.sqrt(np.mean(wanted**2)))
    assert errors[2] < 5e-6
    assert errors[2] < errors[4] < 2.5e-5


# --- the choice ----------------------------------------------------------------------------------------------------


def one_conv(channels: int, size: int, filters: int, kernel: int = 3) -> Graph:
    network = Network(channels, size, size)
    network.add("relu")
    network.add("conv", filters=filters, kernel=kernel, padding=kernel // 2)
    return network.graph()


def chosen(graph: Graph, threads: int, winograd: Winograd | None, element: int = 4) -> int:
    """The outputs per side of the tiles that are taken; 0 for direct convolution."""
    return plan_conv(graph.nodes[1], 0, threads, winograd, element).outputs


@pytest.mark.parametrize("threads", [1, 2])
def test_the_cheapest_tile_is_taken(threads: int) -> None:
    """As measured: F(2×2, 3×3) at 7×7, F(4×4, 3×3) from 14×14 on."""
    assert chosen(one_conv(512, 7, 512), threads, "auto") == 2
    for channels, size in ((64, 56), (128, 28), (512, 28), (64, 224), (256, 14), (512, 14)):
        assert chosen(one_conv(channels, size, channels), threads, "auto") == 4


@pytest.mark.parametrize(
    ("winograd", "outputs"), [("auto", [4, 2, 2]), ("f4", [4, 2, 2]), ("f2", [2, 2, 2]), (None, [0, 0, 0])]
)
def test_only_allowed_tiles_are_taken(winograd: Winograd | None, outputs: list[int]) -> None:
    """On a large map, on a small one, and for kernels of 5×5, which have tiles of 2×2 outputs alone."""
    graphs = [one_conv(128, 28, 96), one_conv(512, 7, 512), one_conv(96, 27, 256, 5)]
    assert [chosen(graph, 1, winograd) for graph in graphs] == outputs


@pytest.mark.parametrize(
    ("winograd", "outputs"), [("auto", [2, 2, 0]), ("f4", [4, 2, 2]), ("f2", [2, 2, 0]), (None, [0, 0, 0])]
)
def test_tiles_of_six_pixels_are_taken_in_bfloat16_only_if_asked_for(
    winograd: Winograd | None, outputs: list[int]
) -> None:
    """The same layers: F(4×4, 3×3) and F(2×2, 5×5) have tiles of 6×6 pixels."""
    graphs = [one_conv(128, 28, 96), one_conv(512, 7, 512), one_conv(96, 27, 256, 5)]
    assert [chosen(graph, 1, winograd, element=2) for graph in graphs] == outputs


def test_no_tiles_for_an_image() -> None:
    assert plan_conv(one_conv(3, 40, 64).nodes[1], INPUT, 1, "auto").outputs == 0
