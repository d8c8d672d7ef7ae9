"""A scatter of named points: as SVG, and in characters for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from math import ceil, floor, log10
from typing import NamedTuple

from convcalc.render.layout import Line, TextSpan

MARKS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
LOG_RATIO = 8  # an axis whose largest value is more than so many times its smallest is logarithmic
REACHES = (
    10,
    18,
    28,
    40,
    55,
    72,
    92,
    115,
)  # distances of a name from its dot; of one not on the front the first three
CHARACTER = 0.56  # of the font size: the width of a character, on average


class Dot(NamedTuple):
    """A named point; strong: it lies on the front."""

    name: str
    x: float
    y: float
    strong: bool = False


class Scale(NamedTuple):
    """An axis: its title, its ends, and whether it is logarithmic."""

    title: str
    low: float
    high: float
    logarithmic: bool

    def place(self, value: float) -> float:
        """Where a value lies, from 0 to 1."""
        if self.logarithmic:
            return (log10(value) - log10(self.low)) / (log10(self.high) - log10(self.low))
        return (value - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> list[float]:
        """Round values within the axis."""
        if self.logarithmic:
            decades = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
            fine = (1, 2, 5) if len(decades) < 5 else (1,)
            ticks = [step * 10.0**decade for decade in decades for step in fine]
        else:
            step = 10.0 ** floor(log10((self.high - self.low) / 4))
            step *= next(factor for factor in (1, 2, 5, 10) if (self.high - self.low) / (step * factor) <= 7)
            ticks = [step * place for place in range(ceil(self.low / step), floor(self.high / step) + 1)]
        return [tick for tick in ticks if self.low <= tick <= self.high]


def scale(title: str, values: Sequence[float]) -> Scale:
    """An axis with room around its values."""
    low, high = min(values), max(values)
    if low > 0 and high / low > LOG_RATIO:
        room = (high / low) ** 0.07
        return Scale(title, low / room, high * room, True)
    room = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    return Scale(title, low - room, high + room, False)


def short(value: float) -> str:
    """`4.1G`, `300M`, `76.1`."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "K")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.4g}"


# -- SVG ---------------------------------------------------------------------------------------------------

WIDTH, HEIGHT = 760, 480
LEFT, RIGHT, TOP, BOTTOM = 70, 24, 40, 56
FONT, SMALL = 13, 12
STYLE = """
text { font-family: Helvetica, Arial, "Liberation Sans", sans-serif; fill: #16191d }
.paper { fill: #ffffff } .grid { stroke: #d5dae1 } .axis { stroke: #16191d } .muted { fill: #5b6470 }
.dot { fill: #ffffff; stroke: #2166ac; stroke-width: 2 } .front { fill: #2166ac } .line { stroke: #2166ac; fill: none }
@media screen and (prefers-color-scheme: dark) {
  text { fill: #e8ecf1 } .paper { fill: #14171c } .grid { stroke: #2d343e } .axis { stroke: #dfe4ea }
  .muted { fill: #a3adb8 } .dot { fill: #14171c; stroke: #8fbbdd } .front { fill: #8fbbdd } .line { stroke: #8fbbdd }
}
"""


class Box(NamedTuple):
    """A rectangle that something takes."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Whether two boxes overlap."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom


def svg(title: str, dots: Sequence[Dot], x: Scale, y: Scale) -> str:
    """The scatter as an SVG document, light and dark; strong dots are filled and joined."""
    wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    at = {dot: (LEFT + wide * x.place(dot.x), TOP + tall * (1 - y.place(dot.y))) for dot in dots}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'role="img" aria-labelledby="plot-title plot-description">',
        f'<title id="plot-title">{escape(title)}</title>',
        f'<desc id="plot-description">{escape(_described(dots, x, y))}</desc>',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text x="{LEFT}" y="24" font-size="15" font-weight="bold">{escape(title)}</text>',
    ]
    for tick in x.ticks:
        place = LEFT + wide * x.place(tick)
        parts.append(f'<line class="grid" x1="{place:.1f}" x2="{place:.1f}" y1="{TOP}" y2="{TOP + tall}"/>')
        parts.append(
            f'<text class="muted" x="{place:.1f}" y="{TOP + tall + 18}" font-size="{SMALL}" text-anchor="middle">'
            f"{short(tick)}</text>"
        )
    for tick in y.ticks:
        place = TOP + tall * (1 - y.place(tick))
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{LEFT + wide}" y1="{place:.1f}" y2="{place:.1f}"/>')
        parts.append(
            f'<text class="muted" x="{LEFT - 8}" y="{place + 4:.1f}" font-size="{SMALL}" text-anchor="end">'
            f"{short(tick)}</text>"
        )
    parts.append(f'<path class="axis" fill="none" d="M{LEFT} {TOP}V{TOP + tall}H{LEFT + wide}"/>')
    middle = f'font-size="{FONT}" text-anchor="middle"'
    parts.append(f'<text x="{LEFT + wide / 2}" y="{HEIGHT - 14}" {middle}>{escape(x.title)}</text>')
    parts.append(
        f'<text transform="translate(18 {TOP + tall / 2}) rotate(-90)" {middle}>{escape(y.title)}</text>'
    )
    front = sorted(at[dot] for dot in dots if dot.strong)
    if len(front) > 1:
        path = " ".join(f"{place[0]:.1f},{place[1]:.1f}" for place in front)
        parts.append(f'<polyline class="line" stroke-dasharray="4 3" points="{path}"/>')
    for dot, (left, top) in at.items():
        kind = "dot front" if dot.strong else "dot"
        parts.append(
            f'<circle class="{kind}" cx="{left:.1f}" cy="{top:.1f}" r="5"><title>{escape(dot.name)}: '
            f"{short(dot.x)}, {short(dot.y)}</title></circle>"
        )
    parts += _labels(dots, at)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _described(dots: Sequence[Dot], x: Scale, y: Scale) -> str:
    listed = "; ".join(f"{dot.name} {short(dot.x)}, {short(dot.y)}" for dot in dots)
    return f"{y.title} against {x.title}: {listed}"


def _labels(dots: Sequence[Dot], at: dict[Dot, tuple[float, float]]) -> Iterator[str]:
    """The dots' names, each in the first place around its dot where it meets nothing, further away on a line."""
    taken = [Box(left - 6, top - 6, left + 6, top + 6) for left, top in at.values()]
    frame = Box(LEFT + 1, TOP + 1, WIDTH - 2, HEIGHT - BOTTOM - 1)
    for dot in sorted(dots, key=lambda dot: not dot.strong):
        left, top = at[dot]
        name = dot.name if len(dot.name) <= 40 else dot.name[:39] + "…"
        wide = len(name) * SMALL * CHARACTER
        found = None
        for reach in REACHES if dot.strong else REACHES[:3]:
            for right, down in ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1)):
                start = left + right * reach - (wide if right < 0 else wide / 2 if not right else 0)
                base = top + down * reach + 4
                box = Box(start - 1, base - SMALL, start + wide + 1, base + 4)
                inside = frame.left <= box.left and box.right <= frame.right and frame.top <= box.top
                if inside and box.bottom <= frame.bottom and not any(box.meets(other) for other in taken):
                    found = (start, base, box, reach)
                    break
            if found:
                break
        if found is None:
            continue  # its circle has its name as a title
        start, base, box, reach = found
        taken.append(box)
        if reach > 18:
            edge = min(max(left, box.left), box.right)
            end = box.top + 3 if base > top else box.bottom - 3
            yield f'<line class="grid" x1="{left:.1f}" y1="{top:.1f}" x2="{edge:.1f}" y2="{end:.1f}"/>'
        weight = ' font-weight="bold"' if dot.strong else ""
        yield f'<text x="{start:.1f}" y="{base:.1f}" font-size="{SMALL}"{weight}>{escape(name)}</text>'


# -- characters --------------------------------------------------------------------------------------------


def drawing(dots: Sequence[Dot], x: Scale, y: Scale, width: int, height: int = 18) -> list[Line]:
    """The scatter in characters: a letter a point, names below; strong points in bold. width: columns."""
    margin = max(6, *(len(short(tick)) + 1 for tick in y.ticks))
    wide = max(20, width - margin - 2)
    rows: list[list[TextSpan]] = [[TextSpan(" ")] * wide for _ in range(height)]
    marks = {dot: MARKS[place % len(MARKS)] for place, dot in enumerate(dots)}
    for dot in sorted(dots, key=lambda dot: dot.strong):
        column = min(wide - 1, round(x.place(dot.x) * (wide - 1)))
        row = min(height - 1, round((1 - y.place(dot.y)) * (height - 1)))
        rows[row][column] = TextSpan(marks[dot], "bold green" if dot.strong else "cyan")
    labels = {round((1 - y.place(tick)) * (height - 1)): short(tick) for tick in y.ticks}
    lines: list[Line] = [[TextSpan(y.title, "dim")]]
    for place, cells in enumerate(rows):
        lines.append([TextSpan(f"{labels.get(place, ''):>{margin}} │", "dim"), *cells])
    lines.append([TextSpan(" " * margin + " └" + "─" * wide, "dim")])
    ticks = [" "] * (wide + 8)
    free = 0
    for tick in x.ticks:
        text = short(tick)
        start = max(0, round(x.place(tick) * (wide - 1)) - len(text) // 2)
        if start >= free and start + len(text) <= wide:
            ticks[start : start + len(text)] = text
            free = start + len(text) + 1
    lines.append([TextSpan(" " * (margin + 2) + "".join(ticks).rstrip(), "dim")])
    lines.append([TextSpan(" " * (margin + 2) + x.title, "dim")])
    column = max(len(dot.name) for dot in dots) + 5
    across = max(1, (width - 2) // column)
    for start in range(0, len(dots), across):
        line: list[TextSpan] = []
        for dot in dots[start : start + across]:
            style = "bold green" if dot.strong else "cyan"
            line += [
                TextSpan(f"{marks[dot]} ", style),
                TextSpan(f"{dot.name:<{column - 2}}", "bold" if dot.strong else ""),
            ]
        lines.append(line)
    return lines
