"""`convcalc forward --maps`, `--layer` and `--kernels`: which files there are, and mistakes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

import convcalc as package
from convcalc.api.feature_maps import file_name, is_folder
from convcalc.cli import main
from convcalc.errors import ConvcalcError, UsageError

DIGIT = Path(__file__).parent.parent / "data" / "digits" / "7_1.png"


def run(*arguments: object):
    """The command in this process: exit_code, stdout and stderr."""
    return CliRunner().invoke(main, ["forward", *map(str, arguments), "--backend", "reference"])


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_folder_has_a_sheet_for_every_layer_in_running_order(tmp_path: Path) -> None:
    folder = tmp_path / "maps"
    done = run("lenet5", DIGIT, "--maps", folder, "--format", "json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)["maps"]
    assert [Path(entry["file"]).name for entry in found] == names(folder)
    assert names(folder) == [
        "01-conv1.png", "02-tanh1.png", "03-maxpool1.png", "04-conv2.png", "05-tanh2.png", "06-maxpool2.png",
        "07-flatten1.png", "08-dense1.png", "09-tanh3.png", "10-dense2.png", "11-tanh4.png", "12-dense3.png",
        "13-softmax1.png",
    ]  # fmt: skip
    assert found[3] == {"layer": "conv2", "shape": [16, 10, 10], "file": str(folder / "04-conv2.png")}
    assert f"wrote 13 files in {folder}" in done.stderr
    for name in names(folder):
        with Image.open(folder / name) as sheet:
            sheet.load()
            assert sheet.width >= 600


def test_a_file_has_one_layer(tmp_path: Path) -> None:
    file = tmp_path / "one.PNG"
    done = run("lenet5", DIGIT, "--maps", file, "--layer", "tanh2")
    assert done.exit_code == 0, done.output
    assert f"wrote {file}" in done.stderr
    with Image.open(file) as sheet:
        assert sheet.info["Title"] == "tanh2   16 maps of 10×10"


def test_several_layers_go_into_a_folder(tmp_path: Path) -> None:
    (tmp_path / "dotted.name").mkdir()
    done = run("lenet5", DIGIT, "--maps", tmp_path / "dotted.name", "--layer", "dense3", "--layer", "conv1")
    assert done.exit_code == 0, done.output
    assert names(tmp_path) == ["dotted.name/01-conv1.png", "dotted.name/12-dense3.png"]


def test_each_image_has_a_folder(tmp_path: Path) -> None:
    """Two of one name are told apart, and one that cannot be read has none."""
    (tmp_path / "other").mkdir()
    shutil.copy(DIGIT, tmp_path / "other" / DIGIT.name)
    (tmp_path / "wrong.png").write_text("no image")
    images = [DIGIT, tmp_path / "wrong.png", tmp_path / "other" / DIGIT.name, DIGIT]
    done = run("lenet5", *images, "--maps", tmp_path / "maps", "--layer", "conv1", "--format", "json")
    assert done.exit_code == 1
    wanted = ["7_1-2/01-conv1.png", "7_1-3/01-conv1.png", "7_1/01-conv1.png"]
    assert names(tmp_path / "maps") == wanted
    values = json.loads(done.stdout)
    assert "wrong.png" in values[1]["error"]
    assert values[2]["maps"] == [
        {"layer": "conv1", "shape": [6, 28, 28], "file": str(tmp_path / "maps" / "7_1-2" / "01-conv1.png")}
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--maps", "maps.png"], 2, ["a file holds the maps of one layer", "--layer NAME", "--maps maps/"]),
        (["--maps", "maps.png", "--layer", "conv1", "--layer", "conv2"], 2, ["there are 2", "--maps maps/"]),
        (["--maps", "maps.png", "--layer", "cnv1"], 2, ["no layer 'cnv1'; did you mean 'conv1'?"]),
        (["--maps", "maps", "--layer", "nosuch"], 2, ["no layer 'nosuch'", "show lenet5 --all"]),
        (
            ["--maps", "maps.jpg", "--layer", "conv1"],
            2,
            ["cannot write .jpg", ".png"],
        ),
        (["--maps", "nowhere/maps.png", "--layer", "conv1"], 1, ["nowhere/maps.png: cannot be written"]),
        (["--layer", "conv1"], 2, ["--layer says which layers --maps draws"]),
        (["--maps", "maps", "--profile"], 2, ["profile"]),
        (["--kernels", "kernels.jpg"], 2, ["cannot write .jpg"]),
        (["--kernels", "kernels"], 2, ["one file", ".png"]),
        (["--kernels", "nowhere/kernels.png"], 1, ["cannot be written"]),
    ],
)
def test_mistakes_are_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, said: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("lenet5", DIGIT, *arguments)
    assert done.exit_code == code, done.output
    for text in said:
        assert text in done.output
    assert names(tmp_path) == []


def test_a_file_is_of_one_image(tmp_path: Path) -> None:
    done = run("lenet5", DIGIT, DIGIT, "--maps", tmp_path / "a.png", "--layer", "conv1")
    assert done.exit_code == 2
    assert "of one image, and there are 2" in done.output


def test_filters_of_the_first_convolution(tmp_path: Path) -> None:
    file = tmp_path / "filters.png"
    done = run("lenet5", DIGIT, "--kernels", file)
    assert done.exit_code == 0, done.output
    assert f"wrote {file}" in done.stderr
    with Image.open(file) as sheet:
        assert sheet.info["Title"] == "conv1   6 filters of 1×5×5"


def test_a_network_without_convolution_has_no_filters(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text("input: [1, 6, 5]\npreprocess: {mode: grey}\nlayers: [flatten, dense: 4]\n")
    done = run(spec, DIGIT, "--kernels", tmp_path / "filters.png")
    assert done.exit_code == 2
    assert "no convolution" in done.output


def test_several_inputs_and_a_block(tmp_path: Path) -> None:
    spec = tmp_path / "twins.yaml"
    spec.write_text(
        "inputs: {left: [1, 6, 5], right: [1, 6, 5]}\npreprocess: {mode: grey}\n"
        "layers:\n"
        "  - group: {name: stem, from: left, layers: [{conv: {filters: 3, kernel: 2}}, relu]}\n"
        "  - conv: {name: other, from: right, filters: 3, kernel: 2}\n"
        "  - add: {from: [stem, other]}\n"
    )
    done = run(spec, f"left={DIGIT}", f"right={DIGIT}", "--maps", tmp_path / "maps", "--layer", "stem")
    assert done.exit_code == 0, done.output
    assert names(tmp_path / "maps") == ["2-stem.png"]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("layer4.1.conv2", "layer4.1.conv2"),
        ("/model/conv", "_model_conv"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ('con:<a>|*?"\\', "con__a______"),
        ("a" * 10_000, "a" * 80 + "_"),
        ("...", "_"),
        ("tab\tnull\0", "tab_null_"),
        ("größe", "größe"),
    ],
)
def test_names_of_files_are_harmless(name: str, file: str) -> None:
    assert file_name(name) == file


def test_what_is_a_folder(tmp_path: Path) -> None:
    assert is_folder("maps")
    assert is_folder("maps.png/")
    assert is_folder(str(tmp_path))
    assert not is_folder("maps.png")
    with pytest.raises(UsageError, match=r"\.tiff"):
        is_folder("maps.tiff")


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConvcalcError, match="file"):
        package.load("lenet5").forward(DIGIT, maps=tmp_path / "file" / "maps", layers=["conv1"])
    done = run("lenet5", DIGIT, "--maps", tmp_path / "file", "--layer", "conv1")
    assert done.exit_code == 1, done.output
    assert (tmp_path / "file").read_text() == ""


def test_from_python(tmp_path: Path) -> None:
    net = package.load("lenet5")
    found = net.forward(DIGIT, maps=tmp_path / "maps", layers="conv2", kernels=tmp_path / "k.png")
    assert found.maps == (("conv2", (16, 10, 10), str(tmp_path / "maps" / "04-conv2.png")),)
    assert found.to_dict()["maps"][0]["layer"] == "conv2"
    assert found.kept == {}
    assert names(tmp_path) == ["k.png", "maps/04-conv2.png"]
    with pytest.raises(UsageError, match="exclude"):
        net.forward(DIGIT, maps=tmp_path / "maps", keep=["conv1"])


def test_layers_are_completed() -> None:
    from click.shell_completion import ShellComplete

    complete = ShellComplete(main, {}, "convcalc", "_CONVCALC_COMPLETE")
    found = complete.get_completions(["forward", "lenet5", "seven.png", "--maps", "m", "--layer"], "conv")
    assert [item.value for item in found] == ["conv1", "conv2"]


def test_a_file_where_the_folder_should_be_is_refused_before_anything_runs(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    done = run("lenet5", DIGIT, "--maps", taken)
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"--maps {taken}: is a file, not a folder" in done.stderr
    assert "name another folder, or with --layer NAME a file that ends in .png" in done.stderr
    assert taken.read_text() == "mine"
