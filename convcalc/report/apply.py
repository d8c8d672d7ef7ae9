"""`apply`: an operator's input, weights and output as matrices; each step of its window; the JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any

from convcalc.layer.apply import Application
from convcalc.layer.matrices import Matrix
from convcalc.layer.steps import AnyStep, Placement, Scattering
from convcalc.layer.symbols import Expression, Notation
from convcalc.layer.typed_input import Applied
from convcalc.ops import Pooling, Tensor
from convcalc.render import blocks
from convcalc.render.layout import Line, TextSpan, note_lines, wrap
from convcalc.render.table import Column, Note, Table, notes
from convcalc.report import words
from convcalc.report.values import CONVENTIONS
from convcalc.shapes import elements, show

MAX_CELLS = 2_000  # of a matrix on a terminal; piped output is complete
PENDING = "·"
MEANINGS = {
    "correlation": "each result stands for the pixel under the kernel's first weight",
    "convolution": "the kernel is turned by 180°; each result stands for the pixel under its end",
    "centred": "the kernel is turned by 180°; each result stands for the pixel under its middle",
}
ERRATUM = (
    "The lecture prints K[m/2 + a, n/2 + b] with a from ⌊−m/2⌋ to ⌊m/2⌋. For odd m the lower bound is one too low; "
    "the indices are whole with ⌊m/2⌋ and −⌊m/2⌋. For even m the upper bound is one too high."
)


def title(application: Application) -> str:
    """`maxpool F2 S2: 4×4 → 2×2`."""
    op = application.op
    named = ", ".join(application.names)
    operator = words.operator(op).replace(" no bias", "")
    name = f"{named} ({operator})" if named else operator
    return f"{name}: {size_text(application.source)} → {size_text(application.output)}"


def applied_summary(applied: Applied) -> str:
    """`Applied maxpool F2 S2: 4×4 → 2×2`."""
    return f"Applied {title(applied.applications[0])}"


def applied_lines(applied: Applied, width: int | None, *, steps: bool = True) -> Iterator[Line]:
    """The animation's steps, if they were asked for, then the matrices side by side, mode by mode.

    steps: False if the steps have been shown already.
    """
    for frames in animations(applied, width) if steps else ():
        for frame in frames:
            yield from frame
    for number, application in enumerate(applied.applications):
        if number:
            yield []
        yield from application_lines(application, applied.notation, width, mode_shown=applied.mode_shown)


def applied_tables(applied: Applied) -> list[Table]:
    """One table per mode."""
    return [
        application_table(application, applied.notation, mode_shown=applied.mode_shown)
        for application in applied.applications
    ]


def applied_value(applied: Applied) -> dict[str, Any]:
    """JSON of `apply`: one object, or with --mode all one per mode."""
    steps = applied.steps or ((),) * len(applied.applications)
    values = [
        application_value(application, applied.notation, placements)
        for application, placements in zip(applied.applications, steps, strict=True)
    ]
    return values[0] if len(values) == 1 else {"modes": values}


def applied_csv(applied: Applied) -> str:
    """The output's numbers as CSV that `apply` can read again."""
    return "\n".join(matrix_csv(application.output, applied.notation) for application in applied.applications)


def size_text(tensor: Tensor) -> str:
    """The sides of a tensor; with channels first if it has several channels."""
    spatial = tensor.shape[1:]
    return show(tensor.shape if tensor.shape[0] > 1 or not spatial else spatial)


def application_lines(
    application: Application, notation: Notation, width: int | None, *, mode_shown: bool = False
) -> list[Line]:
    """Title, formula, and the matrices side by side."""
    lines: list[Line] = [[TextSpan(title(application), "bold")]]
    if mode_shown:
        lines += [[TextSpan(part)] for text in mode_words(application) for part in wrap(text, width)]
    largest = max(elements(application.source.shape), elements(application.output.shape))
    if width is not None and largest > MAX_CELLS:
        return [
            *lines,
            [TextSpan(f"{largest:,} numbers are too many to draw; --format csv or -o FILE.csv has them")],
        ]
    lines.append([])
    sources = _planes("input", application.source, notation)
    kernels = _kernels(application, notation)
    numbers = numbers_of(application) if mode_shown else None
    outputs = _planes("output", application.output, notation, numbers, application.names)
    lines += blocks.beside([*sources, *kernels, *outputs], width)
    lines += [[TextSpan(part)] for part in wrap(advice(application), width) if part]
    for note in mode_notes(application) if mode_shown else ():
        lines += note_lines(Note(note), width)
    return lines


def mode_words(application: Application) -> list[str]:
    """The mode's formula, and the pixel that each result stands for."""
    what = MEANINGS[application.mode]
    lines = [f"{application.mode}: {application.formula}{_ranges(application)}", what]
    first = application.first_pixel()
    if first is not None and any(place < 0 for place in first):
        lines.append("pixels are counted from 0; negative ones lie in the padding")
    return lines


def advice(application: Application) -> str:
    """A hint if an operator over channels was given a single channel, which makes little sense; else ""."""
    if not application.along_one_channel:
        return ""
    kind = application.op.kind
    return (
        f"{kind} works along the channels, and here is one; channels have | between them, a vector is one row"
    )


def mode_notes(application: Application) -> tuple[str, ...]:
    """Errata of the lecture's formula for this mode."""
    return (ERRATUM,) if application.mode == "centred" else ()


def _ranges(application: Application) -> str:
    """`, a and b from −1 to 1`: the index ranges of the centred formula, whose indices do not start at 0."""
    if application.mode != "centred" or not application.axes:
        return ""
    lows = [-(axis.kernel // 2) for axis in application.axes]
    ranges = [
        f"from {words.number(low)} to {words.number(low + axis.kernel - 1)}"
        for low, axis in zip(lows, application.axes, strict=True)
    ]
    if len(set(ranges)) == 1:
        return f", {' and '.join('abc'[: len(ranges)])} {ranges[0]}"
    return "".join(f", {index} {text}" for index, text in zip("abc", ranges, strict=False))


def numbers_of(application: Application) -> tuple[Sequence[int], Sequence[int]] | None:
    """The pixel numbers that label the output's rows and columns."""
    first, axes = application.first_pixel(), application.axes
    if first is None or len(axes) > 2:
        return None
    numbers = [
        range(start, start + axis.output * axis.stride, axis.stride)
        for start, axis in zip(first, axes, strict=True)
    ]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else ((), numbers[0])


def _planes(
    what: str,
    tensor: Tensor,
    notation: Notation,
    numbers: tuple[Sequence[int], Sequence[int]] | None = None,
    names: Sequence[str] = (),
) -> list[blocks.TextBlock]:
    """One block per channel. names: the filters that produced them."""
    planes = plane_rows(tensor)
    word = "map" if what == "output" else f"{what}, channel"
    result = []
    for index, rows in enumerate(planes, 1):
        heading = f"{word} {index}" if len(planes) > 1 else what
        if len(names) == len(planes) > 1:
            heading += f", {names[index - 1]}"
        texts = [[notation(value) for value in row] for row in rows]
        result.append(blocks.matrix(heading, texts, numbers=numbers, left=_letters(tensor)))
    return result


def _letters(tensor: Tensor) -> bool:
    """Whether the tensor holds letters, which are aligned to the left."""
    return any(isinstance(value, Expression) for value in tensor.values)


def plane_rows(tensor: Tensor) -> list[list[list[Any]]]:
    """Planes of rows. A signal or a vector is one row; the slices of a volume follow one another."""
    shape = tensor.shape
    if len(shape) == 1:
        return [[list(tensor.values)]]
    width = shape[-1]
    height = elements(shape[1:-1]) if len(shape) > 2 else 1
    rows = [list(tensor.values[i : i + width]) for i in range(0, len(tensor.values), width)]
    return [rows[i : i + height] for i in range(0, len(rows), height)]


def _kernels(application: Application, notation: Notation, only: int | None = None) -> list[blocks.TextBlock]:
    """The filters' planes, each followed by its turned plane if the mode turns it, and the biases. only: the number
    of the one filter to show, without biases."""
    result = []
    several = len(application.filters) > 1
    for index, matrix in enumerate(application.filters):
        if only not in (None, index):
            continue
        name = application.names[index] if index < len(application.names) else "weights"
        name = f"filter {index + 1}" if several and not application.names else name
        for channel, plane in enumerate(matrix.planes, 1):
            heading = f"{name}, channel {channel}" if len(matrix.planes) > 1 else name
            result.append(_kernel(heading, plane, matrix, notation))
            if application.turned:
                turned = [list(row)[::-1] for row in plane][::-1]
                result.append(_kernel(f"{heading}, turned", turned, matrix, notation))
    if only is not None:
        return result
    if any(application.weights.get("bias", ())):
        result.append(blocks.matrix("bias", [[notation(value) for value in application.weights["bias"]]]))
    return result


def _kernel(
    heading: str, plane: Sequence[Sequence[Any]], matrix: Matrix, notation: Notation
) -> blocks.TextBlock:
    shown = Notation(matrix.decimal if matrix.decimal is not None else notation.decimal)
    return blocks.matrix(heading, [[shown(value) for value in row] for row in plane], left=matrix.letters)


# -- step by step ---------------------------------------------------------------------------------------------


def animations(applied: Applied, width: int | None) -> list[Iterator[list[Line]]]:
    """For each mode, the frames of its steps; [] if no steps were asked for."""
    return [
        _frames(application, placements, applied.notation, width)
        for application, placements in zip(applied.applications, applied.steps, strict=False)
    ]


def _frames(
    application: Application, placements: Sequence[AnyStep], notation: Notation, width: int | None
) -> Iterator[list[Line]]:
    """One frame per step: the input with the covered cells in brackets, the working, and the output so far."""
    if any(isinstance(step, Scattering) for step in placements):
        yield from _scattered(
            application, [step for step in placements if isinstance(step, Scattering)], notation, width
        )
        return
    total = elements(application.output.shape)
    output = [PENDING] * total
    letters = _letters(application.output)
    final = [notation(value) for value in application.output.values]
    widest = max(map(len, final))
    for number, step in enumerate(placements, 1):
        assert isinstance(step, Placement)
        output[number - 1] = final[number - 1]
        equation = f"{step.working} = {final[number - 1]}" if step.working else final[number - 1]
        made = plane_rows(Tensor(application.output.shape, output))[step.channel]
        place = (0, *step.position)[-2:] if len(step.position) < 3 else (0, 0)
        shown = [[cell.ljust(widest) if letters else cell.rjust(widest) for cell in row] for row in made]
        heading = f"map {step.channel + 1}" if application.output.shape[0] > 1 else "output"
        parts = [
            *_covered(application, step, notation),
            *_kernels(application, notation, step.channel),
            blocks.matrix(heading, shown, marked={(place[0], place[1])}, left=letters),
        ]
        label = f"step {number} of {total}  "
        first, *others = wrap(equation, width and max(20, width - len(label)))
        yield [
            [TextSpan(label, "dim"), TextSpan(first)],
            *([TextSpan(" " * len(label) + part.lstrip())] for part in others),
            *blocks.beside(parts, width),
            [],
        ]


def _scattered(
    application: Application, steps: Sequence[Scattering], notation: Notation, width: int | None
) -> Iterator[list[Line]]:
    """One frame per step of a deconvolution: the pixel in brackets, what it adds, and the output so far."""
    shape = application.output.shape
    letters = _letters(application.output)
    widest = max(len(notation(value)) for step in steps for value in step.so_far)
    planes = plane_rows(application.source)
    for number, step in enumerate(steps, 1):
        rows = plane_rows(Tensor((1, *shape[1:]), step.so_far))[0]
        shown = [
            [
                text.ljust(widest) if letters else text.rjust(widest)
                for text in [notation(value) for value in row]
            ]
            for row in rows
        ]
        cells = {(0, *cell)[-2:] for cell in step.written}
        marked = {(i, j) for i, j in cells if 0 <= i < len(rows) and 0 <= j < len(rows[0])}
        here = (0, *step.position)[-2:]
        sources = [
            blocks.matrix(
                f"input, channel {channel + 1}" if len(planes) > 1 else "input",
                [[notation(value) for value in row] for row in planes[channel]],
                marked={(here[0], here[1])},
            )
            for channel in step.channels
        ]
        heading = f"map {step.channel + 1}" if shape[0] > 1 else "output"
        parts = [
            *sources,
            *_kernels(application, notation, step.channel),
            blocks.matrix(heading, shown, marked=marked, left=letters),
        ]
        label = f"step {number} of {len(steps)}  "
        first, *others = wrap(added_text(step, notation), width and max(20, width - len(label)))
        yield [
            [TextSpan(label, "dim"), TextSpan(first)],
            *([TextSpan(" " * len(label) + part.lstrip())] for part in others),
            *blocks.beside(parts, width),
            [],
        ]


def added_text(step: Scattering, notation: Notation) -> str:
    """`adds 2·1, 2·2, 2·3, 2·4`."""
    return f"adds {step.working or ', '.join([notation(value) for value in step.added])}"


def _covered(application: Application, step: Placement, notation: Notation) -> list[blocks.TextBlock]:
    """The channels that the step reads, with their padding, the covered cells in brackets."""
    axes = application.axes
    planes = plane_rows(application.source)
    op = application.op
    fill = PENDING if isinstance(op, Pooling) and not op.counts_padding else "0"
    spans = [
        range(
            -axis.before,
            max(axis.size + axis.after, (axis.output - 1) * axis.stride + axis.extent - axis.before),
        )
        for axis in axes
    ]
    if len(axes) == 1:
        spans = [range(1), *spans]
    covered = {(0, *cell)[-2:] for cell in step.covered}
    result = []
    for channel in step.channels:
        rows, styles, marked = [], {}, set()
        for i, row in enumerate(spans[0]):
            texts = []
            for j, column in enumerate(spans[1]):
                real = 0 <= row < len(planes[channel]) and 0 <= column < len(planes[channel][0])
                texts.append(notation(planes[channel][row][column]) if real else fill)
                if not real:
                    styles[i, j] = "dim"
                if (row, column) in covered:
                    marked.add((i, j))
            rows.append(texts)
        heading = f"input, channel {channel + 1}" if len(planes) > 1 else "input"
        result.append(blocks.matrix(heading, rows, marked=marked, styles=styles))
    return result


# -- for programs and documents -----------------------------------------------------------------------------


def application_table(application: Application, notation: Notation, *, mode_shown: bool = False) -> Table:
    """The output as a table with one row per row and one column per column; maps follow one another."""
    planes = plane_rows(application.output)
    width = len(planes[0][0])
    several = len(planes) > 1
    numbers = numbers_of(application) if mode_shown else None
    rows = [(index, row, values) for index, plane in enumerate(planes, 1) for row, values in enumerate(plane)]
    columns = [Column("map", "map", lambda row: row[0])] if several else []
    if numbers and numbers[0]:
        columns.append(Column("row", "i \\ j", lambda row: numbers[0][row[1]], right=True))

    def column(place: int) -> Column:
        header = numbers[1][place] if numbers else place + 1
        return Column(str(place), str(header), lambda row: notation(row[2][place]), right=True)

    columns += map(column, range(width))
    return Table(
        columns=columns,
        rows=rows,
        title=title(application),
        lines=[*(mode_words(application) if mode_shown else ()), *filter(None, [advice(application)])],
        notes=notes(mode_notes(application)) if mode_shown else (),
    )


def matrix_csv(tensor: Tensor, notation: Notation) -> str:
    """The numbers as CSV that `apply` can read again: one line per row, an empty line between maps."""
    texts = [
        "\n".join(",".join(notation.typed(value) for value in row) for row in plane)
        for plane in plane_rows(tensor)
    ]
    return "\n\n".join(texts) + "\n"


def application_value(
    application: Application, notation: Notation, steps: Sequence[AnyStep] = ()
) -> dict[str, Any]:
    """JSON of one application. Numbers are numbers; letters and endless fractions stand beside them as text."""
    op = application.op
    value: dict[str, Any] = {
        "operator": op.kind,
        "conventions": CONVENTIONS,
        "fields": op.shown_fields(),
        "filters": list(application.names) or None,
        "mode": application.mode if application.has_modes else None,
        "formula": application.formula if application.has_modes else None,
        "notes": list(mode_notes(application)),
        "input": _tensor_value(application.source, notation),
        "weights": {
            name: [_plain(value) for value in values] for name, values in application.weights.items()
        },
        "output": {
            **_tensor_value(application.output, notation),
            "first_pixel": list(application.first_pixel() or ()) or None,
        },
    }
    if steps:
        value["steps"] = [_step_value(step, notation) for step in steps]
    return value


def _step_value(step: AnyStep, notation: Notation) -> dict[str, Any]:
    common = {
        "channel": step.channel,
        "position": list(step.position),
        "input_channels": list(step.channels),
    }
    if isinstance(step, Scattering):
        return {
            **common,
            "written": [list(cell) for cell in step.written],
            "working": step.working or ", ".join([notation(value) for value in step.added]),
            "added": [_plain(value) for value in step.added],
        }
    return {
        **common,
        "covered": [list(cell) for cell in step.covered],
        "working": step.working or notation(step.value),
        "value": _plain(step.value),
    }


def _tensor_value(tensor: Tensor, notation: Notation) -> dict[str, Any]:
    return {
        "shape": list(tensor.shape),
        "values": _nested(tensor.shape, [_plain(value) for value in tensor.values]),
        "text": _nested(tensor.shape, [notation(value) for value in tensor.values]),
    }


def _nested(shape: Sequence[int], values: Sequence[Any]) -> list[Any]:
    if len(shape) <= 1:
        return list(values)
    size = elements(tuple(shape[1:]))
    return [_nested(shape[1:], values[i : i + size]) for i in range(0, len(values), size)]


def _plain(value: Any) -> int | float | str | None:
    if isinstance(value, Expression):
        return Notation()(value)
    if isinstance(value, float):
        return value if isfinite(value) else None
    return int(value) if value == int(value) else float(value)
