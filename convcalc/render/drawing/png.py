"""A scene as PNG, by Pillow: drawn three times as large and reduced, in bands, so that no drawing takes much memory.

Text is set in the first of Liberation Sans, Arial, Helvetica and DejaVu Sans that is found, and else in Pillow's own
font: there the signs it lacks are drawn. Two of these are wider than the drawings' text was measured for: they are
narrowed to it.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from math import ceil, hypot
from typing import TYPE_CHECKING, Any, NamedTuple

from convcalc.errors import UsageError
from convcalc.render.drawing import lettering, palette
from convcalc.render.drawing.paths import bounds, flat, written
from convcalc.render.drawing.scene import (
    Circle,
    Item,
    Picture,
    Point,
    Polygon,
    Polyline,
    Rectangle,
    Scene,
    Text,
    head,
    moved,
)

if TYPE_CHECKING:
    from PIL.Image import Image

SAMPLES = 3  # each way, per pixel
MIN_WIDTH = 16
MAX_PIXELS = 40_000_000  # of the file
BAND = 6_000_000  # samples drawn at once
DASH, GAP = 4.0, 3.0


def image(scene: Scene, width: int) -> bytes:
    """A scene as a PNG file. width: in pixels, the height follows. Raises UsageError if there would be too few or too
    many pixels."""
    from PIL import Image, PngImagePlugin

    scale = width / scene.width
    height = max(1, round(scene.height * scale))
    if width < MIN_WIDTH:
        raise UsageError(f"a picture {width} pixels wide shows nothing", hint=f"at least {MIN_WIDTH} pixels")
    if width * height > MAX_PIXELS:
        most = int((MAX_PIXELS * scene.width / scene.height) ** 0.5)
        raise UsageError(
            f"a picture {width:,} pixels wide would be {height:,} high: over {MAX_PIXELS // 1_000_000} million pixels",
            hint=f"--width {most} is the most for this drawing; .svg and .pdf have no pixels",
        )
    canvas = Image.new("RGB", (width, height))
    zoom = scale * SAMPLES
    rows = max(1, min(height, BAND // (width * SAMPLES * SAMPLES)))
    extents = [_extent(item) for item in scene.items]
    for top in range(0, height, rows):
        count = min(rows, height - top)
        band = _Band(width * SAMPLES, count * SAMPLES, zoom, top * SAMPLES)
        first, last = top / scale, (top + count) / scale
        for item, (upper, lower) in zip(scene.items, extents, strict=True):
            if upper <= last and lower >= first:
                band.paint(item)
        canvas.paste(band.image.reduce(SAMPLES), (0, top))
    about = PngImagePlugin.PngInfo()
    about.add_itxt("Title", written(scene.title))
    out = io.BytesIO()
    canvas.save(out, "PNG", pnginfo=about)
    return out.getvalue()


def painted(items: Iterable[Item], corner: Point, size: tuple[int, int], scale: float) -> Image:
    """A part of a drawing as pixels. corner: its top left in the scene; size: in pixels; scale: pixels per pixel of the
    scene."""
    band = _Band(size[0] * SAMPLES, size[1] * SAMPLES, scale * SAMPLES, 0)
    for item in items:
        band.paint(moved(item, -corner[0], -corner[1]))
    return band.image.reduce(SAMPLES)


def _extent(item: Item) -> tuple[float, float]:
    """How high and how low an item may reach, generously."""
    if isinstance(item, Rectangle):
        return item.top - item.thickness, item.top + item.height + item.thickness
    if isinstance(item, Picture):
        return item.top, item.top + item.height
    if isinstance(item, Circle):
        room = item.radius + item.thickness
        return item.y - room, item.y + room
    if isinstance(item, Text):
        _, top, _, bottom = lettering.box(item)
        return top - item.size, bottom + item.size
    _, top, _, bottom = bounds(item.points)
    room = 6 * max(1.0, item.thickness)
    return top - room, bottom + room


class _Band:
    """Some rows of the drawing, enlarged; zoom: samples per pixel of the scene; top: the first row, in samples."""

    def __init__(self, width: int, height: int, zoom: float, top: int) -> None:
        from PIL import Image, ImageDraw

        self.image = Image.new("RGB", (width, height), palette.colour("paper"))
        self._draw = ImageDraw.Draw(self.image)
        self._zoom = zoom
        self._top = top

    def paint(self, item: Item) -> None:
        if isinstance(item, Rectangle):
            self._rectangle(item)
        elif isinstance(item, Polygon):
            self._polygon(item)
        elif isinstance(item, Circle):
            reach = item.radius + self._half(item.stroke, item.thickness)
            box = self._box(item.x - reach, item.y - reach, item.x + reach, item.y + reach)
            self._draw.ellipse(
                box, _ink(item.fill), _ink(item.stroke), self._wide(item.stroke, item.thickness)
            )
        elif isinstance(item, Polyline):
            self._line(flat(item), item.stroke, item.thickness, item.dashed)
            tip = head(item)
            if tip is not None:
                self._polygon(tip)
        elif isinstance(item, Text):
            self._text(item)
        else:
            self._picture(item)

    def _at(self, point: Point) -> tuple[int, int]:
        return round(point[0] * self._zoom), round(point[1] * self._zoom) - self._top

    def _box(self, left: float, top: float, right: float, bottom: float) -> tuple[int, int, int, int]:
        """A box as Pillow takes it: its last row and column are inside."""
        x, y = self._at((left, top))
        x1, y1 = self._at((right, bottom))
        return x, y, max(x, x1 - 1), max(y, y1 - 1)

    def _half(self, stroke: str | None, thickness: float) -> float:
        return thickness / 2 if stroke is not None else 0.0

    def _wide(self, stroke: str | None, thickness: float) -> int:
        return max(1, round(thickness * self._zoom)) if stroke is not None and thickness > 0 else 0

    def _rectangle(self, item: Rectangle) -> None:
        left, top = item.left, item.top
        right, bottom = left + item.width, top + item.height
        if item.dashed and item.stroke is not None:
            self._rectangle(item._replace(stroke=None, dashed=False))
            corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
            self._line(corners, item.stroke, item.thickness, True)
            return
        half = self._half(item.stroke, item.thickness)
        box = self._box(left - half, top - half, right + half, bottom + half)
        wide = self._wide(item.stroke, item.thickness)
        if item.radius > 0:
            round_by = min(item.radius + half, (item.width + 2 * half) / 2, (item.height + 2 * half) / 2)
            self._draw.rounded_rectangle(
                box, round(round_by * self._zoom), _ink(item.fill), _ink(item.stroke), wide
            )
        else:
            self._draw.rectangle(box, _ink(item.fill), _ink(item.stroke), wide)

    def _polygon(self, item: Polygon) -> None:
        if item.fill is not None:
            self._draw.polygon([self._at(point) for point in item.points], _ink(item.fill))
        if item.stroke is not None and item.thickness > 0:
            self._line([*item.points, item.points[0]], item.stroke, item.thickness, False, closed=True)

    def _line(
        self, points: list[Point], stroke: str, thickness: float, dashed: bool, closed: bool = False
    ) -> None:
        """A line of some thickness, its joints round."""
        ink, half = palette.colour(stroke), thickness / 2
        if dashed:
            for start, end in _dashes(points):
                self._segment(start, end, half, ink)
            return
        for start, end in pairwise(points):
            self._segment(start, end, half, ink)
        if half * self._zoom >= 1:
            for x, y in points if closed else points[1:-1]:
                self._draw.ellipse(self._box(x - half, y - half, x + half, y + half), ink)

    def _segment(self, start: Point, end: Point, half: float, ink: str) -> None:
        (x, y), (x1, y1) = start, end
        if x == x1 or y == y1:  # as a box, which is exact
            across, down = (half, 0.0) if x == x1 else (0.0, half)
            box = self._box(min(x, x1) - across, min(y, y1) - down, max(x, x1) + across, max(y, y1) + down)
            self._draw.rectangle(box, ink)
            return
        length = hypot(x1 - x, y1 - y)
        across, down = (y1 - y) / length * half, -(x1 - x) / length * half
        corners = [
            (x + across, y + down),
            (x1 + across, y1 + down),
            (x1 - across, y1 - down),
            (x - across, y - down),
        ]
        self._draw.polygon([self._at(corner) for corner in corners], ink)

    def _picture(self, item: Picture) -> None:
        from PIL import Image

        raster = item.raster
        bands = [Image.frombytes("L", (raster.width, raster.height), plane) for plane in raster.planes]
        source = bands[0].convert("RGB") if len(bands) == 1 else Image.merge("RGB", bands[:3])
        left, top, right, bottom = self._box(
            item.left, item.top, item.left + item.width, item.top + item.height
        )
        wide, tall = right - left + 1, bottom - top + 1
        first, last = max(0, top), min(self.image.height, bottom + 1)
        if first >= last:
            return
        enlarged = wide >= raster.width and tall >= raster.height
        part = source.resize(
            (wide, last - first),
            Image.Resampling.NEAREST if enlarged else Image.Resampling.BOX,
            (0, (first - top) / tall * raster.height, raster.width, (last - top) / tall * raster.height),
        )
        self.image.paste(part, (left, first))

    def _text(self, item: Text) -> None:
        text = written(item.text)
        size = max(1, round(item.size * self._zoom))
        if not text.strip():
            return
        mask, ascent = _mask(text, size, item.bold, item.mono)
        fit = item.fit
        if fit is None and not _fonts(item.bold, item.mono)[0].measured:
            fit = lettering.width(text, item.size, bold=item.bold, mono=item.mono)
        if fit:
            mask = mask.resize((max(1, round(fit * self._zoom)), mask.height))
        before = {"start": 0.0, "middle": mask.width / 2, "end": float(mask.width)}[item.anchor]
        x, y = self._at((item.x, item.y))
        if item.turned:
            place = (x - ascent, round(y + before - mask.width))
            mask = mask.rotate(90, expand=True)  # anticlockwise
        else:
            place = (round(x - before), y - ascent)
        self.image.paste(palette.colour(item.ink), place, mask)


def _ink(role: str | None) -> str | None:
    return None if role is None else palette.colour(role)


def _dashes(points: list[Point]) -> list[tuple[Point, Point]]:
    """The painted pieces of a dashed line; dashes go on around corners."""
    pieces = []
    left, painted = DASH, True
    for (x, y), (x1, y1) in pairwise(points):
        length, at = hypot(x1 - x, y1 - y), 0.0
        while at < length:
            step = min(left, length - at)
            if painted:
                a, b = at / length, (at + step) / length
                pieces.append(((x + (x1 - x) * a, y + (y1 - y) * a), (x + (x1 - x) * b, y + (y1 - y) * b)))
            at, left = at + step, left - step
            if left <= 1e-9:
                painted = not painted
                left = DASH if painted else GAP
    return pieces


# -- text --------------------------------------------------------------------------------------------------

# Names of files, in the order they are tried; measured: of Helvetica's widths, which the drawings are laid out with.
_NAMES = {
    "regular": "LiberationSans-Regular.ttf|Arial.ttf|arial.ttf|Helvetica.ttc|DejaVuSans.ttf",
    "bold": "LiberationSans-Bold.ttf|Arial Bold.ttf|arialbd.ttf|DejaVuSans-Bold.ttf",
    "mono": "LiberationMono-Regular.ttf|Courier New.ttf|cour.ttf|DejaVuSansMono.ttf",
}
# Signs that Pillow's own font lacks, and what stands for them if no font has them. The first three are drawn.
_DRAWN = "×−→←"
_INSTEAD = {
    "–": "-", "—": "-", "≤": "<=", "≥": ">=", "²": "2", "³": "3", "µ": "u", "√": "sqrt ", "∪": "U", "∑": "sum ",
    "⌊": "[", "⌋": "]", "α": "alpha", "β": "beta", "γ": "gamma", "π": "pi",
}  # fmt: skip


class _Face(NamedTuple):
    """A font; path None: Pillow's own."""

    path: str | None
    measured: bool

    def has(self, character: str) -> bool:
        """Whether it has a glyph for a character: whether that looks unlike the box for what is missing."""
        return character.isascii() or _has(self.path, character)


@lru_cache(maxsize=1_000)
def _has(path: str | None, character: str) -> bool:
    font = _font(path, 24)
    return bytes(font.getmask(character)) != bytes(font.getmask("\U0010fffe"))


@lru_cache(maxsize=64)
def _font(path: str | None, size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.truetype(path, size) if path is not None else ImageFont.load_default(size)


@lru_cache(maxsize=8)
def _fonts(bold: bool, mono: bool) -> tuple[_Face, ...]:
    """The fonts that are found, the first choice first; Pillow's own is the last."""
    from PIL import ImageFont

    faces = []
    for name in _NAMES["mono" if mono else "bold" if bold else "regular"].split("|"):
        try:
            path = ImageFont.truetype(name, 12).path  # looked for where the system has its fonts
        except OSError:
            continue
        faces.append(_Face(str(path), not name.startswith("DejaVu")))
    return (*faces, _Face(None, False))


@lru_cache(maxsize=2_000)
def _mask(text: str, size: int, bold: bool, mono: bool) -> tuple[Image, int]:
    """A text as a mask of 0 to 255, and how far above its lower part the baseline lies: its ascent in pixels."""
    from PIL import Image, ImageDraw

    pieces, at = [], 0.0
    for part, face in _runs(text, bold, mono):
        if mono and (
            face is None or face.path is None
        ):  # no font of equal widths: each character in its cell
            pieces += [
                (character, face, at + place * lettering.width(" ", size, mono=True))
                for place, character in enumerate(part)
            ]
            at += lettering.width(part, size, mono=True)
            continue
        pieces.append((part, face, at))
        at += lettering.width(part, size) if face is None else _font(face.path, size).getlength(part)
    ascent = size
    mask = Image.new("L", (max(1, ceil(at)), ceil(size * 1.35)))
    draw = ImageDraw.Draw(mask)
    for part, face, left in pieces:
        if face is None:
            _sign(draw, part, left, ascent, size)
            continue
        thick = max(1, round(size / 60)) if bold and face.path is None else 0
        draw.text((left, ascent), part, 255, _font(face.path, size), anchor="ls", stroke_width=thick)
    return mask, ascent


def _runs(text: str, bold: bool, mono: bool) -> list[tuple[str, _Face | None]]:
    """A text cut where the font changes; None: a sign that is drawn."""
    faces = _fonts(bold, mono)
    if text.isascii():
        return [(text, faces[0])]
    runs: list[tuple[str, _Face | None]] = []
    for character in text:
        face = next((face for face in faces if face.has(character)), None)
        if face is None and character not in _DRAWN:
            face, character = faces[0], _INSTEAD.get(character, character)
        if runs and face is not None and runs[-1][1] == face:
            runs[-1] = (runs[-1][0] + character, face)
        else:
            runs.append((character, face))
    return runs


def _sign(draw: Any, sign: str, left: float, base: int, size: int) -> None:
    """Draw ×, −, → or ← as wide as Helvetica's."""
    wide, middle, thick = lettering.width(sign, size), base - 0.27 * size, max(1, round(size / 13))
    start, end = left + 0.15 * wide, left + 0.85 * wide
    if sign == "×":
        reach = (end - start) / 2
        draw.line((start, middle - reach, end, middle + reach), 255, thick)
        draw.line((start, middle + reach, end, middle - reach), 255, thick)
        return
    draw.line((start, middle, end, middle), 255, thick)
    if sign != "−":
        tip, back = (end, end - 0.22 * size) if sign == "→" else (start, start + 0.22 * size)
        draw.polygon([(tip, middle), (back, middle - 0.13 * size), (back, middle + 0.13 * size)], 255)
