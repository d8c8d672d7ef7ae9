"""`convcalc worksheet`: files, marking, exit codes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.conftest import ROOT


def test_the_same_seed_prints_the_same_sheet(convcalc) -> None:
    one, two, other = (convcalc("worksheet", "--seed", seed).stdout for seed in ("5", "5", "6"))
    assert one == two != other


@pytest.mark.parametrize("suffix", ["html", "tex", "md", "csv", "json", "txt"])
def test_the_file_names_the_format(convcalc, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"sheet.{suffix}"
    done = convcalc("worksheet", "lenet5", "-o", str(path))
    assert (done.returncode, done.stdout) == (0, "")
    text = path.read_text(encoding="utf-8")
    begins = {
        "html": "<!DOCTYPE html>",
        "tex": r"\documentclass",
        "md": "###",
        "csv": "exercise,",
        "json": "{",
    }
    assert text.startswith(begins.get(suffix, "LeNet-5"))
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_sheet_goes_out_and_comes_back(convcalc, tmp_path: Path) -> None:
    """Without ARCH too: the file says which network; the key's answers are all right."""
    for arguments in (("alexnet", "--blank", "output,weights,macs,field"), ("--seed", "9", "--amount", "12")):
        key = json.loads(convcalc("worksheet", *arguments, "--answers", "--format", "json").stdout)
        path = tmp_path / "sheet.json"
        path.write_text(json.dumps(key), encoding="utf-8")
        done = convcalc("worksheet", "--check", str(path), "--format", "json")
        assert done.returncode == 0, done.stderr
        marked = json.loads(done.stdout)
        assert marked["right"] == marked["total"] == len(key["exercises"]) > 20


def test_a_sheet_of_ones_own_network(convcalc, tmp_path: Path) -> None:
    spec, sheet = tmp_path / "mine.yaml", tmp_path / "sheet.csv"
    spec.write_text(
        "name: mine\ninput: [3, 9, 9]\nlayers: [{conv: {filters: 2, kernel: 3}}]\n", encoding="utf-8"
    )
    convcalc("worksheet", str(spec), "-o", str(sheet))
    sheet.write_text(
        sheet.read_text().replace("output,\n", "output,2x7x7\n").replace("weights,\n", "weights,54\n")
    )
    done = convcalc("worksheet", "--check", str(sheet))
    assert done.returncode == 2
    assert "not bundled" in done.stderr
    assert convcalc("worksheet", str(spec), "--check", str(sheet)).returncode == 0
    done = convcalc("worksheet", "lenet5", "--check", str(sheet))
    assert done.returncode == 2
    assert "not of lenet5" in done.stderr


CLASS = "tests/data/worksheets/class"  # LeNet-5: its pool has no weights, fc3 has 84·10 = 840 of them


def test_a_folder_gives_a_row_per_sheet(convcalc) -> None:
    """Ada gave the pool the 2·2 of its window and counted fc3's biases; Emmy left one out and counted them too."""
    done = convcalc("worksheet", "--check", CLASS, "--format", "json")
    assert done.returncode == 1
    value = json.loads(done.stdout)
    assert set(value) == {"conventions", "right", "total", "sheets", "mistakes", "asked"}
    assert (value["right"], value["total"]) == (8, 12)
    assert [
        (
            Path(sheet["file"]).name,
            sheet["name"],
            sheet["right"],
            sheet["total"],
            len(sheet["marks"]),
            sheet["error"],
        )
        for sheet in value["sheets"]
    ] == [
        ("ada.csv", "ada", 2, 4, 4, None),
        ("grace.csv", "grace", 4, 4, 4, None),
        ("third.json", "Emmy", 2, 4, 4, None),
    ]
    assert value["mistakes"] == [
        {"why": "this counts the biases too", "count": 2},
        {
            "why": "a pool takes the largest value or the mean of its window: it has no weights",
            "count": 1,
        },
        {"why": "left blank", "count": 1},
    ]


def test_several_sheets_are_marked_and_none_is_dropped(convcalc) -> None:
    """Named one by one, or as a shell writes out `--check *.csv`; all right is exit code 0."""
    one, two = f"{CLASS}/ada.csv", f"{CLASS}/grace.csv"
    for arguments in (("--check", one, "--check", two), ("--check", one, two)):
        done = convcalc("worksheet", *arguments, "--format", "csv")
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        assert done.returncode == 1
        assert [(row["name"], row["right"], row["total"]) for row in rows] == [
            ("ada", "2", "4"),
            ("grace", "4", "4"),
        ]
        assert rows[0]["mistakes"].endswith("dense3, weights: this counts the biases too")
    assert convcalc("worksheet", "--check", two, "--check", two).returncode == 0
    alone = json.loads(convcalc("worksheet", "--check", one, "--format", "json").stdout)
    assert (alone["name"], alone["right"], alone["total"], len(alone["marks"])) == ("ada", 2, 4, 4)


def test_a_sheet_that_cannot_be_read_does_not_keep_the_others_back(convcalc, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("nonsense\n", encoding="utf-8")
    text = (ROOT / CLASS / "grace.csv").read_text(encoding="utf-8")
    (tmp_path / "b.csv").write_text(text.replace("lenet5", "lenet9"), encoding="utf-8")
    (tmp_path / "c.csv").write_text(
        text.replace("answer", "answer,name").replace("840", "840,Ida"), encoding="utf-8"
    )
    (tmp_path / "notes.txt").write_text("no sheet", encoding="utf-8")
    done = convcalc("worksheet", "--check", str(tmp_path), "--format", "csv")
    assert done.returncode == 1
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["name"], row["right"], bool(row["error"])) for row in rows] == [
        ("a", "0", True),
        ("b", "0", True),
        ("Ida", "4", False),
    ]
    assert "a.csv: has no column 'exercise'" in done.stderr
    assert "b.csv: the sheet is of 'lenet9', which is not bundled" in done.stderr
    empty = tmp_path / "empty"
    empty.mkdir()
    done = convcalc("worksheet", "--check", str(empty))
    assert (done.returncode, "no worksheets in this folder" in done.stderr) == (1, True)


def test_a_json_sheet_has_room_for_a_name(convcalc) -> None:
    assert json.loads(convcalc("worksheet", "lenet5", "--format", "json").stdout)["name"] is None


def test_another_input_is_noticed(convcalc, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    assert convcalc("worksheet", "vgg16", "--input", "64", "-o", str(sheet)).returncode == 0
    done = convcalc("worksheet", "--check", str(sheet))
    assert done.returncode == 1
    assert "give the --input and --set that the sheet was made with" in " ".join(done.stderr.split())
    assert "left blank" in convcalc("worksheet", "vgg16", "--input", "64", "--check", str(sheet)).stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lenet5", "--blank", "wieghts"), "did you mean 'weights'?"),
        (("lenet5", "--level", "2"), "--level is for single layers"),
        (("--level", "5"), "needs a level from 1 to 4"),
        (("--level", "x"), "needs a level from 1 to 4"),
        (("--input", "64"), "need a network"),
        (("--amount", "100000"), "at most 200"),
        (("--amount", "0"), "--amount"),
        (("lenet5", "-o", "sheet.doc"), "cannot tell the format from .doc"),
        (("--check", "x.csv", "--answers"), "leave the options"),
        (("--check", "x.csv", "--seed", "3"), "leave the options"),
        (("lnet5",), "did you mean"),
        (("lenet5", "alexnet"), "of one network, not of lenet5 and alexnet"),
    ],
)
def test_wrong_usage(convcalc, arguments, said) -> None:
    done = convcalc("worksheet", *arguments)
    assert done.returncode in (1, 2)
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_file_that_is_not_there(convcalc) -> None:
    done = convcalc("worksheet", "--check", "/nowhere.csv")
    assert (done.returncode, "No such file" in done.stderr) == (1, True)
