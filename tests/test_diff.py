"""Comparison: the lecture's AlexNet and ZFNet, alignment, causes."""

from __future__ import annotations

from pathlib import Path

import convcalc
from convcalc.diff import difference

# lecture: layer → (change, difference in weights); conv3 is its layer 5, conv4 its 6, conv5 its 7
LECTURE = {
    "conv1": ({"kernel": (11, 7)}, ((7 * 7 - 11 * 11) * 3) * 96),
    "conv3": ({"filters": (384, 512)}, 3 * 3 * 256 * (512 - 384)),
    "conv4": ({"filters": (384, 1024)}, 3 * 3 * (512 * 1024 - 384 * 384)),
    "conv5": ({"filters": (256, 512)}, 3 * 3 * (1024 * 512 - 384 * 256)),
    "fc1": ({"input_shape": ([1024], [2048])}, 2 * 2 * (512 - 256) * 4096),
}


def test_alexnet_and_zfnet() -> None:
    diff = convcalc.load("alexnet").diff(convcalc.load("zfnet"))
    changed = {pair.b.name: pair for pair in diff.pairs if pair.b and pair.status != "same"}
    assert {name: (pair.changes, pair.delta.weights) for name, pair in changed.items()} == LECTURE
    assert diff.total_delta()["weights"] == 11_693_824
    assert {name: pair.cause for name, pair in changed.items() if pair.cause} == {
        "conv4": "conv3",
        "conv5": "conv4",
        "fc1": "conv5",
    }
    assert changed["conv4"].working == "3·3·(512·1024 − 384·384) = +3,391,488"


def test_a_network_is_the_same_as_itself_whatever_its_names(tmp_path: Path) -> None:
    spec = "name: net\ninput: [3, 11, 9]\nlayers: [{conv: {name: NAME, filters: 4, kernel: 3}}, relu]\n"
    paths = []
    for name in ("first", "second"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(spec.replace("NAME", name))
        paths.append(str(path))
    diff = convcalc.load(paths[0]).diff(convcalc.load(paths[1]))
    assert diff.same
    assert next((pair.a.name, pair.b.name) for pair in diff.pairs if pair.a and pair.b) == ("first", "second")


def test_the_reverse_difference_is_the_negative() -> None:
    a, b = convcalc.load("vgg11"), convcalc.load("alexnet")
    there, back = a.diff(b).total_delta(), b.diff(a).total_delta()
    assert {name: -value for name, value in there.items()} == back


def test_difference_takes_out_common_factors() -> None:
    assert difference((3, 3, 256, 384), (3, 3, 256, 512)) == "(3·3·256)·(512 − 384) = +294,912"
    assert difference((11, 11, 3, 96), (7, 7, 3, 96)) == "(7·7 − 11·11)·3·96 = −20,736"
    assert difference((4, 5), (2, 3, 5)) == "(2·3)·5 − 4·5 = +10"


def test_added_blocks_stay_in_one_piece() -> None:
    """ResNet-34 adds whole residual blocks to ResNet-18 (He et al., table 1): 1, 2, 4 and 1 of them."""
    diff = convcalc.load("resnet18").diff(convcalc.load("resnet34"))
    added = [pair.b.scope for pair in diff.pairs if pair.b and pair.status == "added"]
    assert {pair.status for pair in diff.pairs} == {"same", "added"}
    assert list(dict.fromkeys(added)) == [
        "conv2.3", "conv3.3", "conv3.4", "conv4.3", "conv4.4", "conv4.5", "conv4.6", "conv5.3",
    ]  # fmt: skip
    assert [added.count(scope) for scope in dict.fromkeys(added)] == [7] * 8


def test_a_normalisation_is_added_beside_each_convolution() -> None:
    diff = convcalc.load("torchvision/vgg11").diff(convcalc.load("torchvision/vgg11_bn"))
    assert [pair.b.kind for pair in diff.pairs if pair.b and pair.status == "added"] == ["batchnorm"] * 8
    assert not [pair for pair in diff.pairs if pair.status == "removed"]


def test_the_cause_is_the_layer_that_cuts_the_depth() -> None:
    diff = convcalc.load("inception-naive").diff(convcalc.load("inception-module"))
    causes = {pair.b.name: pair.cause for pair in diff.pairs if pair.b and pair.cause}
    assert causes == {
        "inception.conv3x3": "inception.reduce3x3",
        "inception.conv5x5": "inception.reduce5x5",
    }
    found = {one.node.name: (one.spent, one.saved) for one, added in diff.reductions() if added}
    assert found == {
        "inception.reduce3x3": (192 * 96 * 784, 9 * 96 * 128 * 784),
        "inception.reduce5x5": (192 * 16 * 784, 25 * 176 * 32 * 784),
        "inception.project": (192 * 32 * 784, 0),
    }
    back = convcalc.load("inception-module").diff(convcalc.load("inception-naive"))
    assert {one.node.name: (one.spent, one.saved) for one, added in back.reductions() if not added} == found


def test_huge_networks_are_still_compared(tmp_path: Path) -> None:
    paths = []
    for name, count in (("a", 3000), ("b", 3500)):
        path = tmp_path / f"{name}.yaml"
        path.write_text(
            f"name: {name}\ninput: [1, 8, 8]\nlayers:\n"
            f"  - group: {{repeat: {count}, layers: [{{conv: {{filters: $(1 + i % 7), kernel: 1}}}}, relu]}}\n"
        )
        paths.append(str(path))
    a, b = map(convcalc.load, paths)
    diff = a.diff(b)
    assert len([pair for pair in diff.pairs if pair.a]) == 6000
    assert len([pair for pair in diff.pairs if pair.b]) == 7000
    order = [pair.b.index for pair in diff.pairs if pair.b]
    assert order == sorted(order)


def test_a_removed_layer_is_subtracted() -> None:
    diff = convcalc.load("alexnet").diff(convcalc.load("lenet5"))
    removed = [pair for pair in diff.pairs if pair.status == "removed" and pair.working]
    assert removed
    assert all(pair.working.startswith("−(") and pair.delta.weights < 0 for pair in removed)


def test_causes_of_a_long_residual_chain_are_found_in_one_pass(tmp_path: Path) -> None:
    """Two branches at each of 3,000 joins: following every path back would never end."""
    layers = "  - add: [[], [{conv: {filters: $width, kernel: 1}}]]\n" * 3000
    paths = []
    for width in (2, 3):
        path = tmp_path / f"{width}.yaml"
        head = f"name: net\ninput: [1, 3, 2]\nvars: {{width: {width}}}\nlayers:\n"
        stem = "  - conv: {name: stem, filters: $width, kernel: 1}\n"
        path.write_text(head + stem + layers)
        paths.append(str(path))
    diff = convcalc.load(paths[0]).diff(convcalc.load(paths[1]))
    assert diff.pairs[1].cause == "stem"


def test_vgg11_to_vgg13_adds_two_convolutions() -> None:
    # Simonyan & Zisserman 2014, table 1: B has a second convolution of 64 and of 128 filters
    diff = convcalc.load("vgg11").diff(convcalc.load("vgg13"))
    added = [pair for pair in diff.pairs if pair.status == "added" and pair.b and pair.b.kind == "conv"]
    assert [pair.delta.weights for pair in added] == [3 * 3 * 64 * 64, 3 * 3 * 128 * 128]
    assert not [pair for pair in diff.pairs if pair.status in ("removed", "changed")]
