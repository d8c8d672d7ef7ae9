"""A network as a graph in Graphviz's language: frames as clusters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from convcalc.analysis.boxes import Box, Boxes
from convcalc.render.drawing import lettering, palette
from convcalc.render.drawing.outline import (
    MAX_LABEL,
    SIZE,
    Closed,
    Opened,
    frame_label,
    label,
    outline,
    outputs_of,
)

SHAPES = {
    "join": "shape=circle, width=0.35, fixedsize=true, margin=0",
    "pill": 'style="rounded,filled", margin="0.1,0.02", height=0.25',
}


def text(
    boxes: Boxes, *, sizes: Literal["chw", "hwc"] = "chw", fills: Mapping[int, str] | None = None
) -> str:
    """The graph. fills: by the key of a box, another role of the palette, or colour, than that of its kind."""
    return "\n".join(_lines(boxes, sizes, fills or {})) + "\n"


def _lines(boxes: Boxes, sizes: Literal["chw", "hwc"], fills: Mapping[int, str]) -> Iterator[str]:
    font = 'fontname="Helvetica,Arial,sans-serif"'
    line, ink = palette.colour("line"), palette.colour("ink")
    frame = f'style="rounded,filled"; fillcolor="{palette.colour("frame")}"; color="{palette.colour("frame-line")}"'
    title = _quoted([lettering.cut(boxes.title or boxes.name, 2 * MAX_LABEL, SIZE)])
    yield f"digraph {_quoted([lettering.cut(boxes.name, MAX_LABEL, SIZE)])} {{"
    yield f'  graph [label={title}, labelloc=t, charset="UTF-8", {font}, fontcolor="{ink}", ranksep=0.3]'
    yield f'  node [shape=box, style=filled, color="{line}", {font}, fontsize=11, height=0.3, margin="0.12,0.06"]'
    yield f'  edge [color="{line}", arrowsize=0.6]'
    outputs = outputs_of(boxes)
    for depth, item in outline(boxes):
        indent = "  " * (depth + 1)
        if isinstance(item, Opened):
            yield f"{indent}subgraph cluster_{item.number} {{"
            yield f"{indent}  label={_quoted([frame_label(item.frame)])}; labeljust=l; fontsize=11; {frame}"
        elif isinstance(item, Closed):
            yield f"{indent}}}"
        else:
            lines = label(item, sizes, outputs.get(item.key, ()))
            yield f"{indent}n{item.key} [{_attributes(item, lines, fills.get(item.key, item.kind))}]"
    for box in boxes.boxes:
        for source in box.inputs:
            yield f"  n{source} -> n{box.key}"
    yield "}"


def _attributes(box: Box, lines: list[str], role: str) -> str:
    fill, ink = palette.colour(role), palette.colour(palette.on(role))
    name = _quoted([lettering.cut(box.name, 2 * MAX_LABEL, SIZE)])
    parts = [f"label={_quoted(lines)}", f"tooltip={name}", f'fillcolor="{fill}"', f'fontcolor="{ink}"']
    if box.form in SHAPES and len(lines) == 1:
        parts.append(SHAPES[box.form])
    return ", ".join(parts)


def _quoted(lines: list[str]) -> str:
    return '"' + "\\n".join(map(_escaped, lines)) + '"'


def _escaped(line: str) -> str:
    """Graphviz reads entities and backslashes in a quoted text."""
    text = lettering.plain(line).replace("\\", "\\\\").replace("&", "&amp;")
    return text.replace('"', '\\"').replace("<", "&lt;").replace(">", "&gt;")
