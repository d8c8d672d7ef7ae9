"""Figures met elsewhere: their rounding, and the conventions, sizes and variants behind published ones."""

from __future__ import annotations

import csv
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcalc.analysis.analyse import analyse
from convcalc.analysis.quantities import parse
from convcalc.analysis.reconcile import reconcile
from convcalc.errors import UsageError
from convcalc.language.load import load_graph

COUNTERS = Path(__file__).parents[1] / "data" / "counters"


def explain(arch, text):
    return reconcile(analyse(load_graph(arch)), parse(text), arch)


@pytest.mark.parametrize(
    ("text", "unit", "low", "high"),
    [
        ("4.11G", "any", 4_105_000_000, 4_115_000_000),
        ("4.11 GFLOPs", "flops", 4_105_000_000, 4_115_000_000),
        ("61.1M params", "params", 61_050_000, 61_150_000),
        ("61M parameters", "params", 60_500_000, 61_500_000),
        ("61,100,840", "any", 61_100_839.5, 61_100_840.5),
        ("61100840 params", "params", 61_100_839.5, 61_100_840.5),
        ("61,000,000", "any", 60_500_000, 61_500_000),
        ("0.72 GMACs", "macs", 715_000_000, 725_000_000),
        ("4.1e9 MACs", "macs", 4_050_000_000, 4_150_000_000),
        ("25.6 million params", "params", 25_550_000, 25_650_000),
        ("4.1 billion mult-adds", "macs", 4_050_000_000, 4_150_000_000),
        ("97.8 MB", "bytes", 97_750_000, 97_850_000),
        ("1 MiB", "bytes", 2**19, 3 * 2**19),
    ],
)
def test_what_a_figure_stands_for(text, unit, low, high):
    figure = parse(text)
    assert (figure.unit, figure.low, figure.high) == (unit, Fraction(low), Fraction(high))


@pytest.mark.parametrize(
    "text", ["", "G", "about forty", "-4G", "0", "4.1.1G", "4 bananas", "9" * 300, "4 G G"]
)
def test_what_is_no_figure(text):
    with pytest.raises(UsageError):
        parse(text)


@given(st.integers(10**9, 10**15), st.integers(0, 3))
def test_a_rounded_number_may_be_itself(number, digits):
    """Written in billions with so many digits, rounded by integer arithmetic."""
    unit = 10 ** (9 - digits)
    rounded = (number + unit // 2) // unit
    text = f"{rounded // 10**digits}.{rounded % 10**digits:0{digits}d}G" if digits else f"{rounded}G"
    assert parse(text).matches(number)
    assert not parse(text).matches(number + 2 * unit)


@given(st.text(max_size=20))
def test_no_text_is_a_traceback(text):
    with suppress(UsageError):
        parse(text)


def published(name):
    with (COUNTERS / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.reader(file))


# thop's table has these for another version of the networks
OLD = {"mnasnet0_5", "mnasnet1_3"}


@pytest.mark.parametrize(("name", "figure"), published("thop"))
def test_thop_counts_so(name, figure):
    """Dense layers twice, biases, 4 per normalised element: to the last printed digit."""
    result = explain(f"torchvision/{name}", f"{figure}G MACs")
    tools = {one.tool for one in result.found} | {"own" for one in result.found if not one.departures}
    assert result.found
    assert name in OLD or tools & {"thop", "own"}


@pytest.mark.parametrize(("name", "figure"), published("ptflops"))
def test_ptflops_counts_so(name, figure):
    """Biases, activations, what pools read, 2 per normalised element; inception_v3 at 224×224."""
    result = explain(f"torchvision/{name}", f"{figure}G MACs")
    tools = {one.tool for one in result.found}
    assert "ptflops" in tools
    if name == "inception_v3":
        assert all(one.changes == "input 3×224×224" for one in result.found)


def test_resnet50_term_by_term():
    """4.111 514 624 G: 2 per normalised element, and 49 + 1 for each of 2,048 means (thop before 2019)."""
    result = explain("torchvision/resnet50", "4111514624")
    assert [one.total for one in result.found] == [4_111_514_624]
    assert [(term.number, term.each) for term in result.found[0].terms] == [
        (4_087_136_256, 1),
        (2_048_000, 1),
        (11_113_984, 2),
        (50 * 2048, 1),
    ]


@pytest.mark.parametrize(
    ("arch", "figure", "network", "changes", "total"),
    [
        ("alexnet", "61.1M params", "torchvision/alexnet", "", 61_100_840),
        ("alexnet", "60,965,224", "alexnet-paper", "", 60_965_224),
        ("torchvision/googlenet", "13,004,888", "torchvision/googlenet", "--set auxiliary=true", 13_004_888),
        (
            "torchvision/inception_v3",
            "27161264",
            "torchvision/inception_v3",
            "--set auxiliary=true",
            27_161_264,
        ),
        ("alexnet", "28,823,912 params", "alexnet", "", 28_823_912),
        ("alexnet", "28,813,344 params", "alexnet", "", 28_813_344),
        ("vgg16", "14,710,464 weights", "vgg16", "", 14_710_464),
        ("resnet50", "4.09G MACs", "torchvision/resnet50", "", 4_089_184_256),
        ("torchvision/resnet50", "8.18 GFLOPs", "torchvision/resnet50", "", 2 * 4_089_184_256),
        ("torchvision/alexnet", "244.4 MB", "torchvision/alexnet", "", 4 * 61_100_840),
        ("torchvision/alexnet", "233 MB", "torchvision/alexnet", "", 4 * 61_100_840),
    ],
)
def test_published_figures(arch, figure, network, changes, total):
    best = explain(arch, figure).found[0]
    assert (best.network, best.changes, best.total) == (network, changes, total)


def test_the_lectures_alexnet_total_is_no_ones():
    """27.55M is a sum of rounded terms: nothing gives it, and the weights without biases come nearest."""
    result = explain("alexnet", "27.55M params")
    assert not result.found
    assert result.nearest is not None
    assert result.nearest.total == 28_813_344
    assert result.nearest.left_over == 27_550_000 - 28_813_344


def test_digits_cut_off():
    """The lecture's 122M for the dense layers of VGG-16 is 123,633,664 of 138,344,128 weights; 138.3M cuts it."""
    result = explain("vgg16", "138.34M weights")
    assert result.found[0].total == 138_344_128
    cut = explain("lenet5", "61.4K weights")
    assert (cut.found[0].total, cut.found[0].cut) == (61_470, True)


def test_terms_sum_to_the_total():
    for one in explain("torchvision/resnet50", "4.1G").found:
        assert one.total == sum(term.number * term.each for term in one.terms)


def test_a_spec_from_standard_input_and_a_network_without_anything(tmp_path):
    path = tmp_path / "none.yaml"
    path.write_text("name: none\ninput: [3, 8, 8]\nlayers: [relu]\n", encoding="utf-8")
    result = explain(str(path), "4G")
    assert not result.found
