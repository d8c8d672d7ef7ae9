"""`worksheet --versions`: which sheets were made."""

from __future__ import annotations

from typing import Any

from convcalc.exercises.versions import Versions
from convcalc.render.table import Column, Table
from convcalc.report import words

COLUMNS = (
    Column("name", "name", lambda row: row[0], style="cyan"),
    Column("title", "title", lambda row: row[1].title, wrap=True),
    Column("seed", "seed", lambda row: row[1].seed, lambda row: str(row[1].seed), right=True),
    Column("answers", "answers", lambda row: len(row[1].exercises), right=True),
)


def versions_summary(found: Versions) -> str:
    """`Worksheets for a class: 30 versions`."""
    return f"Worksheets for a class: {words.plural(len(found.sheets), 'version')}"


def versions_table(found: Versions) -> Table:
    """A row per sheet."""
    return Table(columns=COLUMNS, rows=found.sheets, title=versions_summary(found))


def versions_value(found: Versions) -> dict[str, Any]:
    """The sheets by name, with their seeds and numbers of answers."""
    return {
        "sheets": [
            {"name": name, "title": sheet.title, "network": sheet.network or None, "seed": sheet.seed,
             "answers": len(sheet.exercises)}
            for name, sheet in found.sheets
        ]
    }  # fmt: skip
