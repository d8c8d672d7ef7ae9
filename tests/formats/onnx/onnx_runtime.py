"""What ONNX's checker and ONNX Runtime say of the models that we write. Not a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from math import prod
from random import Random

import numpy as np
import pytest

from convcalc import ops
from convcalc.backends import reference
from convcalc.formats.convert import file_key
from convcalc.formats.onnx.writer import onnx_files
from convcalc.graph import Builder, Graph, Input, Output
from convcalc.weights.load import Weights
from convcalc.weights.tensors import StoredTensor

onnx = pytest.importorskip("onnx", reason="ONNX's checker has no wheel for this Python")
onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime has no wheel for this Python")

SAMPLES = 3  # in a batch
TOLERANCE = 1e-5  # of the largest number


def layer_graph(kind: str, fields: Mapping[str, object], shapes: Sequence[tuple[int, ...]]) -> Graph:
    """A network of one layer, called `scope.layer`, which reads an input of each shape. Raises Misfit's ShapeError."""
    builder = Builder([Input(f"in{place}", shape) for place, shape in enumerate(shapes)], 10)
    infos = ops.get(kind).fields()
    operator = ops.get(kind)(**{name: infos[name].kind.check(value) for name, value in fields.items()})
    index = builder.add("scope.layer", operator, tuple(-1 - place for place in range(len(shapes))))
    inputs = builder.inputs or (Input("in0", (1,)),)
    return Graph(kind, inputs, tuple(builder.nodes), (Output("scope.layer", index),))


def drawn_weights(graph: Graph, seed: int = 1) -> Weights:
    """Different numbers for all parameters: variances are positive, constants what their rule gives."""
    random, nodes = Random(seed), []
    for node in graph:
        if node.shares is not None:
            nodes.append(nodes[node.shares])
            continue
        values = {}
        for parameter in node.parameters:
            low, high = (0.5, 2) if parameter.name == "running_var" else (-1, 1)
            drawn = [random.uniform(low, high) for _ in range(prod(parameter.shape))]
            values[parameter.name] = parameter.rule() if parameter.rule else np.float32(drawn).tolist()
        nodes.append(values)
    return Weights(tuple(nodes), "random", seed=seed)


def drawn_inputs(graph: Graph, samples: int = SAMPLES, seed: int = 2) -> dict[str, np.ndarray]:
    """Numbers on both sides of 0 for every input, (samples, *shape)."""
    generator = np.random.default_rng(seed)
    return {
        entry.name: generator.uniform(-3, 3, (samples, *entry.shape)).astype(np.float32)
        for entry in graph.inputs
    }


def stored(graph: Graph, weights: Weights) -> dict[str, StoredTensor]:
    """The weights by key, as a file of them would be read."""
    found = {}
    for node, values in zip(graph, weights.nodes, strict=True):
        for parameter in node.parameters if node.shares is None else ():
            key = file_key(node, parameter)
            numbers = values[parameter.name]
            read = partial(lambda numbers: np.asarray(numbers, np.float32).tobytes(), numbers)
            found[key] = StoredTensor(key, parameter.shape, "F32", read)
    return found


def model_bytes(graph: Graph, weights: Weights | None, **options: object) -> bytes:
    """The model in a single file."""
    tensors = None if weights is None else stored(graph, weights)
    (file,) = onnx_files(graph, tensors, "x.onnx", **options)
    content = b"".join(file.parts())
    assert len(content) == file.size
    return content


def session(model: bytes | str):
    """ONNX Runtime on the model, with a single thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def ours(graph: Graph, weights: Weights, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs of the reference backend, (samples, *shape)."""
    runs = []
    for sample in range(len(next(iter(inputs.values())))):
        values = {name: array[sample].ravel().tolist() for name, array in inputs.items()}
        runs.append(reference.run(graph, weights, values, threads=1).outputs)
    return {
        name: np.array([np.reshape(run[name].values, run[name].shape) for run in runs]) for name in runs[0]
    }


def assert_equal(found: np.ndarray, wanted: np.ndarray, tolerance: float = TOLERANCE) -> None:
    """The same numbers, up to a share of the largest; NaN and infinities in the same places."""
    assert found.shape == wanted.shape
    finite = np.isfinite(wanted)
    assert np.array_equal(found[~finite], wanted[~finite].astype(np.float32), equal_nan=True)
    if finite.any():
        scale = max(np.abs(wanted[finite]).max(), 1e-30)
        assert np.abs(found[finite] - wanted[finite]).max() <= tolerance * scale


def assert_runs(
    graph: Graph, weights: Weights, tolerance: float = TOLERANCE, **options: object
) -> onnx.ModelProto:
    """The model passes the full check, and ONNX Runtime computes the reference backend's numbers for three samples
    together. Returns the parsed model."""
    content = model_bytes(graph, weights, **options)
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    inputs = drawn_inputs(graph)
    runtime = session(content)
    assert [entry.name for entry in runtime.get_inputs()] == [entry.name for entry in graph.inputs]
    names = [entry.name for entry in runtime.get_outputs()]
    assert names == [output.name for output in graph.outputs]
    wanted = ours(graph, weights, inputs)
    for name, array in zip(names, runtime.run(names, inputs), strict=True):
        expected = wanted[name]
        if len(array) == 1:  # the same for all samples
            expected = expected[:1]
        assert_equal(array, expected, tolerance)
    return model
