"""`matrix`: the connection counts of a convolution seen as a dense layer, and the matrix itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from convcalc.layer.unroll import Unrolled, UnrolledNetwork
from convcalc.layer.unroll_transposed import UnrolledTransposed
from convcalc.render import blocks
from convcalc.render.layout import Line, TextSpan, table_lines
from convcalc.render.table import Column, Table, Total, drop, shorten
from convcalc.report import words
from convcalc.report.values import CONVENTIONS
from convcalc.shapes import elements, show

AnyUnrolled = Unrolled | UnrolledTransposed


class Connections(NamedTuple):
    """One way to connect inputs and outputs: how its connections are counted, and their share of dense."""

    connections: str
    working: str
    number: int
    of_dense: float


STEPS = (
    Column("connections", "connections", style="cyan"),
    Column("working", "counted", wrap=True),
    Column("count", "count", lambda step: step.number, right=True, style="bold"),
    Column("of_dense", "of dense", text=lambda step: _share(step.of_dense), right=True),
)


def _count(key: str, header: str = "") -> Column:
    """One of the counts of a layer; a row is the layer and its counts."""
    return Column(
        key, header or key, lambda row: getattr(row[1], key), short=(lambda row: words.rounded(getattr(row[1], key)),),
        adds=True, right=True,
    )  # fmt: skip


LAYERS = (
    Column("layer", "layer", lambda row: row[0].name, wrap=True, style="cyan"),
    Column("input", "input", lambda row: row[0].input_shape, right=True),
    Column("output", "output", lambda row: row[0].output_shape, right=True),
    _count("dense"),
    _count("locally_connected", "locally connected"),
    _count("active"),
    _count("distinct"),
    Column("ratio", "dense/distinct", lambda row: row[1].dense / row[1].distinct,
           lambda row: f"{row[1].dense / row[1].distinct:,.0f}", adds=True, right=True),
)  # fmt: skip
LAYER_DATA = (
    LAYERS[0],
    *map(_count, ("inputs", "outputs", "dense", "locally_connected", "active", "distinct", "weights")),
)
MAX_ROWS, MAX_COLUMNS, MAX_WEIGHTS = 64, 64, 200  # of a drawn matrix
MAX_VALUE = 40_000  # entries of a matrix that JSON holds
ZERO = "·"


def unrolled_table(layer: AnyUnrolled) -> Table:
    """Counts for dense, locally connected, active and distinct weights: the two steps from a dense layer to a
    convolution."""
    found = layer.counts
    window = "·".join(map(str, layer.kernel))
    many, of_each = (layer.depth, layer.filters) if layer.transposed else (layer.filters, layer.depth)
    local = (
        f"{found.inputs:,} inputs · ({window}·{of_each}) that each writes"
        if layer.transposed
        else f"{found.outputs:,} outputs · ({window}·{of_each}) of a window"
    )
    rows = [
        ("dense", f"{found.outputs:,} outputs · {found.inputs:,} inputs", found.dense),
        ("locally connected", local, found.locally_connected),
        ("active", "entries that are not zero", found.active),
        ("distinct", f"({window}·{of_each})·{many}, shared by all positions", found.distinct),
    ]
    sparse = "each input writes" if layer.transposed else "each output reads"
    lines = [
        f"sparse connectivity: {sparse} its window only, {_times(found.dense, found.locally_connected)}",
        f"weight sharing: one kernel serves all positions, {_times(found.locally_connected, found.weights)}",
        f"together {_times(found.dense, found.weights)} than dense; biases are left out",
    ]
    if found.active < found.locally_connected:
        where = "are cropped off" if layer.transposed else "lie in the padding"
        lines.insert(2, f"{found.locally_connected - found.active:,} connections {where}")
    if found.distinct < found.weights:
        unused = found.weights - found.distinct
        nothing = "write only what is cropped" if layer.transposed else "meet nothing but padding"
        lines.insert(2, f"{words.plural(unused, 'weight')} of {found.weights:,} {nothing}")
    shapes = f"{show(layer.input_shape)} → {show(layer.output_shape)}"
    return Table(
        columns=STEPS,
        rows=[Connections(what, text, count, count / found.dense) for what, text, count in rows],
        title=unrolled_title(layer),
        subtitle=f"{shapes}, a matrix of {found.outputs:,}×{found.inputs:,}",
        lines=lines,
        data_columns=[STEPS[0], *STEPS[2:]],
    )


def unrolled_title(layer: AnyUnrolled) -> str:
    """`conv1 conv K6 F5 as a dense layer`."""
    operator = words.operator(layer.op).replace(" no bias", "")
    return " ".join(filter(None, (layer.name, operator, "as a dense layer")))


def _times(more: int, fewer: int) -> str:
    ratio = more / fewer
    if ratio <= 1:
        return "no fewer" if ratio == 1 else f"{1 / ratio:.3g}× more"
    return f"{ratio:,.0f}× fewer" if ratio >= 100 or ratio == int(ratio) else f"{ratio:.3g}× fewer"


def _share(share: float) -> str:
    return f"{100 * share:.3g} %" if share >= 1e-6 else f"1/{1 / share:,.0f}"


def drawable(layer: AnyUnrolled) -> bool:
    """Whether the matrix fits a terminal."""
    found = layer.counts
    return found.outputs <= MAX_ROWS and found.inputs <= MAX_COLUMNS and found.weights <= MAX_WEIGHTS


def unrolled_lines(layer: AnyUnrolled, width: int | None, *, written: bool = False) -> Iterator[Line]:
    """The counts, and the matrix if it is small; else a hint on how to write it to a file."""
    yield from table_lines(unrolled_table(layer), width)
    if drawable(layer):
        yield []
        yield from drawing(layer, width)
    elif not written and layer.in_memory:
        yield [TextSpan("the matrix is too large to draw; --output FILE.svg, .png, .csv or .npz writes it")]


def drawing(layer: AnyUnrolled, width: int | None) -> list[Line]:
    """The input's numbering, the kernel and the matrix: zeros in grey, one colour per weight."""
    found = layer.counts
    names = layer.labels
    rows, styles = [], {}
    for index, row in enumerate(layer.entries()):
        texts = [ZERO] * found.inputs
        for column in range(found.inputs):
            styles[index, column] = "bright_black"
        for column, weight in row:
            texts[column] = names[weight - 1]
            styles[index, column] = f"bold {colour(weight - 1, found.weights)}"
        rows.append(texts)
    # narrow cells: the column numbers are shown in the drawing of the input
    body = blocks.matrix("matrix", rows, styles=styles, gap=1, rows_named=output_names(layer))
    if width is not None and body.width > width:
        return [
            [TextSpan(f"the matrix takes {body.width} columns; a wider terminal, a pipe or -o FILE shows it")]
        ]
    return [
        *blocks.beside([*_inputs(layer), *_kernels(layer, names)], width),
        [],
        *blocks.beside([body], width),
    ]


def output_names(layer: AnyUnrolled) -> list[str]:
    """`h11`, `h12`, … as in the lecture; with several maps, the map's number first."""
    shape = layer.output_shape if layer.filters > 1 else layer.output_shape[1:]
    joint = "" if max(shape) < 10 else ","
    names = []
    for number in range(elements(shape)):
        places = []
        for size in reversed(shape):
            number, place = divmod(number, size)
            places.append(str(place + 1))
        names.append("h" + joint.join(reversed(places)))
    return names


def _inputs(layer: AnyUnrolled) -> list[blocks.TextBlock]:
    """The input's positions, numbered like the matrix's columns."""
    width = layer.input_shape[-1]
    height = elements(layer.input_shape[1:-1])
    result = []
    for channel in range(layer.input_shape[0]):
        start = channel * width * height + 1
        rows = [[str(start + row * width + column) for column in range(width)] for row in range(height)]
        heading = f"inputs, channel {channel + 1}" if layer.input_shape[0] > 1 else "inputs, by column"
        result.append(blocks.matrix(heading, rows))
    return result


def _kernels(layer: AnyUnrolled, names: Sequence[str]) -> list[blocks.TextBlock]:
    kernel = layer.kernel
    width, size = kernel[-1], elements(kernel)
    result = []
    for output in range(layer.filters):
        for channel in range(layer.depth):
            start = layer.kernel_start(output, channel)
            rows = [names[start + i : start + i + width] for i in range(0, size, width)]
            styles = {
                (place // width, place % width): f"bold {colour(start + place, len(names))}"
                for place in range(size)
            }
            heading = "kernel" if layer.filters == 1 else f"kernel {output + 1}"
            heading += f", channel {channel + 1}" if layer.depth > 1 else ""
            result.append(blocks.matrix(heading, rows, styles=styles))
    return result


def colour(index: int, count: int) -> str:
    """A colour for each weight, `#rrggbb`; the hues are spread evenly."""
    from colorsys import hsv_to_rgb

    level = 0.95 if index % 2 == 0 or count <= 8 else 0.7
    red, green, blue = hsv_to_rgb(index / max(count, 1), 0.75, level)
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"


def layers_table(network: UnrolledNetwork) -> Table:
    """One row per convolution of a network."""
    return Table(
        columns=LAYERS,
        rows=[(layer, layer.counts) for layer in network.layers],
        title=f"{network.name}: its convolutions as dense layers",
        footer=[Total((None, network.total), {"layer": ("total",)})],
        lines=["weights only, biases left out; `convcalc matrix " + network.name + " LAYER` works one out"],
        data_columns=LAYER_DATA,
        narrowing=[
            *drop("locally_connected", "input", "output"),
            *shorten("dense", "active", "distinct"),
            *drop("active"),
        ],
    )


def layers_value(network: UnrolledNetwork) -> dict[str, Any]:
    """JSON of `matrix ARCH`: the counts of each layer."""
    return {
        "name": network.name,
        "conventions": CONVENTIONS,
        "layers": [unrolled_value(layer, whole=False) for layer in network.layers],
    }


def layers_summary(network: UnrolledNetwork) -> str:
    """`Matrices of lenet5: 2 convolutions, 2,550 weights`."""
    number = words.plural(len(network.layers), "convolution")
    return f"Matrices of {network.name}: {number}, {words.plural(network.total.weights, 'weight')}"


def unrolled_summary(layer: AnyUnrolled) -> str:
    """`Matrix 9×16: 36 of 144 entries are not zero, 4 are distinct`."""
    found = layer.counts
    name = f" of {layer.name}" if layer.name else ""
    entries = f"{found.active:,} of {found.dense:,} entries are not zero, {found.distinct:,} are distinct"
    return f"Matrix{name} {found.outputs:,}×{found.inputs:,}: {entries}"


def unrolled_value(layer: AnyUnrolled, *, whole: bool = True) -> dict[str, Any]:
    """JSON of one convolution. Entries are weight numbers from 1; 0 means not connected.

    whole: a JSON value by itself, with the matrix if it is small.
    """
    found = layer.counts
    rows = None
    if whole and max(found.dense, found.weights) <= MAX_VALUE:
        rows = []
        for row in layer.entries():
            line = [0] * found.inputs
            for column, weight in row:
                line[column] = weight
            rows.append(line)
    return {
        "layer": layer.name or None,
        **({"conventions": CONVENTIONS} if whole else {}),
        "input_shape": list(layer.input_shape),
        "output_shape": list(layer.output_shape),
        "fields": layer.op.shown_fields(),
        **found._asdict(),
        "ratio": {
            "dense_to_locally_connected": found.dense / found.locally_connected,
            "locally_connected_to_weights": found.locally_connected / found.weights,
            "dense_to_weights": found.dense / found.weights,
        },
        "labels": layer.labels if rows is not None else None,
        "matrix": rows,
    }
