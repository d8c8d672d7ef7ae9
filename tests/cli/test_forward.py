"""`convcalc forward`: digits named after a bare install, the JSON contract, weights files, mistakes."""

from __future__ import annotations

import csv
import io
import json
import struct
from pathlib import Path

import numpy as np
import pytest

DATA = Path(__file__).parent.parent / "data"
DIGITS = sorted((DATA / "digits").glob("*.png"))


def answer(convcalc, *arguments: object) -> dict:
    done = convcalc("forward", *arguments, "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


BOX = [12.5, -3.0, 0.25, 100.0]


@pytest.fixture
def box(tmp_path: Path) -> tuple[str, ...]:
    """A network whose four outputs are the corners of a box, whatever the image, and its weights."""
    path = tmp_path / "box.yaml"
    path.write_text(
        "name: box\ninput: [1, 6, 5]\npreprocess: {mode: grey}\n"
        "layers: [{conv: {name: c, filters: 4, kernel: [6, 5]}}, flatten]\n"
    )
    weights = {"c.weight": ([4, 1, 6, 5], [0.0] * 120), "c.bias": ([4], BOX)}
    return str(path), "--weights", str(safetensors(tmp_path / "box.safetensors", weights))


def test_box_coordinates_are_numbers_not_classes(convcalc, box: tuple[str, ...]) -> None:
    arch, *weights = box
    value = answer(convcalc, arch, DIGITS[0], *weights)
    assert (value["top"], value["output"]["values"]) == ([], BOX)
    shown = convcalc("forward", arch, str(DIGITS[0]), *weights).stdout
    assert "values  12.5  −3  0.25  100" in shown
    assert "numbers, not classes" in shown
    assert "%" not in shown
    rows = convcalc("forward", arch, str(DIGITS[0]), *weights, "--format", "csv").stdout.splitlines()
    assert rows[0] == "what,value"
    assert rows[-1] == "values,12.5 -3.0 0.25 100.0"


def test_box_coordinates_of_several_images(convcalc, box: tuple[str, ...]) -> None:
    arch, *weights = box
    images = [str(path) for path in DIGITS[:2]]
    shown = convcalc("forward", arch, *images, *weights).stdout
    assert shown.count("12.5  −3  0.25  100") == 2
    assert "class " not in shown
    done = convcalc("forward", arch, *images, *weights, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["index"], row["output"]) for row in rows] == [("", "12.5 -3.0 0.25 100.0")] * 2


def test_a_long_output_says_how_to_keep_it(convcalc, tmp_path: Path) -> None:
    spec = tmp_path / "long.yaml"
    spec.write_text("name: long\ninput: [1, 8, 8]\nlayers: [flatten, dense: 1000]\n", encoding="utf-8")
    shown = convcalc("forward", spec, DATA / "chelsea.png").stdout
    assert "standard deviation" in shown
    assert "--save FILE.npy, .npz, .csv, .json or .safetensors keeps all 1,000 values" in shown


@pytest.mark.parametrize("path", DIGITS, ids=lambda path: path.stem)
def test_lenet_names_the_digit(convcalc, path: Path) -> None:
    value = answer(convcalc, "lenet5", path)
    assert value["top"][0]["label"] == path.stem[0]
    assert value["top"][0]["probability"] > 0.5


def test_json_contract(convcalc) -> None:
    value = answer(convcalc, "lenet5", DIGITS[0], "--top", 3)
    assert set(value) >= {
        "name", "backend", "weights", "image", "input_shape", "output", "top", "seconds", "layers",
    }  # fmt: skip
    assert value["weights"] | {"ignored": []} == {
        "source": "bundled", "path": "lenet5.safetensors", "seed": None, "ignored": [],
    }  # fmt: skip
    assert value["output"]["shape"] == [10]
    assert sum(value["output"]["values"]) == pytest.approx(1, abs=1e-6)  # its last layer is a softmax
    assert len(value["top"]) == 3
    assert [layer["name"] for layer in value["layers"]][:2] == ["conv1", "tanh1"]


def test_random_weights_predict_nothing(convcalc, tiny: str) -> None:
    value = answer(convcalc, tiny, DIGITS[0], "--seed", 3)
    assert value["weights"]["source"] == "random"
    assert value["weights"]["seed"] == 3
    assert value["top"] == []
    shown = convcalc("forward", tiny, DIGITS[0]).stdout
    assert "random weights" in shown
    assert "%" not in shown


def test_the_seed_decides(convcalc, tiny: str) -> None:
    one, same, other = (answer(convcalc, tiny, DIGITS[0], "--seed", s)["output"]["values"] for s in (1, 1, 2))
    assert one == same
    assert one != other


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    path = tmp_path / "tiny.yaml"
    path.write_text(
        "name: tiny\ninput: [1, 6, 5]\npreprocess: {mode: grey}\nlabels: [left, right]\n"
        "layers: [{conv: {name: c, filters: 2, kernel: 1, bias: false}}, global_avgpool, flatten]\n"
    )
    return str(path)


def safetensors(path: Path, tensors: dict[str, tuple[list[int], list[float]]]) -> Path:
    header, data = {}, b""
    for name, (shape, values) in tensors.items():
        raw = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def test_weights_from_a_file(convcalc, tiny: str, tmp_path: Path) -> None:
    # a white picture is 1 everywhere, so the output is the weights; the answer is the softmax of 0 and log 3
    from PIL import Image

    Image.new("L", (40, 30), 255).save(tmp_path / "white.png")
    weights = safetensors(tmp_path / "w.safetensors", {"c.weight": ([2, 1, 1, 1], [0.0, 1.0986122886681098])})
    value = answer(convcalc, tiny, tmp_path / "white.png", "--weights", weights)
    assert value["output"]["values"] == pytest.approx([0, 1.0986123], abs=1e-6)
    assert value["top"][0] == {"index": 1, "label": "right", "probability": pytest.approx(0.75, abs=1e-6)}
    assert value["weights"]["source"] == "file"


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({}, "missing (1): c.weight"),
        ({"c.weight": ([3, 1, 1, 1], [1.0] * 3)}, "c.weight is 3×1×1×1, tiny needs 2×1×1×1"),
        ({"c.weight": ([2], [1.0] * 2), "d.weight": ([1], [1.0])}, "not part of the network (1): d.weight"),
    ],
)
def test_weights_that_do_not_fit(convcalc, tiny: str, tmp_path: Path, tensors: dict, message: str) -> None:
    path = safetensors(tmp_path / "w.safetensors", tensors)
    done = convcalc("forward", tiny, DIGITS[0], "--weights", path)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("suffix", [".json", ".csv", ".npy", ".safetensors"])
def test_save(convcalc, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    values = answer(convcalc, "lenet5", DIGITS[0], "--save", path, "--backend", "reference")["output"][
        "values"
    ]
    data = path.read_bytes()
    if suffix == ".json":
        assert json.loads(data) == {"softmax1": {"shape": [10], "values": values}}
    elif suffix == ".csv":
        assert [float(line) for line in data.split()] == values
    elif suffix == ".npy":  # numpy.lib.format: magic, version 1.0, header length, header to a multiple of 64
        length = struct.unpack("<H", data[8:10])[0]
        assert data[:8] == b"\x93NUMPY\x01\x00"
        assert (10 + length) % 64 == 0
        assert b"'shape': (10,)" in data[10 : 10 + length]
        assert list(struct.unpack("<10d", data[10 + length :])) == values
    else:
        length = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8 : 8 + length])["softmax1"]
        assert (header["shape"], header["dtype"]) == ([10], "F64")  # the reference backend's own precision
        assert list(struct.unpack("<10d", data[8 + length :])) == values
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["lenet5", "nowhere.png"], 1, "nowhere.png"),
        (["lenet5", "README.md"], 1, "README.md"),
        (["lenet5", str(DIGITS[0]), "--weights", "nowhere.npz"], 1, "no such file"),
        (["lenet5", str(DIGITS[0]), "--weights", "README.md"], 1, "weights file"),
        (["lenet5", str(DIGITS[0]), "--save", "out.txt"], 2, "cannot write .txt"),
        (["lenet5", str(DIGITS[0]), "--save", "nowhere/out.json"], 1, "cannot be written"),
        (["lenet5", str(DIGITS[0]), "--backend", "cuda"], 2, "cuda"),
        (["vgg16", str(DIGITS[0]), "--weights", "pretrained"], 1, "names no pretrained weights"),
        (["lenet5"], 2, "[NAME=]FILE"),
    ],
)
def test_mistakes(convcalc, arguments: list[str], code: int, message: str) -> None:
    done = convcalc("forward", *arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_profile_has_every_layer(convcalc) -> None:
    shown = convcalc("forward", "lenet5", DIGITS[0], "--profile", "--backend", "reference").stdout
    assert "time per layer" in shown
    assert "dense3" in shown


@pytest.mark.slow
def test_alexnet_on_a_photograph(convcalc) -> None:
    value = answer(convcalc, "alexnet", DATA / "chelsea.png", "--backend", "reference")
    assert value["output"]["shape"] == [1000]
    assert sum(value["output"]["values"]) == pytest.approx(1, abs=1e-9)


def test_several_images_give_a_row_each_and_a_bad_one_is_reported_at_the_end(
    convcalc, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(DIGITS[0].read_bytes()[:60])
    done = convcalc(
        "forward", "lenet5", DIGITS[1], broken, DIGITS[2], "--format", "json", "--backend", "reference"
    )
    assert done.returncode == 1
    first, bad, last = json.loads(done.stdout)
    assert first["top"][0]["label"] == DIGITS[1].stem[0]
    assert last["top"][0]["label"] == DIGITS[2].stem[0]
    assert set(bad) == {"image", "error"}
    assert "broken.png" in done.stderr


def test_a_folder_of_images(convcalc) -> None:
    done = convcalc(
        "forward", "lenet5", DATA / "digits", "--format", "csv", "--threads", 2, "--backend", "reference"
    )
    rows = [line.split(",") for line in done.stdout.splitlines()[1:]]
    assert [Path(row[0]).name for row in rows] == [path.name for path in DIGITS]
    assert [row[2] for row in rows] == [path.stem[0] for path in DIGITS]
    assert done.returncode == 0


def test_a_folder_without_images(convcalc, tmp_path: Path) -> None:
    done = convcalc("forward", "lenet5", tmp_path)
    assert done.returncode == 1
    assert "no images in this folder" in done.stderr
    assert convcalc("forward", "lenet5", DATA / "digits", "--profile").returncode == 2


def test_both_backends_say_the_same(convcalc) -> None:
    fast = answer(convcalc, "lenet5", DIGITS[0], "--backend", "numba")
    plain = answer(convcalc, "lenet5", DIGITS[0], "--backend", "reference")
    assert (fast["backend"], plain["backend"]) == ("numba", "reference")
    largest = max(map(abs, plain["output"]["values"]))
    assert fast["output"]["values"] == pytest.approx(plain["output"]["values"], abs=1e-5 * largest)


def test_auto_takes_what_is_done_first(convcalc) -> None:
    """Importing Numba takes longer than LeNet-5's 416,520 MACs in plain Python."""
    assert answer(convcalc, "lenet5", DIGITS[0])["backend"] == "reference"
    assert answer(convcalc, "torchvision/mobilenet_v3_small", DATA / "chelsea.png")["backend"] == "numba"


def test_the_fast_backends_profile(convcalc) -> None:
    shown = convcalc("forward", "lenet5", DIGITS[0], "--backend", "numba", "--profile").stdout
    assert "of roof" in shown
    value = answer(convcalc, "lenet5", DIGITS[0], "--backend", "numba", "--profile")["profile"]
    by_name = {row["layer"]: row["macs"] for row in value["layers"]}
    assert {name: by_name[name] for name in ("conv1", "conv2", "dense1", "dense2", "dense3")} == {
        "conv1": 117_600, "conv2": 240_000, "dense1": 48_000, "dense2": 10_080, "dense3": 840,
    }  # fmt: skip


TWINS = """
inputs: {left: [1, 4, 6], right: [5]}
outputs: {map: shifted, vector: halved}
layers:
  - scale: {name: shifted, value: 3, from: left}
  - scale: {name: halved, value: 0.5, from: right}
"""


@pytest.fixture
def twins(tmp_path: Path) -> tuple[str, str, str]:
    """A network of two inputs and two outputs, and a file for each input."""
    (tmp_path / "twins.yaml").write_text(TWINS)
    np.save(tmp_path / "l.npy", np.arange(24.0).reshape(1, 4, 6))
    np.savez(tmp_path / "r.npz", right=np.arange(5))
    return (
        str(tmp_path / "twins.yaml"), f"left={tmp_path / 'l.npy'}", f"right={tmp_path / 'r.npz'}"
    )  # fmt: skip


def test_several_inputs_and_outputs(convcalc, twins: tuple[str, str, str]) -> None:
    value = answer(convcalc, *twins)
    assert value["outputs"]["map"]["values"] == [3.0 * number for number in range(24)]
    assert value["outputs"]["vector"] == {"layer": "halved", "shape": [5], "values": [0, 0.5, 1, 1.5, 2]}
    assert value["output"]["shape"] == [1, 4, 6]
    assert [given["name"] for given in value["inputs"]] == ["left", "right"]
    assert value["image"] == value["inputs"][0]["path"] == twins[1].removeprefix("left=")
    assert value["finite"] is True
    shown = convcalc("forward", *twins).stdout
    assert "twins on left=l.npy right=r.npz  left 1×4×6, right 5 → 2 outputs" in shown


def test_which_output_is_written(convcalc, twins: tuple[str, str, str], tmp_path: Path) -> None:
    path = tmp_path / "o.csv"
    refused = convcalc("forward", *twins, "--save", path)
    assert (refused.returncode, path.exists()) == (2, False)
    assert "choose one with --output-name map" in refused.stderr
    assert convcalc("forward", *twins, "--save", path, "--output-name", "vector").returncode == 0
    assert path.read_text().split() == ["0.0", "0.5", "1.0", "1.5", "2.0"]
    assert convcalc("forward", *twins, "--output-name", "vector").returncode == 2


def test_an_array_of_several_gives_a_row_each(convcalc, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text("input: [2, 3, 4]\nlayers: [global_avgpool, flatten]\n")
    np.save(tmp_path / "x.npy", np.stack([np.full((2, 3, 4), number) for number in (1.5, 2.5, 3.5)]))
    done = convcalc("forward", tmp_path / "net.yaml", tmp_path / "x.npy", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["image"], row["output"]) for row in rows] == [
        (f"{tmp_path / 'x.npy'}[{place}]", f"{number} {number}")
        for place, number in enumerate((1.5, 2.5, 3.5))
    ]


@pytest.mark.parametrize("count", [1, 3])
def test_the_outputs_of_several_are_saved_one_after_another(convcalc, tmp_path: Path, count: int) -> None:
    """One axis more in front, as the array that went in: tripled and halved, which NumPy does too."""
    (tmp_path / "twins.yaml").write_text(TWINS)
    left = np.arange(24.0 * count).reshape(count, 1, 4, 6)
    right = np.arange(5.0 * count).reshape(count, 5)
    np.savez(tmp_path / "both.npz", left=left, right=right)
    given = ("forward", tmp_path / "twins.yaml", tmp_path / "both.npz", "--backend", "reference", "--save")
    assert convcalc(*given, tmp_path / "out.npz").returncode == 0
    with np.load(tmp_path / "out.npz") as saved:
        assert np.array_equal(saved["map"], 3 * left)
        assert np.array_equal(saved["vector"], right / 2)
    assert convcalc(*given, tmp_path / "out.json").returncode == 0
    assert json.loads((tmp_path / "out.json").read_text())["vector"]["shape"] == [count, 5]
    assert convcalc(*given, tmp_path / "out.npy").returncode == 2
    assert convcalc(*given, tmp_path / "out.csv", "--output-name", "vector").returncode == 0
    assert np.array_equal(np.loadtxt(tmp_path / "out.csv", delimiter=",", ndmin=2), right / 2)
