"""PyTorch modules as they were traced become layers that compute what PyTorch computed: the outputs are its own."""

from __future__ import annotations

from collections import Counter

import pytest

from convcalc.analysis.analyse import analyse
from convcalc.backends import reference
from convcalc.formats.draft import Built
from convcalc.formats.torch.read.table import map_program
from convcalc.weights.load import own_weights
from tests.formats.torch.programs import recorded

KNOWN = [name for name in recorded() if name not in ("Foreign", "Parts")]


def built(name: str) -> Built:
    return map_program(recorded()[name].program)


def kinds(name: str) -> Counter[str]:
    return Counter(node.kind for node in built(name).graph)


@pytest.mark.parametrize("name", KNOWN)
def test_outputs_are_pytorchs(name: str) -> None:
    found, expected = built(name), recorded()[name]
    graph = found.graph
    assert [node.name for node in graph if not node.op.is_known] == []
    values = {entry.name: numbers for entry, numbers in zip(graph.inputs, expected.inputs, strict=True)}
    given = values if len(values) > 1 else next(iter(values.values()))
    run = reference.run(graph, own_weights(graph, found.tensors, name), given)
    assert len(run.outputs) == len(expected.outputs)
    for output, (shape, right) in zip(run.outputs.values(), expected.outputs, strict=True):
        assert output.shape == (shape or (1,))
        largest = max(map(abs, right))
        assert list(output.values) == pytest.approx(right, abs=2e-5 * largest)


@pytest.mark.parametrize("name", [name for name in KNOWN if name != "Shared"])
def test_parameters_are_the_modules(name: str) -> None:
    assert analyse(built(name).graph).totals.params == recorded()[name].parameters


def test_paths_and_keys_are_the_modules() -> None:
    found = built("Convolutions")
    assert [node.name for node in found.graph][:7] == [
        "stem.0",
        "stem.1",
        "stem.2",
        "same",
        "grouped",
        "depthwise",
        "up",
    ]
    program = recorded()["Convolutions"].program
    assert set(found.tensors) == {
        stored.key for stored in program.stored.values() if not stored.key.endswith("num_batches_tracked")
    }
    assert found.classes["stem.1"] == "BatchNorm2d"


def test_several_maps_of_one_image_share_a_kernel() -> None:
    graph = built("Convolutions").graph
    heads = [node for node in graph if node.kind == "conv" and node.output_shape[0] == 3]
    assert len(heads) == 2
    assert [node.shares for node in heads] == [None, heads[0].index]


def test_fields_are_the_modules() -> None:
    """As the modules are written in record_programs.py."""
    nodes = {node.name: node.op.shown_fields() for node in built("Convolutions").graph}
    assert (
        nodes["stem.0"] | {"filters": 8, "kernel": [3, 2], "stride": [2, 1], "padding": [1, 2]}
        == nodes["stem.0"]
    )
    assert nodes["stem.0"]["bias"] is False
    assert nodes["same"]["padding"] == [[1, 2], 1]  # PyTorch's `same`: the odd pixel after
    assert nodes["grouped"] | {"groups": 3, "dilation": [1, 2], "padding": 0} == nodes["grouped"]
    assert nodes["depthwise"] | {"depthwise": True, "padding": 1, "bias": False} == nodes["depthwise"]
    assert nodes["up"] | {"stride": 2, "padding": 1, "output_padding": [1, 0]} == nodes["up"]
    pools = {node.name: node.op.shown_fields() for node in built("Pools").graph}
    assert pools["maximum"] | {"rounding": "ceil", "dilation": [1, 2], "padding": 1} == pools["maximum"]
    assert pools["mean"] | {"count_padding": False, "rounding": "ceil"} == pools["mean"]


def test_modules_that_are_one_operator() -> None:
    attention = {node.name: node for node in built("Attention").graph if node.kind == "attention"}
    assert attention["own"].op.shown_fields()["heads"] == 3
    assert kinds("Normalisations")["lrn"] == 1
    assert kinds("Normalisations")["layernorm"] == 2
    axes = [
        node.op.shown_fields()["axis"] for node in built("Normalisations").graph if node.kind == "layernorm"
    ]
    assert axes == ["channels", [1, 2]]  # no transposes around the first


def test_attention_written_by_hand_is_one_layer_with_the_modules_keys() -> None:
    (attention,) = [node for node in built("Encoder").graph if node.kind == "attention"]
    assert attention.op.shown_fields() | {"heads": 4, "in_bias": False} == attention.op.shown_fields()
    assert attention.name.startswith("attn")
    assert attention.keys == {
        "in_proj_weight": "attn.qkv.weight",
        "out_proj.weight": "attn.proj.weight",
        "out_proj.bias": "attn.proj.bias",
    }


def test_gates_shuffles_and_norms_are_one_layer() -> None:
    found = kinds("Arithmetic")
    assert (found["silu"], found["hardswish"], found["relu6"]) == (1, 1, 0)
    assert found["upsample"] == found["concat"] == 0  # expand_as before a product is no layer
    moved = kinds("Movements")
    assert (moved["channel_shuffle"], moved["pixel_shuffle"], moved["pixel_unshuffle"]) == (1, 1, 1)
    assert kinds("Normalisations")["l2norm"] == 1


def test_a_table_of_relative_positions_stays_a_parameter() -> None:
    found = built("Attention")
    nodes = {node.name: node for node in found.graph}
    assert nodes["table"].kind == "parameter"
    assert nodes["index"].kind == "constant"
    assert nodes["index"].op.shown_fields()["window"] == [4, 4]
    assert found.notes == ()


def test_what_grows_by_concatenation_joins_what_there_is() -> None:
    """cat([a, b, c, d]) and then cat([a, b, c, d, cat]): the second has two inputs."""
    joins = [node for node in built("Movements").graph if node.kind == "concat"]
    assert [len(node.inputs) for node in joins[:2]] == [4, 2]


def test_shared_modules_and_tied_weights_are_counted_once() -> None:
    found = built("Shared")
    convolutions = [node for node in found.graph if node.kind == "conv"]
    assert [node.shares is None for node in convolutions] == [True, False, False]
    assert {node.shares for node in convolutions[1:]} == {convolutions[0].index}
    # the factor of the map is one parameter of 3, read by two layers
    assert analyse(found.graph).totals.params == 3 * 3 * 3 * 3 + 3 + 3
    assert recorded()["Shared"].parameters == 3 * 3 * 3 * 3 + 3 + 3


def test_dropout_is_kept() -> None:
    (dropout,) = [node for node in built("InPlace").graph if node.kind == "dropout"]
    assert dropout.op.shown_fields()["rate"] == 0.3


def test_an_operator_that_is_not_known_is_said() -> None:
    found = built("Foreign")
    (unknown,) = [node for node in found.graph if not node.op.is_known]
    assert unknown.op.shown_fields() == {"op": "cumsum", "shape": [4, 6, 7]}
    assert found.graph.warnings == (
        "1 layer is of an operator that convcalc does not know, and not counted: cumsum",
    )
    assert [node.kind for node in found.graph] == ["conv", "unknown", "global_avgpool", "flatten", "dense"]


def test_what_is_written_into_a_part_is_not_passed_over() -> None:
    found = built("Parts")
    assert [node.kind for node in found.graph] == ["conv", "slice", "relu", "unknown", "conv"]
    assert found.graph.nodes[3].op.shown_fields()["op"] == "relu_"


def test_notes_are_for_what_is_counted_otherwise() -> None:
    assert {name: built(name).notes for name in recorded()} == dict.fromkeys(recorded(), ())


def test_no_layer_has_the_batch() -> None:
    for name, entry in recorded().items():
        for node in built(name).graph:
            assert all(size % entry.program.batch for size in node.output_shape), (name, node.name)
