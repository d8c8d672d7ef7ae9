"""`show --by`: sums by kind, role or block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from convcalc.analysis.analyse import Totals
from convcalc.analysis.groups import Group, Groups
from convcalc.render.table import Column, Table, Total, drop, shorten
from convcalc.report import words
from convcalc.report.values import CONVENTIONS, totals_value


def groups_summary(result: Groups) -> str:
    """`alexnet by kind: 6 groups`."""
    return f"{result.analysis.graph.name} by {result.by}: {words.plural(len(result.groups), 'group')}"


def groups_table(result: Groups) -> Table:
    """A row per group, with its shares of the parameters and of the MACs."""
    totals = result.analysis.totals
    graph = result.analysis.graph
    return Table(
        columns=(
            Column("group", result.by, lambda group: group.name, wrap=True, style="cyan"),
            _count("layers"),
            _count("weights"),
            _count("biases"),
            _count("params"),
            _share("of_params", "%", lambda group: group.params, totals.params),
            _count("macs", "MACs"),
            _share("of_macs", "%", lambda group: group.macs, totals.macs),
            Column(
                "activation_bytes", "activations", lambda group: group.activation_bytes,
                lambda group: words.size(group.activation_bytes), right=True,
            ),
        ),
        rows=result.groups,
        title=f"{graph.title or graph.name} by {result.by}",
        subtitle=words.network(graph),
        footer=[
            Total(
                _total(totals),
                {"group": ("total",), "activation_bytes": (words.size(totals.activation_bytes),)},
            )
        ],
        narrowing=(*drop("biases"), *drop("weights"), *shorten("macs"), *shorten("params"), *drop("activation_bytes")),
        data_columns=tuple(
            Column(key, "") for key in ("name", "layers", "weights", "biases", "params", "macs", "activation_bytes")
        ),
    )  # fmt: skip


def _total(totals: Totals) -> Group:
    return Group("total", totals.layers, totals.weights, totals.biases, totals.macs, totals.activation_bytes)


def _count(key: str, header: str = "") -> Column:
    return Column(
        key, header or key, lambda group: getattr(group, key),
        short=(lambda group: words.rounded(getattr(group, key)),), adds=True, right=True,
    )  # fmt: skip


def _share(key: str, header: str, value: Callable[[Group], int], total: int) -> Column:
    def text(group: Group) -> str:
        return words.percent(value(group) / total) if total else "–"

    return Column(key, header, lambda group: value(group) / total if total else None, text, right=True)


def groups_value(result: Groups) -> dict[str, Any]:
    """JSON of `show --by`."""
    return {
        "name": result.analysis.graph.name,
        "conventions": CONVENTIONS,
        "by": result.by,
        "groups": [
            {
                "name": group.name,
                "layers": group.layers,
                "weights": group.weights,
                "biases": group.biases,
                "params": group.params,
                "macs": group.macs,
                "activation_bytes": group.activation_bytes,
            }
            for group in result.groups
        ],
        "totals": totals_value(result.analysis.totals),
    }
