"""The place of an operator that is not known: shown, warned of, never run."""

from __future__ import annotations

import pytest

import convcalc
from convcalc.backends import reference
from convcalc.errors import SpecError, UsageError
from convcalc.graph import Graph
from convcalc.language.load import load_graph
from convcalc.weights.load import random_weights

LAYERS = """\
name: net
input: [3, 9, 7]
layers:
  - conv: {name: a, K: 4, F: 3}
  - unknown: {name: mixed, op: Einsum, shape: [6, 5, 4], from: [a, input]}
  - conv: {name: b, K: 2, F: 1}
  - unknown: {op: Einsum, shape: [20]}
  - unknown: {op: GridSample, shape: [20]}
"""


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "net.yaml"
    file.write_text(LAYERS)
    return str(file)


def test_it_is_wired_shown_and_warned_of(path):
    graph = load_graph(path)
    assert [node.inputs for node in graph] == [(-1,), (0, -1), (1,), (2,), (3,)]
    assert [node.output_shape for node in graph][1:] == [(6, 5, 4), (2, 5, 4), (20,), (20,)]
    assert graph.warnings == (
        "3 layers are of operators that convcalc does not know, and not counted: Einsum ×2, GridSample",
    )
    net = convcalc.load(path)
    assert net.totals.params == (4 * 3 * 9 + 4) + (2 * 6 + 2)
    assert net.totals.macs == 4 * 3 * 9 * 35 + 2 * 6 * 20
    assert net.layers[2].receptive_field is not None  # of all of the image, which nothing less can be said of
    assert "unknown op Einsum shape 6×5×4" in net.show().to_text("table")


def test_it_cannot_be_run(path, tmp_path):
    graph = load_graph(path)
    message = r"net cannot be run: convcalc does not know the operator of mixed \(Einsum\), unknown2"
    with pytest.raises(UsageError, match=message):
        reference.run(graph, random_weights(graph), [0.0] * 189)
    with pytest.raises(UsageError, match=message):
        convcalc.load(path).forward("nowhere.png")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("unknown", "unknown needs op and shape"),
        ("unknown: {op: 3, shape: [4]}", "unknown: op needs a text, not 3"),
        ("unknown: {op: Einsum, shape: 4}", "unknown: shape needs a list of 1 to"),
    ],
)
def test_what_it_needs(tmp_path, entry, message):
    file = tmp_path / "net.yaml"
    file.write_text(f"input: [3, 9, 7]\nlayers: [{entry}]\n")
    with pytest.raises(SpecError, match=message):
        assert isinstance(load_graph(str(file)), Graph)
