"""`show`: the table of a network, with the default columns or with selected ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from convcalc.analysis.analyse import Analysis, LayerFigures
from convcalc.analysis.fold import FoldedRow, ListedRow, Listing
from convcalc.graph import copies_path
from convcalc.render.table import Column, Table, Total, drop, notes, shorten, value_of
from convcalc.report import words

if TYPE_CHECKING:
    from convcalc.analysis.costs import Cost
    from convcalc.graph import Graph


class TableRow(NamedTuple):
    """One row of the table. reads: names of its inputs, in full and shortened, if it does not read the row before;
    outline: its path without the part it shares with the row above."""

    listed: ListedRow
    name: str
    outline: str = ""
    reads: tuple[str, ...] = ()
    reads_short: tuple[str, ...] = ()

    @property
    def row(self) -> FoldedRow:
        """The folded layers."""
        return self.listed.row

    @property
    def layers(self) -> list[LayerFigures]:
        """The figures of its layers; for repeated copies, those of the first."""
        return self.listed.layers

    @property
    def cost(self) -> Cost:
        """The cost of its layers together."""
        return self.listed.cost


def items(listed: Sequence[ListedRow]) -> list[TableRow]:
    """The rows of the table."""
    result: list[TableRow] = []
    for item in listed:
        row = item.row
        name = copies_path(row.name, row.last.name) if row.last else row.name
        reads = [
            "block input" if source.of_block else words.relative(source.name, row.name)
            for source in item.reads
        ]
        short = ["↑" if source.above else text for source, text in zip(item.reads, reads, strict=True)]
        outline = words.outline(name, result[-1].name if result else "")
        result.append(TableRow(item, name, outline, tuple(reads), tuple(short)))
    return result


# -- columns ---------------------------------------------------------------------------------------------------


def _sum(name: str) -> Callable[[TableRow], int]:
    return lambda item: sum([getattr(layer, name) for layer in item.layers])


def _count(key: str, header: str, value: Callable[[TableRow], int], **others: Any) -> Column:
    """A column of counts: they add up, and narrow terminals round them."""
    short = (lambda item: words.rounded(value(item)),)
    return Column(key, header, value, short=short, adds=True, right=True, **others)


def _operator(item: TableRow, level: int = 0) -> str:
    """`conv K96 F11 S4 + relu`: the operator and the pointwise layers folded into it, or the size of a block.
    Levels from 1 shorten it, from 3 drop the folded layers."""
    row = item.row
    if row.block:
        return ("" if level else "block of ") + words.plural(len(row.nodes), "layer")
    main, *folded = row.nodes
    if not level:
        return " + ".join([words.operator(main.op), *(node.kind for node in folded)])
    parts = [words.short_operator(main.op, bare=level > 1)]
    parts += [words.short_kind(node.op) for node in folded] if level < 3 else []
    return (" + " if level == 1 else "+").join(parts)


def _weights(item: TableRow) -> str:
    return (
        f"0, shares {item.listed.shares}"
        if item.listed.shares is not None
        else words.count(_sum("weights")(item))
    )


def _weights_short(item: TableRow) -> str:
    return "shared" if item.listed.shares is not None else words.rounded(_sum("weights")(item))


def _output(item: TableRow) -> str:
    """`96×55×55`, `→ 96×55×55` where it is one of the network's several outputs."""
    mark = "→ " if item.listed.outputs and len(item.listed.analysis.graph.outputs) > 1 else ""
    return mark + words.shape(item.row.output_shape)


def _field(item: TableRow) -> str:
    """`195`; for copies, the first and the last: `163–1251`, or `–…224` where the first has no single one."""
    row = item.row
    first, last = words.field(row.receptive_field), words.field((row.last or row).receptive_field)
    if first == last:
        return first
    return f"–…{last}" if first == "–" else f"{first}–{last.removeprefix('≤')}"


def _buffers(analysis: Analysis) -> str:
    """What a network's buffers are."""
    buffers = [
        parameter for node in analysis.graph for parameter in node.parameters if parameter.role == "buffer"
    ]
    kinds = dict.fromkeys(
        "running statistics" if parameter.rule is None and parameter.name else "fixed tensors"
        for parameter in buffers
    )
    return " and ".join(kinds)


def _few(texts: Sequence[str]) -> str:
    return ", ".join(texts) if len(texts) < 3 else words.plural(len(texts), "layer")


COLUMNS = {
    column.key: column
    for column in (
        Column("layer", "layer", lambda item: item.row.name, lambda item: item.name,
               short=(lambda item: item.outline,), wrap=True, style="cyan"),
        Column("times", "×", lambda item: item.row.times,
               lambda item: f"×{item.row.times}" if item.row.times > 1 else "", right=True),
        Column("operator", "operator", _operator, wrap=True,
               short=(lambda item: _operator(item, 1), lambda item: _operator(item, 2),
                      lambda item: _operator(item, 3))),
        Column("kind", "kind", lambda item: item.layers[0].kind),
        Column("from", "from", lambda item: item.layers[0].inputs, lambda item: ", ".join(item.reads), wrap=True,
               short=(lambda item: ", ".join(item.reads_short), lambda item: _few(item.reads_short))),
        Column("shares", "shares", lambda item: item.listed.shares, lambda item: item.listed.shares or ""),
        Column("input", "input", lambda item: next(iter(item.layers[0].input_shapes), None), right=True),
        Column("output", "output", lambda item: item.row.output_shape, _output, right=True),
        Column("result", "result", lambda item: ", ".join(item.listed.outputs)),
        _count("weights", "weights", _sum("weights"))._replace(text=_weights, short=(_weights_short,)),
        _count("biases", "biases", _sum("biases")),
        _count("params", "params", _sum("params")),
        _count("buffers", "buffers", _sum("buffers")),
        _count("macs", "MACs", _sum("macs")),
        _count("flops", "FLOPs", lambda item: 2 * item.cost.macs),
        Column("field", "field", lambda item: item.row.receptive_field and item.row.receptive_field.size, _field,
               right=True),
        Column("per-output", "MACs per output", lambda item: item.cost.per_output, right=True),
        _count("dense", "dense", lambda item: item.cost.dense),
        _count("local", "local", lambda item: item.cost.local),
        _count("active", "active", lambda item: item.cost.active),
        _count("shared", "shared", lambda item: item.cost.shared),
        _count("activations", "activations", _sum("activation_bytes")),
        _count("memory", "memory", lambda item: item.cost.memory),
        Column("intensity", "FLOPs per byte", lambda item: item.cost.intensity, right=True),
    )
}  # fmt: skip
MEANINGS = {
    "result": "the network's outputs that it gives",
    "times": "equal copies one after another, with the figures of one; --all shows each",
    "buffers": "running statistics and fixed tensors",
    "flops": "2 per MAC",
    "per-output": "cost of one output element, F·F·D of a convolution",
    "dense": "weights of a dense layer in its place",
    "local": "weights if windows shared none (locally connected)",
    "active": "connections to real inputs, padding apart",
    "shared": "weights of its kernels or matrix, normalisation apart",
    "activations": "bytes of the output",
    "memory": "bytes read and written: inputs, params, output",
    "intensity": "arithmetic intensity",
}
MAX_OUTPUT_LAYERS = 4  # outputs that are told with their layers
INCLUDE_FOLDED = {"weights", "biases", "params"}
SHOWN = ("layer", "operator", "from", "output", "weights", "biases", "macs", "field")
# What CSV holds, each under its key there.
DATA = {
    "layer": "layer", "kind": "kind", "inputs": "from", "output_shape": "output", "weights": "weights",
    "biases": "biases", "params": "params", "buffers": "buffers", "macs": "macs", "activation_bytes": "activations",
    "receptive_field": "field", "operator": "operator", "shares": "shares", "result": "result",
}  # fmt: skip
NARROWING = [
    *drop("biases"),
    *shorten("from", "operator"),
    *drop("field"),
    *shorten("macs", "layer", "weights", "operator", "from"),
    *drop("from"),
    *shorten("operator"),
]


# -- tables ----------------------------------------------------------------------------------------------------


def network_summary(analysis: Analysis) -> str:
    """`Network alexnet: 20 layers, 28,823,912 params, 614,310,432 MACs`."""
    totals = analysis.totals
    counts = f"{words.plural(totals.layers, 'layer')}, {totals.params:,} params, {totals.macs:,} MACs"
    return f"Network {analysis.graph.name}: {counts}"


def network_table(listing: Listing) -> Table:
    """The table of layers with totals, memory and notes."""
    found = items(listing.rows)
    names = [name for name in SHOWN if name != "from" or any(item.reads for item in found)]
    return _table(listing, found, names)._replace(
        data_columns=[COLUMNS[name]._replace(key=key) for key, name in DATA.items()],
        lines=[*_meanings(found, []), *_folding(found), *_at_most(found), *totals_lines(listing.analysis)],
        styles=["" if item.row.weights or item.row.block else "dim" for item in found],
        narrowing=NARROWING,
        wider="--columns",
    )


def columns_table(listing: Listing, names: Sequence[str]) -> Table:
    """The table with these columns, sums in the last row."""
    found = items(listing.rows)
    return _table(listing, found, names)._replace(
        lines=[
            *(_folding(found) if INCLUDE_FOLDED.intersection(names) else []),
            *(_at_most(found) if "field" in names else []),
            *_meanings(found, names),
        ],
        styles=["" if item.cost.macs or item.row.block else "dim" for item in found],
        narrowing=shorten(
            *[narrowing.key for narrowing in NARROWING if narrowing.action == "shorten"], *names
        ),
    )


def _table(listing: Listing, found: Sequence[TableRow], names: Sequence[str]) -> Table:
    """The rows in these columns, plus a column for the number of copies if any row has several."""
    graph = listing.analysis.graph
    columns = [COLUMNS[name] for name in names]
    if any(item.row.times > 1 for item in found) and "times" not in names:
        columns.insert(names.index("layer") + 1 if "layer" in names else 0, COLUMNS["times"])
    labels: dict[str, tuple[str, ...]] = {"operator": _layers(listing.analysis)}
    label = "so far" if listing.partial else "total"
    if not columns[0].adds:
        labels[columns[0].key] = (label,)
    summed = any(column.adds for column in columns)
    return Table(
        columns=columns,
        rows=found,
        title=graph.title or graph.name,
        subtitle=words.network(graph) + (", only as far as its layers fit" if listing.partial else ""),
        footer=[Total(TableRow(listing.total, label), labels)] if summed else [],
        notes=() if listing.partial else notes(graph.notes),
        data_columns=[COLUMNS[name] for name in names],
        data=lambda: items(listing.every),
    )


def _layers(analysis: Analysis) -> tuple[str, ...]:
    """`40 layers, 16 with weights` and a shorter form. Layers with shared weights count; normalisations are listed
    separately."""
    every = words.plural(len(analysis.layers), "layer")
    owners = [node.index if node.shares is None else node.shares for node in analysis.graph]
    weighted = [
        node for node, owner in zip(analysis.graph, owners, strict=True) if analysis.layers[owner].weights
    ]
    others = [node for node in weighted if node.op.role != "normalisation"]
    text = f"{every}, {len(others):,} with weights"
    apart = " besides norms" if len(others) < len(weighted) else ""
    return text + apart, text, every


def _folding(found: Sequence[TableRow]) -> list[str]:
    """An explanation of one row's figures if a layer folded into it has weights: `rows include what follows a +:
    conv1 has 9,408 + 64 weights, 0 + 64 biases`; "" otherwise."""
    for item in found:
        row = item.row
        if row.folded_weights or row.folded_biases:
            weights = f"{row.weights - row.folded_weights:,} + {row.folded_weights:,} weights"
            biases = f"{row.biases - row.folded_biases:,} + {row.folded_biases:,} biases"
            return [f"rows include what follows a +: {item.name} has {weights}, {biases}"]
    return []


def _at_most(found: Sequence[TableRow]) -> list[str]:
    fields = [row.receptive_field for item in found for row in (item.row, item.row.last) if row]
    return words.at_most(fields)


def _meanings(found: Sequence[TableRow], names: Sequence[str]) -> list[str]:
    """Explanations of the columns that need one."""
    shown = list(names)
    if any(item.row.times > 1 for item in found) and "times" not in names:
        shown.insert(0, "times")
    return [f"{COLUMNS[name].header}: {MEANINGS[name]}" for name in shown if name in MEANINGS]


def totals_lines(analysis: Analysis) -> list[str]:
    """Parameters, MACs and memory of the network, and its warnings."""
    totals = analysis.totals
    images = "image" if analysis.batch == 1 else f"batch of {analysis.batch}"
    lines = [
        f"{totals.weights:,} weights + {totals.biases:,} biases = {totals.params:,} params, "
        f"{words.size(totals.param_bytes)} as {analysis.dtype}",
        f"{totals.macs:,} MACs = {2 * totals.macs:,} FLOPs for one image",
        f"activations {words.size(totals.activation_bytes)} for one {images}, "
        f"at most {words.size(totals.peak_activation_bytes)} alive at once",
        *_outputs(analysis.graph),
    ]
    if totals.buffers:
        lines.insert(1, f"{totals.buffers:,} buffers ({_buffers(analysis)}, not params)")
    warnings = _together(analysis.warnings)
    lines += [f"warning: {text}" for text in warnings[:5]]
    if len(warnings) > 5:
        lines.append(f"warning: and {len(warnings) - 5} more")
    return lines


def _together(warnings: Sequence[str]) -> list[str]:
    """Warnings in their order, those that say the same of several layers as one: `conv1 and 3 more layers: …`."""
    alike: dict[str, list[str]] = {}
    for warning in warnings:
        _, _, text = warning.partition(": ")
        alike.setdefault(text or warning, []).append(warning)
    lines = []
    for text, (first, *others) in alike.items():
        if others:
            name, _, _ = first.partition(": ")
            first = f"{name} and {words.plural(len(others), 'more layer')}: {text}"
        lines.append(first)
    return lines


def _outputs(graph: Graph) -> list[str]:
    """`→ 2 outputs: boxes (head.boxes) 24×38×38, scores 84×38×38`; of more than a few without their layers, which
    the column `result` tells; nothing for one."""
    if len(graph.outputs) == 1:
        return []
    texts = []
    for name, node in graph.outputs:
        layer = graph.input_name(node)
        by = f" ({layer})" if name != layer and len(graph.outputs) <= MAX_OUTPUT_LAYERS else ""
        texts.append(f"{name}{by} {words.shape(graph.shape(node))}")
    return [f"→ {len(texts)} outputs: {', '.join(texts)}"]


def columns_value(listing: Listing, names: Sequence[str]) -> list[dict[str, Any]]:
    """The selected columns of every layer for JSON: numbers, and shapes as lists."""

    def plain(value: object) -> object:
        if isinstance(value, tuple):
            return list(value)
        return float(value) if isinstance(value, Fraction) else value

    columns = [COLUMNS[name] for name in names]
    every = items(listing.every)
    return [{column.key: plain(value_of(column, item)) for column in columns} for item in every]
