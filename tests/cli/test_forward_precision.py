"""`convcalc forward --precision`, `--winograd` and `--check-precision`: what they ask for, and what is shown."""

from __future__ import annotations

import csv
import io
import json
import struct
from array import array
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import convcalc as package
from convcalc.backends import Run
from convcalc.cli import main
from convcalc.errors import UsageError
from convcalc.ops import Tensor

DIGITS = sorted((Path(__file__).parent.parent / "data" / "digits").glob("*.png"))
DIGIT = DIGITS[-1]
# LeNet-5's ten probabilities in either precision, as the plans below give them: classes 4 and 5 change places, two
# differences of 0.02.
FLOAT32 = [0.5, 0.2, 0.1, 0.08, 0.05, 0.03, 0.02, 0.01, 0.005, 0.005]
BF16 = [0.5, 0.2, 0.1, 0.08, 0.03, 0.05, 0.02, 0.01, 0.005, 0.005]
SQUARES = 0.25 + 0.04 + 0.01 + 0.0064 + 0.0025 + 0.0009 + 0.0004 + 0.0001 + 2 * 0.000025  # of FLOAT32
NOTE = "this processor has no bfloat16 instructions"


class Plan:
    """A plan whose numbers are known."""

    def __init__(self, graph: Any, precision: str) -> None:
        self.graph, self.precision = graph, precision
        self.notes = (NOTE,) * (precision == "bf16")

    def run(self, values: Any, take: Any = None) -> Run:
        numbers = FLOAT32 if self.precision == "float32" else BF16
        outputs = {
            output.name: Tensor(self.graph.shape(output.node), array("f", numbers))
            for output in self.graph.outputs
        }
        kept = "maps and weights" if self.precision == "bf16" else "nothing"
        return Run(
            "numba", outputs, 0.001, (0.0,) * len(self.graph), precision=self.precision, in_bfloat16=kept
        )


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Plans of known numbers instead of compiled ones; the precision and transforms asked of each."""
    asked: list[tuple[str, str]] = []

    def prepare(graph, weights, threads, *, precision, winograd, **rest):
        asked.append((precision, winograd))
        return Plan(graph, precision)

    monkeypatch.setattr("convcalc.backends.numba.prepare", prepare)
    return asked


def forward(*arguments: object) -> Result:
    """The command in this process: exit_code, stdout and stderr."""
    return CliRunner().invoke(main, ["forward", *map(str, arguments)])


def answer(*arguments: object) -> Any:
    done = forward(*arguments, "--format", "json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_nothing_is_compared_unless_asked() -> None:
    value = answer("lenet5", DIGIT, "--backend", "reference")
    assert (value["precision"], value["in_bfloat16"], value["precision_check"]) == (
        "float32",
        "nothing",
        None,
    )


def test_bfloat16_runs_on_the_fast_backend_however_small_the_network(prepared: list) -> None:
    value = answer("lenet5", DIGIT, "--precision", "bf16")
    assert (value["backend"], value["precision"], value["precision_check"]) == ("numba", "bf16", None)
    assert value["output"]["values"] == pytest.approx(BF16, rel=1e-7)
    assert prepared == [("bf16", "auto")]
    shown = forward("lenet5", DIGIT, "--precision", "bf16").stdout
    assert "numba backend in bfloat16, 1.0 ms\n" + NOTE in shown


def test_the_screen_of_float32_names_no_precision(prepared: list) -> None:
    shown = forward("lenet5", DIGIT, "--winograd", "f2").stdout
    assert "numba backend, 1.0 ms" in shown
    assert prepared == [("float32", "f2")]


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_the_comparison_is_of_bfloat16_with_float32_whichever_is_asked_for(
    prepared: list, precision: str
) -> None:
    value = answer("lenet5", DIGIT, "--precision", precision, "--check-precision", "--winograd", "f4")
    assert sorted(prepared) == [("bf16", "f4"), ("float32", "f4")]
    assert value["precision"] == precision
    assert value["output"]["values"] == pytest.approx(FLOAT32 if precision == "float32" else BF16, rel=1e-7)
    figures = {
        "largest": pytest.approx(0.02, rel=1e-6),
        "rms": pytest.approx(0.02 * sqrt(0.2), rel=1e-6),
        "relative_rms": pytest.approx(0.02 * sqrt(2 / SQUARES), rel=1e-6),
        "not_finite": 0,
    }
    assert value["precision_check"] == {
        **figures, "classes": "softmax1", "same_top5": False, "same_top1": True, "outputs": {"softmax1": figures},
    }  # fmt: skip


def test_the_comparison_on_the_screen(prepared: list) -> None:
    lines = forward("lenet5", DIGIT, "--check-precision").stdout.splitlines()
    assert NOTE in lines  # of the precision that is only compared
    start = lines.index("bfloat16 against float32  on the same input and weights")
    assert lines[start + 1].split("  ")[-3:] == ["largest difference", "rms difference", "relative rms"]
    assert lines[start + 3].split() == ["softmax1", "0.02", "0.00894", "5.1", "%"]
    assert lines[start + 4] == "first five classes: not the same; first class: the same"


def test_the_comparison_as_csv(prepared: list) -> None:
    done = forward("lenet5", DIGIT, "--check-precision", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert (row["output"], row["not_finite"], row["same_top5"], row["same_top1"]) == (
        "softmax1", "0", "False", "True"
    )  # fmt: skip
    assert float(row["largest"]) == pytest.approx(0.02, rel=1e-6)
    assert float(row["relative_rms"]) == pytest.approx(0.02 * sqrt(2 / SQUARES), rel=1e-6)


def test_several_images_have_columns_for_it(prepared: list, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(DIGIT.read_bytes()[:60])
    images = (DIGITS[0], broken, DIGITS[1])
    done = forward("lenet5", *images, "--check-precision", "--precision", "bf16")
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert lines[1].endswith("relative rms  same top 5  same first")
    assert [" ".join(line.split()[-4:]) for line in lines[3:6]] == [
        "5.1 % no yes",
        "broken.png not read",
        "5.1 % no yes",
    ]
    assert lines[6:9] == [
        "2 images, 1 not read; numba backend in bfloat16",
        NOTE,
        "bfloat16 against float32: the same first five classes in 0 of 2, the same first class in 2 of 2, "
        "relative rms at most 5.1 %",
    ]
    done = forward("lenet5", *images, "--check-precision", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["same_top5"], row["same_top1"]) for row in rows] == [
        ("False", "True"),
        ("", ""),
        ("False", "True"),
    ]
    assert float(rows[2]["rms"]) == pytest.approx(0.02 * sqrt(0.2), rel=1e-6)
    values = json.loads(forward("lenet5", *images, "--check-precision", "--format", "json").stdout)
    assert [value.get("precision_check", {}).get("same_top1") for value in values] == [True, None, True]


def test_each_output_has_a_row(prepared: list, tmp_path: Path) -> None:
    """Ten numbers that no softmax and no labels make classes, twice."""
    spec = tmp_path / "two.yaml"
    spec.write_text(
        "input: [1, 2, 5]\noutputs: {low: a, high: b}\npreprocess: {mode: grey}\n"
        "layers: [{flatten: {name: a, from: input}}, {scale: {name: b, value: 2}}]\n"
    )
    check = answer(spec, DIGIT, "--check-precision")["precision_check"]
    assert list(check["outputs"]) == ["low", "high"]
    assert (check["classes"], check["same_top5"], check["same_top1"]) == (None, None, None)
    shown = forward(spec, DIGIT, "--check-precision").stdout
    assert [line.split()[:2] for line in shown.splitlines() if "5.1 %" in line] == [
        ["low", "0.02"],
        ["high", "0.02"],
    ]
    assert "first five classes" not in shown


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--precision", "bf16"], "--precision bf16: the reference backend computes in float64 only"),
        (["--winograd", "f4"], "--winograd f4: the reference backend"),
        (["--check-precision"], "--check-precision: the reference backend"),
    ],
)
def test_the_reference_backend_has_one_precision(options: list[str], said: str) -> None:
    done = forward("lenet5", DIGIT, *options, "--backend", "reference")
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert "--backend numba has both precisions" in done.stderr


def test_what_else_is_refused() -> None:
    done = forward("lenet5", DIGIT, "--check-precision", "--profile")
    assert done.exit_code == 2
    assert "a profile is of one precision" in done.stderr
    for option, values in (("--precision", "'float32', 'bf16'"), ("--winograd", "'auto', 'f2', 'f4'")):
        done = forward("lenet5", DIGIT, option, "f16")
        assert done.exit_code == 2
        assert values in done.stderr


def test_without_the_fast_backend_it_says_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convcalc.inference.runner.numba_available", lambda: False)
    done = forward("lenet5", "nowhere.png", "--precision", "bf16")
    assert done.exit_code == 2
    assert "--precision bf16: needs the numba backend, which is not installed" in done.stderr
    assert 'pip install "convcalc[fast]"' in done.stderr


def test_python_has_it_too(prepared: list) -> None:
    result = package.load("lenet5").forward(DIGIT, precision="bf16", winograd="f2", check_precision=True)
    assert result.run.precision == "bf16"
    assert result.precision_check.same_top1
    assert result.precision_check.outputs[0].largest == pytest.approx(0.02, rel=1e-6)
    assert sorted(prepared) == [("bf16", "f2"), ("float32", "f2")]
    with pytest.raises(UsageError, match="precision='half'"):
        package.load("lenet5").forward(DIGIT, precision="half")
    with pytest.raises(UsageError, match="winograd='f6'"):
        package.load("lenet5").forward(DIGIT, winograd="f6")


EMULATED = {"CONVCALC_BF16": "emulated"}  # the same instructions on every processor
DENSE = "dense: {name: y, units: 2, bias: false}"
CONV = "conv: {name: y, filters: 2, kernel: 1, bias: false}"
INPUTS = {DENSE: "[3]", CONV: "[1, 2, 3]"}


def small_network(folder: Path, layer: str, shape: list[int], weights: list[float]) -> list[str]:
    """The words of a command that name a network of one layer without a bias, and its weights."""
    spec, file = folder / "net.yaml", folder / "net.safetensors"
    spec.write_text(f"name: net\ninput: {INPUTS[layer]}\nlayers: [{layer}]\n")
    raw = struct.pack(f"<{len(weights)}f", *weights)
    header = {"y.weight": {"dtype": "F32", "shape": shape, "data_offsets": [0, len(raw)]}}
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + raw)
    return [str(spec), "--weights", str(file)]


@pytest.mark.slow
def test_weights_of_dense_layers_are_rounded(convcalc, tmp_path: Path) -> None:
    """bfloat16 has 8 bits: between 1 and 2 its numbers are 2⁻⁷ apart, between 2 and 4 2⁻⁶. So 1 + 2⁻⁹ becomes 1, and
    3 + 2⁻⁸ 3; of the inputs 1, 2, 4 the outputs are 2 and 12 instead of 2 + 2⁻⁹ and 12 + 2⁻⁶."""
    net = small_network(tmp_path, DENSE, [2, 3], [1 + 2**-9, 0.5, 0.0, 0.0, 0.0, 3 + 2**-8])
    np.save(tmp_path / "x.npy", np.array([1.0, 2.0, 4.0]))
    for precision, expected in (("float32", [2 + 2**-9, 12 + 2**-6]), ("bf16", [2.0, 12.0])):
        options = ("--precision", precision, "--check-precision", "--format", "json")
        value = json.loads(convcalc("forward", *net, tmp_path / "x.npy", *options, **EMULATED).stdout)
        assert value["output"]["values"] == expected
        check = value["precision_check"]
        assert check["largest"] == 2**-6
        assert check["rms"] == pytest.approx(sqrt((2**-18 + 2**-12) / 2), rel=1e-9)


@pytest.mark.slow
def test_maps_and_their_weights_are_rounded(convcalc, tmp_path: Path) -> None:
    """To nearest: 1 + 2⁻⁹ becomes 1, 1 + 3·2⁻⁹ the next number, 1 + 2⁻⁷; half-way, 1 + 2⁻⁸, the even one is taken, 1.
    The second filter's −(2 + 2⁻⁷) becomes −2."""
    net = small_network(tmp_path, CONV, [2, 1, 1, 1], [1.0, -(2 + 2**-7)])
    pixels = [1 + 2**-9, 1 + 3 * 2**-9, 1 + 2**-8, 0.0, 16.0, -3.0]
    np.save(tmp_path / "x.npy", np.array(pixels).reshape(1, 2, 3))
    done = convcalc(
        "forward", *net, tmp_path / "x.npy", "--precision", "bf16", "--format", "json", **EMULATED
    )
    rounded = [1.0, 1 + 2**-7, 1.0, 0.0, 16.0, -3.0]
    assert json.loads(done.stdout)["output"]["values"] == [*rounded, *(-2 * number for number in rounded)]


@pytest.mark.slow
def test_a_digit_in_bfloat16(convcalc) -> None:
    options = ("--precision", "bf16", "--check-precision", "--format", "json")
    value = json.loads(convcalc("forward", "lenet5", DIGIT, *options, **EMULATED).stdout)
    assert value["top"][0]["label"] == DIGIT.stem[0]
    check = value["precision_check"]
    assert check["same_top1"]
    assert 0 < check["largest"] < 0.01  # of probabilities that add up to 1


WITHOUT = {"CONVCALC_VECTOR": "8", "CONVCALC_BF16": "never"}  # a processor without the instructions


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "shape", "elsewhere", "kept", "line", "note"),
    [
        (CONV, [2, 1, 1, 1], EMULATED, "maps and weights", "numba backend in bfloat16, ", None),
        (CONV, [2, 1, 1, 1], WITHOUT, "nothing", "numba backend, ", "this network has none"),
        (DENSE, [2, 3], EMULATED, "dense weights", "numba backend, dense weights in bfloat16, ", None),
        (DENSE, [2, 3], WITHOUT, "dense weights", "numba backend, dense weights in bfloat16, ", "only the weights"),
    ],
)  # fmt: skip
def test_what_is_kept_in_bfloat16_is_said(
    convcalc, tmp_path: Path, layer: str, shape: list[int], elsewhere: dict[str, str], kept: str, line: str,
    note: str | None,
) -> None:  # fmt: skip
    net = small_network(tmp_path, layer, shape, [1.0] * int(np.prod(shape)))
    np.save(tmp_path / "x.npy", np.ones([1, 2, 3] if layer == CONV else [3]))
    options = (*net, tmp_path / "x.npy", "--precision", "bf16")
    value = json.loads(convcalc("forward", *options, "--format", "json", **elsewhere).stdout)
    assert (value["precision"], value["in_bfloat16"]) == ("bf16", kept)
    shown = convcalc("forward", *options, **elsewhere).stdout
    assert f"; {line}" in shown
    assert ("avx512_bf16" in shown) == (note is not None)
    assert (note or "") in " ".join(shown.split())
