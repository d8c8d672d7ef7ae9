"""`docs --search`: the lines of the manual that contain a word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from convcalc.render.table import Column, Table
from convcalc.report import words

COLUMNS = (
    Column("topic", "topic", style="cyan"),
    Column("line", "line", right=True),
    Column("heading", "heading", wrap=True),
    Column("text", "text", wrap=True),
)


class FoundLine(Protocol):
    """A line that holds the word, as the manual's search gives it."""

    @property
    def topic(self) -> str:
        """The topic's name."""

    @property
    def heading(self) -> str:
        """The heading it stands under."""

    @property
    def line(self) -> int:
        """Its number in the topic's file, from 1."""

    @property
    def text(self) -> str:
        """The line."""


def found_summary(word: str, found: Sequence[FoundLine]) -> str:
    """`3 lines of the manual with 'dilation'`."""
    return f"{words.plural(len(found), 'line')} of the manual with '{word}'"


def found_table(found: Sequence[FoundLine]) -> Table:
    """One row per line."""
    topics = {line.topic for line in found}
    return Table(
        columns=COLUMNS,
        rows=found,
        lines=[
            f"{words.plural(len(found), 'line')} in {words.plural(len(topics), 'topic')}; convcalc docs TOPIC shows one"
        ],
    )


def found_value(found: Sequence[FoundLine]) -> list[dict[str, Any]]:
    """JSON of the lines."""
    return [
        {"topic": line.topic, "heading": line.heading, "line": line.line, "text": line.text} for line in found
    ]
