"""`field`: receptive fields over depth, one unit's window, one pixel's reach, and where two pixels meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import Any, NamedTuple

from convcalc.analysis.analyse import Analysis
from convcalc.analysis.fold import FoldedRow
from convcalc.analysis.receptive import ReceptiveField
from convcalc.analysis.regions import Span
from convcalc.analysis.units import Area, Meeting, Position, Sight, places
from convcalc.graph import Node
from convcalc.ops import product
from convcalc.render.table import Column, Table, drop, shorten
from convcalc.report import words
from convcalc.report.values import CONVENTIONS, field_value
from convcalc.shapes import AXIS_NAMES


class Depth(NamedTuple):
    """A layer on the way down: its row, its field by formula, and what its unit in the middle sees."""

    row: FoldedRow
    sight: Sight

    @property
    def node(self) -> Node:
        """The row's last layer."""
        return self.row.nodes[-1]

    @property
    def field(self) -> ReceptiveField | None:
        """By formula; None where no single one fits all units."""
        return self.row.receptive_field


LAYER = Column(
    "layer", "layer", lambda item: item.node.name, lambda item: item.row.name, wrap=True, style="cyan"
)
OPERATOR = Column(
    "operator", "operator", lambda item: operator(item.row), wrap=True,
    short=(lambda item: operator(item.row, short=True),),
)  # fmt: skip
KIND = Column("kind", "kind", lambda item: item.node.kind)
OUTPUT = Column("output_shape", "output", lambda item: item.node.output_shape, right=True)
SIZE = Column(
    "size",
    "field",
    lambda item: item.field and item.field.size,
    lambda item: words.field(item.field),
    right=True,
)
STRIDE = Column(
    "stride",
    "stride",
    lambda item: item.field and item.field.stride,
    lambda item: words.axes(item.field.stride) if item.field else "–",
    right=True,
)
START = Column(
    "start",
    "start",
    lambda item: item.field and _spaced(item.field.start),
    lambda item: words.axes(item.field.start) if item.field else "–",
    right=True,
)
UNIT = Column(
    "unit",
    "middle unit",
    lambda item: _spaced(item.sight.unit),
    lambda item: position(item.sight.unit),
    right=True,
)
SEES = Column(
    "sees",
    "sees",
    text=lambda item: spans(item.sight.seen) if item.sight.seen else "padding only",
    right=True,
)
FIRST = Column("first", "", lambda item: _ends(item.sight.seen)[0])
LAST = Column("last", "", lambda item: _ends(item.sight.seen)[1])
PIXELS = Column("pixels", "", lambda item: item.sight.pixels)
SHARE = Column(
    "share",
    "of the image",
    lambda item: float(item.sight.share),
    lambda item: words.percent(item.sight.share),
    right=True,
)


def depth_table(analysis: Analysis, rows: Sequence[FoldedRow], sights: Sequence[Sight]) -> Table:
    """A row per layer: the field by formula, and what the unit in the middle sees."""
    graph = analysis.graph
    return Table(
        columns=(LAYER, OPERATOR, OUTPUT, SIZE, STRIDE, START, UNIT, SEES, SHARE),
        rows=[Depth(row, sight) for row, sight in zip(rows, sights, strict=True)],
        title=f"Receptive fields of {graph.title or graph.name}",
        subtitle=words.network(graph),
        lines=[
            "field: pixels a unit's window spans, padding included; stride: pixels from one unit's window "
            "to the next's; start: first pixel of the first unit's window",
            *words.at_most(row.receptive_field for row in rows),
            *(f"warning: {text}" for text in analysis.warnings[:5]),
        ],
        data_columns=(LAYER, KIND, OUTPUT, SIZE, STRIDE, START, UNIT, FIRST, LAST, PIXELS, SHARE),
        narrowing=[*shorten("operator"), *drop("operator", "output_shape")],
    )


def operator(row: FoldedRow, *, short: bool = False) -> str:
    """The row's operator as `show` writes it."""
    if row.block:
        return ("" if short else "block of ") + words.plural(len(row.nodes), "layer")
    return (words.short_operator if short else words.operator)(row.nodes[0].op)


def depth_value(analysis: Analysis, rows: Sequence[FoldedRow], sights: Sequence[Sight]) -> dict[str, Any]:
    """`field ARCH --format json`."""
    return {
        "name": analysis.graph.name,
        "conventions": CONVENTIONS,
        "input": list(analysis.graph.input_shape),
        "layers": [
            {
                "name": row.nodes[-1].name,
                "kind": row.nodes[-1].kind,
                "output_shape": list(row.nodes[-1].output_shape),
                "receptive_field": field_value(row.receptive_field),
                **_sight_value(one),
            }
            for row, one in zip(rows, sights, strict=True)
        ],
        "warnings": list(analysis.warnings),
    }


# -- one unit ----------------------------------------------------------------------------------------------


def unit_table(analysis: Analysis, node: Node, one: Sight, parts: Sequence[Area]) -> Table:
    """What a unit reads, layer by layer back to the image."""
    graph = analysis.graph
    return Table(
        columns=_part_columns("reads", "positions"),
        rows=parts,
        title=f"What {node.name} {position(one.unit)} sees",
        subtitle=f"{words.network(graph)}; "
        f"{node.name} is {words.operator(node.op)}, {words.shape(node.output_shape)}",
        lines=[*_unit_lines(one), *_widest(analysis.layers[node.index].receptive_field, one)],
        data_columns=PART_DATA,
        narrowing=PART_NARROWING,
    )


def _unit_lines(one: Sight) -> list[str]:
    if one.window is None:
        return ["this unit reads nothing: it lies in a gap that no kernel fills"]
    names = AXIS_NAMES[len(one.image)]
    lines = []
    for name, (low, high), size, (before, after) in zip(
        names, one.window, one.image, one.outside, strict=True
    ):
        text = f"{name}: pixels {words.number(low)} to {words.number(high)}, a window of {high - low + 1:,}"
        if before or after:
            text += f", {before + after:,} of it outside the {size:,} of the image"
            text += f" ({before:,} before, {after:,} after)" if before and after else ""
        lines.append(text)
    if one.seen is None:
        lines.append("it sees only padding")
        return lines
    between = [high - low + 1 for low, high in one.seen]
    text = product(between) + " = " if len(between) > 1 and one.pixels == prod(between) else ""
    lines.append(
        f"it sees {text}{one.pixels:,} pixels, {words.percent(one.share)} of the image: {spans(one.seen)}"
    )
    if one.pixels != prod(between):
        lines.append(
            f"with gaps: from the first to the last there are {product(between)} = {prod(between):,} pixels"
        )
    return lines


def _widest(field: ReceptiveField | None, one: Sight) -> list[str]:
    """How wide windows of the layer's units are, where they differ."""
    if field is None or not field.varies or one.window is None:
        return []
    sizes = words.axes(field.size)
    return [
        f"its units see windows of different sizes, {sizes} pixels at most; this one {words.axes(one.size)}"
    ]


def unit_value(analysis: Analysis, node: Node, one: Sight, parts: Sequence[Area]) -> dict[str, Any]:
    """`field ARCH --layer NAME --format json`."""
    return {
        "name": analysis.graph.name,
        "conventions": CONVENTIONS,
        "input": list(analysis.graph.input_shape),
        "layer": node.name,
        "kind": node.kind,
        "output_shape": list(node.output_shape),
        "receptive_field": field_value(analysis.layers[node.index].receptive_field),
        **_sight_value(one),
        "trace": [_part_value(part) for part in parts],
    }


# -- one pixel, two pixels -----------------------------------------------------------------------------------


def pixel_table(analysis: Analysis, pixel: Position, layers: Sequence[tuple[Node, Area]]) -> Table:
    """Which units of every layer a pixel reaches."""
    graph = analysis.graph
    parts = [part for _, part in layers]
    return Table(
        columns=_part_columns("units", "how many"),
        rows=parts,
        title=f"What pixel {position(pixel)} reaches",
        subtitle=words.network(graph),
        data_columns=PART_DATA,
        narrowing=PART_NARROWING,
        styles=["" if part.positions else "dim" for part in parts],
    )


def pixel_value(analysis: Analysis, pixel: Position, layers: Sequence[tuple[Node, Area]]) -> dict[str, Any]:
    """`field ARCH --pixel R,C --format json`."""
    return {
        "name": analysis.graph.name,
        "conventions": CONVENTIONS,
        "input": list(analysis.graph.input_shape),
        "pixel": list(pixel),
        "layers": [_part_value(part) for _, part in layers],
    }


def meeting_table(analysis: Analysis, found: Meeting, layers: Sequence[tuple[Node, Area]]) -> Table:
    """Per layer the units that depend on both pixels."""
    graph = analysis.graph
    parts = [part for _, part in layers]
    if found.first is None:
        line = "no unit of this network depends on both"
    else:
        part = dict(found.layers)[found.first]
        units = words.plural(part.positions, "position")
        line = f"they first meet in {found.first.name}, at {units}: {_where(part)}"
    return Table(
        columns=_part_columns("units that see both", "how many"),
        rows=parts,
        title=f"Where pixels {position(found.a)} and {position(found.b)} meet",
        subtitle=words.network(graph),
        lines=[line],
        data_columns=PART_DATA,
        narrowing=PART_NARROWING,
        styles=["" if part.positions else "dim" for part in parts],
    )


def meeting_value(analysis: Analysis, found: Meeting) -> dict[str, Any]:
    """`field ARCH --between R,C R,C --format json`."""
    return {
        "name": analysis.graph.name,
        "conventions": CONVENTIONS,
        "input": list(analysis.graph.input_shape),
        "pixels": [list(found.a), list(found.b)],
        "first": found.first.name if found.first else None,
        "layers": [_part_value(part) for _, part in found.layers],
    }


# -- words ---------------------------------------------------------------------------------------------------


def position(at: Sequence[int]) -> str:
    """`(2, 2)`, a vector's `17`."""
    return str(at[0]) if len(at) == 1 else f"({', '.join(map(str, at))})"


def spans(value: Sequence[Span]) -> str:
    """`32…194`, `0…10 × 4…14`: first and last position per axis."""
    texts = [
        words.number(low) if low == high else f"{words.number(low)}…{words.number(high)}"
        for low, high in value
    ]
    return " × ".join(texts)


PART = (
    Column("layer", "layer", lambda part: part.node.name if part.node else "input",
           lambda part: part.node.name if part.node else "image", wrap=True, style="cyan"),
    Column("operator", "operator", lambda part: words.operator(part.node.op) if part.node else "", wrap=True,
           short=(lambda part: words.short_operator(part.node.op) if part.node else "",)),
    Column("output_shape", "output", lambda part: part.shape, right=True),
    Column("positions", "", right=True),
    Column("share", "share", lambda part: float(part.share), lambda part: words.percent(part.share), right=True),
)  # fmt: skip
PART_DATA = (
    PART[0],
    Column("kind", "", lambda part: part.node.kind if part.node else "input"),
    PART[2],
    Column("first", "", lambda part: _ends(part.spans)[0]),
    Column("last", "", lambda part: _ends(part.spans)[1]),
    *PART[3:],
)
PART_NARROWING = [*shorten("operator"), *drop("operator", "output_shape")]


def _part_columns(header: str, total: str) -> tuple[Column, ...]:
    """The columns of areas, those of what is told about their positions under these headers."""
    return (
        *PART[:3],
        Column("spans", header, text=_where, right=True),
        PART[3]._replace(header=total),
        PART[4],
    )


def _where(part: Area) -> str:
    if part.spans is None:
        return "none"
    return spans(part.spans) if part.full else f"within {spans(part.spans)}"


def _part_value(part: Area) -> dict[str, Any]:
    return {
        "name": part.node.name if part.node else "input",
        "kind": part.node.kind if part.node else "input",
        "output_shape": list(part.shape),
        **_spans_value(part.spans),
        "positions": part.positions,
        "of": prod(places(part.shape)),
    }


def _sight_value(one: Sight) -> dict[str, Any]:
    return {
        "unit": list(one.unit),
        "window": _spans_value(one.window) if one.window else None,
        "seen": _spans_value(one.seen) if one.seen else None,
        "outside": [list(pair) for pair in one.outside],
        "pixels": one.pixels,
        "share": float(one.share),
    }


def _spans_value(value: Sequence[Span] | None) -> Mapping[str, Any]:
    return {
        "first": [low for low, _ in value] if value else None,
        "last": [high for _, high in value] if value else None,
    }


def _ends(value: Sequence[Span] | None) -> tuple[str, str]:
    if not value:
        return "", ""
    return " ".join(str(low) for low, _ in value), " ".join(str(high) for _, high in value)


def _spaced(values: Sequence[int | Fraction]) -> str:
    return " ".join(map(str, values))
