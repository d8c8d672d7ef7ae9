"""Graphs as readable specs, and back."""

from __future__ import annotations

import pytest

from convcalc.formats.spec.fold import fold, folded
from convcalc.formats.spec.text import document_text
from convcalc.language import bundled
from convcalc.language.load import load_graph, load_text
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
