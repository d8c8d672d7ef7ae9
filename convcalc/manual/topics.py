"""The topics of the manual: Markdown files in `convcalc/docs/`, listed, read and searched."""

from __future__ import annotations

import os
from functools import cache
from typing import NamedTuple

from convcalc.errors import UsageError

DIRECTORY = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "docs")
CONTENTS = "index"
TOPICS = (
    "start",
    "lecture",
    "exercises",
    "language",
    "counting",
    "choosing",
    "budgets",
    "gallery",
    "page",
    "python",
    "formats",
    "onnx",
    "speed",
    "errors",
)
OPERATORS = "operators"  # the folder with a page per operator


class Topic(NamedTuple):
    """A page of the manual: name and Markdown text."""

    name: str
    text: str


class ManualLine(NamedTuple):
    """A line that contains the word. heading: the heading above it; line: its number, from 1."""

    topic: str
    heading: str
    line: int
    text: str


def names() -> list[str]:
    """All topics: the main ones, then the operators."""
    return [*TOPICS, *operators()]


@cache
def operators() -> tuple[str, ...]:
    """The operators with a page, sorted."""
    files = os.listdir(os.path.join(DIRECTORY, OPERATORS))
    return tuple(sorted(file.removesuffix(".md") for file in files if file.endswith(".md")))


def docs(name: str | None = None) -> Topic:
    """A topic of the manual, or its contents. Raises UsageError for a name that is no topic's.

    >>> docs("counting").text.splitlines()[0]
    '# What is counted'
    """
    if name is None:
        return Topic(CONTENTS, _read(f"{CONTENTS}.md"))
    folded = name.strip().lower().replace("-", "_").removesuffix(".md")
    if folded in TOPICS:
        return Topic(folded, _read(f"{folded}.md"))
    if folded in operators():
        return Topic(folded, _read(os.path.join(OPERATORS, f"{folded}.md")))
    if folded in (CONTENTS, OPERATORS):
        return docs()
    raise _unknown(name)


def search(word: str) -> list[ManualLine]:
    """The lines of the manual that contain the word, ignoring case; the output of commands is not searched.

    Raises UsageError if no line does, or the word is empty.
    """
    wanted = " ".join(word.split()).lower()
    if not wanted:
        raise UsageError("nothing to search for", hint="give a word: convcalc docs --search dilation")
    found = [
        ManualLine(name, heading, line, text)
        for name in names()
        for heading, line, text in _prose(docs(name).text)
        if wanted in text.lower()
    ]
    if not found:
        raise _not_found(word)
    return found


def _read(file: str) -> str:
    with open(os.path.join(DIRECTORY, file), encoding="utf-8") as stream:
        return stream.read()


def _prose(text: str) -> list[tuple[str, int, str]]:
    """(heading, line number, line) of every line except the output of commands."""
    lines = []
    heading = ""
    fence = ""  # the language of the block we are in, "text" for none
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            fence = "" if fence else line[3:].strip() or "text"
            continue
        if not fence and line.startswith("#"):
            heading = line.lstrip("#").strip()
        if line.strip() and (fence != "console" or line.startswith("$ ")):
            lines.append((heading, number, _plain(line)))
    return lines


def _plain(line: str) -> str:
    """A line without Markdown syntax: table cells separated, links reduced to their text."""
    import re

    line = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", line.strip()).replace("**", "").replace("\\*", "*")
    return "  ".join(cell.strip() for cell in line.strip("|").split("|")) if line.startswith("|") else line


def _unknown(name: str) -> UsageError:
    from convcalc.language.synonyms import suggest

    message = f"the manual has no topic '{name}'{suggest(name, names(), 'layer', 'command')}"
    return UsageError(
        message,
        hint=f"topics: {', '.join(TOPICS)}, and every operator; convcalc docs --search WORD looks everywhere",
    )


def _not_found(word: str) -> UsageError:
    import re

    from convcalc.errors import did_you_mean

    known = {
        part.lower()
        for name in names()
        for _, _, line in _prose(docs(name).text)
        for part in re.findall(r"[A-Za-z][A-Za-z_-]{2,}", line)
    }
    return UsageError(f"the manual does not say '{word}'{did_you_mean(word.lower(), sorted(known))}")
