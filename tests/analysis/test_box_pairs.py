"""Boxes of two networks in pairs, and the numbers by which boxes are coloured."""

from __future__ import annotations

import pytest

from convcalc.analysis.analyse import Analysis, analyse
from convcalc.analysis.box_pairs import BoxPairs, pair_boxes
from convcalc.analysis.box_values import QUANTITIES, box_values
from convcalc.analysis.boxes import Boxes, boxes
from convcalc.analysis.diff import compare
from convcalc.language.load import load_graph


def paired(name_a: str, name_b: str, **options) -> tuple[Boxes, Boxes, BoxPairs]:
    first, second = analyse(load_graph(name_a)), analyse(load_graph(name_b))
    a, b = boxes(first, **options), boxes(second, **options)
    found = pair_boxes(a, b, compare(first, second))
    assert set(found.a) == {box.key for box in a.boxes}
    assert set(found.b) == {box.key for box in b.boxes}
    assert "added" not in found.a.values()
    assert "removed" not in found.b.values()
    assert len({key for key, _ in found.pairs}) == len({key for _, key in found.pairs}) == len(found.pairs)
    for first_key, second_key in found.pairs:
        assert found.a[first_key] == found.b[second_key]
    return a, b, found


def told(drawn: Boxes, marks) -> dict[str, str]:
    return {box.name: marks[box.key] for box in drawn.boxes}


def test_a_network_and_itself() -> None:
    a, _, found = paired("torchvision/densenet121", "torchvision/densenet121")
    assert set(found.a.values()) == set(found.b.values()) == {"same"}
    assert found.pairs == tuple((box.key, box.key) for box in a.boxes)


def test_alexnet_and_zfnet() -> None:
    """The lecture: as AlexNet, but a first convolution of 7×7 with stride 2, then 512, 1024, 512 filters.

    The dense layer behind them reads 512·6·6 values for 256·6·6."""
    _, b, found = paired("alexnet", "zfnet")
    marks = told(b, found.b)
    assert [name for name, mark in marks.items() if mark != "same"] == [
        "conv1",
        "conv3",
        "conv4",
        "conv5",
        "fc1",
    ]


def test_another_number_of_copies_is_a_change() -> None:
    a, b, found = paired("resnet50", "resnet101")
    frame_a, frame_b = a.frames[2], b.frames[2]
    assert (frame_a.times, frame_b.times) == (5, 22)
    keys = range(frame_b.first, frame_b.last + 1)
    assert {found.b[key] for key in keys} == {"changed"}
    others = {mark for key, mark in found.b.items() if key not in keys}
    assert others == {"same"}
    assert {found.a[key] for key in range(frame_a.first, frame_a.last + 1)} == {"changed"}


def test_layers_that_one_network_has_are_added_or_removed() -> None:
    _, b, found = paired("resnet50", "se-resnet50")
    marks = told(b, found.b)
    added = [name for name, mark in marks.items() if mark == "added"]
    assert len(added) >= 4
    _, _, back = paired("se-resnet50", "resnet50")
    assert sorted(back.a.values()).count("removed") == len(added)


def test_blocks_are_changed_if_a_layer_in_them_is() -> None:
    _, b, found = paired("resnet50", "se-resnet50", depth=1)
    assert told(b, found.b)["layer1"] == "changed"
    assert told(b, found.b)["conv1"] == "same"


def test_values() -> None:
    """AlexNet: 11·11·3·96·55·55 MACs of the first layer, 4096·4096 weights and 4096 biases of the second dense one."""
    analysis: Analysis = analyse(load_graph("alexnet"))
    drawn = boxes(analysis)
    names = [box.name for box in drawn.boxes]
    macs = dict(zip(names, box_values(analysis, drawn, "macs"), strict=True))
    assert macs["conv1"] == 11 * 11 * 3 * 96 * 55 * 55
    assert macs["input"] is None
    assert dict(zip(names, box_values(analysis, drawn, "params"), strict=True))["fc2"] == 4096 * 4096 + 4096
    memory = dict(zip(names, box_values(analysis, drawn, "memory"), strict=True))
    assert memory["conv1"] == 2 * 96 * 55 * 55 * 4  # conv and relu, float32
    field = dict(zip(names, box_values(analysis, drawn, "field"), strict=True))
    assert (field["conv1"], field["maxpool1"]) == (11, 19)
    time = dict(zip(names, box_values(analysis, drawn, "time", {"conv1": 0.5, "relu1": 0.25}), strict=True))
    assert (time["conv1"], time["conv2"], time["input"]) == (0.75, None, None)


@pytest.mark.parametrize("quantity", ["macs", "params"])
def test_what_is_not_known_is_not_zero(quantity, tmp_path) -> None:
    spec = tmp_path / "unknown.yaml"
    spec.write_text(
        "name: u\ninput: [3, 9, 11]\nlayers:\n  - conv: {filters: 5, kernel: 2}\n"
        "  - unknown: {op: Einsum, shape: [7, 13]}\n",
        encoding="utf-8",
    )
    analysis = analyse(load_graph(str(spec)))
    drawn = boxes(analysis)
    names = [box.name for box in drawn.boxes]
    values = dict(zip(names, box_values(analysis, drawn, quantity), strict=True))
    macs = 5 * 3 * 2 * 2 * 8 * 10
    assert (values["conv1"], values["unknown1"]) == (macs if quantity == "macs" else 5 * 12 + 5, None)


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("name", ["siamese", "torchvision/vit_b_16", "ssd300_vgg16"])
def test_a_value_for_each_box(name: str, quantity) -> None:
    analysis = analyse(load_graph(name))
    drawn = boxes(analysis)
    values = box_values(analysis, drawn, quantity)
    assert len(values) == len(drawn.boxes)
    assert all(value is None or value >= 0 for value in values)
