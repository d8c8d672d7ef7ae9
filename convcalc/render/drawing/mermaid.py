"""A network as a Mermaid flowchart: frames as subgraphs, kinds as classes."""

from __future__ import annotations

import json
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

# Written as they are; letters and digits of every script are, too. All else becomes an entity: #35;
PLAIN = frozenset(" .,:+-−×÷·–→…_/=²³√∪∖")
BACKSLASH = "∖"  # one like it: Mermaid reads a backslash before an n as the end of the line, entity or not


def text(
    boxes: Boxes, *, sizes: Literal["chw", "hwc"] = "chw", fills: Mapping[int, str] | None = None
) -> str:
    """The flowchart. fills: by the key of a box, another role of the palette, or colour, than that of its kind."""
    return "\n".join(_lines(boxes, sizes, fills or {})) + "\n"


def _lines(boxes: Boxes, sizes: Literal["chw", "hwc"], fills: Mapping[int, str]) -> Iterator[str]:
    title = lettering.cut(boxes.title or boxes.name, 2 * MAX_LABEL, SIZE)
    yield from ("---", f"title: {json.dumps(title)}", "---", "flowchart TB")
    outputs = outputs_of(boxes)
    roles: dict[str, list[int]] = {}
    for depth, item in outline(boxes):
        indent = "  " * (depth + 1)
        if isinstance(item, Opened):
            yield f"{indent}subgraph f{item.number}[{_quoted([frame_label(item.frame)])}]"
        elif isinstance(item, Closed):
            yield f"{indent}end"
        else:
            roles.setdefault(fills.get(item.key, item.kind), []).append(item.key)
            yield f"{indent}n{item.key}{_shaped(item, label(item, sizes, outputs.get(item.key, ())))}"
    for box in boxes.boxes:
        for source in box.inputs:
            yield f"  n{source} --> n{box.key}"
    line = palette.colour("line")
    for number, (role, keys) in enumerate(roles.items()):
        name = role if role.isalpha() else f"c{number}"
        name = "inputs" if name == "input" else name
        fill, ink = palette.colour(role), palette.colour(palette.on(role))
        yield f"  classDef {name} fill:{fill},stroke:{line},color:{ink}"
        yield f"  class {','.join(f'n{key}' for key in keys)} {name}"
    if boxes.frames:
        fill, stroke, ink = (palette.colour(role) for role in ("frame", "frame-line", "ink"))
        yield f"  classDef frame fill:{fill},stroke:{stroke},color:{ink}"
        yield f"  class {','.join(f'f{number}' for number in range(len(boxes.frames)))} frame"


def _shaped(box: Box, lines: list[str]) -> str:
    """`["conv K64"]`, a join in a circle, a concatenation in a pill."""
    before, after = {"join": ("((", "))"), "pill": ("([", "])")}.get(box.form, ("[", "]"))
    return f"{before}{_quoted(lines)}{after}"


def _quoted(lines: list[str]) -> str:
    return '"' + "<br/>".join(map(_escaped, lines)) + '"'


def _escaped(line: str) -> str:
    return "".join(
        [
            c if c.isalnum() or c in PLAIN else f"#{ord(c)};"
            for c in lettering.plain(line).replace("\\", BACKSLASH)
        ]
    )
