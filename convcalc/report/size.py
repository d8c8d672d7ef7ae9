"""`size`: the working of an output size, and the solutions of the inverse problem."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from convcalc.layer.size import SizeStep, Sizing
from convcalc.layer.solutions import AxisSolutions, Solution, Solutions, SpreadSolution
from convcalc.layer.windows import InputSizes, KnownSpread
from convcalc.ops.deconv import Spread
from convcalc.render.layout import Line, table_lines
from convcalc.render.table import Column, Table, drop
from convcalc.report import words
from convcalc.report.size_drawing import drawing
from convcalc.report.values import CONVENTIONS
from convcalc.shapes import Axis


class SizeRow(NamedTuple):
    """One step of the working. axis: the axis it belongs to; heading: text above the first step of an axis."""

    axis: str
    step: SizeStep
    heading: bool = False


STEPS = (
    Column("step", "step", lambda row: row.step.what, style="cyan"),
    Column("formula", "formula", lambda row: row.step.formula),
    Column("working", "filled in", lambda row: row.step.text, wrap=True),
)
NOTE = Column("note", "", lambda row: "; ".join(row[1].notes), wrap=True)
REMAINDER = Column("remainder", "remainder", lambda row: max(0, row[1].axis.remainder), right=True)
UNCOVERED = Column("uncovered", "", lambda row: sum(row[1].axis.uncovered()))
OUTPUT_PADDING = Column("output_padding", "", lambda row: row[1].axis.extra)
SHOWN = 20
AnySolution = Solution | SpreadSolution


def size_table(sizing: Sizing) -> Table:
    """The steps; one set of rows per axis, or a single set if all axes are equal."""
    windows = [axis.window for axis in sizing.axes]
    alike = len(set(windows)) == 1
    rows: list[SizeRow] = []
    for axis in sizing.axes[:1] if alike else sizing.axes:
        rows += [] if alike else [SizeRow("", SizeStep(axis.name, "", ""), heading=True)]
        rows += [
            SizeRow("every axis" if alike else axis.name, step)
            for step in axis.steps("W" if alike else axis.letter)
        ]
    positions = "weights · input pixels" if sizing.transposed else "weights · positions"
    for line in sizing.cost.working if sizing.cost else ():
        formula = {"weights": "(F·F·D1)·K", "biases": "K"}.get(line.what, positions)
        rows.append(SizeRow("", SizeStep(line.what, formula, line.text)))
    indented = STEPS[0]._replace(text=lambda row: f"  {row.step.what}" if row.axis else row.step.what)
    return Table(
        columns=STEPS if alike else (indented, *STEPS[1:]),
        rows=rows,
        title=size_title(sizing),
        subtitle="transposed, " * sizing.transposed + ", ".join(size_fields(sizing)) + _read_as(sizing.input),
        data_columns=(Column("axis", ""), *STEPS),
        data=lambda: [row for row in rows if not row.heading],
        styles=["bold" if row.heading else "" for row in rows],
        narrowing=drop("formula"),
    )


def size_lines(sizing: Sizing, width: int | None) -> Iterator[Line]:
    """The table, then a drawing of the windows for each distinct axis: of a transposed convolution, what each pixel of
    the input writes."""
    yield from table_lines(size_table(sizing), width)
    yield []
    different: dict[tuple[Axis, int | None], str] = {}
    for axis in sizing.axes:
        different.setdefault((axis.drawn, axis.window.size if sizing.transposed else None), axis.name)
    for (window, written), name in different.items():
        label = name if len(different) > 1 else ""
        yield from drawing(window, min(width or 100, 100), label, written=written)


def size_summary(sizing: Sizing) -> str:
    """`Size 227 → 55`."""
    return f"Size {size_title(sizing)}"


def size_title(sizing: Sizing) -> str:
    """Input and output sizes in the order in which the input was typed, by default the lecture's: height, width,
    channels."""
    given = sizing.input

    def text(spatial: Sequence[int], depth: int | None) -> str:
        channels = [depth] if depth else []
        return words.shape([*channels, *spatial] if given.order == "first" else [*spatial, *channels])

    windows = [axis.window for axis in sizing.axes]
    maps = sizing.cost.filters if sizing.cost else given.channels
    before = text([window.size for window in windows], given.channels)
    return f"{before} → {text([window.output for window in windows], maps)}"


def _read_as(given: InputSizes) -> str:
    return f"; read as {' × '.join(given.dimensions)}" if given.dimensions else ""


def _dimensions(given: InputSizes) -> list[str] | None:
    return list(given.dimensions) if given.dimensions else None


def size_fields(sizing: Sizing) -> list[str]:
    """`F 11`, `S 4`, `P 0`; per axis if the axes differ."""
    axes = [axis.window for axis in sizing.axes]

    def text(values: Sequence[object]) -> str:
        return str(values[0]) if len(set(values)) == 1 else "×".join(map(str, values))

    pads = [_sides((a.before, a.after)) for a in axes]
    fields = [f"F {text([a.kernel for a in axes])}", f"S {text([a.stride for a in axes])}", f"P {text(pads)}"]
    if any(axis.dilation > 1 for axis in axes):
        fields.append(f"dilation {text([a.dilation for a in axes])}")
    extras = [axis.extra for axis in axes if isinstance(axis, Spread)]
    if any(extras):
        fields.append(f"O {text(extras)}")
    roundings = {axis.rounding for axis in axes if isinstance(axis, Axis)} - {"floor"}
    fields += [f"rounding {rounding}" for rounding in roundings]
    return fields


def size_value(sizing: Sizing) -> dict[str, Any]:
    """JSON of `size`. Shapes are channels first; without channels if none were given."""
    counts = sizing.cost
    return {
        "conventions": CONVENTIONS,
        "input": list(sizing.input_shape),
        "output": list(sizing.output_shape),
        "read_as": _dimensions(sizing.input),
        "transposed": sizing.transposed,
        "axes": [
            {**_window(axis.name, axis.window), "steps": [step._asdict() for step in axis.steps()]}
            for axis in sizing.axes
        ],
        "weights": counts.weights if counts else None,
        "biases": counts.biases if counts else None,
        "macs": counts.macs if counts else None,
    }


def _window(name: str, axis: Axis | Spread) -> dict[str, Any]:
    if isinstance(axis, Spread):
        return {
            "axis": name,
            "input": axis.size,
            "kernel": axis.kernel,
            "stride": axis.stride,
            "padding": [axis.before, axis.after],
            "dilation": axis.dilation,
            "output_padding": axis.extra,
            "rounding": None,
            "output": axis.output,
            "remainder": None,
            "uncovered": None,
        }
    between, trailing = axis.uncovered()
    return {
        "axis": name,
        "input": axis.size,
        "kernel": axis.kernel,
        "stride": axis.stride,
        "padding": [axis.before, axis.after],
        "dilation": axis.dilation,
        "rounding": axis.rounding,
        "output": axis.output,
        "remainder": axis.remainder if axis.span >= 0 else None,
        "uncovered": {"between": between, "after": trailing},
    }


def solutions_table(solutions: Solutions) -> Table:
    """One row per solution; per axis if the axes differ."""
    unknown, answers = solutions.unknown, solutions.answers
    transposed = solutions.transposed
    name = unknown.replace("_", " ")
    alike = len({(answer.output, answer.given) for answer in answers}) == 1
    shown = answers[:1] if alike else answers
    rows = [(answer, solution) for answer in shown for solution in answer.solutions[:SHOWN]]

    def label(row: tuple[AxisSolutions, AnySolution]) -> str:
        value = _pair(row[1]) if unknown == "padding" else words.count(row[1].value)
        return value if alike else f"{row[0].axis} {value}"

    return Table(
        columns=(
            Column(unknown, name, lambda row: row[1].value, label, right=True, style="bold"),
            Column("working", "output", lambda row: row[1].working),
            *([] if transposed else [REMAINDER]),
            *([NOTE] if any(solution.notes for _, solution in rows) else []),
        ),
        rows=rows,
        title=f"which {name} gives {words.shape([answer.output for answer in shown])}?",
        subtitle="transposed, " * transposed + _known(shown) + _read_as(solutions.input),
        lines=[line for answer in shown for line in _lines(answer, "" if alike else f"{answer.axis}: ")],
        data_columns=(
            Column("axis", "", lambda row: row[0].axis),
            Column(unknown, "", lambda row: row[1].value),
            Column("before", "", lambda row: row[1].axis.before),
            Column("after", "", lambda row: row[1].axis.after),
            Column("exact", "", lambda row: row[1].exact),
            *([OUTPUT_PADDING] if transposed else [REMAINDER, UNCOVERED]),
        ),
        data=lambda: [(answer, solution) for answer in shown for solution in answer.solutions],
        styles=["" if solution.exact else "dim" for _, solution in rows],
    )


def _pair(solution: AnySolution) -> str:
    return _sides((solution.axis.before, solution.axis.after))


def _known(answers: Sequence[AxisSolutions]) -> str:
    """The given quantities, defaults included; per axis if the axes differ."""

    def text(values: Sequence[object]) -> str:
        return str(values[0]) if len(set(values)) == 1 else "×".join(map(str, values))

    given = [answer.given for answer in answers]
    unknown = answers[0].unknown
    parts = {
        "input": f"input {text([known.input for known in given])}",
        "kernel": f"F {text([known.kernel for known in given])}",
        "stride": f"S {text([known.stride or 1 for known in given])}",
        "padding": f"P {text([_sides(known.padding) for known in given])}",
        "dilation": f"dilation {text([known.dilation or 1 for known in given])}",
    }
    if parts["dilation"] == "dilation 1":
        del parts["dilation"]
    extras = [known.output_padding for known in given if isinstance(known, KnownSpread)]
    if any(extra is not None for extra in extras):
        parts["output_padding"] = f"O {text([extra or 0 for extra in extras])}"
    return ", ".join(part for name, part in parts.items() if name != unknown)


def _sides(padding: str | tuple[int, int] | None) -> str:
    if isinstance(padding, str):
        return padding
    before, after = padding or (0, 0)
    return str(before) if before == after else f"{before}+{after}"


def _lines(answer: AxisSolutions, label: str) -> list[str]:
    count = len(answer.solutions)
    if count > SHOWN:
        return [f"{label}{count:,} solutions; the first {SHOWN} are shown, --format json or csv gives all"]
    if count:
        exact = sum(solution.exact for solution in answer.solutions)
        return [f"{label}{words.plural(count, 'solution')}, {exact} exact"]
    lines = [f"{label}no {answer.unknown.replace('_', ' ')} gives {answer.output}"]
    for other, ways in answer.alternatives:
        value = _pair(ways[0]) if other == "padding" else words.count(ways[0].value)
        more = f", and {len(ways) - 1:,} more" if len(ways) > 1 else ""
        lines.append(f"but {other} {value} would{more}: --solve {other}")
    return lines


def solutions_summary(solutions: Solutions) -> str:
    """`Solutions for padding: 2, 1 exact`."""
    found = [solution for answer in solutions.answers for solution in answer.solutions]
    exact = sum(solution.exact for solution in found)
    return f"Solutions for {solutions.unknown}: {len(found):,}, {exact:,} exact"


def solutions_value(solutions: Solutions) -> dict[str, Any]:
    """JSON of `size --output`."""
    return {
        "conventions": CONVENTIONS,
        "transposed": solutions.transposed,
        "solve": solutions.unknown,
        "output": [answer.output for answer in solutions.answers],
        "read_as": _dimensions(solutions.input),
        "axes": [
            {
                "axis": answer.axis,
                "given": {
                    name: list(value) if isinstance(value, tuple) else value
                    for name, value in answer.given._asdict().items()
                    if name != answer.unknown
                },
                "solutions": [
                    {
                        "value": solution.value,
                        "exact": solution.exact,
                        "reads_padding_only": solution.reads_padding_only,
                        **{
                            key: value
                            for key, value in _window(answer.axis, solution.axis).items()
                            if key != "axis"
                        },
                    }
                    for solution in answer.solutions
                ],
            }
            for answer in solutions.answers
        ],
    }
