"""`convert`: the files that were written, and where their weights come from."""

from __future__ import annotations

from typing import Any

from convcalc.formats.convert import Conversion
from convcalc.render.table import Column, Note, Table
from convcalc.report import words
from convcalc.report.values import CONVENTIONS

COLUMNS = (
    Column("file", "file", lambda file: file.path, wrap=True, style="cyan"),
    Column("holds", "holds", lambda file: file.holds, wrap=True),
    Column("bytes", "size", lambda file: file.size, lambda file: words.size(file.size), right=True),
)


def conversion_summary(conversion: Conversion) -> str:
    """`Conversion of resnet50 to resnet50.yaml`."""
    return f"Conversion of {conversion.graph.name} to {conversion.target}"


def conversion_table(conversion: Conversion) -> Table:
    """The files, with the origin of the weights and remarks below them."""
    layers, params = len(conversion.graph), conversion.params
    return Table(
        columns=COLUMNS,
        rows=conversion.files,
        title=words.network(conversion.graph),
        subtitle=f"{words.plural(layers, 'layer')}, {words.count(params)} params",
        lines=[_weights(conversion)],
        notes=[Note(text) for text in (*conversion.notes, *_unknown(conversion))],
    )


def _weights(conversion: Conversion) -> str:
    """The origin of the weights in a sentence."""
    origin = conversion.weights
    if origin.source == "none":
        return "no weights written"
    if origin.source == "random":
        return f"weights: random, seed {origin.seed}; nothing has been learned"
    return f"weights: from {origin.path}"


def _unknown(conversion: Conversion) -> list[str]:
    """What is said of layers whose operators are not known."""
    unknown = conversion.unknown
    if not unknown:
        return []
    shown = ", ".join(f"{node.name} ({node.op.shown_fields()['op']})" for node in unknown[:5])
    more = f" and {len(unknown) - 5:,} more" if len(unknown) > 5 else ""
    return [f"{words.plural(len(unknown), 'layer')} of unknown operators, not counted: {shown}{more}"]


def conversion_value(conversion: Conversion) -> dict[str, Any]:
    """JSON of `convert`."""
    origin = conversion.weights
    return {
        "source": conversion.source,
        "target": conversion.target,
        "format": conversion.format,
        "name": conversion.graph.name,
        "conventions": CONVENTIONS,
        "layers": len(conversion.graph),
        "params": conversion.params,
        "weights": {"source": origin.source, "path": origin.path, "seed": origin.seed},
        "opset": conversion.opset,
        "unknown": [
            {"name": node.name, "op": node.op.shown_fields()["op"], "shape": list(node.output_shape)}
            for node in conversion.unknown
        ],
        "notes": list(conversion.notes),
        "files": [file.path for file in conversion.files],
    }
