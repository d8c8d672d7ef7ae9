"""Tables as lines of styled text, for a width in columns or unlimited.

Rows are padded and wrapped here rather than by rich: a network may have a hundred thousand rows, and piped output
then needs no rich at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from unicodedata import east_asian_width

from convcalc.render.table import Column, Narrowing, Note, Table, text_of, total_text

GAP = "  "
MAX_NAMED = 2  # columns named in the note on narrowing; further ones are "others"
NARROWEST = 9  # minimum width of wrapping columns


class TextSpan(NamedTuple):
    """Text in one style (a style name of rich: `bold`, `dim`, `cyan`)."""

    text: str
    style: str = ""


Line = list[TextSpan]


def table_lines(table: Table, width: int | None = None) -> Iterator[Line]:
    """Title, header, rows, totals, lines and notes. width None: nothing is wrapped or dropped."""
    if table.title:
        title = TextSpan(table.title, "bold")
        subtitle = TextSpan(GAP + table.subtitle, "dim") if table.subtitle else TextSpan("")
        if width and cells(title.text + subtitle.text) > width:
            yield from ([TextSpan(part, "bold")] for part in wrap(title.text, width))
            yield from ([TextSpan(part, "dim")] for part in wrap(table.subtitle, width) if part)
        else:
            yield [title, subtitle]
    if table.rows:
        yield from _grid(table, width)
    for text in table.lines:
        indent = len(text) - len(text.lstrip())
        yield from ([TextSpan(part)] for part in wrap(text, width, hanging=indent + 2 if indent else 0))
    for note in table.notes:
        yield from note_lines(note, width)


def note_lines(note: Note, width: int | None = None) -> Iterator[Line]:
    """A note with its continuation lines indented."""
    label = note.label
    room = None if width is None else max(20, width - len(label))
    for number, part in enumerate(wrap(note.text, room)):
        yield [TextSpan(label if number == 0 else " " * len(label), "yellow"), TextSpan(part, "italic")]


def cells(text: str) -> int:
    """Terminal columns that a text takes: wide characters take two."""
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def wrap(text: str, width: int | None, hanging: int = 0) -> list[str]:
    """Lines of at most `width` columns, broken at blanks, else after a dot, else anywhere."""
    if width is None or cells(text) <= width:
        return [text]
    most = width // 2  # at most half of the line is indent
    indent = " " * min(hanging, most)
    bare = text.lstrip(" ")
    text = " " * min(len(text) - len(bare), most) + bare
    lines: list[str] = []
    current = ""
    for word in _pieces(text):
        if lines and not current.strip():  # skip blanks at the start of a continuation line
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
            cut = max(
                cut, len(current) - len(current.lstrip(" ")) + 1
            )  # at least one character, even if it is too wide
            lines.append(current[:cut].rstrip())
            current = indent + current[cut:].lstrip(" ")
    if current.strip():
        lines.append(current.rstrip())
    return lines


def _pieces(text: str) -> Iterator[str]:
    """Words, each with the blanks before it."""
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
    grid = _Grid(table)
    shown, widths = grid.fit(width)
    columns = [table.columns[index] for index, _ in shown]
    cuts = [grid.texts(index, level) for index, level in shown]
    rows = list(zip(*cuts, strict=True))
    body = len(table.rows)
    rule = [TextSpan("─" * (sum(widths) + len(GAP) * (len(widths) - 1)), "dim")]
    yield from _row([column.header for column in columns], columns, widths, "bold")
    yield rule
    above = {place.row: place.text for place in table.headings}
    for number, row in enumerate(rows[:body]):
        if number in above:
            if number:
                yield [TextSpan("")]
            yield [TextSpan(above[number], "bold")]
        yield from _row(row, columns, widths, table.styles[number] if table.styles else "")
    if table.footer:
        yield rule
        for row in rows[body:]:
            yield from _row(row, columns, widths, "bold")
    given_up = _narrowing_note(table, shown, width)
    if given_up:
        yield from ([TextSpan(part, "dim")] for part in wrap(given_up, width))


def _narrowing_note(table: Table, shown: Sequence[tuple[int, int]], width: int | None) -> str:
    """A line that says what was dropped or shortened, and how to see it; what was shortened by name where it fits."""
    headers = [column.header for column in table.columns]
    left_out = [headers[index] for index in range(len(headers)) if index not in dict(shown)]
    short = [headers[index] for index, level in shown if level]
    ways = " or ".join(way for way in (table.wider, "a wider window") if way)

    def note(shortened: str) -> str:
        parts = [f"left out: {', '.join(left_out)}"] if left_out else []
        parts += [f"shortened: {shortened}"] if short else []
        return f"{'; '.join(parts)} ({ways})" if parts else ""

    named, unnamed = note(", ".join(short)), note("others")
    too_long = width is not None and cells(unnamed) <= width < cells(named)
    return unnamed if len(short) > MAX_NAMED or too_long else named


def _row(
    texts: Sequence[str], columns: Sequence[Column], widths: Sequence[int], style: str
) -> Iterator[Line]:
    """The lines of one row: several if a cell is wrapped."""
    parts = [wrap(text, width) for text, width in zip(texts, widths, strict=True)]
    for number in range(max(map(len, parts))):
        line: Line = []
        for column, width, lines in zip(columns, widths, parts, strict=True):
            text = lines[number] if number < len(lines) else ""
            blank = " " * (width - cells(text))
            shown = blank + text if column.right else text + blank
            line.append(TextSpan((GAP if line else "") + shown, style or column.style))
        line[-1] = TextSpan(line[-1].text.rstrip(), line[-1].style)
        yield line


class _Grid:
    """A table's texts by column, at every level of shortening that has been needed so far."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._texts: dict[tuple[int, int], list[str]] = {}
        self._widths: dict[tuple[int, int], int] = {}

    def texts(self, index: int, level: int) -> list[str]:
        """The texts of a column, totals last. level 0: in full; higher levels: shortened."""
        if (index, level) not in self._texts:
            column = self.table.columns[index]
            texts = [text_of(column, record, level) for record in self.table.rows]
            texts += [total_text(column, total, level) for total in self.table.footer]
            self._texts[index, level] = texts
        return self._texts[index, level]

    def width(self, index: int, level: int) -> int:
        """The width of a column whose texts are not wrapped."""
        if (index, level) not in self._widths:
            header = cells(self.table.columns[index].header)
            self._widths[index, level] = max(header, *map(cells, self.texts(index, level)))
        return self._widths[index, level]

    def fit(self, width: int | None) -> tuple[list[tuple[int, int]], list[int]]:
        """The columns to show, each with its level of shortening, and their widths.

        Narrowings are applied in order until each row fits on one line; then those that turned out unnecessary are
        undone. Texts are wrapped only if all narrowings together do not suffice. Numbers are never broken: if the
        terminal is too narrow for them, lines exceed its width.
        """
        given_up: list[Narrowing] = []
        shown = self._shown(given_up)
        for narrowing in self.table.narrowing:
            if self._excess(shown, width) <= 0:
                break
            given_up.append(narrowing)
            shown = self._shown(given_up)
        if self._excess(shown, width) <= 0:
            for narrowing in given_up[-2::-1]:
                fewer = [other for other in given_up if other is not narrowing]
                if self._excess(self._shown(fewer), width) <= 0:
                    given_up, shown = fewer, self._shown(fewer)
        return shown, self._squeezed(shown, width)

    def _shown(self, given_up: Sequence[Narrowing]) -> list[tuple[int, int]]:
        dropped = {narrowing.key for narrowing in given_up if narrowing.action == "drop"}
        level = Counter(narrowing.key for narrowing in given_up if narrowing.action == "shorten")
        return [
            (index, min(level[column.key], len(column.short)))
            for index, column in enumerate(self.table.columns)
            if column.key not in dropped
        ]

    def _excess(self, shown: Sequence[tuple[int, int]], width: int | None) -> int:
        return _excess([self.width(index, level) for index, level in shown], width)

    def _squeezed(self, shown: Sequence[tuple[int, int]], width: int | None) -> list[int]:
        """The widths with wrapping columns reduced, first to a readable width, then to less if necessary."""
        widths = [self.width(index, level) for index, level in shown]
        least = [self._least(index, level) for index, level in shown]
        for floors in (least, [4] * len(least)):
            while _excess(widths, width) > 0:
                wide = [
                    place
                    for place, (index, _) in enumerate(shown)
                    if self.table.columns[index].wrap and widths[place] > floors[place]
                ]
                if not wide:
                    break
                widths[max(wide, key=lambda place: widths[place])] -= 1
        return widths

    def _least(self, index: int, level: int) -> int:
        """The least readable width of a wrapping column: its longest word, within reason."""
        words = (cells(word) for text in self.texts(index, level) for word in text.split())
        least = max(NARROWEST, min(24, max(words, default=0)))
        return max(least, cells(self.table.columns[index].header))


def _excess(widths: Sequence[int], width: int | None) -> int:
    return 0 if width is None else sum(widths) + len(GAP) * (len(widths) - 1) - width
