"""Transpositions on the Numba backend: right wherever they stand, and free where nothing has to move."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from numba_support import Network, any_values, any_weights, assert_close, compare

from convcalc.backends import reference
from convcalc.backends.numba.passes.channels_first import channels_first
from convcalc.backends.numba.passes.traits import has_kernel
from convcalc.backends.numba.plan import Plan, prepare
from convcalc.backends.numba.runtime.helpers import helpers
from convcalc.graph import INPUT
from convcalc.language.load import load_graph

TO_LAST, TO_FIRST = (1, 2, 0), (2, 0, 1)


@pytest.fixture(scope="module", autouse=True)
def no_threads_left() -> Iterator[None]:
    """Other tests fork, which a process with threads should not."""
    yield
    helpers.stop()


def kernels(plan: Plan) -> Counter[str]:
    """How many steps each kernel has."""
    return Counter(step.kernel.name for step in plan._program.steps)


def test_mixing_tokens_and_channels_in_turn() -> None:
    """Once off by 0.39: the second transposition was taken for one to channels last."""
    network = Network(3, 4, 4)
    network.add("reshape", shape=(3, 16))
    network.add("transpose", order=(1, 0))
    network.add("layernorm", axis="last")
    network.add("transpose", order=(1, 0))
    network.add("dense", units=16, axis="last")
    network.add("transpose", order=(1, 0))
    network.add("layernorm", axis="last")
    network.add("transpose", order=(1, 0))
    network.add("global_avgpool")
    compare(network.graph(), 1)


def test_a_matrix_transposed_three_times() -> None:
    """Once off by 5.2: in two dimensions [1, 0] is its own way back."""
    network = Network(3, 16, 16)
    network.add("reshape", shape=(3, 256))
    for _ in range(3):
        network.add("transpose", order=(1, 0))
    compare(network.graph(), 1)


def test_a_row_transposed_to_a_column_again_and_again() -> None:
    """Once a crash of the interpreter."""
    network = Network(3, 64, 64)
    network.add("reshape", shape=(1, -1))
    for kind in ("relu", "relu", "conv"):
        network.add("transpose", order=(1, 0))
        network.add(kind, **({"filters": 4, "kernel": 1} if kind == "conv" else {}))
    compare(network.graph(), 1)


def test_to_channels_last_twice_and_back_once() -> None:
    """Once a crash, or what happened to lie behind the buffer."""
    network = Network(3, 64, 64)
    for order in (TO_LAST, TO_LAST, TO_FIRST):
        network.add("transpose", order=order)
    network.add("conv", filters=4, kernel=3)
    compare(network.graph(), 1)


def test_a_block_in_channels_last_copies_nothing() -> None:
    network = Network(20, 6, 5)
    start = network.add("conv", depthwise=True, kernel=3, padding=1)
    network.add("transpose", order=TO_LAST)
    network.add("layernorm", axis="last")
    network.add("dense", units=40, axis="last")
    network.add("gelu")
    network.add("dense", units=20, axis="last")
    network.add("transpose", order=TO_FIRST)
    network.add("scale")
    network.add("add", network.last, start)
    found = kernels(compare(network.graph(), 5))
    assert (found["pack"], found["unpack"]) == (1, 1)  # the network's input and output
    network.add("transpose", order=TO_LAST)
    found = kernels(compare(network.graph(), 6))
    assert (found["pack"], found["unpack"]) == (1, 1)


def test_a_network_in_channels_last_is_turned_once() -> None:
    network = Network(20, 6, 5)
    network.add("transpose", order=TO_LAST)
    for units in (17, 33, 20):
        start = network.last
        network.add("layernorm", axis="last")
        network.add("dense", units=units, axis="last")
        network.add("gelu")
        network.add("dense", units=network.builder.shape(start)[-1], axis="last")
        network.add("add", start, network.last)
    found = kernels(compare(network.graph(), 5))
    assert (found["pack"], found["unpack"]) == (1, 1)


def test_a_mixer_block_transposes_twice() -> None:
    """Before and after the mixing of tokens, whichever input of the sum is written first."""
    for swapped in (False, True):
        network = Network(20, 30)
        network.add("conv", filters=20, kernel=1)
        network.add("transpose", order=(1, 0))
        for _ in range(2):
            start = network.last
            network.add("layernorm", axis="last")
            network.add("transpose", order=(1, 0))
            network.add("dense", units=40, axis="last")
            network.add("gelu")
            network.add("dense", units=30, axis="last")
            network.add("transpose", order=(1, 0))
            start = network.add("add", *((network.last, start) if swapped else (start, network.last)))
            network.add("layernorm", axis="last")
            network.add("dense", units=50, axis="last")
            network.add("dense", units=20, axis="last")
            network.add("add", start, network.last)
        network.add("transpose", order=(1, 0))
        network.add("conv", filters=3, kernel=1)
        plan = compare(network.graph(), 5)
        # four transpositions, each out of one map and into another, beside the network's input and output
        assert (kernels(plan)["unpack"], kernels(plan)["pack"]) == (5, 5)
        assert plan._lowered.outside == ()


def test_the_bundled_mixer_of_two_blocks() -> None:
    settings = {"depth": "2", "width": "40", "patch": "8", "tokens_mlp": "24", "channels_mlp": "70"}
    graph = load_graph("mlp-mixer-b16", settings=settings, input_shape=(3, 40, 56))
    assert kernels(compare(graph, 3))["unpack"] == 5  # the map of patches, and before and after each mixing


def test_the_bundled_mixer_runs_in_kernels_alone() -> None:
    graph = load_graph("mlp-mixer-b16")
    rewritten = channels_first(graph, has_kernel).graph
    assert sum(node.kind == "transpose" for node in rewritten) == 2 * 12
    assert all(map(has_kernel, rewritten))


def test_readers_that_want_a_value_in_the_same_order_share_the_copy() -> None:
    network = Network(20, 30)
    start = network.add("conv", filters=20, kernel=1)
    turned = network.add("transpose", start, order=(1, 0))
    network.add("add", *(network.add("conv", turned, filters=7, kernel=1) for _ in range(3)))
    found = kernels(compare(network.graph(), 5))
    assert (found["unpack"], found["pack"]) == (2, 2)


@pytest.mark.parametrize(
    "shape", [(20, 1, 1), (1, 20, 1), (1, 1, 20), (20, 1), (1, 20), (1, 1, 1, 20), (1, 1)]
)
def test_dimensions_of_one_move_without_a_copy_of_the_rest(shape: tuple[int, ...]) -> None:
    rank = len(shape)
    for order in ((*range(1, rank), 0), (rank - 1, *range(rank - 1)), tuple(reversed(range(rank)))):
        network = Network(*shape)
        network.add("tanh")
        network.add("transpose", order=order)
        network.add("conv", filters=17, kernel=1)
        network.add("transpose", order=order)
        network.add("flatten")
        compare(network.graph(), 5)


def test_a_tensor_of_five_dimensions_is_transposed_too() -> None:
    network = Network(2, 3, 4, 5, 6)
    network.add("transpose", order=(4, 2, 0, 3, 1))
    network.add("tanh")
    network.add("transpose", order=(1, 0, 2, 4, 3))
    compare(network.graph(), 5)


def test_the_transposed_input_as_the_output() -> None:
    network = Network(3, 4, 5)
    network.add("transpose", order=TO_LAST)
    compare(network.graph(), 5)


def test_seconds_and_rows_are_those_of_the_network_as_written() -> None:
    network = Network(20, 30)
    network.add("transpose", order=(1, 0))
    network.add("conv", filters=7, kernel=1)
    network.add("dense", units=9, axis="last")
    graph = network.graph()
    plan = prepare(graph, any_weights(graph, 1), 1)
    run = plan.run(any_values(graph, 1))
    assert len(run.node_seconds) == len(graph)
    assert {work.node for work in plan.profile(any_values(graph, 1), 1)[1]} == {1, 2}
    assert plan.graph is graph


def test_a_product_outside_the_kernels_of_more_than_two_maps() -> None:
    """Once garbage: the first map's numbers were given away before the last one's were there."""
    network = Network(16, 2)
    mean = network.add("global_avgpool", network.add("transpose", INPUT, order=(1, 0)))
    gate = network.add("transpose", mean, order=(1, 0))  # a number per pixel, which no kernel multiplies by
    network.add("multiply", gate, *(network.add("conv", INPUT, filters=16, kernel=1) for _ in range(3)))
    graph = network.graph()
    weights, values = any_weights(graph, 1), any_values(graph, 1)
    wanted = reference.run(graph, weights, values, threads=1).values
    assert_close(prepare(graph, weights, 1).run(values).values, wanted)
