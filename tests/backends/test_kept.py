"""Outputs of layers that a run is asked to keep: the reference's numbers, whatever the compiler would make of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import isnan, nan
from pathlib import Path
from random import Random

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from generated import MIXES, check, network, small_machine
from numba_support import Network, any_inputs, any_values, any_weights, assert_close

from convcalc.backends import reference
from convcalc.backends.numba.passes.fusion import fuse
from convcalc.backends.numba.plan import prepare
from convcalc.backends.numba.runtime.helpers import helpers
from convcalc.graph import INPUT, Graph, Output
from convcalc.ops import Tensor


@pytest.fixture(scope="module", autouse=True)
def no_threads_left() -> Iterator[None]:
    """Other tests fork, which a process with threads should not."""
    yield
    helpers.stop()


# --- what the compiler computes together, one by one -----------------------------------------------------------------


def folded(net: Network) -> None:
    """Batch norm in a convolution's weights."""
    net.add("conv", filters=20, kernel=(3, 2), padding=((1, 0), (0, 2)))
    net.add("batchnorm")


def scaled(net: Network) -> None:
    """A learned scale in a convolution's weights, after batch norm."""
    net.add("conv", filters=17, kernel=3)
    net.add("batchnorm")
    net.add("scale")


def bounded(net: Network) -> None:
    net.add("conv", filters=18, kernel=3, stride=2)
    net.add("relu6")


def curved(net: Network) -> None:
    """An activation applied while the result is in cache."""
    net.add("conv", filters=33, kernel=1)
    net.add("silu")


def summed(net: Network) -> None:
    """A residual added in registers."""
    first = net.add("conv", filters=20, kernel=3, padding=1)
    net.add("conv", filters=20, kernel=3, padding=1)
    net.add("add", first, net.last)


def residual(net: Network) -> None:
    """All of it: batch norm, the residual and the bound."""
    first = net.add("conv", filters=20, kernel=1)
    net.add("conv", filters=20, kernel=3, padding=1)
    net.add("batchnorm")
    net.add("add", net.last, first)
    net.add("relu")


def depthwise(net: Network) -> None:
    net.add("conv", depthwise=True, kernel=3, padding=((0, 1), (2, 1)))
    net.add("batchnorm")
    net.add("relu6")


def transposed(net: Network) -> None:
    net.add("deconv", filters=18, kernel=3, stride=2, padding=((1, 0), (0, 1)))
    net.add("batchnorm")
    net.add("relu")


def pooled(net: Network) -> None:
    net.add("maxpool", kernel=(2, 3), stride=(2, 1))
    net.add("relu")


def added(net: Network) -> None:
    net.add("add", net.add("maxpool", INPUT, kernel=2), net.add("avgpool", INPUT, kernel=2))
    net.add("relu")


def dense(net: Network) -> None:
    net.add("flatten")
    net.add("dense", units=37)
    net.add("relu")
    net.add("dropout")
    net.add("dense", units=11)


def passed(net: Network) -> None:
    """Layers that only pass on, before, between and after what is computed."""
    net.add("dropout")
    net.add("conv", filters=19, kernel=2)
    net.add("identity")
    net.add("relu")
    net.add("dropout")
    net.add("maxpool", kernel=2)


def in_place(net: Network) -> None:
    """Activations and norms that write over what they read."""
    net.add("maxpool", kernel=2)
    net.add("tanh")
    net.add("lrn", size=3, alpha=0.3)
    net.add("batchnorm")
    net.add("sigmoid")


def joined(net: Network) -> None:
    """Branches written where the concatenation wants them, one of which is a concatenation itself."""
    a = net.add("conv", INPUT, filters=16, kernel=1)
    b = net.add("conv", INPUT, filters=32, kernel=3, padding=1)
    net.add("relu")
    c = net.add("concat", a, net.last)
    d = net.add("conv", b, filters=5, kernel=1)
    net.add("concat", c, d)
    net.add("relu")


def grown(net: Network) -> None:
    """DenseNet: every concatenation is a part of the next one."""
    block = net.add("conv", filters=16, kernel=1)
    for _ in range(3):
        net.add("batchnorm", block)
        net.add("relu")
        net.add("conv", filters=16, kernel=3, padding=1)
        block = net.add("concat", block, net.last)


def sliced(net: Network) -> None:
    """Slices that are views of a map, and one that is not."""
    whole = net.add("conv", filters=48, kernel=1)
    a = net.add("slice", whole, start=16, stop=32)
    b = net.add("slice", whole, start=32)
    net.add("slice", whole, start=3, stop=19)
    net.add("relu")
    net.add("add", net.last, a)
    net.add("multiply", net.last, b)


def shuffled(net: Network) -> None:
    """ShuffleNet: concatenations, shuffles and slices that are never made."""
    start = net.add("conv", filters=20, kernel=1)
    for _ in range(2):
        left = net.add("slice", start, stop=10)
        net.add("slice", start, start=10)
        net.add("conv", filters=10, kernel=1)
        net.add("relu")
        net.add("concat", left, net.last)
        start = net.add("channel_shuffle", groups=2)


def moved(net: Network) -> None:
    """ConvNeXt: a norm and dense layers along the channels, between transpositions that move nothing."""
    start = net.add("conv", filters=20, kernel=1)
    net.add("conv", depthwise=True, kernel=3, padding=1)
    net.add("transpose", order=(1, 2, 0))
    net.add("layernorm", axis="last")
    net.add("dense", units=33, axis="last")
    net.add("gelu")
    net.add("dense", units=20, axis="last")
    net.add("transpose", order=(2, 0, 1))
    net.add("scale")
    net.add("add", net.last, start)


def reshaped(net: Network) -> None:
    """The same numbers under other shapes."""
    net.add("conv", filters=18, kernel=2)
    net.add("reshape", shape=(3, 6, -1))
    net.add("flatten")
    net.add("relu")


def fixed(net: Network) -> None:
    """What is the same in every run."""
    net.add("conv", filters=20, kernel=1)
    first = net.last
    net.add("parameter", shape=(20, 1, 1))
    net.add("tanh")
    net.add("multiply", first, net.last)


def outside(net: Network) -> None:
    """Layers that no kernel computes."""
    net.add("conv", filters=16, kernel=1)
    net.add("pixel_shuffle", factor=2)
    net.add("instancenorm", eps=0.5)
    net.add("relu")


CASES = (
    folded, scaled, bounded, curved, summed, residual, depthwise, transposed, pooled, added, dense, passed, in_place,
    joined, grown, sliced, shuffled, moved, reshaped, fixed, outside,
)  # fmt: skip
# Of these the fusion makes fewer layers than there are.
FUSED = (
    folded, scaled, bounded, curved, summed, residual, depthwise, transposed, pooled, added, dense, passed,
    grown,
)  # fmt: skip


def made(case: Callable[[Network], None], *shape: int) -> Graph:
    net = Network(*(shape or (21, 9, 13)))
    case(net)
    return net.graph()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_each_layer_of_each_fusion(case: Callable[[Network], None]) -> None:
    """Each by itself, so that all the others are still fused, and all at once."""
    graph = made(case)
    for kept in [*((node.index,) for node in graph), tuple(range(len(graph)))]:
        check(graph, 3, kept)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_each_layer_of_each_fusion_in_many_pieces(case: Callable[[Network], None]) -> None:
    """On a machine with small caches, with Winograd's convolution wherever it can be."""
    graph = made(case)
    with small_machine():
        check(graph, 4, tuple(range(len(graph))))
        check(graph, 5, tuple(range(0, len(graph), 2)))


@pytest.mark.parametrize("case", FUSED, ids=lambda case: case.__name__)
def test_the_cases_are_fused_where_nothing_is_kept(case: Callable[[Network], None]) -> None:
    graph = made(case)
    every = tuple(Output(node.name, node.index) for node in graph)
    computed = [node for node in graph if not node.op.is_passing]
    assert len(fuse(graph).layers) < len(computed)
    assert len(fuse(replace(graph, outputs=every)).layers) == len(computed)


@pytest.mark.parametrize("shape", [(21, 40), (9, 4, 5, 7)])
def test_maps_of_one_and_of_three_dimensions(shape: tuple[int, ...]) -> None:
    net = Network(*shape)
    net.add("conv", filters=18, kernel=2)
    net.add("batchnorm")
    net.add("relu")
    net.add("maxpool", kernel=2)
    net.add("global_avgpool")
    graph = net.graph()
    for kept in [*((node.index,) for node in graph), tuple(range(len(graph)))]:
        check(graph, 6, kept)


def test_layers_of_several_inputs_and_outputs() -> None:
    net = Network(5, 8, 11, others=[(5, 8, 11)])
    net.add("dropout", -2)
    left = net.add("conv", INPUT, filters=16, kernel=3)
    right = net.add("conv", -2, filters=16, kernel=3, shares=left)
    net.add("subtract", left, right)
    net.add("relu")
    graph = net.graph_of(net.last, left, left)
    for kept in [(0,), (left,), (right,), tuple(range(len(graph)))]:
        check(graph, 7, kept)


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("mix", MIXES)
def test_layers_of_generated_networks(mix: str, seed: int) -> None:
    source = Random(5000 + seed)
    graph = network(source, mix, several=seed % 2 == 0)
    check(graph, seed, tuple(source.sample(range(len(graph)), source.randint(1, len(graph)))))


def test_a_number_that_is_none_is_none_on_both() -> None:
    """At the same places of each layer, the convolution before the bound among them."""
    graph = made(residual)
    weights, values = any_weights(graph, 8), any_values(graph, 9)
    values[40] = nan
    every = tuple(range(len(graph)))
    wanted: dict[int, Tensor] = {}
    got: dict[int, Tensor] = {}
    reference.run(graph, weights, values.tolist(), threads=1, kept=every, take=wanted.__setitem__)
    prepare(graph, weights, 2, kept=every).run(values, got.__setitem__)
    for node in every:
        assert any(map(isnan, wanted[node].values))
        assert [isnan(value) for value in got[node].values] == [isnan(value) for value in wanted[node].values]


def test_an_error_of_the_caller_leaves_the_plan_usable() -> None:
    graph = made(residual)
    weights, values = any_weights(graph, 1), any_inputs(graph, 2)
    plan = prepare(graph, weights, 2, kept=(1, 2))
    first = plan.run(values, lambda *_: None).values

    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        plan.run(values, fail)
    assert_close(plan.run(values, lambda *_: None).values, first, 0.0)


def test_what_is_kept_takes_its_memory_only_until_it_is_read() -> None:
    """Sixty layers kept of a chain take no more than a few maps."""
    net = Network(16, 40, 40)
    for _ in range(60):
        net.add("conv", filters=16, kernel=1)
        net.add("relu")
    graph = net.graph()
    weights = any_weights(graph, 1)
    alone = prepare(graph, weights, 1).activation_bytes
    kept = prepare(graph, weights, 1, kept=tuple(range(len(graph)))).activation_bytes
    assert kept <= alone + 4 * 4 * 16 * 40 * 40


def test_a_plan_that_keeps_nothing_is_as_before() -> None:
    graph = made(residual)
    weights = any_weights(graph, 1)
    assert prepare(graph, weights, 1)._lowered.outside == ()
