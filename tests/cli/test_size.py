"""`convcalc size` as a person types it."""

from __future__ import annotations

import csv
import io
import json

import pytest

from convcalc.render.formats import FORMATS


def test_why_is_it_55(convcalc) -> None:
    """A stranger finds the command from --help alone."""
    assert "Why is it 55?" in convcalc("--help").stdout
    shown = convcalc("size", "227", "--kernel", "11", "--stride", "4").stdout
    assert shown.startswith("227 → 55")
    for line in ("227 − 11 + 1 = 217", "(227 − 11 + 2·0)/4 + 1 = 55", "216 = 54·4 + 0", "window 55"):
        assert line in shown


def test_json_of_a_whole_layer(convcalc) -> None:
    done = convcalc("size", "227x227x3", "-F", "11", "-S", "4", "-K", "96", "--format", "json")
    value = json.loads(done.stdout)
    assert (value["input"], value["output"]) == ([3, 227, 227], [96, 55, 55])
    assert (value["weights"], value["biases"], value["macs"]) == (34_848, 96, 105_415_200)
    assert [axis["axis"] for axis in value["axes"]] == ["height", "width"]
    assert value["axes"][0]["remainder"] == 0
    assert value["axes"][0]["steps"][2]["text"] == "(227 − 11 + 2·0)/4 + 1 = 55"


@pytest.mark.parametrize(
    ("typed", "shape", "read_as"),
    [
        ("227x227x3", [3, 227, 227], ["height", "width", "channels"]),
        ("3x227x227", [3, 227, 227], ["channels", "height", "width"]),
        ("1x28x28", [1, 28, 28], ["channels", "height", "width"]),
        ("3x224x320", [3, 224, 320], ["channels", "height", "width"]),
        ("64x56x56", [64, 56, 56], ["channels", "height", "width"]),
        ("56x56x64", [64, 56, 56], ["height", "width", "channels"]),
        (
            "64x56x48",
            [48, 64, 56],
            ["height", "width", "channels"],
        ),  # the lecture's order, where nothing tells
        ("16x112x112x3", [3, 16, 112, 112], ["depth", "height", "width", "channels"]),
        ("3x16x112x112", [3, 16, 112, 112], ["channels", "depth", "height", "width"]),
        ("227x227", [227, 227], None),
        ("227", [227], None),
    ],
)
def test_channels_may_come_first_or_last(
    convcalc, typed: str, shape: list[int], read_as: list[str] | None
) -> None:
    """227×227×3 as in the lecture, 3×227×227 as in PyTorch: both are read, and the answer says how."""
    value = json.loads(convcalc("size", typed, "-F", "3", "-P", "1", "--format", "json").stdout)
    assert (value["input"], value["output"], value["read_as"]) == (shape, shape, read_as)
    title = convcalc("size", typed, "-F", "3", "-P", "1").stdout.splitlines()[0]
    assert title.startswith(f"{typed.replace('x', '×')} → {typed.replace('x', '×')}")
    assert title.endswith(f"; read as {' × '.join(read_as)}" if read_as else "P 1")


def test_the_question_turned_round_says_how_the_input_was_read(convcalc) -> None:
    for typed, read in (
        ("3x227x227", "channels × height × width"),
        ("227x227x3", "height × width × channels"),
    ):
        done = convcalc("size", typed, "-F", "11", "-P", "0", "--output", "55")
        assert done.stdout.startswith(f"which stride gives 55?  input 227, F 11, P 0; read as {read}\n")


def test_one_side_stands_for_both(convcalc) -> None:
    """The lecture's W1: with channels, 32 is a 32×32 map. LeNet-5's first layer has 150 weights."""
    value = json.loads(convcalc("size", "32", "-F", "5", "-K", "6", "--format", "json").stdout)
    assert (value["output"], value["weights"]) == ([6, 28, 28], 150)


def test_sides_that_differ(convcalc) -> None:
    value = json.loads(
        convcalc("size", "9x10", "-F", "2x3", "-S", "1x2", "-P", "1x0+1", "--format", "json").stdout
    )
    # height 9 − 2 + 2 + 1 = 10; width (10 − 3 + 1)/2 + 1 = 5
    assert value["output"] == [10, 5]
    assert [axis["padding"] for axis in value["axes"]] == [[1, 1], [0, 1]]


def test_the_question_turned_round(convcalc) -> None:
    done = convcalc("size", "227", "--kernel", "3", "--output", "227", "--format", "json")
    (axis,) = json.loads(done.stdout)["axes"]
    assert [(one["value"], one["exact"]) for one in axis["solutions"]] == [(1, True)]
    rows = list(
        csv.DictReader(
            io.StringIO(convcalc("size", "-F", "3", "-S", "2", "--output", "7", "--format", "csv").stdout)
        )
    )
    assert [(row["input"], row["exact"]) for row in rows] == [("15", "True"), ("16", "False")]


def test_each_side_may_have_an_answer_of_its_own(convcalc) -> None:
    """Height 5 keeps its size with 1 + 1; width 6 becomes 5 with 0 + 1."""
    shown = convcalc("size", "5x6", "-F", "3", "--output", "5").stdout
    assert shown.startswith("which padding gives 5×5?  input 5×6, F 3, S 1")
    value = json.loads(convcalc("size", "5x6", "-F", "3", "--output", "5", "--format", "json").stdout)
    found = [[one["padding"] for one in axis["solutions"]] for axis in value["axes"]]
    assert found == [[[1, 1]], [[0, 1]]]


def test_no_solution_says_what_else_would(convcalc) -> None:
    done = convcalc("size", "227", "-F", "11", "--output", "55")
    assert done.returncode == 1
    assert "no padding gives 55" in done.stdout
    assert "stride 4 would: --solve stride" in done.stdout


def test_nothing_left_out_is_checked(convcalc) -> None:
    everything = ("227", "-F", "11", "-S", "4", "-P", "0", "--dilation", "1", "--output")
    assert convcalc("size", *everything, "55").returncode == 0
    done = convcalc("size", *everything, "56")
    assert done.returncode == 1
    assert "the output is 55, not 56" in done.stderr


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in ("table", "json")])
def test_every_format(convcalc, form: str) -> None:
    done = convcalc("size", "55", "-F", "3", "-S", "2", "--format", form)
    assert done.returncode == 0
    assert "53" in done.stdout
    assert "█" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "size needs the input"),
        (("227",), 2, "size needs the kernel"),
        (("5", "-F", "7"), 2, "a window of 7 does not fit an axis of 5"),
        (("8", "-F", "3", "-S", "2", "--rounding", "exact"), 2, "leaves remainder 1"),
        (("x", "-F", "3"), 2, "needs one number"),
        (("alexnet", "-F", "3"), 2, "convcalc show alexnet --explain has a network's"),
        (("227", "11", "4"), 2, "'11' is an argument too many: the window is given by options"),
        (("227", "--input", "224", "-F", "3"), 2, "the input is given twice: 227 and --input 224"),
        (("227", "-F", "-3"), 2, "needs one number"),
        (("227", "-F", "0"), 2, "needs numbers from 1 to 100,000"),
        (("9" * 5000, "-F", "3"), 2, "needs numbers from 1 to 100,000"),
        (("3x227x227", "-F", "3", "--channels", "3", "-K", "0"), 2, "0 is not in the range"),
        (("3x16x227x227", "-F", "3", "--channels", "3"), 2, "holds its channels; leave --channels out"),
        (("1x2x3x4x5", "-F", "3"), 2, "needs 1 to 4 numbers"),
        (("5x6", "-F", "1x2x3"), 2, "but there are 3 dimensions"),
        (("5", "-F", "3", "-P", "1+2+3"), 2, "two sides"),
        (("5", "-F", "3", "-P", "some"), 2, "needs a number, same or valid"),
        (("5", "-F", "3", "--solve", "stride"), 2, "needs --output"),
        (("--output", "5", "--solve", "padding", "-F", "3"), 2, "size needs the input"),
        (("7", "-F", "1", "-P", "0", "-S", "1", "--output", "5"), 2, "whatever the dilation"),
        (("7", "-F", "3", "-K", "8", "--output", "5"), 2, "does not go with --output"),
    ],
)  # fmt: skip
def test_bad_arguments(convcalc, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = convcalc("size", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_largest_numbers_answer_at_once(convcalc) -> None:
    for arguments in (
        ("100000", "-F", "50000", "--dilation", "2"),
        ("100000", "-F", "1", "-S", "3"),
        ("100000", "-F", "3", "-P", "0", "--output", "1"),
        ("-F", "100000", "-S", "100000", "-P", "100000", "--output", "100000"),
    ):
        assert convcalc("size", *arguments).returncode == 0


def test_the_input_as_an_option(convcalc) -> None:
    """As `matrix --input` takes it."""
    options = ("-F", "11", "-S", "4", "--format", "csv")
    assert convcalc("size", "--input", "227", *options).stdout == convcalc("size", "227", *options).stdout


def test_a_transposed_convolution_draws_its_own_inputs_only(convcalc) -> None:
    """PyTorch takes an output padding below the dilation, too. Of (4 − 1)·2 + 7 − 2 + 2 = 13 pixels a
    convolution with the same window makes 5, one more than there were; the picture has the 4."""
    shown = convcalc(
        "size",
        "4",
        "-F",
        "3",
        "-S",
        "2",
        "-P",
        "1",
        "--dilation",
        "3",
        "--output-padding",
        "2",
        "--transposed",
    ).stdout
    assert "4 → 13" in shown
    assert "input 4" in shown
    assert "input 5" not in shown
    assert "⌊(W2 − F′ + 2P)/S⌋ + 1 > W1" in shown
    # input i writes 2i − 1, 2i + 2 and 2i + 5: all of 0 … 12 but 0, 10 and 12
    last = next(line for line in shown.splitlines() if line.startswith("never written"))
    assert [place - 15 for place, mark in enumerate(last) if mark == "×"] == [0, 10, 12]
