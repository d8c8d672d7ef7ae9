"""Receptive fields drawn over the image: as characters for a terminal, and as scenes.

Pillow is imported inside the functions, because the terminal drawing does not need it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from convcalc.analysis.field import DepthField, MeetingField, PixelField, UnitField
from convcalc.analysis.regions import Box, Region, Span
from convcalc.analysis.units import Position, Sight
from convcalc.errors import UsageError
from convcalc.graph import Graph
from convcalc.render.layout import Line, TextSpan
from convcalc.report import words

if TYPE_CHECKING:
    from PIL.Image import Image as Bitmap

    from convcalc.images.rasters import Raster
    from convcalc.render.drawing.scene import Scene

CELLS = 32  # along the longer side of the terminal drawing; two characters make a cell about square
IMAGE, SEEN, PADDING, MARK = "·", "█", "░", "●"
STYLES = {IMAGE: "dim", SEEN: "green", PADDING: "yellow", MARK: "bold red"}

MAX_WINDOWS, MAX_MAPS = 12, 60  # in one picture
BLANK, BLANK_SEEN = "#e3e6ea", "#9ec3e6"  # an image that is not given, and what is seen of it
FADED = 0.62  # share of white in what a unit does not see


def window_lines(sight: Sight, marks: Sequence[Position] = ()) -> list[str]:
    """The image with a unit's window, as lines of text; [] if the image is not two-dimensional.

    marks: pixels to point out.
    """
    if len(sight.image) > 2 or sight.window is None:
        return []
    image = sight.image if len(sight.image) == 2 else (1, sight.image[0])
    window = sight.window if len(sight.image) == 2 else ((0, 0), sight.window[0])
    region = sight.region if len(sight.image) == 2 else tuple((((0, 0),), box[0]) for box in sight.region)
    points = [mark if len(mark) == 2 else (0, mark[0]) for mark in marks]
    rows, columns = (
        _cells(min(0, low), max(size - 1, high)) for (low, high), size in zip(window, image, strict=True)
    )
    step = max(rows.step, columns.step)  # cells start at pixel 0, so that none is half padding
    rows, columns = (range(side.start // step * step, side.stop, step) for side in (rows, columns))
    lines = []
    for row in rows:
        line = []
        for column in columns:
            cell = ((row, row + step - 1), (column, column + step - 1))
            line.append(2 * _character(cell, image, window, region, points))
        lines.append("".join(line).rstrip())
    legend = f"{IMAGE} image  {SEEN} seen"
    if any(PADDING in line for line in lines):
        legend += f"  {PADDING} window in the padding"
    if marks:
        legend += f"  {MARK} the pixels"
    if step > 1:
        legend += f"; {step}×{step} pixels a square"
    return [*lines, legend]


def styled(lines: Sequence[str]) -> Iterator[Line]:
    """The drawing's characters with their colours."""
    for line in lines:
        yield [TextSpan("".join(part), STYLES.get(sign, "")) for sign, part in groupby(line)]


def _cells(low: int, high: int) -> range:
    step = -(-(high - low + 1) // CELLS)
    return range(low, high + 1, step)


def _character(
    cell: tuple[Span, Span],
    image: Sequence[int],
    window: Sequence[Span],
    region: Region,
    points: Sequence[Position],
) -> str:
    if any(all(low <= at <= high for at, (low, high) in zip(point, cell, strict=True)) for point in points):
        return MARK
    if _touches(cell, region):
        return SEEN
    if all(_overlap(span, (0, size - 1)) for span, size in zip(cell, image, strict=True)):
        return IMAGE
    return PADDING if all(map(_overlap, cell, window)) else " "


def _touches(cell: Sequence[Span], region: Sequence[Box]) -> bool:
    return any(
        all(any(_overlap(side, span) for span in spans) for side, spans in zip(cell, box, strict=True))
        for box in region
    )


def _overlap(a: Span, b: Span) -> bool:
    return a[0] <= b[1] and b[0] <= a[1]


# -- figures ---------------------------------------------------------------------------------------------------


def field_suffix(graph: Graph, path: str, position: int = 0) -> str:
    """The suffix of the file. Raises UsageError if there is no such drawing, or if the input number `position` is not
    two-dimensional."""
    from convcalc.render.drawing import files

    suffix = files.suffix_of(path)
    shape = graph.inputs[position].shape
    if len(shape) != 3:
        axes = f"{len(shape) - 1} spatial dimension{'s' if len(shape) != 2 else ''}"
        raise UsageError(f"{graph.name} has {axes}; only two can be drawn", hint="leave -o out")
    return suffix


def depth_scene(found: DepthField, picture: Bitmap | None = None, origin: str = "input") -> Scene:
    """The windows of the units in the middle on the input `origin` where they grow, from layer to layer. Raises
    UsageError for none."""
    layers = [layer for layer in found.layers if layer.sight.origin == origin]
    grown = [
        (layer.sight, layer.row.name)
        for number, layer in enumerate(layers)
        if layer.sight.window
        and len(layer.row.output_shape) == 3
        and (not number or layer.sight.window != layers[number - 1].sight.window)
    ]
    step = -(-len(grown) // MAX_WINDOWS) or 1
    kept = grown[::-1][::step][::-1]
    title = f"{found.analysis.graph.name}: what the unit in the middle sees"
    line = f"{len(kept)} of {len(grown)} layers whose window grows" if step > 1 else ""
    return _windows_scene(found.analysis.graph, kept, title, [line], picture)


def unit_scene(found: UnitField, picture: Bitmap | None = None, origin: str = "input") -> Scene:
    """The window of a unit on the input `origin`, or on the first it sees. Raises UsageError where it has none."""
    sight = next((sight for sight in found.sights if sight.origin == origin), found.sight)
    name, unit = found.node.name, words.position(sight.unit)
    title = f"{found.analysis.graph.name}: what {name} {unit} sees"
    lines = [
        _share(sight),
        *(f"not drawn: {other.origin}, {_share(other)}" for other in found.sights if other is not sight),
    ]
    return _windows_scene(found.analysis.graph, [(sight, name)], title, lines, picture)


def pixel_scene(found: PixelField, picture: Bitmap | None = None) -> Scene:
    """Each layer's map with the units that a pixel reaches. `picture` is not used: the maps are drawn, not the
    image."""
    from convcalc.render.drawing.windows import MAX_BOXES, MapFigure, map_scene

    maps = [area for area in found.shown if len(area.shape) == 3]
    title = f"{found.analysis.graph.name}: what pixel {words.pixel(found.pixel)} reaches"
    lines = [f"the first {MAX_MAPS} of {len(maps)} layers"] if len(maps) > MAX_MAPS else []
    figures = []
    for area in maps[:MAX_MAPS]:
        boxes = [
            (*rows, *columns)
            for every_row, every_column in area.region
            for rows in every_row
            for columns in every_column
        ]
        figures.append(MapFigure(area.name, area.shape[1], area.shape[2], tuple(boxes[:MAX_BOXES])))
    return map_scene(title, lines, figures)


def meeting_scene(found: MeetingField, picture: Bitmap | None = None) -> Scene:
    """The window of the first unit that sees both pixels. Raises UsageError if no unit does."""
    from convcalc.render.drawing.windows import Mark

    if found.first is None or found.sight is None:
        raise UsageError("the two pixels never meet, so there is no window to draw", hint="leave -o out")
    name, unit = found.first.name, words.position(found.sight.unit)
    graph = found.analysis.graph
    title = f"{graph.name}: {name} {unit} sees both pixels"
    marks = [
        Mark(f"pixel {words.position(pixel.position)}", pixel.position[0], pixel.position[1])
        for pixel in found.pixels
        if pixel.origin in (None, found.sight.origin)
    ]
    return _windows_scene(graph, [(found.sight, name)], title, [_share(found.sight)], picture, marks)


def _share(sight: Sight) -> str:
    """`rows 32 to 194, columns 32 to 194: 26,569 pixels, 51.6 % of the image`."""
    if sight.seen is None:
        return "only padding"
    named = ", ".join(
        f"{axis} {low} to {high}" for axis, (low, high) in zip(("rows", "columns"), sight.seen, strict=True)
    )
    return f"{named}: {sight.pixels:,} pixels, {words.percent(sight.share)} of the image"


def _windows_scene(
    graph: Graph,
    windows: Sequence[tuple[Sight, str]],
    title: str,
    lines: Sequence[str],
    picture: Bitmap | None,
    marks: Sequence[Any] = (),
) -> Scene:
    """The image with the windows over it. Of a single window, what it does not see is faded.

    picture: the image at the size of the network's input; None draws a blank one. Raises UsageError if no window
    contains a pixel.
    """
    from convcalc.render.drawing.windows import Window, WindowFigure, window_scene

    drawn = [(sight, label) for sight, label in windows if sight.window]
    if not drawn:
        raise UsageError("there is no window to draw: the unit reads nothing", hint="choose another --unit")
    first = drawn[0][0]
    outside = [sight for sight, _ in drawn if any(map(any, sight.outside))]
    shape = next(own.shape for own in graph.inputs if own.name == first.origin)
    figure = WindowFigure(
        title,
        tuple([line for line in (*lines, "outside the image: padding" if outside else "") if line]),
        _raster(first, picture, single=len(drawn) == 1),
        f"{first.origin} {words.shape(shape)}",
        tuple(
            [
                Window(f"{label}  {words.shape(sight.size)}", sight.window[0], sight.window[1])
                for sight, label in drawn
                if sight.window
            ]
        ),
        tuple(marks),
    )
    return window_scene(figure)


def _raster(sight: Sight, picture: Bitmap | None, *, single: bool) -> Raster:
    """The image, a pixel each; of a single window, what it does not see is faded."""
    from PIL import Image

    from convcalc.images.rasters import Raster

    height, width = sight.image
    whole = picture.convert("RGB") if picture else Image.new("RGB", (width, height), BLANK)
    if single:
        seen = picture.convert("RGB") if picture else Image.new("RGB", (width, height), BLANK_SEEN)
        if picture:
            whole = Image.blend(whole, Image.new("RGB", whole.size, "#ffffff"), FADED)
        for every_row, every_column in sight.region:
            for top, bottom in every_row:
                for left, right in every_column:
                    box = (left, top, right + 1, bottom + 1)
                    whole.paste(seen.crop(box), box)
    return Raster(width, height, tuple([band.tobytes() for band in whole.split()]))
