"""`size -o FILE`: the windows on the axes, what they leave out, and the formula; in a GIF the window moves."""

from __future__ import annotations

from collections.abc import Sequence

from convcalc.errors import UsageError
from convcalc.layer.size import SizedAxis, Sizing
from convcalc.layer.solutions import Solutions
from convcalc.render.drawing import files
from convcalc.render.drawing.animation import Animation
from convcalc.render.drawing.axis import (
    MISSED,
    AxisFigure,
    axis_animation,
    axis_scene,
    visible,
)
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
from convcalc.report.size import size_fields
from convcalc.report.size_drawing import is_read
from convcalc.shapes import Axis, show

SUFFIXES = (*files.SUFFIXES, ".gif")
MAX_GRID = 16  # rows and columns, padding included: a larger map is drawn axis by axis
MAX_FRAMES = 200


def size_suffix(path: str) -> str:
    """The suffix of a file's name. Raises UsageError if `size` cannot write such a file."""
    return files.suffix_of(path, SUFFIXES)


def size_file(sizing: Sizing, path: str) -> bytes:
    """The bytes of the file, as its suffix says."""
    suffix = size_suffix(path)
    if suffix == ".gif":
        return files.encoded_animation(size_animation(sizing), suffix)
    return files.encoded(size_scene(sizing), suffix)


def solutions_file(solutions: Solutions, path: str) -> bytes:
    """Raises UsageError: solutions are a list."""
    size_suffix(path)
    raise UsageError(
        f"-o {path}: a figure is of one size, not of the solutions for one",
        hint="-o is the file; leave --output out, and write the padding or stride that was found",
    )


def size_scene(sizing: Sizing) -> Scene:
    """The figure: a small map with its window, else an axis at a time."""
    title = _title(sizing)
    if _as_grid(sizing):
        panel, steps = _grid(sizing, DONE)
        return figure([panel], title, steps[0])
    return axis_scene(title, _lines(sizing), _figures(sizing))


def size_animation(sizing: Sizing) -> Animation:
    """The window at its positions."""
    title = _title(sizing)
    if _as_grid(sizing):
        panel, steps = _grid(sizing, "paper")
        if len(steps) <= MAX_FRAMES:
            return animation([(panel, steps)], title)
    return axis_animation(title, _lines(sizing), _figures(sizing))


def _title(sizing: Sizing) -> str:
    """`size 3×227×227 → 96×55×55`, channels first."""
    return f"size {show(sizing.input_shape)} → {show(sizing.output_shape)}"


def _lines(sizing: Sizing) -> list[str]:
    kind = "transposed, " if sizing.transposed else ""
    return [kind + ", ".join(size_fields(sizing))]


# -- axis by axis -------------------------------------------------------------------------------------------


def _figures(sizing: Sizing) -> list[AxisFigure]:
    """A figure for each axis that differs from those before."""
    names: dict[tuple[Axis, int], list[SizedAxis]] = {}
    for axis in sizing.axes:
        names.setdefault((axis.drawn, axis.window.size), []).append(axis)
    found = []
    for (window, size), axes in names.items():
        positions = size if sizing.transposed else window.output
        columns = [column for column in visible(window, positions) if column is not None]
        missed = tuple(
            [
                column
                for column in columns
                if window.before <= column < window.before + window.size
                and not is_read(window, positions, column)
            ]
        )
        heading = " and ".join(axis.name for axis in axes) if len(sizing.axes) > 1 else ""
        letter = "W" if len(axes) > 1 else axes[0].letter
        over, each, made = (
            ("output", "pixel", "input") if sizing.transposed else ("input", "window", "output")
        )
        label = "never written" if sizing.transposed else "never covered"
        steps = axes[0].steps(letter)
        found.append(
            AxisFigure(
                heading,
                window,
                positions,
                over,
                each,
                made,
                missed,
                label,
                tuple(
                    [(step.formula, step.text) for step in steps if step.formula.startswith(f"{letter}2 =")]
                ),
                tuple([f"{step.what}: {step.text}" for step in steps if step.what in ("remainder", "back")])
                + tuple([f"never covered: {step.text}" for step in steps if step.what == "never covered"]),
            )
        )
    return found


# -- a small map --------------------------------------------------------------------------------------------


def _as_grid(sizing: Sizing) -> bool:
    """Whether the input with its padding and the output are small maps."""
    return len(sizing.axes) == 2 and all(
        max(*_ends(axis), axis.window.output, axis.window.size) <= MAX_GRID for axis in sizing.axes
    )


def _ends(axis: SizedAxis) -> tuple[int, int]:
    """The padded size of what the windows cover, and how far the last one reaches."""
    window = axis.drawn
    positions = window.output if isinstance(axis.window, Axis) else axis.window.size
    return window.padded, (positions - 1) * window.stride + window.extent


def _grid(sizing: Sizing, fill: str) -> tuple[Panel, list[Step]]:
    """The two maps without numbers in them, and the window at each position. fill: of what the window makes."""
    windows = [axis.drawn for axis in sizing.axes]
    ends = [max(_ends(axis)) for axis in sizing.axes]
    positions = [axis.window.size if sizing.transposed else axis.drawn.output for axis in sizing.axes]
    sizes = [window.size for window in windows]
    faint, missed = set(), {}
    for row in range(ends[0]):
        for column in range(ends[1]):
            inside = all(
                window.before <= at < window.before + window.size
                for window, at in zip(windows, (row, column), strict=True)
            )
            if not inside:
                faint.add((row, column))
            elif not all(map(is_read, windows, positions, (row, column))):
                missed[row, column] = MISSED
    over, made = ("output", "input") if sizing.transposed else ("input", "output")
    cut = " and what is cropped" if sizing.transposed else " with padding"
    pixels = Grid(
        f"{over} {sizes[0]}×{sizes[1]}" + (cut if faint else ""),
        (("",) * ends[1],) * ends[0],
        frozenset(faint),
        numbers=(
            [row - windows[0].before for row in range(ends[0])],
            [column - windows[1].before for column in range(ends[1])],
        ),
        fills=missed,
        below=f"filled: never {'written' if sizing.transposed else 'covered'}" if missed else "",
    )
    result = Grid(
        f"{made} {positions[0]}×{positions[1]}",
        (("",) * positions[1],) * positions[0],
        numbers=(range(positions[0]), range(positions[1])),
        fill=fill,
    )
    columns: tuple[tuple[Grid, ...], ...] = ((pixels,), (result,))
    if sizing.transposed:
        columns = ((result,), (pixels,))
    lines = [*_lines(sizing), *_worked(sizing)]
    panel = Panel(_title(sizing), tuple(lines), columns, ("→",))
    own, other = (1, 0) if sizing.transposed else (0, 1)
    steps = []
    total = positions[0] * positions[1]
    each = "pixel" if sizing.transposed else "window"
    for row in range(positions[0]):
        for column in range(positions[1]):
            taps = [
                range(at * window.stride, at * window.stride + window.extent, window.dilation)
                for at, window in zip((row, column), windows, strict=True)
            ]
            cells: dict[Place, Mark] = {(i, j): Mark(WINDOW, "") for i in taps[0] for j in taps[1]}
            dilated = any(window.dilation > 1 for window in windows)
            steps.append(
                Step(
                    f"{each} {row * positions[1] + column + 1} of {total}",
                    _span(taps[0], windows[0], "rows") + ", " + _span(taps[1], windows[1], "columns"),
                    {own: cells, other: {(row, column): Mark(RESULT, "")}},
                    {other: {(row, column): Mark(DONE, "")}},
                    (Outline(own, (taps[0][0], taps[1][0]), (taps[0][-1], taps[1][-1]), dilated),),
                )
            )
    return panel, steps


def _worked(sizing: Sizing) -> list[str]:
    alike = len({axis.window for axis in sizing.axes}) == 1
    lines = []
    for axis in sizing.axes[:1] if alike else sizing.axes:
        name = "height and width" if alike else axis.name
        for step in axis.steps("W" if alike else ""):
            if "2 = " in step.formula:
                lines.append(f"{name}: {step.formula}: {step.text}")
    return lines


def _span(taps: Sequence[int], window: Axis, name: str) -> str:
    """`rows −1 to 1`."""
    first, last = taps[0] - window.before, taps[-1] - window.before
    return f"{name} {_signed(first)} to {_signed(last)}"


def _signed(number: int) -> str:
    return f"−{-number}" if number < 0 else str(number)
