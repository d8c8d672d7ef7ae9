"""Whole models: what is in them, and in which order."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from convcalc.errors import ModelError
from convcalc.formats.onnx.reader import read_model
from convcalc.formats.onnx.records import OnnxGraph, OnnxModel, ValueInfo
from tests.formats.onnx import messages as m


@pytest.fixture
def read(tmp_path: Path):
    def read(data: bytes, **options: int) -> OnnxModel:
        path = tmp_path / "net.onnx"
        path.unlink(missing_ok=True)  # one before may still be mapped
        path.write_bytes(data)
        return read_model(path, **options)

    return read


def conv_relu() -> onnx.ModelProto:
    """Two nodes, written by onnx: a 3×2 kernel with asymmetric padding, and a relu."""
    weight = helper.make_tensor("conv.weight", TensorProto.FLOAT, [4, 3, 3, 2], [0.5 * i for i in range(72)])
    bias = helper.make_tensor("conv.bias", TensorProto.FLOAT, [4], [1.0, -2.0, 3.0, -4.0])
    nodes = [
        helper.make_node(
            "Conv",
            ["x", "conv.weight", "conv.bias"],
            ["c"],
            name="/conv/Conv",
            strides=[2, 1],
            pads=[0, 1, 2, 0],
        ),
        helper.make_node("LeakyRelu", ["c"], ["y"], alpha=0.25),
    ]
    nodes[0].metadata_props.add(key="namespace", value="net/conv")
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 7, 5])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    values = [helper.make_tensor_value_info("c", TensorProto.FLOAT, ["batch", 4, 4, 5])]
    graph = helper.make_graph(nodes, "two layers", inputs, outputs, [weight, bias], value_info=values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="tests")
    model.ir_version = 7
    model.metadata_props.add(key="author", value="Ada")
    return model


def test_a_model_written_by_onnx(read) -> None:
    model = read(conv_relu().SerializeToString())
    assert (model.opsets, model.opset, model.ir_version, model.producer) == ({"": 13}, 13, 7, "tests")
    assert dict(model.metadata) == {"author": "Ada"}
    graph = model.graph
    assert graph.name == "two layers"
    assert graph.inputs == (ValueInfo("x", "F32", ("batch", 3, 7, 5)),)
    assert graph.outputs == (ValueInfo("y", "F32", None),)
    assert dict(graph.values) == {"c": ValueInfo("c", "F32", ("batch", 4, 4, 5))}
    conv, relu = graph.nodes
    assert (conv.op, conv.domain, conv.name) == ("Conv", "", "/conv/Conv")
    assert (conv.inputs, conv.outputs) == (("x", "conv.weight", "conv.bias"), ("c",))
    assert dict(conv.attributes) == {"strides": (2, 1), "pads": (0, 1, 2, 0)}
    assert dict(conv.metadata) == {"namespace": "net/conv"}
    assert relu.attributes["alpha"] == 0.25
    weight = graph.initializers["conv.weight"]
    assert (weight.shape, weight.dtype, weight.count, weight.missing) == ((4, 3, 3, 2), "F32", 72, None)
    assert list(weight.values()) == [0.5 * i for i in range(72)]
    assert list(graph.initializers["conv.bias"].values()) == [1, -2, 3, -4]


def test_all_kinds_of_attributes(read) -> None:
    body = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["z"])], "body", [], [onnx.ValueInfoProto(name="z")]
    )
    tensor = helper.make_tensor("t", TensorProto.INT64, [2], [3, -4])
    made = helper.make_node(
        "Any", ["x"], ["y"], f=-1.5, i=-7, s="text", t=tensor, g=body, fs=[0.5, 2.0], ints=[-1, 1 << 40],
        ss=["a", "b"], ts=[tensor], gs=[body],
    )  # fmt: skip
    made.attribute.append(onnx.AttributeProto(name="bytes", type=onnx.AttributeProto.STRING, s=b"\xff\xfe"))
    made.attribute.append(onnx.AttributeProto(name="none", type=onnx.AttributeProto.INTS))
    made.attribute.append(onnx.AttributeProto(name="zero", type=onnx.AttributeProto.INT))
    graph = helper.make_graph(
        [made],
        "g",
        [helper.make_tensor_value_info("x", 1, [2])],
        [helper.make_tensor_value_info("y", 1, [2])],
    )
    found = read(helper.make_model(graph).SerializeToString()).graph.nodes[0].attributes
    assert (found["f"], found["i"], found["s"]) == (-1.5, -7, "text")
    assert (found["fs"], found["ints"], found["ss"]) == ((0.5, 2.0), (-1, 1 << 40), ("a", "b"))
    assert (found["bytes"], found["none"], found["zero"]) == (b"\xff\xfe", (), 0)
    assert list(found["t"].values()) == list(found["ts"][0].values()) == [3, -4]
    inner = found["g"]
    assert isinstance(inner, OnnxGraph)
    assert [node.inputs for node in inner.nodes] == [("x",)]
    assert found["gs"][0].outputs[0].name == "z"
    assert len(found) == 13
    assert "none" in found
    assert "other" not in found


def test_an_attribute_of_the_oldest_files_has_no_type(read) -> None:
    kernel = m.field(1, "kernel") + m.fields(8, [3, 2])
    assert read(m.chain(m.node("MaxPool", ["x"], ["y"], kernel))).graph.nodes[0].attributes["kernel"] == (
        3,
        2,
    )


def test_packed_and_unpacked_numbers(read) -> None:
    """Proto2 writers pack nothing: dims, ints and int64_data come one by one."""
    unpacked = m.fields(1, [2, 3]) + m.field(2, m.INT64) + m.fields(7, [5, -6, 7, 8, 9, 10]) + m.field(8, "a")
    packed = m.packed(1, [2, 3]) + m.field(2, m.INT64) + m.packed(7, [5, -6, 7, 8, 9, 10]) + m.field(8, "b")
    axes = m.field(1, "axes") + m.packed(8, [-1, 2]) + m.field(20, 7)
    model = read(m.chain(m.node("Op", ["x", "a", "b"], ["y"], axes), tensors=[unpacked, packed]))
    for name in "ab":
        found = model.graph.initializers[name]
        assert (found.shape, list(found.values())) == ((2, 3), [5, -6, 7, 8, 9, 10])
    assert model.graph.nodes[0].attributes["axes"] == (-1, 2)


def test_initializers_listed_as_inputs_are_none(read) -> None:
    """Before IR 4 every initializer was listed among the inputs."""
    graph = m.graph(
        [m.node("Mul", ["x", "scale"], ["y"])],
        [m.value("x", [1, 2]), m.value("scale", [2])],
        [m.value("y")],
        [m.floats("scale", [2], [0.5, 4])],
    )
    assert [value.name for value in read(m.model(graph, ir=3)).graph.inputs] == ["x"]


def test_unknown_dimensions(read) -> None:
    data = m.model(
        graph=m.graph([m.node("Relu", ["x"], ["y"])], [m.value("x", [-1, 3, None, "h"])], [m.value("y")])
    )
    assert read(data).graph.inputs[0].shape == (None, 3, None, "h")


def test_nodes_in_any_order_are_sorted(read) -> None:
    data = m.chain(
        m.node("Relu", ["b"], ["y"]), m.node("Neg", ["x"], ["a"]), m.node("Add", ["a", "x"], ["b"])
    )  # fmt: skip
    assert [node.op for node in read(data).graph.nodes] == ["Neg", "Add", "Relu"]


def test_a_subgraph_waits_for_what_it_reads(read) -> None:
    branch = m.graph([m.node("Neg", ["late"], ["z"])], outputs=[m.value("z")])
    data = m.chain(
        m.node(
            "If", ["c"], ["y"], m.attribute("then_branch", 5, branch), m.attribute("else_branch", 5, branch)
        ),
        m.node("Relu", ["x"], ["late"]),
        tensors=[m.tensor("c", [], 9, b"\1")],
    )
    assert [node.op for node in read(data).graph.nodes] == ["Relu", "If"]


def test_the_own_domain_has_two_names(read) -> None:
    graph = m.graph([m.node("Relu", ["x"], ["y"], domain="ai.onnx")], [m.value("x", [1, 2])], [m.value("y")])
    data = m.field(1, 8) + m.field(7, graph) + m.field(8, m.field(1, "ai.onnx") + m.field(2, 9))
    model = read(data)
    assert (model.opset, model.graph.nodes[0].domain) == (9, "")


# --- functions ---------------------------------------------------------------------------------------------------


def function(
    name: str,
    inputs: list[str],
    outputs: list[str],
    *nodes: bytes,
    defaults: bytes = b"",
    names: Sequence[str] = (),
) -> bytes:
    own = (
        m.field(1, name)
        + m.fields(4, inputs)
        + m.fields(5, outputs)
        + m.fields(6, names)
        + m.fields(7, nodes)
    )
    return m.field(25, own + m.field(10, "here") + defaults)


def reference(name: str, kind: int, to: str) -> bytes:
    """An attribute of a function's node that takes the value of the call's attribute `to`."""
    return m.field(1, name) + m.field(20, kind) + m.field(21, to)


def test_functions_become_their_nodes(read) -> None:
    """x → −x → max(−x, slope·−x): inner names differ between the two calls, attributes come from call or default."""
    slope = m.field(11, m.attribute("slope", 1, 0.125))
    inner = function(
        "NegLeaky",
        ["a"],
        ["b"],
        m.node("Neg", ["a"], ["n"], name="neg"),
        m.node("LeakyRelu", ["n"], ["b"], reference("alpha", 1, "slope"), name="leaky"),
        defaults=slope,
    )
    outer = function(
        "Twice",
        ["a", "unused"],
        ["b"],
        m.node("NegLeaky", ["a"], ["half"], m.attribute("slope", 1, 0.5), domain="here", name="one"),
        m.node("NegLeaky", ["half"], ["b"], domain="here", name="two"),
    )
    graph = m.graph(
        [m.node("Twice", ["x"], ["y"], domain="here", name="all")], [m.value("x", [1, 2])], [m.value("y")]
    )
    nodes = read(m.model(graph, more=inner + outer)).graph.nodes
    assert [node.op for node in nodes] == ["Neg", "LeakyRelu"] * 2
    assert [node.name for node in nodes] == ["all/one/neg", "all/one/leaky", "all/two/neg", "all/two/leaky"]
    assert [dict(node.attributes) for node in nodes] == [{}, {"alpha": 0.5}, {}, {"alpha": 0.125}]
    assert nodes[0].inputs == ("x",)
    assert nodes[-1].outputs == ("y",)
    for before, after in pairwise(nodes):
        assert before.outputs == after.inputs
    assert len({node.outputs for node in nodes}) == 4


def test_a_subgraph_in_a_function_reads_the_names_of_the_call(read) -> None:
    branch = m.graph([m.node("Neg", ["a"], ["z"])], outputs=[m.value("z")])
    body = function(
        "Maybe",
        ["a", "c"],
        ["b"],
        m.node(
            "If", ["c"], ["b"], m.attribute("then_branch", 5, branch), m.attribute("else_branch", 5, branch)
        ),
    )
    graph = m.graph(
        [m.node("Maybe", ["x", "c"], ["y"], domain="here")],
        [m.value("x", [1, 2])],
        [m.value("y")],
        [m.tensor("c", [], 9, b"\1")],
    )
    found = read(m.model(graph, more=body)).graph.nodes[0]
    assert (found.op, found.inputs, found.outputs) == ("If", ("c",), ("y",))
    inner = found.attributes["then_branch"]
    assert isinstance(inner, OnnxGraph)
    assert inner.nodes[0].inputs == ("x",)
    assert inner.nodes[0].outputs[0] == inner.outputs[0].name


def test_a_function_may_not_call_itself(read) -> None:
    body = function("Loop", ["a"], ["b"], m.node("Loop", ["a"], ["b"], domain="here"))
    graph = m.graph([m.node("Loop", ["x"], ["y"], domain="here")], [m.value("x", [1])], [m.value("y")])
    with pytest.raises(ModelError, match="function 'Loop' calls itself"):
        read(m.model(graph, more=body))


def test_functions_that_double_meet_the_limit_of_nodes(read) -> None:
    """f20 calls f19 twice, and so on: a million nodes in 2 kB."""
    more = function("f0", ["a"], ["b"], m.node("Neg", ["a"], ["b"]))
    for level in range(1, 21):
        calls = [m.node(f"f{level - 1}", [a], [b], domain="here") for a, b in (("a", "h"), ("h", "b"))]
        more += function(f"f{level}", ["a"], ["b"], *calls)
    graph = m.graph([m.node("f20", ["x"], ["y"], domain="here")], [m.value("x", [1])], [m.value("y")])
    with pytest.raises(ModelError, match="more than 5,000 nodes") as caught:
        read(m.model(graph, more=more), max_nodes=5_000)
    assert "--max-layers" in str(caught.value)


# --- files that are no model -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "the file is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1234\n", "git lfs pull"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "an HTML page"),
        (b"\n\n<html lang=en>", "an HTML page"),
        (b"PK\x03\x04 zipped", "a zip archive"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"\x1f\x8b\x08", "gunzip"),
        (b"\x80\x02}q\x00.", "a Python pickle"),
        (b'{"format": 1}', "a JSON or text file"),
        (b"name: net\nlayers: []\n", "a YAML spec"),
        (b"ir_version: 8\ngraph {\n", "onnx.save"),
        (b"\x08\x08", "it has no graph"),
        (bytes(range(256)), "not a valid ONNX file"),
        (b"hello, this is a text", "not a valid ONNX file"),
    ],
)
def test_files_that_are_no_model(read, data: bytes, told: str) -> None:
    with pytest.raises(ModelError) as caught:
        read(data)
    assert told in str(caught.value)
    assert "net.onnx" in str(caught.value)
    assert caught.value.hint


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no such file"):
        read_model(tmp_path / "none.onnx")
    with pytest.raises(ModelError, match="this is a directory"):
        read_model(tmp_path)
    with pytest.raises(ModelError, match=r"cannot be read|no such file"):
        read_model("nul\0byte.onnx")
    os.mkfifo(tmp_path / "pipe.onnx")
    with pytest.raises(ModelError, match="not a regular file"):
        read_model(tmp_path / "pipe.onnx")


RELU = m.node("Relu", ["x"], ["y"])
GRAPH = m.graph([RELU], [m.value("x", [1, 2])], [m.value("y")])
X = [m.value("x", [1, 2])]
Y = [m.value("y")]


def nested(depth: int) -> bytes:
    """Subgraphs within subgraphs."""
    body = m.graph([m.node("Neg", ["x"], ["z"])], outputs=[m.value("z")])
    for _ in range(depth):
        body = m.graph(
            [m.node("If", ["x"], ["z"], m.attribute("then_branch", 5, body))], outputs=[m.value("z")]
        )
    return body


BROKEN = {
    "an old opset": (m.model(GRAPH, opset=6), "of opset 6; 7 and later"),
    "two graphs": (m.model(GRAPH) + m.field(7, GRAPH), "several graphs"),
    "two writers": (m.chain(RELU, RELU), "Relu that makes 'y' and Relu that makes 'y' both make 'y'"),
    "a writer of an input": (m.chain(m.node("Relu", ["x"], ["x"])), "both make 'x'"),
    "an undefined input": (m.chain(m.node("Relu", ["q"], ["y"], name="r")), "Relu 'r' reads 'q', which no"),
    "an undefined output": (m.model(m.graph([], X, Y)), "output 'y' is made by no node"),
    "a cycle": (
        m.chain(m.node("Add", ["x", "b"], ["a"], name="one"), m.node("Neg", ["a"], ["b"], name="two"),
                m.node("Relu", ["b"], ["y"])),
        "wait for each other: Neg 'two', Add 'one'",
    ),
    "a node of itself": (
        m.chain(m.node("Add", ["x", "y"], ["y"], name="one")), "Add 'one' reads its own output"
    ),
    "a tensor twice": (
        m.chain(RELU, tensors=[m.floats("w", [1], [1]), m.floats("w", [1], [2])]), "tensor 'w' twice"
    ),
    "too few bytes": (
        m.chain(RELU, tensors=[m.tensor("w", [2, 3], raw=bytes(20))]), "needs 24 bytes and has 20"
    ),
    "a negative size": (m.chain(RELU, tensors=[m.tensor("w", [2, -3], raw=b"")]), r"shape \[2, -3\]"),
    "a huge size": (m.chain(RELU, tensors=[m.tensor("w", [1 << 40, 1 << 40], raw=b"")]), "shape"),
    "an unknown type": (m.chain(RELU, tensors=[m.tensor("w", [1], 99, raw=b"1234")]), "of the type 99"),
    "a sparse tensor": (
        m.model(m.graph([RELU], X, Y, more=m.field(15, m.field(1, m.floats("w", [1], [1]))))),
        "tensor 'w' is sparse",
    ),
    "a sparse attribute": (
        m.chain(m.node("Constant", [], ["c"], m.field(1, "v") + m.field(22, b"") + m.field(20, 11)), RELU),
        "a sparse tensor",
    ),
    "segments": (m.chain(RELU, tensors=[m.tensor("w", [1], more=m.field(3, b"\x08\1"))]), "in segments"),
    "floats in the field of integers": (
        m.chain(RELU, tensors=[m.tensor("w", [1], more=m.packed(7, [1]))]), "in a field for I64"
    ),
    "a sequence as input": (
        m.model(m.graph([RELU], [m.field(1, "x") + m.field(2, m.field(4, m.field(1, m.field(1, b""))))], Y)),
        "input 'x' is of type sequence",
    ),
    "texts as input": (m.model(m.graph([RELU], [m.value("x", [1], m.STRING)], Y)), "input 'x' is text"),
    "a huge dimension": (
        m.model(m.graph([RELU], [m.value("x", [1, 1 << 60])], Y)), "'x' has a dimension of"
    ),
    "a node as an integer": (m.field(7, m.field(1, 5)), "field 1 of the graph .* is an integer, not bytes"),
    "a model as a float": (m.field(7, 1.5), "field 7 of the model .* is a float, not bytes"),
    "a group": (m.field(7, b"\x0b"), "has a group"),
    "a field without number": (m.field(7, b"\x00\x01"), "a field without a number"),
    "a long integer": (b"\x08" + b"\xff" * 11, "more than ten bytes"),
    "a message beyond its message": (m.field(7, b"\x0a\x7f" + bytes(20)), "should have 127 bytes"),
    "a function's reference outside": (
        m.chain(m.node("Relu", ["x"], ["y"], reference("alpha", 1, "slope"))), "outside a function"
    ),
    "an attribute twice": (
        m.chain(m.node("Relu", ["x"], ["y"], *[m.attribute("a", 2, 1)] * 2)), "the attribute 'a' twice"
    ),
    "an attribute without a value": (
        m.chain(m.node("Relu", ["x"], ["y"], m.field(1, "a") + m.field(20, 4))), "'a' of .* has no value"
    ),
    "an attribute of no kind": (
        m.chain(m.node("Relu", ["x"], ["y"], m.field(1, "a") + m.field(20, 77))), "of the type 77"
    ),
    "deep nesting": (m.model(m.graph([m.node("If", ["x"], ["y"], m.attribute("then_branch", 5, nested(60)))], X, Y)),
                     "nested more than 32 deep"),
}  # fmt: skip


def walk(graph: OnnxGraph) -> None:
    """Ask for everything that is read on demand."""
    for values in graph.initializers.values():
        if values.dtype in ("F32", "I64"):
            values.values()
    dict(graph.values)
    for node in graph.nodes:
        dict(node.metadata)
        for given in dict(node.attributes).values():
            for part in given if isinstance(given, tuple) else [given]:
                if isinstance(part, OnnxGraph):
                    walk(part)


@pytest.mark.parametrize("case", BROKEN)
def test_broken_models(read, case: str) -> None:
    data, told = BROKEN[case]
    with pytest.raises(ModelError, match=told) as caught:
        walk(read(data).graph)
    assert "net.onnx" in str(caught.value)
    assert caught.value.hint


def test_every_truncation_is_an_error_or_loses_metadata_only(read) -> None:
    data = conv_relu().SerializeToString()
    for length in range(len(data)):
        try:
            graph = read(data[:length]).graph
            walk(graph)
        except ModelError:
            pass
        else:
            assert [node.op for node in graph.nodes] == ["Conv", "LeakyRelu"]
            assert length > len(data) - 20
