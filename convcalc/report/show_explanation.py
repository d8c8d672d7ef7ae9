"""`show --explain`: the worked formulas of a network, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from convcalc.analysis.analyse import Analysis
from convcalc.analysis.explain import explain
from convcalc.graph import INPUT, Graph, Node
from convcalc.ops import Working
from convcalc.render.layout import Line, TextSpan, cells, wrap
from convcalc.render.table import Column, Table, notes
from convcalc.report import words

MIN_ROOM = 20  # columns for a worked line, however narrow the terminal


class Explanation(NamedTuple):
    """A layer explained: its operator and what it reads and gives, in words, and its worked formulas."""

    node: Node
    operator: str
    flow: str
    lines: Sequence[Working]


def within(name: str, paths: Sequence[str]) -> bool:
    """Whether a layer is that of one of the paths, or lies in it."""
    return any(name == path or name.startswith(path + ".") for path in paths)


def explanations(analysis: Analysis, *, only: Sequence[str] = ()) -> Iterator[Explanation]:
    """Every layer that has something to work out. only: the layers of these paths, or in them, each of them."""
    for node in analysis.graph:
        if only and not within(node.name, only):
            continue
        lines = explain(analysis, node)
        if lines or only:
            yield Explanation(node, words.operator(node.op), _flow(analysis.graph, node), lines)


def _flow(graph: Graph, node: Node) -> str:
    """`96×27×27 → 256×23×23`; where it does not read the layer before alone, with the names of what it reads."""
    named = node.inputs != (node.index - 1 if node.index else INPUT,)
    given = [
        words.shape(shape) + (f" of {words.relative(graph.input_name(source), node.name)}" if named else "")
        for source, shape in zip(node.inputs, node.input_shapes, strict=True)
    ]
    return f"{' and '.join(given)} → {words.shape(node.output_shape)}"


def explanation_lines(explained: Sequence[Explanation], width: int | None) -> Iterator[Line]:
    """A heading per layer, its lines indented under it, labels in one column. width None: nothing is wrapped."""
    labels = max((cells(line.what) for item in explained for line in item.lines), default=0)
    indent = labels + 6
    room = None if width is None else max(MIN_ROOM, width - indent)
    for number, item in enumerate(explained):
        if number:
            yield [TextSpan("")]
        yield from _heading(item, width)
        for line in item.lines:
            for place, part in enumerate(wrap(line.text, room)):
                label = f"    {line.what:<{labels}}  " if place == 0 else " " * indent
                yield [TextSpan(label, "dim"), TextSpan(part)]


def _heading(item: Explanation, width: int | None) -> Iterator[Line]:
    start: Line = [TextSpan(item.node.name, "bold cyan"), TextSpan(f"  {item.operator}   ")]
    if width is None or sum(cells(span.text) for span in start) + cells(item.flow) <= width:
        yield [*start, TextSpan(item.flow, "dim")]
        return
    yield start
    yield from (
        [TextSpan("    "), TextSpan(part, "dim")] for part in wrap(item.flow, max(MIN_ROOM, width - 4))
    )


def explanation_table(analysis: Analysis, *, only: Sequence[str] = ()) -> Table:
    """The worked formulas, one a row, for the formats that are not a screen."""
    return Table(
        columns=(
            Column("layer", "layer", lambda row: row[0].name),
            Column("what", "figure", lambda row: row[1].what),
            Column("working", "working", lambda row: row[1].text),
        ),
        rows=[(item.node, line) for item in explanations(analysis, only=only) for line in item.lines],
        title=analysis.graph.title or analysis.graph.name,
        notes=() if only else notes(analysis.graph.notes),
    )
