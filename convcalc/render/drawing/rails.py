"""A network in characters: a line per box, and at its left a rail for each value that is still to be read.

A rail opens where a box reads what others read as well (`├─╮`) and closes where it is joined (`├─╯`). A rail that is
only passed is crossed (`┼`). Between two boxes, the rails that a line connects lead to the rail of the next box.

    ■   conv K64 F3 P1 · bn · relu      64×56×56
    ├─╮
    │ ■ conv K64 F3 P1 · bn · relu      64×56×56
    │ ■ conv K64 F3 P1 · bn             64×56×56
    ├─╯
    +   add · relu                      64×56×56
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from convcalc.analysis.boxes import Box, Boxes, Frame
from convcalc.render.drawing import lettering
from convcalc.render.drawing.outline import frame_label, outputs_of
from convcalc.render.layout import Line, TextSpan, cells, note_lines
from convcalc.render.table import Note

MAX_RAILS = 20  # that are easy to follow
MIN_TEXT = 8  # columns of text, however many rails there are
MIN_NAMED = 100  # columns of a terminal that has room for names
MAX_ALIGNED = 100  # columns of text up to which sizes are aligned without a terminal
MAX_READ = 2_000  # characters of a name
GAP = "  "

SYMBOLS = {
    "input": "○",
    "conv": "■",
    "deconv": "▲",
    "pool": "▼",
    "dense": "▌",
    "attention": "◆",
    "norm": "≡",
    "activation": "ƒ",
    "block": "▣",
    "join": "∪",
    "other": "·",
}
STYLES = {
    "conv": "blue",
    "deconv": "cyan",
    "pool": "red",
    "dense": "magenta",
    "attention": "bold magenta",
    "join": "yellow",
    "block": "bold cyan",
}
SHORT_SIGNS = {"max": "∨", "min": "∧", "concat": "∪"}
MARKS = {"added": "+ ", "removed": "− ", "changed": "~ "}
MARK_STYLES = {"added": "green", "removed": "red", "changed": "yellow"}


class _Row(NamedTuple):
    """A line before it is fitted to a width. rails: drawn at the left; symbol and its place in them."""

    rails: str
    place: int = -1
    style: str = ""
    text: str = ""
    text_style: str = ""
    name: str = ""
    note: str = ""
    size: str = ""


def lines(
    boxes: Boxes,
    width: int | None = None,
    *,
    sizes: Literal["chw", "hwc"] = "chw",
    notes: Mapping[int, str] | None = None,
    marks: Mapping[int, str] | None = None,
) -> list[Line]:
    """The drawing for a terminal of `width` columns; None: nothing is cut.

    notes: by the key of a box, a text before its size, such as its MACs. marks: by key, `added`, `removed`, `changed`
    or `same`, as from `pair_boxes`.
    """
    rails = _Rails(boxes)
    rows = list(_rows(boxes, rails, sizes, notes or {}, marks or {}))
    found = list(_fitted(rows, width))
    if rails.most > MAX_RAILS:
        text = f"{rails.most} rails side by side: --depth folds blocks into one box each"
        found += note_lines(Note(text), width)
    return found


# -- rails -------------------------------------------------------------------------------------------------------


class _Rails:
    """The rails at the current line: per column, the key of the box whose output it carries; None for no rail."""

    def __init__(self, boxes: Boxes) -> None:
        self.columns: list[int | None] = []
        self.most = 0
        self.closed: int | None = None  # the column of the last box, if its rail ends there
        self.left = [0] * len(boxes.boxes)  # readers to come, per box
        for box in boxes.boxes:
            for source in box.inputs:
                self.left[source] += 1

    def drawn(self, changes: Mapping[int, str] | None = None, row: tuple[int, int] | None = None) -> str:
        """The rails as text. changes: characters of some columns; row: the columns that a level line connects, which
        crosses the rails between them."""
        changes = changes or {}
        characters = []
        first, last = row or (0, -1)
        for column in range(max(len(self.columns), last + 1, *(place + 1 for place in changes), 0)):
            within = first < column < last
            rail = column < len(self.columns) and self.columns[column] is not None
            characters.append(
                changes.get(column) or ("┼" if rail and within else "│" if rail else "─" if within else " ")
            )
            characters.append("─" if first <= column < last else " ")
        return "".join(characters).rstrip()

    def free(self, after: int) -> int:
        """The first column without a rail behind `after`."""
        for column in range(after + 1, len(self.columns)):
            if self.columns[column] is None:
                return column
        return max(len(self.columns), after + 1)

    def put(self, column: int, value: int | None) -> None:
        """Gives a column's rail another value."""
        self.columns += [None] * (column + 1 - len(self.columns))
        self.columns[column] = value
        while self.columns and self.columns[-1] is None:
            self.columns.pop()
        self.most = max(self.most, len(self.columns))

    def lead(self, box: Box) -> tuple[int, list[str]]:
        """The column of a box, and the lines that lead to it."""
        places = {value: column for column, value in enumerate(self.columns) if value is not None}
        read = sorted(places[source] for source in box.inputs)
        for source in box.inputs:
            self.left[source] -= 1
        ending = [column for column in read if not self.left[self.columns[column] or 0]]
        going_on = [column for column in read if column not in ending]
        found = []
        if ending:
            target = ending[0]
        elif going_on:
            first = going_on.pop(0)
            target = self.free(first)
            found.append(self.drawn({first: "├", target: "╮"}, (first, target)))
            self.put(target, box.key)
        else:
            target = self.free(-1)
            if target == self.closed:  # the box above ends here: a gap, so that they do not seem connected
                found.append(self.drawn())
        for column in going_on:
            low, high = min(column, target), max(column, target)
            found.append(self.drawn({low: "├", high: "┤"}, (low, high)))
        if len(ending) > 1:
            row = (target, ending[-1])
            found.append(self.drawn({**dict.fromkeys(ending, "┴"), target: "├", ending[-1]: "╯"}, row))
            for column in ending[1:]:
                self.put(column, None)
        return target, found

    def box(self, box: Box, column: int) -> None:
        """Lets a box's rail begin at its column, if anything reads it."""
        self.put(column, box.key if self.left[box.key] else None)
        self.closed = None if self.left[box.key] else column


def _rows(
    boxes: Boxes,
    rails: _Rails,
    sizes: Literal["chw", "hwc"],
    notes: Mapping[int, str],
    marks: Mapping[int, str],
) -> Iterator[_Row]:
    opening: dict[int, list[Frame]] = {}
    closing: dict[int, int] = {}
    alone: dict[int, Frame] = {}  # frames of one box are written in its line
    for frame in boxes.frames:
        if frame.first == frame.last and frame.first not in alone:
            alone[frame.first] = frame
        else:
            opening.setdefault(frame.first, []).append(frame)
            closing[frame.last] = closing.get(frame.last, 0) + 1
    given = outputs_of(boxes)
    for box in boxes.boxes:
        for frame in opening.get(box.key, ()):
            yield _Row(rails.drawn(), text=f"┄┄ {_plain(frame_label(frame))} ┄┄", text_style="dim")
        column, leading = rails.lead(box)
        yield from (_Row(text) for text in leading)
        drawn = rails.drawn({column: _symbol(box)})
        rails.box(box, column)
        text = " · ".join(box.words)
        if box.key in alone:
            text = f"×{alone[box.key].times} {text}" + (
                f", {alone[box.key].note}" if alone[box.key].note else ""
            )
        if box.key in given:
            text += f"  → {', '.join(given[box.key])}"
        mark = marks.get(box.key, "")
        name = alone[box.key].name if box.key in alone else box.name
        yield _Row(
            drawn,
            place=2 * column,
            style=STYLES.get(box.kind, ""),
            text=MARKS.get(mark, GAP if marks else "") + _plain(text),
            text_style=MARK_STYLES.get(mark, ""),
            name="" if box.kind == "input" or box.words[0] == box.name else _plain(name),
            note=notes.get(box.key, ""),
            size=lettering.size_text(box.shape, sizes),
        )
        for _ in range(closing.get(box.key, 0)):
            yield _Row(rails.drawn(), text="┄" * 12, text_style="dim")


def _symbol(box: Box) -> str:
    if box.form != "box":
        return SHORT_SIGNS.get(box.symbol, box.symbol)
    return "?" if box.op is not None and not box.op.is_known else SYMBOLS.get(box.kind, "·")


def _plain(text: str) -> str:
    return lettering.plain(text[:MAX_READ]) + (lettering.ELLIPSIS if len(text) > MAX_READ else "")


# -- lines -------------------------------------------------------------------------------------------------------


def _fitted(rows: Sequence[_Row], width: int | None) -> Iterator[Line]:
    """The rows as lines: only text and names are cut, never rails and sizes."""
    starts = [max(4, -(-len(row.rails) // 2) * 2) for row in rows]
    size = max([cells(row.size) for row in rows], default=0)
    note = max([cells(row.note) for row in rows], default=0)
    texts = [start + cells(row.text) for start, row in zip(starts, rows, strict=True) if row.size]
    names = [cells(row.name) for row in rows]
    behind = len(GAP) + size + (len(GAP) + note if note else 0)
    if width is None:
        longest = max([text for text in texts if text <= MAX_ALIGNED], default=0)
        named = max([name for name in names if name <= MAX_ALIGNED], default=0)
    else:
        room = width - behind
        named = min(max(names, default=0), room // 3) if width >= MIN_NAMED else 0
        longest = min(max(texts, default=0), room - (named + len(GAP) if named else 0))
        if not named:
            longest = room
    for row, start in zip(rows, starts, strict=True):
        if not row.text:
            yield [TextSpan(row.rails, "dim")]
            continue
        line = _rail_spans(row, start)
        text = row.text
        if width is not None:
            end = longest if row.size else width
            text = _cut(text, max(end - start, MIN_TEXT if row.size else 1))
        line.append(TextSpan(text, row.text_style))
        if row.size:
            line.append(TextSpan(" " * (longest - start - cells(text)) + GAP))
            if named:
                name = row.name if width is None else _cut(row.name, named)
                line += [TextSpan(name, "dim"), TextSpan(" " * (named - cells(name)) + GAP)]
            if note:
                line.append(TextSpan(row.note.rjust(note) + GAP))
            line.append(TextSpan(" " * (size - cells(row.size)) + row.size))
        yield line


def _rail_spans(row: _Row, start: int) -> Line:
    rails = row.rails.ljust(start)
    if row.place < 0:
        return [TextSpan(rails, "dim")]
    before, after = rails[: row.place], rails[row.place + 1 :]
    spans = [TextSpan(before, "dim")] if before else []
    return [*spans, TextSpan(rails[row.place], row.style), TextSpan(after, "dim")]


def _cut(text: str, room: int) -> str:
    if cells(text) <= room:
        return text
    text = text[:room]
    while text and cells(text) > room - 1:
        text = text[:-1]
    return text.rstrip() + lettering.ELLIPSIS
