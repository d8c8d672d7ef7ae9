"""Comparison: the lecture's AlexNet and ZFNet, alignment, causes."""

from __future__ import annotations

from pathlib import Path

import pytest

import convcalc
from convcalc.analysis.diff import difference
from convcalc.report.diff import changes

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


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [
        ("batchnorm", "{groupnorm: 2}", "changed"),  # they stand in for each other
        ("relu", "{clip: {min: 0, max: 6}}", "changed"),
        ("{add: {from: [a, b]}}", "{maximum: {from: [a, b]}}", "changed"),
        ("{add: {from: [a, b]}}", "{add: {from: [b, a]}}", "same"),
        ("{maximum: {from: [a, b]}}", "{maximum: {from: [b, a]}}", "same"),
        ("{subtract: {from: [a, b]}}", "{subtract: {from: [b, a]}}", "changed"),
        ("{divide: {from: [a, b]}}", "{divide: {from: [b, a]}}", "changed"),
        ("{concat: {from: [a, b]}}", "{concat: {from: [a, b], axis: 1}}", "changed"),
        ("{softmax: -1}", "{softmax: last}", "same"),
    ],
)
def test_which_operators_stand_in_for_each_other(
    tmp_path: Path, before: str, after: str, status: str
) -> None:
    paths = []
    for name, layer in (("before", before), ("after", after)):
        path = tmp_path / f"{name}.yaml"
        layers = "[{conv: {name: a, filters: 4, kernel: 1}}, {tanh: {name: b}}, LAYER]"
        path.write_text(f"name: net\ninput: [3, 11, 9]\nlayers: {layers.replace('LAYER', layer)}\n")
        paths.append(str(path))
    pairs = convcalc.load(paths[0]).diff(convcalc.load(paths[1])).pairs
    assert [pair.status for pair in pairs] == ["same", "same", status]


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


@pytest.mark.slow
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


def compared(tmp_path: Path, first: str, second: str, head: str = ""):
    """Two networks on 2×6×5 with these layers, compared."""
    paths = []
    for name, layers in (("one", first), ("two", second)):
        path = tmp_path / f"{name}.yaml"
        path.write_text(f"name: net\ninput: [2, 6, 5]\nlayers:\n{head}{layers}", encoding="utf-8")
        paths.append(str(path))
    return convcalc.load(paths[0]).diff(convcalc.load(paths[1]))


THREE = "".join(f"  - conv: {{name: {name}, from: input, filters: 2, kernel: 1}}\n" for name in "abc")


@pytest.mark.parametrize(
    ("one", "two", "rewired"),
    [
        ("add: {name: sum, from: [a, c]}", "add: {name: sum, from: [b, c]}", True),
        ("add: {name: sum, from: [a, c]}", "add: {name: sum, from: [c, a]}", False),  # the same sum
        ("add: {name: sum, from: [a, c]}", "add: {name: sum, from: [a, a]}", True),
        ("add: {name: sum, from: [a, c]}", "add: {name: sum, from: [a, b, c]}", True),
        ("concat: {name: sum, from: [a, c]}", "concat: {name: sum, from: [c, a]}", True),  # other channels
        ("concat: {name: sum, from: [a, c]}", "concat: {name: sum, from: [input, c]}", True),
        ("relu: {name: sum, from: a}", "relu: {name: sum, from: b}", True),
    ],
)
def test_what_a_layer_reads_is_compared(tmp_path: Path, one: str, two: str, rewired: bool) -> None:
    diff = compared(tmp_path, f"  - {one}\n", f"  - {two}\n", THREE)
    last = diff.pairs[-1]
    assert diff.same is not rewired
    assert last.status == ("changed" if rewired else "same")
    assert set(last.changes) == ({"from"} if rewired else set())


def test_rewiring_is_told_by_names(tmp_path: Path) -> None:
    one, two = (f"  - add: {{name: sum, from: [{name}, c]}}\n" for name in "ab")
    diff = compared(tmp_path, one, two, THREE)
    assert diff.pairs[-1].changes == {"from": (["a", "c"], ["b", "c"])}
    assert changes(diff.pairs[-1]) == "from a, c → b, c"


def test_a_layer_put_in_between_rewires_nothing(tmp_path: Path) -> None:
    one = "  - conv: {name: x, filters: 2, kernel: 1}\n  - maxpool: {kernel: 2}\n"
    two = "  - conv: {name: x, filters: 2, kernel: 1}\n  - batchnorm\n  - maxpool: {kernel: 2}\n"
    for diff in (compared(tmp_path, one, two), compared(tmp_path, two, one)):
        assert sorted(pair.status for pair in diff.pairs if pair.status != "same") in (["added"], ["removed"])
    joined = "  - concat: {name: both, from: [a, c]}\n"
    longer = "  - softplus: {name: n, from: b}\n  - concat: {name: both, from: [a, n, c]}\n"
    diff = compared(tmp_path, joined, longer, THREE)
    assert [pair.status for pair in diff.pairs] == ["same", "same", "same", "added", "same"]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("resnet18", "resnet34"), ("vgg11", "vgg13"), ("inception-naive", "inception-module"),
        ("torchvision/densenet121", "torchvision/densenet169"),
    ],
)  # fmt: skip
def test_members_of_a_family_are_wired_alike(one: str, two: str) -> None:
    for first, second in ((one, two), (two, one)):
        diff = convcalc.load(first).diff(convcalc.load(second))
        assert not [pair for pair in diff.pairs if "from" in pair.changes]


def test_shared_weights_are_a_change_with_its_arithmetic(tmp_path: Path) -> None:
    """b has 3·3·2·2 = 36 weights of its own in A and none in B, which uses a's."""
    a = "  - conv: {name: a, filters: 2, kernel: 3, padding: 1}\n"
    b = "  - conv: {name: b, filters: 2, kernel: 3, padding: 1SHARE}\n"
    own, shared = b.replace("SHARE", ""), b.replace("SHARE", ", share: a")
    pair = compared(tmp_path, own, shared, a).pairs[-1]
    assert pair.changes == {"share": (None, "a")}
    assert (pair.delta.weights, pair.working) == (-36, "0 − 36 = −36")
    assert changes(pair) == "own weights → weights of a"
    assert compared(tmp_path, shared, own, a).pairs[-1].working == "36 − 0 = +36"
    assert compared(tmp_path, shared, shared, a).same
    middle = a + a.replace("name: a", "name: m")
    other = compared(tmp_path, shared, shared.replace("share: a", "share: m"), middle)
    assert other.pairs[-1].changes == {"share": ("a", "m")}


def test_shared_weights_stay_with_the_paired_owner_whatever_its_name(tmp_path: Path) -> None:
    text = "  - conv: {name: NAME, filters: 2, kernel: 1}\n  - conv: {name: b, filters: 2, kernel: 1, share: NAME}\n"
    assert compared(tmp_path, text.replace("NAME", "first"), text.replace("NAME", "second")).same


def test_a_join_of_other_layers_is_the_cause_of_the_channels_it_hands_on(tmp_path: Path) -> None:
    wide = THREE + "  - conv: {name: d, from: input, filters: 5, kernel: 1}\n"
    end = "  - conv: {name: reader, filters: 3, kernel: 1}\n"
    one, two = (f"  - concat: {{name: both, from: [a, {name}]}}\n{end}" for name in "bd")
    assert compared(tmp_path, one, two, wide).pairs[-1].cause == "both"
