"""Every operator as ONNX: the full check, and ONNX Runtime's numbers against the reference backend's."""

from __future__ import annotations

import sys
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2] / "ops"))
sys.path.insert(0, str(Path(__file__).parent))
from onnx_runtime import assert_runs, drawn_weights, layer_graph
from test_laws import CASES

from convcalc import ops
from convcalc.errors import ConvcalcError as Refused
from convcalc.errors import ShapeError
from convcalc.formats.onnx.writer import NEWEST
from convcalc.formats.onnx.writer_forms import FORMS, form_of

OPSETS = [7, 9, 11, 13, 17, 18, 20, 21, 22, 23, NEWEST]
# Of two or three numbers that nearly agree, few digits are left when their mean is subtracted.
TOLERANCES = {"groupnorm": 5e-4, "instancenorm": 5e-4, "layernorm": 5e-4, "rmsnorm": 1e-4}


def test_every_operator_has_a_form_or_says_why_not():
    nodes = {kind for kind in ops.names() if ops.get(kind) in FORMS or ops.get(kind).onnx_operator}
    assert nodes == set(ops.names())
    graph = layer_graph("unknown", {"op": "Einsum", "shape": [5, 7]}, [(3, 4)])
    with pytest.raises(
        Refused, match=r"scope\.layer: unknown of 5×7 stands for Einsum, an operator that"
    ) as e:
        assert_runs(graph, drawn_weights(graph))
    assert e.value.hint == "a network with such layers converts to .yaml only"


def test_an_operator_of_the_same_meaning_is_one_node():
    for kind in ops.names():
        name = ops.get(kind).onnx_operator
        operator = ops.get(kind)
        if name and operator not in FORMS:
            assert form_of(operator()).__name__ == "one_node"


@pytest.mark.parametrize("kind", sorted(CASES.keys() - {"gather"}))  # whose indices come from a constant
@settings(max_examples=15)
@given(data=st.data())
def test_generated_layers(kind, data):
    fields, shapes, _ = data.draw(CASES[kind])
    opset = data.draw(st.sampled_from(OPSETS), label="opset")
    try:
        graph = layer_graph(kind, fields, shapes)
    except ShapeError:
        return
    with suppress(Refused) if opset < 10 else nullcontext():
        assert_runs(graph, drawn_weights(graph), TOLERANCES.get(kind, 1e-5), opset=opset)


# Layers in which no two dimensions are equal and no padding is symmetric, with the operators they become.
MAP, VOLUME, LINE = (6, 11, 8), (4, 5, 7, 6), (6, 9)
LAYERS = [
    ("conv: {filters: 8, kernel: [3, 2], stride: [2, 1], padding: [[1, 2], [0, 1]], groups: 2}", MAP, 17, "Conv"),
    ("conv: {filters: 5, kernel: 4, stride: 3, padding: same, bias: false}", MAP, 17, "Conv"),
    ("conv: {filters: 5, kernel: 3, stride: 4, rounding: ceil, dilation: [1, 2]}", MAP, 17, "Conv"),
    ("conv: {filters: 5, kernel: [2, 3, 1], padding: [[0, 1], [2, 0], [0, 0]]}", VOLUME, 17, "Conv"),
    ("deconv: {filters: 4, kernel: [3, 2], stride: [3, 2], padding: [[1, 0], [0, 1]], output_padding: [2, 1]}", MAP, 17,
     "ConvTranspose"),
    ("deconv: {filters: 4, kernel: 2, dilation: 3, output_padding: 2, groups: 2}", MAP, 17, "ConvTranspose Pad Add"),
    ("dense: {units: 5}", (7,), 17, "Gemm"),
    ("dense: {units: 5, bias: false}", (7,), 9, "Gemm"),
    ("dense: {units: 5, axis: last}", MAP, 17, "Transpose MatMul Add"),
    ("maxpool: {kernel: [3, 2], stride: [2, 3], padding: [[1, 0], [0, 1]], rounding: ceil}", MAP, 17, "MaxPool"),
    ("maxpool: {kernel: 2, dilation: 4, padding: [[2, 3], [1, 0]]}", MAP, 17, "Pad MaxPool"),
    ("avgpool: {kernel: [3, 2], stride: [2, 3], padding: [[1, 0], [0, 1]]}", MAP, 17, "AveragePool"),
    ("avgpool: {kernel: 3, stride: 2, padding: [[1, 0], [0, 1]], rounding: ceil}", MAP, 17, "Pad AveragePool"),
    ("avgpool: {kernel: 4, stride: 3, padding: 1, rounding: ceil, count_padding: false}", MAP, 17, "AveragePool"),
    ("avgpool: {kernel: 3, stride: 2, padding: [[1, 0], [0, 1]], divisor: 5}", MAP, 17, "AveragePool Mul"),
    ("avgpool: {kernel: 3, dilation: 2, padding: [[1, 2], [0, 1]], count_padding: false}", MAP, 17, "Conv Div"),
    ("avgpool: {kernel: 3, dilation: 2, padding: [[1, 2], [0, 1]], count_padding: false}", MAP, 19, "AveragePool"),
    ("adaptive_avgpool: {size: 1}", MAP, 17, "GlobalAveragePool"),
    ("adaptive_avgpool: {size: [11, 4]}", MAP, 17, "AveragePool"),
    ("adaptive_avgpool: {size: [3, 5]}", MAP, 17, "MatMul MatMul"),
    ("adaptive_avgpool: {size: [3, 4, 5]}", VOLUME, 17, "Reshape MatMul Reshape MatMul MatMul"),
    ("adaptive_maxpool: {size: [3, 8]}", MAP, 17, "Gather Reshape ReduceMax"),
    ("softmax", MAP, 17, "Softmax"),
    ("softmax: {axis: 1}", MAP, 11, "Transpose Softmax Transpose"),
    ("softmax: {axis: last}", MAP, 11, "Softmax"),
    ("layernorm", MAP, 17, "Transpose LayerNormalization Transpose"),
    ("layernorm: {axis: [1, 2]}", MAP, 17, "LayerNormalization"),
    ("layernorm: {axis: last}", MAP, 16, "ReduceMean Sub Mul ReduceMean Add Sqrt Div Mul Add"),
    ("rmsnorm: {axis: last}", MAP, 23, "RMSNormalization"),
    ("rmsnorm: {axis: last}", MAP, 22, "Mul ReduceMean Add Sqrt Div Mul"),
    ("groupnorm: {groups: 3}", MAP, 20, "Reshape InstanceNormalization Reshape Mul Add"),
    ("groupnorm: {groups: 3}", MAP, 21, "GroupNormalization"),
    ("lrn: {size: 5, k: 2}", MAP, 17, "LRN"),
    ("lrn: {size: 4, alpha: 2}", MAP, 17, "Mul Reshape AveragePool Reshape Mul Add Pow Div"),
    ("l2norm", MAP, 17, "ReduceL2 Clip Div"),
    ("reduce: {mode: sum, axis: [0, 2]}", MAP, 12, "ReduceSum"),
    ("reduce: {mode: min, keep: true}", MAP, 18, "ReduceMin"),
    ("hardswish", MAP, 13, "HardSigmoid Mul"),
    ("hardswish", MAP, 14, "HardSwish"),
    ("silu", MAP, 17, "Sigmoid Mul"),
    ("gelu", MAP, 19, "Div Erf Add Mul Mul"),
    ("gelu: {approximate: tanh}", MAP, 20, "Gelu"),
    ("mish", MAP, 17, "Softplus Tanh Mul"),
    ("mish", MAP, 18, "Mish"),
    ("celu: {alpha: 0.7}", MAP, 11, "Div Elu Mul"),
    ("softplus: {beta: 0.5, threshold: 1}", MAP, 17, "Mul Softplus Div Greater Where"),
    ("softplus", MAP, 17, "Softplus"),
    ("relu6", MAP, 10, "Clip"),
    ("clip: {max: 1.5}", MAP, 17, "Clip"),
    ("prelu: {per_channel: true}", MAP, 17, "PRelu"),
    ("scale", MAP, 17, "Mul"),
    ("scale: {value: 0.17}", MAP, 17, "Mul"),
    ("dropout: {rate: 0.3}", MAP, 11, "Dropout"),
    ("channel_shuffle: {groups: 2}", MAP, 17, "Reshape Transpose Reshape"),
    ("pixel_shuffle: {factor: 2}", (12, 3, 5), 17, "DepthToSpace"),
    ("pixel_shuffle: {factor: 2}", (16, 3, 5, 2), 17, "Reshape Transpose Reshape"),
    ("pixel_unshuffle: {factor: 2}", (3, 4, 10), 17, "Reshape Transpose Reshape"),
    ("slice: {axis: 1, start: -2, stop: 1, step: -3}", MAP, 17, "Slice"),
    ("slice: {axis: 1, start: -2, stop: 1, step: -3}", MAP, 9, "Gather"),
    ("select: {indices: [4, 0, 4, 2], axis: 1}", MAP, 17, "Gather"),
    ("slice: {start: 1, stop: 4}", MAP, 9, "Slice"),
    ("crop: {size: [4, 3], offset: [2, 1]}", MAP, 17, "Slice"),
    ("roll: {shift: [3, -2]}", MAP, 17, "Slice Slice Concat Slice Slice Concat"),
    ("pad: {padding: [[1, 2], [0, 3]], channels: [2, 1], value: 0.5}", MAP, 17, "Pad"),
    ("pad: {padding: [[1, 2], [0, 3]], mode: reflect}", MAP, 10, "Pad"),
    ("pad: {padding: [[1, 2], [0, 3]], mode: circular}", MAP, 18, "Slice Slice Concat Slice Concat"),
    ("pad: {padding: [[1, 2], [0, 3]], mode: circular}", MAP, 19, "Pad"),
    ("upsample: {scale: [2, 3]}", MAP, 17, "Resize"),
    ("upsample: {scale: [2, 3]}", MAP, 10, "Gather Gather"),
    ("upsample: {size: [25, 13]}", (6, 13, 7), 17, "Resize"),
    ("upsample: {size: [25, 13], mode: bilinear}", MAP, 17, "Resize"),
    ("upsample: {size: [4, 13], mode: bilinear, align_corners: true}", MAP, 11, "Resize"),
    ("upsample: {scale: 1.5, mode: bicubic}", MAP, 13, "Resize"),
    ("upsample: {scale: 2, mode: bilinear}", LINE, 17, "MatMul"),
    ("upsample: {scale: 2, mode: bilinear}", MAP, 9, "MatMul MatMul"),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "shape", "opset", "operators"), LAYERS)
def test_layers_of_unequal_sizes(entry, shape, opset, operators):
    written = yaml.safe_load(entry)
    ((kind, fields),) = [(written, {})] if isinstance(written, str) else written.items()
    graph = layer_graph(kind, fields, [shape])
    model = assert_runs(graph, drawn_weights(graph), TOLERANCES.get(kind, 1e-5), opset=opset)
    assert [node.op_type for node in model.graph.node] == operators.split()


@pytest.mark.parametrize("opset", [11, 13, 17, NEWEST])
@pytest.mark.parametrize("axis", ["last", "channels"])
def test_shifted_windows_with_bias_and_mask(opset, axis):
    """The map of 5×8 is padded to 6×9: 6 windows of 6 positions."""
    shape = (5, 8, 4) if axis == "last" else (4, 5, 8)
    fields = {"heads": 2, "window": [2, 3], "shift": [1, 2], "axis": axis}
    graph = layer_graph("attention", fields, [shape])
    assert_runs(graph, drawn_weights(graph), opset=opset)
    shapes = [shape, (2, 6, 6), (9, 6, 6)]
    graph = layer_graph("attention", {**fields, "bias": "b", "mask": "m"}, shapes)
    assert_runs(graph, drawn_weights(graph), opset=opset)


@pytest.mark.parametrize("opset", [7, 13, 18])
@pytest.mark.parametrize(
    "more", [{"similarity": "cosine"}, {"similarity": "cosine", "in_bias": False}, {"scale": 0.3}]
)
def test_attention_by_cosines_or_with_a_scale(opset, more):
    for fields, shape in (({"heads": 3}, (5, 12)), ({"heads": 2, "window": [2, 4]}, (4, 8, 6))):
        graph = layer_graph("attention", {**fields, **more}, [shape])
        assert_runs(graph, drawn_weights(graph), opset=opset)


@pytest.mark.parametrize("opset", [9, 13, 17])
def test_attention_over_all_positions(opset):
    graph = layer_graph("attention", {"heads": 3, "bias": "b"}, [(5, 12), (3, 5, 5)])
    model = assert_runs(graph, drawn_weights(graph), opset=opset)
    names = [node.name for node in model.graph.node]
    assert all(name.startswith("scope.layer/") for name in names)
    learned = [
        tensor.name for tensor in model.graph.initializer if not tensor.name.startswith("scope.layer/")
    ]
    assert sorted(learned) == [
        f"scope.layer.{name}"
        for name in ("in_proj_bias", "in_proj_weight", "out_proj.bias", "out_proj.weight")
    ]


@pytest.mark.parametrize(("kind", "field"), [("elu", "alpha"), ("scale", "value"), ("clip", "max")])
def test_numbers_beyond_32_bit_floats_are_refused(kind, field):
    graph = layer_graph(kind, {field: 1e39}, [MAP])
    with pytest.raises(Refused, match=r"scope\.layer: 1e\+39 is more than a 32-bit float can be") as caught:
        assert_runs(graph, drawn_weights(graph))
    assert caught.value.hint == "use at most 3.40282e+38"


@pytest.mark.parametrize(
    ("kind", "fields", "least", "what"),
    [
        ("erf", {}, 9, "Erf"),
        ("gelu", {}, 9, "Erf, which gelu needs,"),
        ("maxpool", {"kernel": 2, "dilation": 2}, 10, "MaxPool with dilation"),
        ("softplus", {"threshold": 1}, 9, "Where, which softplus with a threshold needs,"),
    ],
)
def test_what_an_opset_cannot_say_is_refused_with_the_least_that_can(kind, fields, least, what):
    graph = layer_graph(kind, fields, [MAP])
    with pytest.raises(Refused) as caught:
        assert_runs(graph, drawn_weights(graph), opset=least - 1)
    assert caught.value.message == (
        f"scope.layer: ONNX has {what} from opset {least} on, and this file is to have opset {least - 1}"
    )
    assert caught.value.hint == f"convert with --opset {least} or newer"
    assert_runs(graph, drawn_weights(graph), opset=least)
