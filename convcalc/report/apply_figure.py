"""`apply` as a figure: input, kernel and output as numbered cells, and each step of the window on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from convcalc.errors import UsageError
from convcalc.images.rasters import rasters
from convcalc.layer.apply import Application
from convcalc.layer.steps import Placement, Scattering
from convcalc.layer.symbols import Expression, Notation
from convcalc.layer.typed_input import Applied
from convcalc.ops import Pooling, Tensor
from convcalc.ops.conv import Conv
from convcalc.ops.deconv import Spread
from convcalc.render.drawing.animation import Animation
from convcalc.render.drawing.cells import (
    DONE,
    RESULT,
    WINDOW,
    Grid,
    Mark,
    Outline,
    Panel,
    Place,
    Step,
    animation,
    figure,
)
from convcalc.render.drawing.scene import Scene
from convcalc.report.apply import added_text, mode_words, numbers_of, plane_rows, size_text, title
from convcalc.shapes import elements

MAX_SIDE, MAX_CELLS = 32, 900  # of a matrix drawn as cells; a larger one is a picture
MAX_PLANES = 16  # matrices below one another
MAX_FRAMES, MAX_STRIP = 200, 60  # of an animation, and of a strip


def applied_scene(applied: Applied) -> Scene:
    """What was applied, mode by mode. Raises UsageError for what cannot be drawn."""
    panels = [
        _panel(application, applied.notation, mode_shown=applied.mode_shown)
        for application in applied.applications
    ]
    return figure(panels, title(applied.applications[0]))


def applied_animation(applied: Applied, most: int = MAX_FRAMES, delay: float | None = None) -> Animation:
    """The steps of what was applied, mode after mode. delay: seconds of a step. Raises UsageError for more than `most`
    steps, and for an input too large to be drawn as cells."""
    total = sum(map(len, applied.steps))
    if total > most:
        raise UsageError(
            f"{total:,} steps are more than a figure shows ({most})",
            hint="use a smaller input, a larger stride or fewer filters",
        )
    for application in applied.applications:
        for tensor in (application.source, application.output):
            if not _as_cells(tensor):
                raise UsageError(
                    f"{size_text(tensor)} is too large to be drawn as cells: at most {MAX_SIDE} by {MAX_SIDE}",
                    hint="use a smaller input",
                )
    panels = []
    for application, steps in zip(applied.applications, applied.steps, strict=True):
        windows = [step for step in steps if isinstance(step, Placement)]
        scattered = [step for step in steps if isinstance(step, Scattering)]
        panels.append(
            _scattered(application, scattered, applied.notation)
            if scattered
            else _stepped(application, windows, applied.notation, mode_shown=applied.mode_shown)
        )
    return animation(panels, f"{title(applied.applications[0])}, step by step", delay)


def _as_cells(tensor: Tensor) -> bool:
    rows = plane_rows(tensor)
    return all(len(plane) <= MAX_SIDE and len(plane[0]) <= MAX_SIDE for plane in rows) and (
        len(rows) * len(rows[0]) * len(rows[0][0]) <= MAX_CELLS and len(rows) <= MAX_PLANES
    )


# -- still --------------------------------------------------------------------------------------------------


def _panel(application: Application, notation: Notation, *, mode_shown: bool) -> Panel:
    numbers = numbers_of(application) if mode_shown else None
    source = _grids("input", application.source, notation)
    kernels = [
        grid for number in range(_filters(application)) for grid in _kernels(application, notation, number)
    ]
    result = _grids("output", application.output, notation, numbers, application.names)
    return _arranged(application, source, kernels, result, _lines(application, mode_shown))


def _arranged(
    application: Application,
    source: Sequence[Grid],
    kernels: Sequence[Grid],
    result: Sequence[Grid],
    lines: tuple[str, ...],
) -> Panel:
    """The matrices side by side; those of one row each below one another."""
    flat = all(len(grid.rows) == 1 and not grid.picture for grid in (*source, *kernels, *result))
    bias = application.weights.get("bias", ())
    if flat:
        return Panel(title(application), lines, ((*source, *kernels, *result),), aligned=True)
    columns = [tuple(source), tuple(kernels), tuple(result)] if kernels else [tuple(source), tuple(result)]
    star = isinstance(application.op, Conv) and not any(bias)
    return Panel(title(application), lines, tuple(columns), ("*", "=") if kernels and star else ("→", "→"))


def _lines(application: Application, mode_shown: bool) -> tuple[str, ...]:
    """The sum that a convolution computes, and the size worked out per axis."""
    lines = mode_words(application)[:2] if mode_shown else []
    if not mode_shown and application.has_modes:
        lines.append(application.formula)
    worked = application.op.working((application.source.shape,))
    lines += [f"{line.what}: {line.text}" for line in worked if line.what.startswith("output ")]
    return tuple(lines)


def _grids(
    what: str,
    tensor: Tensor,
    notation: Notation,
    numbers: tuple[Sequence[int], Sequence[int]] | None = None,
    names: Sequence[str] = (),
) -> list[Grid]:
    """One matrix per channel."""
    planes = plane_rows(tensor)
    size = "×".join(map(str, tensor.shape[1:] or tensor.shape))
    if len(planes) > MAX_PLANES:
        raise UsageError(
            f"{len(planes)} channels are more than a figure shows ({MAX_PLANES})", hint="use fewer channels"
        )
    pictures = None if _as_cells(tensor) else _pictures(tensor)
    found = []
    for index, rows in enumerate(planes):
        heading = f"{what} {size}"
        if len(planes) > 1:
            word = "map" if what == "output" else "channel"
            heading = f"{what} {word} {index + 1}" if index else f"{what} {len(planes)}×{size}, {word} 1"
        if len(names) == len(planes) > 1:
            heading += f", {names[index]}"
        if pictures is not None:
            values = [value for row in rows for value in row]
            below = f"black {notation(min(values))}, white {notation(max(values))}"
            found.append(Grid(heading, picture=pictures[index], below=below))
        else:
            texts = tuple([tuple([notation(value) for value in row]) for row in rows])
            found.append(Grid(heading, texts, numbers=numbers, fill=DONE if what == "output" else "paper"))
    return found


def _pictures(tensor: Tensor) -> list[Any]:
    shape = tensor.shape
    if len(shape) > 3 or any(isinstance(value, Expression) for value in tensor.values):
        raise UsageError(
            f"{elements(shape):,} letters or a volume are too much for a figure", hint="use .csv"
        )
    shape = (1, 1, *shape) if len(shape) == 1 else (shape[0], 1, shape[1]) if len(shape) == 2 else shape
    return [
        rasters(Tensor((1, *shape[1:]), tensor.values[start : start + size]), "stretch", colour=False)[0]
        for size in [elements(shape[1:])]
        for start in range(0, len(tensor.values), size)
    ]


def _filters(application: Application) -> int:
    return len(application.filters)


def _kernels(application: Application, notation: Notation, number: int) -> list[Grid]:
    """The planes of a filter, as the window uses them."""
    matrix = application.filters[number]
    several = len(application.filters) > 1
    name = application.names[number] if number < len(application.names) else "kernel"
    name = f"filter {number + 1}" if several and not application.names else name
    shown = Notation(matrix.decimal if matrix.decimal is not None else notation.decimal)
    size = f"{matrix.height}×{matrix.width}" if not matrix.signal else str(matrix.width)
    found = []
    for channel, plane in enumerate(matrix.planes, 1):
        rows = [list(row)[::-1] for row in plane][::-1] if application.turned else plane
        heading = f"{name} {size}" if len(matrix.planes) == 1 else f"{name} {size}, channel {channel}"
        heading += ", turned" if application.turned else ""
        below = ""
        bias = application.weights.get("bias", ())
        if channel == len(matrix.planes) and number < len(bias) and bias[number]:
            below = f"bias {notation(bias[number])}"
        texts = tuple([tuple([shown(value) for value in row]) for row in rows])
        found.append(Grid(heading, texts, below=below, fill=WINDOW))
    return found


# -- step by step -------------------------------------------------------------------------------------------


def _stepped(
    application: Application, placements: Sequence[Placement], notation: Notation, *, mode_shown: bool
) -> tuple[Panel, list[Step]]:
    """The figure before the first step, and its steps."""
    op = application.op
    spans = _spans(application)
    origin = (spans[0].start, spans[1].start)
    channels, depth = application.source.shape[0], len(placements[0].channels)
    source = [_padded(application, channel, spans, notation) for channel in range(channels)]
    flat = len(application.output.shape) == 2
    kernels: list[Grid] = []
    if isinstance(op, Conv):
        kernels = [_kernel_grid(application, place, depth, spans, flat) for place in range(depth)]
    result = [
        grid._replace(rows=tuple([("",) * len(row) for row in grid.rows]), fill="paper")
        for grid in _grids("output", application.output, notation, names=application.names)
    ]
    panel = _arranged(application, source, kernels, result, _lines(application, mode_shown))
    steps = []
    total = len(placements)
    for number, step in enumerate(placements, 1):
        marks: dict[int, Mapping[Place, Mark]] = {}
        outlines = []
        dilated = any(axis.dilation > 1 for axis in application.axes)
        weights = _weights(application, step.channel, depth, notation)
        cells = [
            (row - origin[0], column - origin[1])
            for row, column in [(0, *cell)[-2:] for cell in step.covered]
        ]
        for place, channel in enumerate(step.channels):
            rows = source[channel].rows
            covered = weights[place] if weights else [""] * len(cells)
            corners = [f"×{weight}" if weight else "" for weight in covered]
            marks[channel] = {
                cell: Mark(WINDOW, rows[cell[0]][cell[1]], corner)
                for cell, corner in zip(cells, corners, strict=True)
                if rows[cell[0]][cell[1]] or not isinstance(op, Pooling)
            }
            outlines.append(Outline(channel, cells[0], cells[-1], dilated))
            if kernels:
                at = cells if flat else _square(application)
                marks[len(source) + place] = {
                    cell: Mark(WINDOW, weight) for cell, weight in zip(at, covered, strict=True)
                }
        here = (0, *step.position)[-2:]
        text = notation(step.value)
        output = len(source) + len(kernels) + step.channel
        marks[output] = {(here[0], here[1]): Mark(RESULT, text)}
        done = {output: {(here[0], here[1]): Mark(DONE, text)}}
        working = f"{step.working} = {text}" if step.working else text
        steps.append(Step(f"step {number} of {total}", working, marks, done, tuple(outlines)))
    return panel, steps


def _spans(application: Application) -> tuple[range, range]:
    """The rows and columns that windows reach, padding included; pixels of the input are counted from 0."""
    spans = [
        range(
            -axis.before,
            max(axis.size + axis.after, (axis.output - 1) * axis.stride + axis.extent - axis.before),
        )
        for axis in application.axes
    ]
    return (spans[0], spans[1]) if len(spans) == 2 else (range(1), spans[0])


def _padded(application: Application, channel: int, spans: tuple[range, range], notation: Notation) -> Grid:
    """A channel of the input with its padding."""
    op = application.op
    fill = "" if isinstance(op, Pooling) and not op.counts_padding else "0"
    grid = _grids("input", application.source, notation)[channel]
    rows = plane_rows(application.source)[channel]
    faint: set[Place] = set()
    texts = []
    for i, row in enumerate(spans[0]):
        line = []
        for j, column in enumerate(spans[1]):
            real = 0 <= row < len(rows) and 0 <= column < len(rows[0])
            line.append(notation(rows[row][column]) if real else fill)
            if not real:
                faint.add((i, j))
        texts.append(tuple(line))
    heading = grid.heading + (" with padding" if faint else "")
    return Grid(heading, tuple(texts), frozenset(faint), cornered=isinstance(op, Conv))


def _square(application: Application) -> list[Place]:
    """The places of a kernel's weights in its own matrix."""
    height, width = (1, *[axis.kernel for axis in application.axes])[-2:]
    return [(i, j) for i in range(height) for j in range(width)]


def _kernel_grid(
    application: Application, place: int, depth: int, spans: tuple[range, range], flat: bool
) -> Grid:
    """A plane of the kernel, empty: every step writes that of its filter. For a signal it lies below the window."""
    names = application.names
    name = names[0] if len(names) == 1 else "kernel"
    kernels = [axis.kernel for axis in application.axes]
    heading = f"{name} {'×'.join(map(str, kernels))}" + (f", channel {place + 1}" if depth > 1 else "")
    heading += ", turned" if application.turned else ""
    if flat:
        return Grid(heading, (("",) * len(spans[1]),), hidden=True)
    height, width = kernels
    return Grid(heading, (("",) * width,) * height)


def _weights(
    application: Application, channel: int, depth: int, notation: Notation
) -> list[list[str]] | None:
    """The weights of a filter by channel, as text."""
    if not isinstance(application.op, Conv):
        return None
    decimals = {matrix.decimal for matrix in application.filters}
    decimal = False if False in decimals else True if True in decimals else notation.decimal
    taps = 1
    for axis in application.axes:
        taps *= axis.kernel
    start = channel * taps * depth
    values = application.weights["weight"][start : start + taps * depth]
    texts = [Notation(decimal)(value) for value in values]
    return [texts[place * taps : (place + 1) * taps] for place in range(depth)]


# -- a deconvolution ----------------------------------------------------------------------------------------


def _scattered(
    application: Application, steps: Sequence[Scattering], notation: Notation
) -> tuple[Panel, list[Step]]:
    """The empty output, and for each pixel of the input what it adds there."""
    source = _grids("input", application.source, notation)
    spans = _written_spans(application, steps)
    origin = (spans[0].start, spans[1].start)
    shape = (1, *application.output.shape[1:])[-2:]
    depth = len(steps[0].channels)
    sizes = [axis.kernel for axis in application.op.axes((application.source.shape,))]
    kernels = [
        Grid(
            f"kernel {'×'.join(map(str, sizes))}" + (f", channel {place + 1}" if depth > 1 else ""),
            (("",) * sizes[-1],) * (1 if len(sizes) == 1 else sizes[0]),
        )
        for place in range(depth)
    ]
    result = []
    for grid in _grids("output", application.output, notation, names=application.names):
        places = [(i, j) for i in range(len(spans[0])) for j in range(len(spans[1]))]
        faint = frozenset(
            place
            for place in places
            if not all(0 <= at + start < size for at, start, size in zip(place, origin, shape, strict=True))
        )
        result.append(
            Grid(
                grid.heading + (" and what is cropped" if faint else ""),
                (("",) * len(spans[1]),) * len(spans[0]),
                faint,
                cornered=True,
            )
        )
    panel = _arranged(application, source, kernels, result, _lines(application, False))
    found = []
    axes = application.op.axes((application.source.shape,))
    dilated = any(isinstance(axis, Spread) and axis.dilation > 1 for axis in axes)
    for number, step in enumerate(steps, 1):
        marks: dict[int, Mapping[Place, Mark]] = {}
        here = (0, *step.position)[-2:]
        at = (here[0], here[1])
        for channel in step.channels:
            marks[channel] = {at: Mark(RESULT, source[channel].rows[at[0]][at[1]])}
        for place in range(depth):
            marks[len(source) + place] = _kernel_marks(application, step.channel, place, notation)
        rows = plane_rows(Tensor((1, *application.output.shape[1:]), step.so_far))[0]
        output = len(source) + len(kernels) + step.channel
        written: dict[Place, Mark] = {}
        done: dict[Place, Mark] = {}
        for cell, value in zip(step.written, step.added, strict=True):
            row, column = (0, *cell)[-2:]
            spot = (row - origin[0], column - origin[1])
            inside = 0 <= row < shape[0] and 0 <= column < shape[1]
            text = notation(rows[row][column]) if inside else ""
            plus = notation(value)
            written[spot] = Mark(WINDOW, text, plus if plus.startswith("−") else f"+{plus}")
            if inside:
                done[spot] = Mark(DONE, text)
        marks[output] = written
        spots = [*written]
        found.append(
            Step(
                f"step {number} of {len(steps)}",
                added_text(step, notation),
                marks,
                {output: done},
                (Outline(output, spots[0], spots[-1], dilated),),
            )
        )
    return panel, found


def _written_spans(application: Application, steps: Sequence[Scattering]) -> tuple[range, range]:
    """The rows and columns of the output and of what is cropped off it."""
    cells = [(0, *cell)[-2:] for step in steps for cell in step.written]
    height, width = (1, *application.output.shape[1:])[-2:]
    rows, columns = [row for row, _ in cells], [column for _, column in cells]
    return (
        range(min(0, *rows), max(height, max(rows) + 1)),
        range(min(0, *columns), max(width, max(columns) + 1)),
    )


def _kernel_marks(
    application: Application, channel: int, source: int, notation: Notation
) -> dict[Place, Mark]:
    """The kernel from a channel of the input to one of the output."""
    matrix = application.filters[min(channel, len(application.filters) - 1)]
    plane = matrix.planes[min(source % max(1, len(matrix.planes)), len(matrix.planes) - 1)]
    shown = Notation(matrix.decimal if matrix.decimal is not None else notation.decimal)
    return {(i, j): Mark(WINDOW, shown(value)) for i, row in enumerate(plane) for j, value in enumerate(row)}
