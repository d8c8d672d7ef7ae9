"""Reports on a terminal, styled by rich; if stdout is not a terminal, the same lines plain and unwrapped.

rich is imported only if there is something to style or a progress bar to draw.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable
from functools import cache
from typing import IO, TYPE_CHECKING, Any

from convcalc.errors import clean
from convcalc.render import colors
from convcalc.render.layout import Line, cells

if TYPE_CHECKING:
    from rich.console import Console

MIN_COLUMNS, MAX_SIDE = (
    40,
    10_000,
)  # plausible sizes: narrower terminals break everything, wider ones do not exist


def styled() -> bool:
    """Whether stdout is coloured."""
    return colors.enabled(sys.stdout)


def size(stream: IO[Any]) -> tuple[int, int]:
    """Columns and lines of the stream's terminal: $COLUMNS and $LINES if plausible, else the terminal's own, else
    80 and 24."""
    try:
        own: tuple[int, int] = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError, AttributeError):
        own = (0, 0)
    columns, lines = (
        _plausible(os.environ.get(name, "")) or (found if 0 < found <= MAX_SIDE else usual)
        for name, found, usual in zip(("COLUMNS", "LINES"), own, (80, 24), strict=True)
    )
    return max(MIN_COLUMNS, columns), lines


def _plausible(text: str) -> int:
    """A plausible number of columns or lines; 0 for any other text."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
    return number if number <= MAX_SIDE else 0


def width() -> int | None:
    """The terminal's columns; None if stdout is not a terminal."""
    return size(sys.stdout)[0] if sys.stdout.isatty() else None


@cache
def console(stderr: bool = False) -> Console:
    """rich's console for a stream with styles."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    columns, lines = size(stream)
    return Console(
        file=stream,
        width=columns,
        height=lines,
        force_terminal=True if colors.choice == "always" else None,
        no_color=not colors.enabled(stream),
        color_system="auto" if stream.isatty() else "standard",
        highlight=False,
        markup=False,
        emoji=False,
    )


def print_lines(lines: Iterable[Line]) -> None:
    """Print lines of spans to stdout, with control characters removed."""
    if not styled():
        sys.stdout.writelines(clean("".join(span.text for span in line)).rstrip() + "\n" for line in lines)
        return
    from rich.text import Text

    out = console()
    for line in lines:
        out.print(Text.assemble(*((clean(span.text), span.style) for span in line)), soft_wrap=True)


def animate(frames: Iterable[list[Line]], delay: float) -> None:
    """Show frames in place, `delay` seconds each, if the terminal is large enough; else one below the other.

    The cursor is restored in any case; an interruption is passed on.
    """
    room = width()
    if room is None or delay == 0 or os.environ.get("TERM") == "dumb":
        for frame in frames:
            print_lines(frame)
        return
    import time

    tall = size(sys.stdout)[1]
    sys.stdout.write("\x1b[?25l")
    try:
        above = 0
        for frame in frames:
            sys.stdout.write(f"\x1b[{above}A\x1b[J" if above else "")
            print_lines(frame)
            sys.stdout.flush()
            fits = len(frame) < tall and all(sum(cells(s.text) for s in line) < room for line in frame)
            above = len(frame) if fits else 0
            time.sleep(delay)
    finally:
        sys.stdout.write("\x1b[?25h")
        sys.stdout.flush()


def show_paged(text: str) -> None:
    """Show the text in $PAGER or less; print it if there is no pager or it fits on one screen."""
    import shlex
    import shutil
    import signal
    import subprocess

    try:
        command = shlex.split(os.environ.get("PAGER", "")) or ["less"]
    except ValueError:  # unbalanced quotes
        command = ["less"]
    if shutil.which(command[0]) is None or text.count("\n") < size(sys.stdout)[1]:
        sys.stdout.write(text)
        return
    if os.path.basename(command[0]) == "less":
        command += ["-R", "-S"]  # keep colours; scroll wide lines instead of wrapping them
    with subprocess.Popen(command, stdin=subprocess.PIPE, encoding="utf-8", errors="replace") as pager:
        assert pager.stdin is not None
        before = signal.signal(
            signal.SIGINT, signal.SIG_IGN
        )  # Ctrl-C belongs to the pager, where it stops a search
        try:
            with contextlib.suppress(BrokenPipeError):  # the pager was quit before the end
                pager.stdin.write(text)
                pager.stdin.close()
            pager.wait()
        except BaseException:
            pager.terminate()
            raise
        finally:
            signal.signal(signal.SIGINT, before)


class Bar:
    """A progress bar on stderr with the remaining time. Drawn when it moves, without a thread, so that processes
    can fork."""

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
        """Add to the work done. what: the work in progress."""
        self._progress.update(self._task, advance=done, what=clean(what))
        self._progress.refresh()

    def move(self, done: int) -> None:
        """Set the work done."""
        self._progress.update(self._task, completed=done)
        self._progress.refresh()

    def stop(self) -> None:
        """Remove the bar."""
        self._progress.stop()


class Bars:
    """Progress bars on stderr by name, each made when its work is first told of; none if stderr is no terminal.

    A context: the bars are removed at its end.
    """

    def __init__(self) -> None:
        self.watched = os.isatty(2)
        self._bars: dict[str, Bar] = {}

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *_: object) -> None:
        for bar in self._bars.values():
            bar.stop()

    def advance(self, name: str, done: int, total: int | None, what: str = "") -> None:
        """Add to the work done. what: the work in progress."""
        if self.watched:
            self._bar(name, total).advance(done, what)

    def move(self, name: str, done: int, total: int | None) -> None:
        """Set the work done."""
        if self.watched:
            self._bar(name, total).move(done)

    def _bar(self, name: str, total: int | None) -> Bar:
        if name not in self._bars:
            self._bars[name] = Bar(total, name)
        return self._bars[name]
