"""`matrix --backward`: the transposed matrix, and the gradients it gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from convcalc.errors import UsageError
from convcalc.layer.symbols import Notation
from convcalc.layer.transposed import Transposed
from convcalc.ops import Tensor
from convcalc.render import blocks
from convcalc.render.layout import Line, TextSpan, wrap
from convcalc.render.table import Table
from convcalc.report import words
from convcalc.report.apply import _planes, _tensor_value
from convcalc.report.backward import tensor_csv, tensor_table
from convcalc.report.backward_blocks import drawn, tensor_blocks
from convcalc.report.matrix import (
    MAX_COLUMNS,
    MAX_ROWS,
    ZERO,
    _inputs,
    _kernels,
    colour,
    unrolled_table,
    unrolled_value,
)
from convcalc.shapes import show

OF_INPUT = "gradient of the input: the transposed matrix times δ"
OF_KERNEL = "gradient of the kernel: of each weight, δ times input summed over its places in the matrix"
TOO_LARGE = "the matrix is too large to multiply its gradients out"
BY_APPLY = "convcalc apply --backward gives those of larger inputs"


def transposed_summary(found: Transposed) -> str:
    """`Transposed matrix 16×9`."""
    counts = found.layer.counts
    name = f" of {found.layer.name}" if found.layer.name else ""
    return f"Transposed matrix{name} {counts.inputs:,}×{counts.outputs:,}"


def transposed_table(found: Transposed) -> Table:
    """The layer's counts, under a heading that says what is shown of it."""
    layer = found.layer
    counts = layer.counts
    operator = words.operator(layer.op).replace(" no bias", "")
    shapes = f"{show(layer.output_shape)} → {show(layer.input_shape)}"
    return unrolled_table(layer)._replace(
        title=" ".join(filter(None, (layer.name, operator, "backward, by the transposed matrix"))),
        subtitle=f"δ {shapes}, a matrix of {counts.inputs:,}×{counts.outputs:,}",
        lines=[OF_INPUT, OF_KERNEL],
    )


def transposed_lines(found: Transposed, width: int | None, *, written: bool = False) -> Iterator[Line]:
    """The counts, the transposed matrix, and both gradients, where they are small."""
    layer = found.layer
    counts = layer.counts
    notation = Notation(layer.decimal)
    table = transposed_table(found)
    yield from ([TextSpan(part, "bold")] for part in wrap(f"{table.title}  {table.subtitle}", width))
    drawable = counts.inputs <= MAX_ROWS and counts.outputs <= MAX_COLUMNS
    if not drawable or found.input_gradient is None or found.kernel_gradient is None:
        if not written:
            text = "the matrix is too large to draw; --output FILE.svg, .png, .csv or .npz writes it"
            text += ", --format csv its gradients" if found.input_gradient is not None else ""
            yield from ([TextSpan(part)] for part in wrap(text, width))
        if found.input_gradient is None:
            yield from ([TextSpan(part)] for part in wrap(f"{TOO_LARGE}; {BY_APPLY}", width))
        return
    yield []
    names = layer.labels
    deltas = _planes("δ", found.gradient, notation)
    inputs = [block._replace(heading=block.heading.replace("column", "row")) for block in _inputs(layer)]
    yield from blocks.beside([*inputs, *_kernels(layer, names), *_numbered(found), *deltas], width)
    yield []
    rows, styles = [], {}
    for index, row in enumerate(found.rows):
        texts = [ZERO] * counts.outputs
        for column in range(counts.outputs):
            styles[index, column] = "bright_black"
        for column, weight in row:
            texts[column] = names[weight - 1]
            styles[index, column] = f"bold {colour(weight - 1, counts.weights)}"
        rows.append(texts)
    numbers = [f"x{number + 1}" for number in range(counts.inputs)]
    body = blocks.matrix("transposed matrix", rows, styles=styles, gap=1, rows_named=numbers)
    if width is not None and body.width > width:
        text = f"the matrix takes {body.width} columns; a wider terminal, a pipe or -o FILE shows it"
        yield from ([TextSpan(part)] for part in wrap(text, width))
    else:
        yield from blocks.beside([body], width)
    for key, heading, tensor in (
        ("input", OF_INPUT, found.input_gradient),
        ("weight", OF_KERNEL, found.kernel_gradient),
    ):
        yield []
        yield from ([TextSpan(part, "bold")] for part in wrap(heading, width))
        planes = tensor_blocks(heading.partition(":")[0], key, tensor, notation)
        single = len(planes) == 1 and (width is None or planes[0].width <= width)
        yield from planes[0].lines if single else drawn(planes, [tensor], width)


def _numbered(found: Transposed) -> list[blocks.TextBlock]:
    """The outputs, numbered as the transposed matrix's columns are."""
    shape = found.layer.output_shape
    size = found.layer.counts.outputs
    return [
        block._replace(heading=block.heading.replace("numbers", "outputs, by column"))
        for block in _planes("numbers", Tensor(shape, list(range(1, size + 1))), Notation())
    ]


def transposed_tables(found: Transposed) -> list[Table]:
    """A table for each gradient; the layer's counts where the matrix is too large to multiply out."""
    notation = Notation(found.layer.decimal)
    if found.input_gradient is None or found.kernel_gradient is None:
        return [transposed_table(found)._replace(lines=[TOO_LARGE])]
    return [
        tensor_table(OF_INPUT, found.input_gradient, notation),
        tensor_table(OF_KERNEL, found.kernel_gradient, notation),
    ]


def transposed_csv(found: Transposed) -> str:
    """A line per number, as of `apply --backward`. Raises UsageError where the matrix is too large to multiply out."""
    if found.input_gradient is None or found.kernel_gradient is None:
        raise UsageError(TOO_LARGE, hint=BY_APPLY)
    notation = Notation(found.layer.decimal)
    gradients = {"input": found.input_gradient, "weight": found.kernel_gradient}
    return "gradient,place,value\n" + "".join(
        f"{line}\n" for key, tensor in gradients.items() for line in tensor_csv(key, tensor, notation)
    )


def transposed_value(found: Transposed) -> dict[str, Any]:
    """`matrix --backward --format json`: matrix's keys, δ, the transposed matrix and the gradients."""
    layer = found.layer
    counts = layer.counts
    notation = Notation(layer.decimal)
    rows = None
    if found.input_gradient is not None:
        rows = []
        for row in found.rows:
            line = [0] * counts.outputs
            for column, weight in row:
                line[column] = weight
            rows.append(line)
    gradients = {
        name: None if tensor is None else {**_tensor_value(tensor, notation), "as": None}
        for name, tensor in (("input", found.input_gradient), ("weight", found.kernel_gradient))
    }
    return {
        **unrolled_value(layer),
        "transposed": rows,
        "gradient": _tensor_value(found.gradient, notation),
        "gradients": gradients,
    }
