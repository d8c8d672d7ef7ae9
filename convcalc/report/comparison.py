"""`diff`: the table of two networks and its JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcalc.diff import TOTALS, Diff, Pair
from convcalc.report import words
from convcalc.report.json import totals_value
from convcalc.report.table import Column, Table

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
    """Pairs with their changes; the weights' differences worked out below; then totals."""
    rows: list[Sequence[str]] = []
    styles: list[str] = []
    same: list[Pair] = []

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
            if everything or (pair.a is not None and not pair.a.op.pointwise):
                same.append(pair)
            continue
        flush()
        rows.append(_cells(pair))
        styles.append({"added": "green", "removed": "red"}.get(pair.status, ""))
    flush()
    delta, ratio = diff.total_delta(), diff.total_ratio()
    a, b = diff.a.graph, diff.b.graph
    worked = [
        (_name(pair), pair.working, f"; {pair.cause} feeds it" if pair.cause else "")
        for pair in diff.pairs
        if pair.working
    ]
    width = max((len(name) for name, _, _ in worked), default=0)
    lines = (
        ["weights:", *(f"  {name:<{width}}  {text}{cause}" for name, text, cause in worked)] if worked else []
    )
    lines.append("totals, A → B:")
    label = max(len(text) for _, text in SHOWN_TOTALS)
    for key, text in SHOWN_TOTALS:
        one, two = getattr(diff.a.totals, key), getattr(diff.b.totals, key)
        times = f", ×{ratio[key]:.3g}" if ratio[key] is not None else ""
        lines.append(f"  {text:<{label}}  {one:,} → {two:,}, {words.signed(delta[key])}{times}")
    columns: Sequence[Column] = COLUMNS
    if all(pair.a is None or pair.b is None or pair.a.name == pair.b.name for pair in diff.pairs):
        columns = (COLUMNS[0]._replace(key="layer", header="layer"), *COLUMNS[2:])
        rows = [(row[0] or row[1], *row[2:]) for row in rows]
    if diff.same:
        lines = ["the networks are the same", *lines[-1 - len(SHOWN_TOTALS) :]]
    return Table(
        columns=columns,
        rows=rows,
        title=f"A: {a.title or a.name}  →  B: {b.title or b.name}",
        subtitle=f"{a.name} → {b.name}",
        footer=[
            ("total", *[""] * (len(columns) - 3), words.signed(delta["weights"]), words.signed(delta["macs"]))
        ],
        lines=lines,
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


def _name(pair: Pair) -> str:
    node = pair.b or pair.a
    assert node is not None
    return node.name


def _cells(pair: Pair) -> tuple[str, ...]:
    node = pair.b or pair.a
    assert node is not None
    return (
        pair.a.name if pair.a else "",
        pair.b.name if pair.b else "",
        changes(pair),
        words.shape(node.output_shape) if pair.b else "",
        words.signed(pair.delta.weights),
        words.signed(pair.delta.macs),
    )


def changes(pair: Pair) -> str:
    """`F 11 → 7`, `K 384 → 512`, `input 1024 → 2048`; `added conv K64 F3`."""
    if pair.a is None or pair.b is None:
        node = pair.b or pair.a
        assert node is not None
        return f"{pair.status} {words.operator(node.op)}"
    if not pair.changes:
        return "same"
    parts = []
    for name, (one, two) in pair.changes.items():
        if name == "input_shape":
            parts.append(f"input {words.shape(one)} → {words.shape(two)}")
        elif name == "kind":
            parts.append(f"{one} → {two}")
        else:
            info = pair.a.op.fields().get(name)
            label = info.alias if info and info.alias else name
            parts.append(f"{label} {words.field_value(one)} → {words.field_value(two)}")
    return ", ".join(parts)


def diff_value(diff: Diff) -> dict[str, Any]:
    """`diff --format json`."""
    return {
        "a": diff.a.graph.name,
        "b": diff.b.graph.name,
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
        "totals": {
            "a": totals_value(diff.a.totals),
            "b": totals_value(diff.b.totals),
            "delta": {name: diff.total_delta()[name] for name in TOTALS},
            "ratio": diff.total_ratio(),
        },
    }
