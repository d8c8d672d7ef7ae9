"""`list`: the bundled architectures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from convcalc.analysis.catalogue import CatalogueEntry
from convcalc.render.table import Column, Heading, Table, drop, shorten
from convcalc.report import words


def _count(key: str, header: str) -> Column:
    return Column(key, header, short=(lambda entry: words.rounded(getattr(entry, key)),), right=True)


NAME = Column("name", "name", style="cyan")
TITLE = Column("title", "title")
SOURCE = Column(
    "source", "source", text=lambda entry: entry.source or "", wrap=True,
    short=(lambda entry: _citation(entry.source or ""), lambda entry: _work(entry.source or "")),
)  # fmt: skip
INPUT = Column("input", "input", right=True)
LAYERS, PARAMS, MACS = _count("layers", "layers"), _count("params", "params"), _count("macs", "MACs")
MEMORY = Column(
    "peak_activation_bytes", "memory", text=lambda entry: words.size(entry.peak_activation_bytes), right=True
)
TASK = Column("task", "task")
CLASSES = Column("classes", "classes", right=True)


def catalogue_summary(entries: Sequence[CatalogueEntry]) -> str:
    """`2 networks: lenet5, alexnet`; of many the first."""
    names = [entry.name for entry in entries]
    shown = ", ".join(names[:4]) + (", …" if len(names) > 4 else "")
    return f"{words.plural(len(names), 'network')}: {shown}"


Groups = Sequence[tuple[str | None, Sequence[CatalogueEntry]]]


def catalogue_table(entries: Sequence[CatalogueEntry], groups: Groups = ()) -> Table:
    """One row per network. groups: the tasks that the entries run through; each is a heading, if there are several."""
    return Table(
        columns=(NAME, INPUT, LAYERS, PARAMS, MACS, MEMORY, SOURCE),
        rows=entries,
        lines=["memory: the most activations alive at once, of one image as float32"],
        data_columns=(NAME, TITLE, SOURCE, INPUT, LAYERS, PARAMS, MACS, MEMORY, TASK, CLASSES),
        narrowing=[
            *shorten("source", "source"),
            *drop("source", "layers"),
            *shorten("macs", "params"),
            *drop("input"),
        ],
        headings=_headings(groups),
    )


def _headings(groups: Groups) -> list[Heading]:
    """`segmentation: 9`, above the first of them; none above a single group."""
    result, row = [], 0
    for task, members in groups:
        name = "lecture" if task is None else task or "other"
        result.append(Heading(row, f"{name}: {len(members)}"))
        row += len(members)
    return result if len(result) > 1 else []


def _citation(source: str) -> str:
    """The source up to the first semicolon or bracket: authors, year and table."""
    return source.split(";")[0].split(" (")[0]


def _work(source: str) -> str:
    """Authors and year."""
    found = re.match(r".*?\b(19|20)\d\d\b", source)
    return found[0] if found else _citation(source)


def catalogue_value(entries: Sequence[CatalogueEntry]) -> list[dict[str, Any]]:
    """JSON of `list`."""
    return [
        {
            "name": entry.name,
            "title": entry.title,
            "source": entry.source,
            "input": list(entry.input),
            "layers": entry.layers,
            "params": entry.params,
            "macs": entry.macs,
            "peak_activation_bytes": entry.peak_activation_bytes,
            "task": entry.task,
            "classes": entry.classes,
        }
        for entry in entries
    ]
