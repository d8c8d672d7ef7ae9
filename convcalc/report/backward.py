"""`apply --backward`: the gradients, each beside the convolution that gives it; its steps; the JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from convcalc.layer.apply import Application
from convcalc.layer.backward import DELTA, IN_TRAINING, Backward, Move, Pass
from convcalc.layer.steps import Placement
from convcalc.layer.symbols import Notation
from convcalc.ops import Gradient, Tensor
from convcalc.render import blocks
from convcalc.render.layout import Line, TextSpan, wrap
from convcalc.render.table import Column, Table
from convcalc.report import words
from convcalc.report.apply import (
    MAX_CELLS,
    PENDING,
    _kernels,
    _letters,
    _nested,
    _plain,
    _planes,
    _rows,
    _tensor_value,
    application_value,
    mode_words,
    title,
)
from convcalc.shapes import Axis, compact, elements

NAMES = {"input": "input", "weight": "kernel", "bias": "bias"}


def backward_summary(backward: Backward) -> str:
    """`Backward pass of conv K1 F2: 3×4 → 2×3`."""
    return f"Backward pass of {title(backward.passes[0].application)}"


def name(done: Pass, key: str) -> str:
    """What a gradient is of: `input`, `kernel`, `weights` of what is no convolution, `bias`."""
    if key == "weight" and done.application.op.role != "convolution":
        return "weights"
    return NAMES.get(key, key)


# -- for people ------------------------------------------------------------------------------------------------


def backward_lines(backward: Backward, width: int | None, *, steps: bool = True) -> Iterator[Line]:
    """The steps, where they were asked for; then every pass, its gradients one under another.

    steps: False where they have been shown.
    """
    for frames in backward_animations(backward, width) if steps else ():
        for frame in frames:
            yield from frame
    for number, done in enumerate(backward.passes):
        if number:
            yield []
        yield from _pass_lines(done, backward, width)


def _pass_lines(done: Pass, backward: Backward, width: int | None) -> Iterator[Line]:
    application, notation = done.application, backward.notation
    yield [TextSpan(f"{title(application)}, backward", "bold")]
    if backward.mode_shown:
        yield from ([TextSpan(part)] for text in mode_words(application) for part in wrap(text, width))
    if done.training:
        yield [TextSpan(IN_TRAINING)]
    yield []
    known = [
        *_planes("input", application.source, notation),
        *_kernels(application, notation),
        *_planes("output", application.output, notation),
        *_deltas(done.gradient, notation),
    ]
    yield from drawn(known, [application.source, application.output], width)
    for key, gradient in done.gradients.items():
        yield []
        heading = f"gradient of the {name(done, key)}: {gradient.how}"
        yield from ([TextSpan(part, "bold")] for part in wrap(heading, width))
        yield from ([TextSpan(part)] for part in wrap(_detail(key, gradient), width) if part)
        by = done.convolutions.get(key)
        shown = [gradient.tensor]
        parts: list[blocks.TextBlock] = []
        if by is not None:
            parts = [*_source_blocks(key, by, notation), *_kernel_blocks(done, key, by, notation)]
            shown.append(by.source)
        parts += _tensor_blocks(f"gradient of the {name(done, key)}", key, gradient.tensor, notation)
        if len(parts) == 1 and (width is None or parts[0].width <= width):  # the heading has said it
            yield from parts[0].lines
        else:
            yield from drawn(parts, shown, width)
    for key, tensor in done.updated.items():
        yield []
        what = name(done, key)
        rate = notation(backward.rate)
        yield [TextSpan(f"new {what} at rate {rate}: {what} − {rate} · its gradient", "bold")]
        yield from drawn(_tensor_blocks(f"new {what}", key, tensor, notation), [tensor], width)


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


def _deltas(gradient: Tensor, notation: Notation) -> list[blocks.TextBlock]:
    """δ, a block per map."""
    return [
        block._replace(heading=block.heading.replace(", channel", ", map"))
        for block in _planes(DELTA, gradient, notation)
    ]


def _tensor_blocks(what: str, key: str, tensor: Tensor, notation: Notation) -> list[blocks.TextBlock]:
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


def _detail(key: str, gradient: Gradient) -> str:
    """`δ padded by 1 on every side, 1 zero between its values`."""
    if gradient.by is None:
        return ""
    axes = gradient.by.axes
    what = DELTA if key == "input" else "the input"
    parts = [f"{what} padded by {_padding(axes)}"] if any(axis.before or axis.after for axis in axes) else []
    if any(gradient.by.between):
        zeros = _each([words.plural(count, "zero") for count in gradient.by.between])
        parts.append(f"{zeros} between its values, for the stride")
    if any(axis.stride > 1 for axis in axes):
        parts.append(f"moved by {_each([str(axis.stride) for axis in axes])}, for the dilation")
    if any(axis.dilation > 1 for axis in axes):
        spread = _each([str(axis.dilation) for axis in axes])
        parts.append(
            f"the kernel's values {spread} apart"
            if key == "input"
            else f"δ's values {spread} apart, for the stride"
        )
    return ", ".join(parts)


def _padding(axes: Sequence[Axis]) -> str:
    pairs = {(axis.before, axis.after) for axis in axes}
    before, after = next(iter(pairs))
    if len(pairs) == 1 and before == after:
        return f"{before} on every side"
    return " and ".join(f"{axis.before} + {axis.after}" for axis in axes)


def _each(texts: Sequence[str]) -> str:
    return texts[0] if len(set(texts)) == 1 else "×".join(texts)


def _source_blocks(
    key: str, by: Application, notation: Notation, step: Placement | None = None
) -> list[blocks.TextBlock]:
    """What a gradient's convolution reads, padding laid around; of a step, the channels under it and its window."""
    axes = by.axes
    planes = _rows(by.source)
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


def _kernel_blocks(
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


# -- step by step ----------------------------------------------------------------------------------------------


def backward_animations(backward: Backward, width: int | None) -> list[Iterator[list[Line]]]:
    """For every pass and gradient the frames of its steps, where steps were asked for."""
    found = []
    for done in backward.passes:
        for key, placements in done.steps.items():
            found.append(_frames(done, key, placements, backward.notation, width))
        if done.moves:
            found.append(_move_frames(done, done.moves, backward.notation, width))
    return found


def _frames(
    done: Pass, key: str, placements: Sequence[Placement], notation: Notation, width: int | None
) -> Iterator[list[Line]]:
    """Per step of a gradient's convolution: what it reads with the window on it, its kernel, and the output so far."""
    by = done.convolutions[key]
    total = len(placements)
    final = [notation(value) for value in by.output.values]
    made = [PENDING] * len(final)
    letters = _letters(by.output)
    widest = max(map(len, final))
    for number, step in enumerate(placements, 1):
        made[number - 1] = final[number - 1]
        rows = _rows(Tensor(by.output.shape, made))[step.channel]
        rows = [[cell.ljust(widest) if letters else cell.rjust(widest) for cell in row] for row in rows]
        place = (0, *step.position)[-2:]
        heading = f"gradient of the {name(done, key)}"
        heading += f", {_place(done, key, step.channel)}" if by.output.shape[0] > 1 else ""
        parts = [
            *_source_blocks(key, by, notation, step),
            *_kernel_blocks(done, key, by, notation, step.channel),
            blocks.matrix(heading, rows, marked={(place[0], place[1])}, left=letters),
        ]
        equation = f"{step.working} = {final[number - 1]}" if step.working else final[number - 1]
        yield _frame(f"gradient of the {name(done, key)}, step {number} of {total}  ", equation, parts, width)


def _frame(label: str, text: str, parts: Sequence[blocks.TextBlock], width: int | None) -> list[Line]:
    first, *others = wrap(text, width and max(20, width - len(label))) or [""]
    return [
        [TextSpan(label, "dim"), TextSpan(first)],
        *([TextSpan(" " * len(label) + part.lstrip())] for part in others),
        *blocks.beside(parts, width),
        [],
    ]


def _place(done: Pass, key: str, index: int) -> str:
    """Which channel of the input, or which filter and channel of the kernel, a map of a convolution's output is."""
    if key == "input":
        return f"channel {index + 1}"
    groups = getattr(done.application.op, "groups", 1)
    filters = done.application.output.shape[0] // groups
    depth = done.application.source.shape[0] // groups
    channel, place = divmod(index, filters)
    return f"filter {channel // depth * filters + place + 1}, channel {channel % depth + 1}"


def _move_frames(
    done: Pass, moves: Sequence[Move], notation: Notation, width: int | None
) -> Iterator[list[Line]]:
    """Per δ of a pool: the input with its window, and the gradient so far."""
    source = done.application.source
    gradient = done.gradients["input"].tensor
    so_far: list[Any] = [0] * len(gradient.values)
    widest = max(len(notation(value)) for value in gradient.values)
    for number, move in enumerate(moves, 1):
        so_far = [before + added for before, added in zip(so_far, move.share.values, strict=True)]
        step = move.placement
        rows = _rows(source)[step.channel]
        covered = {(0, *cell)[-2:] for cell in step.covered}
        inside = {(i, j) for i, j in covered if 0 <= i < len(rows) and 0 <= j < len(rows[0])}
        texts = [[notation(value) for value in row] for row in rows]
        shares = _rows(move.share)[step.channel]
        hit = {
            (i, j)
            for i, row in enumerate(shares)
            for j, value in enumerate(row)
            if (i, j) in inside and value != 0
        }
        grown = [
            [notation(value).rjust(widest) for value in row]
            for row in _rows(Tensor(source.shape, so_far))[step.channel]
        ]
        channel = f", channel {step.channel + 1}" if source.shape[0] > 1 else ""
        parts = [
            blocks.matrix(f"input{channel}", texts, marked=inside),
            blocks.matrix(f"gradient of the input{channel}", grown, marked=hit),
        ]
        text = notation(move.delta)
        if len(hit) == 1:
            i, j = next(iter(hit))
            text += f" goes to the {notation(rows[i][j])}"
        elif hit:
            i, j = min(hit)
            text = f"{notation(shares[i][j])} goes to each of {len(hit)} values"
        yield _frame(f"step {number} of {len(moves)}  ", text, parts, width)


# -- for programs and documents --------------------------------------------------------------------------------


def backward_tables(backward: Backward) -> list[Table]:
    """A table for each gradient and each new parameter: a row per row, a column per column."""
    tables = []
    for done in backward.passes:
        mode = f"{done.application.mode}: " if backward.mode_shown else ""
        for key, gradient in done.gradients.items():
            text = f"{mode}gradient of the {name(done, key)}: {gradient.how}"
            tables.append(_table(text, gradient.tensor, backward.notation))
        for key, tensor in done.updated.items():
            text = f"{mode}new {name(done, key)} at rate {backward.notation(backward.rate)}"
            tables.append(_table(text, tensor, backward.notation))
    return tables


def _table(text: str, tensor: Tensor, notation: Notation) -> Table:
    lead = tensor.shape[: max(0, len(tensor.shape) - 2)]
    flat = Tensor((1, *tensor.shape), tensor.values) if len(tensor.shape) == 2 else tensor
    if len(tensor.shape) > 3:
        flat = Tensor((elements(tensor.shape[:-2]), *tensor.shape[-2:]), tensor.values)
    planes = _rows(flat)
    rows = [(index, values) for index, plane in enumerate(planes, 1) for values in plane]
    columns = [Column("map", "map", lambda row: row[0])] if elements(lead) > 1 else []

    def column(place: int) -> Column:
        return Column(str(place), str(place + 1), lambda row: notation(row[1][place]), right=True)

    columns += map(column, range(len(planes[0][0])))
    return Table(columns=columns, rows=rows, title=text)


def backward_csv(backward: Backward) -> str:
    """A line per number: what it is, its place counted from 1, its value."""
    lines = ["mode,gradient,place,value" if backward.mode_shown else "gradient,place,value"]
    for done in backward.passes:
        mode = f"{done.application.mode}," if backward.mode_shown else ""
        tensors = {key: gradient.tensor for key, gradient in done.gradients.items()}
        tensors |= {f"new {key}": tensor for key, tensor in done.updated.items()}
        for key, tensor in tensors.items():
            for number, value in enumerate(tensor.values):
                lines.append(f"{mode}{key},{_index(tensor.shape, number)},{backward.notation.typed(value)}")
    return "\n".join(lines) + "\n"


def _index(shape: Sequence[int], number: int) -> str:
    """`1.2.3` of a flat number: the place on each axis, counted from 1."""
    places = []
    for size in reversed(shape):
        number, place = divmod(number, size)
        places.append(str(place + 1))
    return ".".join(reversed(places))


def backward_value(backward: Backward) -> dict[str, Any]:
    """`apply --backward --format json`: of one mode, or of all three."""
    values = [_pass_value(done, backward) for done in backward.passes]
    return values[0] if len(values) == 1 else {"modes": values}


def _pass_value(done: Pass, backward: Backward) -> dict[str, Any]:
    notation = backward.notation
    value = {
        **application_value(done.application, notation),
        "training": done.training,
        "gradient": _tensor_value(done.gradient, notation),
        "gradients": {
            key: {**_tensor_value(gradient.tensor, notation), "as": as_value(gradient)}
            for key, gradient in done.gradients.items()
        },
        "rate": None if backward.rate is None else _plain(backward.rate),
        "updated": {key: _tensor_value(tensor, notation) for key, tensor in done.updated.items()} or None,
    }
    if done.steps:
        value["steps"] = [
            {
                "gradient": key,
                "channel": step.channel,
                "position": list(step.position),
                "covered": [list(cell) for cell in step.covered],
                "working": step.working or notation(step.value),
                "value": _plain(step.value),
            }
            for key, placements in done.steps.items()
            for step in placements
        ]
    if done.moves:
        value["steps"] = [
            {
                "gradient": "input",
                "channel": move.placement.channel,
                "position": list(move.placement.position),
                "covered": [list(cell) for cell in move.placement.covered],
                "working": notation(move.delta),
                "value": _nested(move.share.shape, [_plain(number) for number in move.share.values]),
            }
            for move in done.moves
        ]
    return value


def as_value(gradient: Gradient) -> dict[str, Any] | None:
    """The convolution that a gradient is; None where it is none. padding: pixels before and after each axis."""
    by = gradient.by
    if by is None:
        return None
    axes = by.axes
    return {
        "operation": gradient.how,
        "turned": "turned" in gradient.how,
        "stride": compact(tuple(axis.stride for axis in axes)),
        "padding": [[axis.before, axis.after] for axis in axes],
        "dilation": compact(tuple(axis.dilation for axis in axes)),
        "zeros_between": compact(by.between) if by.between else 0,
    }


def backward_file(backward: Backward, path: str) -> bytes:
    """`-o FILE.csv`: a line per number. Raises UsageError for another name."""
    from convcalc.errors import UsageError

    if not path.lower().endswith(".csv"):
        raise UsageError(f"-o {path}: gradients are written as .csv", hint="or print them with --format json")
    return backward_csv(backward).encode()
