"""The same from Python."""

from __future__ import annotations

import copy
import csv
import doctest
import io
import json
import re
from fractions import Fraction
from pathlib import Path

import pytest

import convcalc
from convcalc.api import choices, functions, net
from convcalc.render.formats import SUFFIXES

DIGIT = Path(__file__).parent / "data" / "digits" / "7_0.png"
CLASS = Path(__file__).parent / "data" / "worksheets" / "class"


def test_load_totals_and_layers() -> None:
    net = convcalc.load("alexnet")
    assert net.totals.weights == 28_813_344
    assert [layer.output_shape[1] for layer in net.layers if layer.kind in ("conv", "maxpool")] == [
        55, 27, 23, 11, 9, 7, 5, 2,
    ]  # fmt: skip
    assert "28,823,912 params" in repr(net)


def test_settings_and_input() -> None:
    net = convcalc.load("googlenet", settings={"head": "dense"})
    assert max(layer.weights for layer in net.layers) == 50_176_000
    assert convcalc.load("vgg16", input_shape=(3, 448, 448)).graph.input_shape == (3, 448, 448)
    assert convcalc.load("vgg16", input_shape="448").graph.input_shape == (3, 448, 448)


def test_forward_and_html() -> None:
    net = convcalc.load("lenet5")
    result = net.forward(DIGIT)
    assert result.top[0].label == "7"
    assert "<table" in net._repr_html_()


def test_errors_are_one_family() -> None:
    with pytest.raises(convcalc.ConvcalcError, match="did you mean 'alexnet'"):
        convcalc.load("alxnet")


def test_a_wrong_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError):
        convcalc.nothing  # noqa: B018


@pytest.mark.parametrize("module", [convcalc, choices, functions, net], ids=lambda module: module.__name__)
def test_examples_in_docstrings(module, tmp_path, monkeypatch) -> None:
    (tmp_path / "seven.png").write_bytes(DIGIT.read_bytes())
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(module, extraglobs={"convcalc": convcalc})
    assert result.attempted
    assert not result.failed


def test_every_function_has_an_example() -> None:
    found = [value for value in map(vars(convcalc.Network).get, dir(convcalc.Network)) if callable(value)]
    commands = [value for value in found if not value.__name__.startswith("_")]
    commands += [getattr(convcalc, name) for name in convcalc.__all__ if name[0].islower()]
    assert [function.__name__ for function in commands if ">>> " not in (function.__doc__ or "")] == []


def test_dir_lists_what_there_is() -> None:
    """Each of them can be had, and `from convcalc import *` gives them."""
    for name in dir(convcalc):
        assert getattr(convcalc, name) is not None
    assert set(convcalc.__all__) == set(dir(convcalc)) == {*convcalc._PLACES, "__version__"}
    assert {"load", "list", "matrix", "schema", "size", "docs"} <= set(dir(convcalc))
    assert {"show", "explain", "diff", "reconcile", "forward", "layers", "totals", "graph"} <= set(
        dir(convcalc.load("lenet5"))
    )


VIEWS = {
    "network": lambda net: net,
    "show": lambda net: net.show(depth=1),
    "columns": lambda net: net.show(columns="layer,intensity"),
    "explain": lambda net: net.explain(),
    "diff": lambda net: net.diff(convcalc.load("alexnet")),
    "reconcile": lambda net: net.reconcile("60k"),
    "field": lambda net: net.field(depth=1),
    "unit": lambda net: net.field("conv2"),
    "pixel": lambda net: net.field(pixel=(5, 5)),
    "between": lambda net: net.field(between=((0, 0), (9, 9))),
    "forward": lambda net: net.forward(DIGIT),
    "profile": lambda net: net.forward(DIGIT, backend="reference", profile=True),
    "batch": lambda net: net.forward([DIGIT, DIGIT]),
    "list": lambda net: convcalc.list("vgg"),
    "size": lambda net: convcalc.size("3x227x227", kernel=11, stride=4, filters=96),
    "solved": lambda net: convcalc.size(227, kernel=3, output=227),
    "matrix": lambda net: convcalc.matrix("4x4", weights="w x; y z"),
    "matrix of a layer": lambda net: net.matrix("conv1"),
    "matrices": lambda net: net.matrix(),
    "filtered": lambda net: convcalc.apply("edges", DIGIT),
    "worksheet": lambda net: net.worksheet(),
    "key": lambda net: convcalc.worksheet(level=2, answers=True),
    "marked sheet": lambda net: convcalc.check_sheet(net.worksheet().to_text("csv")),
    "marked sheets": lambda net: convcalc.check_sheet(CLASS),
    "search": lambda net: convcalc.docs(search="dilation"),
}


@pytest.mark.parametrize("name", VIEWS)
def test_views_turn_into_rows_json_text_and_a_page(name: str) -> None:
    """Rows have the columns and the cells of the CSV."""
    shown = VIEWS[name](convcalc.load("lenet5"))
    json.dumps(shown.to_dict(), allow_nan=False)
    rows = shown.rows()
    lines = [*csv.DictReader(io.StringIO(shown.to_text("csv")))]
    assert lines
    assert [{key: "" if cell is None else str(cell) for key, cell in row.items()} for row in rows] == lines
    assert {type(cell) for row in rows for cell in row.values()} <= {bool, int, float, str, type(None)}
    assert f"{shown}\n" == shown.to_text() == shown.to_text("table")
    assert repr(shown).startswith("<")
    assert "\n" not in repr(shown)
    assert "<table" in shown._repr_html_()


def test_a_notebooks_rules_hold_within_the_table_alone() -> None:
    """And set no colour of text or paper but of what was added and removed, so that they suit light and dark."""
    style = convcalc.load("lenet5")._repr_html_().partition("<style>")[2].partition("</style>")[0]
    rules = re.findall(r"([^{}]+)\{([^{}]*)\}", style)
    assert rules
    for selectors, body in rules:
        assert all(selector.strip().startswith(".convcalc") for selector in selectors.split(","))
        colours = re.findall(r"(?<!-)color: ([^;]+);", body)
        assert "tr.green" in selectors or "tr.red" in selectors or set(colours) <= {"inherit"}
        assert "background: " not in body or "background: transparent" in body


def test_a_view_saves_itself_as_its_suffix_says(tmp_path) -> None:
    net = convcalc.load("lenet5")
    for suffix, form in SUFFIXES.items():
        net.save(tmp_path / f"net{suffix}")
        assert (tmp_path / f"net{suffix}").read_text(encoding="utf-8") == net.to_text(form)
    with pytest.raises(convcalc.UsageError, match="cannot write \\.docx"):
        net.save(tmp_path / "net.docx")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: convcalc.load("lenet5", dtype="float8"), "dtype='float8'"),
        (lambda: convcalc.load("lenet5", batch=0), "batch=0"),
        (lambda: convcalc.load("lenet5", input_shape=(1, -1, 32)), "input_shape=\\(1, -1, 32\\)"),
        (lambda: convcalc.load("lenet5", input_shape=("1", 32, 32)), "input_shape="),
        (lambda: convcalc.load("lenet5").show(depth=0), "depth=0"),
        (lambda: convcalc.load("lenet5").field(depth=-1), "depth=-1"),
        (lambda: convcalc.load("lenet5").field("conv1", unit="0,0"), "unit='0,0'"),
        (lambda: convcalc.load("lenet5").field(pixel=(0.5, 0)), "pixel="),
        (lambda: convcalc.load("lenet5").forward(DIGIT, backend="cuda"), "backend='cuda'"),
        (lambda: convcalc.load("lenet5").forward(DIGIT, threads=-1), "threads=-1"),
        (lambda: convcalc.load("lenet5").forward(DIGIT, top=0), "top=0"),
        (lambda: convcalc.load("lenet5").forward(DIGIT, seed=-1), "seed=-1"),
        (lambda: convcalc.load("lenet5").forward([]), "nothing to push through"),
    ],
)
def test_arguments_that_the_command_line_refuses_are_refused_here_too(call, message: str) -> None:
    with pytest.raises(convcalc.UsageError, match=message):
        call()


def test_a_shape_may_be_a_list() -> None:
    assert convcalc.load("vgg16", input_shape=[3, 448, 448]).graph.input_shape == (3, 448, 448)


def test_pictures_and_outputs_are_saved(tmp_path) -> None:
    net = convcalc.load("lenet5")
    net.field("conv2", image=DIGIT).save(tmp_path / "field.png")
    assert (tmp_path / "field.png").read_bytes().startswith(b"\x89PNG")
    result = net.forward(DIGIT)
    result.save(tmp_path / "output.json")
    assert json.loads((tmp_path / "output.json").read_text())["softmax1"]["values"] == list(result.run.values)


def test_work_is_told_as_it_is_done() -> None:
    """The parts of one image add up to its MACs; of several images each is one part."""
    net = convcalc.load("lenet5")
    told: list[tuple[int, int, str]] = []
    net.forward(DIGIT, backend="reference", advance=lambda *part: told.append(part))
    assert sum(done for done, _, _ in told) == net.totals.macs
    assert {total for _, total, _ in told} == {net.totals.macs}
    told.clear()
    found = net.forward([DIGIT, DIGIT], backend="reference", advance=lambda *part: told.append(part))
    assert told == [(net.totals.macs, 2 * net.totals.macs, DIGIT.name)] * 2
    assert [outcome.top[0].label for outcome in found.outcomes] == ["7", "7"]


def test_a_view_has_what_its_record_has() -> None:
    change = convcalc.load("alexnet").diff(convcalc.load("zfnet"))
    assert change.pairs is change.record.pairs
    assert "pairs" in dir(change)
    with pytest.raises(AttributeError, match="neither View nor Diff has 'pears'"):
        change.pears  # noqa: B018
    assert copy.copy(change).record is change.record


def test_errors_are_those_of_the_command_line() -> None:
    net = convcalc.load("lenet5")
    for call, message in (
        (lambda: net.show(columns="layer,mac"), "did you mean 'macs'"),
        (lambda: net.explain("conv9"), "lenet5 has no layer 'conv9'"),
        (lambda: net.field("conv9"), "lenet5 has no layer 'conv9'"),
        (lambda: net.field("conv1", pixel=(0, 0)), "ask different questions"),
        (lambda: net.field(unit=(0, 0)), "--unit needs the layer it is of"),
        (lambda: net.field(pixel=(40, 0)), "the image has no pixel 40,0"),
        (lambda: net.field("conv1").save("field.jpg"), "written as .svg, .png, .pdf or .tex"),
        (lambda: net.forward(DIGIT).save("output.txt"), "cannot write .txt"),
        (lambda: net.forward([DIGIT, DIGIT], profile=True), "a profile is of one image"),
        (lambda: net.reconcile("many"), "needs a figure"),
        (lambda: convcalc.list("nothing"), "no architecture matches"),
        (lambda: convcalc.list(sort="size"), "no order 'size'"),
        (lambda: convcalc.docs("convv"), "the manual has no topic"),
        (lambda: convcalc.size(227), "size needs the kernel"),
        (lambda: convcalc.size(5, kernel=7), "a window of 7 does not fit"),
        (lambda: convcalc.size(227, kernel=3, rounding="up"), "--rounding up: needs one of floor, ceil"),
        (lambda: convcalc.matrix("4x4", kernel=2, filters=0), "--filters 0: needs a number from 1"),
        (lambda: convcalc.matrix("4x4", weights=[[1, 2], [3]]), "row 2 has 1 value"),
        (lambda: net.matrix("conv9"), "lenet5 has no convolution 'conv9'"),
        (lambda: net.matrix().save("matrix.png"), "--output writes one layer's matrix"),
        (lambda: net.worksheet(blank=["output", "color"]), "nothing called 'color'"),
        (lambda: net.worksheet(amount=0), "--amount 0"),
        (lambda: convcalc.worksheet(level=5), "--level 5: needs a level from 1 to 4"),
        (lambda: convcalc.check_sheet(net.worksheet().to_text("csv"), network="alexnet"), "not of alexnet"),
        (lambda: convcalc.apply("relu"), "needs an operator and an input"),
        (lambda: convcalc.apply("relu", "a b"), "cannot work on letters"),
        (lambda: convcalc.apply("relu", "1 2", steps=True), "relu moves no window"),
        (lambda: convcalc.apply("relu", "1 2", max_size=9), "--max-size is for images"),
        (lambda: convcalc.apply("blur", DIGIT, decimals=2), "--decimals is for matrices"),
        (lambda: convcalc.apply("relu", "1 2", mode="turned"), "--mode turned: needs one of correlation"),
        (
            lambda: convcalc.apply("relu", "1 2").save("out.jpg"),
            "written as .svg, .png, .pdf, .tex, .gif or .csv",
        ),
        (lambda: net.to_text("word"), "there is no format 'word'"),
    ):
        with pytest.raises(convcalc.UsageError, match=message):
            call()


def test_matrices_are_text_lists_or_arrays() -> None:
    """Numbers stay exact; the text of the command line gives the same."""
    numpy = pytest.importorskip("numpy")
    for given in ("1 2; 3 4", [[1, 2], [3, 4]], ((1, 2), (3, 4)), numpy.array([[1, 2], [3, 4]])):
        assert convcalc.apply("conv", given, weights="1/3 0; 0 1").applications[0].output.values == [
            Fraction(13, 3)
        ]
    kernels = [numpy.eye(2, dtype=int), "0 1; 1 0"]
    assert convcalc.apply("conv", "1 2; 3 4", weights=kernels).applications[0].output.values == [5, 5]
    assert convcalc.matrix("2x3", weights=[[1, 2], [3, 4]]).labels == ["1", "2", "3", "4"]


def test_files_of_one_layer(tmp_path) -> None:
    """Written as the command line writes them; the bytes are read back by others."""
    numpy = pytest.importorskip("numpy")
    convcalc.matrix("2x3", weights="1 2; 3 4").save(tmp_path / "matrix.npz")
    assert numpy.load(tmp_path / "matrix.npz")["matrix"].tolist() == [[1, 2, 0, 3, 4, 0], [0, 1, 2, 0, 3, 4]]
    convcalc.apply("relu", "-1 2; 3 -4").save(tmp_path / "relu.csv")
    assert (tmp_path / "relu.csv").read_text() == "0,2\n3,0\n"
    convcalc.apply("edges", DIGIT).save(tmp_path / "edges.png")
    assert (tmp_path / "edges.png").read_bytes().startswith(b"\x89PNG")


def test_a_size_that_is_not_the_wanted_one_says_so() -> None:
    """(227 − 11)/4 + 1 = 55."""
    window = {"kernel": 11, "stride": 4, "padding": 0, "dilation": 1}
    assert convcalc.size(227, output=55, **window).mismatch is None
    assert "the output is 55, not 54" in str(convcalc.size(227, output=54, **window).mismatch)


def test_steps_are_in_the_text_and_in_the_record() -> None:
    """A 2×2 pool with stride 1 on 2×3 stands at two positions."""
    pooled = convcalc.apply("maxpool: {kernel: 2, stride: 1}", "1 4 2; 5 8 3", steps=True)
    assert [step.working for step in pooled.steps[0]] == ["max(1, 4, 5, 8)", "max(4, 2, 8, 3)"]
    assert "step 2 of 2" in str(pooled)
