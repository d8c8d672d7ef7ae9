"""Worksheets: the lecture's tables as answers, the same sheet from the same seed, and marking with reasons."""

from __future__ import annotations

import csv
import io
import json
import sys

import pytest

from convcalc.analysis.analyse import analyse
from convcalc.errors import ConvcalcError, UsageError
from convcalc.exercises import worksheet
from convcalc.exercises.filled import exercises, read_entries
from convcalc.exercises.marking import mark
from convcalc.exercises.worksheet import find, layers_sheet, network_sheet, parse_asks, single_layer
from convcalc.graph import INPUT
from convcalc.language.load import load_graph
from convcalc.render.table import texts, to_csv
from convcalc.report.worksheet import page_html, page_latex, page_markdown, sheet_table, sheet_value

# lecture 11: LeNet-5's table; sizes as C×H×W
LECTURE = {
    ("conv1", "output"): (6, 28, 28), ("conv1", "weights"): 150, ("maxpool1", "output"): (6, 14, 14),
    ("maxpool1", "weights"): 0, ("conv2", "output"): (16, 10, 10), ("conv2", "weights"): 2400,
    ("maxpool2", "output"): (16, 5, 5), ("maxpool2", "weights"): 0, ("flatten1", "output"): (400,),
    ("dense1", "output"): (120,), ("dense1", "weights"): 48000, ("dense2", "output"): (84,),
    ("dense2", "weights"): 10080, ("dense3", "output"): (10,), ("dense3", "weights"): 840,
}  # fmt: skip


def sheet(name="lenet5", asks=("output", "weights"), amount=None, seed=0):
    return network_sheet(analyse(load_graph(name)), asks, amount, seed)


def exercise(name, layer, asks):
    return next(one for one in sheet(name, (asks,)).exercises if one.node.name == layer)


def test_the_key_is_the_lectures_table():
    assert {(one.node.name, one.asks): one.answer for one in sheet().exercises} == LECTURE


def test_a_seed_draws_the_same_cells_and_another_other_ones():
    draws = [
        [(one.node.name, one.asks) for one in sheet("alexnet", amount=7, seed=seed).exercises]
        for seed in (1, 1, 2, 3)
    ]
    assert draws[0] == draws[1]
    assert len(draws[0]) == 7
    assert len({tuple(draw) for draw in draws}) == 3


def test_work_grows_with_the_layers_not_with_their_square(tmp_path):
    """Twice the layers are twice the lines run, not four times as many."""

    def lines(layers):
        path = tmp_path / "net.yaml"
        path.write_text(
            f"name: x\ninput: [1, 3, 2]\nlayers: [conv: {{filters: 1, kernel: 1, repeat: {layers}}}]\n"
        )
        analysis = analyse(load_graph(str(path)))
        run = 0

        def trace(frame, event, _):
            nonlocal run
            if frame.f_code.co_filename != worksheet.__file__:
                return None
            run += event == "line"
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            made = network_sheet(analysis, ("output", "weights"), None, 0)
        finally:
            sys.settrace(before)
        assert len(made.exercises) == 2 * layers
        return run

    assert lines(200) < 2.5 * lines(100)


def test_blanks_are_blank_and_nothing_else():
    drawn = sheet("alexnet", amount=5, seed=4)
    table = sheet_table(drawn)
    assert sum(cell.startswith("__") for row in texts(table) for cell in row) == 5
    key = sheet_table(drawn, answers=True)
    assert not any("__" in cell for row in texts(key) for cell in row)
    same = [
        (a, b)
        for one, two in zip(texts(table), texts(key), strict=True)
        for a, b in zip(one, two, strict=True)
        if not a.startswith("__")
    ]
    assert all(a == b for a, b in same)


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_single_layers_are_of_their_level(level):
    for number in range(1, 40):
        node = single_layer(level, 5, number).graph.nodes[0]
        axes = node.op.axes(node.input_shapes)
        fields = node.op.shown_fields()
        assert min(node.output_shape[1:]) >= 2
        if level == 1:
            assert node.kind == "conv"
            assert fields["padding"] == 0
            assert fields["stride"] == 1
        if level == 2:
            assert all(axis.remainder == 0 for axis in axes)
        if level == 3:
            assert any(axis.remainder for axis in axes)
            assert node.input_shapes[0][1] != node.input_shapes[0][2]


def test_a_single_layer_is_found_by_its_name_again():
    made = layers_sheet([1, 2, 3, 4], None, 12, 42)
    assert [row.name.split(".")[0] for row in made.rows] == list("111222333444")
    for one in made.exercises:
        again = find(one.name, one.asks)
        assert again is not None
        assert (again.node.op, again.answer) == (one.node.op, one.answer)


def test_layers_hang_on_the_seed():
    first = [row.node.op for row in layers_sheet([2], None, 6, 1).rows]
    assert first == [row.node.op for row in layers_sheet([2], None, 6, 1).rows]
    assert first != [row.node.op for row in layers_sheet([2], None, 6, 2).rows]


RIGHT = [
    ("conv1", "output", "96×55×55"), ("conv1", "output", "96x55x55"), ("conv1", "output", "55x55x96"),
    ("conv1", "output", "55*55*96"), ("conv1", "output", "96, 55, 55"), ("conv1", "output", "(96, 55, 55)"),
    ("fc1", "output", "4096"), ("fc1", "output", "4,096"), ("conv1", "weights", "34848"),
    ("conv1", "weights", "34,848"), ("conv1", "weights", "34 848"), ("conv1", "weights", "34.848"),
    ("conv1", "weights", "34'848"), ("conv5", "field", "163"), ("conv5", "field", "163x163"),
    ("maxpool1", "weights", "0"), ("maxpool1", "weights", "0.0"), ("conv1", "weights", "34848.0"),
    ("conv1", "weights", "34848,00"),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "asks", "given"), RIGHT)
def test_right_however_it_is_written(layer, asks, given):
    assert mark(exercise("alexnet", layer, asks), given).verdict == "right"


# the mistake made, worked by hand, and what must be said of it
MISTAKES = [
    ("conv1", "output", "96x54x54", "+ 1 is missing"),  # 216/4
    ("conv1", "output", "96x217x217", "stride is left out"),  # 216 + 1
    ("conv1", "output", "3x55x55", "number of filters, 96"),
    ("conv1", "output", "55x55", "depth is missing"),
    ("conv1", "output", "55", "depth is missing"),
    ("conv4", "output", "384x9x9", "input's size"),
    ("conv1", "output", "large", "not a size"),
    ("conv1", "weights", "34944", "biases"),  # + 96
    ("conv1", "weights", str(11 * 11 * 96), "as deep as its input"),
    ("conv1", "weights", str(11 * 11 * 3), "one filter"),
    ("conv1", "weights", str(11 * 3 * 96), "11×11 pixels"),
    ("conv1", "weights", "105415200", "MACs"),
    ("maxpool1", "weights", "9", "no weights"),
    ("fc1", "weights", "1024", "one unit"),
    ("conv1", "macs", "210830400", "FLOPs"),
    ("conv1", "macs", "34848", "the weights"),
    ("conv1", "macs", str(105415200 + 96 * 55 * 55), "added"),
    ("conv1", "macs", "363", "one output element"),
    ("conv1", "biases", str(96 * 55 * 55), "one bias for each filter"),
    ("conv1", "params", "34848", "biases are missing"),
    ("conv2", "field", "5", "kernel alone"),
    ("conv2", "field", "23", "strides before it"),  # 19 + 4
    ("conv2", "field", "19", "layer before"),
    ("conv2", "field", "59", "F − 1 steps"),  # 19 + 5·8
    ("conv1", "weights", "many", "not a number"),
    ("conv1", "weights", "0", "a conv layer has weights"),
    ("conv1", "biases", "0", "a conv layer has biases"),
    ("fc1", "macs", "0", "a dense layer has MACs"),
    ("conv1", "weights", "9" * 5000, "too long"),
]


@pytest.mark.parametrize(("layer", "asks", "given", "why"), MISTAKES)
def test_mistakes_are_recognised(layer, asks, given, why):
    marked = mark(exercise("alexnet", layer, asks), given)
    assert marked.verdict == "wrong"
    assert why in marked.why


def test_padding_and_rounding_mistakes(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(
        "name: net\ninput: [3, 32, 32]\nlayers: [{conv: {name: c, filters: 8, kernel: 5, padding: 2, stride: 2}}]\n",
        encoding="utf-8",
    )
    one = network_sheet(analyse(load_graph(str(path))), ("output",), None, 0).exercises[0]
    assert one.answer == (8, 16, 16)  # 31/2 + 1 = 16.5
    for given, why in (("8x14x14", "padding is left out"), ("8x17x17", "round down"), ("8x32x32", "stride")):
        assert why in mark(one, given).why, given
    path.write_text(path.read_text().replace("stride: 2", "stride: 1").replace("5", "7"), encoding="utf-8")
    one = network_sheet(analyse(load_graph(str(path))), ("output",), None, 0).exercises[0]
    assert "both sides" in mark(one, "8x28x28").why  # 32 − 7 + 2 + 1


def test_a_window_dropped_for_starting_in_the_padding_is_named(tmp_path):
    """5 pixels with one zero on each side, F 2, S 2: rounded up that is 4 windows, but the last reads no pixel."""
    path = tmp_path / "net.yaml"
    path.write_text(
        "name: net\ninput: [3, 5, 5]\nlayers: [{maxpool: {F: 2, S: 2, P: 1, rounding: ceil}}]\n",
        encoding="utf-8",
    )
    pool = network_sheet(analyse(load_graph(str(path))), ("output",), None, 0).exercises[0]
    assert pool.answer == (3, 3, 3)
    assert mark(pool, "3x4x4").why == "a last window that would start in the padding is dropped"


def test_commas_between_sizes_of_three_digits():
    """64,112,112 is 64×112×112 before it is sixty-four million (ResNet-18's first layer: 64 maps of 112²)."""
    one = exercise("resnet18", "conv1", "output")
    assert one.answer == (64, 112, 112)
    for given in ("64,112,112", "112,112,64", "64, 112, 112"):
        assert mark(one, given).verdict == "right", given
    assert "the depth is not" in mark(one, "3,112,112").why
    one = exercise("alexnet", "conv5", "field")
    assert mark(one, "163,163").verdict == "right"
    assert mark(one, "163,164").verdict == "wrong"


@pytest.mark.parametrize(
    ("asks", "answer"),
    [("weights", 34848.0), ("weights", 34848), ("output", [96.0, 55.0, 55]), ("output", "96,55,55")],
)
def test_whole_floats_in_json_are_right(tmp_path, asks, answer):
    path = tmp_path / "sheet.json"
    row = {"exercise": "1", "network": "alexnet", "layer": "conv1", "asks": asks, "answer": answer}
    path.write_text(json.dumps([row]), encoding="utf-8")
    read = exercises(str(path), read_entries(str(path)), lambda name: analyse(load_graph(name)))
    assert [mark(one, given).verdict for one, given in read] == ["right"]


def test_what_would_steer_a_terminal_is_taken_out_of_a_sheet(tmp_path):
    path = tmp_path / "sheet.json"
    row = {
        "exercise": "1",
        "network": "alexnet",
        "layer": "conv1",
        "asks": "weights",
        "answer": "\x1b[2J34848",
    }
    path.write_text(json.dumps({"name": "\x1b[31mEve\x07", "exercises": [row]}), encoding="utf-8")
    (entry,) = read_entries(str(path))
    assert (entry.person, entry.answer) == ("\ufffd[31mEve\ufffd", "\ufffd[2J34848")


def test_rounded_and_blank():
    one = exercise("alexnet", "conv2", "weights")
    assert mark(one, "0.6M").verdict == "rounded"
    assert mark(one, "614K").verdict == "rounded"
    assert mark(one, "  ").verdict == "blank"
    assert mark(one, "____").verdict == "blank"


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize(
    "made", [sheet("alexnet", ("output", "weights", "macs", "field")), layers_sheet([1, 4], None, 9, 8)]
)
def test_a_file_filled_in_from_the_key_is_all_right(tmp_path, made, form):
    """The answers of the key, put into the empty file."""
    path = tmp_path / f"sheet.{form}"
    answers = {(one.name, one.asks): one.answer for one in made.exercises}
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(to_csv(sheet_table(made)))))
        for row in rows:
            assert row["answer"] == ""
            answer = answers[row["exercise"], row["asks"]]
            row["answer"] = answer if isinstance(answer, int) else "×".join(map(str, answer))
        with path.open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter=";")
            writer.writeheader()
            writer.writerows(rows)
    else:
        value = sheet_value(made)
        for item in value["exercises"]:
            assert item["answer"] is None
            answer = answers[item["exercise"], item["asks"]]
            item["answer"] = answer if isinstance(answer, int) else list(answer)
        path.write_text(json.dumps(value), encoding="utf-8")
    loaded = exercises(str(path), read_entries(str(path)), lambda name: analyse(load_graph(name)))
    marks = [mark(one, given) for one, given in loaded]
    assert len(marks) == len(answers)
    assert {one.verdict for one in marks} == {"right"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no column 'exercise'"),
        ("a,b\n1,2\n", "no column 'exercise'"),
        ("exercise,asks,answer\n", "holds no exercises"),
        ("exercise,asks,answer\n1.2.3,colour,7\n", "nothing a worksheet asks"),
        ("exercise,asks,answer\n9.2.3,output,7\n", "no exercise '9.2.3'"),
        ("exercise,network,layer,asks,answer\n1,alexnet,conv9,output,7\n", "no layer 'conv9'"),
        ("exercise,network,layer,input,asks,answer\n1,alexnet,conv1,3x5x5,output,7\n", "reads 3x5x5"),
        ("{not json", "cannot be read as JSON"),
        ("[1, 2]", "list of exercises"),
        ('[{"exercise": "1.2.3"}]', "no column 'asks'"),
        ('exercise,asks,answer\n"1.2.3,output', "cannot be read as CSV"),
    ],
)
def test_files_that_are_no_worksheets(tmp_path, text, said):
    path = tmp_path / "sheet.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConvcalcError, match=said):
        list(exercises(str(path), read_entries(str(path)), lambda name: analyse(load_graph(name))))


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ConvcalcError, match="No such file"):
        read_entries(str(tmp_path / "none.csv"))
    with pytest.raises(ConvcalcError, match="cannot be read"):
        read_entries(str(tmp_path))
    (tmp_path / "latin.csv").write_bytes(b"exercise,asks,answer\n1,out\xe9,3\n")
    with pytest.raises(ConvcalcError, match="UTF-8"):
        read_entries(str(tmp_path / "latin.csv"))


def test_what_cannot_be_asked():
    with pytest.raises(UsageError, match="nothing called 'wieghts' to leave out; did you mean 'weights'"):
        parse_asks("output,wieghts")
    with pytest.raises(UsageError, match="names nothing"):
        parse_asks(" , ")
    with pytest.raises(UsageError, match="at most"):
        layers_sheet([1], None, 100_000, 0)


@pytest.mark.parametrize("name", ["lenet5", "googlenet", "resnet50", "torchvision/shufflenet_v2_x1_0"])
def test_every_question_has_a_worked_answer(name):
    for one in sheet(name, ("output", "weights", "biases", "params", "macs")).exercises:
        assert one.working, (one.node.name, one.asks)


def inputs_shown(made):
    """(layer, input) of every row of the CSV file, checked against the JSON."""
    rows = list(csv.DictReader(io.StringIO(to_csv(sheet_table(made)))))
    items = sheet_value(made)["exercises"]
    assert [row["input"] for row in rows] == [item["input"] or "" for item in items]
    return [(row["layer"], row["input"]) for row in rows]


@pytest.mark.parametrize("name", ["lenet5", "resnet50", "inception-module", "torchvision/densenet121"])
def test_a_file_does_not_print_the_answer_of_the_row_before(name):
    """All outputs are asked for, so that only layers which read the network's input show what they read."""
    made = sheet(name)
    first = {
        node.name for node in made.rows[0].analysis.graph if all(index == INPUT for index in node.inputs)
    }
    assert {layer for layer, shown in inputs_shown(made) if shown} <= first
    assert inputs_shown(made)[0][1] == "x".join(map(str, made.rows[0].analysis.graph.input_shape))


def test_inputs_that_nothing_asks_for_are_printed():
    """Weights alone are asked for: each row says what its layer reads (LeNet-5's sizes are the lecture's)."""
    assert inputs_shown(sheet(asks=("weights",))) == [
        ("conv1", "1x32x32"), ("maxpool1", "6x28x28"), ("conv2", "6x14x14"), ("maxpool2", "16x10x10"),
        ("dense1", "400"), ("dense2", "120"), ("dense3", "84"),
    ]  # fmt: skip


def test_an_activation_between_does_not_give_the_answer_away(tmp_path):
    """conv → batchnorm → relu → conv, of which the first output is drawn and the batchnorm's is not."""
    path = tmp_path / "net.yaml"
    path.write_text(
        "name: net\ninput: [3, 9, 8]\nlayers:\n  - conv: {name: a, filters: 5, kernel: 2}\n  - batchnorm\n  - relu\n"
        "  - conv: {name: b, filters: 4, kernel: 2}\n  - conv: {name: c, filters: 3, kernel: 2}\n"
        "  - add: {name: d, from: [c, c]}\n",
        encoding="utf-8",
    )
    analysis = analyse(load_graph(str(path)))
    for seed in range(60):
        made = network_sheet(analysis, ("output", "weights"), 3, seed)
        asked = {exercise.node.name for exercise in made.exercises if exercise.asks == "output"}
        shown = dict(inputs_shown(made))
        if "a" in asked and "batchnorm1" not in asked and "b" in shown:
            assert shown["b"] == ""
            return
    raise AssertionError("no sheet asked for a and b")


def test_pages_hold_every_row_and_no_answer():
    made = sheet()
    for page in (page_html, page_latex, page_markdown):
        text = page(made)
        assert "conv2" in text
        assert "48,000" not in text
        assert "48,000" in page(made, answers=True)
    assert text.count("________") == len(made.exercises)
    html = page_html(made)
    assert html.count('class="right blank"') == len(made.exercises)
    assert "size: A4" in html
    latex = page_latex(made)
    assert latex.count(r"\underline{\hspace{2.2cm}}") == len(made.exercises)
    assert latex.isascii()
