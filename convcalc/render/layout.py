"""A table laid out as lines of styled text, for a width in columns or for none at all.

Rows are padded and wrapped here rather than by a library's table: a network may have a hundred thousand rows, and
piped output should not need the library at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from unicodedata import east_asian_width

from convcalc.render.table import Column, Table

GAP = "  "
NARROWEST = 9  # columns that wrap are not squeezed below this


class Span(NamedTuple):
    """Some text in one style (rich's names: `bold`, `dim`, `cyan`)."""

    text: str
    style: str = ""


Line = list[Span]


def table_lines(table: Table, width: int | None = None) -> Iterator[Line]:
    """Title, header, rows, totals, lines and notes. width None: nothing is wrapped or left out."""
    if table.title:
        title = Span(table.title, "bold")
        subtitle = Span(GAP + table.subtitle, "dim") if table.subtitle else Span("")
        if width and cells(title.text + subtitle.text) > width:
            yield from ([Span(part, "bold")] for part in wrap(title.text, width))
            yield from ([Span(part, "dim")] for part in wrap(table.subtitle, width) if part)
        else:
            yield [title, subtitle]
    if table.rows:
        yield from _grid(table, width)
    for text in table.lines:
        indent = len(text) - len(text.lstrip())
        yield from ([Span(part)] for part in wrap(text, width, hanging=indent + 2 if indent else 0))
    for note in table.notes:
        yield from note_lines(note, width)


def note_lines(note: str, width: int | None = None, label: str = "note: ") -> Iterator[Line]:
    """A note, its later lines indented under the first."""
    room = None if width is None else max(20, width - len(label))
    for number, part in enumerate(wrap(note, room)):
        yield [Span(label if number == 0 else " " * len(label), "yellow"), Span(part, "italic")]


def cells(text: str) -> int:
    """How many columns a text takes on a terminal: wide characters take two."""
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def wrap(text: str, width: int | None, hanging: int = 0) -> list[str]:
    """Lines of at most `width` columns, broken at blanks, else after a dot, else anywhere."""
    if width is None or cells(text) <= width:
        return [text]
    most = width // 2  # of a line may be its indent
    indent = " " * min(hanging, most)
    bare = text.lstrip(" ")
    text = " " * min(len(text) - len(bare), most) + bare
    lines: list[str] = []
    current = ""
    for word in _pieces(text):
        if lines and not current.strip():  # blanks at the start of a line that was broken
            current = indent + word.lstrip(" ")
        elif current.strip() and cells(current + word.rstrip()) > width:
            lines.append(current.rstrip())
            current = indent + word.lstrip(" ")
        else:
            current += word
        while cells(current.rstrip()) > width:
            cut = width
            while cells(current[:cut]) > width:
                cut -= 1
            dot = current.rfind(".", 1, cut)
            cut = dot + 1 if dot > width // 3 else cut
            cut = max(cut, len(current) - len(current.lstrip(" ")) + 1)  # a character at least, however wide
            lines.append(current[:cut].rstrip())
            current = indent + current[cut:].lstrip(" ")
    if current.strip():
        lines.append(current.rstrip())
    return lines


def _pieces(text: str) -> Iterator[str]:
    """Words with the blanks before them."""
    start = 0
    inside = False
    for position, character in enumerate(text):
        if character == " " and inside:
            yield text[start:position]
            start, inside = position, False
        elif character != " ":
            inside = True
    yield text[start:]


def _grid(table: Table, width: int | None) -> Iterator[Line]:
    keep, widths = fit(table, width)
    columns = [table.columns[index] for index in keep]
    rule = [Span("─" * (sum(widths) + len(GAP) * (len(widths) - 1)), "dim")]
    yield from _row([column.header for column in columns], columns, widths, "bold")
    yield rule
    for number, row in enumerate(table.rows):
        style = table.styles[number] if table.styles else ""
        yield from _row([row[index] for index in keep], columns, widths, style)
    if table.footer:
        yield rule
        for row in table.footer:
            yield from _row([row[index] for index in keep], columns, widths, "bold")
    if len(keep) < len(table.columns):
        dropped = [column.header for index, column in enumerate(table.columns) if index not in keep]
        yield [Span(f"not shown at this width: {', '.join(dropped)}", "dim")]


def _row(
    texts: Sequence[str], columns: Sequence[Column], widths: Sequence[int], style: str
) -> Iterator[Line]:
    """The lines of one row: more than one where a cell is wrapped."""
    parts = [wrap(text, width) for text, width in zip(texts, widths, strict=True)]
    for number in range(max(map(len, parts))):
        line: Line = []
        for column, width, lines in zip(columns, widths, parts, strict=True):
            text = lines[number] if number < len(lines) else ""
            blank = " " * (width - cells(text))
            shown = blank + text if column.right else text + blank
            line.append(Span((GAP if line else "") + shown, style or column.style))
        line[-1] = Span(line[-1].text.rstrip(), line[-1].style)
        yield line


def fit(table: Table, width: int | None) -> tuple[list[int], list[int]]:
    """The columns to show and their widths.

    The least important columns are left out, then those that may wrap are squeezed. Numbers are never broken: in a
    terminal too narrow for them the lines are longer than it.
    """
    longest = [
        max(cells(column.header), *(cells(row[index]) for row in (*table.rows, *table.footer)))
        for index, column in enumerate(table.columns)
    ]
    keep = list(range(len(table.columns)))
    if width is None:
        return keep, longest
    least = [
        max(_least(table, index), cells(column.header)) if column.wrap else longest[index]
        for index, column in enumerate(table.columns)
    ]

    def excess(widths: list[int]) -> int:
        return sum(widths[index] for index in keep) + len(GAP) * (len(keep) - 1) - width

    for index in sorted(
        (i for i, c in enumerate(table.columns) if c.drop), key=lambda i: table.columns[i].drop
    ):
        if excess(least) <= 0:
            break
        keep.remove(index)
    widths = list(longest)
    for floors in (
        least,
        [4] * len(least),
    ):  # squeeze what may wrap to a width that reads well, in need to less
        while excess(widths) > 0:
            wide = [i for i in keep if table.columns[i].wrap and widths[i] > floors[i]]
            if not wide:
                break
            widths[max(wide, key=lambda index: widths[index])] -= 1
    return keep, [widths[index] for index in keep]


def _least(table: Table, index: int) -> int:
    """The least width at which a wrapping column still reads well: its longest word, within reason."""
    words = (cells(word) for row in table.rows for word in row[index].split())
    return max(NARROWEST, min(24, max(words, default=0)))
