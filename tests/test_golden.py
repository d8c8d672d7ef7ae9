"""Whole screens as a person sees them: at 80 and 140 columns of a real (pseudo-)terminal, and piped.

After a change that is meant: python -m pytest tests/test_golden.py --update-golden, and read the diff.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"
PIPED = 0

# name of the screen: the command's arguments
SCREENS = {
    "help": ["--help"],
    "show-help": ["show", "--help"],
    "diff-help": ["diff", "--help"],
    "forward-help": ["forward", "--help"],
    "list-help": ["list", "--help"],
    "schema-help": ["schema", "--help"],
    "show-alexnet": ["show", "alexnet"],
    "show-alexnet-explain": ["show", "alexnet", "--explain"],
    "show-lenet5-all": ["show", "lenet5", "--all"],
    "show-googlenet-depth-1": ["show", "googlenet", "--depth", "1"],
    "show-lenet5-json": ["show", "lenet5", "--format", "json"],
    "show-lenet5-csv": ["show", "lenet5", "--format", "csv"],
    "show-lenet5-markdown": ["show", "lenet5", "--format", "markdown"],
    "show-lenet5-latex": ["show", "lenet5", "--format", "latex"],
    "show-lenet5-html": ["show", "lenet5", "--format", "html"],
    "diff-alexnet-zfnet": ["diff", "alexnet", "zfnet"],
    "diff-inception": ["diff", "inception-naive", "inception-module"],
    "diff-alexnet-zfnet-json": ["diff", "alexnet", "zfnet", "--format", "json"],
    "list-vgg": ["list", "vgg1?"],
    "unknown-architecture": ["show", "alxnet"],
    "unknown-command": ["shw", "alexnet"],
}
WIDTHS = (80, 140, PIPED)


def file_of(name: str, width: int) -> Path:
    return GOLDEN / f"{name}.{width or 'piped'}.txt"


def widths(name: str) -> tuple[int, ...]:
    """Formats for programs look the same at any width: one file is enough."""
    return (PIPED,) if SCREENS[name][-1] in ("json", "csv", "markdown", "latex", "html") else WIDTHS


CASES = [(name, width) for name in SCREENS for width in widths(name)]


@pytest.mark.parametrize(
    ("name", "width"), CASES, ids=[f"{name}-{width or 'piped'}" for name, width in CASES]
)
def test_screen(name: str, width: int, run_screen, request: pytest.FixtureRequest) -> None:
    text = run_screen(SCREENS[name], width)
    path = file_of(name, width)
    if request.config.getoption("--update-golden"):
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"no golden screen {path.name}: run with --update-golden"
    assert text == path.read_text(encoding="utf-8")


def test_no_orphans() -> None:
    known = {file_of(name, width).name for name, width in CASES}
    assert {path.name for path in GOLDEN.glob("*.txt")} <= known


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.80.txt")), ids=lambda path: path.stem)
def test_screens_fit_their_width(path: Path) -> None:
    assert [line for line in path.read_text(encoding="utf-8").splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("name", ["show-alexnet", "show-googlenet-depth-1"])
def test_rows_sum_to_the_totals(name: str) -> None:
    """The screens' own arithmetic, read back from the text: weights, biases and MACs of the rows add up."""
    lines = file_of(name, 140).read_text(encoding="utf-8").splitlines()
    rules = [number for number, line in enumerate(lines) if set(line.strip()) == {"─"}]
    rows = [re.split(r"\s{2,}", line.strip()) for line in lines[rules[0] + 1 : rules[1]]]
    totals = [int(text.replace(",", "")) for text in re.split(r"\s{2,}", lines[rules[1] + 1].strip())[2:5]]
    sums = [sum(int(row[column].replace(",", "")) for row in rows) for column in (3, 4, 5)]
    assert sums == totals
