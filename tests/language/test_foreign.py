"""A layer in another tool's words is one error, and its hint is the layer in ours: it loads."""

from __future__ import annotations

import re

import pytest

from convcalc.errors import SpecError

CONV = "no layer or block 'Conv2d': convcalc calls it 'conv'"


@pytest.mark.parametrize(
    ("entry", "message", "written"),
    [
        # Keras
        ("Conv2D: {filters: 32, kernel_size: 3, strides: 1, padding: SAME, activation: relu}",
         "no layer or block 'Conv2D': convcalc calls it 'conv'",
         "conv: {filters: 32, kernel: 3, stride: 1, padding: same}, and after it - relu"),
        ("MaxPooling2D: {pool_size: 2, strides: 2}",
         "no layer or block 'MaxPooling2D': convcalc calls it 'maxpool'", "maxpool: {kernel: 2, stride: 2}"),
        ("DepthwiseConv2D: {kernel_size: 3}",
         "no layer or block 'DepthwiseConv2D': convcalc calls it 'conv'", "conv: {depthwise: true, kernel: 3}"),
        ("BatchNormalization: {epsilon: 0.001, momentum: 0.99}",
         "no layer or block 'BatchNormalization': convcalc calls it 'batchnorm'", "batchnorm: {eps: 0.001}"),
        ("LeakyReLU: {alpha: 0.3}", "no layer or block 'LeakyReLU'; did you mean 'leaky_relu'?",
         "leaky_relu: {slope: 0.3}"),
        # PyTorch
        ("Conv2d: {in_channels: 4, out_channels: 8, kernel_size: [3, 3], bias: false}", CONV,
         "conv: {filters: 8, kernel: [3, 3], bias: false}"),
        ("Conv2d: {out_channels: 8, kernel_size: 3, name: stem}", CONV, "conv: {filters: 8, kernel: 3, name: stem}"),
        ("MaxPool2d: {kernel_size: 3, ceil_mode: true}",
         "no layer or block 'MaxPool2d': convcalc calls it 'maxpool'", "maxpool: {kernel: 3, rounding: ceil}"),
        ("Dropout: {p: 0.5, inplace: true}", "no layer or block 'Dropout'; did you mean 'dropout'?",
         "dropout: {rate: 0.5}"),
        ("MaxPool2d: 2", "no layer or block 'MaxPool2d': convcalc calls it 'maxpool'", "maxpool: 2"),
        ("ReLU", "no layer or block 'ReLU'; did you mean 'relu'?", "relu"),
        ("swish", "no layer or block 'swish': convcalc calls it 'silu'", "silu"),
        # Caffe
        ("Convolution: {num_output: 8, kernel_size: 3, pad: 1, bias_term: false}",
         "no layer or block 'Convolution': convcalc calls it 'conv'",
         "conv: {filters: 8, kernel: 3, padding: 1, bias: false}"),
        # our layer, their fields
        ("conv: {out_channels: 8, kernel: 3}", "no field 'out_channels' for conv: convcalc calls it 'filters'",
         "conv: {filters: 8, kernel: 3}"),
        ("conv: {in_channels: 4, out_channels: 8, kernel_size: 3, use_bias: false}",
         "no fields 'in_channels', 'out_channels', 'kernel_size', 'use_bias' for conv: "
         "convcalc calls out_channels 'filters', kernel_size 'kernel', use_bias 'bias'",
         "conv: {filters: 8, kernel: 3, bias: false}"),
        ("conv: {K: 8, F: 3, activation: swish}", "no field 'activation' for conv: silu is a layer of its own",
         "conv: {K: 8, F: 3}, and after it - silu"),
        ("conv: {K: 8, F: 3, use_bn: true}", "no field 'use_bn' for conv: batchnorm is a layer of its own",
         "conv: {K: 8, F: 3}, and after it - batchnorm"),
        ("upsample: {scale_factor: 2}", "no field 'scale_factor' for upsample: convcalc calls it 'scale'",
         "upsample: {scale: 2}"),
        ("GroupNorm: {num_groups: 2, num_channels: 4}", "no layer or block 'GroupNorm'; did you mean 'groupnorm'?",
         "groupnorm: {groups: 2}"),
        ("Hardtanh: {min_val: -1, max_val: 1}", "no layer or block 'Hardtanh': convcalc calls it 'clip'",
         "clip: {min: -1, max: 1}"),
        ("LayerNorm: {normalized_shape: [16, 16], elementwise_affine: false}",
         "no layer or block 'LayerNorm'; did you mean 'layernorm'?",
         "layernorm: {axis: [-2, -1], affine: false}"),
        ("layernorm: {normalized_shape: 16}", "no field 'normalized_shape' for layernorm: convcalc calls it 'axis'",
         "layernorm: {axis: last}"),
        ("softmax: {dim: 1}", "no field 'dim' for softmax: convcalc calls it 'axis'",
         "softmax: {axis: 0}"),
        ("softmax: {dim: -1}", "no field 'dim' for softmax: convcalc calls it 'axis'",
         "softmax: {axis: -1}"),
        ("selu: {gamma: 1}", "no field 'gamma' for selu: convcalc calls it 'scale'", "selu: {scale: 1}"),
        ("relu: {times: 2}", "no field 'times' for relu: convcalc calls it 'repeat'", "relu: {repeat: 2}"),
    ],
)  # fmt: skip
def test_the_hint_is_the_layer_in_our_words(specs, entry, message, written):
    error = specs.error(f"- {entry}")
    assert error.message == message
    hint = error.hint.splitlines()[0]
    assert hint == f"write {written}"
    first, *after = re.split(", and after it - | - ", written)
    assert len(specs.load("layers:\n" + "".join(f"  - {layer}\n" for layer in (first, *after)))) >= 1 + len(
        after
    )


@pytest.mark.parametrize(
    ("entry", "message", "hint"),
    [
        ("concat: {inputs: [a, b], axis: 1}", "no field 'inputs' for concat: convcalc calls it 'from'",
         "write concat: {from: [a, b], axis: 1}\naxis leaves out the batch: 0 is the channels, -1 the last"),
        ("Concatenate: {from: [a, b], axis: 1}", "no layer or block 'Concatenate': convcalc calls it 'concat'",
         "write concat: {from: [a, b], axis: 1}\naxis leaves out the batch: 0 is the channels, -1 the last"),
        ("concat: {inputs: [a, b]}", "no field 'inputs' for concat: convcalc calls it 'from'", "write concat"),
        ("add: {paths: [[relu], []]}", "no field 'paths' for add: convcalc calls it 'branches'", "write add"),
        ("add: {branchs: [[relu], []]}", "no field 'branchs' for add; did you mean 'branches'?", ""),
        ("Concatenate: [a, b]", "no layer or block 'Concatenate': convcalc calls it 'concat'",
         "write concat: {from: [a, b]}, or a list of branches"),
        ("concat: [a, b]", "a branch is a list of layers, not the name of one",
         "to join layers by their names write concat: {from: [a, b]}"),
        ("concat: a", "branches needs a list of branches", "to join layers by their names write concat: {from: [a,"),
        ("concat: [-1, 6]", "a branch is a list of layers, not the name of one", "layers are read by their names"),
        ("add: [relu, tanh]", "a branch is a list of layers, or {name, naming, if, layers}", "a list of one"),
        ("use: {type: Conv2d, out_channels: 8, kernel_size: 3}", "no field 'type' for use: convcalc calls it 'block'",
         "write use: {block: $kind, ...}"),
        ("use: {block: Conv2d, out_channels: 8}", "no block or operator 'Conv2d': convcalc calls it 'conv'", ""),
        ("use: {block: conv, out_channels: 8, kernel_size: 3, in_channels: 4, use_bias: true, padding_mode: zeros}",
         "no fields 'out_channels', 'kernel_size', 'in_channels', 'use_bias', 'padding_mode' for conv: "
         "convcalc calls out_channels 'filters', kernel_size 'kernel', use_bias 'bias'",
         "write conv: {filters: 8, kernel: 3, bias: true}"),
        ("nn.Conv2d(3, 64, kernel_size=3)",
         "no layer or block 'nn.Conv2d(3, 64, kernel_size=3)': convcalc calls it 'conv'", "fields of conv: filters"),
        ("SeparableConv2D: 8", "no layer or block 'SeparableConv2D': convcalc calls it 'conv'", "it is two layers"),
        ("fc", "no layer or block 'fc': convcalc calls it 'dense'", "fields of dense: units, bias, axis"),
        ("activation: swish", "no layer or block 'activation': an activation is an entry under its own name",
         "write - silu"),
        ("Activation", "no layer or block 'Activation': an activation is an entry under its own name", "write - relu"),
        ("InputLayer: {shape: [3, 8, 8]}", "no layer or block 'InputLayer': the input is a key of the file", "input:"),
        ("dense: {in_features: 8, units: 3}", "no field 'in_features' for dense", "leave in_features out: what"),
        ("relu: {inplace: true}", "no field 'inplace' for relu", "leave inplace out: it changes no figure"),
        ("conv: {filters: 8, kernal: 5}", "no field 'kernal' for conv; did you mean 'kernel'?", "fields of"),
        ("unit: {filter: 8}", "no parameter 'filter' for block unit; did you mean 'filters'?", "its parameters"),
        ("unit: {out_channels: 8}", "no parameter 'out_channels' for block unit: convcalc calls it 'filters'", "its"),
    ],
)  # fmt: skip
def test_a_sensible_layer_is_one_error(specs, entry, message, hint):
    blocks = "blocks: {unit: {params: [filters], layers: [conv: {K: $filters, F: 1}]}}\n"
    error = specs.error(f"{blocks}layers:\n  - relu: {{name: a}}\n  - relu: {{name: b}}\n  - {entry}")
    assert error.message == message
    assert hint in (error.hint or "")


def test_misspelled_fields_keep_their_own_places(specs):
    errors = specs.errors(
        "- conv: {\n    out_channels: 8,\n    kernl: 3,\n    strde: 2,\n    use_bias: false}"
    )
    assert [(error.mark.line, error.message) for error in errors] == [
        (
            5,
            "no fields 'out_channels', 'use_bias' for conv: convcalc calls out_channels 'filters', use_bias 'bias'",
        ),
        (6, "no field 'kernl' for conv; did you mean 'kernel'?"),
        (7, "no field 'strde' for conv; did you mean 'stride'?"),
    ]


def test_a_key_of_the_file_that_another_tool_calls_otherwise_is_one_error(specs):
    path = specs.folder / "net.yaml"
    path.write_text("name: t\ninput_shape: [3, 8, 8]\nbackbone: [relu]\n")
    from convcalc.errors import SpecErrors
    from convcalc.language.load import load_graph

    with pytest.raises(SpecError) as caught:
        load_graph(str(path))
    assert isinstance(caught.value, SpecErrors)
    assert [error.message for error in caught.value.errors] == [
        "no key 'input_shape' in a spec: convcalc calls it 'input'",
        "no key 'backbone' in a spec: convcalc calls it 'layers'",
    ]


def test_very_many_fields_of_another_tools_are_not_all_told(specs):
    fields = ", ".join(f"{'_' * k}kernel_size: 1" for k in range(1, 2_000))
    assert len(str(specs.error(f"- conv: {{{fields}, K: 1}}"))) < 3_000


def test_long_values_are_not_repeated(specs):
    many = ", ".join(["1"] * 5_000)
    assert len(str(specs.error(f"- Conv2d: {{kernel_size: [{many}]}}"))) < 500
    assert len(str(specs.error(f"- Concatenate: [{'x' * 5_000}, y]"))) < 500
    assert len(str(specs.error(f"- concat: [{'x' * 5_000}, y]"))) < 500
