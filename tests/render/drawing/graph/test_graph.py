"""The graph style over every bundled network: nothing overlaps, no edge is missing."""

from __future__ import annotations

from functools import cache

import pytest

from convcalc.analysis.analyse import Analysis, analyse
from convcalc.analysis.boxes import boxes
from convcalc.language import bundled
from convcalc.language.load import load_graph
from convcalc.render.drawing.graph.draw import draw
from convcalc.render.drawing.measure import faults


@cache
def analysed(name: str) -> Analysis:
    return analyse(load_graph(name))


@pytest.mark.parametrize("name", bundled.members())
@pytest.mark.parametrize("depth", [None, 1])
def test_nothing_overlaps_and_no_edge_is_missing(name: str, depth: int | None) -> None:
    drawn = boxes(analysed(name), depth=depth)
    scene = draw(drawn)
    found = faults(scene)
    assert found.clean, found
    edges = [(drawn.boxes[source].name, box.name) for box in drawn.boxes for source in box.inputs]
    assert sorted((edge.source, edge.target) for edge in scene.edges) == sorted(edges)
    assert [box.name for box in scene.boxes] == [box.name for box in drawn.boxes]
