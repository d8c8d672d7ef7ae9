"""Networks side by side: depths as their papers count them, the Pareto front by its definition, and the plot."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import convcalc
from convcalc.analysis.compare import depth, pareto
from convcalc.errors import UsageError
from convcalc.render.drawing import measure, scatter, svg
from convcalc.render.plot import Dot, scale

FOUR = ("torchvision/resnet18", "torchvision/resnet50", "torchvision/mobilenet_v2", "torchvision/vgg16")


@pytest.mark.parametrize(
    ("name", "layers"),  # in the networks' names, and for GoogLeNet "22 layers deep" in its paper's abstract
    [("vgg11", 11), ("vgg16", 16), ("vgg19", 19), ("resnet18", 18), ("resnet34", 34), ("resnet50", 50),
     ("resnet152", 152), ("googlenet", 22), ("alexnet", 8), ("torchvision/densenet121", 121),
     ("torchvision/densenet201", 201)],
)  # fmt: skip
def test_depth_is_what_the_papers_count(name: str, layers: int) -> None:
    assert depth(convcalc.load(name).graph) == layers


def test_figures_are_those_of_show() -> None:
    found = convcalc.compare("alexnet", "resnet50")
    for network in found.networks:
        totals = convcalc.load(network.name).totals
        assert (network.params, network.macs, network.layers) == (totals.params, totals.macs, totals.layers)
        assert network.activation_bytes == totals.activation_bytes == 4 * network.activation_elements
    assert found.axes is None  # neither publishes an accuracy
    assert not any(network.pareto for network in found.networks)


def test_what_has_no_accuracy_is_left_out_and_named() -> None:
    found = convcalc.compare(*FOUR, "alexnet")
    assert found.axes == ("macs", "top1")
    assert found.left_out == ("alexnet",)
    # MobileNet-V2 has the least MACs, ResNet-50 the best accuracy; MobileNet-V2 beats the other two in both
    assert {network.name for network in found.networks if network.pareto} == set(FOUR[1:3])
    assert "without top1: alexnet" in str(found)


points = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12)


@given(points, st.tuples(st.booleans(), st.booleans()))
def test_the_front_is_what_nothing_dominates(values: list[tuple[int, int]], less: tuple[bool, bool]) -> None:
    def better(a: float, b: float, less_is_better: bool) -> bool:
        return a < b if less_is_better else a > b

    front = pareto(dict(enumerate(values)), less)
    for place, point in enumerate(values):
        beaten = any(
            all(not better(p, o, flag) for p, o, flag in zip(point, other, less, strict=True))
            and any(better(o, p, flag) for p, o, flag in zip(point, other, less, strict=True))
            for other in values
        )
        assert (place in front) is not beaten


@pytest.mark.parametrize(
    ("plot", "message"),
    [("macs", "needs two quantities"), ("macs,speed", "no network has 'speed'"), ("macs,macs", "the axes are the same"),
     ("macs,topl", "did you mean 'top1'"), ("a,b,c", "needs two quantities")],
)  # fmt: skip
def test_what_cannot_be_plotted(plot: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        convcalc.compare(*FOUR, plot=plot)


def test_the_plot_is_an_svg_whose_names_meet_nothing(tmp_path: Path) -> None:
    names = [entry.name for entry in convcalc.list("torchvision/*net*") if entry.classes == 1000][:40]
    convcalc.compare(*names, plot="params,macs").save(tmp_path / "plot.svg")
    root = ElementTree.parse(tmp_path / "plot.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    assert root.find(f"{space}title") is not None
    assert len(root.findall(f"{space}circle")) == len(names)
    labels = [
        text for text in root.findall(f"{space}text")
        if text.text and re.fullmatch(r"[a-z].*", text.text) and text.get("text-anchor") is None
    ]  # fmt: skip
    assert len(labels) > 8
    boxes = [
        (float(text.get("x", 0)), float(text.get("y", 0)), len(text.text or "") * 12 * 0.5) for text in labels
    ]
    for (left, base, wide), (other, other_base, _) in combinations(sorted(boxes), 2):
        assert other >= left + wide or abs(base - other_base) >= 12
    assert all(left > 0 and left + wide < 760 and 0 < base < 480 for left, base, wide in boxes)


def test_names_of_foreign_specs_are_escaped() -> None:
    dots = [Dot("</text><script>", 1, 2), Dot("b&\"'", 3, 5, strong=True)]
    scene = scatter.scene("a <b>", dots, scale("x", [1, 3]), scale("y", [2, 5]))
    assert measure.faults(scene).clean
    text = svg.document(scene)
    root = ElementTree.fromstring(text)
    assert "<script>" not in text
    assert any((element.text or "").startswith("</text><script>") for element in root.iter())


def test_command(convcalc: Any, tmp_path: Path) -> None:
    done = convcalc("compare", "alexnet", "vgg16", "--plot", "params,macs", "--format", "json")
    value = json.loads(done.stdout)
    assert set(value) == {"conventions", "networks", "axes"}
    assert set(value["networks"][0]) == {
        "name", "input", "layers", "depth", "params", "macs", "activation_elements", "activation_bytes",
        "peak_activation_bytes", "receptive_field", "published", "pareto",
    }  # fmt: skip
    assert value["axes"] == ["params", "macs"]
    for arguments, code, message in (
        (["alexnet", "vgg16", "-o", "plot.jpg"], 2, "written as .svg, .png, .pdf or .tex"),
        (["alexnet", "vgg16", "-o", str(tmp_path / "plot.svg")], 2, "nothing to plot"),
        (["alexnet", "nothing.yaml"], 1, "nothing.yaml"),
        (["-", "-"], 2, "standard input"),
        ([], 2, "ARCH"),
    ):
        done = convcalc("compare", *arguments)
        assert done.returncode == code, arguments
        assert message in done.stderr
    assert not (tmp_path / "plot.svg").exists()


def test_the_plot_in_other_files(tmp_path: Path) -> None:
    found = convcalc.compare(*FOUR, plot="params,macs")
    for suffix, beginning in ((".png", b"\x89PNG"), (".pdf", b"%PDF"), (".tex", b"% MACs")):
        found.save(tmp_path / f"plot{suffix}")
        assert (tmp_path / f"plot{suffix}").read_bytes().startswith(beginning)
