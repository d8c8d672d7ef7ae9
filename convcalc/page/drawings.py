"""The drawings of a page: a network folded to each depth, as SVG, and what the script needs to know of each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import hypot
from typing import Any, NamedTuple

from convcalc.analysis.analyse import Analysis
from convcalc.analysis.boxes import Box, Boxes, boxes
from convcalc.render.drawing import svg
from convcalc.render.drawing.graph.draw import draw
from convcalc.render.drawing.paths import written
from convcalc.render.drawing.scene import Placed, Scene, Text
from convcalc.report import words

MAX_BOXES = 1_200  # of one drawing in a page
MAX_DEPTHS = 4
FEW = 4  # boxes below which a depth tells too little to be worth a drawing
SHOWN = 60  # boxes up to which the deepest drawing is shown first
ONE_COLUMN = 20  # boxes of one of two networks that stand in one column
COPY = "copy "  # what stands before the size that a U hands across
CHANNELS = re.compile(r"(conv K|deconv K|dense )(\d+)(.*)")  # of a box's words: what surrounds the channels


class Drawing(NamedTuple):
    """A drawing and its entry in the page's data."""

    svg: str
    value: dict[str, Any]
    boxes: int


def drawings(
    analysis: Analysis, letter: str, statuses: Mapping[int, str] | None = None
) -> tuple[list[Drawing], int]:
    """A drawing per depth, the coarsest first, and which is shown first. letter: what its ids begin with;
    statuses: of two networks, what became of each layer, by its index."""
    whole = boxes(analysis)
    deepest = max((node.name.count(".") for node in analysis.graph), default=0) - whole.prefix.count(".")
    found: list[tuple[str, Boxes]] = []
    for depth in range(1, min(deepest, 8) + 1):
        folded = boxes(analysis, depth=depth + whole.prefix.count("."))
        known = found[-1][1] if found else None
        if FEW <= len(folded.boxes) < len(whole.boxes) and (
            known is None or len(folded.boxes) > len(known.boxes)
        ):
            found.append((str(depth), folded))
    found = found[: MAX_DEPTHS - 1]
    found.append(("all", whole))
    found = [(label, given) for label, given in found if len(given.boxes) <= MAX_BOXES]
    made = [
        _drawing(label, given, f"{letter}{place}-", None if statuses is None else _marks(given, statuses))
        for place, (label, given) in enumerate(found)
    ]
    shown = max((place for place, drawing in enumerate(made) if drawing.boxes <= SHOWN), default=0)
    return made, shown


def _drawing(label: str, given: Boxes, prefix: str, marks: Mapping[int, str] | None = None) -> Drawing:
    narrow = None if marks is None else 1 if len(given.boxes) <= ONE_COLUMN else 2
    scene = draw(given, marks=marks, columns=narrow)
    value = {
        "label": label,
        "copies": {box.key: box.copies for box in given.boxes if box.copies},
        "texts": list(_figures(given, scene)),
    }
    return Drawing(svg.document(scene, prefix=prefix, embedded=True), value, len(given.boxes))


def _figures(given: Boxes, scene: Scene) -> Iterator[list[Any]]:
    """The text elements that hold figures, which the page's sliders write anew: `[number, layer, before, after, main]`.

    number: of the text element in the SVG; before, after: what stands around the channels in a box's words; before is
    None where the text is the size of the layer's output outside its box, or of one of several inputs in its box,
    with the word `after` in front, if there is one. layer: -1 - n for the network's input n; None for what a frame
    says of its copies. main: the layer whose operator the box's words name, or None.
    """
    notes = {frame.note for frame in given.frames if frame.note}
    elements = (item for item in scene.items if isinstance(item, Text) and written(item.text).strip())
    areas = list(zip(given.boxes, scene.boxes, strict=True))
    sizes: dict[str, list[tuple[Box, Placed]]] = {}
    for box, area in areas:
        sizes.setdefault(words.shape(box.shape), []).append((box, area))
    for number, text in enumerate(elements):
        middle = text.y - 3
        if text.text in notes:
            yield [number, None, None, None, None]
            continue
        copy = COPY if text.text.startswith(COPY) else ""
        sized = sizes.get(text.text.removeprefix(copy))
        holder = next((pair for pair in areas if _holds(pair[1], text)), None)
        if sized is not None and (holder is None or (not holder[0].layers and holder in sized)):
            box, _ = holder or min(sized, key=lambda pair: _distance(text, pair[1]))
            yield [number, box.layers[-1] if box.layers else -1 - box.key, None, copy or None, None]
            continue
        for box, area in areas:
            if box.form == "join" or not area.top <= middle <= area.bottom:
                continue
            layer = box.layers[-1] if box.layers else -1 - box.key
            if area.left <= text.x <= area.right:
                found = CHANNELS.fullmatch(text.text)
                main = box.layers[0] if box.op is not None and text.text == box.words[0] else None
                if found and box.layers and int(found[2]) == box.shape[0]:
                    yield [number, layer, found[1], found[3], main]
                    break
                if main is not None and any(map(str.isdigit, text.text)):
                    yield [number, layer, text.text, None, main]
                    break


def _holds(area: Placed, text: Text) -> bool:
    """Whether a text stands in a box."""
    return area.left <= text.x <= area.right and area.top <= text.y <= area.bottom


def _distance(text: Text, area: Placed) -> tuple[bool, float]:
    """How far a size is from a box: beside its middle comes first, on either side."""
    beside = abs(text.y - 3.3 - (area.top + area.bottom) / 2) < 1
    across = max(area.left - text.x, text.x - area.right, 0.0)
    down = max(area.top - text.y, text.y - area.bottom, 0.0)
    return not beside, float(hypot(across, down))


def _marks(given: Boxes, statuses: Mapping[int, str]) -> dict[int, str]:
    """What became of each box: of all copies of its layers, pointwise layers included."""
    marks = {}
    for box in given.boxes:
        layers = [*box.layers, *(layer for copy in box.copies for layer in copy)]
        found = {statuses[layer] for layer in layers}
        if layers:
            marks[box.key] = found.pop() if len(found) == 1 else "changed"
    return marks
