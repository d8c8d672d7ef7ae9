"""Attention by kernels: against NumPy in float64, PyTorch's rules for what is no number, and the reference."""

from __future__ import annotations

import sys
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from attention_networks import add_attention, any_attention, three_attentions
from bfloat16 import HALF_STEP, nearest, nearest_inputs, nearest_weights
from numba_support import Network, any_values, any_weights, assert_close, by_chance, compare

from convcalc.backends import reference
from convcalc.backends.numba.kernels.tile import sweep
from convcalc.backends.numba.plan import prepare
from convcalc.graph import Graph
from convcalc.weights.load import Weights


def kernels_of(graph: Graph) -> list[str]:
    plan = prepare(graph, any_weights(graph, 0), 2)
    return [step.kernel.name for step in plan._program.steps]


def bias_and_mask(graph: Graph, weights: Weights) -> Any:
    """The sum of what the graph's first two nodes, parameters, add to the scores."""
    return sum(
        np.array(weights.nodes[node.index][""], np.float64).reshape(node.output_shape)
        for node in graph.nodes[:2]
    )


def attended(x: Any, tensors: dict[str, Any], heads: int, added: Any) -> Any:
    """softmax(q·kᵀ/√d + added)·v of (N, C) in float64, as PyTorch's documentation of MultiheadAttention says it."""
    tensors = {name: np.array(values, np.float64) for name, values in tensors.items()}
    features = x.shape[1]
    projected = x @ tensors["in_proj_weight"].reshape(3 * features, features).T + tensors["in_proj_bias"]
    q, k, v = projected.reshape(len(x), 3, heads, -1).transpose(1, 2, 0, 3)
    scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1]) + added
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    mixed = powers / powers.sum(-1, keepdims=True) @ v
    out = mixed.transpose(1, 0, 2).reshape(len(x), features)
    return out @ tensors["out_proj.weight"].reshape(features, features).T + tensors["out_proj.bias"]


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(
    ("features", "heads", "places"), [(32, 2, 61), (21, 3, 5), (48, 1, 17), (80, 2, 113)]
)
def test_all_positions_in_float64(features: int, heads: int, places: int, threads: int) -> None:
    network = Network(features, places)
    add_attention(network, heads, bias=True, mask="all")
    graph = network.graph()
    weights, values = any_weights(graph, 1), any_values(graph, 2)
    x = np.array(values, np.float64).reshape(features, places).T
    wanted = attended(x, weights.nodes[2], heads, bias_and_mask(graph, weights))
    got = prepare(graph, weights, threads).run(values).values
    assert_close(list(got), wanted.T.ravel().tolist())


def test_windows_as_swin_cuts_them() -> None:
    """Zeros behind the map, a roll, windows, −∞ between what the roll brought together: Swin's own steps."""
    features, heads, (height, width), (down, across), (low, left) = 24, 3, (7, 10), (3, 4), (1, 3)
    network = Network(features, height, width)
    add_attention(network, heads, window=(down, across), shift=(low, left))
    graph = network.graph()
    weights, values = any_weights(graph, 3), any_values(graph, 4)
    padded = np.zeros((9, 12, features))
    padded[:height, :width] = np.array(values, np.float64).reshape(features, height, width).transpose(1, 2, 0)
    region = np.zeros((9, 12))
    region[9 - low :] += 1
    region[:, 12 - left :] += 2
    rolled = np.roll(padded, (-low, -left), (0, 1))
    result = np.zeros_like(padded)
    for i in range(0, 9, down):
        for j in range(0, 12, across):
            inside = rolled[i : i + down, j : j + across].reshape(-1, features)
            own = region[i : i + down, j : j + across].ravel()
            apart = np.where(own[:, None] == own, 0, -inf)
            result[i : i + down, j : j + across] = attended(inside, weights.nodes[0], heads, apart).reshape(
                down, across, features
            )
    wanted = np.roll(result, (low, left), (0, 1))[:height, :width].transpose(2, 0, 1)
    got = prepare(graph, weights, 2).run(values).values
    assert_close(list(got), wanted.ravel().tolist())


def rounded_attention(x: Any, tensors: dict[str, Any], heads: int, added: Any) -> Any:
    """`attended` of (N, C), rounded to bfloat16 where the manual says so: projections, powers, heads and result."""
    tensors = {name: np.array(values, np.float64) for name, values in tensors.items()}
    features = x.shape[1]
    depth = features // heads
    scale = np.repeat([depth**-0.5, 1, 1], features)

    def rounded(values: Any) -> Any:
        return np.array(nearest(values.ravel()), np.float64).reshape(values.shape)

    matrix = rounded(tensors["in_proj_weight"].reshape(3 * features, features) * scale[:, None])
    projected = rounded(x @ matrix.T + tensors["in_proj_bias"] * scale)
    q, k, v = projected.reshape(len(x), 3, heads, -1).transpose(1, 2, 0, 3)
    scores = q @ k.transpose(0, 2, 1) + added
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    mixed = rounded(powers) @ v / powers.sum(-1, keepdims=True)
    out = rounded(mixed.transpose(1, 0, 2).reshape(len(x), features))
    matrix = rounded(tensors["out_proj.weight"].reshape(features, features))
    return rounded(out @ matrix.T + tensors["out_proj.bias"])


@pytest.mark.parametrize(
    ("features", "heads", "places"),
    [(32, 2, 61), (21, 3, 5), (48, 1, 18), (80, 2, 113), (128, 2, 35), (26, 2, 9), (70, 2, 58)],
)
def test_both_products_are_of_bfloat16(features: int, heads: int, places: int) -> None:
    """Heads of 16, 7, 48, 40, 64, 13 and 35 features, odd and even numbers of places. A sum of float32 may fall on the
    other side of a number's middle than one of float64, and then a few numbers are a step off."""
    network = Network(features, places)
    add_attention(network, heads, bias=True, mask="all")
    graph = network.graph()
    weights, values = nearest_weights(graph, 1), nearest_inputs(graph, 2)
    x = np.array(values["input"], np.float64).reshape(features, places).T
    wanted = rounded_attention(x, weights.nodes[2], heads, bias_and_mask(graph, weights))
    for threads in (1, 2):
        plan = prepare(graph, weights, threads, precision="bf16")
        got = np.array(plan.run(values).values).reshape(features, places).T
        off = np.abs(got - wanted)
        assert (off <= 2 * HALF_STEP * np.abs(wanted) + 2e-3 * np.abs(wanted).max()).all()
        assert np.median(off) <= 1e-5 * np.abs(wanted).max()
    (step,) = (step for step in plan._program.steps if step.kernel.name == "attend_bf16")
    assert step.values["sweep"] is sweep.bfloat16


@pytest.mark.parametrize("seed", range(40))
def test_generated(seed: int) -> None:
    compare(by_chance(any_attention, seed, 400_000), seed, threads=1 + seed % 3)


def test_the_sum_and_the_bound_after_it_are_part_of_it() -> None:
    compare(three_attentions())
    steps = kernels_of(three_attentions())
    assert steps.count("attend") == 3
    assert not {"combine", "activate"} & set(steps)


@pytest.mark.parametrize("value", [nan, inf, -inf])
@pytest.mark.parametrize("window", [None, 4])
def test_what_is_no_number_stays_in_its_window(value: float, window: int | None) -> None:
    """Everything that reads it is no number, since its shares of every query are; nothing else is."""
    network = Network(18, 12)
    add_attention(network, 2, window=window)
    graph = network.graph()
    weights, values = any_weights(graph, 1), any_values(graph, 2)
    values[5 * 12 + 6] = value  # feature 5 of position 6
    got = np.array(prepare(graph, weights, 2).run(values).values).reshape(18, 12)
    wanted = np.array(reference.run(graph, weights, values.tolist(), threads=1).values).reshape(18, 12)
    assert (np.isnan(got) == np.isnan(wanted)).all()
    reached = np.isnan(got).any(axis=0)
    assert reached.tolist() == [window is None or 4 <= position < 8 for position in range(12)]


def test_scores_of_minus_infinity_have_no_share() -> None:
    """As in PyTorch: a mask of −∞ takes a key out; where it takes out all of them the query's output is no number."""
    network = Network(16, 5)
    add_attention(network, 1, mask="all")
    graph = network.graph()
    weights, values = any_weights(graph, 1), any_values(graph, 2)
    mask = np.zeros((5, 5), np.float32)
    mask[:, 3] = -inf
    mask[1] = -inf
    weights.nodes[0][""][:] = type(weights.nodes[0][""])("f", mask.ravel().tolist())
    got = np.array(prepare(graph, weights, 2).run(values).values).reshape(16, 5)
    assert np.isnan(got).any(axis=0).tolist() == [False, True, False, False, False]
    values[3::5] = type(values)("f", [50.0] * 16)  # what nobody reads
    again = np.array(prepare(graph, weights, 2).run(values).values).reshape(16, 5)
    assert np.array_equal(again[:, [0, 2, 4]], got[:, [0, 2, 4]])


def test_large_scores_do_not_overflow() -> None:
    network = Network(16, 7)
    add_attention(network, 1)
    graph = network.graph()
    weights, values = any_weights(graph, 1), any_values(graph, 2)
    large = type(values)("f", [300 * value for value in values])
    got = prepare(graph, weights, 2).run(large).values
    assert_close(got, reference.run(graph, weights, large.tolist(), threads=1).values)


def test_features_last_are_stored_first() -> None:
    """As a transformer writes it: normalisation, attention, sum, on (positions, features), with no transposition but of
    the network's input and output."""
    network = Network(23, 32)
    start = network.add("layernorm", axis="last")
    network.add("attention", heads=2)
    network.add("add", start, network.last)
    network.add("layernorm", axis="last")
    network.add("dense", units=40, axis="last")
    network.add("gelu")
    compare(network.graph())
    assert kernels_of(network.graph()) == [
        "pack", "layernorm", "direct", "attend", "direct", "layernorm", "direct", "unpack",
    ]  # fmt: skip
