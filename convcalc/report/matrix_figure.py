"""`matrix -o`: a small matrix as cells with its letters and the kernel that fills it, a large one as a picture."""

from __future__ import annotations

from collections.abc import Sequence

from convcalc.errors import UsageError
from convcalc.render.drawing.cells import Grid, Panel, Place, figure
from convcalc.render.drawing.density import MAX_PIXELS, Density, density_scene
from convcalc.render.drawing.scene import Scene
from convcalc.report import words
from convcalc.report.matrix import AnyUnrolled, output_names, unrolled_title
from convcalc.shapes import elements, show

MAX_SIDE, MAX_WEIGHTS = 40, 100  # of a matrix drawn as cells
MAX_ACTIVE = 20_000_000  # entries that are counted into a picture
MAX_PARTS = 32  # maps that are told apart by lines


def matrix_scene(layer: AnyUnrolled, *, transposed: bool = False) -> Scene:
    """The matrix. transposed: a row per input, a column per output. Raises UsageError if it is too large."""
    found = layer.counts
    if max(found.inputs, found.outputs) <= MAX_SIDE and found.weights <= MAX_WEIGHTS:
        return _cells(layer, transposed)
    if found.active > MAX_ACTIVE:
        raise UsageError(
            f"{found.active:,} entries that are not zero are more than a picture counts ({MAX_ACTIVE:,})",
            hint="the counts need no file; a smaller --input of the network makes a smaller matrix",
        )
    return _density(layer, transposed)


def _lines(layer: AnyUnrolled, transposed: bool) -> tuple[str, ...]:
    found = layer.counts
    turned = ", turned over" if transposed else ""
    return (
        f"{show(layer.input_shape)} → {show(layer.output_shape)}, a matrix of "
        f"{found.outputs:,}×{found.inputs:,}{turned}",
        f"{found.active:,} of {found.dense:,} entries are not zero, {words.plural(found.distinct, 'weight')} "
        f"{'fill' if found.distinct != 1 else 'fills'} them",
    )


def _shade(index: int, count: int) -> str:
    """A weight's fill: from light to dark in the order of the kernel."""
    return f"ramp:{0.12 + 0.88 * index / max(1, count - 1):.3f}"


def _cells(layer: AnyUnrolled, transposed: bool) -> Scene:
    found = layer.counts
    labels = [label.replace("-", "−") for label in layer.labels]
    height, width = found.outputs, found.inputs
    texts = [[""] * width for _ in range(height)]
    fills: dict[Place, str] = {}
    for row, line in enumerate(layer.entries()):
        for column, weight in line:
            texts[row][column] = labels[weight - 1]
            fills[row, column] = _shade(weight - 1, found.weights)
    rows: Sequence[int | str] = output_names(layer)
    columns: Sequence[int | str] = range(1, width + 1)
    if transposed:
        texts = [list(column) for column in zip(*texts, strict=True)]
        fills = {(column, row): fill for (row, column), fill in fills.items()}
        rows, columns = columns, rows
        height, width = width, height
    side = 30.0 if width <= 16 else 24.0 if width <= 28 else 20.0
    matrix = Grid(
        f"matrix {height}×{width}",
        tuple(map(tuple, texts)),
        numbers=(rows, columns),
        fill="padding",
        fills=fills,
        side=side,
        size=13.0 if side == 30 else 10.0,
    )
    panel = Panel(
        unrolled_title(layer),
        _lines(layer, transposed),
        ((*_inputs(layer), *_kernels(layer, labels)), (matrix,)),
    )
    return figure([panel], unrolled_title(layer))


def _inputs(layer: AnyUnrolled) -> list[Grid]:
    """The input's pixels, numbered like the matrix's columns."""
    width = layer.input_shape[-1]
    height = elements(layer.input_shape[1:-1])
    found = []
    for channel in range(layer.input_shape[0]):
        start = channel * width * height + 1
        rows = [
            tuple([str(start + row * width + column) for column in range(width)]) for row in range(height)
        ]
        heading = f"input, channel {channel + 1}" if layer.input_shape[0] > 1 else "input, numbered"
        found.append(Grid(heading, tuple(rows), side=26.0, size=11.0))
    return found


def _kernels(layer: AnyUnrolled, labels: Sequence[str]) -> list[Grid]:
    """The kernels in the colours of the matrix: its legend."""
    width, size = layer.kernel[-1], elements(layer.kernel)
    found = []
    for output in range(layer.filters):
        for channel in range(layer.depth):
            start = layer.kernel_start(output, channel)
            rows = [tuple(labels[start + i : start + i + width]) for i in range(0, size, width)]
            fills = {
                (place // width, place % width): _shade(start + place, len(labels)) for place in range(size)
            }
            heading = "kernel" if layer.filters == 1 else f"kernel {output + 1}"
            heading += f", channel {channel + 1}" if layer.depth > 1 else ""
            found.append(Grid(heading, tuple(rows), fills=fills, side=26.0, size=12.0))
    return found


def _density(layer: AnyUnrolled, transposed: bool) -> Scene:
    found = layer.counts
    height, width = (found.inputs, found.outputs) if transposed else (found.outputs, found.inputs)
    factor = min(1.0, MAX_PIXELS / max(height, width))
    tall, wide = max(1, round(height * factor)), max(1, round(width * factor))
    bins = [0] * (tall * wide)
    across = [column * (tall if transposed else wide) // found.inputs for column in range(found.inputs)]
    for row, line in enumerate(layer.entries()):
        at = row * (wide if transposed else tall) // found.outputs
        if transposed:
            for column, _ in line:
                bins[across[column] * wide + at] += 1
        else:
            start = at * wide
            for column, _ in line:
                bins[start + across[column]] += 1
    high = [_members(place, tall, height) for place in range(tall)]
    broad = [_members(place, wide, width) for place in range(wide)]
    shares = tuple([bins[i * wide + j] / (high[i] * broad[j]) for i in range(tall) for j in range(wide)])
    names = ("outputs, map by map", "inputs, channel by channel")
    parts = (layer.output_shape[0], layer.input_shape[0])
    if transposed:
        names, parts = (names[1], names[0]), (parts[1], parts[0])
    kept = tuple([count if count <= MAX_PARTS else 1 for count in parts])
    return density_scene(
        Density(
            unrolled_title(layer),
            _lines(layer, transposed),
            height,
            width,
            wide,
            tall,
            shares,
            names[1],
            names[0],
            (kept[0], kept[1]),
        )
    )


def _members(place: int, places: int, size: int) -> int:
    """How many of `size` rows or columns fall into a pixel."""
    return -(-(place + 1) * size // places) - -(-place * size // places)
