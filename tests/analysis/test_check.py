"""Budgets, growth and remedies: figures worked out by hand.

tests/data/check/small.yaml, on 3×17×20; its stem gives 8×9 = 72 positions ((17 − 3)/2 + 1 and ⌊(20 − 3)/2⌋ + 1):

    stem     27·8 + 8       =   224 params   216·72     =  15,552 MACs
    norm     8 + 8          =    16
    grouped  9·2·16 + 16    =   304          288·72     =  20,736
    wide     15·16·24 + 24  = 5,784          5,760·72   = 414,720
    first    24·32 + 32     =   800          768·72     =  55,296
    second   32·12 + 12     =   396          384·72     =  27,648
    loose    8·4 + 4        =    36          32·72      =   2,304
    head     12·5 + 5       =    65          60
    total                     7,625                       536,316
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

import convcalc
from convcalc.analysis.analyse import analyse
from convcalc.analysis.check import check_analysis, figure, parts, percentage
from convcalc.errors import UsageError
from convcalc.language.budget import QUANTITIES
from convcalc.language.load import load_graph, load_text

SMALL = str(Path(__file__).parent.parent / "data" / "check" / "small.yaml")
BEFORE = SMALL.replace("small", "before")


@pytest.fixture(scope="module")
def small():
    return convcalc.load(SMALL).check().specs[0]


def verdict_of(spec, quantity):
    return next(verdict for verdict in spec.budget if verdict.quantity == quantity)


def test_the_figures(small):
    # of 4 bytes: the peak is while `first` is computed from `wide`; `loose` will read the stem, so it is alive too
    peak = (8 + 24 + 32) * 72 * 4
    # 72 positions of stem, norm, grouped, wide, first, second and loose, then 12, 12 and 5 numbers
    activations = ((8 + 8 + 16 + 24 + 32 + 12 + 4) * 72 + 12 + 12 + 5) * 4
    assert small.figures == {
        "params": 7_625,
        "macs": 536_316,
        "flops": 2 * 536_316,
        "param_bytes": 4 * 7_625,
        "activation_bytes": activations,
        "peak_activation_bytes": peak,
        "layers": 10,
        "field": 3 + 2 * 2 + 4 * 2 + 8 * 2,  # columns: stem, grouped, wide, and the pool over 9 of them
    }


def test_a_breach_names_the_layers_that_have_most_and_their_lines(small):
    params = verdict_of(small, "params")
    assert (params.limit, params.value, params.passed) == (5_000, 7_625, False)
    assert params.mark.line == 6
    assert [(costly.layer, costly.value, costly.mark.line) for costly in params.largest] == [
        ("wide", 5_784, 15),
        ("first", 800, 16),
        ("second", 396, 17),
    ]
    assert verdict_of(small, "layers").passed
    assert verdict_of(small, "field").value == 31


def test_remedies_are_the_figures_of_networks_built_anew(small):
    others = 7_625 - 5_784
    remedies = {remedy.change: remedy.value for remedy in verdict_of(small, "params").remedies}
    assert remedies == {
        # 16 filters of 3×5, then 24 of 16 channels with a bias
        "wide as a depthwise and a 1×1 convolution": others + 16 * 15 + 16 * 24 + 24,
        "a 1×1 convolution to 4 channels before wide": others + 16 * 4 + 4 * 15 * 24 + 24,
        # `first` then reads 12 channels
        "half the filters of wide (24 → 12)": others - 800 + (16 * 15 * 12 + 12) + (12 * 32 + 32),
        "half the filters of first (32 → 16)": 7_625 - 800 - 396 + (24 * 16 + 16) + (16 * 12 + 12),
    }
    macs = {remedy.change: remedy.value for remedy in verdict_of(small, "macs").remedies}
    # 7/8 of the sides: the stem gives ⌊(14 − 3)/2⌋ + 1 = 6 by (17 − 3)/2 + 1 = 8 positions
    assert macs["an input of 3×14×17"] == (536_316 - 60) // 72 * 48 + 60


def test_remedies_that_do_not_fit_the_other_layers_are_left_out():
    text = """
name: residual
input: [16, 6, 9]
budget: {params: 100}
layers:
  - add:
      - - conv: {name: a, filters: 16, kernel: 3, padding: 1, bias: false}
      - [identity]
"""
    analysis = analyse(load_text(text))
    spec = check_analysis(analysis, "<text>")
    # half the filters would not fit the other branch; 3·3·16 + 16·16 and 16·4 + 3·3·4·16 do
    assert {remedy.value for remedy in spec.budget[0].remedies} == {9 * 16 + 256, 64 + 576}


def test_bytes_may_come_down_by_type_and_batch():
    graph = load_text("name: t\ninput: [2, 6, 7]\nlayers: [relu]")
    analysis = analyse(graph, batch=10, dtype="float32")
    limit = 3 * 2 * 6 * 7 * 4 * 2 + 5  # input and output of three images, and a little
    spec = check_analysis(analysis, "-", limits={"peak_activation_bytes": limit})
    assert {(remedy.change, remedy.value) for remedy in spec.budget[0].remedies} == {
        ("a batch of 3", limit - 5),
        ("float16", 10 * 2 * 6 * 7 * 2 * 2),
    }


def test_a_dense_layer_on_a_map_may_read_its_means():
    net = convcalc.load("alexnet").check({"params": 10_000_000})
    changes = {remedy.change: remedy.value for remedy in net.specs[0].budget[0].remedies}
    # fc1 has 4,096 units that read 2·2·256 numbers, with pooling 256
    assert (
        changes["a global average pooling before flatten1, fc1 on its channels"]
        == 28_823_912 - 3 * 256 * 4096
    )


@pytest.mark.parametrize("name", ["lenet5", "googlenet", "torchvision/mobilenet_v2"])
@pytest.mark.parametrize("quantity", [name for name in QUANTITIES if name not in ("layers", "field")])
def test_the_parts_sum_to_the_figure(name, quantity):
    """Of the peak with the input, as long as that is alive."""
    analysis = analyse(load_graph(name), batch=3, dtype="float16")
    total = sum(part for _, part in parts(analysis, quantity))
    rest = figure(analysis, quantity) - total
    inputs = [0]
    if quantity == "peak_activation_bytes":
        shape = analysis.graph.input_shape
        inputs.append(3 * 2 * shape[0] * shape[1] * shape[2])
    assert rest in inputs


def test_layers_over_budget_name_the_blocks():
    spec = convcalc.load("torchvision/resnet18").check({"layers": 20}).specs[0]
    largest = [(costly.layer, costly.value) for costly in spec.budget[0].largest]
    # two blocks of conv, bn, relu, conv, bn, add, relu, and a projection of conv, bn
    assert largest == [("layer2", 16), ("layer3", 16), ("layer4", 16)]


def test_growth_is_limited_by_the_figure_before():
    spec = convcalc.load(SMALL).check(against=BEFORE, max_growth="5%").specs[0]
    growth = {change.quantity: change for change in spec.growth}
    before = 7_625 - 6 * 16 * 24  # `wide` had 9 pixels in place of 15
    assert growth["params"][:5] == ("params", before, 7_625, before * 105 // 100, False)
    assert [(c.layer, c.value, c.mark.line) for c in growth["params"].largest] == [("wide", 6 * 16 * 24, 15)]
    assert growth["activation_bytes"].passed
    assert not spec.passed
    assert convcalc.load(BEFORE).check(against=BEFORE, max_growth=0.0).passed


def test_limits_in_place_of_the_budgets():
    checked = convcalc.load(SMALL).check({"params": 7_625, "macs": "536316"})
    assert checked.passed
    assert verdict_of(checked.specs[0], "params").mark is None
    assert not convcalc.load(SMALL).check({"params": 7_624, "macs": "1M"}).passed


def test_strict_lints_fail_unless_silenced():
    loose = {"params": "1M", "macs": "1M"}
    net = convcalc.load(SMALL)
    assert net.check(loose).passed
    assert not net.check(loose, strict=True).passed
    names = ("dropped_pixels", "unread_layer", "consecutive_1x1")
    assert net.check(loose, strict=True, ignore=names).passed
    lints = net.check(loose, ignore="unread_layer").specs[0].lints
    assert {lint.lint for lint in lints if lint.silenced} == {"narrow_groups", "unread_layer"}


def test_batch_type_and_input_are_the_budgets(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(
        "name: t\ninput: [2, 6, 7]\nlayers: [relu]\n"
        "budget: {activation_bytes: 1, batch: 5, dtype: float16, input: [2, 3, 11]}\n"
    )
    assert convcalc.load(path).check().specs[0].figures["activation_bytes"] == 5 * 2 * 2 * 3 * 11
    other = convcalc.load(path, batch=7, dtype="float64", input_shape="2x4x13")
    assert other.check().specs[0].figures["activation_bytes"] == 7 * 8 * 2 * 4 * 13


@pytest.mark.parametrize(("text", "share"), [("5%", Fraction(1, 20)), ("0.5 %", Fraction(1, 200)), ("0%", 0)])
def test_shares(text, share):
    assert percentage(text) == share


@pytest.mark.parametrize("text", ["5", "-1%", "", "%", "1/2%", "nan%", "1_0%", "five%"])
def test_what_is_no_share(text):
    with pytest.raises(UsageError, match="needs a percentage"):
        percentage(text)


def test_unknown_quantities_and_lints():
    net = convcalc.load("lenet5")
    with pytest.raises(UsageError, match="did you mean 'params'"):
        net.check({"param": 3})
    with pytest.raises(UsageError, match="--max-params needs the largest number allowed, not 'many'"):
        net.check({"params": "many"})
    with pytest.raises(UsageError, match="did you mean 'unread_layer'"):
        net.check(ignore=["unread_layers"])
