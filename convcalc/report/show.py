"""`show`: the table of a network, and its worked formulas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convcalc.analysis.analyse import Analysis
from convcalc.analysis.explain import explain
from convcalc.analysis.fold import Row, rows
from convcalc.graph import Node
from convcalc.render.table import Column, Table
from convcalc.report import words

COLUMNS = (
    Column("layer", "layer", wrap=True, style="cyan"),
    Column("operator", "operator", wrap=True, drop=3),
    Column("output", "output", right=True),
    Column("weights", "weights", right=True),
    Column("biases", "biases", right=True, drop=1),
    Column("macs", "MACs", right=True),
    Column("field", "field", right=True, drop=2),
)
DATA_KEYS = (
    "layer", "kind", "inputs", "output_shape", "weights", "biases", "params", "buffers", "macs", "activation_bytes",
    "receptive_field", "operator",
)  # fmt: skip


def network_table(
    analysis: Analysis, *, depth: int | None = None, unfold: bool = False, partial: bool = False
) -> Table:
    """The table of layers with totals, memory and notes; partial: of the layers before one that does not fit."""
    graph, totals = analysis.graph, analysis.totals
    folded = rows(analysis, depth=depth, unfold=unfold)
    images = "image" if analysis.batch == 1 else f"batch of {analysis.batch}"
    lines = [
        *folding_note(folded),
        *words.at_most(row.receptive_field for row in folded),
        f"{totals.weights:,} weights + {totals.biases:,} biases = {totals.params:,} params, "
        f"{words.size(totals.param_bytes)} as {analysis.dtype}",
        f"{totals.macs:,} MACs = {2 * totals.macs:,} FLOPs for one image",
        f"activations {words.size(totals.activation_bytes)} for one {images}, "
        f"at most {words.size(totals.peak_activation_bytes)} alive at once",
    ]
    if totals.buffers:
        lines.insert(-2, f"{totals.buffers:,} buffers (running statistics, not params)")
    lines += [f"warning: {text}" for text in analysis.warnings[:5]]
    if len(analysis.warnings) > 5:
        lines.append(f"warning: and {len(analysis.warnings) - 5} more such joins")
    return Table(
        columns=COLUMNS,
        rows=[_cells(row) for row in folded],
        title=graph.title or graph.name,
        subtitle=f"{graph.name}, input {words.shape(graph.input_shape)}"
        + (", only as far as its layers fit" if partial else ""),
        footer=[
            (
                "so far" if partial else "total",
                words.plural(totals.layers, "layer"),
                "",
                words.count(totals.weights),
                words.count(totals.biases),
                words.count(totals.macs),
                "",
            )
        ],
        lines=lines,
        notes=() if partial else graph.notes,
        data_keys=DATA_KEYS,
        data=[
            (
                layer.name,
                layer.kind,
                " ".join(layer.inputs),
                "x".join(map(str, layer.output_shape)),
                layer.weights,
                layer.biases,
                layer.params,
                layer.buffers,
                layer.macs,
                layer.activation_bytes,
                "x".join(map(str, layer.receptive_field.size)) if layer.receptive_field else "",
                words.operator(graph.nodes[index].op),
            )
            for index, layer in enumerate(analysis.layers)
        ],
        styles=["" if row.weights or row.block else "dim" for row in folded],
    )


def folding_note(folded: Sequence[Row]) -> list[str]:
    """A line that takes one row's figures apart, where a folded layer has some of them: `rows include what follows
    a +: conv1 has 9,408 + 64 weights, 0 + 64 biases`; nothing where no folded layer has weights or biases."""
    for row in folded:
        if row.folded_weights or row.folded_biases:
            weights = f"{row.weights - row.folded_weights:,} + {row.folded_weights:,} weights"
            biases = f"{row.biases - row.folded_biases:,} + {row.folded_biases:,} biases"
            return [f"rows include what follows a +: {row.name} has {weights}, {biases}"]
    return []


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        operator(row),
        words.shape(row.output_shape),
        words.count(row.weights),
        words.count(row.biases),
        words.count(row.macs),
        words.field(row.receptive_field),
    )


def operator(row: Row) -> str:
    """What a row does: its operator and the pointwise ones folded into it, or the size of a block."""
    if row.block:
        return f"block of {words.plural(len(row.nodes), 'layer')}"
    main, *folded = row.nodes
    return " + ".join([words.operator(main.op), *(node.kind for node in folded)])


def explanation_table(analysis: Analysis, *, only: Sequence[str] = ()) -> Table:
    """The worked formulas, one a row, for the formats that are not a screen."""
    rows = [
        (heading.split("  ")[0], what, text)
        for heading, _, lines in explanation(analysis, only=only)
        for what, text in lines
    ]
    return Table(
        columns=(Column("layer", "layer"), Column("what", "figure"), Column("text", "working")),
        rows=rows,
        title=analysis.graph.title or analysis.graph.name,
        notes=() if only else analysis.graph.notes,
        data_keys=("layer", "what", "working"),
        data=rows,
    )


def within(name: str, paths: Sequence[str]) -> bool:
    """Whether a layer is that of one of the paths, or lies in it."""
    return any(name == path or name.startswith(path + ".") for path in paths)


def explanation(
    analysis: Analysis, *, only: Sequence[str] = ()
) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Per layer: its heading, what it reads and gives, and its worked lines (label, text). only: paths of layers,
    or of what encloses several; none: every layer that has something to explain."""
    for node in analysis.graph:
        if only and not within(node.name, only):
            continue
        lines = explain(analysis, node)
        if lines or only:
            yield _heading(node), _flow(node), [(line.what, line.text) for line in lines]


def _heading(node: Node) -> str:
    return f"{node.name}  {words.operator(node.op)}"


def _flow(node: Node) -> str:
    given = " and ".join(words.shape(shape) for shape in node.input_shapes)
    return f"{given} → {words.shape(node.output_shape)}"
