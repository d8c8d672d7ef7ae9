"""`diff`: the table of two networks and its JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from convcalc.analysis.diff import TOTALS, Delta, Diff, Pair
from convcalc.graph import Node
from convcalc.render.table import Column, Table, Total, drop, notes, shorten
from convcalc.report import words
from convcalc.report.values import CONVENTIONS, totals_value

if TYPE_CHECKING:
    from convcalc.analysis.value_diff import LayerDifference, TensorDifference


class DiffRow(NamedTuple):
    """A row: a pair, or a run of `same` pairs that do not differ; the names of its layers, in full and without
    what they share with the row above."""

    pair: Pair | None
    delta: Delta
    a: str = ""
    b: str = ""
    outline_a: str = ""
    outline_b: str = ""
    same: int = 0
    values: LayerDifference | None = None

    @property
    def style(self) -> str:
        """Colours of the row."""
        status = "same" if self.pair is None else self.pair.status
        if status == "same" and self.values is not None and not self.values.equal:
            return ""
        return {"added": "green", "removed": "red", "same": "dim"}.get(status, "")


def _difference(key: str, header: str) -> Column:
    return Column(
        key, header, lambda item: getattr(item.delta, key), lambda item: words.signed(getattr(item.delta, key)),
        short=(lambda item: words.signed_rounded(getattr(item.delta, key)),), adds=True, right=True,
    )  # fmt: skip


A = Column("a", "A", short=(lambda item: item.outline_a,), wrap=True, style="cyan")
B = Column("b", "B", short=(lambda item: item.outline_b,), wrap=True, style="cyan")
LAYER = Column(
    "layer", "layer", lambda item: item.a or item.b, short=(lambda item: item.outline_a or item.outline_b,),
    wrap=True, style="cyan",
)  # fmt: skip
CHANGE = Column(
    "change", "change", lambda item: changes(item.pair) if item.pair else "the same", wrap=True,
    short=(lambda item: changes(item.pair, short=True) if item.pair else "the same",),
)  # fmt: skip
OUTPUT = Column(
    "output", "output of B", right=True,
    text=lambda item: words.shape(item.pair.b.output_shape) if item.pair and item.pair.b else "",
)  # fmt: skip
WEIGHTS, PARAMS, MACS = (
    _difference("weights", "weights"),
    _difference("params", "params"),
    _difference("macs", "MACs"),
)
STATUS = Column("status", "status", lambda item: item.pair.status)
WORKING = Column("working", "working", lambda item: item.pair.working)
NARROWING = [
    *drop("output"),
    *shorten("change", "values", "macs", "layer", "a", "b", "weights"),
    *drop("largest_difference"),
]
RUN = 3  # consecutive unchanged layers that are still listed one by one
SHOWN_TOTALS = (
    ("weights", "weights"),
    ("params", "params"),
    ("macs", "MACs"),
    ("activation_bytes", "activation bytes"),
    ("peak_activation_bytes", "bytes at the peak"),
)


def diff_summary(diff: Diff) -> str:
    """`Diff alexnet → zfnet: 5 layers changed, 0 added, 0 removed`."""
    statuses = [pair.status for pair in diff.pairs]
    counts = {status: statuses.count(status) for status in ("changed", "added", "removed")}
    parts = [
        f"{words.plural(counts['changed'], 'layer')} changed",
        f"{counts['added']:,} added",
        f"{counts['removed']:,} removed",
    ]
    return f"Diff {diff.a.graph.name} → {diff.b.graph.name}: {', '.join(parts)}"


def diff_table(diff: Diff, *, everything: bool = False) -> Table:
    """The pairs with their changes, followed by the weight differences worked out, the savings of 1×1 reductions,
    the differences in values, and totals."""
    rows, hidden = _rows(diff, everything)
    compared: tuple[Column, ...] = ()
    compared_data = compared
    values: list[str] = []
    if diff.values is not None:
        from convcalc.report import diff_values

        compared, values = diff_values.COLUMNS, diff_values.value_lines(diff.pairs, diff.values)
        compared_data = diff_values.DATA_COLUMNS
    delta = diff.total_delta()
    a, b = diff.a.graph, diff.b.graph
    names = (LAYER,) if all(not row.a or not row.b or row.a == row.b for row in rows) else (A, B)
    total = DiffRow(None, Delta(weights=delta["weights"], params=delta["params"], macs=delta["macs"]))
    if diff.same_layers:
        lines = [
            "the networks are the same" if diff.same else "the networks are the same but for their weights"
        ]
    else:
        lines = [f"{words.plural(hidden, 'layer')} without weights not shown: --all"] if hidden else []
        lines += [*_weights(diff), *_reductions(diff), *_outputs(diff)]
    only_values = diff.values is not None and diff.same_layers
    return Table(
        columns=(*names, *compared, OUTPUT)
        if only_values
        else (*names, CHANGE, *compared, OUTPUT, WEIGHTS, MACS),
        rows=rows,
        title=f"A: {a.title or a.name}  →  B: {b.title or b.name}",
        subtitle=f"{words.changed_name(a)} → {words.changed_name(b)}",
        footer=() if only_values else [Total(total, {names[0].key: ("total",)})],
        lines=[*lines, *values, *(() if only_values else _totals(diff))],
        notes=[
            *notes([note for note in a.notes if note not in b.notes], "A"),
            *notes([note for note in a.notes if note in b.notes], "A and B"),
            *notes([note for note in b.notes if note not in a.notes], "B"),
        ],
        data_columns=(A, B, STATUS, CHANGE, *compared_data, WEIGHTS, PARAMS, MACS, WORKING),
        data=lambda: [_diff_row(pair, values=values) for pair, values in _with_values(diff)],
        styles=[row.style for row in rows],
        narrowing=NARROWING,
    )


def _rows(diff: Diff, everything: bool) -> tuple[list[DiffRow], int]:
    """The table's rows, and how many added and removed pointwise layers without weights are left out. More than RUN
    unchanged layers in sequence become one row."""
    rows: list[DiffRow] = []
    same: list[tuple[Pair, LayerDifference | None]] = []
    hidden = 0

    def add(pair: Pair, values: LayerDifference | None) -> None:
        rows.append(_diff_row(pair, rows[-1] if rows else None, values))

    def flush() -> None:
        if len(same) > RUN and not everything:
            label = f"… {words.plural(len(same), 'layer')}"
            rows.append(
                DiffRow(None, Delta(weights=0, params=0, macs=0), a=label, outline_a=label, same=len(same))
            )
        else:
            for pair, values in same:
                add(pair, values)
        same.clear()

    for pair, values in _with_values(diff):
        if pair.status == "same" and (values is None or values.equal):
            if everything or not _node(pair).op.pointwise:
                same.append((pair, values))
        elif (
            not everything
            and pair.status in ("added", "removed")
            and _node(pair).op.pointwise
            and not pair.delta.params
        ):
            hidden += 1
        else:
            flush()
            add(pair, values)
    flush()
    return rows, hidden


def _with_values(diff: Diff) -> Iterator[tuple[Pair, LayerDifference | None]]:
    """The pairs, each with the differences of its tensors if they were compared."""
    found = (None,) * len(diff.pairs) if diff.values is None else diff.values.layers
    return zip(diff.pairs, found, strict=True)


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
    for reduction, added in diff.reductions():
        what = "added" if added else "removed"
        channels = f"{reduction.before} → {reduction.after} channels"
        text = f"  {reduction.node.name} {what}, {channels}: spends {reduction.spent:,} MACs"
        if not reduction.savings:
            lines.append(f"{text}; no convolution here reads what it hands on")
            continue
        lines.append(f"{text}, saves {reduction.saved:,}: {words.signed(reduction.net)}")
        for saving in reduction.savings:
            window = "".join(f"{extent}·" for extent in saving.window)
            without, with_it = saving.per_output
            lines.append(
                f"    {saving.reader.name}: {saving.working}, an output element takes "
                f"{window}{saving.depth} = {with_it:,} MACs, not {without:,}"
            )
    return ["1×1 reductions:", *lines] if lines else []


def _outputs(diff: Diff) -> list[str]:
    """What became of each output; nothing where both networks have one."""
    if len(diff.a.graph.outputs) == len(diff.b.graph.outputs) == 1:
        return []
    lines = []
    for a, b, _ in diff.outputs:
        before = "" if a is None else f"{a.name} {words.shape(diff.a.graph.shape(a.node))}"
        after = "" if b is None else f"{b.name} {words.shape(diff.b.graph.shape(b.node))}"
        if not after:
            lines.append(f"  {before} is in A alone")
        elif not before:
            lines.append(f"  {after} is in B alone")
        elif before != after:
            lines.append(f"  {before} → {after}")
        else:
            lines.append(f"  {before}, the same")
    return ["outputs, A → B:", *lines]


def _totals(diff: Diff) -> list[str]:
    delta, ratio = diff.total_delta(), diff.total_ratio()
    lines = ["totals, A → B:"]
    label = max(len(text) for _, text in SHOWN_TOTALS)
    for key, text in SHOWN_TOTALS:
        before, after = getattr(diff.a.totals, key), getattr(diff.b.totals, key)
        times = f", ×{ratio[key]:.3f}" if ratio[key] is not None else ""
        lines.append(f"  {text:<{label}}  {before:,} → {after:,}, {words.signed(delta[key])}{times}")
    return lines


def _node(pair: Pair) -> Node:
    """B's layer, or A's if the pair has no layer of B."""
    node = pair.b or pair.a
    assert node is not None
    return node


def _diff_row(pair: Pair, above: DiffRow | None = None, values: LayerDifference | None = None) -> DiffRow:
    a, b = pair.a.name if pair.a else "", pair.b.name if pair.b else ""
    above_a, above_b = (above.a, above.b) if above else ("", "")
    return DiffRow(
        pair,
        pair.delta,
        a,
        b,
        words.outline(a, above_a or above_b),
        words.outline(b, above_b or above_a),
        values=values,
    )


def changes(pair: Pair, *, short: bool = False) -> str:
    """`F 11 → 7`, `input 1024 → 2048`, `from a, c → b, c`, `own weights → weights of a`; `added conv K64 F3`. Short:
    `F 11→7`, `depth 192→96`, `no bias`."""
    arrow = "→" if short else " → "
    if pair.a is None or pair.b is None:
        operator = words.short_operator if short else words.operator
        return f"{pair.status} {operator(_node(pair).op)}"
    if not pair.changes:
        if pair.a.output_shape != pair.b.output_shape:
            return f"same, {words.shape(pair.a.output_shape)}{arrow}{words.shape(pair.b.output_shape)}"
        return "same"
    parts = []
    for name, (before, after) in pair.changes.items():
        if name == "input_shape" and short and before[1:] == after[1:]:
            parts.append(f"depth {before[0]}{arrow}{after[0]}")
        elif name == "input_shape":
            parts.append(f"input {words.shape(before)}{arrow}{words.shape(after)}")
        elif name == "kind":
            parts.append(f"{before}{arrow}{after}")
        elif name == "from":
            parts.append(f"from {', '.join(before)}{arrow}{', '.join(after)}")
        elif name == "share":
            parts.append(f"{_weights_of(before)}{arrow}{_weights_of(after)}")
        elif short and isinstance(after, bool):
            parts.append(name if after else f"no {name}")
        else:
            info = pair.a.op.fields().get(name)
            label = info.alias if info and info.alias else name
            parts.append(f"{label} {words.field_value(before, name)}{arrow}{words.field_value(after, name)}")
    return ", ".join(parts)


def _weights_of(owner: str | None) -> str:
    return "own weights" if owner is None else f"weights of {owner}"


def diff_value(diff: Diff) -> dict[str, Any]:
    """JSON of `diff`."""
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
                **(
                    {} if values is None else {"values": [_tensor_value(tensor) for tensor in values.tensors]}
                ),
            }
            for pair, values in _with_values(diff)
        ],
        **(
            {}
            if diff.values is None
            else {
                "weights": dict(zip("ab", diff.values.sources, strict=True)),
                "only_a": list(diff.values.only_a),
                "only_b": list(diff.values.only_b),
            }
        ),
        "reductions": [
            {
                "layer": reduction.node.name,
                "status": "added" if added else "removed",
                "channels": [reduction.before, reduction.after],
                "spent": reduction.spent,
                "saved": reduction.saved,
                "net": reduction.net,
                "savings": [
                    {
                        "layer": saving.reader.name,
                        "saved": saving.saved,
                        "per_output": list(saving.per_output),
                        "working": saving.working,
                    }
                    for saving in reduction.savings
                ],
            }
            for reduction, added in diff.reductions()
        ],
        "outputs": [
            {
                "a": a.name if a else None,
                "b": b.name if b else None,
                "shapes": [
                    list(diff.a.graph.shape(a.node)) if a else None,
                    list(diff.b.graph.shape(b.node)) if b else None,
                ],
            }
            for a, b, _ in diff.outputs
        ],
        "totals": {
            "a": totals_value(diff.a.totals),
            "b": totals_value(diff.b.totals),
            "delta": {name: diff.total_delta()[name] for name in TOTALS},
            "ratio": diff.total_ratio(),
        },
    }


def _tensor_value(tensor: TensorDifference) -> dict[str, Any]:
    return {
        "key": tensor.key,
        "key_b": tensor.key_b,
        "equal": tensor.equal,
        "largest_difference": tensor.largest_difference,
        "relative_rms": tensor.relative_rms,
        "not_finite": tensor.not_finite,
        "shapes": [list(shape) for shape in tensor.shapes],
    }
