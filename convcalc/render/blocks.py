"""Small matrices as text blocks, side by side if they fit, else stacked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from convcalc.render.layout import Line, TextSpan, cells

GAP = 4
MARKED = "bold black on yellow"


class TextBlock(NamedTuple):
    """Lines of text under a heading."""

    heading: str
    lines: list[Line]

    @property
    def width(self) -> int:
        """Width in columns."""
        return max(cells(self.heading), *(sum(cells(span.text) for span in line) for line in self.lines))


def matrix(
    heading: str,
    rows: Sequence[Sequence[str]],
    *,
    marked: Collection[tuple[int, int]] | None = None,
    styles: Mapping[tuple[int, int], str] | None = None,
    numbers: tuple[Sequence[int], Sequence[int]] | None = None,
    left: bool = False,
    gap: int = 2,
    rows_named: Sequence[str] = (),
) -> TextBlock:
    """A matrix with aligned columns.

    marked: cells in brackets (room for brackets is kept even if no cell is marked); styles: per cell; numbers: row
    and column labels; left: align to the left, as sums of letters are; gap: blanks between columns; rows_named:
    label of each row.
    """
    columns = range(len(rows[0]))
    labels = [str(number) for number in numbers[1]] if numbers else []
    widths = [
        max([cells(row[column]) for row in rows] + [len(label) for label in labels[column : column + 1]])
        for column in columns
    ]
    if len(set(widths)) > 1 and not left:
        widths = [max(widths)] * len(widths)
    heads = [str(number) for number in numbers[0]] if numbers else list(rows_named)
    indent = max(map(cells, heads), default=0)
    brackets = marked is not None
    lines: list[Line] = []
    if numbers:
        padded = [
            _cell(label, width, left, brackets, False, gap)
            for label, width in zip(labels, widths, strict=True)
        ]
        lines.append([TextSpan(" " * (indent + 2 if heads else 0) + "".join(padded).rstrip(), "dim")])
    for index, row in enumerate(rows):
        line = [TextSpan(f"{heads[index]:>{indent}}  ", "dim")] if heads else []
        for column in columns:
            inside = marked is not None and (index, column) in marked
            text = _cell(row[column], widths[column], left, brackets, inside, gap)
            style = MARKED if inside else (styles or {}).get((index, column), "")
            if line and line[-1].style == style and not inside:
                line[-1] = TextSpan(line[-1].text + text, style)
            else:
                line.append(TextSpan(text, style))
        if not brackets:
            line[-1] = TextSpan(line[-1].text[:-gap], line[-1].style)
        lines.append(line)
    return TextBlock(heading, lines)


def _cell(text: str, width: int, left: bool, brackets: bool, inside: bool, gap: int) -> str:
    blank = " " * (width - cells(text))
    padded = text + blank if left else blank + text
    if brackets:
        return f"[{padded}]" if inside else f" {padded} "
    return padded + " " * gap


def beside(blocks: Sequence[TextBlock], width: int | None) -> list[Line]:
    """Blocks side by side, in as many rows as the width requires (None: one row)."""
    lines: list[Line] = []
    row: list[TextBlock] = []
    taken = 0
    for block in blocks:
        if row and width is not None and taken + block.width > width:
            lines += [*_joined(row), []]
            row, taken = [], 0
        row.append(block)
        taken += block.width + GAP
    return [*lines, *_joined(row)]


def _joined(row: Sequence[TextBlock]) -> list[Line]:
    lines: list[Line] = []
    columns: list[list[Line]] = [[[TextSpan(block.heading, "bold")], *block.lines] for block in row]
    widths = [block.width for block in row]  # measured once: it reads every cell
    for index in range(max(map(len, columns))):
        line: Line = []
        for width, column in zip(widths, columns, strict=True):
            spans = column[index] if index < len(column) else []
            blank = width + GAP - sum(cells(span.text) for span in spans)
            line += [*spans, TextSpan(" " * blank)]
        lines.append(line[:-1])
    return lines
