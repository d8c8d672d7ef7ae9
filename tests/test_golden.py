"""Whole screens as a person sees them: at 80 and 140 columns of a real (pseudo-)terminal, and piped.

After a change that is meant: python -m pytest tests/test_golden.py --update-golden, and read the diff.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from convcalc.render.formats import FORMATS

GOLDEN = Path(__file__).parent / "golden"
PIPED = 0
POOL = "1 4 2 1; 5 8 3 4; 7 6 4 5; 1 3 1 2"
SIGNAL = "1.00 1.10 1.20 1.40 1.70 1.80 1.90 2.10 2.20 2.40 2.50 2.70"

# name of the screen: the command's arguments
TRAINED = [
    "diff", "tests/data/finetuned/net.yaml", "tests/data/finetuned/net.yaml", "--values",
    "--weights-a", "tests/data/finetuned/before.safetensors",
]  # fmt: skip
SCREENS = {
    "help": ["--help"],
    "show-help": ["show", "--help"],
    "diff-help": ["diff", "--help"],
    "forward-help": ["forward", "--help"],
    "convert-help": ["convert", "--help"],
    "page-help": ["page", "--help"],
    "draw-help": ["draw", "--help"],
    "draw-alexnet": ["draw", "alexnet"],
    "draw-vgg16": ["draw", "vgg16"],
    "draw-lenet5": ["draw", "lenet5"],
    "draw-googlenet": ["draw", "googlenet"],
    "draw-resnet18-macs": ["draw", "resnet18", "--color-by", "macs"],
    "draw-unet-folded": ["draw", "unet", "--depth", "1"],
    "draw-two": ["draw", "alexnet", "zfnet"],
    "draw-bad-suffix": ["draw", "alexnet", "-o", "alexnet.bmp"],
    "convert-no-suffix": ["convert", "lenet5", "-o", "lenet5"],
    "list-help": ["list", "--help"],
    "schema-help": ["schema", "--help"],
    "show-alexnet": ["show", "alexnet"],
    "show-alexnet-explain": ["show", "alexnet", "--explain"],
    "show-vgg16": ["show", "vgg16"],
    "show-googlenet-by-kind": ["show", "googlenet", "--by", "kind"],
    "show-resnet50-by-block": ["show", "torchvision/resnet50", "--by", "block"],
    "compare-plot": [
        "compare",
        "torchvision/resnet18",
        "torchvision/resnet50",
        "torchvision/mobilenet_v2",
        "torchvision/vgg16",
        "alexnet",
        "--plot",
        "macs,top1",
    ],
    "compare-help": ["compare", "--help"],
    "check-help": ["check", "--help"],
    "check-budget": [
        "check",
        "torchvision/vgg16",
        "--max-params",
        "130M",
        "--max-peak-activation-bytes",
        "20MB",
    ],
    "check-growth": [
        "check",
        "tests/data/check/small.yaml",
        "--against",
        "tests/data/check/before.yaml",
        "--max-growth",
        "5%",
    ],
    "check-specs": ["check", "tests/data/check/small.yaml", "tests/data/check/wrong.yaml", "--strict"],
    "check-github": [
        "check",
        "tests/data/check/small.yaml",
        "tests/data/check/wrong.yaml",
        "--format",
        "github",
    ],
    "check-junit": [
        "check",
        "tests/data/check/small.yaml",
        "tests/data/check/wrong.yaml",
        "--format",
        "junit",
    ],
    "check-json": ["check", "tests/data/check/small.yaml", "--format", "json"],
    "check-csv": ["check", "tests/data/check/small.yaml", "--format", "csv"],
    "sweep-mobilenet": ["sweep", "torchvision/mobilenet_v2", "--set", "width=0.25,1", "--input", "160,192,3"],
    "sweep-solve": ["sweep", "vgg16", "--solve", "input=64..512:64", "--at-most", "memory=20MB"],
    "sweep-formula": ["sweep", "torchvision/resnet18", "--formula", "classes"],
    "sweep-help": ["sweep", "--help"],
    "show-resnet50-as-tools": ["show", "torchvision/resnet50", "--as", "all"],
    "show-alexnet-training": ["show", "alexnet", "--training", "--batch", "128", "--optimizer", "momentum"],
    "show-resnet50-training-blocks": [
        "show",
        "torchvision/resnet50",
        "--training",
        "--batch",
        "32",
        "--optimizer",
        "adam",
        "--depth",
        "1",
        "--checkpoint",
        "layer1",
        "--memory",
        "24GiB",
    ],
    "show-resnet50": ["show", "resnet50"],
    "show-lenet5-all": ["show", "lenet5", "--all"],
    "show-googlenet-depth-1": ["show", "googlenet", "--depth", "1"],
    "show-lenet5-json": ["show", "lenet5", "--format", "json"],
    "show-lenet5-csv": ["show", "lenet5", "--format", "csv"],
    "show-lenet5-markdown": ["show", "lenet5", "--format", "markdown"],
    "show-lenet5-latex": ["show", "lenet5", "--format", "latex"],
    "show-lenet5-html": ["show", "lenet5", "--format", "html"],
    "diff-alexnet-zfnet": ["diff", "alexnet", "zfnet"],
    "diff-alexnet-papers": ["diff", "alexnet", "alexnet-paper"],
    "diff-inception": ["diff", "inception-naive", "inception-module"],
    "diff-alexnet-zfnet-json": ["diff", "alexnet", "zfnet", "--format", "json"],
    "list": ["list"],
    "list-vgg": ["list", "vgg1?"],
    "list-segmentation": ["list", "--task", "segmentation"],
    "size-help": ["size", "--help"],
    "size-227": ["size", "227", "--kernel", "11", "--stride", "4"],
    "size-layer": ["size", "227x227x3", "-F", "11", "-S", "4", "-K", "96"],
    "size-sides-differ": ["size", "14x20", "-F", "3x5", "--dilation", "2", "-S", "3", "-P", "1x0+1"],
    "size-transposed": [
        "size",
        "14x9",
        "-F",
        "3x5",
        "-S",
        "2",
        "-P",
        "1",
        "--transposed",
        "--output-padding",
        "1x0",
    ],
    "size-transposed-which-padding": ["size", "14", "-F", "3", "-S", "2", "--output", "28", "--transposed"],
    "matrix-transposed": ["matrix", "2x2", "-F", "3", "-S", "2", "--transposed"],
    "size-remainder": ["size", "20", "-F", "3", "-S", "5", "-P", "2"],
    "size-dropped-window": ["size", "5", "-F", "2", "-S", "2", "-P", "1", "--rounding", "ceil"],
    "size-which-padding": ["size", "227", "-F", "3", "--output", "227"],
    "size-which-kernel": ["size", "227", "-S", "4", "-P", "0", "--output", "55"],
    "size-no-solution": ["size", "227", "-F", "11", "--output", "55"],
    "size-json": ["size", "8", "-F", "3", "-S", "2", "--format", "json"],
    "apply-help": ["apply", "--help"],
    "apply-maxpool": ["apply", "maxpool: {kernel: 2, stride: 2}", POOL],
    "apply-maxpool-steps": ["apply", "maxpool: {kernel: 2, stride: 1}", POOL, "--steps", "--delay", "0"],
    "apply-letters": ["apply", "--weights", "w x; y z", "a b c d; e f g h; i j k ℓ"],
    "apply-letters-steps": ["apply", "--weights", "w x; y z", "a b c; d e f", "--steps", "--delay", "0"],
    "apply-signal": ["apply", "--weights", ".01 .01 .02 .02 .04 .4 .5", SIGNAL],
    "apply-modes": ["apply", "--weights", "1 2; 3 4", "1 0 2; 0 3 0; 4 0 5", "--mode", "all"],
    "apply-padded-steps": ["apply", "sharpen", "1 5; 2 0", "-P", "same", "--steps", "--delay", "0"],
    "apply-filters": ["apply", "blur,edges", "1 1 1 1; 1 5 5 1; 1 5 5 1"],
    "apply-image": ["apply", "edges", "tests/data/digits/7_0.png"],
    "apply-maxpool-latex": ["apply", "maxpool: 2", POOL, "--format", "latex"],
    "apply-maxpool-json": ["apply", "maxpool: 2", "1 4; 5 8", "--steps", "--format", "json"],
    "apply-ragged": ["apply", "maxpool: 2", "1 4 2 1; 5 8 3"],
    "apply-backward": ["apply", "--weights", "w x; y z", "a b c d; e f g h; i j k l", "--backward"],
    "apply-backward-stride": [
        "apply",
        "conv: {stride: 2, dilation: 2}",
        "--weights",
        "1 0; 2 1 | 0 1; 1 1",
        "--weights",
        "0 1; 1 0 | 2 0; 0 1",
        "1 2 3 4 5; 6 7 8 9 0; 5 4 3 2 1 | 1 0 0 2 1; 3 1 4 1 5; 2 7 1 8 2",
        "-P",
        "1",
        "--backward",
        "--gradient",
        "1 2 0; 3 4 -1 | 0 1 1; 1 0 2",
    ],
    "apply-backward-rate": [
        "apply",
        "--weights",
        "1 2; 3 4",
        "1 0 2; 0 3 0; 4 0 5",
        "--backward",
        "--mode",
        "convolution",
        "--gradient",
        "1 0; 0 2",
        "--rate",
        "1/10",
    ],
    "apply-backward-steps": [
        "apply",
        "--weights",
        "1 2",
        "3 4 5",
        "--backward",
        "--gradient",
        "1 -1",
        "--steps",
        "--delay",
        "0",
    ],
    "apply-backward-maxpool": [
        "apply",
        "maxpool: {F: 2, S: 1}",
        "1 4 2; 5 8 3",
        "--backward",
        "--steps",
        "--delay",
        "0",
    ],
    "apply-backward-shape": ["apply", "maxpool: 2", POOL, "--backward", "--gradient", "1 2 3"],
    "apply-backward-json": [
        "apply",
        "--weights",
        "1 2",
        "3 4 5",
        "--backward",
        "--gradient",
        "1 1/2",
        "--rate",
        "1",
        "--format",
        "json",
    ],
    "apply-backward-csv": ["apply", "--weights", "1 2", "3 4 5", "--backward", "--format", "csv"],
    "field-help": ["field", "--help"],
    "field-alexnet": ["field", "alexnet"],
    "field-alexnet-conv5": ["field", "alexnet", "--layer", "conv5"],
    "field-vgg16-corner": ["field", "vgg16", "--layer", "conv2_2", "--unit", "0,0"],
    "field-lenet5-pixel": ["field", "lenet5", "--pixel", "5,5"],
    "field-lenet5-between": ["field", "lenet5", "--between", "0,0", "5,5"],
    "field-no-unit": ["field", "alexnet", "--layer", "conv5", "--unit", "7,2"],
    "field-lenet5-json": ["field", "lenet5", "--layer", "conv2", "--format", "json"],
    "field-lenet5-csv": ["field", "lenet5", "--format", "csv"],
    "worksheet-help": ["worksheet", "--help"],
    "worksheet-lenet5": ["worksheet", "lenet5"],
    "worksheet-lenet5-answers": ["worksheet", "lenet5", "--answers"],
    "worksheet-alexnet-drawn": ["worksheet", "alexnet", "--blank", "output,weights,macs", "--amount", "8"],
    "worksheet-layers": ["worksheet", "--level", "1-4", "--amount", "8", "--seed", "3"],
    "worksheet-layers-answers": ["worksheet", "--level", "4", "--amount", "3", "--seed", "3", "--answers"],
    "worksheet-questions": [
        "worksheet",
        "--design",
        "2",
        "--field",
        "1",
        "--memory",
        "1",
        "--backward",
        "2",
        "--level",
        "2",
        "--seed",
        "4",
    ],
    "worksheet-questions-answers": [
        "worksheet",
        "--design",
        "1",
        "--field",
        "1",
        "--backward",
        "1",
        "--level",
        "2",
        "--seed",
        "4",
        "--answers",
    ],
    "worksheet-questions-json": [
        "worksheet",
        "--design",
        "1",
        "--memory",
        "1",
        "--answers",
        "--format",
        "json",
    ],
    "worksheet-questions-latex": ["worksheet", "--design", "1", "--backward", "1", "--format", "latex"],
    "worksheet-check-questions": ["worksheet", "--check", "tests/data/worksheets/questions.csv"],
    "worksheet-check": ["worksheet", "--check", "tests/data/worksheets/lenet5.csv"],
    "worksheet-check-class": ["worksheet", "--check", "tests/data/worksheets/class"],
    "worksheet-check-class-json": ["worksheet", "--check", "tests/data/worksheets/class", "--format", "json"],
    "worksheet-nothing-to-ask": ["worksheet", "lenet5", "--blank", "wieghts"],
    "worksheet-lenet5-html": ["worksheet", "lenet5", "--format", "html"],
    "worksheet-lenet5-latex": ["worksheet", "lenet5", "--answers", "--format", "latex"],
    "worksheet-lenet5-markdown": ["worksheet", "lenet5", "--format", "markdown"],
    "worksheet-lenet5-csv": ["worksheet", "lenet5", "--format", "csv"],
    "worksheet-layers-json": ["worksheet", "--level", "2", "--amount", "2", "--format", "json"],
    "worksheet-check-json": ["worksheet", "--check", "tests/data/worksheets/lenet5.csv", "--format", "json"],
    "quiz-help": ["quiz", "--help"],
    "quiz": ["quiz", "--seed", "7", "--topic", "field", "--level", "3"],
    "quiz-json": ["quiz", "--seed", "7", "--amount", "2", "--format", "json"],
    "diff-resnet18-resnet34": ["diff", "resnet18", "resnet34"],
    "diff-values": [*TRAINED, "--weights-b", "tests/data/finetuned/after.safetensors"],
    "diff-values-json": [
        *TRAINED,
        "--weights-b",
        "tests/data/finetuned/after.safetensors",
        "--format",
        "json",
    ],
    "diff-values-csv": [*TRAINED, "--weights-b", "tests/data/finetuned/after.safetensors", "--format", "csv"],
    "diff-values-no-weights": TRAINED,
    "diff-inception-json": ["diff", "inception-naive", "inception-module", "--format", "json"],
    "show-lenet5-columns": ["show", "lenet5", "--columns", "layer,output,per-output,dense,local,shared"],
    "show-resnet50-columns": ["show", "resnet50", "--depth", "1", "--columns", "layer,macs,memory,intensity"],
    "show-inception-reduction": ["show", "inception-module", "--explain", "--layer", "inception.reduce5x5"],
    "show-vit": ["show", "torchvision/vit_b_16"],
    "show-swin-explain": ["show", "torchvision/swin_t", "--explain", "--layer", "features.1.1.attn"],
    "show-reconcile-4.11G": ["show", "torchvision/resnet50", "--reconcile", "4.11G"],
    "show-reconcile-61.1M": ["show", "alexnet", "--reconcile", "61.1M params"],
    "show-reconcile-27.55M": ["show", "alexnet", "--reconcile", "27.55M"],
    "show-reconcile-json": ["show", "alexnet", "--reconcile", "27.55M", "--format", "json"],
    "show-reconcile-nonsense": ["show", "alexnet", "--reconcile", "about forty"],
    "matrix-help": ["matrix", "--help"],
    "matrix-4x4": ["matrix", "--input", "4x4", "--kernel", "2x2"],
    "matrix-padded": ["matrix", "--input", "3x3", "--kernel", "3", "--padding", "1"],
    "matrix-channels": ["matrix", "--input", "3x3", "-F", "2", "--channels", "2", "-K", "2"],
    "matrix-lenet5": ["matrix", "lenet5"],
    "matrix-lenet5-conv1": ["matrix", "lenet5", "conv1"],
    "matrix-4x4-json": ["matrix", "--input", "3x3", "--kernel", "2x2", "--format", "json"],
    "matrix-backward": ["matrix", "3x4", "--kernel", "2x2", "--backward"],
    "matrix-backward-json": ["matrix", "2x3", "-F", "2", "--backward", "--format", "json"],
    "docs-help": ["docs", "--help"],
    "docs-unknown": ["docs", "Conv2d"],
    "unknown-architecture": ["show", "alxnet"],
    "unknown-command": ["shw", "alexnet"],
}
WIDTHS = (80, 140, PIPED)


def file_of(name: str, width: int) -> Path:
    return GOLDEN / f"{name}.{width or 'piped'}.txt"


def widths(name: str) -> tuple[int, ...]:
    """Formats for programs look the same at any width: one file is enough."""
    return (PIPED,) if SCREENS[name][-1] in {*FORMATS, "junit", "github"} - {"table"} else WIDTHS


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
