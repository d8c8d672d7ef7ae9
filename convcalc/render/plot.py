"""A scatter of named points: its axes, and its drawing in characters. `drawing/scatter.py` makes a picture of it."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log10
from typing import NamedTuple

from convcalc.render.layout import Line, TextSpan

MARKS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
LOG_RATIO = 8  # an axis whose largest value is more than so many times its smallest is logarithmic


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
