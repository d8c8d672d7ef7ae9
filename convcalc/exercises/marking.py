"""Marking of filled-in worksheets: right or wrong, and the likely cause of a wrong answer."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from math import ceil, floor, prod
from typing import Any, NamedTuple

from convcalc.analysis.analyse import Analysis, LayerFigures
from convcalc.errors import ConvcalcError, UsageError
from convcalc.exercises.filled import FilledRow, exercises, read_entries, sheet_files
from convcalc.exercises.question import Question, Verdict
from convcalc.exercises.question_sheets import judge
from convcalc.exercises.worksheet import ASKS, Exercise
from convcalc.graph import Node
from convcalc.language import bundled
from convcalc.language.quantities import parse
from convcalc.ops.conv import Conv
from convcalc.ops.dense import Dense
from convcalc.shapes import Axis, elements, show

MAX_ANSWER = 60  # characters


class MarkedAnswer(NamedTuple):
    """A marked answer. given: as written; why: the likely mistake, "" if unknown."""

    exercise: Exercise | Question
    given: str
    verdict: Verdict
    why: str = ""


class MarkedSheet(NamedTuple):
    """A marked worksheet. name: its author according to the file, else the file name without suffix; error: why it
    could not be marked."""

    file: str
    name: str
    marks: tuple[MarkedAnswer, ...] = ()
    error: ConvcalcError | None = None

    @property
    def right(self) -> int:
        """Number of right answers."""
        return sum(mark.verdict == "right" for mark in self.marks)

    @property
    def total(self) -> int:
        """Number of questions."""
        return len(self.marks)

    @property
    def all_right(self) -> bool:
        """Whether the sheet could be marked and every answer is right."""
        return self.error is None and self.right == self.total

    @property
    def errors(self) -> list[ConvcalcError]:
        """The error, if the sheet could not be marked."""
        return [] if self.error is None else [self.error]


class MarkedSheets(NamedTuple):
    """Several marked worksheets."""

    sheets: tuple[MarkedSheet, ...]

    @property
    def right(self) -> int:
        """Number of right answers in all sheets."""
        return sum(sheet.right for sheet in self.sheets)

    @property
    def total(self) -> int:
        """Number of questions in all sheets that could be marked."""
        return sum(sheet.total for sheet in self.sheets)

    @property
    def all_right(self) -> bool:
        """Whether every sheet could be marked and every answer is right."""
        return all(sheet.all_right for sheet in self.sheets)

    @property
    def errors(self) -> list[ConvcalcError]:
        """The errors of sheets that could not be marked."""
        return [sheet.error for sheet in self.sheets if sheet.error is not None]

    @property
    def asked(self) -> list[tuple[str, int, int]]:
        """What was asked, how many answers to it are right, and how many there are."""
        totals: dict[str, list[int]] = {}
        for sheet in self.sheets:
            for mark in sheet.marks:
                counts = totals.setdefault(mark.exercise.asks, [0, 0])
                counts[0] += mark.verdict == "right"
                counts[1] += 1
        return [(asks, right, total) for asks, (right, total) in totals.items()]

    @property
    def mistakes(self) -> list[tuple[str, int]]:
        """Mistakes and how often they occur, most frequent first; "" stands for unknown ones.

        One that is told with the numbers of its layer counts as one mistake for all layers.
        """
        kinds: dict[str, Counter[str]] = {}
        for sheet in self.sheets:
            for mark in sheet.marks:
                if mark.verdict != "right":
                    why = "left blank" if mark.verdict == "blank" else mark.why.partition("; and ")[0]
                    kinds.setdefault(_without_numbers(why), Counter())[why] += 1
        counts = Counter(
            {next(iter(whys)) if len(whys) == 1 else kind: whys.total() for kind, whys in kinds.items()}
        )
        return counts.most_common()


def _without_numbers(why: str) -> str:
    """What all mistakes of a kind have in common: `a filter is as deep as its input` of `…: times 96`."""
    common = re.sub(r"[:;](?=[^:;]*\d)[^:;]*$", "", why)
    return re.sub(r"\d[\d,]*", "n", common)


def mark(exercise: Exercise | Question, given: str) -> MarkedAnswer:
    """Mark an answer; a wrong one with its likely mistake."""
    if isinstance(exercise, Question):
        verdict, why = judge(exercise, given)
        cut = given if len(given) <= 4 * MAX_ANSWER else given[: 4 * MAX_ANSWER] + "…"
        return MarkedAnswer(exercise, "" if verdict == "blank" else cut, verdict, why)
    answer = exercise.answer
    if not given.strip(" _.-–"):
        return MarkedAnswer(exercise, "", "blank")
    if len(given) > MAX_ANSWER:
        return MarkedAnswer(exercise, given[:MAX_ANSWER] + "…", "wrong", "this is too long to be an answer")
    if isinstance(answer, int):
        return _mark_number(exercise, answer, given)
    readings = [_numbers(given), _numbers(re.sub(r"(?<=\d),(?=\d{3}\b)", "", given))]
    if not readings[0] or re.sub(r"[\d\s×x*·,;()\[\]@]", "", given.lower()):
        return MarkedAnswer(exercise, given, "wrong", f"this is not a size; write it as {_example(answer)}")
    if exercise.asks == "field":
        accepted = [answer, answer[:1]] if len(set(answer)) == 1 else [answer]
    else:
        accepted = [answer, (*answer[1:], answer[0])]  # the lecture writes H×W×D
    if any(numbers in accepted for numbers in readings):
        return MarkedAnswer(exercise, given, "right")
    numbers = next((numbers for numbers in readings if len(numbers) == len(answer)), readings[1])
    mistake = _field_mistake if exercise.asks == "field" else _output_mistake
    return MarkedAnswer(exercise, given, "wrong", mistake(exercise, numbers))


def _numbers(text: str) -> tuple[int, ...]:
    """The integers in a text, with any separators; at most eight, more than any size has."""
    return tuple(int(part) for part in re.findall(r"\d+", text)[:8])


def _example(answer: Sequence[int]) -> str:
    return show([1 for _ in answer]).replace("1", "n")


def _mark_number(exercise: Exercise, answer: int, given: str) -> MarkedAnswer:
    number = _number(given)
    if number == answer:
        return MarkedAnswer(exercise, given, "right")
    if number != 0:
        try:
            figure = parse(given)
        except UsageError:
            return MarkedAnswer(exercise, given, "wrong", "this is not a number")
        if not figure.exact and (figure.matches(answer) or figure.cut(answer)):
            return MarkedAnswer(
                exercise, given, "rounded", "right as far as it goes; the exact number is asked for"
            )
        if number is None:
            number = int(figure.value) if figure.value.denominator == 1 else None
    why = next((text for value, text in _number_mistakes(exercise) if value == number != answer), "")
    return MarkedAnswer(exercise, given, "wrong", why)


def known_mistakes(exercise: Exercise | Question) -> list[tuple[Any, str]]:
    """Wrong answers with what led to them, the likelier first, each answer once."""
    if isinstance(exercise, Question):
        return [(mistake.answer, mistake.why) for mistake in exercise.mistakes]
    answer = exercise.answer
    found: dict[Any, str] = {}
    if isinstance(answer, int):
        for number, why in _number_mistakes(exercise):
            found.setdefault(number, why)
    elif exercise.asks == "output":
        windows = exercise.node.op.windows(exercise.node.input_shapes)
        for why, formula in SIZE_MISTAKES if windows else ():
            sizes = tuple(formula(axis) for axis in windows)
            if min(sizes) > 0:
                found.setdefault((exercise.node.output_shape[0], *sizes), why)
    found.pop(answer, None)
    return list(found.items())


def _number(text: str) -> int | None:
    """`34,848`, `34 848`, `34'848`, `34.848` and `34848.0` all mean 34848."""
    text = re.sub(r"(?<=\d)[.,]00?$", "", text.strip())
    plain = re.sub(r"(?<=\d)[ ,_'’.\u202f\u00a0](?=\d{3}(?:\D|$))", "", text.strip())
    return int(plain) if plain.isascii() and plain.isdecimal() and len(plain) < 40 else None


def _output_mistake(exercise: Exercise, given: tuple[int, ...]) -> str:
    node = exercise.node
    depth, *sizes = node.output_shape
    deep = (
        f"the depth is the number of filters, {depth}"
        if node.op.role == "convolution"
        else f"the depth is {depth}"
    )
    if list(given) in (sizes, sizes[:1]) and sizes:
        return f"the depth is missing: {deep}"
    if len(given) != len(node.output_shape):
        return (
            f"it has {len(node.output_shape)} numbers: the channels, then {_sides(len(sizes))}"
            if sizes
            else ""
        )
    for spatial, channels in ((given[1:], given[0]), (given[:-1], given[-1])):
        if list(spatial) == sizes:
            return f"the size is right, the depth is not: {deep}"
        mistake = _size_mistake(node, spatial)
        if mistake:
            return mistake + ("" if channels == depth else f"; and {deep}")
    if given[0] == depth or given[-1] == depth:
        return "the depth is right, the size is not"
    return ""


def _sides(rank: int) -> str:
    return {1: "the length", 2: "height and width"}.get(rank, "depth, height and width")


SIZE_MISTAKES: tuple[tuple[str, Callable[[Axis], int]], ...] = (
    ("the + 1 is missing: a window also stands at its first position", lambda a: a.output - 1),
    ("the padding counts on both sides", lambda a: (a.size - a.extent + a.before) // a.stride + 1),
    ("the padding is left out", lambda a: (a.size - a.extent) // a.stride + 1),
    ("the stride is left out", lambda a: a.span + 1),
    ("this is the input's size", lambda a: a.size),
    ("the kernel is left out: a window of F pixels has W − F steps", lambda a: a.padded // a.stride),
    ("the kernel is left out: a window of F pixels has W − F steps", lambda a: a.size // a.stride),
    ("a last window that would start in the padding is dropped", lambda a: a.output + a.drops_last),
    ("a last window that does not fit is dropped: round down", lambda a: ceil(Fraction(a.span, a.stride)) + 1),
    ("with rounding: ceil a partial last window counts: round up", lambda a: floor(Fraction(a.span, a.stride)) + 1),
    ("the dilation spreads the kernel: it spans D(F − 1) + 1", lambda a: (a.padded - a.kernel) // a.stride + 1),
)  # fmt: skip


def _size_mistake(node: Node, given: Sequence[int]) -> str:
    windows = node.op.windows(node.input_shapes)
    if len(windows) != len(given):
        return ""
    right = [axis.output for axis in windows]
    for text, formula in SIZE_MISTAKES:
        wrong = [formula(axis) for axis in windows]
        if wrong == list(given) != right:
            return text
    return ""


def _number_mistakes(exercise: Exercise) -> Iterator[tuple[int, str]]:
    """Pairs of a wrong number and the mistake that leads to it, likelier ones first."""
    node = exercise.node
    layer = exercise.analysis.layers[node.index]
    factors = node.op.weight_factors(node.input_shapes)
    outputs = elements(node.output_shape)
    if exercise.asks == "memory":
        yield outputs, "these are the values: each takes 4 bytes"
        yield 8 * layer.activation_bytes, "these are bits: 8 of them are a byte"
        yield 4 * elements(node.input_shapes[0]), "this is the input"
        yield 4 * layer.params, "these are the weights and biases"
        return
    yield 0, f"a {node.kind} layer has {ASKS[exercise.asks]}"
    if not factors:
        if exercise.asks == "weights":
            window = prod(axis.kernel for axis in node.op.axes(node.input_shapes))
            what = "a pool takes the largest value or the mean of its window: it has no weights"
            yield from ((number, what) for number in (window, window * node.output_shape[0]))
        return
    cost, filters = prod(factors[:-1]), factors[-1]
    if exercise.asks in ("weights", "params"):
        yield layer.params, "this counts the biases too"
        yield layer.weights, "the biases are missing"
        yield layer.macs, "these are the MACs; the kernel is shared by all positions, so it counts once"
        yield from _weight_mistakes(node, factors)
    elif exercise.asks == "biases":
        yield outputs, "one bias for each filter, not for each output element"
        yield 1, "every filter has a bias of its own"
        yield layer.weights, "these are the weights"
    elif exercise.asks == "macs":
        yield 2 * layer.macs, "these are FLOPs: a multiply-accumulate is one MAC, two operations"
        yield layer.weights, "these are the weights: each is used once for every position"
        yield cost, "this is one output element's cost; there are " + f"{outputs:,} of them"
        yield cost * outputs // max(1, filters), f"this is one filter's work; there are {filters:,} filters"
        yield layer.macs + outputs, "biases are added, not multiplied: they are not MACs"
        yield (
            layer.params * (outputs // max(1, filters)),
            "biases are added, not multiplied: they are not MACs",
        )
        yield outputs, "these are the output elements; each costs " + f"{cost:,}"


def _weight_mistakes(node: Node, factors: Sequence[int]) -> Iterator[tuple[int, str]]:
    *window, depth, filters = factors
    if isinstance(node.op, Dense):
        yield depth, "this is one unit's weights; there are " + f"{filters:,} units"
        yield filters, "every unit has a weight for each of the " + f"{depth:,} inputs"
        return
    area = prod(window)
    channels = node.input_shapes[0][0]
    if isinstance(node.op, Conv) and node.op.groups > 1:
        yield (
            area * channels * filters,
            f"in {node.op.groups} groups a filter reads {depth} of {channels} channels",
        )
    yield area * filters, f"a filter is as deep as its input: times {depth}"
    yield area * depth, f"this is one filter; there are {filters}"
    yield area, f"this is one slice of one filter: times {depth} channels and {filters} filters"
    if window:
        yield window[0] * depth * filters, f"a filter covers {show(window)} pixels"
    yield area * depth * depth * filters, "the depth counts once"
    yield (
        elements(node.input_shapes[0]) * elements(node.output_shape),
        "this is a dense layer's number of weights",
    )


def _field_mistake(exercise: Exercise, given: tuple[int, ...]) -> str:
    node = exercise.node
    before: tuple[int | Fraction, ...] = tuple(1 for _ in exercise.analysis.graph.input_shape[1:])
    strides: tuple[int | Fraction, ...] = before
    if node.inputs[0] >= 0:
        layer: LayerFigures = exercise.analysis.layers[node.inputs[0]]
        if layer.receptive_field is None:
            return ""
        before, strides = layer.receptive_field.size, layer.receptive_field.stride
    axes = node.op.axes(node.input_shapes)
    if len(axes) != len(before) or len(given) not in (1, len(before)):
        return ""
    wanted = given if len(given) == len(before) else given * len(before)
    extents = [axis.extent for axis in axes]
    trials: tuple[tuple[str, Callable[[Any, Any, Any], Any]], ...] = (
        ("this is the kernel alone: the layers before it see more", lambda r, s, k: k),
        ("the steps of the kernel are as wide as the strides before it", lambda r, s, k: r + k - 1),
        ("F pixels are F − 1 steps", lambda r, s, k: r + k * s),
        ("this is the field of the layer before", lambda r, s, k: r),
        ("fields add their steps, they are not multiplied", lambda r, s, k: r * k),
    )
    for text, formula in trials:
        if tuple(formula(r, s, k) for r, s, k in zip(before, strides, extents, strict=True)) == wanted:
            return text
    return ""


# -- whole sheets ----------------------------------------------------------------------------------------------


def mark_sheet(path: str, network: Callable[[str], Analysis], text: str | None = None) -> MarkedSheet:
    """Mark a filled-in file or its text. network: returns a network's analysis for the name in the file.

    Raises ConvcalcError.
    """
    entries = read_entries(path, text)
    marks = tuple(mark(exercise, given) for exercise, given in exercises(path, entries, network))
    return MarkedSheet(path, _sheet_name(path, entries), marks)


def _sheet_name(path: str, entries: Sequence[FilledRow]) -> str:
    stem = os.path.splitext(os.path.basename(path))[0]
    return next((entry.person for entry in entries if entry.person), stem)


def check_sheets(
    sheets: Sequence[str], load: Callable[[str], Analysis], arch: str | None = None
) -> MarkedSheet | MarkedSheets:
    """Mark one worksheet, or several and folders of them, some of which may be unreadable.

    sheets: paths, or the text of a sheet, recognised by its line breaks. load: returns the analysis of a network by
    name; arch: the network of the sheets, by default the bundled networks that they name. Raises ConvcalcError.
    """
    known: dict[str, Analysis] = {}

    def network(path: str, name: str) -> Analysis:
        """The analysis of the network named in the sheet `path`."""
        if name not in known:
            if arch is None and bundled.path(name) is None:
                raise UsageError(
                    f"{path}: the sheet is of '{name}', which is not bundled",
                    hint=f"name its spec: convcalc worksheet {name}.yaml --check {path}",
                )
            analysis = load(arch or name)
            if analysis.graph.name != name:
                raise UsageError(
                    f"{path}: the sheet is of '{name}', not of {analysis.graph.name}",
                    hint=f"convcalc worksheet {name} --check {path}",
                )
            known[name] = analysis
        return known[name]

    def marked(sheet: str) -> MarkedSheet:
        typed = "\n" in sheet and not os.path.exists(sheet)
        path, text = ("<text>", sheet) if typed else (sheet, None)
        return mark_sheet(path, partial(network, path), text)

    if not sheets:
        raise UsageError("there is no sheet to mark", hint="name files, or a folder of them")
    if len(sheets) == 1 and not os.path.isdir(sheets[0]):
        return marked(sheets[0])
    found = []
    for sheet in sheet_files(sheets):
        try:
            if sheet not in sheets and os.path.exists(sheet) and not os.path.isfile(sheet):
                raise ConvcalcError(f"{sheet}: is no regular file")  # opening a pipe would wait for a writer
            found.append(marked(sheet))
        except ConvcalcError as error:
            found.append(MarkedSheet(sheet, _sheet_name(sheet, ()), error=error))
    return MarkedSheets(tuple(found))
