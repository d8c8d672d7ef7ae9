"""Values that no input reaches, such as learned tensors and what is looked up in them: they are computed once."""

from __future__ import annotations

from convcalc.graph import Graph


def fixed_nodes(graph: Graph) -> frozenset[int]:
    """The nodes whose value is the same in every run."""
    found: set[int] = set()
    for node in graph:
        if found.issuperset(node.inputs):
            found.add(node.index)
    return frozenset(found)
