"""`show --as`: each figure is what the tool prints (tests/data/counters), and its reasons add up to the difference."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import convcalc
from convcalc.analysis.tools import ByTools, by_tools, names
from convcalc.errors import UsageError

COUNTERS = Path(__file__).parents[1] / "data" / "counters"
with (COUNTERS / "tools.csv").open(encoding="utf-8") as _file:
    PRINTED = {row.pop("network"): row for row in csv.DictReader(_file)}


def figures(network: str) -> ByTools:
    return by_tools(convcalc.load(f"torchvision/{network}").record, names())


@pytest.mark.parametrize("network", PRINTED)
def test_figures_are_what_the_tools_print(network: str) -> None:
    found = {
        f"{tool.tool} {tool.version}: {figure.label}": figure
        for tool in figures(network).tools
        for figure in tool.figures
    }
    compared = 0
    for label, printed in PRINTED[network].items():
        if printed:
            figure = found[label]
            # the data has torchinfo's sizes in bytes, torchsummary's as it prints them
            assert printed in (str(figure.value), figure.printed), label
            compared += 1
    assert compared >= 5


@pytest.mark.parametrize(
    "network", ["alexnet", "googlenet", "convnext_tiny", "mobilenet_v3_large", "shufflenet_v2_x1_0"]
)
def test_reasons_add_up(network: str) -> None:
    for tool in figures(network).tools:
        for figure in tool.figures:
            if figure.value is not None:
                assert figure.ours + sum(reason.amount for reason in figure.reasons) == figure.value, figure


def test_what_a_tool_does_not_print_is_none() -> None:
    (summary,) = by_tools(convcalc.load("lenet5").record, ["TorchSummary"]).tools
    assert summary.figures[-1] == ("macs", None, None, None, 416_520, ())


def test_an_unknown_tool_is_refused_with_the_list() -> None:
    with pytest.raises(
        UsageError, match="'thopp' is no tool that convcalc knows; did you mean 'thop'"
    ) as caught:
        by_tools(convcalc.load("lenet5").record, ["thopp"])
    assert "torchinfo, thop, ptflops, fvcore, calflops, deepspeed, torchsummary, keras" in str(
        caught.value.hint
    )


def test_the_manuals_table_of_twenty_networks() -> None:
    """Each row of the manual against the tools' figures and ours."""
    text = (Path(convcalc.__file__).parent / "docs" / "counting.md").read_text(encoding="utf-8")
    table = text.partition("| network | convcalc, MACs |")[2].partition("\n\n")[0].splitlines()[2:]
    labels = (
        "torchinfo 1.8.0: Total mult-adds", "thop 0.1.1: macs", "ptflops 0.7.5: Computational complexity",
        "fvcore 0.1.5: #flops", "calflops 0.3.2: fwd MACs",
    )  # fmt: skip
    assert len(table) == 20
    for line in table:
        name, ours, *theirs = (cell.strip() for cell in line.strip("|").split("|"))
        assert int(ours.replace(",", "")) == convcalc.load(f"torchvision/{name}").totals.macs
        assert [cell.replace(",", "").replace("–", "") for cell in theirs] == [
            PRINTED[name][x] for x in labels
        ]
