"""The number of classes as an argument of a network's class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from convcalc.formats.spec.records import (
    Entry,
    Expression,
    Group,
    Layer,
)
from convcalc.graph import Graph


def heads_of(graph: Graph) -> dict[int, str]:
    """The layers that give a number for each class, where the spec has a variable `classes`: by node, the field."""
    classes = graph.variables.get("classes")
    found = {}
    for output in graph.outputs:
        index = output.node
        while index >= 0 and not graph.nodes[index].parameters and len(graph.nodes[index].inputs) == 1:
            index = graph.nodes[index].inputs[0]
        field_name = graph.nodes[index].op.channels_field if index >= 0 else None
        sized = field_name is not None and getattr(graph.nodes[index].op, field_name) == classes
        if field_name is not None and sized and isinstance(classes, int):
            found[index] = field_name
    return found


def with_classes(layers: Sequence[Entry], heads: Mapping[int, str]) -> tuple[Entry, ...]:
    """The entries outside blocks with the variable `classes` in the layers that it sizes."""
    made: list[Entry] = []
    for entry in layers:
        if isinstance(entry, Group):
            made.append(replace(entry, layers=with_classes(entry.layers, heads)))
            continue
        node = entry.nodes[0] if isinstance(entry, Layer) and entry.nodes else None
        name = None if node is None else heads.get(node)
        if isinstance(entry, Layer) and name is not None:
            entry = replace(entry, fields={**entry.fields, name: Expression("classes")})
        made.append(entry)
    return tuple(made)
