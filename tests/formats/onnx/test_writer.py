"""ONNX files as a whole: names, inputs and outputs, shared weights, the weights' own file, sizes, memory."""

from __future__ import annotations

import json
import os
import sys
import tracemalloc
from functools import partial
from math import prod
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from onnx_runtime import (
    assert_equal,
    assert_runs,
    drawn_inputs,
    drawn_weights,
    model_bytes,
    onnx,
    ours,
    session,
    stored,
)

import convcalc
from convcalc import __version__
from convcalc.errors import ConvcalcError, UsageError
from convcalc.formats.convert import Request, WeightsOrigin
from convcalc.formats.onnx import writer_file
from convcalc.formats.onnx.writer import FORMAT_VERSIONS, NEWEST, OLDEST, onnx_files, write
from convcalc.language.load import load_graph
from convcalc.weights.load import random_weights
from convcalc.weights.tensors import StoredTensor

FRONT = """\
name: net
input: [3, 9, 7]
"""
TOKENS = """\
name: tokens
title: A class token before patches
source: made up
inputs: {image: [3, 8, 6], other: [2, 4]}
outputs: {class: head, again: head, table: index, place: place}
layers:
  - conv: {name: patches, filters: 4, kernel: 2, stride: 2, from: image}
  - reshape: [4, -1]
  - transpose: {name: sequence, order: [1, 0]}
  - parameter: {name: token, shape: [1, 4]}
  - concat: {name: with_token, axis: 0, from: [token, sequence]}
  - parameter: {name: place, shape: [13, 4]}
  - add: {name: placed, from: [with_token, place]}
  - attention: {name: mix, heads: 2}
  - slice: {axis: 0, stop: 1}
  - flatten
  - dense: {name: head, units: 3}
  - constant: {name: index, kind: relative_positions, window: [2, 3]}
  - parameter: {name: learned, shape: [5, 15]}
  - gather: {name: looked_up, indices: index, axis: 1}
  - constant: {name: other_index, kind: relative_positions, window: [4]}
  - gather: {indices: other_index, axis: 0, from: placed}
  - matmul: {from: [other, sequence], transpose_b: true}
"""


def graph_of(tmp_path, text):
    path = tmp_path / "net.yaml"
    path.write_text(text)
    return load_graph(str(path))


def test_names_are_paths_and_keys(tmp_path):
    graph = graph_of(
        tmp_path,
        FRONT
        + """\
layers:
  - group: {name: stem, layers: [conv: {name: conv, K: 4, F: 3}, silu, conv: {K: 5, F: 1, bias: false}]}
  - layernorm
  - flatten
  - dense: {name: fc, units: 2}
""",
    )
    weights = drawn_weights(graph)
    model = assert_runs(graph, weights)
    nodes = [(node.op_type, node.name) for node in model.graph.node]
    assert nodes == [
        ("Conv", "stem.conv"),
        ("Sigmoid", "stem.silu1/sigmoid"),
        ("Mul", "stem.silu1"),
        ("Conv", "stem.conv2"),
        ("Transpose", "layernorm1/transpose"),
        ("LayerNormalization", "layernorm1"),
        ("Transpose", "layernorm1/transpose/1"),
        ("Flatten", "flatten1"),
        ("Gemm", "fc"),
    ]
    initializers = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    assert initializers == {
        parameter.key(node.name): parameter.shape for node in graph for parameter in node.parameters
    }
    kernel = next(tensor for tensor in model.graph.initializer if tensor.name == "stem.conv.weight")
    assert onnx.numpy_helper.to_array(kernel).ravel().tolist() == weights.nodes[0]["weight"]
    # every value that is neither an input nor an output has its type and sizes, the batch in front
    values = {
        info.name: [d.dim_param or d.dim_value for d in info.type.tensor_type.shape.dim]
        for info in model.graph.value_info
    }
    made = {name for node in model.graph.node for name in node.output}
    assert set(values) == made - {"fc"}
    assert values["stem.silu1"] == ["N", 4, 7, 5]
    assert values["layernorm1/transpose"] == ["N", 7, 5, 5]
    assert values["layernorm1"] == ["N", 5, 7, 5]


def test_what_the_model_says_of_itself(tmp_path):
    graph = graph_of(tmp_path, TOKENS)
    model = onnx.load_from_string(model_bytes(graph, drawn_weights(graph)))
    assert (model.producer_name, model.producer_version) == ("convcalc", __version__)
    assert (model.graph.name, model.ir_version) == ("tokens", 8)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata == {"title": "A class token before patches", "source": "made up"}


def test_the_format_version_of_every_opset_is_the_one_it_came_with():
    """But for the first two, whose own had the initializers among the inputs."""
    released = {opset: version for _, version, opset, *_ in onnx.helper.VERSION_TABLE}
    assert {opset: max(released[opset], 4) for opset in range(OLDEST, NEWEST + 1)} == FORMAT_VERSIONS


@pytest.mark.parametrize("opset", [9, 12, 17, 23])
def test_tensors_inputs_and_outputs_of_all_kinds(tmp_path, opset):
    """A token before the patches of each sample; outputs that are a constant, a parameter, and one twice."""
    graph = graph_of(tmp_path, TOKENS)
    model = assert_runs(graph, drawn_weights(graph), opset=opset)
    sizes = {tensor.name: (tuple(tensor.dims), tensor.data_type) for tensor in model.graph.initializer}
    assert sizes["token"] == ((1, 1, 4), onnx.TensorProto.FLOAT)
    assert sizes["other_index"] == ((4, 4), onnx.TensorProto.INT64)  # layers only index with it
    assert sizes["index"] == ((1, 6, 6), onnx.TensorProto.FLOAT)  # which is an output too


def test_shared_weights_are_written_once(tmp_path):
    graph = graph_of(
        tmp_path,
        FRONT
        + """\
layers:
  - conv: {name: a, K: 3, F: 3, padding: 1}
  - scale: {name: s}
  - conv: {name: b, K: 3, F: 3, padding: 1, share: a}
  - global_avgpool
  - flatten
  - scale: {name: t, share: s}
""",
    )
    weights = drawn_weights(graph)
    model = assert_runs(graph, weights)
    learned = {
        tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer if "/" not in tensor.name
    }
    assert learned == {"a.weight": (3, 3, 3, 3), "a.bias": (3,), "s.weight": (3, 1, 1)}
    assert [node.op_type for node in model.graph.node][-2:] == ["Reshape", "Mul"]  # to a vector's rank


def test_names_that_collide(tmp_path):
    """A layer called as another's output, and one called as a weight's key."""
    graph = graph_of(
        tmp_path,
        """\
name: net
inputs: {x: [3, 5, 4], y: [3, 5, 4]}
outputs: {a: b, c.weight: a}
layers:
  - relu: {name: a, from: x}
  - tanh: {name: b, from: y}
  - group: {name: c, layers: [tanh: {name: weight, from: a}]}
""",
    )
    model = assert_runs(graph, drawn_weights(graph))
    assert [node.name for node in model.graph.node] == ["a", "b", "c.weight"]
    assert [output.name for output in model.graph.output] == ["a", "c.weight"]


def test_a_layer_that_does_nothing_keeps_its_place(tmp_path):
    graph = graph_of(tmp_path, FRONT + "layers: [upsample: {name: same, size: [9, 7]}, relu]\n")
    model = assert_runs(graph, drawn_weights(graph), opset=10)
    assert [(node.op_type, node.name) for node in model.graph.node] == [
        ("Identity", "same"),
        ("Relu", "relu1"),
    ]


def test_the_network_stays_the_same_for_every_opset(tmp_path):
    layers = (
        "[conv: {K: 4, F: 3}, batchnorm, relu6, maxpool: {F: 2, rounding: ceil}, softmax, flatten, dense: 5]"
    )
    graph = graph_of(tmp_path, f"{FRONT}layers: {layers}\n")
    weights = drawn_weights(graph)
    for opset in range(OLDEST, NEWEST + 1):
        assert_runs(graph, weights, opset=opset)


@pytest.mark.parametrize("opset", [OLDEST - 1, NEWEST + 1])
def test_opsets_that_are_not_written(opset):
    graph = load_graph("lenet5")
    with pytest.raises(UsageError, match=f"opset {opset} is not written") as caught:
        onnx_files(graph, None, "x.onnx", opset=opset)
    assert caught.value.hint == f"use one of {OLDEST} to {NEWEST}; the default is 17"


# -- files ----------------------------------------------------------------------------------------


def assert_file_runs(graph, weights, path):
    onnx.checker.check_model(str(path), full_check=True)
    inputs = drawn_inputs(graph, samples=2)
    for found, wanted in zip(
        session(str(path)).run(None, inputs), ours(graph, weights, inputs).values(), strict=True
    ):
        assert_equal(found, wanted)


def written(net, path, **options):
    """The report of a conversion, and the drawn weights."""
    found = net.convert(path, weights="random", seed=1, **options).record
    return found, random_weights(net.graph, 1)


def test_weights_in_a_file_of_their_own(tmp_path):
    net = convcalc.load("lenet5")
    path = tmp_path / "mine.onnx"
    found, weights = written(net, path, external=True)
    assert [(file.path, file.holds) for file in found.files] == [
        (str(path), "model"),
        (f"{path}.data", "its weights"),
    ]
    assert [file.size for file in found.files] == [os.path.getsize(file.path) for file in found.files]
    assert path.stat().st_size < 10_000
    assert_file_runs(net.graph, weights, path)
    model = onnx.load(str(path), load_external_data=False)
    apart = {
        tensor.name: {entry.key: entry.value for entry in tensor.external_data}
        for tensor in model.graph.initializer
        if tensor.data_location == onnx.TensorProto.EXTERNAL
    }
    large = [(node, p) for node in net.graph for p in node.parameters if 4 * prod(p.shape) >= 1024]
    assert set(apart) == {p.key(node.name) for node, p in large}
    assert {place["location"] for place in apart.values()} == {"mine.onnx.data"}
    assert all(int(place["offset"]) % 64 == 0 for place in apart.values())
    for tensor in onnx.load(str(path)).graph.initializer:
        layer, name = tensor.name.rsplit(".", 1)
        held = next(
            values for node, values in zip(net.graph, weights.nodes, strict=True) if node.name == layer
        )
        assert onnx.numpy_helper.to_array(tensor).ravel().tolist() == list(held[name])


def test_a_model_too_large_for_one_file_is_split(tmp_path, monkeypatch):
    net = convcalc.load("lenet5")
    path = tmp_path / "x.onnx"
    found, weights = written(net, path)
    (file,) = found.files
    assert (file.size, found.notes) == (path.stat().st_size, ())
    monkeypatch.setattr(writer_file, "LARGEST_FILE", file.size)
    assert len(written(net, path, force=True)[0].files) == 1
    monkeypatch.setattr(writer_file, "LARGEST_FILE", file.size - 1)
    found, _ = written(net, path, force=True)
    assert found.notes == (f"the weights are in {path}.data, because a file of ONNX holds at most 2 GB",)
    assert sorted(os.listdir(tmp_path)) == ["x.onnx", "x.onnx.data"]
    assert_file_runs(net.graph, weights, path)


def test_large_tensors_begin_at_pages(tmp_path):
    spec = tmp_path / "net.yaml"
    spec.write_text("name: net\ninput: [3]\nlayers: [dense: 700, dense: 500, dense: 300]\n")
    net = convcalc.load(spec)
    path = tmp_path / "x.onnx"
    _, weights = written(net, path, external=True)
    places = {
        tensor.name: {
            entry.key: int(entry.value) for entry in tensor.external_data if entry.key != "location"
        }
        for tensor in onnx.load(str(path), load_external_data=False).graph.initializer
    }
    assert places["dense2.weight"]["offset"] % 4096 == 0
    assert places["dense2.weight"]["length"] == 4 * 700 * 500
    assert_file_runs(net.graph, weights, path)


def test_indices_in_the_weights_file_stay_integers(tmp_path):
    """Those of a window of 4×4 are 2 kB."""
    spec = tmp_path / "net.yaml"
    spec.write_text(
        """\
name: net
input: [16, 16]
layers:
  - constant: {name: index, kind: relative_positions, window: [4, 4]}
  - parameter: {name: table, shape: [49, 1]}
  - gather: {indices: index}
  - reshape: [16, 16]
  - add: {name: sum, from: [input, reshape1]}
"""
    )
    net = convcalc.load(spec)
    path = tmp_path / "x.onnx"
    weights = drawn_weights(net.graph)
    for file in onnx_files(net.graph, stored(net.graph, weights), str(path), external=True):
        Path(file.path).write_bytes(b"".join(file.parts()))
    assert (tmp_path / "x.onnx.data").stat().st_size == 16 * 16 * 8
    assert_file_runs(net.graph, weights, path)


def test_no_file_for_weights_that_are_all_small_or_left_out(tmp_path):
    path = tmp_path / "x.onnx"
    found = convcalc.load("lenet5").convert(path, with_weights=False, external=True).record
    assert [file.path for file in found.files] == [str(path)]


def test_the_weights_are_read_one_after_another(tmp_path):
    """Of three tensors of 8 MB one is in memory at a time, and no copy of it."""
    graph = graph_of(tmp_path, "name: net\ninput: [1400]\nlayers: [dense: 1400, dense: 1400, dense: 1400]\n")
    tensors = {
        parameter.key(node.name): StoredTensor(
            node.name, parameter.shape, "F32", partial(bytes, 4 * prod(parameter.shape))
        )
        for node in graph
        for parameter in node.parameters
    }
    for external in (False, True):
        tracemalloc.start()
        sizes = {
            file.path: sum(map(len, file.parts()))
            for file in onnx_files(graph, tensors, "x", external=external)
        }
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert sum(sizes.values()) > 3 * 4 * 1400 * 1400
        assert peak < 1.2 * 4 * 1400 * 1400


def test_without_weights_the_numbers_are_left_out(tmp_path):
    path = tmp_path / "x.onnx"
    found = convcalc.load("lenet5").convert(path, with_weights=False).record
    assert (found.weights.source, found.files[0].holds) == ("none", "model")
    assert all(not tensor.raw_data for tensor in onnx.load(str(path)).graph.initializer)
    assert path.stat().st_size < 10_000


def test_weights_of_other_types_become_32_bit_floats(tmp_path):
    graph = graph_of(tmp_path, "name: net\ninput: [3]\nlayers: [dense: {name: d, units: 2}]\n")
    stored = {
        "d.weight": StoredTensor("d.weight", (2, 3), "F16", np.float16([0.1, 0.2, 0.3, 1, 2, 3]).tobytes),
        "d.bias": StoredTensor("d.bias", (2,), "F64", np.float64([1e-9, 0.1]).tobytes),
    }
    made = write(Request(graph, "x.onnx", stored, WeightsOrigin("file", "x.pth")))
    assert made.notes == ("weights stored as F16 and F64 are written as 32-bit floats",)
    model = onnx.load_from_string(b"".join(made.files[0].parts()))
    found = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert found["d.weight"].tolist() == np.float16([[0.1, 0.2, 0.3], [1, 2, 3]]).astype(np.float32).tolist()
    assert found["d.bias"].tolist() == np.float32([1e-9, 0.1]).tolist()


def test_a_model_is_written_again_with_its_own_weights(tmp_path):
    first, second = tmp_path / "a.onnx", tmp_path / "b.onnx"
    convcalc.load("lenet5").convert(first, external=True)
    found = convcalc.load(first).convert(second).record
    assert (found.weights.source, found.weights.path) == ("model", str(first))
    graphs = [onnx.load(str(path)).graph for path in (first, second)]
    nodes = [[(node.op_type, node.name, list(node.input)) for node in graph.node] for graph in graphs]
    tensors = [
        {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer} for graph in graphs
    ]
    assert nodes[0] == nodes[1]
    assert tensors[0].keys() == tensors[1].keys()
    assert all(np.array_equal(array, tensors[1][name]) for name, array in tensors[0].items())


def test_a_layer_that_has_no_form_leaves_the_old_files(tmp_path):
    spec = tmp_path / "net.yaml"
    spec.write_text(FRONT + "layers: [gelu]\n")
    path = tmp_path / "x.onnx"
    path.write_bytes(b"old")
    with pytest.raises(ConvcalcError, match="gelu1: ONNX has Erf, which gelu needs, from opset 9 on"):
        convcalc.load(spec).convert(path, opset=8, external=True, force=True)
    assert path.read_bytes() == b"old"
    assert not os.path.exists(f"{path}.data")


def test_the_command(convcalc, tmp_path):
    path = tmp_path / "lenet5.onnx"
    done = convcalc("convert", "lenet5", "-o", path, "--opset", "13", "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    value = json.loads(done.stdout)
    assert (value["format"], value["opset"], value["files"]) == ("onnx", 13, [str(path)])
    assert value["weights"]["path"] == "lenet5.safetensors"
    assert onnx.load(str(path)).opset_import[0].version == 13
    assert "exists already" in convcalc("convert", "lenet5", "-o", path).stderr
    spec = tmp_path / "net.yaml"
    spec.write_text(FRONT + "layers: [flatten, dense: 40]\n")
    done = convcalc("convert", spec, "-o", path, "--force", "--external", "--seed", "4")
    assert "weights: random, seed 4; nothing has been learned" in done.stdout
    for wrong, what in [("6", "opset 6 is not written"), ("x", "'x' is not a valid integer")]:
        done = convcalc("convert", "lenet5", "-o", tmp_path / "y.onnx", "--opset", wrong)
        assert (done.returncode, what in done.stderr) == (2, True)
    done = convcalc("convert", "lenet5", "-o", tmp_path / "y.npz", "--opset", "13")
    assert (done.returncode, "--opset is not for a file of this kind" in done.stderr) == (2, True)
