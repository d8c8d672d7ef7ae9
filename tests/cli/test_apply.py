"""`convcalc apply` as a person types it: matrices, letters, files, images, and what goes wrong."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from math import exp, sqrt
from pathlib import Path

import pytest
from PIL import Image

from convcalc.render.formats import FORMATS
from tests.conftest import ROOT, environment

POOL = "1 4 2 1; 5 8 3 4; 7 6 4 5; 1 3 1 2"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """8×6 pixels: left half dark red, right half light blue."""
    image = Image.new("RGB", (8, 6), (90, 30, 0))
    image.paste((150, 180, 240), (4, 0, 8, 6))
    path = tmp_path / "halves.png"
    image.save(path)
    return path


def test_the_lecture_s_pool(convcalc) -> None:
    done = convcalc("apply", "maxpool: {kernel: 2, stride: 2}", POOL, "--format", "csv")
    assert done.stdout == "8,4\n7,5\n"
    value = json.loads(convcalc("apply", "maxpool: {kernel: 2, stride: 1}", POOL, "--format", "json").stdout)
    assert value["output"]["values"] == [[[8, 8, 4], [8, 8, 5], [7, 6, 5]]]
    assert value["operator"] == "maxpool"


def test_letters(convcalc) -> None:
    done = convcalc("apply", "--weights", "w x; y z", "a b c d; e f g h; i j k l")
    for text in ("aw + bx + ey + fz", "bw + cx + fy + gz", "gw + hx + ky + lz"):
        assert text in done.stdout
    assert convcalc("apply", "--weights", "w", "a", "--format", "csv").stdout == "aw\n"


def test_what_csv_writes_apply_reads(convcalc, tmp_path: Path) -> None:
    """Two maps, an empty line between them, are two channels."""
    out = tmp_path / "maps.csv"
    convcalc("apply", "conv", "1 2; 3 4", "--weights", "1", "--weights", "-1/3", "-o", str(out))
    assert out.read_text() == "1,2\n3,4\n\n-1/3,-2/3\n-1,-4/3\n"
    again = json.loads(convcalc("apply", "relu", str(out), "--format", "json").stdout)
    assert again["output"]["shape"] == [2, 2, 2]
    assert again["output"]["values"][1] == [[0, 0], [0, 0]]


def test_csv_as_spreadsheets_write_it(convcalc, tmp_path: Path) -> None:
    """Quotes, CRLF and semicolons."""
    path = tmp_path / "sheet.csv"
    path.write_bytes(b'"1";"2"\r\n"3";"4"\r\n')
    assert convcalc("apply", "maxpool: 2", str(path), "--format", "csv").stdout == "4\n"
    path.write_text("1,2\n3\n")
    done = convcalc("apply", "relu", str(path))
    assert (done.returncode, "row 2 has 1 value, row 1 has 2 values" in done.stderr) == (1, True)


def test_csv_with_decimal_commas(convcalc, tmp_path: Path) -> None:
    """A ; in a line separates its values, and then the comma is the decimal sign."""
    path = tmp_path / "sheet.csv"
    path.write_text('1,5;-2\n"3,25";9\n')
    assert convcalc("apply", "relu", str(path), "--format", "csv").stdout == "1.5,0\n3.25,9\n"
    path.write_text("1,5\n3,25\n")  # without one, the comma separates
    assert convcalc("apply", "relu", str(path), "--format", "csv").stdout == "1,5\n3,25\n"


def test_standard_input_and_matrices_that_begin_with_a_minus(convcalc) -> None:
    done = convcalc("apply", "relu", "-", "--format", "csv", stdin="-1,2\n3,-4\n")
    assert done.stdout == "0,2\n3,0\n"
    assert convcalc("apply", "relu", "-1 2; 3 -4", "--format", "csv").stdout == "0,2\n3,0\n"
    assert convcalc("apply", "--weights", "-1 0", "-.5 1 2", "--format", "csv").stdout == "0.5,-1\n"
    assert convcalc("apply", "--weights", "1", "-a b", "--format", "csv").stdout == "-a,b\n"


def test_standard_input_is_read_as_a_file_is(convcalc, tmp_path: Path) -> None:
    """Too much of it is refused, not cut; so is what is no UTF-8."""
    path = tmp_path / "long.csv"
    path.write_text("1 2\n" * (4 * 2**20 + 1))  # 4 bytes each: 16 MiB and 4 bytes
    for source, shown in ((str(path), str(path)), ("-", "<stdin>")):
        done = convcalc("apply", "relu", source, stdin=path.read_text())
        assert (done.returncode, done.stdout) == (1, "")
        assert f"{shown}: larger than 16 MiB" in done.stderr
    done = subprocess.run(
        [sys.executable, "-m", "convcalc", "apply", "relu", "-"],
        input=b"1 \xe9\n", capture_output=True, cwd=ROOT, env=environment(), check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert b"<stdin>: not UTF-8 text" in done.stderr


def test_all_modes_side_by_side(convcalc) -> None:
    arguments = ("apply", "--weights", "1 2; 3 4", "1 0 2; 0 3 0; 4 0 5", "--mode", "all")
    shown = convcalc(*arguments).stdout
    for text in ("S[i,j] = Σ I[i+a, j+b]·K[a,b]", "S[i,j] = Σ I[i−a, j−b]·K[a,b]", "weights, turned"):
        assert text in shown
    modes = json.loads(convcalc(*arguments, "--format", "json").stdout)["modes"]
    assert [mode["output"]["first_pixel"] for mode in modes] == [[0, 0], [1, 1], [0, 0]]
    assert [mode["output"]["values"][0] for mode in modes] == [
        [[13, 13], [18, 23]], [[7, 12], [17, 17]], [[7, 12], [17, 17]],
    ]  # fmt: skip


def test_the_centred_mode_tells_its_indices_and_the_erratum(convcalc) -> None:
    arguments = ("apply", "--weights", "1 2 3; 4 5 6", "0 0 0; 0 1 0; 0 0 0", "--mode", "centred")
    shown = convcalc(*arguments).stdout
    assert "S[i,j] = Σ I[i−a, j−b]·K[⌊m/2⌋+a, ⌊n/2⌋+b], a from −1 to 0, b from −1 to 1" in shown
    assert "weights, turned" in shown
    assert "note: The lecture prints K[m/2 + a, n/2 + b] with a from ⌊−m/2⌋ to ⌊m/2⌋." in shown
    assert "lecture prints" in convcalc(*arguments, "--format", "markdown").stdout
    value = json.loads(convcalc(*arguments, "--format", "json").stdout)
    assert value["notes"][0].startswith("The lecture prints")
    assert value["weights"]["weight"] == [6, 5, 4, 3, 2, 1]


def test_steps(convcalc) -> None:
    shown = convcalc("apply", "maxpool: 2", POOL, "--steps").stdout
    assert shown.count("step ") == 4
    assert "step 1 of 4  max(1, 4, 5, 8) = 8" in shown
    assert "[1][4] 2  1     [8] ·" in shown
    value = json.loads(convcalc("apply", "maxpool: 2", POOL, "--steps", "--format", "json").stdout)
    assert value["steps"][3] == {
        "channel": 0,
        "position": [1, 1],
        "input_channels": [0],
        "covered": [[2, 2], [2, 3], [3, 2], [3, 3]],
        "working": "max(4, 5, 1, 2)",
        "value": 5,
    }


def test_decimals_and_options_of_a_named_filter(convcalc) -> None:
    flat = "1 1 1; 1 2 1; 1 1 1"
    assert convcalc("apply", "blur", flat, "--format", "csv").stdout == "10/9\n"
    assert convcalc("apply", "blur", flat, "--format", "csv", "--decimals", "3").stdout == "1.111\n"
    done = convcalc("apply", "identity", flat, "--padding", "1", "--stride", "2", "--format", "csv")
    assert done.stdout == "1,1\n1,1\n"
    done = convcalc("apply", "identity", "1 2; 3 4", "--padding", "1+2x1+1", "--format", "csv")
    assert done.stdout == "1,2\n3,4\n0,0\n"


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in ("table", "json", "csv")])
def test_documents(convcalc, form: str) -> None:
    done = convcalc("apply", "maxpool: 2", POOL, "--mode", "correlation", "--format", form)
    assert done.returncode == 2  # a pool has no mode
    done = convcalc("apply", "conv", POOL, "--weights", "1 0; 0 1", "--mode", "convolution", "--format", form)
    assert done.returncode == 0
    assert "9" in done.stdout


def test_an_image_spans_its_colours(convcalc, picture: Path, tmp_path: Path) -> None:
    """Blur of a plain half is its mean colour, (90 + 30 + 0)/3 = 40 and (150 + 180 + 240)/3 = 190."""
    out = tmp_path / "blurred.png"
    done = convcalc("apply", "blur", str(picture), "-o", str(out), "--format", "json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["output_shape"] == [1, 4, 6]
    with Image.open(out) as image:
        assert (image.mode, image.size) == ("L", (6, 4))
        assert list(image.tobytes()[:6]) == [40, 40, 90, 140, 190, 190]


def test_an_image_channel_by_channel(convcalc, picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "same.png"
    assert convcalc("apply", "identity", str(picture), "--per-channel", "-o", str(out)).returncode == 0
    with Image.open(out) as image:
        assert (image.mode, image.size) == ("RGB", (6, 4))
        assert image.getpixel((0, 0)) == (90, 30, 0)
        assert image.getpixel((5, 3)) == (150, 180, 240)


def test_several_filters_on_an_image(convcalc, picture: Path, tmp_path: Path) -> None:
    """Maps side by side with four white columns between; edges by their strength: 3·150 is cut to white."""
    out = tmp_path / "maps.png"
    done = convcalc("apply", "sobel-x,sobel-y", str(picture), "-o", str(out), "--format", "csv")
    assert done.stdout.splitlines()[1].startswith("sobel-x,1,4,6,")
    with Image.open(out) as image:
        assert image.size == (16, 4)
        assert list(image.tobytes()[:16]) == [0, 0, 255, 255, 0, 0, *[255] * 4, 0, 0, 0, 0, 0, 0]


def test_a_pool_keeps_colours_and_a_large_image_is_scaled(convcalc, picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "pooled.png"
    convcalc("apply", "maxpool: 2", str(picture), "-o", str(out))
    with Image.open(out) as image:
        assert (image.mode, image.size, image.getpixel((3, 0))) == ("RGB", (4, 3), (150, 180, 240))
    done = convcalc("apply", "relu", str(picture), "--max-size", "4")
    assert "scaled from 8×6 to 4×3" in done.stdout


def test_the_tone(convcalc, picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "stretched.png"
    convcalc("apply", "blur", str(picture), "--tone", "stretch", "-o", str(out))
    with Image.open(out) as image:
        assert image.getextrema() == (0, 255)


def test_a_matrix_as_a_picture_with_a_pixel_for_each_number(convcalc, tmp_path: Path) -> None:
    out = tmp_path / "matrix.png"
    assert convcalc("apply", "relu", "0 1; 2 4", "--tone", "stretch", "-o", str(out)).returncode == 0
    with Image.open(out) as image:
        assert (image.size, list(image.tobytes())) == ((2, 2), [0, 64, 128, 255])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("maxpool: 2",), 2, "apply needs an operator and an input, not one argument"),
        ((), 2, "not 0 arguments"),
        (("a", "b", "c"), 2, "not 3 arguments"),
        (("relu", "1 2; 3"), 2, "row 2 has 1 value, row 1 has 2 values"),
        (("relu", "1 two,3 four; 5"), 2, "row 2 has"),
        (("relu", "1 2.2.2"), 2, "'2.2.2' in row 1, column 2"),
        (("relu", "nowhere.csv"), 1, "nowhere.csv: no such file"),
        (("relu", "nowhere.png"), 1, "there is no such file"),
        (("relu", "pyproject.toml"), 1, "not an image"),
        (("relu", "tests/cli"), 2, "is neither a number nor a letter"),
        (("blurr", "1 2"), 2, "did you mean 'blur'"),
        (("blur", "1 2; 3 4"), 1, "does not fit"),
        (("blur", "1 2", "--weights", "1"), 2, "a named filter has its weights"),
        (("conv: {stride: 1}", "1 2", "--stride", "2", "--weights", "1"), 2, "stride is written in"),
        (("maxpool: 2", POOL, "--per-channel"), 2, "goes with conv and named filters"),
        (("maxpool: 2", POOL, "-F", "3"), 2, "kernel is written in 'maxpool: 2' and given as --kernel"),
        (("maxpool: {F: 2}", POOL, "--kernel", "2"), 2, "keep one of them"),
        (("relu", POOL, "-F", "2"), 2, "--kernel: relu has no kernel"),
        (("relu", POOL, "--bias", "2"), 2, "relu takes no --bias"),
        (("conv", POOL), 2, "conv needs its weights"),
        (("conv: {kernel: 3}", POOL), 2, "conv needs its weights"),
        (("dense", "1 2 3"), 2, "dense needs its weights"),
        (("blur", "1 2 3"), 2, "--weights '1/3 1/3 1/3' filters a row"),
        (("relu", POOL, "--tone", "clip"), 2, "--tone is for images"),
        (("relu", POOL, "--max-size", "8"), 2, "--max-size is for images"),
        (("relu", "[[1, 2], 3"), 2, "INPUT: ', 3' stands between brackets"),
        (("relu", "[[1, 2], [3]]"), 2, "row 2 has 1 value, row 1 has 2 values"),
        (("relu", "[[1, 2]"), 2, "brackets that are uneven, open or more than three deep"),
        # hints in the words that were typed
        (("maxpool 2", POOL), 2, "fields follow a colon: 'maxpool: 2'"),
        (("maxpool:2", POOL), 2, "fields follow a colon: 'maxpool: 2'"),
        (("maxpool -F 2", POOL), 2, "options stand outside the quotes: convcalc apply maxpool -F 2"),
        (("maxpool", "2", "1 2; 3 4"), 2, "convcalc apply 'maxpool: 2' '1 2; 3 4'"),
        (("maxpool:", "{F:", "2}", "1 2; 3 4"), 2, "convcalc apply 'maxpool: {F: 2}' '1 2; 3 4'"),
        (("relu", "1", "-2", "3"), 2, "convcalc apply relu '1 -2 3'"),
        (("blur", "in.png", "out.png"), 2, "convcalc apply blur in.png -o out.png"),
        (("photo.jpg",), 2, "convcalc apply blur photo.jpg"),
        (("relu",), 2, "convcalc apply relu '1 2; 3 4'"),
        (("maxpool: 2", POOL, "-o", "out.jpg"), 2, "written as .svg, .png, .pdf, .tex, .gif or .csv"),
        (("maxpool: 2", POOL, "-o", "out.gif"), 2, "a .gif shows steps"),
        (("maxpool: 2", POOL, "-o", "/nowhere/out.png"), 1, "cannot be written"),
        (("relu", "1 2", "--steps"), 2, "relu moves no window"),
        (("maxpool: 1", "1 2 " * 500, "--steps"), 2, "1,000 steps are more than"),
        (("maxpool: 2", POOL, "--steps", "--format", "csv"), 2, "--steps has no csv format"),
        (("relu", "a b"), 2, "cannot work on letters"),
        (("conv", "a b", "--weights", "1", "-o", "letters.png", "--tone", "clip"), 2, "letters and volumes have no"),
        (("maxpool: 1", "1 2 3 4; " * 60, "--steps", "-o", "out.gif"), 2, "240 steps are more than a figure shows"),
        (("maxpool: 1", "1 2 3 4; " * 16, "--steps", "-o", "out.png"), 2, "64 steps are more than a figure shows"),
        (("maxpool: 40", ("1 " * 40 + ";") * 40, "--steps", "-o", "out.gif"), 2, "40×40 is too large"),
        (("blur", "1", "--stride", "0"), 2, "needs numbers from 1"),
        (("softmax: {rate: 1}", "1 2"), 1, "no field 'rate'"),
    ],
)  # fmt: skip
def test_bad_input(convcalc, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = convcalc("apply", *arguments)
    assert said in done.stderr
    assert (done.returncode, done.stdout) == (code, "")
    assert "Traceback" not in done.stderr


def outputs(convcalc, *arguments: str) -> object:
    done = convcalc("apply", *arguments, "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["output"]["values"]


@pytest.mark.parametrize(
    ("entry", "options"),
    [
        ("maxpool: {kernel: 2, stride: 1}", ("maxpool", "-F", "2", "-S", "1")),
        ("maxpool: {kernel: 2, stride: 1}", ("maxpool: 2", "--stride", "1")),
        ("maxpool: {kernel: 3, rounding: ceil}", ("maxpool", "-F", "3", "--rounding", "ceil")),
        ("avgpool: {kernel: [2, 1], padding: [[1, 0], [0, 0]]}", ("avgpool", "-F", "2x1", "-P", "1+0x0")),
    ],
)
def test_options_say_the_fields_of_any_operator(convcalc, entry: str, options: tuple[str, ...]) -> None:
    assert outputs(convcalc, *options, POOL) == outputs(convcalc, entry, POOL)


def test_operator_and_input_in_either_order(convcalc, picture: Path) -> None:
    assert outputs(convcalc, POOL, "maxpool: 2") == [[[8, 4], [7, 5]]]
    done = convcalc("apply", str(picture), "blur", "--format", "json")
    assert json.loads(done.stdout)["filters"] == ["blur"]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("[[1,-2],[3,4]]", [[[1, 0], [3, 4]]]),
        ("[[1 -2]\n [3  4]]", [[[1, 0], [3, 4]]]),
        ("[1, -2, 3]", [[1, 0, 3]]),
        ("[[1, -2, 3]]", [[[1, 0, 3]]]),
        ("[[[1, 2]], [[-3, 4]]]", [[[1, 2]], [[0, 4]]]),
        ("[1 -2; 3 4]", [[[1, 0], [3, 4]]]),
    ],
)
def test_lists_in_brackets(convcalc, tmp_path: Path, text: str, values: object) -> None:
    """As Python, NumPy, JSON and MATLAB write them, typed or in a file."""
    assert outputs(convcalc, "relu", text) == values
    path = tmp_path / "list.json"
    path.write_text(text, encoding="utf-8")
    assert outputs(convcalc, "relu", str(path)) == values


@pytest.mark.parametrize("text", ["1 2 3", "1; 2; 3", "[1, 2, 3]"])
def test_a_row_is_a_vector_for_operators_over_features(convcalc, text: str) -> None:
    """softmax of 1 2 3 is e, e², e³ over their sum; layernorm's √(2/3) is the deviation of 1 2 3."""
    total = exp(1) + exp(2) + exp(3)
    assert outputs(convcalc, "softmax", text) == pytest.approx(
        [exp(1) / total, exp(2) / total, exp(3) / total]
    )
    step = 1 / sqrt(2 / 3 + 1e-5)
    assert outputs(convcalc, "layernorm", text) == pytest.approx([-step, 0, step])
    assert outputs(convcalc, "dense", text, "--weights", "1 1 1; 0 0 2", "--bias", "1 2") == [7, 8]


def test_a_row_stays_a_signal_for_the_others(convcalc) -> None:
    assert outputs(convcalc, "relu", "1 -2 3") == [[1, 0, 3]]
    assert outputs(convcalc, "maxpool: 2", "1 -2 3 4") == [[1, 4]]
    assert outputs(convcalc, "softmax", "1 2|1 3") == [
        pytest.approx([0.5, 1 / (1 + exp(1))]),
        pytest.approx([0.5, exp(1) / (1 + exp(1))]),
    ]


def test_softmax_of_a_matrix_says_how_a_vector_is_written(convcalc) -> None:
    shown = convcalc("apply", "softmax", "1 2; 3 4").stdout
    assert "softmax works along the channels, and here is one" in shown
    assert "a vector is one row" in shown
    assert "along the channels" not in convcalc("apply", "softmax", "1 2; 3 4|5 6; 7 8").stdout


@pytest.mark.parametrize(
    "arguments",
    [("blur", "--bias", "a"), ("conv", "--weights", "a b; c d"), ("conv", "--weights", "1", "--bias", "b")],
)
def test_letters_on_an_image_are_refused(convcalc, picture: Path, arguments: tuple[str, ...]) -> None:
    for order in ((*arguments, str(picture)), (str(picture), *arguments)):
        done = convcalc("apply", *order)
        assert (done.returncode, done.stdout) == (2, "")
        assert "letters go with a matrix; an image needs numbers" in done.stderr


ONES = "1 1 1; 1 1 1; 1 1 1"


def test_a_picture_that_comes_out_white_says_why(convcalc, picture: Path) -> None:
    """Nine ones over three channels sum to 27: 3·3·(90 + 30 + 0) is 1080, so that all 24 pixels are cut."""
    shown = convcalc("apply", "--weights", ONES, str(picture)).stdout
    assert (
        "warning: 100 % of the pixels are cut to black or white; the weights sum to 27: divide them by it "
        "(1/27 for 1) to keep the brightness, or use --tone stretch"
    ) in shown
    each = json.loads(
        convcalc("apply", "--weights", ONES, str(picture), "--per-channel", "--format", "json").stdout
    )
    assert "(1/9 for 1)" in each["warnings"][0]
    # per channel 6×4 pixels: red from 9·90, green from 9·30 on; blue is 0 in the two left columns, else from 3·240 on
    assert each["maps"][0]["cut"] == pytest.approx((2 * 24 + 4 * 4) / 72)


def test_a_picture_that_comes_out_black_says_why(convcalc, picture: Path) -> None:
    """softmax over the channels leaves values of 1 at most."""
    shown = convcalc("apply", "softmax", str(picture)).stdout
    assert "warning: this is all but black, as no value is above 1 of 255; use --tone stretch" in shown
    assert "warning" not in convcalc("apply", "softmax", str(picture), "--tone", "stretch").stdout


@pytest.mark.parametrize("options", [("--tone", "stretch"), ("--tone", "clip")])
def test_a_picture_that_keeps_its_brightness_has_no_warning(
    convcalc, picture: Path, options: tuple[str, ...]
) -> None:
    weights = ONES if "stretch" in options else ONES.replace("1", "1/27")
    done = convcalc("apply", "--weights", weights, str(picture), *options, "--format", "json")
    value = json.loads(done.stdout)
    assert (value["warnings"], value["maps"][0]["cut"]) == ([], 0)


def test_bad_images(convcalc, picture: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.png"
    cut.write_bytes(picture.read_bytes()[:60])
    for arguments, said in (
        (("blur", str(cut)), "damaged or cut short"),
        (("blur", str(picture), "--steps"), "--steps is for matrices"),
        (("blur", str(picture), "-o", str(tmp_path / "x.csv")), "an image is written as .png"),
        (("flatten", str(picture)), "makes no picture"),
        (("upsample: 2000", str(picture)), "more than apply does"),
    ):
        done = convcalc("apply", *arguments)
        assert said in done.stderr
        assert done.returncode in (1, 2)
    assert not (tmp_path / "x.csv").exists()


def _terminal(arguments: list[str], interrupt: bool = False) -> tuple[str, int]:
    """What an animation writes on a terminal; interrupted, as by Ctrl-C, at its first step."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "convcalc", *arguments],
        stdin=subprocess.DEVNULL, stdout=slave, stderr=slave, cwd=ROOT, env=environment(),
    )  # fmt: skip
    os.close(slave)
    text = b""
    sent = False
    start = time.monotonic()
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:
            break
        text += part
        if interrupt and not sent and b"step 1" in text:
            process.send_signal(signal.SIGINT)
            sent = True
        assert time.monotonic() - start < 60
    os.close(master)
    return text.decode(), process.wait()


def test_the_walk_is_animated_on_a_terminal() -> None:
    text, code = _terminal(["apply", "maxpool: 2", POOL, "--steps", "--delay", "0.01"])
    assert code == 0
    assert text.count("\x1b[J") == 3  # every frame but the first takes the place of the one before
    assert text.index("\x1b[?25l") < text.index("\x1b[?25h")
    assert "maxpool F2 S2: 4×4 → 2×2" in text[text.index("\x1b[?25h") :]


def test_control_c_gives_the_cursor_back() -> None:
    text, code = _terminal(["apply", "maxpool: 2", POOL, "--steps", "--delay", "30"], interrupt=True)
    assert code == 130
    assert "\x1b[?25h" in text
    assert "Traceback" not in text


def test_pictures_on_a_terminal(picture: Path, run_screen) -> None:
    """Shades without colour; half blocks of both pixels' colours with it."""
    plain = run_screen(["apply", "identity", str(picture)], 80)
    assert "before" in plain
    assert "▓" in plain
    assert "▀" not in plain
    coloured = run_screen(["--color", "always", "apply", "identity", str(picture)], 80)
    assert "▀" in coloured


def test_a_negative_rate_is_written_in_brackets_where_it_is_a_factor(convcalc) -> None:
    shown = convcalc(
        "apply", "--weights", "1 2", "3 4 5", "--backward", "--gradient", "1 1", "--rate", "-1/2"
    ).stdout
    assert "new kernel at rate −1/2: kernel − (−1/2) · its gradient\nnew kernel\n 9/2  13/2\n" in shown
