"""`list`: the bundled architectures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcalc.analysis.analyse import Analysis
from convcalc.render.table import Column, Table, drop
from convcalc.report import words

NAME = Column("name", "name", lambda one: one.graph.name, style="cyan")
TITLE = Column("title", "", lambda one: one.graph.title)
SOURCE = Column(
    "source", "source", lambda one: one.graph.source, lambda one: one.graph.source or "", wrap=True
)
INPUT = Column("input", "input", lambda one: one.graph.input_shape, right=True)
LAYERS = Column("layers", "layers", lambda one: one.totals.layers, right=True)
PARAMS = Column("params", "params", lambda one: one.totals.params, right=True)
MACS = Column("macs", "MACs", lambda one: one.totals.macs, right=True)
MEMORY = Column(
    "peak_activation_bytes", "memory", lambda one: one.totals.peak_activation_bytes,
    lambda one: words.size(one.totals.peak_activation_bytes), right=True,
)  # fmt: skip


def catalogue_table(networks: Sequence[Analysis]) -> Table:
    """A row per network."""
    return Table(
        columns=(NAME, INPUT, LAYERS, PARAMS, MACS, MEMORY, SOURCE),
        rows=networks,
        data_columns=(NAME, TITLE, SOURCE, INPUT, LAYERS, PARAMS, MACS, MEMORY),
        narrowing=drop("peak_activation_bytes", "source", "input", "layers"),
    )


def catalogue_value(networks: Sequence[Analysis]) -> list[dict[str, Any]]:
    """`list --format json`."""
    return [
        {
            "name": one.graph.name,
            "title": one.graph.title,
            "source": one.graph.source,
            "input": list(one.graph.input_shape),
            "layers": one.totals.layers,
            "params": one.totals.params,
            "macs": one.totals.macs,
            "peak_activation_bytes": one.totals.peak_activation_bytes,
        }
        for one in networks
    ]
