"""`field`: receptive fields over depth, one unit's window, one pixel's reach, and where two pixels meet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import Any

from convcalc.analysis.field import DepthField, MeetingField, PixelField, UnitField
from convcalc.analysis.fold import FoldedRow
from convcalc.analysis.receptive import ReceptiveField
from convcalc.analysis.regions import Span
from convcalc.analysis.units import Area, Sight
from convcalc.render.layout import Line, TextSpan, table_lines, wrap
from convcalc.render.table import Column, Table, drop, shorten
from convcalc.report import words
from convcalc.report.field_picture import styled, window_lines
from convcalc.report.values import CONVENTIONS, field_value, fields_value
from convcalc.shapes import AXIS_NAMES

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
OF = Column("input", "of", lambda item: item.sight.origin)
UNIT = Column(
    "unit",
    "middle unit",
    lambda item: _spaced(item.sight.unit),
    lambda item: words.position(item.sight.unit),
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


def depth_summary(found: DepthField) -> str:
    """`Receptive fields of alexnet: 14 rows`."""
    name = found.analysis.graph.name
    return f"Receptive fields of {name}: {words.plural(len(found.layers), 'row')}"


def depth_table(found: DepthField) -> Table:
    """One row per layer: the receptive field by formula, and the window of the unit in the middle."""
    graph = found.analysis.graph
    several = len(graph.inputs) > 1
    return Table(
        columns=(
            *(LAYER, OPERATOR, OUTPUT, *([OF] if several else []), SIZE, STRIDE, START, UNIT, SEES, SHARE),
        ),
        rows=found.layers,
        title=f"Receptive fields of {graph.title or graph.name}" + (f" to {found.to}" if found.to else ""),
        subtitle=words.network(graph),
        lines=[
            "field: pixels a unit's window spans, padding included; stride: pixels from one unit's window "
            "to the next's; start: first pixel of the first unit's window",
            *words.at_most(layer.field for layer in found.layers),
            *(f"warning: {text}" for text in found.analysis.warnings[:5]),
        ],
        data_columns=(
            *(LAYER, KIND, OUTPUT, *([OF] if several else []), SIZE, STRIDE, START, UNIT),
            *(FIRST, LAST, PIXELS, SHARE),
        ),
        data=lambda: found.every,
        narrowing=[
            *(drop("stride", "start", "unit") if several else []),
            *shorten("operator"),
            *drop("operator", "output_shape"),
        ],
    )


def operator(row: FoldedRow, *, short: bool = False) -> str:
    """The row's operator as `show` writes it."""
    if row.block:
        return ("" if short else "block of ") + words.plural(len(row.nodes), "layer")
    return (words.short_operator if short else words.operator)(row.nodes[0].op)


def depth_value(found: DepthField) -> dict[str, Any]:
    """JSON of `field ARCH`."""
    return {
        "name": found.analysis.graph.name,
        "conventions": CONVENTIONS,
        "input": list(found.analysis.graph.input_shape),
        "layers": [
            {
                "name": layer.node.name,
                "kind": layer.node.kind,
                "output_shape": list(layer.node.output_shape),
                "receptive_field": field_value(layer.field),
                "receptive_fields": fields_value(found.analysis.layers[layer.node.index]),
                **_sight_value(layer.sight),
            }
            for layer in found.every
        ],
        "warnings": list(found.analysis.warnings),
    }


# -- one unit ----------------------------------------------------------------------------------------------


def unit_title(found: UnitField) -> str:
    """`What conv5 (2, 2) sees`."""
    return f"What {found.node.name} {words.position(found.sight.unit)} sees"


def unit_summary(found: UnitField) -> str:
    """`What conv5 (2, 2) of alexnet sees: 32…194 × 32…194`."""
    sight = found.sight
    what = spans(sight.seen) if sight.seen else "padding only"
    return f"What {found.node.name} {words.position(sight.unit)} of {found.analysis.graph.name} sees: {what}"


def unit_table(found: UnitField) -> Table:
    """The part of each layer that a unit reads, from its own layer back to the image."""
    node = found.node
    return Table(
        columns=_part_columns("reads", "positions"),
        rows=found.trace,
        title=unit_title(found),
        subtitle=f"{words.network(found.analysis.graph)}; "
        f"{node.name} is {words.operator(node.op)}, {words.shape(node.output_shape)}",
        lines=[
            line
            for sight in found.sights
            for line in _sight_lines(found, sight, named=len(found.analysis.graph.inputs) > 1)
        ],
        data_columns=PART_DATA,
        narrowing=PART_NARROWING,
    )


def unit_lines(found: UnitField, width: int | None) -> Iterator[Line]:
    """The table, and the window drawn over the image."""
    yield from table_lines(unit_table(found), width)
    for sight in found.sights:
        picture = window_lines(sight)
        if len(found.sights) > 1 and picture:
            yield [TextSpan(f"{sight.origin}:")]
        yield from styled(picture)


def _sight_lines(found: UnitField, sight: Sight, *, named: bool) -> list[str]:
    field = found.analysis.layers[found.node.index].receptive_fields.get(sight.origin)
    if sight.window is None and field is None:
        lines = ["this layer reads nothing of the input"]
    else:
        lines = [*_unit_lines(sight), *_widest(field, sight)]
    return [f"{sight.origin}: {line}" for line in lines] if named else lines


def _unit_lines(sight: Sight) -> list[str]:
    if sight.window is None:
        return ["this unit reads nothing: it lies in a gap that no kernel fills"]
    names = AXIS_NAMES[len(sight.image)]
    lines = []
    for name, (low, high), size, (before, after) in zip(
        names, sight.window, sight.image, sight.outside, strict=True
    ):
        text = f"{name}: pixels {words.number(low)} to {words.number(high)}, a window of {high - low + 1:,}"
        if before or after:
            text += f", {before + after:,} of it outside the {size:,} of the image"
            text += f" ({before:,} before, {after:,} after)" if before and after else ""
        lines.append(text)
    if sight.seen is None:
        lines.append("it sees only padding")
        return lines
    extents = [high - low + 1 for low, high in sight.seen]
    between, product = prod(extents), "·".join(map(str, extents))
    text = f"{product} = " if len(extents) > 1 and sight.pixels == between else ""
    lines.append(
        f"it sees {text}{sight.pixels:,} pixels, {words.percent(sight.share)} of the image: {spans(sight.seen)}"
    )
    if sight.pixels != between:
        lines.append(f"with gaps: from the first to the last there are {product} = {between:,} pixels")
    return lines


def _widest(field: ReceptiveField | None, sight: Sight) -> list[str]:
    """A note on the largest window in the layer, if its units' windows differ in size."""
    if field is None or not field.varies or sight.window is None:
        return []
    sizes = words.axes(field.size)
    return [
        f"its units see windows of different sizes, {sizes} pixels at most; this one {words.axes(sight.size)}"
    ]


def unit_value(found: UnitField) -> dict[str, Any]:
    """JSON of `field ARCH --layer NAME`."""
    node = found.node
    return {
        "name": found.analysis.graph.name,
        "conventions": CONVENTIONS,
        "input": list(found.analysis.graph.input_shape),
        "layer": node.name,
        "kind": node.kind,
        "output_shape": list(node.output_shape),
        "receptive_field": field_value(found.analysis.layers[node.index].receptive_field),
        "receptive_fields": fields_value(found.analysis.layers[node.index]),
        **_sight_value(found.sight),
        "sights": {sight.origin: _sight_value(sight) for sight in found.sights},
        "trace": [_area_value(area) for area in found.trace],
    }


# -- one pixel, two pixels -----------------------------------------------------------------------------------


def pixel_summary(found: PixelField) -> str:
    """`What pixel (5, 5) of lenet5 reaches: units of 12 layers`."""
    layers = sum(area.positions > 0 for area in found.areas)
    name = found.analysis.graph.name
    return (
        f"What pixel {words.pixel(found.pixel)} of {name} reaches: units of {words.plural(layers, 'layer')}"
    )


def pixel_table(found: PixelField) -> Table:
    """The units of every layer that a pixel reaches."""
    return Table(
        columns=_part_columns("units", "how many"),
        rows=found.shown,
        title=f"What pixel {words.pixel(found.pixel)} reaches",
        subtitle=words.network(found.analysis.graph),
        data_columns=PART_DATA,
        narrowing=PART_NARROWING,
        styles=["" if area.positions else "dim" for area in found.shown],
    )


def pixel_value(found: PixelField) -> dict[str, Any]:
    """JSON of `field ARCH --pixel R,C`."""
    return {
        "name": found.analysis.graph.name,
        "conventions": CONVENTIONS,
        "input": list(found.analysis.graph.input_shape),
        "pixel": list(found.pixel.position),
        "of": found.pixel.origin or found.analysis.graph.inputs[0].name,
        "layers": [_area_value(area) for area in found.areas],
    }


def meeting_summary(found: MeetingField) -> str:
    """`Where pixels (0, 0) and (5, 5) of lenet5 meet: in maxpool1`."""
    a, b = map(words.pixel, found.pixels)
    where = f"in {found.first.name}" if found.first else "nowhere"
    return f"Where pixels {a} and {b} of {found.analysis.graph.name} meet: {where}"


def meeting_table(found: MeetingField) -> Table:
    """The units of every layer that depend on both pixels."""
    a, b = map(words.pixel, found.pixels)
    if found.first is None:
        line = "no unit of this network depends on both"
    else:
        units = words.plural(found.first.positions, "position")
        line = f"they first meet in {found.first.name}, at {units}: {_where(found.first)}"
    return Table(
        columns=_part_columns("units that see both", "how many"),
        rows=found.shown,
        title=f"Where pixels {a} and {b} meet",
        subtitle=words.network(found.analysis.graph),
        lines=[line],
        data_columns=PART_DATA,
        narrowing=PART_NARROWING,
        styles=["" if area.positions else "dim" for area in found.shown],
    )


def meeting_lines(found: MeetingField, width: int | None) -> Iterator[Line]:
    """The table, and the window of the first unit that sees both pixels."""
    yield from table_lines(meeting_table(found), width)
    if found.first is None or found.sight is None:
        return
    marks = [pixel.position for pixel in found.pixels if pixel.origin in (None, found.sight.origin)]
    picture = window_lines(found.sight, marks)
    if picture:
        heading = f"what {found.first.name} {words.position(found.sight.unit)} sees:"
        yield from ([TextSpan(part)] for part in wrap(heading, width))
    yield from styled(picture)


def meeting_value(found: MeetingField) -> dict[str, Any]:
    """JSON of `field ARCH --between R,C R,C`."""
    return {
        "name": found.analysis.graph.name,
        "conventions": CONVENTIONS,
        "input": list(found.analysis.graph.input_shape),
        "pixels": [list(pixel.position) for pixel in found.pixels],
        "of": [pixel.origin or found.analysis.graph.inputs[0].name for pixel in found.pixels],
        "first": found.first.name if found.first else None,
        "layers": [_area_value(area) for area in found.areas],
    }


# -- words ---------------------------------------------------------------------------------------------------


def spans(value: Sequence[Span]) -> str:
    """`32…194`, `0…10 × 4…14`: first and last position per axis."""
    texts = [
        words.number(low) if low == high else f"{words.number(low)}…{words.number(high)}"
        for low, high in value
    ]
    return " × ".join(texts)


def _area_name(area: Area) -> str:
    return "image" if area.node is None and area.name == "input" else area.name


PART = (
    Column("layer", "layer", lambda area: area.name, _area_name, wrap=True,
           style="cyan"),
    Column("operator", "operator", lambda area: words.operator(area.node.op) if area.node else "", wrap=True,
           short=(lambda area: words.short_operator(area.node.op) if area.node else "",)),
    Column("output_shape", "output", lambda area: area.shape, right=True),
    Column("positions", "", right=True),
    Column("share", "share", lambda area: float(area.share), lambda area: words.percent(area.share), right=True),
)  # fmt: skip
PART_DATA = (
    PART[0],
    Column("kind", "", lambda area: area.node.kind if area.node else "input"),
    PART[2],
    Column("first", "", lambda area: _ends(area.spans)[0]),
    Column("last", "", lambda area: _ends(area.spans)[1]),
    *PART[3:],
)
PART_NARROWING = [*shorten("operator"), *drop("operator", "output_shape")]


def _part_columns(header: str, total: str) -> tuple[Column, ...]:
    """The columns of a table of areas. headers: those of the columns about positions."""
    return (
        *PART[:3],
        Column("spans", header, text=_where, right=True),
        PART[3]._replace(header=total),
        PART[4],
    )


def _where(area: Area) -> str:
    if area.spans is None:
        return "none"
    return spans(area.spans) if area.full else f"within {spans(area.spans)}"


def _area_value(area: Area) -> dict[str, Any]:
    return {
        "name": area.name,
        "kind": area.node.kind if area.node else "input",
        "output_shape": list(area.shape),
        **_spans_value(area.spans),
        "positions": area.positions,
        "of": area.places,
    }


def _sight_value(sight: Sight) -> dict[str, Any]:
    return {
        "unit": list(sight.unit),
        "window": _spans_value(sight.window) if sight.window else None,
        "seen": _spans_value(sight.seen) if sight.seen else None,
        "outside": [list(pair) for pair in sight.outside],
        "pixels": sight.pixels,
        "share": float(sight.share),
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
