"""onnx's nine small networks with fewer channels and random weights: outputs on both backends against ONNX Runtime.

The files have all weights of a kernel equal, so that a wrong order of channels would not show; `thinned` replaces them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from convcalc.backends import reference
from convcalc.formats.onnx.mapping import map_model
from convcalc.formats.onnx.reader import read_model
from tests.formats.onnx.node_cases import weights_of

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
# Pixels of a side, and what the channels are divided by; those of ShuffleNet do not divide into groups then.
SIZES = {
    "bvlc_alexnet": (67, 8), "densenet121": (64, 8), "inception_v1": (64, 8), "inception_v2": (64, 8),
    "resnet50": (64, 8), "shufflenet": (32, 1), "squeezenet": (35, 8), "vgg19": (32, 16), "zfnet512": (71, 8),
}  # fmt: skip


def test_all_networks_that_onnx_ships() -> None:
    assert {path.stem.removeprefix("light_") for path in LIGHT.glob("*.onnx")} == set(SIZES)


@pytest.mark.slow
@pytest.mark.parametrize("name", SIZES)
def test_outputs_on_both_backends(name: str, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    numba = pytest.importorskip("convcalc.backends.numba")
    side, divisor = SIZES[name]
    file = tmp_path / f"{name}.onnx"
    onnx.save(thinned(onnx.load(LIGHT / f"light_{name}.onnx"), side, divisor), file)
    image = np.random.default_rng(7).random((1, 3, side, side), np.float32)
    session = runtime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {session.get_inputs()[0].name: image})
    model = map_model(read_model(file)).model(name)
    assert model.graph.input_shape == (3, side, side)
    assert all(layer.op.is_known for layer in model.graph)
    weights = weights_of(model)
    assert np.ptp(wanted) > 0.05 * np.abs(wanted).max()  # else nothing would show in it
    for backend in (reference, numba):
        run = backend.run(model.graph, weights, image.ravel().tolist(), threads=1)
        (output,) = run.outputs.values()
        found = np.asarray(output.values)
        assert np.abs(found - wanted.ravel()).max() <= 1e-4 * np.abs(wanted).max()


def thinned(model: Any, side: int, divisor: int) -> Any:
    """A network of the light ones for images of another size, its channels divided, its weights random.

    A dense layer takes as many features as its input then has; the last average pool, 7×7 for 224 pixels, shrinks.
    """
    random = np.random.default_rng(11)
    model.ir_version = 8  # initialisers are no inputs
    graph = model.graph
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    weights = {node.output[0]: [int(n) for n in shapes[node.input[0]]] for node in graph.node
               if node.op_type == "ConstantOfShape"}  # fmt: skip
    weights |= {tensor.name: list(tensor.dims) for tensor in graph.initializer if tensor.data_type == 1}
    integers = [tensor for tensor in graph.initializer if tensor.data_type != 1]
    matrices = {node.input[1] for node in graph.node if node.op_type == "Gemm"}
    kept = [node for node in graph.node if node.op_type != "ConstantOfShape"]
    del graph.node[:], graph.value_info[:], graph.initializer[:]
    graph.node.extend(kept)
    graph.initializer.extend(integers)
    data = next(entry for entry in graph.input if entry.name not in shapes)
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info(data.name, onnx.TensorProto.FLOAT, [1, 3, side, side]))
    graph.output[0].type.tensor_type.ClearField("shape")

    def store(name: str, shape: list[int]) -> None:
        values = random.random(shape, np.float32) + 0.25
        if len(shape) > 1:
            values = random.standard_normal(shape, np.float32) * np.float32(2 / np.prod(shape[1:])) ** 0.5
        graph.initializer.append(numpy_helper.from_array(values, name))

    for name, shape in weights.items():
        if name not in matrices:
            channels = (
                4 if shape[:2] == [1, 1] else 2
            )  # (1, 1, units, features) or (filters, channels, *kernel)
            first = [n if n in (1, 3) else n // divisor for n in shape[:channels]]
            store(name, [*first, *shape[channels:]])
    for node in graph.node:
        if node.op_type == "Reshape":
            target = next(tensor for tensor in graph.initializer if tensor.name == node.input[1])
            shape = [int(n) for n in shapes[target.name]]
            if node.input[0] in weights:
                new = [n // divisor for n in shape]
            elif len(shape) > 2 and shape[-1] > 1:  # ShuffleNet's maps
                new = [*shape[:-2], *(n * side // 224 for n in shape[-2:])]
            else:
                new = [1, -1, *shape[2:]]
            target.CopyFrom(numpy_helper.from_array(np.array(new), target.name))
        for attribute in node.attribute:
            if node.op_type == "AveragePool" and attribute.name == "kernel_shape" and attribute.ints[0] == 7:
                attribute.ints[:] = [side // 32] * 2
    for node in graph.node:
        if node.op_type == "Gemm" and node.input[1] in weights:
            inferred = onnx.shape_inference.infer_shapes(model)
            (info,) = [info for info in inferred.graph.value_info if info.name == node.input[0]]
            features = info.type.tensor_type.shape.dim[1].dim_value
            store(node.input[1], [weights[node.input[1]][0] // divisor, features])
    return model
