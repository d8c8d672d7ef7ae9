"""The graph style: boxes from top to bottom, with branches, joins, frames and sizes, as a scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from convcalc.analysis.boxes import Box, Boxes
from convcalc.render.drawing import lettering, palette
from convcalc.render.drawing.graph.columns import Part, chosen, placed
from convcalc.render.drawing.graph.lines import simplified, strokes
from convcalc.render.drawing.graph.place import (
    CIRCLE,
    FIRST_LINE,
    FURTHER_LINES,
    LINE,
    NOTE,
    NOTE_LINE,
    PILL_TEXT,
    SIZE_APART,
    Canvas,
    Lettered,
    Margin,
    Outline,
    lettered,
)
from convcalc.render.drawing.graph.series import Structure
from convcalc.render.drawing.graph.stack import COPY, LABEL_APART, Stack, labels
from convcalc.render.drawing.graph.ushape import Ladder, before_and_u, u_of
from convcalc.render.drawing.legend import Legend, legend_items
from convcalc.render.drawing.scene import (
    Circle,
    Edge,
    Item,
    Placed,
    Rectangle,
    Scene,
    Text,
)
from convcalc.shapes import Shape, show

MARGIN = 16.0
SIZE = 9.5  # of the sizes in the margin
SIZE_LINE = 13.0  # least distance of two sizes
LEGEND_APART = 18.0
MAX_NAME = 400.0  # of the network, in its description
LEAST_LEGEND = 260.0  # what its rows may take on a narrow page
MARKS = ("added", "removed", "changed")


def draw(
    boxes: Boxes,
    *,
    columns: int | None = None,
    sizes: str = "chw",
    colours: Mapping[int, str] | None = None,
    legend: Legend | None = None,
    marks: Mapping[int, str] | None = None,
) -> Scene:
    """The graph of a network as a scene.

    columns: the trunk is broken into so many, where it can be; by default into as many as bring the page near 16:9.
    sizes: `chw` or `hwc`, the order in which sizes are written. colours: the fill of boxes by key, `ramp:0.25`; other
    boxes are then white. legend: at the bottom. marks: `same`, `changed`, `added` or `removed` by key, for one of two
    networks.
    """
    marks = marks or {}
    words = [_size(box.shape, sizes) for box in boxes.boxes]
    given = [box.key for box in boxes.boxes if box.kind == "input"]
    own = {key: words[key] for key in given} if len(given) > 1 else {}  # they cannot all be beside the margin
    written = {
        box.key: lettered(
            box, own.get(box.key, ""), mark if (mark := marks.get(box.key, "")) in MARKS else ""
        )
        for box in boxes.boxes
    }
    structure = Structure(boxes, written)
    canvas = Canvas()
    widths = {key: lettering.width(word, SIZE) for key, word in enumerate(words)}
    parts, margins = _parts(boxes, structure, written, widths, columns)
    right, bottom = placed(canvas, parts, margins, MARGIN, MARGIN)
    items: list[Item] = []
    for outline in canvas.outlines:
        items += _frame(outline)
    edges = [(source, target, simplified(points)) for source, target, points in canvas.edges]
    items += strokes(edges)
    places: list[Placed] = []
    for box in boxes.boxes:
        x, top = canvas.places[box.key]
        fill = _fill(box, colours, marks)
        items += _drawn(box, written[box.key], x, top, fill, marks.get(box.key, ""))
        items += _note(box, structure, written[box.key], x, top, risen=box.key in canvas.risen)
        places.append(_placed(box, written[box.key], words[box.key], x, top))
    for margin in canvas.margins:
        beside = tuple([key for key in margin.keys if key not in own])
        items += _sizes(margin._replace(keys=beside), canvas, written, words)
    for x, base, before, key in canvas.captions:
        items.append(Text(x, base, f"{before}{words[key]}", SIZE, ink="muted", anchor="middle"))
    width, height = right + MARGIN, bottom + MARGIN
    if legend is not None:
        drawn, wide, tall = legend_items(
            legend, MARGIN, bottom + LEGEND_APART, max(width - 2 * MARGIN, LEAST_LEGEND)
        )
        items += drawn
        width, height = max(width, wide + 2 * MARGIN), height + LEGEND_APART + tall
    return Scene(
        width,
        height,
        boxes.title or boxes.name,
        f"The graph of {lettering.cut(boxes.name, MAX_NAME, SIZE)}: {len(boxes.boxes)} boxes from top to bottom.",
        tuple(items),
        tuple(places),
        tuple([Edge(boxes.boxes[a].name, boxes.boxes[b].name, path) for a, b, path in edges]),
    )


def _parts(
    boxes: Boxes,
    structure: Structure,
    written: Mapping[int, Lettered],
    widths: Mapping[int, float],
    columns: int | None,
) -> tuple[list[Part], list[float]]:
    """The columns, and what the sizes at the right of each take."""

    def margin(part: Stack) -> float:
        return max([widths[key] for key in part.keys]) + SIZE_APART

    found = u_of(boxes, structure.stack, written)
    if found is not None and columns == 1:
        return [Ladder(found, written, widths)], [0.0]
    if found is not None:
        before, ladder = before_and_u(found, written, widths, margin)
        return [*before, ladder], [*[margin(part) for part in before], 0.0]
    parts = chosen(structure.stack, margin, columns)
    return list(parts), [margin(part) for part in parts]


def _size(shape: Shape, sizes: str) -> str:
    return show((*shape[1:], shape[0]) if sizes == "hwc" and len(shape) > 1 else shape)


def _fill(box: Box, colours: Mapping[int, str] | None, marks: Mapping[int, str]) -> str:
    if box.key in marks:
        return marks[box.key]
    if colours is not None:
        return colours.get(box.key, "ramp:0")
    return box.kind


def _drawn(box: Box, text: Lettered, x: float, top: float, fill: str, mark: str) -> list[Item]:
    ink = palette.on(fill)
    dashed = mark in ("added", "removed")
    if box.form == "join":
        symbol = text.lines[0]
        wide = lettering.width(symbol, 12.0, bold=True)
        return [
            Circle(x, top + CIRCLE, CIRCLE, fill),
            Text(x, top + CIRCLE + 4.2, symbol, 12.0, bold=True, ink=ink, anchor="middle", fit=wide),
        ]
    left = x - text.width / 2
    if box.form == "pill":
        wide = lettering.width(text.lines[0], PILL_TEXT, bold=True)
        return [
            Rectangle(left, top, text.width, text.height, fill, radius=text.height / 2, dashed=dashed),
            Text(x, top + 11.4, text.lines[0], PILL_TEXT, bold=True, ink=ink, anchor="middle", fit=wide),
        ]
    items: list[Item] = [Rectangle(left, top, text.width, text.height, fill, radius=4, dashed=dashed)]
    for index, line in enumerate(text.lines):
        size, bold = (FIRST_LINE, True) if index == 0 else (FURTHER_LINES, False)
        wide = lettering.width(line, size, bold=bold)
        base = top + 5 + LINE * index + 10
        items.append(Text(x, base, line, size, bold=bold, ink=ink, anchor="middle", fit=wide))
    return items


def _note(box: Box, structure: Structure, text: Lettered, x: float, top: float, *, risen: bool) -> list[Item]:
    """The name of an output at its box."""
    note = structure.note(box.key)
    if not note:
        return []
    if structure.read(box.key):
        return [
            Text(x - text.width / 2 - 5, top + text.height / 2 + 3, note, NOTE, ink="muted", anchor="end")
        ]
    base = top - 4 if risen else top + text.height + NOTE_LINE
    return [Text(x, base, note, NOTE, ink="muted", anchor="middle")]


def _placed(box: Box, text: Lettered, size: str, x: float, top: float) -> Placed:
    label = ", ".join([*box.words, f"output {size}"]) if box.words else f"{box.name}, output {size}"
    left = x - text.width / 2
    return Placed(
        box.name, lettering.plain(label[:300]), left, top, left + text.width, top + text.height, box.layers
    )


def _frame(outline: Outline) -> list[Item]:
    """A frame with its copies behind it and its name at its left."""
    frame, left, top, right, bottom = outline
    items: list[Item] = []
    for copy in (2, 1, 0) if frame.times > 1 else (0,):
        items.append(
            Rectangle(
                left + COPY * copy,
                top - COPY * copy,
                right - left,
                bottom - top,
                "frame",
                "frame-line",
                radius=6,
            )
        )
    for line in labels(frame):
        ink = "ink" if line.bold else "muted"
        items.append(
            Text(left - LABEL_APART, top + line.down, line.text, line.size, line.bold, ink, anchor="end")
        )
    return items


def _sizes(
    margin: Margin, canvas: Canvas, written: Mapping[int, Lettered], words: Sequence[str]
) -> list[Text]:
    """The sizes of boxes beside them, where they change."""
    found: list[Text] = []
    last, at = "", float("inf")
    for key in margin.keys:
        middle = canvas.places[key][1] + written[key].height / 2
        if words[key] != last and abs(middle - at) >= SIZE_LINE:
            found.append(Text(margin.x, middle + 3.3, words[key], SIZE, ink="muted", anchor=margin.anchor))
            last, at = words[key], middle
    return found
