"""`convcalc show`: the JSON contract, options, partial tables, exit codes."""

from __future__ import annotations

import csv
import io
import json

import pytest

from convcalc.render.formats import FORMATS

LAYER_KEYS = {
    "name", "kind", "inputs", "input_shapes", "output_shape", "weights", "biases", "params", "buffers", "macs",
    "activation_bytes", "receptive_field", "receptive_fields", "fields", "block", "shares", "keys",
}  # fmt: skip
TOTAL_KEYS = {
    "layers", "weights", "biases", "params", "buffers", "macs", "activation_bytes", "peak_activation_bytes",
    "param_bytes",
}  # fmt: skip


@pytest.mark.parametrize("form", ["table", "markdown", "json"])
def test_texts_of_a_spec_cannot_steer_the_terminal(convcalc, tmp_path, form):
    """Colours, bells and turned text in a title, name, source or note come out as a replacement character."""
    path = tmp_path / "net.yaml"
    path.write_text(
        'name: "n\\e[31mred"\ntitle: "a\\e[31mred\\x9b1m"\nsource: "s\\ad\\u202ework"\n'
        'notes: ["bell\\a", "two\\nlines, Größe\\_5 – 🙂"]\ninput: [1, 3, 2]\nlayers: [relu]\n',
        encoding="utf-8",
    )
    done = convcalc("show", path, "--format", form)
    assert done.returncode == 0
    assert not set(done.stdout) & set("\x1b\x07\x9b\u202e")
    for text in ("a\ufffd[31mred\ufffd1m", "n\ufffd[31mred", "bell\ufffd", "Größe\xa05 – 🙂"):
        assert text in done.stdout
    if form == "json":
        assert json.loads(done.stdout)["source"] == "s\ufffdd\ufffdwork"


def test_json_contract(convcalc) -> None:
    value = json.loads(convcalc("show", "lenet5", "--format", "json").stdout)
    assert (value["name"], value["input"], value["batch"], value["dtype"]) == (
        "lenet5",
        [1, 32, 32],
        1,
        "float32",
    )
    assert all(set(layer) >= LAYER_KEYS for layer in value["layers"])
    assert set(value["totals"]) >= TOTAL_KEYS
    first = value["layers"][0]
    assert first["inputs"] == ["input"]
    assert first["fields"]["kernel"] == 5
    assert first["receptive_field"] == {
        "size": [5, 5], "stride": [1, 1], "start": [0, 0], "smallest": [5, 5],
    }  # fmt: skip
    assert first["receptive_fields"] == {"input": first["receptive_field"]}
    assert value["inputs"] == [{"name": "input", "shape": [1, 32, 32]}]
    assert value["outputs"] == [{"name": "softmax1", "layer": "softmax1", "shape": [10]}]
    assert value["totals"]["params"] == 61_706
    for key in ("weights", "biases", "params", "buffers", "macs", "activation_bytes"):
        assert sum(layer[key] for layer in value["layers"]) == value["totals"][key]


def test_csv_has_every_layer(convcalc) -> None:
    rows = list(csv.DictReader(io.StringIO(convcalc("show", "alexnet", "--format", "csv").stdout)))
    assert len(rows) == 20
    assert sum(int(row["weights"]) for row in rows) == 28_813_344


def test_piped_output_is_neither_wrapped_nor_coloured(convcalc) -> None:
    done = convcalc("show", "torchvision/googlenet", COLUMNS="40", FORCE_COLOR="")
    assert "\x1b" not in done.stdout
    assert "inception5b.branch4.1.conv" in done.stdout


def test_color_can_be_forced_and_refused(convcalc) -> None:
    assert "\x1b[" in convcalc("--color", "always", "show", "lenet5", NO_COLOR="").stdout
    assert "\x1b[" not in convcalc("--color", "never", "show", "lenet5", NO_COLOR="").stdout


def test_standard_input(convcalc) -> None:
    spec = "name: tiny\ninput: [1, 8, 6]\nlayers: [{conv: {K: 2, F: 3}}]\n"
    done = convcalc("show", "-", "--format", "json", stdin=spec)
    assert json.loads(done.stdout)["totals"]["params"] == 2 * 9 + 2


def test_a_layer_that_does_not_fit_shows_the_table_up_to_it(convcalc) -> None:
    layers = "  - conv: {name: good, K: 2, F: 3}\n  - conv: {name: bad, K: 2, F: 9}\n"
    spec = f"name: tiny\ninput: [1, 8, 6]\nlayers:\n{layers}"
    done = convcalc("show", "-", stdin=spec)
    assert done.returncode == 1
    assert "good" in done.stdout
    assert "<stdin>:5:5: bad: " in done.stderr


def test_one_layer_explained(convcalc) -> None:
    done = convcalc("show", "alexnet", "--layer", "conv1")
    assert "(227 − 11 + 2·0)/4 + 1 = 55" in done.stdout
    assert "conv2" not in done.stdout


def test_explain_as_json(convcalc) -> None:
    value = json.loads(convcalc("show", "alexnet", "--explain", "--format", "json").stdout)
    assert {"what": "weights", "text": "(11·11·3)·96 = 34,848"} in value["layers"][0]["working"]


FOLDED = "rows include what follows a +: conv1 has 9,408 + 64 weights, 0 + 64 biases"


@pytest.mark.parametrize("columns", [[], ["--columns", "layer,weights"], ["--columns", "layer,params"]])
def test_a_folded_rows_weights_are_taken_apart(convcalc, columns: list[str]) -> None:
    """7·7·3·64 = 9,408 weights and no biases of the convolution, 64 scales and 64 shifts of its normalisation."""
    assert FOLDED in convcalc("show", "torchvision/resnet18", *columns).stdout.splitlines()


@pytest.mark.parametrize(
    "arguments",
    [
        ["resnet18", "--all"],
        ["resnet18", "--depth", "1", "--columns", "layer,macs"],
        ["resnet18", "--explain"],
        ["alexnet"],
    ],
)
def test_where_no_row_has_folded_weights_nothing_is_said(convcalc, arguments: list[str]) -> None:
    assert "rows include" not in convcalc("show", *arguments).stdout


def test_set_and_input(convcalc) -> None:
    done = convcalc("show", "vgg16", "--input", "3x448x448", "--format", "json")
    assert json.loads(done.stdout)["layers"][0]["output_shape"] == [64, 448, 448]
    done = convcalc("show", "googlenet", "--set", "head=dense", "--format", "json")
    assert max(layer["weights"] for layer in json.loads(done.stdout)["layers"]) == 50_176_000


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["show", "alxnet"], 1, "did you mean 'alexnet'?"),
        (["show", "nowhere.yaml"], 1, "no such file"),
        (["show", "resnet"], 1, "family"),
        (["show", "alexnet", "--set", "depth=2"], 2, "no variable 'depth'"),
        (["show", "alexnet", "--set", "depth"], 2, "NAME=VALUE"),
        (["show", "alexnet", "--input", "big"], 2, "--input big"),
        (["show", "alexnet", "--input", "3x10x10"], 1, "does not fit"),
        (["show", "alexnet", "--layer", "cnv1"], 2, "did you mean 'conv1'?"),
        (["show", "resnet50", "--layer", "conv9.1"], 2, "no layer 'conv9.1'"),
        (["show", "alexnet", "--depth", "0"], 2, "0"),
        (["show"], 2, "Missing argument"),
        (["shw"], 2, "did you mean 'show'?"),
        (["show", "alexnet", "--frmat", "csv"], 2, "--format"),
    ],
)
def test_mistakes(convcalc, arguments: list[str], code: int, message: str) -> None:
    done = convcalc(*arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback(convcalc) -> None:
    assert "Traceback" in convcalc("--debug", "show", "alxnet").stderr


def test_completion_offers_architectures(convcalc) -> None:
    words = {"COMP_WORDS": "convcalc show alex", "COMP_CWORD": "2", "_CONVCALC_COMPLETE": "bash_complete"}
    done = convcalc(**words)
    assert "alexnet" in done.stdout
    assert "resnet" not in done.stdout


def test_version(convcalc) -> None:
    import convcalc as package

    assert convcalc("--version").stdout == f"convcalc {package.__version__}\n"


def test_columns(convcalc) -> None:
    """The lecture's convolution as a dense layer, for LeNet-5's first: 1,024 inputs, 4,704 outputs."""
    value = json.loads(
        convcalc("show", "lenet5", "--columns", "layer,dense,local,shared", "--format", "json").stdout
    )
    assert value["columns"][0] == {
        "layer": "conv1",
        "dense": 1024 * 4704,
        "local": 25 * 28 * 28 * 6,
        "shared": 25 * 6,
    }
    assert value["totals"]["weights"] == 61_470
    lines = convcalc("show", "lenet5", "--columns", "macs,layer", "--format", "csv").stdout.splitlines()
    assert lines[:2] == ["macs,layer", "117600,conv1"]


def test_help_names_every_column(convcalc) -> None:
    from convcalc.report.show import COLUMNS

    text = " ".join(convcalc("show", "--help").stdout.split())
    assert f"Other columns: {', '.join(COLUMNS)}." in text


def test_reconcile_contract(convcalc) -> None:
    value = json.loads(convcalc("show", "alexnet", "--reconcile", "61.1M params", "--format", "json").stdout)
    assert value["figure"] == {
        "text": "61.1M params", "unit": "params", "value": 61_100_000, "low": 61_050_000, "high": 61_150_000,
        "exact": False,
    }  # fmt: skip
    best = value["explanations"][0]
    assert (best["network"], best["total"]) == ("torchvision/alexnet", 61_100_840)
    assert sum(term["sum"] for term in best["terms"]) == best["total"]
    assert value["nearest"] is None
    assert set(best["also"]) > {"torchinfo", "Keras"}
    assert [note["network"] for note in value["notes"]] == []


def test_a_tools_figure_in_json_says_whose_it_is(convcalc) -> None:
    """torchinfo adds a scale and a shift per channel, 2·17,056, and the dense layer's 1,000 biases."""
    done = convcalc("show", "torchvision/mobilenet_v2", "--reconcile", "300809384", "--format", "json")
    (best,) = json.loads(done.stdout)["explanations"]
    assert (best["tool"], best["version"], best["label"]) == ("torchinfo", "1.8.0", "Total mult-adds")
    assert (best["match"], best["cut_off"], best["left_over"]) == ("total", False, 0)
    terms = {term["what"]: term["sum"] for term in best["terms"]}
    assert terms["weights and biases of normalisation"] == 2 * 17_056
    assert terms["biases of dense layers"] == 1_000


def test_one_question_at_a_time(convcalc) -> None:
    done = convcalc("show", "alexnet", "--columns", "layer", "--explain")
    assert (done.returncode, "show different things" in done.stderr) == (2, True)
    done = convcalc("show", "alexnet", "--columns", "layer,wieghts")
    assert (done.returncode, "did you mean 'weights'?" in done.stderr) == (2, True)
    done = convcalc("show", "alexnet", "--columns", "macs,macs")
    assert (done.returncode, "named twice" in done.stderr) == (2, True)


def test_a_block_explained_is_its_layers(convcalc) -> None:
    done = convcalc("show", "resnet50", "--layer", "conv2.1")
    assert "conv2.1.conv1" in done.stdout
    assert "conv2.2" not in done.stdout
    assert "did you mean" not in done.stderr


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in ("table", "json")])
def test_explain_in_every_format(convcalc, form: str) -> None:
    assert "34,848" in convcalc("show", "alexnet", "--explain", "--format", form).stdout


def test_a_partial_table_says_so(convcalc) -> None:
    done = convcalc("show", "alexnet", "--input", "100")
    assert done.returncode == 1
    assert "only as far as its layers fit" in done.stdout
    assert "so far" in done.stdout
    assert "27.55M" not in done.stdout


def test_a_full_disk_is_an_error_not_a_traceback() -> None:
    import subprocess
    import sys

    for arguments in (["--help"], ["show", "lenet5"], ["show", "lenet5", "--format", "json"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "convcalc", *arguments], stdout=full, stderr=subprocess.PIPE, text=True
            )
        assert done.returncode == 1
        assert done.stderr.startswith("Error: standard output: ")
        assert "Traceback" not in done.stderr


def test_narrow_encodings_keep_signs_on_screens_and_utf8_in_data(convcalc) -> None:
    shown = convcalc("diff", "alexnet", "zfnet", PYTHONIOENCODING="ascii").stdout
    assert "F 11 -> 7" in shown
    assert "-20,736" in shown
    data = convcalc("diff", "alexnet", "zfnet", "--format", "json", PYTHONIOENCODING="cp1252").stdout
    assert "(7·7 − 11·11)·3·96 = −20,736" in data


def test_global_options_after_the_command(convcalc) -> None:
    assert "\x1b[" in convcalc("show", "lenet5", "--color", "always", NO_COLOR="").stdout
    assert "Traceback" in convcalc("show", "alxnet", "--debug").stderr


@pytest.mark.parametrize(
    ("changed", "kept"),
    [
        (["--input", "224"], 3),  # as it is
        (["--input", "3x448x448"], 0),
        (["--set", "depths=[2, 2, 3, 3, 3]"], 3),  # as it is
        (["--set", "depths=[1, 1, 2, 2, 2]"], 0),
    ],
)
def test_notes_are_shown_where_they_hold(convcalc, changed: list[str], kept: int) -> None:
    """VGG-16's three notes tell what the lecture misprints of the network as it is in its file."""
    assert convcalc("show", "vgg16", *changed).stdout.count("\nnote: ") == kept
    value = json.loads(convcalc("show", "vgg16", *changed, "--format", "json").stdout)
    assert len(value["notes"]) == kept


def test_a_note_that_names_a_setting_holds_under_it(convcalc) -> None:
    shown = convcalc("show", "googlenet", "--set", "head=dense").stdout
    assert shown.count("\nnote: ") == 1
    assert "--set head=dense shows it" in shown
    assert "googlenet with head=dense, input 3×224×224" in shown
