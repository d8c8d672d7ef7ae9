"""What is written is said on stderr, below the output and out of its way."""

from __future__ import annotations

from pathlib import Path

import pytest

PICTURE = str(Path(__file__).parent.parent / "data" / "digits" / "7_0.png")
CASES = {
    "worksheet": (("worksheet", "lenet5", "-o"), "sheet.html"),
    "field": (("field", "lenet5", "-o"), "field.png"),
    "field of a unit": (("field", "lenet5", "--layer", "conv2", "-o"), "field.png"),
    "field of a pixel": (("field", "lenet5", "--pixel", "5,5", "-o"), "field.png"),
    "field between": (("field", "lenet5", "--between", "0,0", "5,5", "-o"), "field.png"),
    "matrix as a picture": (("matrix", "lenet5", "conv1", "-o"), "matrix.png"),
    "matrix as numbers": (("matrix", "--input", "4x4", "-F", "2", "-o"), "matrix.npz"),
    "matrix as CSV": (("matrix", "--input", "4x4", "-F", "2", "-o"), "matrix.csv"),
    "apply to a matrix": (("apply", "maxpool: 2", "1 2; 3 4", "-o"), "out.csv"),
    "apply to a matrix as JSON": (("apply", "maxpool: 2", "1 2; 3 4", "--format", "json", "-o"), "out.csv"),
    "apply to a picture": (("apply", "blur", PICTURE, "-o"), "out.png"),
    "forward": (("forward", "lenet5", PICTURE, "--save"), "output.npy"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_written_file_is_named_on_stderr(case: str, tmp_path: Path, convcalc) -> None:
    arguments, name = CASES[case]
    path = tmp_path / name
    done = convcalc(*arguments, str(path))
    assert (done.returncode, done.stderr) == (0, f"wrote {path}\n")
    assert path.stat().st_size > 0
    assert "wrote" not in done.stdout


def test_it_stands_below_the_table(tmp_path: Path, run_screen) -> None:
    path = tmp_path / "matrix.csv"
    lines = run_screen(["matrix", "--input", "4x4", "-F", "2", "-o", str(path)], 80).splitlines()
    assert lines[-1] == f"wrote {path}"


def test_where_nothing_can_be_written_nothing_is_said_to_be(convcalc) -> None:
    done = convcalc("worksheet", "lenet5", "-o", "/nowhere/sheet.html")
    assert done.returncode == 1
    assert "wrote" not in done.stderr


@pytest.mark.parametrize(
    ("filters", "what"), [("blur", "the picture"), ("blur,edges", "the pictures side by side")]
)
def test_a_picture_that_is_not_kept_says_how_to_keep_it(filters: str, what: str, convcalc) -> None:
    done = convcalc("apply", filters, PICTURE)
    assert done.stderr == f"not kept: -o FILE.png writes {what}\n"
    assert convcalc("apply", filters, PICTURE, "--format", "json").stderr == ""


@pytest.mark.parametrize("arguments", [case[0] for case in CASES.values()], ids=list(CASES))
def test_a_folder_is_no_place_for_a_file(arguments: tuple[str, ...], tmp_path: Path, convcalc) -> None:
    done = convcalc(*arguments, str(tmp_path))
    assert done.returncode == 2
    assert "is a directory" in done.stderr


def test_forward_refuses_a_place_before_it_computes(convcalc) -> None:
    done = convcalc("forward", "nosuchnetwork", PICTURE, "--save", "/nowhere/out.npy")
    assert (done.returncode, done.stdout) == (1, "")
    assert "/nowhere/out.npy: cannot be written: No such file or directory" in done.stderr
