"""`show --columns`: the table of a network with the columns that were asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from convcalc.analysis.analyse import Analysis, Layer
from convcalc.analysis.costs import Cost, cost, total
from convcalc.analysis.fold import Row, rows
from convcalc.errors import UsageError, did_you_mean
from convcalc.render.table import Column, Table
from convcalc.report import words
from convcalc.report.show import folding_note, network_table, operator


class Item(NamedTuple):
    """One row's figures: the row, its layers and their cost."""

    row: Row
    layers: Sequence[Layer]
    cost: Cost


class Quantity(NamedTuple):
    """A column: its header, what it is, how to get its value, and whether values add up to a total."""

    header: str
    doc: str
    value: Callable[[Item], object]
    adds: bool = False
    wrap: bool = False


def _sum(name: str) -> Callable[[Item], int]:
    return lambda item: sum(getattr(layer, name) for layer in item.layers)


FIGURES = {
    "layer": Quantity("layer", "its name", lambda item: item.row.name, wrap=True),
    "operator": Quantity("operator", "kind and fields", lambda item: operator(item.row), wrap=True),
    "input": Quantity("input", "shape it reads", lambda item: item.layers[0].input_shapes[0]),
    "output": Quantity("output", "shape it gives", lambda item: item.row.output_shape),
    "weights": Quantity("weights", "what multiplies", _sum("weights"), adds=True),
    "biases": Quantity("biases", "what is added", _sum("biases"), adds=True),
    "params": Quantity("params", "weights and biases", _sum("params"), adds=True),
    "buffers": Quantity("buffers", "running statistics", _sum("buffers"), adds=True),
    "macs": Quantity("MACs", "multiply-accumulates for one image", _sum("macs"), adds=True),
    "flops": Quantity("FLOPs", "2 per MAC", lambda item: 2 * item.cost.macs, adds=True),
    "field": Quantity("field", "receptive field", lambda item: item.row.receptive_field),
    "per-output": Quantity(
        "MACs per output", "cost of one output element, F·F·D of a convolution", lambda item: item.cost.per_output
    ),
    "dense": Quantity("dense", "weights of a dense layer in its place", lambda item: item.cost.dense, adds=True),
    "local": Quantity(
        "local", "weights if windows shared none (locally connected)", lambda item: item.cost.local, adds=True
    ),
    "active": Quantity(
        "active", "connections to real inputs, padding apart", lambda item: item.cost.active, adds=True
    ),
    "shared": Quantity(
        "shared", "weights of its kernels or matrix, normalisation apart", lambda item: item.cost.shared, adds=True
    ),
    "activations": Quantity("activations", "bytes of the output", _sum("activation_bytes"), adds=True),
    "memory": Quantity(
        "memory", "bytes read and written: inputs, params, output", lambda item: item.cost.memory, adds=True
    ),
    "intensity": Quantity("FLOPs per byte", "arithmetic intensity", lambda item: item.cost.intensity),
}  # fmt: skip
RIGHT = frozenset(FIGURES) - {"layer", "operator"}


def parse(text: str) -> list[str]:
    """The names in `layer,output,macs`. Raises UsageError for an unknown or repeated one."""
    names = [part.strip().lower() for part in text.split(",") if part.strip()]
    for name in names:
        if name not in FIGURES:
            raise UsageError(
                f"--columns: there is no column '{name}'{did_you_mean(name, FIGURES)}",
                hint=f"columns: {', '.join(FIGURES)}",
            )
    if not names or len(set(names)) < len(names):
        raise UsageError(
            f"--columns {text}: " + ("a column is named twice" if names else "needs at least one column"),
            hint=f"columns: {', '.join(FIGURES)}",
        )
    return names


def columns_table(
    analysis: Analysis, names: Sequence[str], *, depth: int | None = None, unfold: bool = False
) -> Table:
    """The network's table with these columns; sums in the last row."""
    folded = rows(analysis, depth=depth, unfold=unfold)
    items = [_item(analysis, row) for row in folded]
    every = [_item(analysis, row) for row in rows(analysis, unfold=True)]
    figures = [FIGURES[name] for name in names]
    sums = [sum(_int(figure.value(item)) for item in every) if figure.adds else None for figure in figures]
    footer = ["" if value is None else _text(value) for value in sums]
    footer[0] = footer[0] or "total"
    explained = [f"{figure.header}: {figure.doc}" for figure in figures if figure.header not in _PLAIN]
    if "field" in names:
        explained = [*words.at_most(row.receptive_field for row in folded), *explained]
    if not _INCLUDE_FOLDED.isdisjoint(names):
        explained = [*folding_note(folded), *explained]
    return network_table(analysis)._replace(
        columns=[
            Column(
                name,
                figure.header,
                right=name in RIGHT,
                wrap=figure.wrap,
                style="cyan" if name == "layer" else "",
            )
            for name, figure in zip(names, figures, strict=True)
        ],
        rows=[[_text(figure.value(item)) for figure in figures] for item in items],
        footer=[footer] if any(value is not None for value in sums) else [],
        lines=explained,
        data_keys=names,
        data=[[_datum(figure.value(item)) for figure in figures] for item in every],
        styles=["" if item.cost.macs or item.row.block else "dim" for item in items],
    )


_INCLUDE_FOLDED = {"weights", "biases", "params"}
_PLAIN = {"layer", "operator", "input", "output", "weights", "biases", "params", "MACs", "field"}


def columns_value(analysis: Analysis, names: Sequence[str]) -> list[dict[str, Any]]:
    """Per layer, the figures by name, for JSON: numbers, shapes as lists."""
    items = [_item(analysis, row) for row in rows(analysis, unfold=True)]
    return [{name: _json(FIGURES[name].value(item)) for name in names} for item in items]


def _item(analysis: Analysis, row: Row) -> Item:
    layers = [analysis.layers[node.index] for node in row.nodes]
    return Item(row, layers, total([cost(analysis, node) for node in row.nodes]))


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value


def _text(value: object) -> str:
    if isinstance(value, Fraction):
        return f"{value.numerator:,}" if value.denominator == 1 else f"{float(value):,.2f}"
    if isinstance(value, int):
        return words.count(value)
    if isinstance(value, str):
        return value
    if isinstance(value, tuple) and hasattr(value, "stride"):
        return words.field(value)  # type: ignore[arg-type]
    return words.shape(value) if isinstance(value, tuple) else "–"


def _datum(value: object) -> object:
    if isinstance(value, tuple):
        return "x".join(map(str, getattr(value, "size", value)))
    return float(value) if isinstance(value, Fraction) else "" if value is None else value


def _json(value: object) -> object:
    if isinstance(value, tuple):
        return list(getattr(value, "size", value))
    return float(value) if isinstance(value, Fraction) else value
