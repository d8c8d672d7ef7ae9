"""The reference backend: parts and processes change nothing, outputs are freed, progress adds up."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest

from convcalc.backends import reference
from convcalc.errors import ConvcalcError
from convcalc.graph import Graph
from convcalc.language.load import load_graph
from convcalc.processes import forked
from convcalc.shapes import elements
from convcalc.weights.load import random_weights

LAYERS = """
  - conv: {filters: 34, kernel: [3, 2], padding: [[0, 1], [1, 0]]}
  - relu
  - conv: {filters: 36, kernel: 3, groups: 2, padding: 1}
  - concat: [[{conv: {depthwise: true, kernel: 3, padding: 1}}], [{maxpool: {kernel: 3, stride: 1, padding: 1}}]]
  - flatten
  - dense: 37
"""


@pytest.fixture
def graph(tmp_path: Path) -> Graph:
    path = tmp_path / "net.yaml"
    path.write_text(f"name: net\ninput: [3, 9, 8]\nlayers:{LAYERS}")
    return load_graph(str(path))


def run(graph: Graph, threads: int, progress=None) -> list[float]:
    values = [Random(7).random() for _ in range(elements(graph.input_shape))]
    return list(
        reference.run(graph, random_weights(graph, 5), values, threads=threads, progress=progress).values
    )


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_cutting_layers_into_parts_changes_no_number(graph: Graph, threads: int, monkeypatch) -> None:
    whole = run(graph, 1)
    monkeypatch.setattr(reference, "WORTH_A_POOL", 0)
    monkeypatch.setattr(reference, "WORTH_CUTTING", 0)
    monkeypatch.setattr(reference, "MIN_CHANNELS", 5)
    assert run(graph, threads) == whole


def test_progress_counts_every_mac(graph: Graph, monkeypatch) -> None:
    monkeypatch.setattr(reference, "WORTH_CUTTING", 0)
    monkeypatch.setattr(reference, "PART", 1000)
    monkeypatch.setattr(reference, "MIN_CHANNELS", 1)
    done: dict[str, int] = {}
    run(graph, 1, lambda node, macs: done.__setitem__(node.name, done.get(node.name, 0) + macs))
    assert done == {node.name: node.op.macs(node.input_shapes) for node in graph}


def test_parts_keep_groups_whole(graph: Graph) -> None:
    grouped = next(node for node in graph if getattr(node.op, "groups", 1) == 2)
    parts = reference.cut(grouped, 10**9, 4)
    assert [part.first % 18 for part in parts] == [0, 0]
    assert [(part.first, part.stop) for part in parts] == [(0, 18), (18, 36)]


def test_seconds_are_given_per_node(graph: Graph) -> None:
    values = [0.5] * elements(graph.input_shape)
    result = reference.run(graph, random_weights(graph, 5), values)
    assert len(result.node_seconds) == len(graph)
    assert result.shape == (37,)


def test_a_worker_that_dies_is_an_error_not_a_hang() -> None:
    def work(item: int) -> int:
        if item == 1:
            os._exit(9)
        return item

    with forked(2, work) as spread:
        assert spread is not None
        with pytest.raises(ConvcalcError, match="ended from outside"):
            list(spread(range(4)))


def test_results_come_in_order() -> None:
    with forked(3, lambda item: item * item) as spread:
        assert spread is not None
        assert list(spread(range(7))) == [0, 1, 4, 9, 16, 25, 36]


def test_fractions_stay_exact_however_many_processes(graph: Graph, monkeypatch) -> None:
    monkeypatch.setattr(reference, "WORTH_A_POOL", 0)
    monkeypatch.setattr(reference, "WORTH_CUTTING", 0)
    whole = random_weights(graph, 5)
    ones = tuple(
        {name: [Fraction(1, 3)] * len(values) for name, values in node.items()} for node in whole.nodes
    )
    values = [Fraction(1, 7)] * elements(graph.input_shape)
    result = reference.run(graph, replace(whole, nodes=ones), values, threads=2)
    assert all(isinstance(value, Fraction) for value in result.values)


def test_what_a_worker_raises_reaches_the_caller() -> None:
    with forked(2, lambda item: 1 // item) as spread:
        assert spread is not None
        with pytest.raises(ZeroDivisionError):
            list(spread([1, 0, 1]))


TWO = """\
name: net
inputs: {left: [1, 2, 3], right: [1, 2, 3]}
outputs: {sum: add1, positive: relu1}
layers:
  - relu: {from: left}
  - add: {from: [relu1, right]}
"""


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(TWO)
    net = load_graph(str(path))
    left, right = [-1.0, 2.0, 3.0, -4.0, 5.0, -6.0], [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]
    run = reference.run(net, random_weights(net), {"right": right, "left": left})
    assert list(run.outputs) == ["sum", "positive"]
    assert run.outputs["positive"] == ((1, 2, 3), [0, 2, 3, 0, 5, 0])
    assert run.outputs["sum"] == ((1, 2, 3), [10, 22, 33, 40, 55, 60])
    assert (run.shape, list(run.values)) == ((1, 2, 3), [10, 22, 33, 40, 55, 60])


@pytest.mark.parametrize("values", [[1.0], {"left": [1.0]}, {"left": [1.0], "right": [1.0], "top": [1.0]}])
def test_each_input_is_given_once(tmp_path: Path, values: object) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(TWO)
    net = load_graph(str(path))
    with pytest.raises(ConvcalcError, match=r"inputs.* left, right"):
        reference.run(net, random_weights(net), values)
