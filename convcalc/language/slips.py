"""Common YAML mistakes, recognized from the parser's error: a clearer message, its place and a hint."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

WIDTH = 500  # characters examined on each side of the error

_CUT_EXPRESSION = re.compile(r"\$\([^'\"]*?[\[\]{}:]")
_BRACED = re.compile(r"\$\{")
QUOTE_EXPRESSION = "quote an expression that holds a comma, brackets or ': ': \"$(...)\""


class Slip(NamedTuple):
    """The message and hint for a mistake, with its 0-based line and column."""

    message: str
    line: int
    column: int
    hint: str | None = None


def recognise(
    text_of: Callable[[int], str], problem: str, place: tuple[int, int], opened: tuple[int, int]
) -> Slip:
    """The mistake behind the parser's `problem` at `place`, inside the construct that starts at `opened`."""
    line, column = place
    text = text_of(line)
    start = max(0, column - WIDTH)
    before, after = text[start:column], text[column : column + WIDTH]
    if problem.startswith("did not find expected ',' or"):
        return _in_brackets(text_of, place, opened, before, after)
    if "unexpected end of stream" in problem:
        return Slip("the quote that opens here is not closed", *opened, "close it with the same sign")
    if "cannot start any token" in problem:
        if after.startswith("\t") or not before.strip():
            return Slip("a tab", line, column, "YAML is indented with spaces, not tabs")
        return Slip(
            f"a text cannot start with {after[:1]}", line, column, f'quote it: "{after.split(" ")[0]}"'
        )
    if "mapping values are not allowed" in problem:
        return _colon(text_of, line, column, before, problem)
    if problem == "did not find expected key":
        if after[:1] in ("}", "]", ","):
            return Slip(f"nothing is open that this {after[0]} could close", line, column, "leave it out")
        if before.rstrip()[-1:] in ("'", '"'):
            return Slip(
                "a text goes on after its closing quote", line, column, "put the quotes around the whole text"
            )
        return Slip(
            "this line is not in line with the keys above it",
            line,
            column,
            "entries of one list, and keys of one mapping, start in the same column",
        )
    if "expected '-' indicator" in problem:
        return Slip(
            "an entry of the list must start with '- '",
            line,
            column,
            "start it with '- ' in the column of the others, or indent it to belong to the entry above",
        )
    return Slip(problem, line, column, "YAML is indented with spaces, not tabs" if "\t" in before else None)


def _in_brackets(
    text_of: Callable[[int], str], place: tuple[int, int], opened: tuple[int, int], before: str, after: str
) -> Slip:
    """The mistake if, within { } or [ ], neither a comma nor the closing bracket follows."""
    line, column = place
    bracket = text_of(opened[0])[opened[1] : opened[1] + 1] or "{"
    for text in (before + after, text_of(opened[0])[opened[1] : opened[1] + 2 * WIDTH]):
        if _BRACED.search(text):
            return Slip("an expression in braces", *place, "write $name or $(expression)")
        if _CUT_EXPRESSION.search(text):
            return Slip("an expression is cut short", *place, QUOTE_EXPRESSION)
    if line == opened[0] and after.startswith(":"):
        words = re.split(r"[,{\[]|: ", before)[-1].split()
        if len(words) > 1:
            return Slip(
                "a comma is missing", line, column, f"put a comma before {words[-1]}, or quote the text"
            )
        return Slip("a second ': ' in one value", line, column, "a text that holds ': ' needs quotes")
    comment = re.search(r"\s#.*", text_of(opened[0])[opened[1] : opened[1] + WIDTH])
    if comment and re.search(r"[}\]]", comment.group()):
        return Slip(
            f"the {bracket} that opens here is not closed",
            *opened,
            "' #' starts a comment; quote the text if the # belongs to it, else move the comment to its own line",
        )
    if line != opened[0]:
        return Slip(
            f"the {bracket} that opens here is not closed", *opened, f"close it with {_CLOSING[bracket]}"
        )
    return Slip("a comma is missing, or a closing bracket", line, column, "separate fields with ', '")


_CLOSING = {"{": "}", "[": "]"}


def _colon(text_of: Callable[[int], str], line: int, column: int, before: str, problem: str) -> Slip:
    """The mistake behind a ': ' where no key is allowed."""
    above = text_of(line - 1).strip() if line else ""
    own = text_of(line)
    indent = len(own) - len(own.lstrip())
    deeper = line > 0 and indent > len(text_of(line - 1)) - len(text_of(line - 1).lstrip())
    if re.search(r":\s", before):
        return Slip(
            "a second ': ' on one line",
            line,
            column,
            "a text that holds ': ' needs quotes; fields stand in { }",
        )
    if deeper and re.fullmatch(r"(- )?[A-Za-z0-9_]+", above):
        word = above.removeprefix("- ")
        return Slip(
            f"fields under {word}, which has no colon", line, column, f"write {word}: on the line above"
        )
    if deeper:
        return Slip(
            "this line is indented, but the line above holds a value already",
            line,
            column,
            "start it in the column of the line above",
        )
    return Slip(problem, line, column, "a text that holds ': ' needs quotes; else check the indentation")
