"""Columns of characters, each over its label, in as few banks as a width takes. Shared by volumes and maps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from convcalc.render.drawing import lettering
from convcalc.render.drawing.arcs import LETTERS
from convcalc.render.drawing.chain import Chain, Part
from convcalc.render.drawing.lettering import Sizes
from convcalc.render.layout import Line, TextSpan, cells, wrap
from convcalc.shapes import show

SYMBOLS = {  # by fill, with the style of rich and the word of the legend
    "input": ("░", "", "input"),
    "conv": ("█", "blue", "convolution"),
    "pool": ("▒", "red", "pooling"),
    "dense": ("▓", "magenta", "dense"),
    "deconv": ("▞", "cyan", "upsampling"),
    "block": ("▚", "bright_blue", "block"),
    "join": ("▄", "yellow", "join"),
    "other": ("░", "dim", "other"),
}
MARK_STYLES = {"added": "green", "removed": "red", "changed": "yellow"}
MAX_LABEL = 14
MAX_ROWS = 5
TURN = "→"
ARCS = "What leaves by a→ also goes to →a."


class Column(NamedTuple):
    """A figure of characters: rows of equal width, centred on the axis; its style; labels below."""

    rows: tuple[str, ...]
    style: str
    labels: tuple[str, ...]

    @property
    def width(self) -> int:
        """In terminal columns."""
        return max(map(cells, (*self.rows, *self.labels)), default=1)


def symbol(kind: str) -> tuple[str, str, str]:
    """The character of a fill, its style and its word."""
    return SYMBOLS.get(kind, SYMBOLS["other"])


def arc_tags(network: Chain) -> list[str]:
    """For each part the letters of the skips that leave it and that come to it: `a→`, `→a`."""
    found: list[list[str]] = [[] for _ in network.parts]
    for letter, arc in zip(LETTERS, network.arcs, strict=False):
        found[arc.first].append(f"{letter}{TURN}")
        found[arc.last].append(f"{TURN}{letter}")
    return [" ".join(tags) for tags in found]


def labels(part: Part, sizes: Sizes, tag: str = "") -> tuple[str, ...]:
    """`conv`, `96×`, `55×55`, `K96`, `F11`, `S4`; tag: a further row."""
    if len(part.shape) == 1:
        size = [str(part.shape[0])]
    elif sizes == "hwc":
        size = [_spatial(part), f"×{part.shape[0]}"]
    else:
        size = [f"{part.shape[0]}×", _spatial(part)]
    heading = part.heading.replace(" × ", "×")
    fields = [field.removesuffix(" ·") for field in part.fields[:MAX_ROWS]]
    return tuple([_cut(text) for text in (heading, *size, *fields, *part.notes, *filter(None, (tag,)))])


def _spatial(part: Part) -> str:
    """`55×55`; `224²` for larger squares."""
    spatial = part.shape[1:]
    if len(spatial) == 2 and spatial[0] == spatial[1] >= 100:
        return f"{spatial[0]}²"
    return show(spatial)


def _cut(text: str) -> str:
    text = lettering.plain(text[: 4 * MAX_LABEL])
    while cells(text) > MAX_LABEL:
        text = text.removesuffix("…")[:-1] + "…"
    return text


def bank_lines(columns: Sequence[Column], width: int | None) -> Iterator[Line]:
    """The columns as lines of at most `width` terminal columns; None: all in one bank."""
    ends = _breaks([column.width for column in columns], width)
    several = len(ends) > 1
    for number, (first, last) in enumerate(ends):
        if number:
            yield [TextSpan("")]
        yield from _bank(
            columns[first : last + 1], (number > 0, number + 1 < len(ends)) if several else (False, False)
        )


def _breaks(widths: Sequence[int], width: int | None) -> list[tuple[int, int]]:
    """First and last column of each bank: as few as possible, none much wider than another."""

    def filled(room: int) -> list[tuple[int, int]]:
        banks = []
        first, taken = 0, widths[0]
        for place in range(1, len(widths)):
            if taken + 1 + widths[place] > room:
                banks.append((first, place - 1))
                first, taken = place, widths[place]
            else:
                taken += 1 + widths[place]
        return [*banks, (first, len(widths) - 1)]

    total = sum(widths) + len(widths) - 1
    if width is None or total <= width:
        return [(0, len(widths) - 1)]
    room = width - 2 * len(f"{TURN} ")
    best = filled(room)
    for narrower in range(room - 1, max(widths) - 1, -1):
        banks = filled(narrower)
        if len(banks) > len(best):
            break
        best = banks
    return best


def _bank(columns: Sequence[Column], turns: tuple[bool, bool]) -> Iterator[Line]:
    """turns: whether an arrow comes in at the left and goes on at the right."""
    height = max(len(column.rows) for column in columns)
    axis = height // 2
    before = "  " if turns[0] else ""
    for row in range(height):
        line = [TextSpan(f"{TURN} " if turns[0] and row == axis else before)]
        for column in columns:
            top = (height - len(column.rows)) // 2
            inside = top <= row < top + len(column.rows)
            art = column.rows[row - top] if inside else ""
            line += [TextSpan(art, column.style), TextSpan(" " * (column.width - cells(art) + 1))]
        if turns[1] and row == axis:
            line.append(TextSpan(TURN))
        yield _trimmed(line)
    yield [TextSpan("")]
    for row in range(max(len(column.labels) for column in columns)):
        style = "bold" if row == 0 else "dim" if row > 2 else ""
        line = [TextSpan(before)]
        for column in columns:
            text = column.labels[row] if row < len(column.labels) else ""
            line.append(TextSpan(text, MARK_STYLES.get(text, style)))
            line.append(TextSpan(" " * (column.width - cells(text) + 1)))
        yield _trimmed(line)


def _trimmed(line: Line) -> Line:
    """Without empty spans, and without blanks at its end."""
    while line and not line[-1].text.strip():
        line.pop()
    if line:
        line[-1] = line[-1]._replace(text=line[-1].text.rstrip())
    return [span for span in line if span.text] or [TextSpan("")]


def legend_lines(kinds: Sequence[str], sentence: str, width: int | None) -> Iterator[Line]:
    """What the characters mean, each once, and how large they are drawn."""
    told = dict.fromkeys(symbol(kind) for kind in kinds)
    words = " · ".join([f"{character} {word}" for character, _, word in told])
    for text in (words, sentence):
        yield from ([TextSpan(part, "dim")] for part in wrap(text, width))


def title_lines(title: str, name: str, width: int | None) -> Iterator[Line]:
    """The title in bold, the network's name if there is room, and an empty line."""
    room = 200 if width is None else width
    text = lettering.plain(title[:room])
    while cells(text) > room:
        text = text[:-1]
    line = [TextSpan(text, "bold")]
    named = f"  {lettering.plain(name[:room])}"
    if name != title and cells(text + named) <= room:
        line.append(TextSpan(named, "dim"))
    yield line
    yield [TextSpan("")]


def chain_lines(
    network: Chain, column: Callable[[Part, str], Column], sentence: str, width: int | None
) -> Iterator[Line]:
    """A chain in characters. column: of a part, given what stands at the ends of its skips; sentence: how large things
    are drawn."""
    yield from title_lines(network.title, network.name, width)
    drawn = [
        (part, tag)
        for part, tag in zip(network.parts, arc_tags(network), strict=True)
        if part.form != "arrow"
    ]
    yield from bank_lines([column(part, tag) for part, tag in drawn], width)
    yield [TextSpan("")]
    told = " ".join([text for text in (sentence, ARCS if network.arcs else "") if text])
    yield from legend_lines([part.kind for part, _ in drawn], told, width)
