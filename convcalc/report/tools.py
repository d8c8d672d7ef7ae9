"""`show --as`: the figures that counting tools print."""

from __future__ import annotations

from typing import Any, NamedTuple

from convcalc.analysis.tools import ByTools, Reason, ToolFigure, ToolFigures
from convcalc.render.table import Column, Table, drop
from convcalc.report import words
from convcalc.report.values import CONVENTIONS

UNITS = {"params": "params", "macs": "MACs", "flops": "FLOPs", "bytes": "bytes"}
MAX_REASONS = 3  # in the table


class ToolRow(NamedTuple):
    """A tool's figure; first: whether it is the tool's first; macs: our MACs of the network."""

    tool: ToolFigures
    figure: ToolFigure
    first: bool
    macs: int

    @property
    def ours(self) -> str:
        """Our figure with its unit; what fvcore calls flops are MACs."""
        unit = "macs" if self.figure.ours == self.macs else self.figure.quantity
        return f"{self.figure.ours:,} {UNITS[unit]}"


class ReasonRow(NamedTuple):
    """A row of the CSV: a figure and one of its reasons, or none."""

    row: ToolRow
    reason: Reason | None


COLUMNS = (
    Column(
        "tool", "tool", lambda row: f"{row.tool.tool} {row.tool.version}" if row.first else "", style="cyan"
    ),
    Column(
        "label", "it calls it", lambda row: row.figure.label or f"no {UNITS[row.figure.quantity]}", wrap=True
    ),
    Column("printed", "figure", lambda row: row.figure.printed or "–", right=True),
    Column("ours", "ours", lambda row: row.ours, right=True),
    Column("why", "why", lambda row: _why(row.figure), wrap=True),
)
DATA = (
    Column("tool", "", lambda line: line.row.tool.tool),
    Column("version", "", lambda line: line.row.tool.version),
    Column("quantity", "", lambda line: line.row.figure.quantity),
    Column("label", "", lambda line: line.row.figure.label),
    Column("value", "", lambda line: line.row.figure.value),
    Column("ours", "", lambda line: line.row.figure.ours),
    Column("reason", "", lambda line: line.reason and line.reason.text),
    Column("amount", "", lambda line: line.reason and line.reason.amount),
)


def tools_summary(result: ByTools) -> str:
    """`resnet50 as torchinfo, thop count it`."""
    tools = ", ".join(dict.fromkeys(tool.tool for tool in result.tools))
    return f"{result.analysis.graph.name} as {tools} count it"


def tools_table(result: ByTools) -> Table:
    """A row per figure."""
    graph = result.analysis.graph
    macs = result.analysis.totals.macs
    rows = [
        ToolRow(tool, figure, not place, macs)
        for tool in result.tools
        for place, figure in enumerate(tool.figures)
    ]
    return Table(
        columns=COLUMNS,
        rows=rows,
        title=f"{graph.title or graph.name}, as tools count it",
        subtitle=f"{words.network(graph)}, one image, float32",
        narrowing=(*drop("ours"),),
        data_columns=DATA,
        data=lambda: [ReasonRow(row, reason) for row in rows for reason in (row.figure.reasons or (None,))],
    )


def _why(figure: ToolFigure) -> str:
    """`+34,112 weights and biases of normalisation, −1,000 …`; `the same`."""
    if figure.value is None:
        return ""
    if not figure.reasons:
        return "the same"
    largest = sorted(figure.reasons, key=lambda reason: -abs(reason.amount))[:MAX_REASONS]
    shown = ", ".join(f"{words.signed(reason.amount)} {reason.text}" for reason in largest)
    left = len(figure.reasons) - len(largest)
    return f"{shown}, and {left} more" if left else shown


def tools_value(result: ByTools) -> dict[str, Any]:
    """JSON of `show --as`."""
    return {
        "name": result.analysis.graph.name,
        "conventions": CONVENTIONS,
        "input": list(result.analysis.graph.input_shape),
        "tools": [
            {
                "tool": tool.tool,
                "version": tool.version,
                "figures": [
                    {**figure._asdict(), "reasons": [reason._asdict() for reason in figure.reasons]}
                    for figure in tool.figures
                ],
            }
            for tool in result.tools
        ],
    }
