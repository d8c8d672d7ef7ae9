"""Receptive fields drawn over the image: as characters for a terminal, and as PNG.

Pillow is imported inside the functions, because the terminal drawing does not need it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from convcalc.analysis.field import DepthField, MeetingField, PixelField, UnitField
from convcalc.analysis.regions import Box, Region, Span
from convcalc.analysis.units import Position, Sight
from convcalc.errors import UsageError
from convcalc.graph import Graph
from convcalc.render.layout import Line, TextSpan
from convcalc.report import words

if TYPE_CHECKING:
    from PIL.Image import Image as Bitmap
    from PIL.ImageDraw import ImageDraw as Draw
    from PIL.ImageFont import FreeTypeFont
    from PIL.ImageFont import ImageFont as BitmapFont

    Font = FreeTypeFont | BitmapFont

CELLS = 32  # along the longer side of the terminal drawing; two characters make a cell about square
IMAGE, SEEN, PADDING, MARK = "·", "█", "░", "●"
STYLES = {IMAGE: "dim", SEEN: "green", PADDING: "yellow", MARK: "bold red"}

SIDE = 720  # pixels of a PNG's longer side, at least
MARGIN = 16
MAX_WINDOWS, MAX_MAPS = 12, 60  # in one picture
PAPER, INK, WINDOW, OUTSIDE = (255, 255, 255), (30, 30, 30), (230, 90, 20), (225, 225, 225)
BLANK = (205, 214, 222)


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


# -- PNG -------------------------------------------------------------------------------------------------------


class Frame(NamedTuple):
    """The mapping from image pixels to drawing coordinates: image rows and columns from `low` to `high`, enlarged
    `scale` times."""

    rows: Span
    columns: Span
    scale: float

    def box(self, rows: Span, columns: Span) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of a rectangle of pixels, right and bottom exclusive."""
        left, right = (
            round((at - self.columns[0]) * self.scale) + MARGIN for at in (columns[0], columns[1] + 1)
        )
        top, bottom = (round((at - self.rows[0]) * self.scale) + MARGIN for at in (rows[0], rows[1] + 1))
        return left, top, right, bottom

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the drawing with its margins."""
        _, _, right, bottom = self.box(self.rows, self.columns)
        return right + MARGIN, bottom + MARGIN


class DrawnWindow(NamedTuple):
    """A window to draw, and its label."""

    sight: Sight
    label: str


def check_drawable(graph: Graph, path: str, position: int = 0) -> None:
    """Raises UsageError if the file is not a PNG or the input number `position` is not two-dimensional."""
    shape = graph.inputs[position].shape
    if not path.lower().endswith(".png"):
        raise UsageError(f"-o {path}: the picture is a PNG", hint="name it ….png")
    if len(shape) != 3:
        raise UsageError(
            f"{graph.name} has {len(shape) - 1} spatial dimensions; only two can be drawn",
            hint="leave -o out",
        )


def depth_png(found: DepthField, picture: Bitmap | None = None, origin: str = "input") -> bytes:
    """The windows of the units in the middle on the input `origin` where they grow, from layer to layer. Raises
    UsageError for none."""
    layers = [layer for layer in found.layers if layer.sight.origin == origin]
    grown = [
        DrawnWindow(layer.sight, layer.row.name)
        for number, layer in enumerate(layers)
        if layer.sight.window
        and len(layer.row.output_shape) == 3
        and (not number or layer.sight.window != layers[number - 1].sight.window)
    ]
    step = -(-len(grown) // MAX_WINDOWS) or 1
    kept = grown[::-1][::step][::-1]
    caption = f"{found.analysis.graph.name}: what the unit in the middle sees"
    return _windows_png(kept, caption, picture)


def unit_png(found: UnitField, picture: Bitmap | None = None, origin: str = "input") -> bytes:
    """The window of a unit on the input `origin`, or on the first it sees. Raises UsageError where it has none."""
    sight = next((sight for sight in found.sights if sight.origin == origin), found.sight)
    name, unit = found.node.name, words.position(sight.unit)
    caption = f"{found.analysis.graph.name}: what {name} {unit} sees"
    return _windows_png([DrawnWindow(sight, name)], caption, picture)


def pixel_png(found: PixelField, picture: Bitmap | None = None) -> bytes:
    """Each layer's map with the units that a pixel reaches. `picture` is not used: the maps are drawn, not the
    image."""
    maps = [area for area in found.shown if len(area.shape) == 3]
    caption = f"{found.analysis.graph.name}: what pixel {words.pixel(found.pixel)} reaches"
    return _maps_png([(area.name, area.shape[1:], area.region) for area in maps[:MAX_MAPS]], caption)


def meeting_png(found: MeetingField, picture: Bitmap | None = None) -> bytes:
    """The window of the first unit that sees both pixels. Raises UsageError if no unit does."""
    if found.first is None or found.sight is None:
        raise UsageError("the two pixels never meet, so there is no window to draw", hint="leave -o out")
    name, unit = found.first.name, words.position(found.sight.unit)
    caption = f"{found.analysis.graph.name}: {name} {unit} sees both pixels"
    marks = [pixel.position for pixel in found.pixels if pixel.origin in (None, found.sight.origin)]
    return _windows_png([DrawnWindow(found.sight, name)], caption, picture, marks)


def _windows_png(
    windows: Sequence[DrawnWindow],
    caption: str,
    picture: Bitmap | None = None,
    marks: Sequence[Position] = (),
) -> bytes:
    """A PNG of the image with the windows over it. A single window: everything outside it is faded, its padding
    hatched. Several windows: outlines, the smallest on top.

    picture: the image at the size of the network's input; None draws a blank one. Raises UsageError if no window
    contains a pixel.
    """
    from PIL import Image, ImageDraw

    drawn = [(sight, label, sight.window) for sight, label in windows if sight.window]
    if not drawn:
        raise UsageError("there is no window to draw: the unit reads nothing", hint="choose another --unit")
    height, width = drawn[0][0].image
    frame = _frame(
        (min(0, *(w[0][0] for _, _, w in drawn)), max(height - 1, *(w[0][1] for _, _, w in drawn))),
        (min(0, *(w[1][0] for _, _, w in drawn)), max(width - 1, *(w[1][1] for _, _, w in drawn))),
    )
    across, down = frame.size
    key = 18 * len(drawn) if len(drawn) > 1 else 0
    canvas = Image.new("RGB", (max(across, 360), down + 26 + key), PAPER)
    draw = ImageDraw.Draw(canvas)
    place = frame.box((0, height - 1), (0, width - 1))
    shown = picture.convert("RGB") if picture else Image.new("RGB", (width, height), BLANK)
    extent = (place[2] - place[0], place[3] - place[1])
    shown = shown.resize(extent, Image.Resampling.NEAREST if frame.scale >= 1 else Image.Resampling.LANCZOS)
    if len(drawn) == 1:
        sight, _, window = drawn[0]
        _hatch(draw, frame.box(*window))
        faded = Image.blend(shown, Image.new("RGB", extent, PAPER), 0.65)
        canvas.paste(faded, place[:2])
        for rows, columns in sight.region:
            for top in rows:
                for left in columns:
                    part = frame.box(top, left)
                    inner = tuple(value - place[index % 2] for index, value in enumerate(part))
                    canvas.paste(shown.crop((inner[0], inner[1], inner[2], inner[3])), part[:2])
    else:
        canvas.paste(shown, place[:2])
    if picture is None and frame.scale >= 8:
        _grid(draw, frame, height, width)
    draw.rectangle((place[0], place[1], place[2] - 1, place[3] - 1), outline=INK)
    for number, (_, label, window) in reversed([*enumerate(drawn)]):
        color = _color(number, len(drawn))
        box = frame.box(*window)
        draw.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), outline=color, width=3)
        if key:
            y = down + 24 + 18 * number
            draw.rectangle((MARGIN, y + 3, MARGIN + 20, y + 11), fill=color)
            draw.text((MARGIN + 28, y), label, fill=INK, font=_font())
    for mark in marks:
        spot = frame.box((mark[0], mark[0]), (mark[1], mark[1]))
        grow = max(0, 4 - (spot[2] - spot[0]) // 2)
        circle = (spot[0] - grow, spot[1] - grow, spot[2] + grow, spot[3] + grow)
        draw.ellipse(circle, fill=(200, 0, 0), outline=PAPER)
    draw.text((MARGIN, down), caption, fill=INK, font=_font())
    return _encoded(canvas)


def _maps_png(maps: Sequence[tuple[str, Sequence[int], Region]], caption: str) -> bytes:
    """A PNG with one drawing per map: name, height and width, and the positions to fill in."""
    from PIL import Image, ImageDraw

    side, gap = 150, 40
    across = min(len(maps), 6)
    down = -(-len(maps) // across)
    canvas = Image.new("RGB", (across * (side + gap) + gap, down * (side + gap + 14) + gap + 20), PAPER)
    draw = ImageDraw.Draw(canvas)
    for number, (name, (height, width), region) in enumerate(maps):
        x = gap + (number % across) * (side + gap)
        y = gap // 2 + (number // across) * (side + gap + 14)
        scale = side / max(height, width)

        def at(value: int, offset: int, scale: float = scale) -> int:
            return offset + round(value * scale)

        draw.rectangle((x, y, at(width, x), at(height, y)), fill=BLANK, outline=INK)
        for rows, columns in region:
            for top, bottom in rows:
                for left, right in columns:
                    box = (
                        at(left, x),
                        at(top, y),
                        max(at(right + 1, x), at(left, x) + 2),
                        max(at(bottom + 1, y), at(top, y) + 2),
                    )
                    draw.rectangle(box, fill=WINDOW)
        draw.rectangle((x, y, at(width, x), at(height, y)), outline=INK)
        draw.text((x, y + side + 4), _short(name), fill=INK, font=_font())
        draw.text((x, y + side + 18), f"{height} x {width}", fill=INK, font=_font())
    draw.text((gap, canvas.height - 24), caption, fill=INK, font=_font())
    return _encoded(canvas)


def _frame(rows: Span, columns: Span) -> Frame:
    longest = max(rows[1] - rows[0], columns[1] - columns[0]) + 1
    scale = SIDE / longest
    return Frame(rows, columns, max(1, int(scale)) if longest <= 2 * SIDE else scale)


def _color(number: int, total: int) -> tuple[int, int, int]:
    """A colour from orange (small windows) to blue (large ones)."""
    if total == 1:
        return WINDOW
    part = number / (total - 1)
    return tuple(round(a + (b - a) * part) for a, b in zip(WINDOW, (20, 60, 190), strict=True))  # type: ignore[return-value]


def _hatch(draw: Draw, box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    draw.rectangle((left, top, right - 1, bottom - 1), fill=OUTSIDE)
    for offset in range(0, right - left + bottom - top, 8):
        x0, y0 = min(left + offset, right - 1), top + max(0, offset - (right - 1 - left))
        x1, y1 = left + max(0, offset - (bottom - 1 - top)), min(top + offset, bottom - 1)
        draw.line((x0, y0, x1, y1), fill=(180, 180, 180))


def _grid(draw: Draw, frame: Frame, height: int, width: int) -> None:
    for row in range(height):
        for column in range(width):
            left, top, right, bottom = frame.box((row, row), (column, column))
            draw.rectangle((left, top, right, bottom), outline=(180, 188, 196))


def _font() -> Font:
    from PIL import ImageFont

    try:
        return ImageFont.load_default(13)
    except (TypeError, ImportError, OSError):  # Pillow before 10.1, or without FreeType
        return ImageFont.load_default()


def _short(name: str) -> str:
    return name if len(name) <= 22 else "..." + name[-19:]


def _encoded(canvas: Bitmap) -> bytes:
    out = io.BytesIO()
    canvas.save(out, "PNG")
    return out.getvalue()
