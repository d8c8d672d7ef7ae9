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
    assert [(pair.a.name, pair.b.name) for pair in diff.pairs if pair.a and pair.b][0] == ("first", "second")


def test_the_reverse_difference_is_the_negative() -> None:
    a, b = convcalc.load("vgg11"), convcalc.load("alexnet")
    there, back = a.diff(b).total_delta(), b.diff(a).total_delta()
    assert {name: -value for name, value in there.items()} == back


def test_difference_takes_out_common_factors() -> None:
    assert difference((3, 3, 256, 384), (3, 3, 256, 512)) == "(3·3·256)·(512 − 384) = +294,912"
    assert difference((11, 11, 3, 96), (7, 7, 3, 96)) == "(7·7 − 11·11)·3·96 = −20,736"
    assert difference((4, 5), (2, 3, 5)) == "(2·3)·5 − 4·5 = +10"
