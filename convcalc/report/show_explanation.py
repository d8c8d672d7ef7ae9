"""`show --explain`: the worked formulas of a network, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from convcalc.analysis.explain import ExplainedLayer, Explanations
from convcalc.graph import Graph, Node
from convcalc.render.layout import Line, TextSpan, cells, note_lines, wrap
from convcalc.render.table import Column, Table, notes
from convcalc.report import words
from convcalc.report.show import totals_lines
from convcalc.report.values import analysis_value

MIN_ROOM = 20  # minimum width of a formula, even on a narrower terminal


def _flow(graph: Graph, node: Node) -> str:
    """`96×27×27 → 256×23×23`, with the names of the inputs unless the layer reads only the layer before it."""
    named = node.inputs != (node.index - 1,) or (not node.index and len(graph.inputs) > 1)
    given = [
        words.shape(shape) + (f" of {words.relative(graph.input_name(source), node.name)}" if named else "")
        for source, shape in zip(node.inputs, node.input_shapes, strict=True)
    ]
    arrow = " → " if given else ""
    return f"{' and '.join(given)}{arrow}{words.shape(node.output_shape)}"


def explanation_lines(found: Explanations, width: int | None) -> Iterator[Line]:
    """One heading per layer with its formulas indented below, labels aligned; then totals and notes unless only
    some layers were asked for. width None: nothing is wrapped."""
    labels = max((cells(line.what) for layer in found.layers for line in layer.lines), default=0)
    indent = labels + 6
    room = None if width is None else max(MIN_ROOM, width - indent)
    for number, layer in enumerate(found.layers):
        if number:
            yield [TextSpan("")]
        yield from _heading(found.analysis.graph, layer, width)
        for line in layer.lines:
            for place, part in enumerate(wrap(line.text, room)):
                label = f"    {line.what:<{labels}}  " if place == 0 else " " * indent
                yield [TextSpan(label, "dim"), TextSpan(part)]
    if found.only:
        return
    for text in ["", *totals_lines(found.analysis)]:
        yield from ([TextSpan(part)] for part in wrap(text, width))
    for note in notes(found.analysis.graph.notes):
        yield from note_lines(note, width)


def _heading(graph: Graph, layer: ExplainedLayer, width: int | None) -> Iterator[Line]:
    node = layer.node
    flow = _flow(graph, node)
    operator = words.operator(node.op)
    name = TextSpan(node.name, "bold cyan")
    indent = cells(node.name) + 2
    if width is None or indent + cells(operator) + 3 + cells(flow) <= width:
        yield [name, TextSpan(f"  {operator}   "), TextSpan(flow, "dim")]
        return
    if width - indent < MIN_ROOM:  # a long name has its own line
        yield [name]
        yield from ([TextSpan("    "), TextSpan(part)] for part in wrap(operator, max(MIN_ROOM, width - 4)))
    else:
        for place, part in enumerate(wrap(operator, width - indent)):
            yield [name, TextSpan(f"  {part}")] if place == 0 else [TextSpan(" " * indent + part)]
    yield from ([TextSpan("    "), TextSpan(part, "dim")] for part in wrap(flow, max(MIN_ROOM, width - 4)))


def explanation_table(found: Explanations) -> Table:
    """The formulas, one per row, for formats other than the terminal."""
    graph = found.analysis.graph
    return Table(
        columns=(
            Column("layer", "layer", lambda row: row[0].name),
            Column("what", "figure", lambda row: row[1].what),
            Column("working", "working", lambda row: row[1].text),
        ),
        rows=[(layer.node, line) for layer in found.layers for line in layer.lines],
        title=graph.title or graph.name,
        notes=() if found.only else notes(graph.notes),
    )


def explanation_value(found: Explanations) -> dict[str, Any]:
    """JSON of `show --explain`: `show`'s JSON with the working of each layer, only the layers asked for."""
    lines = {layer.node.name: layer.lines for layer in found.layers}
    value = analysis_value(found.analysis)
    value["layers"] = [record for record in value["layers"] if not found.only or record["name"] in lines]
    for record in value["layers"]:
        record["working"] = [{"what": line.what, "text": line.text} for line in lines.get(record["name"], [])]
    return value


def explanation_summary(found: Explanations) -> str:
    """`Explanations of alexnet: 16 layers worked out`."""
    count = words.plural(len(found.layers), "layer")
    return f"Explanations of {found.analysis.graph.name}: {count} worked out"
