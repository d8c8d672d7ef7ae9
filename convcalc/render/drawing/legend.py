"""What the colours of a drawing mean: samples with their words, in rows."""

from __future__ import annotations

from typing import NamedTuple

from convcalc.render.drawing import lettering
from convcalc.render.drawing.scene import Item, Rectangle, Text

SIZE = 10.0
SAMPLE = 11.0  # side of a sample
GAP = 5.0  # between a sample and its word
APART = 14.0  # between two entries
ROW = 18.0


class Legend(NamedTuple):
    """A legend. title: what is coloured, `MACs`; entries: a role of the palette and its word each; note: a sentence
    after them."""

    title: str
    entries: tuple[tuple[str, str], ...]
    note: str = ""


def legend_items(legend: Legend, left: float, top: float, room: float) -> tuple[list[Item], float, float]:
    """The items of a legend whose first row begins at (left, top), wrapped into rows of at most `room` pixels; then
    its width and its height in pixels."""
    items: list[Item] = []
    x, y, widest = left, top, 0.0
    base = (SAMPLE + lettering.ABOVE * SIZE - lettering.BELOW * SIZE) / 2

    def place(wide: float) -> None:
        nonlocal x, y, widest
        if x > left and x + wide > left + room:
            x, y = left, y + ROW
        widest = max(widest, x + wide - left)

    if legend.title:
        wide = lettering.width(legend.title, SIZE, bold=True)
        place(wide)
        items.append(Text(x, y + base, legend.title, SIZE, bold=True))
        x += wide + APART
    for role, word in legend.entries:
        wide = SAMPLE + GAP + lettering.width(word, SIZE)
        place(wide)
        items.append(Rectangle(x, y, SAMPLE, SAMPLE, role, radius=2))
        items.append(Text(x + SAMPLE + GAP, y + base, word, SIZE, ink="muted"))
        x += wide + APART
    if legend.note:
        wide = lettering.width(legend.note, SIZE)
        place(wide)
        items.append(Text(x, y + base, legend.note, SIZE, ink="muted"))
    return items, widest, y + SAMPLE - top
