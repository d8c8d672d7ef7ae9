"""Nothing from outside steers a terminal: names of files, tensors, layers, people; and none is shown at length."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path

import pytest

from convcalc.errors import clean
from convcalc.render.formats import FORMATS
from tests.conftest import on_terminal
from tests.weights.test_pth import mapping, saved, tensor, text

# Red, a window's title, the one-character CSI, a turned direction, a bell, and back to the start of the line.
EVIL = "e\x1b[31mv\x1b]0;i\x07l\x9b2J\u202e\r\x08x"
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
DIGIT = Path(__file__).parent.parent / "data" / "digits" / "7_0.png"
SPEC = """
name: "evil\\e[31m"
title: "A \\e]0;title\\a\\x9b2J"
notes: ["see \\e[31mred"]
source: "\\x9b2J"
input: [1, 28, 28]
labels: ["\\e[31mred", "b\\u202e"]
layers:
  - flatten
  - dense: 2
  - softmax
"""


def harmless(output: str) -> bool:
    return not STEERING.search(output.replace("\r\n", "\n"))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / f"{EVIL}.png"
    path.write_bytes(DIGIT.read_bytes())
    return path


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / f"{EVIL}.yaml"
    path.write_text(SPEC)
    return path


def everything(convcalc, *arguments: object) -> str:
    """What a command prints in every format and on a terminal; the plain run's output is checked by the caller."""
    words = [str(argument) for argument in arguments]
    shown = [convcalc(*words, "--format", form) for form in FORMATS]
    return "".join(done.stdout + done.stderr for done in shown) + on_terminal(words, 80)


@pytest.mark.slow
def test_an_images_name(picture: Path, convcalc) -> None:
    assert harmless(everything(convcalc, "forward", "lenet5", picture))
    assert harmless(everything(convcalc, "forward", "lenet5", picture, DIGIT))
    assert harmless(everything(convcalc, "apply", "blur", picture))
    assert json.loads(convcalc("forward", "lenet5", str(picture), "--format", "json").stdout)["image"] == str(
        picture
    )


@pytest.mark.slow
def test_names_in_a_spec(spec: Path, convcalc) -> None:
    for command in ("show", "field", "matrix", "worksheet"):
        assert harmless(everything(convcalc, command, spec))
    assert harmless(everything(convcalc, "diff", spec, spec))
    assert harmless(everything(convcalc, "forward", spec, DIGIT))


def test_a_files_name_that_is_written(tmp_path: Path, convcalc) -> None:
    done = convcalc("apply", "maxpool: 1", "1 2", "-o", str(tmp_path / f"{EVIL}.csv"))
    assert done.stderr.startswith("wrote ")
    assert harmless(done.stderr)


@pytest.mark.parametrize(
    "arguments",
    [
        ("forward", "lenet5", f"{EVIL}.png"),
        ("forward", "lenet5", str(DIGIT), "--weights", f"{EVIL}.pth"),
        ("forward", "lenet5", str(DIGIT), "--save", f"{EVIL}/x.npy"),
        ("forward", "lenet5", str(DIGIT), "--save", EVIL),
        ("show", EVIL),
        ("show", f"{EVIL}.yaml"),
        ("show", "alexnet", "--input", EVIL),
        ("show", "alexnet", "--set", f"{EVIL}=1"),
        ("show", "alexnet", f"--{EVIL}"),
        ("show", "alexnet", "--format", EVIL),
        ("show", "alexnet", EVIL),
        ("field", "alexnet", "--layer", EVIL),
        ("apply", EVIL, "1 2"),
        ("apply", "maxpool: 1", EVIL),
        ("apply", "maxpool: 1", f"{EVIL}.csv"),
        ("worksheet", "--check", EVIL),
        ("worksheet", "lenet5", "-o", EVIL),
        ("docs", EVIL),
        (EVIL,),
    ],
    ids=lambda arguments: " ".join(arguments[:-1]) or "no command",
)
def test_what_errors_quote(arguments: tuple[str, ...], convcalc) -> None:
    done = convcalc(*arguments)
    assert done.returncode in (1, 2)
    assert done.stderr
    assert harmless(done.stdout + done.stderr)
    assert harmless(on_terminal(list(arguments), 80))


def safetensors(folder: Path, name: str) -> Path:
    entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    header = json.dumps({name: entry}).encode()
    path = folder / "weights"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    return path


def test_tensors_names(tmp_path: Path, convcalc) -> None:
    path = safetensors(tmp_path, EVIL)
    done = convcalc("forward", "lenet5", str(DIGIT), "--weights", str(path))
    assert "not part of the network (1): e" in done.stderr
    assert harmless(done.stderr)
    path.write_bytes(saved({"epoch": b"K\3", EVIL: mapping({f"{EVIL}.x": tensor()})}))
    done = convcalc("forward", "lenet5", str(DIGIT), "--weights", str(path))
    assert "the weights are those under" in done.stderr
    assert harmless(done.stderr)


def test_a_persons_name_and_answers(tmp_path: Path, convcalc) -> None:
    sheet = {
        "name": EVIL,
        "exercises": [
            {"exercise": "1", "network": "lenet5", "layer": "conv1", "asks": "output", "answer": EVIL}
        ],
    }
    (tmp_path / "sheet.json").write_text(json.dumps(sheet))
    assert harmless(everything(convcalc, "worksheet", "--check", tmp_path / "sheet.json"))
    (tmp_path / "second.json").write_text(json.dumps(sheet))
    assert harmless(everything(convcalc, "worksheet", "--check", tmp_path))


def test_what_steers_no_terminal_stays() -> None:
    kept = "Réseau\u00a0: 3×224×224 → 1.000\tétoile ☆ 网络 👩\u200d🔬\nnext"
    assert clean(kept) == kept


# --- names of 100 KB -----------------------------------------------------------------------------------------

LONG = "n" * 100_000


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", LONG),
        ("show", f"{LONG}.yaml"),
        ("show", "alexnet", "--set", f"{LONG}=1"),
        ("show", "alexnet", "--input", LONG),
        ("show", "alexnet", f"--{LONG}"),
        ("field", "alexnet", "--layer", LONG),
        ("apply", LONG, "1 2"),
        ("apply", "maxpool: 1", "1 2; 3 " + LONG),
        ("apply", "maxpool: 1", "x " * 40_000 + "?"),
        ("forward", "lenet5", f"{LONG}.png"),
        ("forward", "lenet5", str(DIGIT), "--weights", LONG),
        ("forward", "lenet5", str(DIGIT), "--save", f"{LONG}.npy"),
        ("worksheet", "--check", LONG),
        (LONG,),
    ],
    ids=lambda arguments: " ".join(word[:20] for word in arguments),
)
def test_long_names_are_cut_in_errors(arguments: tuple[str, ...], convcalc) -> None:
    done = convcalc(*arguments)
    assert done.returncode in (1, 2)
    assert 0 < len(done.stderr) < 6000


@pytest.mark.parametrize(
    "name", [LONG, "n " * 50_000, f"{LONG}.weight", f"aux.{LONG}"], ids=lambda name: name[:6]
)
def test_long_names_of_tensors_are_cut(name: str, tmp_path: Path, convcalc) -> None:
    done = convcalc("forward", "lenet5", str(DIGIT), "--weights", str(safetensors(tmp_path, name)))
    assert done.returncode == 1
    assert 0 < len(done.stderr) < 6000
    for entries in (
        {name: tensor()},
        {name: text("x")},
        {name: mapping({name: tensor(), "b": tensor((9,), (1,))})},
    ):
        (tmp_path / "w.pth").write_bytes(saved(entries))
        done = convcalc("forward", "lenet5", str(DIGIT), "--weights", str(tmp_path / "w.pth"))
        assert done.returncode == 1
        assert 0 < len(done.stderr) < 6000


def test_long_names_in_a_spec_are_cut_in_errors(tmp_path: Path, convcalc) -> None:
    for line in (f"  - {LONG}: 3", f"  - relu: {{name: {LONG}, from: nowhere}}", f"  - conv: {{{LONG}: 3}}"):
        (tmp_path / "net.yaml").write_text(f"name: net\ninput: [1, 4, 4]\nlayers:\n{line}\n")
        done = convcalc("show", str(tmp_path / "net.yaml"))
        assert done.returncode == 1
        assert 0 < len(done.stderr) < 6000
