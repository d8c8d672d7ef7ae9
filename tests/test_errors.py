"""How errors show themselves, and what they suggest."""

from __future__ import annotations

import pytest

from convcalc.errors import (
    ConvcalcError,
    ImageError,
    Mark,
    Problems,
    ShapeError,
    SpecError,
    SpecErrors,
    UsageError,
    WeightsError,
    did_you_mean,
)

LINE = "  - conv: {filters: 16, kernal: 5}"


def test_an_error_says_where_what_and_what_would_do():
    mark = Mark("lenet.yaml", 7, 25, LINE, 6)
    error = SpecError("conv2: no field 'kernal' for conv; did you mean 'kernel'?", mark=mark, hint="one\ntwo")
    assert str(error).splitlines() == [
        "lenet.yaml:7:25: conv2: no field 'kernal' for conv; did you mean 'kernel'?",
        "    - conv: {filters: 16, kernal: 5}",
        "                          ^^^^^^",
        "    one",
        "    two",
    ]


def test_an_error_without_a_place():
    assert str(ConvcalcError("it is wrong")) == "it is wrong"
    assert str(ConvcalcError("it is wrong", hint="mend it")) == "it is wrong\n    mend it"


def test_the_uses_that_led_there():
    uses = [Mark("a.yaml", line, 3) for line in range(1, 11)]
    lines = str(SpecError("wrong", used_at=uses)).splitlines()
    assert lines[1] == "    used at a.yaml:1:3"
    assert lines[8:] == ["    used at a.yaml:8:3", "    and 2 uses further out"]


@pytest.mark.parametrize(
    ("text", "column", "length", "excerpt"),
    [
        ("abc", 2, 1, ["    abc", "     ^"]),
        ("abc", 2, 99, ["    abc", "     ^^"]),
        ("abc", 9, 1, ["    abc", "            ^"]),
        ("   abc   ", 4, 3, ["    abc", "    ^^^"]),
        ("", 1, 1, []),
        ("a\tb", 3, 1, ["    a b", "      ^"]),
        ("x" * 300, 250, 2, ["    " + "x" * 100, "    " + " " * 49 + "^^"]),
        ("x" * 300, 150, 2, ["    " + "x" * 100, "    " + " " * 33 + "^^"]),
    ],
)
def test_excerpts(text, column, length, excerpt):
    assert Mark("f", 1, column, text, length).excerpt() == excerpt


def test_nothing_in_an_error_commands_a_terminal():
    mark = Mark("a\x1b.yaml", 1, 1, "b\x1b[31m", 3)
    text = str(SpecError("no key '\x1b[31m\n'", mark=mark, hint="try\x07this"))
    assert all(line.isprintable() for line in text.splitlines())
    assert len(text.splitlines()) == 4


@pytest.mark.parametrize(
    ("kind", "code"),
    [(SpecError, 1), (ShapeError, 1), (WeightsError, 1), (ImageError, 1), (UsageError, 2)],
)
def test_exit_codes(kind, code):
    assert kind("x").exit_code == code
    assert isinstance(kind("x"), ConvcalcError)


@pytest.mark.parametrize(
    ("word", "known", "expected"),
    [
        ("kernal", ["kernel", "stride"], "; did you mean 'kernel'?"),
        ("f", ["F", "K"], "; did you mean 'F'?"),
        ("ALEXNET", ["alexnet"], "; did you mean 'alexnet'?"),
        ("xyz", ["kernel"], ""),
        ("cnv", ["conv"], "; did you mean 'conv'?"),  # a letter missing
        ("convv", ["conv"], "; did you mean 'conv'?"),  # one too many
        ("wieghts", ["weights"], "; did you mean 'weights'?"),  # two that changed places
        ("clases", ["glasses", "classes"], "; did you mean 'classes'?"),
        ("dialtoin", ["dilation"], "; did you mean 'dilation'?"),  # one slip in four letters
        ("batchnrom1", ["batchnorm2", "batchnorm1"], "; did you mean 'batchnorm1'?"),
        ("stage2.convv", ["stage2.conv", "stage1.conv"], "; did you mean 'stage2.conv'?"),
        # one slip too many
        ("activation", ["dilation"], ""),
        ("attention", ["flatten"], ""),
        ("groupnorm", ["group"], ""),
        ("global_maxpool", ["global_avgpool"], ""),
        ("minpool", ["maxpool"], ""),
        ("relu", ["elu2", "gelu1"], ""),
        ("ab", ["ba", "ac"], ""),
        ("", ["kernel"], ""),
        ("kernel", [], ""),
        ("k" * 1000, ["k" * 999], ""),
    ],
)
def test_did_you_mean(word, known, expected):
    assert did_you_mean(word, known) == expected


def problem(message, line, file="a.yaml"):
    return SpecError(message, mark=Mark(file, line, 1))


def test_problems_are_reported_once_each_file_by_file_line_by_line():
    problems = Problems()
    for each in (
        problem("x", 5, "b.yaml"),
        problem("z", 9),
        problem("y", 2),
        problem("y", 2),
        problem("w", 1, "b.yaml"),
    ):
        problems.append(each)
    problems.append(SpecError("placeless"))
    with pytest.raises(SpecErrors) as caught:
        problems.fail()
    assert [error.message for error in caught.value.errors] == ["placeless", "w", "x", "y", "z"]
    assert str(caught.value).splitlines()[:2] == ["placeless", "b.yaml:1:1: w"]


def test_one_problem_is_an_error_and_none_is_none():
    problems = Problems()
    problems.fail()
    problems.append(problem("x", 1))
    with pytest.raises(SpecError) as caught:
        problems.fail()
    assert type(caught.value) is SpecError


def test_problems_end_somewhere():
    problems = Problems()
    with pytest.raises(SpecErrors) as caught:  # noqa: PT012
        for line in range(1_000):
            problems.append(problem("x", line))
    assert len(caught.value.errors) == Problems.MAX
    assert str(caught.value).endswith("and 80 more errors")
