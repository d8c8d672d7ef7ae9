"""Drafts: layers with modules' paths become a graph with tensors by key."""

from __future__ import annotations

from array import array

import pytest

from convcalc.errors import Misfit, SpecError
from convcalc.formats.draft import Draft
from convcalc.graph import INPUT, single_input
from convcalc.ops import get
from convcalc.weights.tensors import StoredTensor


def tensor(name: str, *shape: int) -> StoredTensor:
    count = 1
    for size in shape:
        count *= size
    return StoredTensor(name, shape, "F32", lambda: array("f", range(count)).tobytes())


def test_a_draft_becomes_a_graph() -> None:
    draft = Draft(single_input((3, 9, 7)), 10)
    unread = draft.add(get("sigmoid")(), [INPUT])
    conv = draft.add(
        get("conv")(filters=5, kernel=(3, 2)), [INPUT], path="stem.conv",
        tensors={"weight": tensor("w", 5, 3, 3, 2), "bias": tensor("onnx::Conv_7", 5)},
    )  # fmt: skip
    relu = draft.add(get("relu")(), [conv], path="stem.act")
    draft.outputs = [("scores", relu)]
    draft.classes["stem"] = "Stem"
    built = draft.built("net")
    assert [(node.name, node.scope, node.output_shape) for node in built.graph] == [
        ("stem.conv", "stem", (5, 7, 6)),
        ("stem.relu1", "stem", (5, 7, 6)),
    ]
    assert [(output.name, output.node) for output in built.graph.outputs] == [("scores", 1)]
    assert list(built.tensors) == ["stem.conv.weight", "stem.conv.bias"]
    assert list(built.tensors["stem.conv.bias"].values()) == [0, 1, 2, 3, 4]
    assert (built.classes, built.indices[unread], built.indices[relu]) == ({"stem": "Stem"}, None, 1)


def test_shared_tensors_belong_to_the_first_layer_that_is_kept() -> None:
    draft = Draft(single_input((4,)), 10)
    given = {"weight": tensor("w", 4, 4), "bias": tensor("b", 4)}
    unread = draft.add(get("dense")(units=4), [INPUT], path="cell", tensors=given)
    first = draft.add(get("dense")(units=4), [INPUT], path="cell", tensors=given, shares=unread)
    second = draft.add(get("dense")(units=4), [first], path="cell", tensors=given, shares=unread)
    draft.outputs = [("output", second)]
    built = draft.built("net")
    assert [(node.name, node.shares) for node in built.graph] == [("cell", None), ("dense2", 0)]
    assert list(built.tensors) == ["cell.weight", "cell.bias"]


def test_fields_that_name_layers_are_filled_in() -> None:
    draft = Draft(single_input((6, 8)), 10)
    bias = draft.add(get("parameter")(shape=(2, 6, 6)), [], path="attn.bias_table")
    attention = draft.add(get("attention")(heads=2, bias="?"), [INPUT, bias], path="attn")
    draft.outputs = [("y", attention)]
    (_, node) = draft.built("net").graph.nodes
    assert node.op.shown_fields()["bias"] == "attn.bias_table"


def test_tensors_of_another_shape_are_refused_and_so_are_too_many_layers() -> None:
    draft = Draft(single_input((3, 9, 7)), 1)
    with pytest.raises(
        Misfit, match=r"conv has weight of shape \[5, 3, 2, 3\], its input needs \[5, 3, 3, 2\]"
    ):
        draft.add(get("conv")(filters=5, kernel=(3, 2)), [INPUT], tensors={"weight": tensor("w", 5, 3, 2, 3)})
    draft.add(get("relu")(), [INPUT])
    with pytest.raises(SpecError, match="more than 1 layers"):
        draft.add(get("relu")(), [INPUT])
