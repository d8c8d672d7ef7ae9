"""Tables and text on a terminal, by rich; the same, plain and unbroken, where stdout is none."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import cache

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from convcalc.report.table import Column, Table

UNLIMITED = 1_000_000
RULES = box.Box("    \n    \n ── \n    \n ── \n    \n    \n    \n")  # under the header and above the totals
PAGE = 500  # rows of a rich table at a time: one of a hundred thousand rows would take minutes to lay out

color = "auto"  # auto, always or never: what the command line says


@cache
def console(stderr: bool = False) -> Console:
    """The console of a stream. NO_COLOR and TERM=dumb are honoured; no terminal: no colour, no wrapping."""
    stream = sys.stderr if stderr else sys.stdout
    terminal = stream.isatty()
    plain = color == "never" or (color == "auto" and (bool(os.environ.get("NO_COLOR")) or not terminal))
    return Console(
        file=stream,
        width=None if terminal else UNLIMITED,
        force_terminal=True if color == "always" else terminal,
        no_color=plain,
        color_system=None if plain else "auto" if terminal else "standard",
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )


def print_table(table: Table) -> None:
    """The whole report: title, table, totals, lines and notes."""
    out = console()
    if table.title:
        title = Text(table.title, style="bold")
        if table.subtitle:
            title.append(f"  {table.subtitle}", style="dim")
        out.print(title)
    if table.rows:
        _print_rows(table, out)
    print_lines(table.lines)
    for note in table.notes:
        print_note(note)


def print_lines(lines: Sequence[str], style: str = "") -> None:
    """Lines of text, wrapped between words on a terminal only."""
    out = console()
    for line in lines:
        out.print(Text(line, style=style), soft_wrap=not out.is_terminal)


def print_note(note: str, label: str = "note: ") -> None:
    """A note, its later lines indented under the first."""
    out = console()
    width = out.width - len(label)
    text = Text(note, style="italic")
    lines = [text] if width >= UNLIMITED // 2 else list(text.wrap(out, max(20, width)))
    for number, line in enumerate(lines):
        line.rstrip()
        out.print(Text(label if number == 0 else " " * len(label), style="yellow") + line, soft_wrap=True)


def _print_rows(table: Table, out: Console) -> None:
    keep = _fitting(table, out.width)
    columns = [table.columns[index] for index in keep]
    every = [*table.rows, *table.footer]
    widths = [
        max([cell_len(column.header), *(cell_len(row[index]) for row in every)])
        for index, column in zip(keep, columns, strict=True)
    ]
    _narrow(columns, widths, out.width)
    for first in range(0, len(table.rows), PAGE):
        last = first + PAGE >= len(table.rows)
        part = _rich(columns, widths, header=first == 0, footer=last and bool(table.footer))
        for offset, row in enumerate(table.rows[first : first + PAGE]):
            style = table.styles[first + offset] if table.styles else ""
            part.add_row(*(Text(row[index]) for index in keep), style=style or None)
        if last and table.footer:
            part.add_section()
            for row in table.footer:
                part.add_row(*(Text(row[index]) for index in keep), style="bold")
        with out.capture() as capture:
            out.print(part)
        # rich pads every cell; nobody needs the blanks at a line's end
        out.file.write("\n".join(line.rstrip() for line in capture.get().splitlines() if line.strip()) + "\n")
    if len(keep) < len(table.columns):
        dropped = [column.header for index, column in enumerate(table.columns) if index not in keep]
        out.print(Text(f"not shown at this width: {', '.join(dropped)}", style="dim"))


def _rich(columns: Sequence[Column], widths: Sequence[int], *, header: bool, footer: bool) -> RichTable:
    part = RichTable(box=RULES, show_header=header, pad_edge=False, padding=(0, 1), header_style="bold")
    for column, width in zip(columns, widths, strict=True):
        part.add_column(
            column.header,
            justify="right" if column.right else "left",
            style=column.style or None,
            width=width,
            no_wrap=not column.wrap,
            overflow="fold",
        )
    return part


def _fitting(table: Table, width: int) -> list[int]:
    """The columns that fit, the least important left out first."""
    keep = list(range(len(table.columns)))

    def needed() -> int:
        total = 0
        for index in keep:
            column = table.columns[index]
            longest = max((cell_len(row[index]) for row in (*table.rows, *table.footer)), default=0)
            total += max(cell_len(column.header), min(longest, 16) if column.wrap else longest) + 2
        return total - 1

    for index in sorted(
        (i for i, c in enumerate(table.columns) if c.drop), key=lambda i: table.columns[i].drop
    ):
        if needed() <= width:
            break
        keep.remove(index)
    return keep


def _narrow(columns: Sequence[Column], widths: list[int], width: int) -> None:
    """Take what is missing from the columns that may wrap, then from the widest."""
    missing = sum(widths) + 2 * len(widths) - 1 - width
    for index, column in enumerate(columns):
        if missing > 0 and column.wrap:
            give = min(missing, max(0, widths[index] - 12))
            widths[index] -= give
            missing -= give
    while missing > 0:
        widest = widths.index(max(widths))
        if widths[widest] <= 8:
            return
        widths[widest] -= 1
        missing -= 1


def print_explanation(parts: Sequence[tuple[str, str, Sequence[tuple[str, str]]]]) -> None:
    """Worked formulas: a heading per layer, its lines indented under it, labels in one column."""
    out = console()
    width = max((cell_len(label) for _, _, lines in parts for label, _ in lines), default=0)
    for number, (heading, flow, lines) in enumerate(parts):
        if number:
            out.print()
        name, _, rest = heading.partition("  ")
        out.print(
            Text(name, style="bold cyan") + Text(f"  {rest}   ") + Text(flow, style="dim"), soft_wrap=True
        )
        for label, text in lines:
            indent = width + 6
            shown = Text(text)
            wrapped = [shown] if not out.is_terminal else list(shown.wrap(out, max(20, out.width - indent)))
            for line_number, line in enumerate(wrapped):
                line.rstrip()
                head = f"    {label:<{width}}  " if line_number == 0 else " " * indent
                out.print(Text(head, style="dim") + line, soft_wrap=True)


class Bar:
    """A progress bar on stderr with the time left. Drawn when it moves: no thread, so that processes may fork."""

    def __init__(self, total: int | None, label: str) -> None:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[what]}", style="dim"),
            console=console(stderr=True),
            transient=True,
            auto_refresh=False,
        )
        self._task = self._progress.add_task(label, total=total, what="")
        self._progress.start()

    def advance(self, done: int, what: str = "") -> None:
        """So much more is done; `what` is at work."""
        self._progress.update(self._task, advance=done, what=what)
        self._progress.refresh()

    def move(self, done: int) -> None:
        """So much is done in all."""
        self._progress.update(self._task, completed=done)
        self._progress.refresh()

    def stop(self) -> None:
        """Take the bar away."""
        self._progress.stop()


def progress(total: int | None, label: str) -> Bar:
    """A bar for something that takes over a second."""
    return Bar(total, label)
