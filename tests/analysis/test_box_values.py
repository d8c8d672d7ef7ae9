"""Figures and differences by the boxes of a drawing."""

from __future__ import annotations

import convcalc
from convcalc.analysis.box_values import box_values, pair_boxes
from convcalc.analysis.boxes import Boxes, boxes
from convcalc.analysis.diff import compare


def by_name(drawn: Boxes, found):
    return {box.name: found[box.key] for box in drawn.boxes}


def test_figures_of_alexnets_boxes() -> None:
    """The lecture's figures: conv1 has 11·11·3·96 weights and 55·55 of its windows; its field is 11, conv2's
    11 + 2·4 + 4·8 = 51."""
    analysis = convcalc.load("alexnet").record
    drawn = boxes(analysis)
    macs = by_name(drawn, box_values(analysis, drawn, "macs"))
    assert macs["conv1"] == 11 * 11 * 3 * 96 * 55 * 55
    assert macs["maxpool1"] == 0
    assert macs["input"] is None
    assert by_name(drawn, box_values(analysis, drawn, "params"))["conv1"] == 11 * 11 * 3 * 96 + 96
    fields = by_name(drawn, box_values(analysis, drawn, "field"))
    assert (fields["conv1"], fields["conv2"]) == (11, 51)
    memory = by_name(drawn, box_values(analysis, drawn, "memory"))
    layers = [layer for layer in analysis.layers if layer.name in ("conv1", "relu1")]
    assert memory["conv1"] == len(layers) * 96 * 55 * 55 * 4
    seconds = {node.index: 0.25 for node in analysis.graph}
    assert by_name(drawn, box_values(analysis, drawn, "time", seconds))["conv1"] == 0.25 * len(layers)


def test_a_repeated_box_counts_once() -> None:
    analysis = convcalc.load("resnet50").record
    drawn = boxes(analysis)
    repeated = next(box for box in drawn.boxes if box.copies and box.macs)
    first = [analysis.layers[layer].macs for layer in repeated.layers]
    assert box_values(analysis, drawn, "macs")[repeated.key] == sum(first)


def test_what_zfnet_changed() -> None:
    """Its paper, section 4.1: a smaller window in the first layer; then more maps in layers 3 to 5."""
    a, b = convcalc.load("alexnet").record, convcalc.load("zfnet").record
    first, second = boxes(a), boxes(b)
    paired = pair_boxes(first, second, compare(a, b))
    marks = by_name(second, paired.marks_b)
    assert {name for name, mark in marks.items() if mark == "changed"} >= {"conv1", "conv3", "conv4", "conv5"}
    assert marks["conv2"] == marks["fc2"] == marks["input"] == "same"
    assert set(marks.values()) == {"same", "changed"}
    assert ("conv4", "conv4") in paired.names
    assert paired.names[0] == ("input", "input")


def test_more_copies_are_a_change() -> None:
    """ResNet-101 has 23 blocks where ResNet-50 has 6, the rest is the same (He et al. 2016, table 1)."""
    a, b = convcalc.load("resnet50").record, convcalc.load("resnet101").record
    first, second = boxes(a), boxes(b)
    paired = pair_boxes(first, second, compare(a, b))
    changed = {box.name for box in second.boxes if paired.marks_b[box.key] != "same"}
    assert changed
    assert all(name.startswith("conv4.") for name in changed)


def test_what_only_one_has() -> None:
    a, b = convcalc.load("vgg16").record, convcalc.load("vgg19").record
    first, second = boxes(a), boxes(b)
    paired = pair_boxes(first, second, compare(a, b))
    assert set(paired.marks_a.values()) == {"same"}
    extra = [box for box in second.boxes if paired.marks_b[box.key] != "same"]
    assert all(box.kind == "conv" for box in extra)
