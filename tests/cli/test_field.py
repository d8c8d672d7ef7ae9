"""`convcalc field`: JSON, pictures, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image


def value(convcalc, *arguments):
    done = convcalc("field", *arguments, "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_one_unit(convcalc) -> None:
    """AlexNet's conv5 in the middle: rows 32 to 194, by hand in tests/test_windows.py."""
    found = value(convcalc, "alexnet", "--layer", "conv5")
    assert found["unit"] == [2, 2]
    assert found["window"] == found["seen"] == {"first": [32, 32], "last": [194, 194]}
    assert found["pixels"] == 163 * 163
    assert found["outside"] == [[0, 0], [0, 0]]
    assert found["receptive_field"] == {
        "size": [163, 163], "stride": [16, 16], "start": [0, 0], "smallest": [163, 163],
    }  # fmt: skip
    assert [part["name"] for part in found["trace"]] == [
        "conv4", "conv3", "maxpool2", "conv2", "maxpool1", "conv1", "input",
    ]  # fmt: skip


def test_a_corner_unit_sees_padding(convcalc) -> None:
    found = value(convcalc, "vgg16", "--layer", "conv1_2", "--unit", "0,223")
    assert found["window"] == {"first": [-2, 221], "last": [2, 225]}
    assert found["seen"] == {"first": [0, 221], "last": [2, 223]}
    assert found["outside"] == [[2, 0], [0, 2]]
    assert found["pixels"] == 9


def test_the_table_over_depth(convcalc) -> None:
    """lecture: indirect interaction; the field grows 5, 6, 14, 16 in LeNet-5."""
    found = value(convcalc, "lenet5")
    sizes = {layer["name"]: layer["receptive_field"] for layer in found["layers"]}
    assert [sizes[name]["size"][0] for name in ("conv1", "maxpool1", "conv2", "maxpool2")] == [5, 6, 14, 16]
    assert {layer["name"] for layer in found["layers"]} >= {"tanh1", "softmax1"}


def test_a_field_that_only_some_units_reach_says_at_most(convcalc) -> None:
    """Behind nearest upsampling by 2, a window of 2 lies on one pixel or on two; the middle unit, 3, on two."""
    spec = "name: n\ninput: [1, 4]\nlayers: [{upsample: 2}, {conv: {name: last, filters: 1, kernel: 2}}]\n"
    line = "field ≤n: its units see windows of different sizes, n pixels at most"
    for arguments in (["field", "-"], ["show", "-"], ["show", "-", "--columns", "layer,field"]):
        lines = convcalc(*arguments, stdin=spec).stdout.splitlines()
        (row,) = [text for text in lines if text.startswith("last ")]
        assert "≤2" in row
        assert "≤" not in next(text for text in lines if text.startswith("upsample1 "))
        assert line in lines
    assert line not in convcalc("field", "lenet5").stdout
    asked = convcalc("field", "-", "--layer", "last", "--unit", "2", stdin=spec).stdout
    assert "its units see windows of different sizes, 2 pixels at most; this one 1" in asked
    explained = convcalc("show", "-", "--layer", "last", stdin=spec).stdout
    assert "2 at most, 2 units that see unequal parts" in explained


def test_a_pixel_and_two_pixels(convcalc) -> None:
    found = value(convcalc, "lenet5", "--pixel", "5,5")
    conv1 = found["layers"][0]
    assert (conv1["first"], conv1["last"], conv1["positions"], conv1["of"]) == ([1, 1], [5, 5], 25, 784)
    assert value(convcalc, "lenet5", "--between", "0,0", "4,4")["first"] == "conv1"
    assert value(convcalc, "lenet5", "--between", "0,0", "5,5")["first"] == "maxpool1"
    assert value(convcalc, "lenet5", "--between", "0,0", "31,31")["first"] == "dense1"


def test_pixels_that_never_meet(convcalc, tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text("name: net\ninput: [1, 9, 9]\nlayers: [{conv: {filters: 1, kernel: 3}}]\n")
    done = convcalc("field", str(spec), "--between", "0,0", "8,8")
    assert done.returncode == 0
    assert "no unit of this network depends on both" in done.stdout
    assert (
        convcalc("field", str(spec), "--between", "0,0", "8,8", "-o", str(tmp_path / "x.png")).returncode == 2
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("lenet5", "--layer", "conv2"),
        ("lenet5",),
        ("vgg16", "--layer", "conv5_3", "--unit", "0,0"),
        ("lenet5", "--pixel", "3,3"),
        ("lenet5", "--between", "0,0", "5,5"),
    ],
)
def test_pictures(convcalc, tmp_path: Path, arguments) -> None:
    assert convcalc("field", *arguments, "-o", str(tmp_path / "field.svg")).returncode == 0
    ElementTree.parse(tmp_path / "field.svg")
    (tmp_path / "field.svg").unlink()
    path = tmp_path / "field.png"
    assert convcalc("field", *arguments, "-o", str(path)).returncode == 0
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert min(image.size) > 100
    assert [file.name for file in tmp_path.iterdir()] == ["field.png"]


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (("--layer", "cnv5"), "did you mean 'conv5'?", 2),
        (("--to", "cnv5"), "no output or layer 'cnv5'; did you mean 'conv5'?", 2),
        (("--layer", "conv5", "--unit", "7,2"), "conv5 has no unit 7,2", 2),
        (("--layer", "conv5", "--unit", "7"), "a position is row,column", 2),
        (("--layer", "conv5", "--unit", "-1,0"), "has no unit -1,0", 2),
        (("--layer", "conv5", "--unit", "a,b"), "needs whole numbers", 2),
        (("--unit", "1,2"), "--unit needs the layer", 2),
        (("--pixel", "500,1"), "the image has no pixel 500,1", 2),
        (("--pixel", "1,1", "--layer", "conv1"), "ask different questions", 2),
        (("-o", "field.jpg"), "written as .svg, .png, .pdf or .tex; not as .jpg", 2),
        (("--image", "cat.png"), "needs a file to draw into", 2),
        (("-o", "/nowhere/field.png"), "cannot be written", 1),
        (("-o", "x.png", "--image", "/nowhere.png"), "no such file", 1),
        (("--pixel", "9" * 5000 + ",1"), "needs whole numbers", 2),
    ],
)
def test_bad_input_is_one_error(convcalc, arguments, said, code) -> None:
    done = convcalc("field", "alexnet", *arguments)
    assert done.returncode == code
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_one_and_three_dimensions(convcalc, tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    for shape, unit in (("[2, 50]", "3"), ("[1, 9, 8, 7]", "1,2,3")):
        spec.write_text(
            f"name: net\ninput: {shape}\nlayers: [{{conv: {{filters: 1, kernel: 3, stride: 2}}}}]\n"
        )
        done = convcalc("field", str(spec), "--layer", "conv1", "--unit", unit.replace("3", "2"))
        assert done.returncode == 0, done.stderr
        assert convcalc("field", str(spec), "-o", str(tmp_path / "x.png")).returncode == 2


def test_a_table_over_depth_that_would_take_minutes_is_refused(convcalc, tmp_path: Path) -> None:
    """3,000 rows over 3,000 layers; folded to one row, or for one layer, it is answered."""
    spec = tmp_path / "deep.yaml"
    layers = "layers: [{conv: {filters: 1, kernel: 3, padding: 1}}]"
    spec.write_text(
        f"name: deep\ninput: [1, 9]\nlayers:\n  - group: {{name: tower, repeat: 3000, {layers}}}\n"
    )
    done = convcalc("field", str(spec), "--all")
    assert done.returncode == 2
    assert "3,000 rows over 3,000 layers would take too long" in done.stderr
    assert "--depth 1" in done.stderr
    assert convcalc("field", str(spec), "--depth", "1").returncode == 0
    one = value(convcalc, str(spec), "--layer", "tower.2999.conv1")
    assert one["receptive_field"]["size"] == [6001]


def test_an_outputs_name_misspelled(convcalc) -> None:
    done = convcalc("field", "ssd300_vgg16", "--to", "boxs5")
    assert done.returncode == 2
    assert "no output or layer 'boxs5'; did you mean 'boxes5'?" in done.stderr
