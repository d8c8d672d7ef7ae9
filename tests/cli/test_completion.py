"""What the Tab key offers, asked for as the shells do, and the scripts that ask."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from convcalc.render.formats import FORMATS
from tests.conftest import ROOT, environment


def offered(convcalc, line: str, shell: str = "bash") -> list[str]:
    """The values offered for the last word of a command line; a blank at the end begins a new one."""
    words = line.split(" ")
    shells = {
        "bash": {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)},
        "zsh": {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
        "fish": {"COMP_WORDS": line, "COMP_CWORD": words[-1]},
    }
    done = convcalc(_CONVCALC_COMPLETE=f"{shell}_complete", **shells[shell])
    assert (done.returncode, done.stderr) == (0, "")
    lines = [text for text in done.stdout.splitlines() if text]
    if shell == "zsh":
        return [value for kind, value in zip(lines[::3], lines[1::3], strict=True) if kind == "plain"]
    return [text.partition(",")[2] for text in lines if text.startswith("plain,")]


SQUEEZENETS = [f"torchvision/squeezenet1_{end}" for end in ("0", "1")]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_part_of_a_name_finds_it(convcalc, shell: str) -> None:
    assert offered(convcalc, "convcalc show squ", shell) == SQUEEZENETS
    assert offered(convcalc, "convcalc show squeezenet1_0", shell) == SQUEEZENETS[:1]


def test_a_beginning_comes_before_a_part(convcalc) -> None:
    assert offered(convcalc, "convcalc show vgg1") == ["vgg11", "vgg13", "vgg16", "vgg19"]


def test_nothing_is_offered_that_takes_away_what_was_typed(convcalc) -> None:
    """bash and zsh would put the common beginning, torchvision/, in place of v2; fish lists them."""
    assert offered(convcalc, "convcalc show v2", "bash") == offered(convcalc, "convcalc show v2", "zsh") == []
    assert "torchvision/mobilenet_v2" in offered(convcalc, "convcalc show v2", "fish")


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("convcalc show lenet5 --layer conv", ["conv1", "conv2"]),
        ("convcalc check lenet5 --ignore un", ["unread_layer"]),
        ("convcalc check lenet5 --set cl", ["classes="]),
        ("convcalc show inception-module --layer inception.conv", ["inception.conv1x1", "inception.conv3x3",
                                                                   "inception.conv5x5"]),
        ("convcalc field lenet5 --layer dense", ["dense1", "dense2", "dense3"]),
        ("convcalc matrix lenet5 ", ["conv1", "conv2"]),
        ("convcalc matrix lenet5 --layer conv", ["conv1", "conv2"]),
        ("convcalc show lenet5 --columns layer,par", ["layer,params"]),
        ("convcalc worksheet --blank weights,m", ["weights,macs", "weights,memory"]),
        ("convcalc list --family torchvision/res", ["torchvision/resnet"]),
        ("convcalc list squeeze", ["torchvision/squeezenet1_0", "torchvision/squeezenet1_1"]),
        ("convcalc show alexnet --set K", ["K3=", "K4=", "K5="]),
        ("convcalc worksheet alexnet --set F", ["F1="]),
        ("convcalc diff lenet5 alexnet --set-b F", ["F1="]),
        ("convcalc diff alexnet lenet5 --set-a F", ["F1="]),
        ("convcalc apply so", ["sobel-x", "sobel-y", "softmax", "softplus"]),
        ("convcalc apply blur,sob", ["blur,sobel-x", "blur,sobel-y"]),
        ("convcalc show lenet5 --format ", [*FORMATS]),
        ("convcalc apply blur photo.png --mode c", ["correlation", "convolution", "centred"]),
        ("convcalc forward lenet5 photo.png --weights pre", ["pretrained"]),
        ("convcalc convert torchvision/vgg16 -o ", ["vgg16.yaml", "vgg16.py", "vgg16.onnx", "vgg16.safetensors",
                                                    "vgg16.npz"]),
        ("convcalc page torchvision/vgg16 -o v", ["vgg16.html"]),
        ("convcalc docs coun", ["counting"]),
        ("convcalc work", ["worksheet"]),
    ],
)  # fmt: skip
def test_what_is_offered(convcalc, line: str, values: list[str]) -> None:
    assert offered(convcalc, line) == values


@pytest.mark.parametrize(
    "line",
    [
        "convcalc shw al",
        "convcalc show nowhere --layer c",
        "convcalc show tests/bad/shape-window.yaml --layer c",
        "convcalc show nowhere --set c",
        "convcalc show --layer c",
        "convcalc show - --layer c",
        "convcalc show lenet5 --format nonsense --layer nothing-like-it",
        "convcalc show lenet5 --layer conv1 --layer nothing-like-it",
    ],
)
def test_a_mistake_so_far_offers_nothing_and_says_nothing(convcalc, line: str) -> None:
    assert offered(convcalc, line) == []


def test_specs_that_lie_here_and_files(convcalc) -> None:
    assert offered(convcalc, "convcalc show tests/bad/yaml-t") == [
        "tests/bad/yaml-tab.yaml", "tests/bad/yaml-tag.yaml", "tests/bad/yaml-text-after-quote.yaml",
        "tests/bad/yaml-two-documents.yaml",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "convcalc apply blur ",
        "convcalc forward lenet5 ",
        "convcalc forward lenet5 a.png --weights ",
        "convcalc worksheet --check a.csv ",
        "convcalc show ./",
        "convcalc show nothing-like-it",
    ],
)
def test_the_shell_is_asked_for_files(convcalc, line: str) -> None:
    words = {"COMP_WORDS": line.replace(" ", "\n"), "COMP_CWORD": str(line.count(" "))}
    assert convcalc(_CONVCALC_COMPLETE="bash_complete", **words).stdout.startswith("file,")


def test_the_script_fills_bashs_reply(tmp_path: Path) -> None:
    """Evaluated, and its function called as bash calls it."""
    program = tmp_path / "convcalc"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m convcalc "$@"\n')
    program.chmod(0o755)
    code = """
    eval "$(_CONVCALC_COMPLETE=bash_source convcalc)"
    tab() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _convcalc_completion convcalc; echo "${COMPREPLY[@]}"; }
    tab convcalc show squ
    tab convcalc show lenet5 --columns layer,ou
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", code],
        capture_output=True, text=True, cwd=ROOT, check=False, timeout=60,
        env={**environment(), "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.stdout.split() == [*SQUEEZENETS, "layer,output"], done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_scripts_are_sound(convcalc, shell: str) -> None:
    script = convcalc(_CONVCALC_COMPLETE=f"{shell}_source").stdout
    assert "_convcalc_completion" in script
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed: its script cannot be parsed")
    done = subprocess.run(
        [shell, "-n"], input=script, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_completion_loads_neither_terminal_nor_pictures() -> None:
    words = {"COMP_WORDS": "convcalc\nshow\nlenet5\n--layer\nc", "COMP_CWORD": "4"}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "convcalc"],
        capture_output=True, text=True, cwd=ROOT, check=False, timeout=60,
        env={**environment(), **words, "_CONVCALC_COMPLETE": "bash_complete"},
    )  # fmt: skip
    modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "convcalc.language.load" in modules
    assert (
        modules & {"rich", "PIL", "numpy", "numba", "convcalc.report.show", "convcalc.layer.unroll"} == set()
    )
