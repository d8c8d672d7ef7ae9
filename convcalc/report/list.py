"""`list`: the bundled architectures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcalc.analysis.analyse import Analysis
from convcalc.render.table import Column, Table
from convcalc.report import words

COLUMNS = (
    Column("name", "name", style="cyan"),
    Column("input", "input", right=True, drop=3),
    Column("layers", "layers", right=True, drop=4),
    Column("params", "params", right=True),
    Column("macs", "MACs", right=True),
    Column("memory", "memory", right=True, drop=1),
    Column("source", "source", wrap=True, drop=2),
)
DATA_KEYS = ("name", "title", "source", "input", "layers", "params", "macs", "peak_activation_bytes")


def catalogue_table(networks: Sequence[Analysis]) -> Table:
    """A row per network."""
    return Table(
        columns=COLUMNS,
        rows=[
            (
                one.graph.name,
                words.shape(one.graph.input_shape),
                words.count(one.totals.layers),
                words.count(one.totals.params),
                words.count(one.totals.macs),
                words.size(one.totals.peak_activation_bytes),
                one.graph.source or "",
            )
            for one in networks
        ],
        data_keys=DATA_KEYS,
        data=[
            (
                one.graph.name,
                one.graph.title or "",
                one.graph.source or "",
                "x".join(map(str, one.graph.input_shape)),
                one.totals.layers,
                one.totals.params,
                one.totals.macs,
                one.totals.peak_activation_bytes,
            )
            for one in networks
        ],
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
