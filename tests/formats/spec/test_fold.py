"""Graphs as readable specs, and back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings

from convcalc.errors import SpecError
from convcalc.formats.spec.fold import fold, folded
from convcalc.formats.spec.text import document_text
from convcalc.graph import Graph
from convcalc.language import bundled
from convcalc.language.load import load_graph, load_text
from tests.formats.spec.generated import block_specs, graphs
from tests.formats.spec.networks import described


@pytest.mark.parametrize("name", bundled.members())
def test_bundled_networks_come_back(name: str) -> None:
    graph = load_graph(name)
    document, text = folded(graph)
    again = load_text(text)
    assert described(again) == described(graph)
    assert document_text(document) == text
    assert [entry.name for entry in again.inputs] == [entry.name for entry in graph.inputs]
    assert [output.name for output in again.outputs] == [output.name for output in graph.outputs]
    for key in ("name", "title", "source", "notes", "preprocess", "labels", "labelled", "task", "published"):
        assert getattr(again, key) == getattr(graph, key), key
    named = {node.name for node in graph if node.named or node.parameters}
    assert {node.name for node in again if node.named or node.parameters} == named
    assert [node.name for node in again if node.parameters] == [
        node.name for node in graph if node.parameters
    ]


def test_a_spec_of_layers() -> None:
    graph = load_text("name: two\ninput: [3, 8, 9]\nlayers: [{conv: {filters: 4, kernel: [3, 3]}}, relu]\n")
    assert folded(graph)[1] == (
        "name: two\ninput: [3, 8, 9]\nlayers:\n  - conv: {filters: 4, kernel: 3}\n  - relu\n"
    )
    assert fold(graph).layers[0].reads == (-1,)


@settings(max_examples=60)
@given(graphs())
def test_generated_networks_come_back(graph: Graph) -> None:
    """Random scopes entered again and again, joins, skips, shared weights, gaps in numbers, names of all sorts."""
    text = folded(graph)[1]
    assert described(load_text(text)) == described(graph)


@settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much])
@given(block_specs())
def test_generated_blocks_come_back(text: str) -> None:
    """Blocks in blocks, conditions, runs with a first copy of their own, projections."""
    try:
        graph = load_text(text)
    except SpecError:
        assume(False)
    assert described(load_text(folded(graph)[1])) == described(graph)


def test_exports_are_as_short_as_written_by_hand() -> None:
    """The limits are those of a trial, which folded the same files."""
    most = {"resnet50": 40, "vgg16": 56, "mobilenet_v2": 62, "densenet121": 46, "googlenet": 62}
    for name, limit in most.items():
        graph = without_head(load_graph(f"torchvision/{name}"))
        assert folded(graph)[1].count("\n") <= limit, name


def without_head(graph: Graph) -> Graph:
    """The network as an exported model has it: layers alone, no notes and figures."""
    return replace(
        graph,
        title=None,
        source=None,
        notes=(),
        task=None,
        published={},
        preprocess=None,
        labels=None,
        weights=None,
    )
