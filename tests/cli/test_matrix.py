"""`convcalc matrix` as a person types it, and the files it writes."""

from __future__ import annotations

import ast
import json
import struct
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from convcalc.render.formats import FORMATS


def test_the_lecture_s_matrix(convcalc) -> None:
    done = convcalc("matrix", "--input", "4x4", "--kernel", "2x2")
    lines = done.stdout.splitlines()
    assert "h11  w x · · y z · · · · · · · · · ·" in lines
    assert "h33  · · · · · · · · · · w x · · y z" in lines
    value = json.loads(convcalc("matrix", "--input", "4x4", "--kernel", "2x2", "--format", "json").stdout)
    figures = [value[key] for key in ("dense", "locally_connected", "active", "distinct")]
    assert figures == [144, 36, 36, 4]
    assert value["matrix"][0] == [1, 2, 0, 0, 3, 4, *[0] * 10]
    assert value["labels"] == ["w", "x", "y", "z"]
    assert value["ratio"]["dense_to_weights"] == 36


def test_a_matrix_wider_than_the_terminal(run_screen) -> None:
    shown = run_screen(["matrix", "--input", "6x6", "--kernel", "2x2"], 60)
    assert "the matrix takes 76 columns" in shown
    assert "h55" in run_screen(["matrix", "--input", "6x6", "--kernel", "2x2"], 80)


def test_a_layer_of_a_network_and_all_of_them(convcalc) -> None:
    done = convcalc("matrix", "lenet5", "conv1")
    assert "4,816,896" in done.stdout
    assert "--output FILE.svg" in done.stdout
    value = json.loads(convcalc("matrix", "lenet5", "--format", "json").stdout)
    assert [(layer["layer"], layer["weights"]) for layer in value["layers"]] == [
        ("conv1", 150), ("conv2", 2_400),
    ]  # fmt: skip
    rows = convcalc("matrix", "alexnet", "--format", "csv").stdout.splitlines()
    assert rows[1].startswith("conv1,154587,290400,44892064800,")


def test_csv_with_letters_and_numbers(convcalc, tmp_path: Path) -> None:
    out = tmp_path / "matrix.csv"
    convcalc("matrix", "--input", "3", "--kernel", "1x2", "--output", str(out))
    assert out.read_text().splitlines()[0] == "1,2,0,0,0,0,0,0,0"
    convcalc("matrix", "--input", "1x3", "--kernel", "1x2", "--weights", "a -1/2", "--output", str(out))
    assert out.read_text() == "a,-1/2,0\n0,a,-1/2\n"


def _array(path: Path) -> tuple[str, tuple[int, ...], bytes]:
    """An .npz file's only array, read by NumPy's own description of the format."""
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["matrix.npy"]
        data = archive.read("matrix.npy")
    assert data[:8] == b"\x93NUMPY\x01\x00"
    (length,) = struct.unpack("<H", data[8:10])
    header = ast.literal_eval(data[10 : 10 + length].decode())
    assert (10 + length) % 64 == 0
    assert header["fortran_order"] is False
    return header["descr"], header["shape"], data[10 + length :]


def test_npz(convcalc, tmp_path: Path) -> None:
    out = tmp_path / "matrix.npz"
    convcalc("matrix", "--input", "1x3", "--kernel", "1x2", "--output", str(out))
    kind, shape, data = _array(out)
    assert (kind, shape, struct.unpack("<6i", data)) == ("<i4", (2, 3), (1, 2, 0, 0, 1, 2))
    convcalc("matrix", "--input", "1x3", "--kernel", "1x2", "--weights", "-.5 3", "--output", str(out))
    kind, shape, data = _array(out)
    assert (kind, shape, struct.unpack("<6d", data)) == ("<f8", (2, 3), (-0.5, 3, 0, 0, -0.5, 3))


def test_figures(convcalc, tmp_path: Path) -> None:
    for name in ("m.svg", "m.png", "m.pdf", "m.tex"):
        done = convcalc("matrix", "--input", "4x4", "--kernel", "2x2", "--output", str(tmp_path / name))
        assert (done.returncode, done.stderr) == (0, f"wrote {tmp_path / name}\n")
    with Image.open(tmp_path / "m.png") as image:
        assert image.width > 1_000
    assert convcalc("matrix", "lenet5", "conv1", "-o", str(tmp_path / "conv1.svg")).returncode == 0
    assert "117,600 of 4,816,896 entries" in (tmp_path / "conv1.svg").read_text()


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in ("table", "json")])
def test_formats(convcalc, form: str) -> None:
    done = convcalc("matrix", "--input", "4x4", "--kernel", "2x2", "--format", form)
    assert done.returncode == 0
    assert "144" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "matrix needs a size and --kernel or --weights"),
        (("--input", "4x4"), 2, "matrix needs a size and --kernel"),
        (("4x4",), 2, "matrix needs a size and --kernel"),
        (("4x4x3", "-F", "2"), 2, "write 4x4 --channels 3, or --input 4x4x3 for three dimensions"),
        (("4x4", "--input", "5x5", "-F", "2"), 2, "the size is given twice: 4x4 and --input 5x5"),
        (("4x4", "2x2"), 2, "convcalc matrix 4x4 --kernel 2x2"),
        (("lenet5", "conv1", "--layer", "conv2"), 2, "the layer is given twice: conv1 and conv2"),
        (("lenet5", "conv1", "--rounding", "ceil"), 2, "lenet5's layers have their own fields"),
        (("4x4", "-F", "2", "--set", "a=1"), 2, "need a network"),
        (("--input", "4x4", "--kernel", "5"), 2, "does not fit an axis of 4"),
        (("--input", "four", "--kernel", "2"), 2, "needs one number"),
        (("--input", "4x4", "--kernel", "2", "--output", "m.txt"), 2, ".svg, .png, .pdf, .tex, .csv or .npz"),
        (("--input", "4x4", "--kernel", "2", "--output", "/nowhere/m.png"), 1, "cannot be written"),
        (("--input", "4x4", "--kernel", "2", "--weights", "1 2 3"), 2, "the weights given are 1×3"),
        (("--input", "4x4", "--kernel", "2", "-K", "2", "--weights", "1 2; 3 4"), 2, "2 filters need 2 kernels"),
        (("--input", "2", "--kernel", "1", "--weights", "a", "--output", "m.npz"), 2, "letters are not numbers"),
        (("--input", "4x4x4", "--kernel", "2x2"), 2, "kernel has 2 values, the input has 3"),
        (("lenet5", "conv3"), 2, "did you mean"),
        (("lenet5", "pool1"), 2, "lenet5 has no convolution 'pool1'"),
        (("lenet5", "conv1", "--kernel", "3"), 2, "have their own fields"),
        (("lenet5", "--output", "m.png"), 2, "--output writes one layer's matrix"),
        (("alexnet", "conv1", "--output", "m.csv"), 2, "are more than a file takes"),
        (("alexnet", "conv1", "--output", "m.png"), 2, "are more than a picture counts"),
        (("lenet6",), 1, "did you mean 'lenet5'"),
    ],
)  # fmt: skip
def test_bad_arguments(convcalc, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = convcalc("matrix", *arguments)
    assert said in done.stderr
    assert (done.returncode, done.stdout) == (code, "")
    assert "Traceback" not in done.stderr


def test_absurd_sizes_answer_at_once(convcalc) -> None:
    for arguments in (
        ("--input", "100000x100000", "--kernel", "50000", "--channels", "10000", "-K", "10000"),
        ("--input", "4x4", "--kernel", "90000", "--padding", "90000", "--stride", "90000"),
    ):
        done = convcalc("matrix", *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        done = convcalc("matrix", *arguments, "--format", "json")
        assert json.loads(done.stdout)["matrix"] is None
        done = convcalc("matrix", *arguments, "--output", "m.csv")
        assert (done.returncode, "more than a file takes" in done.stderr) == (2, True)


def test_the_size_as_an_argument_and_the_layer_as_an_option(convcalc) -> None:
    """As `size 4x4` and `show lenet5 --layer conv1` take them."""
    options = ("-F", "2", "--format", "json")
    assert convcalc("matrix", "4x4", *options).stdout == convcalc("matrix", "--input", "4x4", *options).stdout
    named = convcalc("matrix", "lenet5", "--layer", "conv1", "--format", "json")
    assert named.stdout == convcalc("matrix", "lenet5", "conv1", "--format", "json").stdout
    assert json.loads(named.stdout)["layer"] == "conv1"


def test_the_weights_say_the_kernel(convcalc) -> None:
    weights = ("--weights", "1 2; 3 4", "--format", "json")
    assert convcalc("matrix", "4x4", *weights).stdout == convcalc("matrix", "4x4", "-F", "2", *weights).stdout
    done = convcalc("matrix", "4x4", "-F", "3", "--weights", "1 2; 3 4")
    assert "leave the kernel out: the weights say it" in done.stderr


def test_a_network_s_variables_are_set_as_for_show(convcalc) -> None:
    """AlexNet's first kernel as ZFNet has it: 7·7·3·96 = 14,112 weights (the lecture's change list)."""
    done = convcalc("matrix", "alexnet", "conv1", "--set", "F1=7", "--format", "json")
    assert json.loads(done.stdout)["weights"] == 14_112


def test_gradients_in_every_format(convcalc) -> None:
    """By hand: x's gradient is 1·1, 2·1 + 1·10, 2·10; …; that of a filter's weight a sum of inputs times δ."""
    typed = ("matrix", "2x3", "--weights", "1 2; 3 4", "--backward", "--gradient", "1 10", "--format")
    done = convcalc(*typed, "csv")
    assert done.stdout.splitlines() == [
        "gradient,place,value",
        *(f"input,{place}" for place in ("1.1.1,1", "1.1.2,12", "1.1.3,20", "1.2.1,3", "1.2.2,34", "1.2.3,40")),
        "weight,1.1.1.1,x1+10·x2", "weight,1.1.1.2,x2+10·x3",
        "weight,1.1.2.1,x4+10·x5", "weight,1.1.2.2,x5+10·x6",
    ]  # fmt: skip
    assert "| 3 | 34 | 40 |" in convcalc(*typed, "markdown").stdout
    assert "3 & 34 & 40" in convcalc(*typed, "latex").stdout
    assert ">34</td>" in convcalc(*typed, "html").stdout


def test_gradients_of_several_filters_are_called_by_filter_and_channel(convcalc) -> None:
    shown = convcalc("matrix", "3x4", "-F", "2", "-K", "2", "--channels", "3", "--backward").stdout
    assert "gradient of the kernel, filter 2, channel 3" in shown
    assert "gradient of the kernel, channel" not in shown


def test_gradients_of_a_matrix_that_is_too_large(convcalc) -> None:
    typed = ("matrix", "lenet5", "conv1", "--backward")
    assert "too large to multiply its gradients out; convcalc apply --backward" in convcalc(*typed).stdout
    done = convcalc(*typed, "--format", "csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert "too large to multiply its gradients out" in done.stderr
    assert "--format csv its gradients" in convcalc("matrix", "12x12", "-F", "3", "--backward").stdout
