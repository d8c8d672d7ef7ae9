"""A scene as SVG: text as text, light and dark, with a title and a description for screen readers.

The light colours are presentation attributes, which every reader knows. What changes in the dark has a class besides,
`ink-f` for what is filled and `line-s` for what is drawn in it, and one rule for dark screens: paper stays light.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from html import escape

from convcalc.render.drawing import lettering, palette
from convcalc.render.drawing.paths import MAX_DESCRIPTION, course, written
from convcalc.render.drawing.scene import (
    Circle,
    Item,
    Picture,
    Placed,
    Polygon,
    Polyline,
    Rectangle,
    Scene,
    Text,
    head,
)

MEDIA = "screen and (prefers-color-scheme: dark)"
DASHES = "4 3"
FAMILY = lettering.FAMILY.replace('"', "'")
MONO = lettering.MONO.replace('"', "'")


class _Numbers(dict[float, str]):
    """Numbers as text, two decimals at most. Most of a drawing's numbers occur many times."""

    def __missing__(self, number: float) -> str:
        text = f"{number:.2f}".rstrip("0").rstrip(".")
        if text == "-0":
            text = "0"
        self[number] = text
        return text


def document(scene: Scene, *, prefix: str = "", embedded: bool = False) -> str:
    """A scene as an SVG document.

    embedded: as an element of a page, which has the rules of `style()` once for all drawings; its boxes are buttons
    for screen readers and the page's script, `data-layers` the indices of their layers. prefix: of its ids, which
    must differ within a page.
    """
    number = _Numbers()
    parts = [
        *opening(scene.width, scene.height, scene.title, scene.description, prefix=prefix, embedded=embedded),
        "",
        f'<rect width="{number[scene.width]}" height="{number[scene.height]}"{_fill("paper")}/>',
    ]
    parts += [_WRITERS[type(item)](item, number) for item in scene.items]  # type: ignore[operator]
    if scene.boxes:
        parts.append('<g pointer-events="all">')
        parts += [_button(box, number) if embedded else _hover(box, number) for box in scene.boxes]
        parts.append("</g>")
    parts.append("</svg>\n")
    if not embedded:
        parts[3] = f"<style>{style(roles(scene.items), scope='')}</style>"
    return "\n".join(filter(None, parts))


def opening(
    width: float, height: float, title: str, description: str, *, prefix: str = "", embedded: bool = False
) -> list[str]:
    """The first lines of a document: its page, its title and its description."""
    number = _Numbers()
    across, down = number[width], number[height]
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{across}" height="{down}" '
        f'viewBox="0 0 {across} {down}" font-family="{FAMILY}" font-size="11" fill="none" stroke-linejoin="round" '
        f'role="{"group" if embedded else "img"}" class="drawing" '
        f'aria-labelledby="{prefix}title" aria-describedby="{prefix}description">',
        f'<title id="{prefix}title">{_text(title)}</title>',
        f'<desc id="{prefix}description">{_text(description, MAX_DESCRIPTION)}</desc>',
    ]


def fragment(items: Iterable[Item]) -> str:
    """The elements of items, without a document around them."""
    number = _Numbers()
    return "".join([_WRITERS[type(item)](item, number) for item in items])  # type: ignore[operator]


def style(used: Iterable[str] = palette.PAPER, *, scope: str = ".drawing ", media: str = MEDIA) -> str:
    """The rules that make drawings dark. used: the roles in use; scope: a selector before each rule's class; media: the
    condition, none if empty."""
    rules = []
    for role in sorted(set(used) & set(palette.PAPER)):
        if palette.changes(role):
            dark = palette.colour(role, dark=True)
            rules.append(f"{scope}.{role}-f{{fill:{dark}}}{scope}.{role}-s{{stroke:{dark}}}")
    body = "".join(rules)
    return f"@media {media}{{{body}}}" if media else body


def roles(items: Iterable[Item]) -> set[str]:
    """The roles in use; paper is always."""
    found = {"paper"}
    for item in items:
        if isinstance(item, Text):
            found.add(item.ink)
        elif isinstance(item, Polyline):
            found.add(item.stroke)
        elif not isinstance(item, Picture):
            found |= {role for role in (item.fill, item.stroke) if role is not None}
    return found


def _text(text: str, limit: int = 400) -> str:
    return escape(written(text, limit), quote=False)


@lru_cache(maxsize=4_000)
def _fill(role: str | None) -> str:
    return _paint(role, None, 1.0)


@lru_cache(maxsize=4_000)
def _paint(fill: str | None, stroke: str | None, thickness: float) -> str:
    """The attributes of something filled with a role and outlined in another."""
    attributes, classes = "", []
    if fill is not None:
        attributes += f' fill="{palette.colour(fill)}"'
        classes += [f"{fill}-f"] if palette.changes(fill) else []
    if stroke is not None and thickness > 0:
        attributes += f' stroke="{palette.colour(stroke)}"'
        classes += [f"{stroke}-s"] if palette.changes(stroke) else []
        if thickness != 1:
            attributes += f' stroke-width="{_Numbers()[thickness]}"'
    return attributes + (f' class="{" ".join(classes)}"' if classes else "")


def _rectangle(item: Rectangle, number: _Numbers) -> str:
    radius = f' rx="{number[item.radius]}"' if item.radius else ""
    dashes = f' stroke-dasharray="{DASHES}"' if item.dashed else ""
    return (
        f'<rect x="{number[item.left]}" y="{number[item.top]}" width="{number[item.width]}" '
        f'height="{number[item.height]}"{radius}{_paint(item.fill, item.stroke, item.thickness)}{dashes}/>'
    )


def _polygon(item: Polygon, number: _Numbers) -> str:
    points = " ".join([f"{number[x]},{number[y]}" for x, y in item.points])
    return f'<polygon points="{points}"{_paint(item.fill, item.stroke, item.thickness)}/>'


def _circle(item: Circle, number: _Numbers) -> str:
    paint = _paint(item.fill, item.stroke, item.thickness)
    return f'<circle cx="{number[item.x]}" cy="{number[item.y]}" r="{number[item.radius]}"{paint}/>'


def _polyline(item: Polyline, number: _Numbers) -> str:
    (x, y), steps = course(item)
    path = [f"M{number[x]} {number[y]}"]
    for (to_x, to_y), control in steps:
        if control is not None:
            path.append(f"Q{number[control[0]]} {number[control[1]]} {number[to_x]} {number[to_y]}")
        elif to_x == x:
            path.append(f"V{number[to_y]}")
        elif to_y == y:
            path.append(f"H{number[to_x]}")
        else:
            path.append(f"L{number[to_x]} {number[to_y]}")
        x, y = to_x, to_y
    dashes = f' stroke-dasharray="{DASHES}"' if item.dashed else ""
    drawn = f'<path d="{"".join(path)}"{_paint(None, item.stroke, item.thickness)}{dashes}/>'
    tip = head(item)
    return drawn + _polygon(tip, number) if tip is not None else drawn


_ANCHORS = {"start": "", "middle": ' text-anchor="middle"', "end": ' text-anchor="end"'}


def _label(item: Text, number: _Numbers) -> str:
    text = written(item.text)
    if not text.strip():
        return ""
    x, y = number[item.x], number[item.y]
    size = f' font-size="{number[item.size]}"' if item.size != 11 else ""
    bold = ' font-weight="bold"' if item.bold else ""
    fit = f' textLength="{number[item.fit]}" lengthAdjust="spacingAndGlyphs"' if item.fit else ""
    turn = f' transform="rotate(-90 {x} {y})"' if item.turned else ""
    mono = f' font-family="{MONO}"' if item.mono else ""
    blanks = ' xml:space="preserve"' if "  " in text or text[0] == " " or text[-1] == " " else ""
    return (
        f'<text x="{x}" y="{y}"{size}{bold}{_ANCHORS[item.anchor]}{fit}{turn}{mono}{blanks}'
        f"{_fill(item.ink)}>{escape(text, quote=False)}</text>"
    )


def _picture(item: Picture, number: _Numbers) -> str:
    import base64

    from convcalc.images import rasters

    data = base64.b64encode(rasters.png(item.raster)).decode()
    return (
        f'<image x="{number[item.left]}" y="{number[item.top]}" width="{number[item.width]}" '
        f'height="{number[item.height]}" preserveAspectRatio="none" image-rendering="pixelated" '
        f'href="data:image/png;base64,{data}"/>'
    )


_WRITERS = {
    Rectangle: _rectangle,
    Polygon: _polygon,
    Circle: _circle,
    Polyline: _polyline,
    Text: _label,
    Picture: _picture,
}


def _area(box: Placed, number: _Numbers) -> str:
    return (
        f'<rect x="{number[box.left]}" y="{number[box.top]}" width="{number[box.right - box.left]}" '
        f'height="{number[box.bottom - box.top]}"'
    )


def _hover(box: Placed, number: _Numbers) -> str:
    return f"{_area(box, number)}><title>{_text(box.label or box.name)}</title></rect>"


def _button(box: Placed, number: _Numbers) -> str:
    label = escape(written(box.label or box.name))
    layers = " ".join(map(str, box.layers))
    return f'{_area(box, number)} class="box" role="button" tabindex="-1" aria-label="{label}" data-layers="{layers}"/>'
