"""Markdown on a terminal, styled by rich. Screens in it are not wrapped, links become plain words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown
from rich.text import Text
from rich.theme import Theme

if TYPE_CHECKING:
    from rich.markdown import MarkdownElement

MAX_WIDTH = 100  # longer lines of prose are hard to read

# rich's default styles set code on black, which looks like boxes on a light terminal.
THEME = Theme(
    {
        "markdown.code": "cyan",
        "markdown.h1": "bold underline",
        "markdown.h2": "bold",
        "markdown.h3": "bold italic",
        "markdown.table.header": "bold",
        "markdown.table.border": "dim",
    },
    inherit=True,
)
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\.md(?:#[^)]*)?\)")


class _Block(CodeBlock):
    """A code block: indented, never wrapped, commands in colour."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in str(self.text).rstrip("\n").split("\n"):
            style = "bold cyan" if self.lexer_name == "console" and line.startswith("$ ") else ""
            yield Text(f"    {line}", style, no_wrap=True, overflow="ignore")


class _Heading(Heading):
    """A left-aligned heading."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        yield Text("")
        yield self.text


class _Page(Markdown):
    """Markdown with these blocks and headings."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "fence": _Block,
        "code_block": _Block,
        "heading_open": _Heading,
    }


def rendered(text: str, width: int, *, colors: bool) -> str:
    """The page at a width in columns, with escape codes if `colors` is true."""
    console = Console(
        width=min(width, MAX_WIDTH),
        height=24,  # unused, but without it rich takes COLUMNS from the environment
        theme=THEME,
        force_terminal=colors,
        no_color=not colors,
        color_system="standard" if colors else None,
        legacy_windows=False,
    )
    with console.capture() as capture:
        console.print(_Page(_LINK.sub(r"\1", text), hyperlinks=False), crop=False)
    lines = "\n".join(_squeezed(line.rstrip() for line in capture.get().splitlines()))
    return lines.strip("\n") + "\n"


def _squeezed(lines: Iterable[str]) -> Iterator[str]:
    """The lines with runs of empty lines reduced to one. A line of only escape codes is empty."""
    empty = True
    for line in lines:
        blank = not _ESCAPE.sub("", line).strip()
        if not (blank and empty):
            yield "" if blank else line
        empty = blank
