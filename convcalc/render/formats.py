"""Output formats: their names, the suffixes of their files, and how a table becomes text in them.

A format is added here, and every command has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from convcalc.render.table import Table, to_csv, to_latex, to_markdown


class Format(NamedTuple):
    """suffixes: of its files; the first is the one that folders of files get. text: a table as text; None for
    formats that are no sequence of tables, which `View.to_text` writes."""

    suffixes: tuple[str, ...]
    text: Callable[[Table], str] | None = None


FORMATS = {
    "table": Format((".txt",)),
    "json": Format((".json",)),
    "csv": Format((".csv",), to_csv),
    "markdown": Format((".md", ".markdown"), to_markdown),
    "latex": Format((".tex",), to_latex),
    "html": Format((".html", ".htm")),
}
SUFFIXES = {suffix: name for name, form in FORMATS.items() for suffix in form.suffixes}


def first_suffixes() -> str:
    """The suffix of each format, in words: ".txt, .json or .html"."""
    *others, last = (form.suffixes[0] for form in FORMATS.values())
    return f"{', '.join(others)} or {last}"
