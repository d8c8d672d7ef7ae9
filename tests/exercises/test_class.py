"""A class: thirty versions of a sheet, filled in by a script with five kinds of mistakes, marked in one command."""

from __future__ import annotations

import csv
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

import convcalc
from convcalc.errors import ConvcalcError, UsageError

# What a student does wrong: of which question, how the wrong answer comes about, and what it has to be called.
BIASES = "this counts the biases too"
DEPTH = "the depth is missing"
PADDING = "the + 1 is missing: a window also stands at its first position"
FLOPS = "these are FLOPs: a multiply-accumulate is one MAC, two operations"
KERNEL = "this is the kernel alone: the layers before it see more"


def wrong(row: dict[str, str], layers: dict[str, Any]) -> tuple[str, str] | None:
    """A wrong answer to a question and its reason; None where none of the five fits."""
    layer = layers[row["layer"]]
    sizes = layer.output_shape
    if row["asks"] == "weights" and layer.biases:
        return str(layer.params), BIASES
    if row["asks"] == "macs":
        return str(2 * layer.macs), FLOPS
    if row["asks"] == "field" and layer.kind == "conv" and row["layer"] != "conv1":
        return str(layer.fields["kernel"]), KERNEL
    if row["asks"] == "output" and len(sizes) == 3:
        if row["layer"] in ("conv3", "conv4", "conv5"):
            return f"{sizes[1]}x{sizes[2]}", DEPTH
        return f"{sizes[0]}x{sizes[1] - 1}x{sizes[2] - 1}", PADDING
    return None


class Layer:
    """A layer's figures with its fields."""

    def __init__(self, value: dict[str, Any]) -> None:
        self.output_shape, self.biases = value["output_shape"], value["biases"]
        self.params, self.macs, self.kind, self.fields = (
            value["params"], value["macs"], value["kind"], value["fields"],
        )  # fmt: skip


def test_thirty_sheets_are_marked_in_one_command_and_each_mistake_is_named(convcalc, tmp_path: Path) -> None:
    folder = tmp_path / "class"
    asked = ("--blank", "output,weights,macs,field")
    done = convcalc("worksheet", "alexnet", *asked, "--versions", "30", "--seed", "5", "-o", str(folder))
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"wrote 30 sheets and their keys to {folder}\n"
    layers = {
        value["name"]: Layer(value)
        for value in json.loads(convcalc("show", "alexnet", "--format", "json").stdout)["layers"]
    }
    expected: dict[str, list[str]] = {}
    for number, path in enumerate(sorted(folder.glob("*.csv"))):
        with open(folder / "keys" / path.name, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        reasons = []
        for place, row in enumerate(rows):
            mistake = wrong(row, layers) if (place + number) % 4 == 0 else None
            if mistake is not None:
                row["answer"] = mistake[0]
                reasons.append(mistake[1])
        expected[path.stem] = reasons
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
    started = time.monotonic()
    done = convcalc("worksheet", "--check", str(folder), "--format", "json")
    taken = time.monotonic() - started
    print(f"30 sheets marked in {taken:.2f} s")
    assert done.returncode == 1
    book = json.loads(done.stdout)
    assert len(book["sheets"]) == 30
    for sheet in book["sheets"]:
        found = [mark["why"] for mark in sheet["marks"] if mark["verdict"] != "right"]
        assert all(found)
        assert [why.split(":")[0] for why in found] == [why.split(":")[0] for why in expected[sheet["name"]]]
        assert sheet["right"] == sheet["total"] - len(found)
    counts = [mistake["count"] for mistake in book["mistakes"]]
    assert counts == sorted(counts, reverse=True)
    named = {mistake["why"].split(":")[0] for mistake in book["mistakes"]}
    assert named == {why.split(":")[0] for why in (BIASES, DEPTH, PADDING, FLOPS, KERNEL)}
    assert sum(counts) == sum(map(len, expected.values())) > 60
    rows = list(
        csv.DictReader(convcalc("worksheet", "--check", str(folder), "--format", "csv").stdout.splitlines())
    )
    assert [row["name"] for row in rows] == sorted(expected)
    assert {int(row["right"]) + len(expected[row["name"]]) == int(row["total"]) for row in rows} == {True}


def test_versions_differ_and_their_keys_are_right(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "class"
    convcalc.load("lenet5").worksheet(versions=12, seed=3).save(folder, "json")
    sheets = sorted(folder.glob("*.json"))
    assert [path.name for path in sheets] == [f"{number:02}.json" for number in range(1, 13)]
    texts = {path.read_text(encoding="utf-8") for path in sheets}
    assert len(texts) == 12
    keys = convcalc.check_sheet(folder / "keys")
    assert keys.all_right
    assert len(keys.sheets) == 12
    marked = convcalc.check_sheet(folder)
    assert [sheet.right for sheet in marked.sheets] == [0] * 12


def test_a_version_is_the_sheet_of_its_seed(tmp_path: Path) -> None:
    convcalc.worksheet(field=2, memory=1, seed=40, versions=3).save(tmp_path / "class")
    second = (tmp_path / "class/02.csv").read_text(encoding="utf-8")
    assert second == convcalc.worksheet(field=2, memory=1, seed=41).to_text("csv")


@pytest.mark.parametrize("form", ["moodle", "qti", "html", "latex"])
def test_versions_in_other_formats(tmp_path: Path, form: str) -> None:
    convcalc.worksheet(amount=2, versions=2).save(tmp_path / "class", form)
    endings = {
        "moodle": (".xml", ".csv"),
        "qti": (".xml", ".csv"),
        "html": (".html", ".html"),
        "latex": (".tex", ".tex"),
    }
    names = sorted(path.relative_to(tmp_path).as_posix() for path in (tmp_path / "class").rglob("*.*"))
    sheet, key = endings[form]
    assert names == [f"class/01{sheet}", f"class/02{sheet}", f"class/keys/01{key}", f"class/keys/02{key}"]


def test_nothing_in_a_folder_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConvcalcError, match=r"the folder is not empty \(notes.txt\)"):
        convcalc.worksheet(versions=2).save(tmp_path)
    with pytest.raises(ConvcalcError, match="is no folder"):
        convcalc.worksheet(versions=2).save(tmp_path / "notes.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_versions_that_would_all_be_alike_are_refused() -> None:
    with pytest.raises(UsageError, match="all 7 cells are asked"):
        convcalc.load("lenet5").worksheet(versions=3, amount=7, blank="weights")
    with pytest.raises(UsageError, match="needs a number from 1 to 1,000"):
        convcalc.worksheet(versions=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--versions", "2"], "--versions writes a folder"),
        (["--versions", "2", "-o", "x", "--answers"], "--versions writes the keys too"),
        (["lenet5", "--design", "2"], "--design asks questions of its own"),
        (["--check", "x.csv", "--field", "2"], "--check marks what the file asks"),
    ],
)
def test_wrong_usage(convcalc, arguments: list[str], message: str) -> None:
    done = convcalc("worksheet", *arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_mistake_told_with_a_layer_s_numbers_is_counted_once_for_all_layers(tmp_path: Path) -> None:
    key = convcalc.load("alexnet").worksheet(blank="weights", answers=True).to_text("csv")
    flat = {"conv1": 11 * 11 * 96, "conv2": 5 * 5 * 256, "conv3": 3 * 3 * 384, "fc1": 4096, "fc3": 1000}
    for name, layers in {"ada": ("conv1", "conv2", "fc1", "fc3"), "emmy": ("conv1", "conv3")}.items():
        rows = list(csv.DictReader(key.splitlines()))
        with open(tmp_path / f"{name}.csv", "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(
                {**row, "answer": flat[row["layer"]]} if row["layer"] in layers else row for row in rows
            )
    marked = convcalc.check_sheet(tmp_path)
    assert marked.mistakes == [
        ("a filter is as deep as its input", 4),
        ("every unit has a weight for each of the n inputs", 2),
    ]
    assert marked.sheets[0].marks[0].why == "a filter is as deep as its input: times 3"


def test_a_pipe_in_a_folder_of_sheets_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "ada.csv").write_text(
        convcalc.worksheet(field=1, answers=True).to_text("csv"), encoding="utf-8"
    )
    os.mkfifo(tmp_path / "pipe.csv")
    marked = convcalc.check_sheet(tmp_path)
    assert [(sheet.name, sheet.right) for sheet in marked.sheets] == [("ada", 1), ("pipe", 0)]
    assert str(marked.sheets[1].error).splitlines()[0].endswith("pipe.csv: is no regular file")


@pytest.mark.parametrize("name", ["design.1.5.99999", "design.9.5.1", "backward.1.x.1"])
def test_a_question_that_there_is_not_is_called_so(name: str) -> None:
    sheet = f"exercise,network,asks,question,answer\n{name},,{name.split('.')[0]},,3\n"
    with pytest.raises(ConvcalcError, match=f"there is no exercise '{name}'"):
        convcalc.check_sheet(sheet)
