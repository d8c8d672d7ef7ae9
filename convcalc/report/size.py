"""`size`: the working of an output size, and the answers of the inverse solver."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from convcalc.layer.size import Answer, InputSizes, Solution, Step, WindowCost, last_pixels, steps, worked
from convcalc.render.table import Column, Table, drop
from convcalc.report import words
from convcalc.report.values import CONVENTIONS
from convcalc.shapes import AXIS_NAMES, Axis


class SizeRow(NamedTuple):
    """A step of the working; axis: of which; heading: stands above the steps of an axis."""

    axis: str
    step: Step
    heading: bool = False


STEPS = (
    Column("step", "step", lambda row: row.step.what, style="cyan"),
    Column("formula", "formula", lambda row: row.step.formula),
    Column("working", "filled in", lambda row: row.step.text, wrap=True),
)
NOTE = Column("note", "", lambda row: _note(row[1]), wrap=True)
SHOWN = 20
LETTERS = {"height": "H", "width": "W", "depth": "Z", "length": "W"}


def size_table(axes: Sequence[Axis], typed: InputSizes, counts: WindowCost | None) -> Table:
    """Step by step; one set of rows per axis, or one for all where they are alike."""
    names = AXIS_NAMES[len(axes)]
    alike = len(set(axes)) == 1
    rows: list[SizeRow] = []
    for name, axis in zip(names[:1] if alike else names, axes, strict=False):
        rows += [] if alike else [SizeRow("", Step(name, "", ""), heading=True)]
        rows += [
            SizeRow("every axis" if alike else name, step)
            for step in steps(axis, "W" if alike else LETTERS[name])
        ]
    for line in counts.working if counts else ():
        formula = {"weights": "(F·F·D1)·K", "biases": "K"}.get(line.what, "weights · positions")
        rows.append(SizeRow("", Step(line.what, formula, line.text)))
    indented = STEPS[0]._replace(text=lambda row: f"  {row.step.what}" if row.axis else row.step.what)
    return Table(
        columns=STEPS if alike else (indented, *STEPS[1:]),
        rows=rows,
        title=f"{_sizes([a.size for a in axes], typed)} → "
        + _sizes([a.output for a in axes], typed, counts.filters if counts else None),
        subtitle=", ".join(_fields(axes)) + _read_as(typed),
        data_columns=(Column("axis", ""), *STEPS),
        data=lambda: [row for row in rows if not row.heading],
        styles=["bold" if row.heading else "" for row in rows],
        narrowing=drop("formula"),
    )


def _sizes(spatial: Sequence[int], typed: InputSizes, maps: int | None = None) -> str:
    """The sizes in the order in which the input was typed, else as the lecture writes them: height, width, channels.

    maps: of the output, where they are not the input's channels.
    """
    depth = maps or typed.channels
    channels = [depth] if depth else []
    return words.shape([*channels, *spatial] if typed.order == "first" else [*spatial, *channels])


def _dimensions(typed: InputSizes) -> list[str] | None:
    """What each number of the input was read as; None where only sides were typed."""
    if typed.order is None:
        return None
    names = AXIS_NAMES[len(typed.sides)]
    return ["channels", *names] if typed.order == "first" else [*names, "channels"]


def _read_as(typed: InputSizes) -> str:
    dimensions = _dimensions(typed)
    return f"; read as {' × '.join(dimensions)}" if dimensions else ""


def _fields(axes: Sequence[Axis]) -> list[str]:
    """`F 11`, `S 4`, `P 0`: per axis where they differ."""

    def text(values: Sequence[object]) -> str:
        return str(values[0]) if len(set(values)) == 1 else "×".join(map(str, values))

    pads = [_sides((a.before, a.after)) for a in axes]
    fields = [f"F {text([a.kernel for a in axes])}", f"S {text([a.stride for a in axes])}", f"P {text(pads)}"]
    if any(axis.dilation > 1 for axis in axes):
        fields.append(f"dilation {text([a.dilation for a in axes])}")
    if axes[0].rounding != "floor":
        fields.append(f"rounding {axes[0].rounding}")
    return fields


def size_value(axes: Sequence[Axis], typed: InputSizes, counts: WindowCost | None) -> dict[str, Any]:
    """`size --format json`. Shapes are channels first as in every JSON; without channels where none were given."""
    channels = [] if typed.channels is None and counts is None else [typed.channels or 1]
    maps = [counts.filters] if counts else channels
    return {
        "conventions": CONVENTIONS,
        "input": [*channels, *(axis.size for axis in axes)],
        "output": [*maps, *(axis.output for axis in axes)],
        "read_as": _dimensions(typed),
        "axes": [
            {**_window(name, axis), "steps": [step._asdict() for step in steps(axis, LETTERS[name])]}
            for name, axis in zip(AXIS_NAMES[len(axes)], axes, strict=True)
        ],
        "weights": counts.weights if counts else None,
        "biases": counts.biases if counts else None,
        "macs": counts.macs if counts else None,
    }


def _window(name: str, axis: Axis) -> dict[str, Any]:
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


def solutions_table(answers: Sequence[Answer], typed: InputSizes) -> Table:
    """A row per solution; per axis where the axes differ."""
    unknown = answers[0].unknown
    alike = len({(one.output, one.given) for one in answers}) == 1
    shown = answers[:1] if alike else answers
    rows = [(answer, solution) for answer in shown for solution in answer.solutions[:SHOWN]]

    def label(row: tuple[Answer, Solution]) -> str:
        value = _pair(row[1]) if unknown == "padding" else words.count(row[1].value)
        return value if alike else f"{row[0].axis} {value}"

    return Table(
        columns=(
            Column(unknown, unknown, lambda row: row[1].value, label, right=True, style="bold"),
            Column("working", "output", lambda row: worked(row[1].axis)),
            Column("remainder", "remainder", lambda row: max(0, row[1].axis.remainder), right=True),
            *([NOTE] if any(_note(solution) for _, solution in rows) else []),
        ),
        rows=rows,
        title=f"which {unknown} gives {words.shape([one.output for one in shown])}?",
        subtitle=_known(shown) + _read_as(typed),
        lines=[line for answer in shown for line in _lines(answer, "" if alike else f"{answer.axis}: ")],
        data_columns=(
            Column("axis", "", lambda row: row[0].axis),
            Column(unknown, "", lambda row: row[1].value),
            Column("before", "", lambda row: row[1].axis.before),
            Column("after", "", lambda row: row[1].axis.after),
            Column("exact", "", lambda row: row[1].exact),
            Column("remainder", "", lambda row: max(0, row[1].axis.remainder)),
            Column("uncovered", "", lambda row: sum(row[1].axis.uncovered())),
        ),
        data=lambda: [(answer, solution) for answer in shown for solution in answer.solutions],
        styles=["" if solution.exact else "dim" for _, solution in rows],
    )


def _pair(solution: Solution) -> str:
    return _sides((solution.axis.before, solution.axis.after))


def _note(solution: Solution) -> str:
    notes = []
    between, trailing = solution.axis.uncovered()
    if trailing:
        notes.append(f"misses {last_pixels(trailing)}")
    if between:
        notes.append(f"skips {between} between windows")
    if solution.reads_padding_only:
        notes.append("a window reads padding only")
    if not solution.even:
        notes.append("uneven: one more after than before")
    return "; ".join(notes)


def _known(answers: Sequence[Answer]) -> str:
    """What the question takes as given, defaults included; per axis where they differ."""

    def text(values: Sequence[object]) -> str:
        return str(values[0]) if len(set(values)) == 1 else "×".join(map(str, values))

    given = [one.given for one in answers]
    unknown = answers[0].unknown
    parts = {
        "input": f"input {text([one.input for one in given])}",
        "kernel": f"F {text([one.kernel for one in given])}",
        "stride": f"S {text([one.stride or 1 for one in given])}",
        "padding": f"P {text([_sides(one.padding) for one in given])}",
        "dilation": f"dilation {text([one.dilation or 1 for one in given])}",
    }
    if parts["dilation"] == "dilation 1":
        del parts["dilation"]
    return ", ".join(part for name, part in parts.items() if name != unknown)


def _sides(padding: str | tuple[int, int] | None) -> str:
    if isinstance(padding, str):
        return padding
    before, after = padding or (0, 0)
    return str(before) if before == after else f"{before}+{after}"


def _lines(one: Answer, label: str) -> list[str]:
    count = len(one.solutions)
    if count > SHOWN:
        return [f"{label}{count:,} solutions; the first {SHOWN} are shown, --format json or csv gives all"]
    if count:
        exact = sum(solution.exact for solution in one.solutions)
        return [f"{label}{words.plural(count, 'solution')}, {exact} exact"]
    lines = [f"{label}no {one.unknown} gives {one.output}"]
    for other, ways in one.alternatives:
        value = _pair(ways[0]) if other == "padding" else words.count(ways[0].value)
        more = f", and {len(ways) - 1:,} more" if len(ways) > 1 else ""
        lines.append(f"but {other} {value} would{more}: --solve {other}")
    return lines


def solutions_value(answers: Sequence[Answer], typed: InputSizes) -> dict[str, Any]:
    """`size --output … --format json`."""
    return {
        "conventions": CONVENTIONS,
        "solve": answers[0].unknown,
        "output": [one.output for one in answers],
        "read_as": _dimensions(typed),
        "axes": [
            {
                "axis": one.axis,
                "given": {
                    name: list(value) if isinstance(value, tuple) else value
                    for name, value in one.given._asdict().items()
                    if name != one.unknown
                },
                "solutions": [
                    {
                        "value": solution.value,
                        "exact": solution.exact,
                        "reads_padding_only": solution.reads_padding_only,
                        **{
                            key: value
                            for key, value in _window(one.axis, solution.axis).items()
                            if key != "axis"
                        },
                    }
                    for solution in one.solutions
                ],
            }
            for one in answers
        ],
    }
