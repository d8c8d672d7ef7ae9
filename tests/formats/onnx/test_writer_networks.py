"""One small member of each family of bundled networks, to ONNX, through ONNX Runtime, and back."""

from __future__ import annotations

import sys
from array import array
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from onnx_runtime import assert_equal, drawn_inputs, model_bytes, onnx, session

import convcalc
from convcalc.backends import numba
from convcalc.graph import Graph, Node
from convcalc.weights.load import Weights

TOLERANCE = 1e-4  # of the largest output; what is run are 32-bit floats on both sides
SEVEN = {"classes": "7"}
DEPTHS = {"depths": "[1, 1, 1, 1]"}
NARROW = {"widths": "[4, 6, 8, 10, 12]"}

# Settings, and the input.
NETWORKS = {
    "lenet5": ({}, None),
    "lenet5-paper": ({}, None),
    "googlenet": ({**SEVEN, "auxiliary": "true"}, "3x130x97"),
    "resnet50": ({**SEVEN, "depths": "[1, 2, 1, 1]"}, "3x33x65"),
    "mlp-mixer-b16": (
        {**SEVEN, "depth": "2", "width": "20", "tokens_mlp": "14", "channels_mlp": "30"}, "3x32x48",
    ),
    "siamese": ({"units": "11"}, None),
    "unet": ({"widths": "[3, 17, 5]"}, "1x107x121"),
    "attention-unet": (NARROW, "3x32x48"),
    "dcgan-generator": ({"width": "6"}, None),
    "densenet-bc-100-12": ({"depth": "16"}, "3x32x20"),
    "espcn": ({}, "1x9x11"),
    "ghostnet": (SEVEN, "3x33x65"),
    "hrnet-w18-small": (SEVEN, "3x64x96"),
    "m5": ({}, "1x4000"),
    "mobilenet-v1": (SEVEN, "3x33x65"),
    "nin": ({}, "3x20x17"),
    "repvgg-a0": (SEVEN, "3x33x65"),
    "resnet20-cifar": ({}, "3x20x17"),
    "se-resnet50": ({**SEVEN, **DEPTHS}, "3x33x65"),
    "srcnn": ({}, "1x19x17"),
    "wavenet": ({"stacks": "1", "depth": "3"}, "256x40"),
    "wrn-28-10": ({"widen": "1", "depth": "10"}, "3x20x17"),
    "yolov3-tiny": (SEVEN, "3x64x96"),
    "torchvision/convnext_tiny": (
        {**SEVEN, "widths": "[8, 12, 16, 20]", "depths": "[1, 1, 2, 1]"}, "3x64x96",
    ),
    "torchvision/deeplabv3_mobilenet_v3_large": ({}, "3x65x97"),
    "torchvision/lraspp_mobilenet_v3_large": ({}, "3x65x97"),
    "torchvision/densenet121": ({**SEVEN, "depths": "[2, 1, 2, 1]"}, "3x33x65"),
    "torchvision/efficientnet_b0": (SEVEN, "3x33x65"),
    "torchvision/googlenet": (SEVEN, "3x65x33"),
    "torchvision/maxvit_t": ({**SEVEN, **DEPTHS, "widths": "[32, 32, 32, 64]"}, "3x224x224"),
    "torchvision/mc3_18": (SEVEN, "3x4x20x17"),
    "torchvision/mnasnet0_5": (SEVEN, "3x33x65"),
    "torchvision/mobilenet_v2": (SEVEN, "3x33x65"),
    "torchvision/mobilenet_v3_small": (SEVEN, "3x33x65"),
    "torchvision/regnet_y_400mf": (SEVEN, "3x33x65"),
    "torchvision/resnext50_32x4d": ({**SEVEN, **DEPTHS}, "3x33x65"),
    "torchvision/shufflenet_v2_x0_5": (SEVEN, "3x33x65"),
    "torchvision/squeezenet1_0": (SEVEN, "3x33x65"),
    "torchvision/swin_t": ({**SEVEN, "width": "12", "depths": "[2, 2, 1, 1]"}, "3x60x96"),
    "torchvision/swin_v2_t": ({**SEVEN, "width": "12", "depths": "[2, 2, 1, 1]"}, "3x64x96"),
    "torchvision/vgg11_bn": ({**SEVEN, **NARROW}, "3x224x224"),
    "torchvision/vit_b_32": ({**SEVEN, "width": "24", "depth": "2", "heads": "4"}, "3x64x96"),
}  # fmt: skip


# What the importer does not put together again, though it computes the same.
OTHERWISE = {
    "lenet5-paper": "a pool's divisor comes back as a scale",
    "torchvision/swin_v2_t": "attention by cosines",
}


def drawn(graph: Graph) -> Weights:
    """Numbers that keep a signal's size, and no two tensors equal."""
    generator, nodes = np.random.default_rng(1), []
    for node in graph:
        if node.shares is not None:
            nodes.append(nodes[node.shares])
            continue
        values = {}
        for parameter in node.parameters:
            count = int(np.prod(parameter.shape))
            if parameter.rule is not None:
                numbers = np.array(parameter.rule())
            elif parameter.fan_in is not None:
                numbers = generator.standard_normal(count) / parameter.fan_in**0.5
            elif parameter.role == "weight" or parameter.name == "running_var":
                numbers = generator.uniform(0.5, 1.5, count)
            else:
                numbers = generator.uniform(-0.2, 0.2, count)
            values[parameter.name] = array("f", numbers.astype(np.float32).tobytes())
        nodes.append(values)
    return Weights(tuple(nodes), "random", seed=1)


def wiring(graph: Graph) -> tuple[list[int], list[int]]:
    """What the outputs depend on, and what every layer depends on: operator, shape, MACs, the paths of layers with
    weights and the layers that are read. Layers that give what they read are left out, as they are in many files, and
    dimensions of 1, since tensors that are the same for all samples have one more there."""
    found = {index: index for index in graph.input_indices}
    layers = []
    for node in graph:
        sources = tuple(found[source] for source in node.inputs)
        if is_passing(node):
            found[node.index] = sources[0]
            continue
        parameters = tuple((parameter.name, squeezed(parameter.shape)) for parameter in node.parameters)
        owner = node if node.shares is None else graph.nodes[node.shares]
        path = owner.name if parameters and node.kind != "constant" else ""
        macs = node.op.macs(node.input_shapes)
        found[node.index] = hash((kind(node), squeezed(node.output_shape), parameters, path, macs, sources))
        layers.append(found[node.index])
    return [found[output.node] for output in graph.outputs], sorted(layers)


def squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def is_passing(node: Node) -> bool:
    """Whether a layer gives what it reads, dimensions of 1 apart."""
    if node.kind == "transpose":
        moved = [dimension for dimension in node.op.order if node.input_shapes[0][dimension] != 1]
        return moved == sorted(moved)
    same = node.kind in ("adaptive_avgpool", "reshape")
    return node.op.is_passing or (same and squeezed(node.output_shape) == squeezed(node.input_shapes[0]))


def kind(node: Node) -> str:
    """The operator's name; of those that do the same at this size only one."""
    (before, *_), after = node.input_shapes or [()], node.output_shape
    if node.kind in ("avgpool", "adaptive_avgpool") and set(after[1:]) == {1}:
        return "global_avgpool"
    divides = node.kind == "adaptive_avgpool" and not any(n % m for n, m in zip(before, after, strict=True))
    return "avgpool" if divides else node.kind


@pytest.mark.parametrize("name", NETWORKS)
def test_a_small_member_of_each_family(name, tmp_path):
    settings, size = NETWORKS[name]
    graph = convcalc.load(name, settings=settings, input_shape=size).graph
    weights = drawn(graph)
    content = model_bytes(graph, weights)
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    inputs = drawn_inputs(graph, samples=2)
    plan = numba.prepare(graph, weights, 1)
    runs = [
        plan.run({name: batch[sample].ravel() for name, batch in inputs.items()}).outputs for sample in (0, 1)
    ]
    for output, found in zip(graph.outputs, session(content).run(None, inputs), strict=True):
        wanted = np.array([np.reshape(run[output.name].values, run[output.name].shape) for run in runs])
        assert_equal(found, wanted, TOLERANCE)
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    back = convcalc.load(path)
    assert name in OTHERWISE or wiring(back.graph) == wiring(graph)
