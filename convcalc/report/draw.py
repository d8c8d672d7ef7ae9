"""`draw`: a network, or two side by side, as a picture in the format of a file's suffix, or in characters."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from convcalc.errors import UsageError
from convcalc.render.layout import Line, TextSpan, wrap

if TYPE_CHECKING:
    from convcalc.analysis.boxes import Boxes
    from convcalc.render.drawing.legend import Legend
    from convcalc.render.drawing.scene import Scene

STYLES = ("volumes", "maps", "graph")
COLOURS = ("kind", "macs", "params", "memory", "time", "field")
SIZES = ("chw", "hwc")
TEXTS = (".mmd", ".dot")  # the graph only
PICTURES = (".svg", ".png", ".pdf", ".tex")
SUFFIXES = (*PICTURES, *TEXTS)
WITH_WIDTH = (".png", ".pdf", ".tex")  # pixels, millimetres
SCALES = ("sqrt", "log")
MARKS = (("same", "same"), ("changed", "changed"), ("removed", "only in A"), ("added", "only in B"))
TITLES = {
    "macs": "MACs",
    "params": "params",
    "memory": "activations",
    "time": "time on one processor",
    "field": "receptive field",
}
SHARES = ((0.0, 0.0), (1 / 16, 0.25), (1 / 4, 0.5), (1.0, 1.0))  # of the largest value, and where on the ramp


@dataclass(frozen=True)
class Figure:
    """One network of a drawing. values: by the box's key, what its colour shows, if that is a number; marks: by key,
    `same`, `changed`, `added` or `removed`, if two networks are drawn."""

    boxes: Boxes
    values: Mapping[int, float | None] = field(default_factory=dict)
    marks: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Drawing:
    """A network, or two, and how to draw them.

    style: volumes, maps or graph; sizes: chw or hwc; color_by: what the colour shows. pairs: names of boxes of two
    networks that correspond. columns: of the graph, as many as fit a slide if None. width: pixels or millimetres.
    compact: for print 8 cm wide; scale: of volumes, sqrt or log. notes: for the user.
    """

    figures: tuple[Figure, ...]
    style: str
    color_by: str = "kind"
    sizes: Literal["chw", "hwc"] = "chw"
    columns: int | None = None
    width: int | None = None
    compact: bool = False
    scale: Literal["sqrt", "log"] = "sqrt"
    pairs: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The networks' names."""
        return " and ".join([figure.boxes.name for figure in self.figures])

    @property
    def scene(self) -> Scene:
        """The drawing."""
        return _scene(self)


def check_file(path: str, style: str | None, width: int | None = None, *, two: bool = False) -> None:
    """Raise UsageError if a file of this name cannot be written, or not in this style, or has no width."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in SUFFIXES:
        raise UsageError(
            f"-o {path}: cannot draw {suffix or 'a file without a suffix'}",
            hint=f"use one of {', '.join(SUFFIXES)}; without -o it is drawn in characters",
        )
    if suffix in TEXTS and style not in (None, "graph"):
        raise UsageError(f"-o {path}: {suffix} holds a graph, not {style}", hint="--style graph, or .svg")
    if suffix in TEXTS and two:
        raise UsageError(f"-o {path}: {suffix} holds one network", hint=f"use {', '.join(PICTURES)}")
    if width is not None and suffix not in WITH_WIDTH:
        raise UsageError(
            f"--width is of .png (pixels), .pdf and .tex (millimetres), and {suffix} has none",
            hint="leave it out",
        )


def drawing_summary(drawing: Drawing) -> str:
    """One line."""
    count = sum(len(figure.boxes.boxes) for figure in drawing.figures)
    return f"Drawing of {drawing.name}: {count} boxes in style {drawing.style}"


def drawing_value(drawing: Drawing) -> dict[str, Any]:
    """The boxes and their connections as a dict."""
    return {
        "name": drawing.name,
        "style": drawing.style,
        "networks": [
            {
                "name": figure.boxes.name,
                "boxes": [
                    {
                        "name": box.name,
                        "kind": box.kind,
                        "words": list(box.words),
                        "shape": list(box.shape),
                        "inputs": [figure.boxes.boxes[key].name for key in box.inputs],
                        "value": figure.values.get(box.key),
                        "mark": figure.marks.get(box.key),
                    }
                    for box in figure.boxes.boxes
                ],
            }
            for figure in drawing.figures
        ],
    }


def drawing_file(drawing: Drawing, path: str) -> bytes:
    """The bytes of a file of this name. Raises UsageError for another suffix."""
    check_file(path, drawing.style, drawing.width, two=len(drawing.figures) > 1)
    suffix = os.path.splitext(path)[1].lower()
    if suffix in TEXTS:
        from convcalc.render.drawing import dot, mermaid

        write = mermaid.text if suffix == ".mmd" else dot.text
        figure = drawing.figures[0]
        return write(figure.boxes, sizes=drawing.sizes, fills=_colours(drawing, figure)).encode()
    from convcalc.render.drawing.files import encoded

    return encoded(drawing.scene, suffix, drawing.width)


# -- scenes ------------------------------------------------------------------------------------------------


def _scene(drawing: Drawing) -> Scene:
    if len(drawing.figures) == 1:
        return _one(drawing, drawing.figures[0], _legend(drawing))
    from convcalc.render.drawing.beside import beside

    one = replace(drawing, columns=1 if drawing.style == "graph" else drawing.columns)
    a, b = (_one(one, figure, None) for figure in drawing.figures)
    direction = "down" if drawing.style == "graph" else "across"
    return beside(a, b, drawing.pairs, direction, _legend(drawing))  # type: ignore[arg-type]


def _one(drawing: Drawing, figure: Figure, legend: Legend | None) -> Scene:
    colours, marks = _colours(drawing, figure), figure.marks or None
    if drawing.style == "graph":
        from convcalc.render.drawing.graph.draw import draw as graph

        return graph(
            figure.boxes,
            columns=drawing.columns,
            sizes=drawing.sizes,
            colours=colours,
            legend=legend,
            marks=marks,
        )
    if drawing.style == "maps":
        from convcalc.render.drawing.maps import draw as maps

        return maps(
            figure.boxes,
            sizes=drawing.sizes,
            compact=drawing.compact,
            wrap=len(drawing.figures) == 1,
            colours=colours,
            legend=legend,
            marks=marks,
        )
    from convcalc.render.drawing.volumes import draw as volumes

    return volumes(
        figure.boxes,
        sizes=drawing.sizes,
        compact=drawing.compact,
        wrap=len(drawing.figures) == 1,
        law=drawing.scale,
        colours=colours,
        legend=legend,
        marks=marks,
    )


def _colours(drawing: Drawing, figure: Figure) -> dict[int, str] | None:
    """The fill of each box by its key; None: by kind, or by the marks."""
    if figure.marks or drawing.color_by == "kind":
        return None
    largest = max([value for value in figure.values.values() if value is not None], default=0)
    return {
        key: "other" if value is None else f"ramp:{round((value / largest) ** 0.5, 3) if largest else 0}"
        for key, value in figure.values.items()
    }


def _legend(drawing: Drawing) -> Legend | None:
    from convcalc.render.drawing.legend import Legend

    if len(drawing.figures) == 2:
        used = {mark for figure in drawing.figures for mark in figure.marks.values()}
        return Legend("", tuple([entry for entry in MARKS if entry[0] in used]))
    if drawing.color_by == "kind":
        return None
    values = drawing.figures[0].values
    largest = max([value for value in values.values() if value is not None], default=0)
    entries = [(f"ramp:{place}", _figure(drawing.color_by, largest * share)) for share, place in SHARES]
    if any(value is None for value in values.values()):
        entries.append(("other", "none"))
    times = any(frame.times > 1 for frame in drawing.figures[0].boxes.frames)
    note = "a repeated block: its first copy" if times else ""
    return Legend(TITLES[drawing.color_by], tuple(entries), note)


def _figure(quantity: str, value: float) -> str:
    """A value of the legend with its unit."""
    from convcalc.report import words

    if quantity == "time":
        return f"{value * 1e3:.3g} ms" if value >= 1e-3 else f"{value * 1e6:.3g} µs"
    if quantity == "memory":
        return words.size(round(value))
    if quantity == "field":
        return f"{value:.0f} px"
    from convcalc.render.plot import short

    return short(round(value))


# -- characters --------------------------------------------------------------------------------------------


def drawing_lines(drawing: Drawing, width: int | None) -> Iterator[Line]:
    """The drawing in characters. width: columns; None: nothing is cut or wrapped."""
    for place, figure in enumerate(drawing.figures):
        if place:
            yield []
        letter = f"{'AB'[place]}  " if len(drawing.figures) > 1 else ""
        if drawing.style == "graph":
            boxes = figure.boxes
            yield [TextSpan(letter + (boxes.title or boxes.name), "bold"), TextSpan(f"  {boxes.name}", "dim")]
        elif letter:
            yield [TextSpan(letter.strip(), "bold")]
        yield from _characters(drawing, figure, width)
    if drawing.style == "graph" and (found := _marks_told(drawing)):
        yield [TextSpan(found, "dim")]
    if drawing.color_by != "kind" and drawing.style == "graph":
        yield [
            TextSpan(
                f"at the right: {TITLES[drawing.color_by]} of a box, of its first copy if it is repeated",
                "dim",
            )
        ]
    for note in drawing.notes:
        yield from ([TextSpan(part, "italic")] for part in wrap(note, width))


def _marks_told(drawing: Drawing) -> str:
    """What the marks before boxes mean, those that occur."""
    from convcalc.render.drawing import rails

    used = {mark for figure in drawing.figures for mark in figure.marks.values()}
    return " · ".join(
        [rails.MARKS[mark] + text for mark, text in MARKS if mark in used and mark in rails.MARKS]
    )


def _characters(drawing: Drawing, figure: Figure, room: int | None) -> Iterable[Line]:
    if drawing.style == "graph":
        from convcalc.render.drawing import rails

        notes = {}
        if drawing.color_by != "kind":
            notes = {
                key: _figure(drawing.color_by, value)
                for key, value in figure.values.items()
                if value is not None
            }
        return rails.lines(figure.boxes, room, sizes=drawing.sizes, notes=notes, marks=figure.marks)
    if drawing.style == "maps":
        from convcalc.render.drawing import map_lines

        return map_lines.lines(figure.boxes, room, sizes=drawing.sizes, marks=figure.marks)
    from convcalc.render.drawing import volume_lines

    return volume_lines.lines(figure.boxes, room, sizes=drawing.sizes, marks=figure.marks)
