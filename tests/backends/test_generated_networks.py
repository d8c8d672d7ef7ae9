"""Generated networks give the same numbers on both backends; `soak_networks.py` runs more of them."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from generated import MIXES, check, network, small_machine
from numba_support import any_values, any_weights

from convcalc.backends import reference
from convcalc.backends.numba.passes.channels_first import channels_first
from convcalc.backends.numba.runtime.helpers import helpers


@pytest.fixture(scope="module", autouse=True)
def no_threads_left() -> Iterator[None]:
    """Other tests fork, which a process with threads should not."""
    yield
    helpers.stop()


@pytest.mark.parametrize("seed", range(500))
def test_networks_heavy_in_transpositions(seed: int) -> None:
    check(network(Random(seed), "transpositions"), seed)


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("mix", [mix for mix in MIXES if mix != "transpositions"])
def test_networks_of_every_kind(mix: str, seed: int) -> None:
    check(network(Random(seed), mix), seed)


@pytest.mark.parametrize("seed", range(100, 130))
@pytest.mark.parametrize("mix", MIXES)
def test_networks_cut_into_as_many_pieces_as_large_ones(mix: str, seed: int) -> None:
    with small_machine():
        check(network(Random(seed), mix), seed)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("mix", MIXES)
def test_networks_of_several_inputs_and_outputs(mix: str, seed: int) -> None:
    check(network(Random(seed), mix, several=True), seed)


@pytest.mark.parametrize("kernels", ["all", "none"])
@pytest.mark.parametrize("seed", range(60))
def test_a_network_rewritten_channels_first_computes_the_same(seed: int, kernels: str) -> None:
    """By the reference backend alone, which knows nothing of kernels and memory."""
    graph = network(Random(1000 + seed), "transpositions")
    weights, values = any_weights(graph, seed), any_values(graph, seed).tolist()
    rewritten = channels_first(graph, lambda node: kernels == "all")
    own = tuple(weights.nodes[origin] for origin in rewritten.origins)
    wanted = reference.run(graph, weights, values, threads=1)
    got = reference.run(rewritten.graph, dataclasses.replace(weights, nodes=own), values, threads=1)
    assert got.shape == wanted.shape
    assert got.values == pytest.approx(wanted.values, rel=1e-9, abs=1e-9)
    for node in rewritten.graph:
        assert node.op.output_shape(node.input_shapes) == node.output_shape
        assert node.input_shapes == tuple(rewritten.graph.shape(source) for source in node.inputs)
