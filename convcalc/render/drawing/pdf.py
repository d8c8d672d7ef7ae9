"""A scene as PDF: one page of vectors, text in the standard fonts, which every reader has and can search.

What Helvetica's encoding lacks (→, −, ≤, Greek letters) is set in Symbol; what that lacks too in a small font of our
own in the file, a box for what it does not draw, but each character found and copied as what it is.

Written here because a library is a heavy dependency for one page. A drawing of 210 boxes, best of five on one machine:
this module 23 ms and 23 KB; reportlab 5.1 54 ms and 26 KB, 0.1 s to import, 9 MB installed; fpdf2 2.8 42 ms and 20 KB,
0.6 s to import, 33 MB with fontTools, and → in a standard font is an error there.
"""

from __future__ import annotations

import zlib
from functools import lru_cache

from convcalc.errors import UsageError
from convcalc.render.drawing import lettering, palette
from convcalc.render.drawing.paths import KAPPA, course, cubic, written
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
)

MIN_WIDTH, MAX_WIDTH = 5, 5_000  # millimetres
POINTS_PER_MM = 72 / 25.4
MAX_SUBJECT = 2_000  # characters
MAX_SIDE = 14_400  # units of a page (ISO 32000-1, annex C); a longer page has larger units

FONTS = {"H": "Helvetica", "B": "Helvetica-Bold", "C": "Courier"}
# Codes and widths of Symbol (ISO 32000-1, annex D.5; Adobe's Core 14 metrics).
SYMBOL = {
    "→": (0xAE, 987), "←": (0xAC, 987), "↑": (0xAD, 603), "↓": (0xAF, 603), "⇒": (0xDE, 987), "−": (0x2D, 549),
    "≤": (0xA3, 549), "≥": (0xB3, 549), "≠": (0xB9, 549), "≈": (0xBB, 549), "∞": (0xA5, 713), "√": (0xD6, 549),
    "∑": (0xE5, 713), "∏": (0xD5, 823), "∪": (0xC8, 768), "∩": (0xC7, 768), "∈": (0xCE, 713), "∂": (0xB6, 494),
    "α": (0x61, 631), "β": (0x62, 549), "γ": (0x67, 411), "δ": (0x64, 494), "ε": (0x65, 439), "θ": (0x71, 521),
    "λ": (0x6C, 549), "π": (0x70, 549), "σ": (0x73, 603), "τ": (0x74, 439), "φ": (0x66, 521), "ω": (0x77, 686),
    "Δ": (0x44, 612), "Σ": (0x53, 592), "Ω": (0x57, 768),
}  # fmt: skip
# Signs that the fonts lack, drawn in thousandths of the size, y upwards.
DRAWN = {
    "⌊": "60 w 120 760 m 120 -130 l 330 -130 l S",
    "⌋": "60 w 264 760 m 264 -130 l 54 -130 l S",
    "⌈": "60 w 120 -160 m 120 730 l 330 730 l S",
    "⌉": "60 w 264 -160 m 264 730 l 54 730 l S",
    "✓": "90 w 60 330 m 250 100 l 600 640 l S",
}
MISSING = "50 w 80 0 {room} 680 re S"  # the box for what is not drawn


def document(scene: Scene, width_mm: float) -> bytes:
    """A scene as a PDF file. width_mm: of its page in millimetres, the height follows. Raises UsageError for a width
    that no page has."""
    if not MIN_WIDTH <= width_mm <= MAX_WIDTH:
        raise UsageError(
            f"a page {width_mm:g} mm wide", hint=f"--width in millimetres, from {MIN_WIDTH} to {MAX_WIDTH:,}"
        )
    wide = width_mm * POINTS_PER_MM
    tall = wide * scene.height / scene.width
    unit = max(1.0, wide / MAX_SIDE, tall / MAX_SIDE)
    wide, tall = wide / unit, tall / unit
    page = _Page(wide / scene.width, tall)
    page.rectangle(Rectangle(0, 0, scene.width, scene.height, "paper", None))
    for item in scene.items:
        page.paint(item)
    return page.file(scene, wide, tall, unit)


class _Page:
    """The operators of a page's content, and what it refers to."""

    def __init__(self, scale: float, height: float) -> None:
        self._content = [f"{scale:.6f} 0 0 {-scale:.6f} 0 {height:.3f} cm 1 j"]
        self._pictures: list[Picture] = []
        self._signs: dict[str, int] = {}  # characters of our own font, and their codes

    def paint(self, item: Item) -> None:
        if isinstance(item, Rectangle):
            self.rectangle(item)
        elif isinstance(item, Polygon):
            self._paint(_through(item.points) + " h", item.fill, item.stroke, item.thickness)
        elif isinstance(item, Circle):
            self._paint(_oval(item), item.fill, item.stroke, item.thickness)
        elif isinstance(item, Polyline):
            self._paint(_line(item), None, item.stroke, item.thickness, item.dashed)
            tip = head(item)
            if tip is not None:
                self._paint(_through(tip.points) + " h", tip.fill, None, 0)
        elif isinstance(item, Text):
            self._text(item)
        else:
            self._pictures.append(item)
            place = _numbers(item.width, 0, 0, -item.height, item.left, item.top + item.height)
            self._content.append(f"q {place} cm /P{len(self._pictures)} Do Q")

    def rectangle(self, item: Rectangle) -> None:
        """Add a rectangle."""
        path = _rounded(item) if item.radius > 0 else f"{_numbers(*item[:4])} re"
        self._paint(path, item.fill, item.stroke, item.thickness, item.dashed)

    def _paint(
        self, path: str, fill: str | None, stroke: str | None, thickness: float, dashed: bool = False
    ) -> None:
        if thickness <= 0:
            stroke = None
        ink = f"{_ink(fill)} rg " if fill is not None else ""
        if stroke is not None:
            ink += f"{_ink(stroke)} RG {_numbers(thickness)} w {'[4 3]' if dashed else '[]'} 0 d "
        act = (
            "n"
            if fill is None and stroke is None
            else "f"
            if stroke is None
            else "S"
            if fill is None
            else "B"
        )
        self._content.append(f"{ink}{path} {act}")

    def _text(self, item: Text) -> None:
        text = written(item.text)
        if not text.strip():
            return
        runs, thousandths = self._runs(text, item)
        natural = thousandths * item.size / 1000
        if not natural:  # accents without letters
            return
        wide = item.fit or lettering.width(text, item.size, bold=item.bold, mono=item.mono)
        before = {"start": 0.0, "middle": wide / 2, "end": wide}[item.anchor]
        if item.turned:
            place = f"0 -1 -1 0 {_numbers(item.x, item.y + before)}"
        else:
            place = f"1 0 0 -1 {_numbers(item.x - before, item.y)}"
        stretch = f" {wide / natural * 100:.2f} Tz" if abs(wide / natural - 1) > 0.0005 else " 100 Tz"
        ink = _ink(item.ink)
        shown = []
        for font, codes in runs:
            thick = item.bold and font in "SU"  # neither has a bold one: its outline is drawn too
            mode = f" 2 Tr {_numbers(item.size * 0.03)} w [] 0 d {ink} RG" if thick else ""
            shown.append(
                f"/{font} {_numbers(item.size)} Tf{mode} {_string(codes)} Tj{' 0 Tr' if thick else ''}"
            )
        self._content.append(f"BT {ink} rg{stretch} {place} Tm {' '.join(shown)} ET")

    def _runs(self, text: str, item: Text) -> tuple[list[tuple[str, bytes]], int]:
        """The text as codes by font, and its width in thousandths of the size."""
        own = "C" if item.mono else "B" if item.bold else "H"
        runs: list[tuple[str, bytes]] = []
        wide = 0
        for character in text:
            code = _winansi(character)
            if code is not None:
                font, step = own, round(lettering.width(character, 1000, bold=item.bold, mono=item.mono))
            elif character in SYMBOL:
                font, (number, step) = "S", SYMBOL[character]
                code = bytes([number])
            else:
                font, step = "U", round(lettering.width(character, 1000))
                place = self._signs.setdefault(character, min(len(self._signs) + 1, 255))
                code = bytes([place])
            wide += step
            if runs and runs[-1][0] == font:
                runs[-1] = (font, runs[-1][1] + code)
            else:
                runs.append((font, code))
        return runs, wide

    def file(self, scene: Scene, wide: float, tall: float, unit: float) -> bytes:
        """The whole file. wide, tall: of the page, in its units of 1/72 inch times `unit`."""
        objects: list[bytes] = [b"", b"", b""]  # catalogue, pages and page: numbers 1 to 3

        def add(body: bytes) -> str:
            objects.append(body)
            return f"{len(objects)} 0 R"

        content = add(_stream("\n".join(self._content).encode("latin-1")))
        fonts = [f"/{key} {add(_font(name, ' /Encoding /WinAnsiEncoding'))}" for key, name in FONTS.items()]
        fonts.append(f"/S {add(_font('Symbol', ''))}")
        if self._signs:
            procedures = " ".join(
                f"/c{code} {add(_stream(_glyph(sign)))}" for sign, code in self._signs.items()
            )
            unicode = add(_stream(_to_unicode(self._signs)))
            fonts.append(f"/U {add(_own_font(self._signs, procedures, unicode))}")
        pictures = [f"/P{place} {add(_image(item))}" for place, item in enumerate(self._pictures, 1)]
        titles = f"/Title {_metadata(scene.title)} /Subject {_metadata(scene.description)}"
        about = add(f"<< {titles} /Creator (convcalc) >>".encode())
        units = f" /UserUnit {unit:.6f}" if unit > 1 else ""
        objects[0] = b"<< /Type /Catalog /Pages 2 0 R /ViewerPreferences << /DisplayDocTitle true >> >>"
        objects[1] = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
        objects[2] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {_numbers(wide, tall)}]{units} /Contents {content} "
            f"/Resources << /Font << {' '.join(fonts)} >> /XObject << {' '.join(pictures)} >> >> >>"
        ).encode()
        return _assembled(objects, about)


def _assembled(objects: list[bytes], about: str) -> bytes:
    """The objects, numbered from 1, with the table of where they begin."""
    out = bytearray(b"%PDF-1.6\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join([b"%010d 00000 n \n" % place for place in places])
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info %b >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        about.encode(),
        start,
    )
    return bytes(out)


def _stream(data: bytes, extra: str = "") -> bytes:
    packed = zlib.compress(data, 9)
    return (
        f"<< /Length {len(packed)} /Filter /FlateDecode{extra} >>\nstream\n".encode()
        + packed
        + b"\nendstream"
    )


def _font(name: str, extra: str) -> bytes:
    return f"<< /Type /Font /Subtype /Type1 /BaseFont /{name}{extra} >>".encode()


def _own_font(signs: dict[str, int], procedures: str, unicode: str) -> bytes:
    """A Type 3 font: its glyphs are drawings."""
    last = max(signs.values())
    by_code = {code: sign for sign, code in signs.items()}
    widths = " ".join(f"{lettering.width(by_code[code], 1000):.0f}" for code in range(1, last + 1))
    names = " ".join(f"/c{code}" for code in range(1, last + 1))
    return (
        "<< /Type /Font /Subtype /Type3 /FontBBox [0 -250 1000 1000] /FontMatrix [0.001 0 0 0.001 0 0] "
        f"/CharProcs << {procedures} >> /Encoding << /Type /Encoding /Differences [1 {names}] >> "
        f"/FirstChar 1 /LastChar {last} /Widths [{widths}] /Resources << >> /ToUnicode {unicode} >>"
    ).encode()


def _glyph(sign: str) -> bytes:
    wide = round(lettering.width(sign, 1000))
    drawn = DRAWN.get(sign) or ("" if not wide else MISSING.format(room=max(60, wide - 160)))
    return f"{wide} 0 d0 {drawn}".encode()


def _to_unicode(signs: dict[str, int]) -> bytes:
    """The table from codes to characters, for searching and copying."""
    pairs = [f"<{code:02x}> <{sign.encode('utf-16-be').hex()}>" for sign, code in signs.items()]
    blocks = [pairs[start : start + 100] for start in range(0, len(pairs), 100)]
    body = "\n".join(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar" for block in blocks)
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Signs def /CMapType 2 def\n"
        f"1 begincodespacerange <00> <ff> endcodespacerange\n{body}\n"
        "endcmap CMapName currentdict /CMap defineresource pop end end"
    ).encode()


def _image(item: Picture) -> bytes:
    raster = item.raster
    if len(raster.planes) == 1:
        space, data = "Gray", raster.planes[0]
    else:
        space, mixed = "RGB", bytearray(3 * raster.width * raster.height)
        for place, plane in enumerate(raster.planes[:3]):
            mixed[place::3] = plane
        data = bytes(mixed)
    return _stream(
        data,
        f" /Type /XObject /Subtype /Image /Width {raster.width} /Height {raster.height} "
        f"/ColorSpace /Device{space} /BitsPerComponent 8 /Interpolate false",
    )


def _metadata(text: str) -> str:
    return f"<feff{written(text, MAX_SUBJECT).encode('utf-16-be').hex()}>"


@lru_cache(maxsize=1_000)
def _winansi(character: str) -> bytes | None:
    try:
        return character.encode("cp1252")
    except UnicodeEncodeError:
        return None


def _string(codes: bytes) -> str:
    """A string of the page's content; latin-1 stands for bytes."""
    text = codes.decode("latin-1").replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return f"({text.replace(chr(13), chr(92) + 'r')})"  # a bare 13 would be read as 10


@lru_cache(maxsize=1_000)
def _ink(role: str) -> str:
    return " ".join(f"{channel / 255:.3f}" for channel in palette.channels(palette.colour(role)))


def _numbers(*numbers: float) -> str:
    return " ".join([f"{number:.2f}".rstrip("0").rstrip(".") for number in numbers])


def _through(points: tuple[Point, ...]) -> str:
    first, *others = points
    return f"{_numbers(*first)} m " + " ".join([f"{_numbers(*point)} l" for point in others])


def _line(item: Polyline) -> str:
    at, steps = course(item)
    parts = [f"{_numbers(*at)} m"]
    for to, control in steps:
        if control is None:
            parts.append(f"{_numbers(*to)} l")
        else:
            first, second = cubic(at, control, to)
            parts.append(f"{_numbers(*first, *second, *to)} c")
        at = to
    return " ".join(parts)


def _rounded(item: Rectangle) -> str:
    left, top, right, bottom = item.left, item.top, item.left + item.width, item.top + item.height
    radius = min(item.radius, item.width / 2, item.height / 2)
    k = radius * (1 - KAPPA)
    corners = (
        ((right - radius, top), (right - k, top, right, top + k, right, top + radius)),
        ((right, bottom - radius), (right, bottom - k, right - k, bottom, right - radius, bottom)),
        ((left + radius, bottom), (left + k, bottom, left, bottom - k, left, bottom - radius)),
        ((left, top + radius), (left, top + k, left + k, top, left + radius, top)),
    )
    sides = [f"{_numbers(*to)} l {_numbers(*curve)} c" for to, curve in corners]
    return f"{_numbers(left + radius, top)} m {' '.join(sides)} h"


def _oval(item: Circle) -> str:
    side = 2 * item.radius
    return _rounded(
        Rectangle(item.x - item.radius, item.y - item.radius, side, side, None, None, 0, item.radius)
    )
