"""The table of conventions against what the tools print (tests/data/counters/tools.csv) and against hand counts."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import pytest

from convcalc.analysis.analyse import analyse
from convcalc.analysis.counting.conventions import CONVENTIONS, MEBI, Convention
from convcalc.analysis.counting.items import Tally
from convcalc.analysis.reconcile import reconcile
from convcalc.language.load import load_graph
from convcalc.language.quantities import parse

COUNTERS = Path(__file__).parents[2] / "data" / "counters"
ROWS = {f"{row.tool} {row.version}: {row.label}": row for row in CONVENTIONS if row.tool}


@cache
def printed() -> dict[str, dict[str, str]]:
    with (COUNTERS / "tools.csv").open(encoding="utf-8") as file:
        return {row.pop("network"): row for row in csv.DictReader(file)}


@cache
def tally(arch: str) -> Tally:
    return Tally(load_graph(arch))


def total(convention: Convention, counts: Tally) -> int:
    """What a row counts, with the options that are known to hold for the network where the tool's figures come from."""
    options = [option for option in convention.options if option.holds(counts.graph.name)]
    rules = [rule for option in options for rule in option.rules]
    return sum(term.sum for term in counts.terms([*convention.rules, *rules]))


def test_every_figure_of_the_data_is_a_row_of_the_table() -> None:
    assert len(printed()) >= 20
    for figures in printed().values():
        assert figures.keys() <= ROWS.keys()


@pytest.mark.parametrize("network", printed())
def test_a_tools_figure_is_what_the_tool_prints(network: str) -> None:
    counts = tally(f"torchvision/{network}")
    checked = 0
    for figure, value in printed()[network].items():
        if not value:  # this tool fails on this network, or was not run
            continue
        convention = ROWS[figure]
        found = total(convention, counts)
        if convention.unit == MEBI:
            assert f"{found / MEBI:.2f}" == value, figure
        else:
            assert found == int(value), figure
        checked += 1
    assert checked >= 5


@pytest.mark.parametrize("network", ["alexnet", "mobilenet_v2", "googlenet", "densenet121", "convnext_tiny"])
def test_a_printed_figure_is_explained_by_its_tool_first(network: str) -> None:
    analysis = analyse(load_graph(f"torchvision/{network}"))
    for figure, value in printed()[network].items():
        convention = ROWS[figure]
        if value in ("", "0") or convention.unit > 1:
            continue
        unit = {"params": "params", "macs": "MACs", "flops": "FLOPs"}[convention.quantity]
        best = reconcile(analysis, parse(f"{value} {unit}"), f"torchvision/{network}").found[0]
        assert best.total == int(value)
        assert best.network == f"torchvision/{network}"
        assert convention.tool in (best.tool, *best.also) or not best.departures, figure


MIXED = """
name: mixed
input: [3, 13, 18]
layers:
  - group:
      name: net
      naming: index
      layers:
        - conv: {filters: 4, kernel: [3, 2], padding: 1}
        - prelu: {per_channel: true}
        - deconv: {filters: 6, kernel: 3, stride: 2, groups: 2}
        - batchnorm: {affine: false}
        - leaky_relu
        - upsample: {scale: 2, mode: bilinear}
        - conv: {filters: 8, kernel: 3, stride: 2, groups: 2, bias: false}
        - batchnorm
        - elu
        - lrn: {size: 3}
        - avgpool: {kernel: 3, stride: 2}
        - relu6
        - upsample: 3
        - maxpool: {kernel: 2}
        - silu
        - adaptive_avgpool: {size: [3, 4]}
        - flatten
        - dense: {units: 10, bias: false}
        - gelu
        - dense: 5
        - softmax
"""
# What the same tools print for it, built from torch.nn's modules in one nn.Sequential.
MIXED_PRINTED = {
    "torchinfo 1.8.0: Total params": 1_441,
    "torchinfo 1.8.0: Total mult-adds": 353_257,
    "torchinfo 1.8.0: Forward/backward pass size (MB)": 192_936,
    "torchinfo 1.8.0: Params size (MB)": 5_764,
    "thop 0.1.1: macs": 690_436,
    "thop 0.1.1: params": 1_441,
    "ptflops 0.7.5: Computational complexity": 487_986,
    "ptflops 0.7.5, functions not counted: Computational complexity": 373_431,
    "ptflops 0.7.5, backend aten: Computational complexity": 266_189,
    "fvcore 0.1.5: #flops": 401_532,
    "calflops 0.3.2: fwd FLOPs": 593_559,
    "calflops 0.3.2: fwd MACs": 241_094,
    "DeepSpeed 0.19.8: fwd flops per GPU": 668_061,
    "DeepSpeed 0.19.8: fwd MACs per GPU": 258_878,
    "torchsummary 1.5.1: Total params": 1_441,
    "torchsummary 1.5.1: Forward/backward pass size (MB)": 8 * 104_824,
}


def written(tmp_path: Path, text: str) -> Tally:
    path = tmp_path / "net.yaml"
    path.write_text(text, encoding="utf-8")
    return Tally(load_graph(str(path)))


@pytest.mark.parametrize("figure", MIXED_PRINTED)
def test_layers_that_torchvision_has_not(tmp_path: Path, figure: str) -> None:
    """Deconvolution in groups, local response normalisation, interpolation, slopes, softmax, an unscaled batch norm."""
    assert total(ROWS[figure], written(tmp_path, MIXED)) == MIXED_PRINTED[figure]


@pytest.mark.parametrize(("mode", "steps"), [("nearest", 1), ("bilinear", 11), ("bicubic", 224 + 35)])
def test_steps_of_interpolation_in_thop(tmp_path: Path, mode: str, steps: int) -> None:
    """thop 0.1.1's calculate_upsample: per value 11, and 224 to solve for the 16 coefficients of a patch and 35."""
    text = f"name: t\ninput: [2, 4, 3]\nlayers: [upsample: {{name: up, size: [5, 7], mode: {mode}}}]"
    terms = written(tmp_path, text).terms(ROWS["thop 0.1.1: macs"].rules)
    assert sum(term.sum for term in terms) == 2 * 5 * 7 * steps


CALLS = """
name: calls
input: [2, 4, 4]
blocks:
  residual:
    params: {stride: 1}
    layers:
      - add:
          - - conv: {name: conv, filters: 2, kernel: 1, stride: $stride, bias: false}
            - relu NAMED
          - {if: $(stride == 1), layers: []}
layers:
  - residual: {name: first}
  - residual: {name: second, stride: 2}
  - global_avgpool
  - flatten
  - dense: {name: fc, units: 3}
"""


def elements(tmp_path: Path, relu: str) -> tuple[int, int]:
    """What torchsummary adds up as output elements, and ptflops of activations and pools."""
    counts = written(tmp_path, CALLS.replace("relu NAMED", relu))
    outputs = total(ROWS["torchsummary 1.5.1: Forward/backward pass size (MB)"], counts) // 8
    terms = counts.terms(ROWS["ptflops 0.7.5: Computational complexity"].rules)
    of_layers = sum(term.sum for term in terms if "activations" in term.what or "pools" in term.what)
    return outputs, of_layers


def test_layers_without_a_name_are_function_calls(tmp_path: Path) -> None:
    """The convolutions give 2·16 and 2·4 values, the second with stride 2; blocks give as many again, also the one
    whose other branch is switched off; the pool 2, the dense layer 3.

    Named, both activations are modules, so that they have outputs of their own, and ptflops counts them twice; the
    pool, without a name, is then mean(), which is neither. Without any name, all that can be a module is one.
    """
    blocks, convolutions, dense = 32 + 8, 32 + 8, 3
    assert elements(tmp_path, "relu: {name: act}") == (blocks + 2 * convolutions + dense, 2 * (32 + 8))
    pool, pooled = 2, 8
    no_names = blocks + 2 * convolutions + pool + pool + dense  # the pool's and flatten's
    assert elements(tmp_path, "relu") == (no_names, 2 * (32 + 8) + 2 * pooled)


def test_unnamed_activations_beside_named_pools_are_functions(tmp_path: Path) -> None:
    """As in GoogLeNet: F.relu has no output of its own in torchsummary, and ptflops counts it once."""
    text = CALLS.replace("relu NAMED", "relu").replace("- global_avgpool", "- global_avgpool: {name: pool}")
    counts = written(tmp_path, text)
    assert total(ROWS["torchsummary 1.5.1: Forward/backward pass size (MB)"], counts) // 8 == 40 + 40 + 2 + 3
    terms = counts.terms(ROWS["ptflops 0.7.5: Computational complexity"].rules)
    assert [(term.number, term.each) for term in terms if "activations" in term.what] == [(40, 1)]


def test_shared_weights_count_once_and_their_calls_each(tmp_path: Path) -> None:
    """Two calls of one 1×1 convolution, 2·2 weights and 2 biases, on 2×3×3: torchinfo counts its parameters once and
    its multiply-adds twice, torchsummary its parameters twice."""
    counts = written(
        tmp_path,
        "name: n\ninput: [2, 3, 3]\nlayers:\n  - conv: {name: a, filters: 2, kernel: 1}\n"
        "  - conv: {name: b, filters: 2, kernel: 1, share: a}\n",
    )
    assert total(ROWS["torchinfo 1.8.0: Total params"], counts) == 6
    assert total(ROWS["torchinfo 1.8.0: Total mult-adds"], counts) == 2 * 6 * 9
    assert total(ROWS["torchsummary 1.5.1: Total params"], counts) == 12
