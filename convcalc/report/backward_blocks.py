"""The matrices of a backward pass, drawn: δ, what a gradient's convolution reads, its kernels, the gradient."""

from __future__ import annotations

import re
from collections.abc import Sequence

from convcalc.layer.apply import Application
from convcalc.layer.backward import DELTA, Pass
from convcalc.layer.steps import Placement
from convcalc.layer.symbols import Notation
from convcalc.ops import Tensor
from convcalc.render import blocks
from convcalc.render.layout import Line, TextSpan, wrap
from convcalc.report.apply import (
    MAX_CELLS,
    _letters,
    _planes,
    plane_rows,
)
from convcalc.shapes import elements

NAMES = {"input": "input", "weight": "kernel", "bias": "bias"}


def name(done: Pass, key: str) -> str:
    """What a gradient is of: `input`, `kernel`, `weights` of what is no convolution, `bias`."""
    if key == "weight" and done.application.op.role != "convolution":
        return "weights"
    return NAMES.get(key, key)


def drawn(matrices: Sequence[blocks.TextBlock], shown: Sequence[Tensor], width: int | None) -> list[Line]:
    """Blocks side by side, those too wide as lists, unless they hold more numbers than a terminal is given."""
    largest = max(elements(tensor.shape) for tensor in shown)
    if width is not None and largest > MAX_CELLS:
        text = f"{largest:,} numbers are too many to draw; --format csv or -o FILE.csv has them"
        return [[TextSpan(part)] for part in wrap(text, width)]
    lines: list[Line] = []
    narrow: list[blocks.TextBlock] = []
    for block in matrices:
        if width is not None and block.width > width and _is_listable(block):
            lines += [*blocks.beside(narrow, width), []] if narrow else []
            lines += _listed(block, width)
            narrow = []
        else:
            narrow.append(block)
    return lines + (blocks.beside(narrow, width) if narrow else [])


def _is_listable(block: blocks.TextBlock) -> bool:
    """Whether its cells are sums of letters, which can stand one under another."""
    return any(" + " in span.text for line in block.lines for span in line)


def _listed(block: blocks.TextBlock, width: int) -> list[Line]:
    """A matrix that is too wide: a line per cell, with its row and column."""
    lines: list[Line] = [[TextSpan(block.heading, "bold")]]
    for row, line in enumerate(block.lines, 1):
        cells = re.split(r" {2,}", "".join(span.text for span in line).strip())
        for column, text in enumerate(cells, 1):
            place = f"{row},{column}  "
            first, *others = wrap(text, width - len(place))
            lines.append([TextSpan(place, "dim"), TextSpan(first)])
            lines += [[TextSpan(" " * len(place) + part.lstrip())] for part in others]
    return lines


def delta_blocks(gradient: Tensor, notation: Notation) -> list[blocks.TextBlock]:
    """δ, a block per map."""
    return [
        block._replace(heading=block.heading.replace(", channel", ", map"))
        for block in _planes(DELTA, gradient, notation)
    ]


def tensor_blocks(what: str, key: str, tensor: Tensor, notation: Notation) -> list[blocks.TextBlock]:
    """A gradient's planes: of a kernel, those of each filter and channel; of a dense layer, one matrix."""
    shape = tensor.shape
    if key != "weight":
        return _planes(what, tensor, notation)
    if len(shape) == 1:
        return _planes(what, tensor, notation)
    if len(shape) == 2:
        return _planes(what, Tensor((1, *shape), tensor.values), notation)
    filters, depth = shape[:2]
    flat = Tensor((filters * depth, *shape[2:]), tensor.values)
    result = []
    for number, block in enumerate(_planes(what, flat, notation)):
        place = [f"filter {number // depth + 1}"] if filters > 1 else []
        place += [f"channel {number % depth + 1}"] if depth > 1 else []
        result.append(block._replace(heading=", ".join([what, *place])))
    return result


def source_blocks(
    key: str, by: Application, notation: Notation, step: Placement | None = None
) -> list[blocks.TextBlock]:
    """What a gradient's convolution reads, padding laid around; of a step, the channels under it and its window."""
    axes = by.axes
    planes = plane_rows(by.source)
    what, part = (DELTA, "map") if key == "input" else ("input", "channel")
    spans = [range(-axis.before, axis.size + axis.after) for axis in axes][-2:]
    if len(axes) == 1:
        spans = [range(1), *spans]
    covered = {(0, *cell)[-2:] for cell in step.covered} if step is not None else None
    result = []
    for channel in step.channels if step is not None else range(len(planes)):
        plane = planes[channel]
        rows, styles = [], {}
        for i, row in enumerate(spans[0]):
            texts = []
            for j, column in enumerate(spans[1]):
                real = 0 <= row < len(plane) and 0 <= column < len(plane[0])
                texts.append(notation(plane[row][column]) if real else "0")
                if not real:
                    styles[i, j] = "dim"
            rows.append(texts)
        marked = (
            None
            if covered is None
            else {(row - spans[0].start, column - spans[1].start) for row, column in covered}
        )
        heading = f"{what}, {part} {channel + 1}" if len(planes) > 1 else what
        result.append(blocks.matrix(heading, rows, styles=styles, marked=marked, left=_letters(by.source)))
    return result


def kernel_blocks(
    done: Pass, key: str, by: Application, notation: Notation, only: int | None = None
) -> list[blocks.TextBlock]:
    """The kernels of a gradient's convolution: the layer's, turned or as they are, or δ's maps."""
    result = []
    numbers = [done.application.source.shape[0], done.application.output.shape[0]]
    groups = getattr(done.application.op, "groups", 1)
    channels, filters = (number // groups for number in numbers)
    seen = set()
    source = done.gradients["input"].by
    word = "kernel turned" if source is not None and source.turned else "kernel"
    for index, matrix in enumerate(by.filters):
        if only not in (None, index):
            continue
        for place, plane in enumerate(matrix.planes):
            if key == "input":  # channel `index` of the input, under the filters of its group
                group = index // channels
                heading = [word]
                heading += [f"filter {group * filters + place + 1}"] if numbers[1] > 1 else []
                heading += [f"channel {index % channels + 1}"] if channels > 1 else []
            else:
                group = index // (channels * filters)
                number = group * filters + index % filters
                if only is None and number in seen:
                    continue
                seen.add(number)
                heading = [DELTA, *([f"map {number + 1}"] if numbers[1] > 1 else [])]
            texts = [[notation(value) for value in row] for row in plane]
            result.append(blocks.matrix(", ".join(heading), texts, left=matrix.letters))
    return result
