"""Questions in words: right answers by other ways, known mistakes named, designs marked by computing."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

import convcalc
from convcalc.errors import UsageError
from convcalc.exercises.designs import Fields, design_mistake, read_design
from convcalc.exercises.question import Design, Question
from convcalc.exercises.question_sheets import TOPICS, find_question, judge, question, read_numbers
from convcalc.exercises.versions import any_sheet
from convcalc.report.questions import typed_answer

ALL = [pytest.param(topic, level, id=f"{topic}-{level}") for topic in TOPICS for level in range(1, 5)]


def typed(answer: Any) -> str:
    return typed_answer(answer)


@pytest.mark.parametrize(("topic", "level"), ALL)
def test_a_question_s_own_answer_is_right_and_its_mistakes_are_named(topic: str, level: int) -> None:
    for number in range(1, 30):
        asked = question(topic, level, 11, number)
        assert judge(asked, typed(asked.answer)).verdict == "right"
        for mistake in asked.mistakes:
            found = judge(asked, typed(mistake.answer))
            assert (found.verdict, found.why) == ("wrong", mistake.why)
        assert asked.text
        assert asked.working
        assert asked.hint
        assert find_question(asked.name) == asked


def test_the_same_name_is_the_same_question_on_every_python() -> None:
    """Fixed, so that a sheet given out today can be marked by a later release."""
    asked = question("field", 2, 3, 1)
    assert asked.text.startswith("Layers one behind another: conv F3 → maxpool F3 S2 → conv F3.")
    assert asked.answer == 9  # 1 + 2 + 2 + 2·2


def test_fields_are_those_that_the_analysis_finds(tmp_path: Any) -> None:
    """The same stack as a network: what its last layer's unit sees."""
    for level in range(1, 5):
        for number in range(1, 6):
            asked = question("field", level, 5, number)
            stack = asked.text.removeprefix("Layers one behind another: ").split(".")[0].split(" → ")
            layers = [stacked(text) for text in stack]
            spec = tmp_path / f"{level}-{number}.yaml"
            spec.write_text(
                "name: x\ninput: [1, 400, 400]\nlayers:\n" + "".join(f"  - {layer}\n" for layer in layers)
            )
            sizes = convcalc.load(spec).layers[-1].receptive_field.size
            assert sizes == (asked.answer, asked.answer)


def stacked(text: str) -> str:
    """`conv F3 S2 with dilation 2` as a spec writes it."""
    words = text.split()
    fields = {"F": "1", "S": "1"}
    fields |= {word[0]: word[1:] for word in words[1:] if word[0] in "FS" and word[1:].isdigit()}
    dilation = f", dilation: {words[-1]}" if "dilation" in words else ""
    filters = "filters: 1, " if words[0] == "conv" else ""
    return f"{words[0]}: {{{filters}kernel: {fields['F']}, stride: {fields['S']}{dilation}}}"


def test_memory_is_what_show_says(tmp_path: Any) -> None:
    """Level 3: a batch and a number type, through the analysis of the same layer."""
    import re

    for number in range(1, 12):
        asked = question("memory", 3, 2, number)
        found = re.match(r"conv K(\d+) F(\d+)(?: S(\d+))?(?: P(\d+))? reads (\d+)×(\d+)×(\d+)\.", asked.text)
        assert found is not None
        filters, kernel, stride, padding, *shape = found.groups()
        dtype, batch = re.search(r"as (\w+) for a batch of (\d+)", asked.text).groups()  # type: ignore[union-attr]
        spec = tmp_path / f"{number}.yaml"
        spec.write_text(
            f"name: x\ninput: [{', '.join(shape)}]\nlayers:\n  - conv: {{filters: {filters}, kernel: {kernel}, "
            f"stride: {stride or 1}, padding: {padding or 0}}}\n"
        )
        net = convcalc.load(spec, batch=int(batch), dtype=dtype)
        assert net.layers[0].activation_bytes == asked.answer


def test_gradients_are_those_of_apply() -> None:
    for number in range(1, 12):
        asked = question("backward", 3, 8, number)
        kernel, source, delta = [part.split("]")[0].replace("−", "-") for part in asked.text.split("[")[1:4]]
        found = convcalc.apply(source + ";", weights=kernel + ";", gradient=delta + ";", backward=True)
        values = found.to_dict()["gradients"]["input"]["values"][0]
        assert values == [list(row) for row in asked.answer]  # type: ignore[union-attr]


# -- designs, by hand: 56×56×3 to 28×28×64 under 100,000 weights ----------------------------------------------

DESIGN = Design(source=(3, 56, 56), output=(64, 28, 28), limit=100_000, kernel=2)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        (Fields(64, 3, 2, 1), ""),  # ⌊(56 − 3 + 2)/2⌋ + 1 = 28
        (Fields(64, 2, 2, 0), ""),  # (56 − 2)/2 + 1 = 28
        (Fields(64, 21, 2, 10), ""),  # ⌊(56 − 21 + 20)/2⌋ + 1 = 28, 84,672 weights
        (Fields(32, 3, 2, 1), "K is the output's depth, 64"),
        (Fields(64, 1, 2, 0), "F is to be at least 2"),
        (Fields(64, 3, 2, 3), "P is smaller than F, or a window would lie in the padding"),
        (Fields(64, 3, 1, 1), "the output's size is another: (56 − 3 + 2·1)/1 + 1 = 56, not 28"),
        (Fields(64, 57, 2, 0), "the kernel is larger than the padded input"),
        (Fields(64, 23, 2, 11), "too many weights: (23·23·3)·64 = 101,568 weights, not fewer than 100,000"),
    ],
)
def test_a_design_is_marked_by_computing(fields: Fields, why: str) -> None:
    assert design_mistake(DESIGN, fields) == why


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("K64 F3 S2 P1", Fields(64, 3, 2, 1)),
        ("k64F3x3S2P1", Fields(64, 3, 2, 1)),
        ("K64F3S2P1K4", None),
        ("k = 64, f = 3×3, s: 2, p=1", Fields(64, 3, 2, 1)),
        ("F3 K64", Fields(64, 3, 1, 0)),
        ("64 3 2 1", Fields(64, 3, 2, 1)),
        ("64, 3, 2, 1", Fields(64, 3, 2, 1)),
        ("F3x5 K64", None),
        ("K64", None),
        ("64 3 2", None),
        ("K64 F3 S0 P1", None),
        ("K64 F3 F5", None),
        ("many filters", None),
    ],
)
def test_a_design_is_read_as_people_write_it(text: str, fields: Fields | None) -> None:
    assert read_design(text) == fields


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1 -2; 3 4", [1, -2, 3, 4]),
        ("[[1, −2], [3, 4]]", [1, -2, 3, 4]),
        ("18,816 bytes", [18816]),
        ("18816", [18816]),
        ("1/2 0.25", [Fraction(1, 2), Fraction(1, 4)]),
        ("8×8", [8, 8]),
        ("eight", None),
        ("1/0", None),
        ("", None),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, numbers: list[Any] | None) -> None:
    assert read_numbers(text) == numbers


def test_nonsense_is_told_how_to_answer() -> None:
    asked = question("field", 1, 1, 1)
    assert judge(asked, "quite a lot").why == "this is no answer; write a number"
    assert judge(asked, "  ").verdict == "blank"
    assert judge(question("design", 1, 1, 1), "small").why == "this is no layer; write it as K64 F3 S1 P1"
    gradient = question("backward", 2, 1, 1)
    assert judge(gradient, "1 2").why == "4 numbers are asked for"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"design": 201}, "at most 200"),
        ({"field": 1, "amount": 3}, "--amount is for layers"),
        ({"field": 1, "blank": "weights"}, "--blank is for layers"),
        ({"field": 1, "level": "5"}, "--level 5"),
        ({"field": 1, "seed": -1}, "--seed -1"),
    ],
)
def test_sheets_of_questions_refuse_what_makes_no_sense(options: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        any_sheet(**options)


def test_a_network_has_no_questions_of_its_own() -> None:
    with pytest.raises(UsageError, match="--design asks questions of its own"):
        any_sheet(convcalc.load("lenet5").record, design=1)


def test_bytes_of_a_network_s_outputs_can_be_asked() -> None:
    """LeNet-5's first output: 6·28·28 values of 4 bytes."""
    sheet = convcalc.load("lenet5").worksheet(blank="memory")
    first = sheet.exercises[0]
    assert (first.answer, first.working) == (6 * 28 * 28 * 4, "6·28·28 values · 4 bytes")
    marked = convcalc.check_sheet(sheet.to_text("csv").replace("memory,", "memory,4704", 1))
    assert marked.marks[0].why == "these are the values: each takes 4 bytes"


def test_questions_go_out_and_come_back() -> None:
    sheet = convcalc.worksheet(design=2, field=2, memory=2, backward=3, seed=6)
    for form in ("csv", "json"):
        key = convcalc.worksheet(design=2, field=2, memory=2, backward=3, seed=6, answers=True).to_text(form)
        assert convcalc.check_sheet(key).all_right
        blank = convcalc.check_sheet(sheet.to_text(form))
        assert (blank.right, blank.total) == (0, 9)
        assert {mark.verdict for mark in blank.marks} == {"blank"}
    assert all(isinstance(asked, Question) for asked in sheet.exercises)
