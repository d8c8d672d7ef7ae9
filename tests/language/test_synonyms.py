"""The table of other tools' words: every line leads to a word that is there, and spelling comes after meaning."""

from __future__ import annotations

import pytest

from convcalc import ops
from convcalc.cli import COMMANDS
from convcalc.errors import closest
from convcalc.language import bundled, synonyms
from convcalc.language.blocks import BLOCK_KEYS
from convcalc.language.compiler import BRANCH_FIELDS, GROUP_FIELDS, LOOP_FIELDS
from convcalc.language.documents import KEYS, read_spec
from convcalc.language.synonyms import folded, meaning, suggest, suggest_network
from convcalc.language.words import COMMON, STRUCTURES
from convcalc.layer.filters import FILTERS
from convcalc.report.show import COLUMNS

FIELDS = {name for kind in ops.names() for name in ops.get(kind).fields()}
OURS = {
    "layer": {*ops.names(), *STRUCTURES},
    "field": {
        *FIELDS,
        *COMMON,
        *GROUP_FIELDS,
        *BRANCH_FIELDS,
        *LOOP_FIELDS,
        *BLOCK_KEYS,
        "branches",
        "block",
    },
    "key": set(KEYS),
    "input": {"channels", "height", "width", "depth", "length"},
    "column": set(COLUMNS),
    "filter": set(FILTERS),
    "command": set(COMMANDS),
    "network": set(bundled.names()),
    "variable": set(read_spec("torchvision/googlenet").variables),
}


def test_there_is_a_list_of_our_words_for_every_place():
    assert OURS.keys() == synonyms._TABLE.keys()


@pytest.mark.parametrize("place", synonyms._TABLE)
def test_every_line_leads_to_one_of_our_words(place):
    table = synonyms._table(place)
    for word, meant in table.items():
        assert word == folded(word), word
        assert set(meant) <= OURS[place], word
        assert len(set(meant)) == len(meant), word


@pytest.mark.parametrize("place", ["layer", "key", "column", "filter", "command"])
def test_none_of_their_words_is_one_of_ours(place):
    """It would never be asked. Fields are another matter: one operator's field is another's synonym."""
    assert not synonyms._table(place).keys() & {folded(word) for word in OURS[place]}


@pytest.mark.parametrize(
    ("word", "ours"),
    [
        ("Conv2D", "conv"), ("conv2d", "conv"), ("Conv2d", "conv"), ("nn.Conv2d", "conv"), ("Convolution", "conv"),
        ("torch.nn.Conv1d(3, 8, 5)", "conv"), ("tf.keras.layers.Conv3D", "conv"), ("convolutional", "conv"),
        ("DepthwiseConv2D", "conv"), ("Conv2DTranspose", "deconv"), ("ConvTranspose2d", "deconv"),
        ("Deconvolution", "deconv"), ("MaxPooling2D", "maxpool"), ("MaxPool2d", "maxpool"), ("max_pool", "maxpool"),
        ("AveragePooling2D", "avgpool"), ("AveragePool", "avgpool"), ("GlobalAveragePooling2D", "global_avgpool"),
        ("GlobalAveragePool", "global_avgpool"), ("AdaptiveAvgPool2d", "adaptive_avgpool"), ("linear", "dense"),
        ("Linear", "dense"), ("fc", "dense"), ("Dense", "dense"), ("InnerProduct", "dense"), ("Gemm", "dense"),
        ("BatchNorm2d", "batchnorm"), ("BatchNormalization", "batchnorm"), ("LayerNormalization", "layernorm"),
        ("LRN", "lrn"), ("LocalResponseNorm", "lrn"), ("LeakyReLU", "leaky_relu"), ("PReLU", "prelu"),
        ("ReLU6", "relu6"), ("swish", "silu"), ("Hardswish", "hardswish"), ("Dropout2d", "dropout"),
        ("Reshape", "reshape"), ("view", "reshape"), ("Permute", "transpose"), ("ZeroPad2d", "pad"),
        ("ZeroPadding2D", "pad"), ("resize", "upsample"), ("Resize", "upsample"), ("UpSampling2D", "upsample"),
        ("Concatenate", "concat"), ("cat", "concat"), ("route", "concat"), ("Eltwise", "add"), ("shortcut", "add"),
        ("Multiply", "multiply"), ("Mul", "multiply"), ("ChannelShuffle", "channel_shuffle"), ("Sequential", "group"),
        ("Identity", "identity"), ("Softmax2d", "softmax"), ("Split", "slice"),
    ],
)  # fmt: skip
def test_layers_of_other_tools(word, ours):
    assert meaning(word, (*ops.names(), *STRUCTURES), "layer") == ours


@pytest.mark.parametrize(
    ("kind", "word", "ours"),
    [
        ("conv", "out_channels", "filters"), ("conv", "num_output", "filters"), ("conv", "kernel_size", "kernel"),
        ("conv", "kernel_shape", "kernel"), ("conv", "strides", "stride"), ("conv", "pads", "padding"),
        ("conv", "dilation_rate", "dilation"), ("conv", "dilations", "dilation"), ("conv", "rate", "dilation"),
        ("conv", "use_bias", "bias"), ("conv", "bias_term", "bias"), ("conv", "group", "groups"),
        ("conv", "ceil_mode", "rounding"), ("maxpool", "pool_size", "kernel"), ("maxpool", "size", "kernel"),
        ("avgpool", "count_include_pad", "count_padding"), ("dense", "out_features", "units"),
        ("dense", "num_output", "units"), ("dropout", "p", "rate"), ("dropout", "dropout_ratio", "rate"),
        ("batchnorm", "epsilon", "eps"), ("leaky_relu", "negative_slope", "slope"), ("leaky_relu", "alpha", "slope"),
        ("adaptive_avgpool", "output_size", "size"), ("upsample", "scale_factor", "scale"),
        ("reshape", "target_shape", "shape"), ("transpose", "perm", "order"), ("lrn", "local_size", "size"),
        ("layernorm", "normalized_shape", "axis"), ("slice", "end", "stop"),
    ],
)  # fmt: skip
def test_fields_of_other_tools(kind, word, ours):
    assert meaning(word, ops.get(kind).fields(), "field") == ours


@pytest.mark.parametrize(
    ("place", "word", "expected"),
    [
        ("key", "input_shape", ": convcalc calls it 'input'"),
        ("key", "architecture", ": convcalc calls it 'layers'"),
        ("key", "variables", ": convcalc calls it 'vars'"),
        ("key", "layer", "; did you mean 'layers'?"),
        ("key", "Layers", "; did you mean 'layers'?"),
        ("column", "parameters", ": convcalc calls it 'params'"),
        ("column", "mult_adds", ": convcalc calls it 'macs'"),
        ("column", "receptive_field", ": convcalc calls it 'field'"),
        ("column", "wieghts", "; did you mean 'weights'?"),
        ("filter", "laplacian", ": convcalc calls it 'edges'"),
        ("filter", "box-blur", ": convcalc calls it 'blur'"),
        ("command", "summary", ": convcalc calls it 'show'"),
        ("command", "shw", "; did you mean 'show'?"),
        ("input", "h", ": convcalc calls it 'height'"),
        ("layer", "batch_norm", "; did you mean 'batchnorm'?"),
        ("layer", "quux", ""),
        ("layer", "x" * 101, ""),
    ],
)
def test_what_is_said(place, word, expected):
    known = {"layer": ops.names(), "key": KEYS}.get(place, OURS[place])
    assert suggest(word, known, place) == expected


@pytest.mark.parametrize(
    ("word", "not_meant"),
    [
        ("activation", "dilation"),
        ("attention", "flatten"),
        ("groupnorm", "group"),
        ("global_maxpool", "global_avgpool"),
        ("adaptive_maxpool", "adaptive_avgpool"),
        ("minpool", "maxpool"),
        ("mobilenet", "lenet5"),
        ("instancenorm", "layernorm"),
    ],
)
def test_spelling_has_a_floor(word, not_meant):
    assert closest(word, [not_meant]) is None


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("mobilenet", "; did you mean 'mobilenet-v1', 'torchvision/mobilenet_v2' or 'torchvision/mobilenet_v3'?"),
        ("mobilenetv2", "; did you mean 'torchvision/mobilenet_v2'?"),
        ("resnet-50", "; did you mean 'resnet50' or 'torchvision/resnet50'?"),
        ("VGG16", "; did you mean 'vgg16' or 'torchvision/vgg16'?"),
        ("densenet121", "; did you mean 'torchvision/densenet121'?"),
        ("lenet", "; did you mean 'lenet5'?"),
        ("inception_v1", "; did you mean 'googlenet'?"),
        ("alxnet", "; did you mean 'alexnet'?"),
        ("torchvision/alxnet", "; did you mean 'torchvision/alexnet'?"),
        ("x", ""),
        ("nothing-like-it", ""),
    ],
)  # fmt: skip
def test_networks(word, expected):
    assert suggest_network(word, bundled.names()) == expected


def test_a_misspelled_word_among_very_many_is_answered_at_once(monkeypatch):
    """No more than MAX_OPTIONS known words are held against it, and few of them letter by letter."""
    from convcalc import errors

    compared = []
    original = errors._edits
    monkeypatch.setattr(errors, "_edits", lambda *words: compared.append(words) or original(*words))
    known = [f"{'abcdefghij'[k % 10] * 5}{k}" for k in range(100_000)]
    assert closest("qwertyu", known) is None
    assert closest("variabel", ["variable", *known]) == "variable"
    assert len(compared) < 50
