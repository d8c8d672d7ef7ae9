"""`diff`: the table of two networks and its JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcalc.analysis.diff import TOTALS, Diff, Pair
from convcalc.graph import Node
from convcalc.render.table import Column, Table
from convcalc.report import words
from convcalc.report.values import CONVENTIONS, totals_value

COLUMNS = (
    Column("a", "A", wrap=True, style="cyan"),
    Column("b", "B", wrap=True, style="cyan"),
    Column("change", "change", wrap=True),
    Column("output", "output of B", right=True, drop=1),
    Column("weights", "weights", right=True),
    Column("macs", "MACs", right=True),
)
DATA_KEYS = ("a", "b", "status", "change", "weights", "params", "macs", "working")
RUN = 3  # that many layers in a row that are the same are still listed one by one
SHOWN_TOTALS = (
    ("weights", "weights"),
    ("params", "params"),
    ("macs", "MACs"),
    ("activation_bytes", "activation bytes"),
    ("peak_activation_bytes", "peak of activations, bytes"),
)


def diff_table(diff: Diff, *, everything: bool = False) -> Table:
    """Pairs with their changes; the weights' differences worked out below; what 1×1 reductions save; totals."""
    rows, styles, hidden = _rows(diff, everything)
    delta = diff.total_delta()
    a, b = diff.a.graph, diff.b.graph
    columns: Sequence[Column] = COLUMNS
    if all(pair.a is None or pair.b is None or pair.a.name == pair.b.name for pair in diff.pairs):
        columns = (COLUMNS[0]._replace(key="layer", header="layer"), *COLUMNS[2:])
        rows = [(row[0] or row[1], *row[2:]) for row in rows]
    if diff.same:
        lines = ["the networks are the same"]
    else:
        lines = [f"{words.plural(hidden, 'layer')} without weights not shown: --all"] if hidden else []
        lines += [*_weights(diff), *_reductions(diff)]
    return Table(
        columns=columns,
        rows=rows,
        title=f"A: {a.title or a.name}  →  B: {b.title or b.name}",
        subtitle=f"{a.name} → {b.name}",
        footer=[
            ("total", *[""] * (len(columns) - 3), words.signed(delta["weights"]), words.signed(delta["macs"]))
        ],
        lines=[*lines, *_totals(diff)],
        notes=[*a.notes, *(note for note in b.notes if note not in a.notes)],
        data_keys=DATA_KEYS,
        data=[
            (
                pair.a.name if pair.a else "",
                pair.b.name if pair.b else "",
                pair.status,
                changes(pair),
                *pair.delta,
                pair.working,
            )
            for pair in diff.pairs
        ],
        styles=styles,
    )


def _rows(diff: Diff, everything: bool) -> tuple[list[Sequence[str]], list[str], int]:
    """The table's rows with their styles, and how many added and removed layers are left out: those that act
    on each position by itself and have no weights. Longer runs of layers that are the same are one row."""
    rows: list[Sequence[str]] = []
    styles: list[str] = []
    same: list[Pair] = []
    hidden = 0

    def flush() -> None:
        if len(same) > RUN and not everything:
            rows.append((f"… {words.plural(len(same), 'layer')}", "", "the same", "", "0", "0"))
            styles.append("dim")
        else:
            for pair in same:
                rows.append(_cells(pair))
                styles.append("dim")
        same.clear()

    for pair in diff.pairs:
        if pair.status == "same":
            if everything or not _node(pair).op.pointwise:
                same.append(pair)
        elif (
            not everything and pair.status != "changed" and _node(pair).op.pointwise and not pair.delta.params
        ):
            hidden += 1
        else:
            flush()
            rows.append(_cells(pair))
            styles.append({"added": "green", "removed": "red"}.get(pair.status, ""))
    flush()
    return rows, styles, hidden


def _weights(diff: Diff) -> list[str]:
    worked = [
        (_node(pair).name, pair.working, f"; {pair.cause} feeds it" if pair.cause else "")
        for pair in diff.pairs
        if pair.working
    ]
    width = max((len(name) for name, _, _ in worked), default=0)
    lines = [f"  {name:<{width}}  {text}{cause}" for name, text, cause in worked]
    return ["weights:", *lines] if lines else []


def _reductions(diff: Diff) -> list[str]:
    lines = []
    for one, added in diff.reductions():
        what = "added" if added else "removed"
        text = f"  {one.node.name} {what}, {one.before} → {one.after} channels: spends {one.spent:,} MACs"
        if not one.savings:
            lines.append(f"{text}; no convolution here reads what it hands on")
            continue
        lines.append(f"{text}, saves {one.saved:,}: {words.signed(one.net)}")
        for saving in one.savings:
            window = "".join(f"{extent}·" for extent in saving.window)
            without, with_it = saving.per_output
            lines.append(
                f"    {saving.reader.name}: {saving.working}, an output element takes "
                f"{window}{saving.depth} = {with_it:,} MACs, not {without:,}"
            )
    return ["1×1 reductions:", *lines] if lines else []


def _totals(diff: Diff) -> list[str]:
    delta, ratio = diff.total_delta(), diff.total_ratio()
    lines = ["totals, A → B:"]
    label = max(len(text) for _, text in SHOWN_TOTALS)
    for key, text in SHOWN_TOTALS:
        one, two = getattr(diff.a.totals, key), getattr(diff.b.totals, key)
        times = f", ×{ratio[key]:.3f}" if ratio[key] is not None else ""
        lines.append(f"  {text:<{label}}  {one:,} → {two:,}, {words.signed(delta[key])}{times}")
    return lines


def _node(pair: Pair) -> Node:
    """B's layer, or A's where it stands alone."""
    node = pair.b or pair.a
    assert node is not None
    return node


def _cells(pair: Pair) -> tuple[str, ...]:
    return (
        pair.a.name if pair.a else "",
        pair.b.name if pair.b else "",
        changes(pair),
        words.shape(pair.b.output_shape) if pair.b else "",
        words.signed(pair.delta.weights),
        words.signed(pair.delta.macs),
    )


def changes(pair: Pair) -> str:
    """`F 11 → 7`, `input 1024 → 2048`, `from a, c → b, c`, `own weights → weights of a`; `added conv K64 F3`."""
    if pair.a is None or pair.b is None:
        return f"{pair.status} {words.operator(_node(pair).op)}"
    if not pair.changes:
        if pair.a.output_shape != pair.b.output_shape:
            return f"same, {words.shape(pair.a.output_shape)} → {words.shape(pair.b.output_shape)}"
        return "same"
    parts = []
    for name, (one, two) in pair.changes.items():
        if name == "input_shape":
            parts.append(f"input {words.shape(one)} → {words.shape(two)}")
        elif name == "kind":
            parts.append(f"{one} → {two}")
        elif name == "from":
            parts.append(f"from {', '.join(one)} → {', '.join(two)}")
        elif name == "share":
            parts.append(f"{_weights_of(one)} → {_weights_of(two)}")
        else:
            info = pair.a.op.fields().get(name)
            label = info.alias if info and info.alias else name
            parts.append(f"{label} {words.field_value(one)} → {words.field_value(two)}")
    return ", ".join(parts)


def _weights_of(owner: str | None) -> str:
    return "own weights" if owner is None else f"weights of {owner}"


def diff_value(diff: Diff) -> dict[str, Any]:
    """`diff --format json`."""
    return {
        "a": diff.a.graph.name,
        "b": diff.b.graph.name,
        "conventions": CONVENTIONS,
        "rows": [
            {
                "a": pair.a.name if pair.a else None,
                "b": pair.b.name if pair.b else None,
                "status": pair.status,
                "changes": {name: list(values) for name, values in pair.changes.items()},
                "delta": pair.delta._asdict(),
                "working": pair.working or None,
                "cause": pair.cause,
            }
            for pair in diff.pairs
        ],
        "reductions": [
            {
                "layer": one.node.name,
                "status": "added" if added else "removed",
                "channels": [one.before, one.after],
                "spent": one.spent,
                "saved": one.saved,
                "net": one.net,
                "savings": [
                    {
                        "layer": saving.reader.name,
                        "saved": saving.saved,
                        "per_output": list(saving.per_output),
                        "working": saving.working,
                    }
                    for saving in one.savings
                ],
            }
            for one, added in diff.reductions()
        ],
        "totals": {
            "a": totals_value(diff.a.totals),
            "b": totals_value(diff.b.totals),
            "delta": {name: diff.total_delta()[name] for name in TOTALS},
            "ratio": diff.total_ratio(),
        },
    }
