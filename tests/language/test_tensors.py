"""Learned tensors, which read no layer, and fields that name one."""

from __future__ import annotations

from array import array

import pytest

from convcalc.analysis.analyse import analyse
from convcalc.weights.load import load_weights, random_weights
from convcalc.weights.safetensors import write


@pytest.fixture
def net(specs):
    """A token before four tokens of three numbers, and a number added to each of the 15."""
    return specs.load(
        "input: [3, 2, 2]\nlayers:\n"
        "- reshape: [4, 3]\n"
        "- parameter: {name: token, shape: [1, 3], initial: 2}\n"
        "- concat: {from: [token, reshape1]}\n"
        "- group:\n    name: body\n    layers:\n"
        "    - parameter: {name: positions, shape: [5, 3]}\n"
        "    - add: {from: [concat1, positions]}",
    )


def test_it_reads_nothing_and_is_read(net):
    assert [node.inputs for node in net] == [(-1,), (), (1, 0), (), (2, 3)]
    assert [node.output_shape for node in net] == [(4, 3), (1, 3), (5, 3), (5, 3), (5, 3)]


def test_it_sees_nothing_of_the_image(net):
    """What is joined with it sees what the other branch sees."""
    fields = [layer.receptive_field for layer in analyse(net).layers]
    assert fields[1] is None
    assert fields[3] is None
    assert fields[4] == fields[2]
    assert not analyse(net).warnings


def test_its_key_is_its_path(net, tmp_path):
    """A file may have dimensions of 1 besides, as PyTorch's class token (1, 1, 768)."""
    write(
        tmp_path / "w.safetensors",
        {"token": ([1, 1, 3], array("f", [1, 2, 3])), "body.positions": ([1, 5, 3], array("f", range(15)))},
    )
    weights = load_weights(net, str(tmp_path / "w.safetensors"))
    assert list(weights.nodes[1][""]) == [1, 2, 3]
    assert list(weights.nodes[3][""]) == list(range(15))
    assert list(random_weights(net).nodes[1][""]) == [2, 2, 2]


def test_it_takes_no_input(specs):
    error = specs.error("- parameter: {shape: [3], from: input}")
    assert error.message == "parameter1: parameter reads no layer"
    assert error.hint == "leave out from"


@pytest.fixture
def looked_up(specs):
    """Two heads' numbers for each of the nine offsets between two of a window's 2×2 places, in attention."""
    return specs.load("""
        input: [6, 4, 5]
        layers:
          - relu: {name: first}
          - group:
              name: attn
              layers:
                - parameter: {name: table, shape: [9, 2]}
                - constant: {name: index, kind: relative_positions, window: [2, 2]}
                - gather: {from: table, indices: index}
                - transpose: {name: added, order: [2, 0, 1]}
                - attention: {name: core, from: first, heads: 2, axis: channels, window: 2, bias: added}
    """)


def test_a_field_names_an_input(looked_up):
    """It is read behind what `from` names, and looked up from the inside out as `from` is."""
    assert [node.inputs for node in looked_up] == [(-1,), (), (), (1, 2), (3,), (0, 4)]
    assert looked_up.nodes[-1].op.named_inputs(looked_up.nodes[-1].input_shapes) == {"bias": 1}
    assert analyse(looked_up).totals.buffers == 16


@pytest.mark.parametrize(
    ("entry", "message", "hint"),
    [
        ("gather: {indices: nowhere}", "no earlier layer 'nowhere'", "a name or path of an entry further up"),
        ("gather: {indices: input}", "gather1: gather takes its indices from a constant that holds indices, not from "
         "the network's input", "name a constant"),
        ("attention: {heads: 2, bias: false}", "attention: bias needs the name or path of a layer, not false", ""),
        ("attention: {heads: 2, axis: channels, mask: input}",
         "attention1: mask is 4×16×16, the scores need 1×256×256 or 256×256", "256 positions in 1 window, 2 heads"),
        ("attention: {num_heads: 2, window_size: 4}",
         "no fields 'num_heads', 'window_size' for attention: convcalc calls num_heads 'heads', window_size 'window'",
         "write attention: {heads: 2, window: 4}"),
        ("MultiheadAttention: {heads: 2}",
         "no layer or block 'MultiheadAttention': convcalc calls it 'attention'", "write attention: {heads: 2}"),
        ("MultiHeadAttention: 2", "no layer or block 'MultiHeadAttention': convcalc calls it 'attention'", ""),
        ("bmm: {from: [input, input]}", "no layer or block 'bmm': convcalc calls it 'matmul'", ""),
    ],
)  # fmt: skip
def test_what_is_said_of_mistakes(specs, entry, message, hint):
    error = specs.error(f"- {entry}")
    assert error.message == message
    assert (error.hint or "").startswith(hint)


def test_where_a_layer_without_inputs_is_shown(looked_up, convcalc, tmp_path):
    """It has no input shape, is no question, and nothing is applied to it."""
    from convcalc.exercises.worksheet import network_sheet

    rows = [row.name for row in network_sheet(analyse(looked_up), ("output",), None, 0).rows]
    assert rows == ["attn.gather1", "attn.added", "attn.core"]
    (tmp_path / "net.yaml").write_text("name: n\ninput: [2, 3, 4]\nlayers: [parameter: [3, 3], relu]\n")
    shown = convcalc("show", str(tmp_path / "net.yaml"), "--all", "--columns", "layer,operator,input")
    assert ["parameter1", "parameter", "3×3", "–"] in [line.split() for line in shown.stdout.splitlines()]
    done = convcalc("apply", "parameter: [2, 3]", "1 2; 3 4")
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        2, "Error: parameter reads no input: there is nothing to apply it to"
    )  # fmt: skip
    seen = convcalc("field", str(tmp_path / "net.yaml"), "--layer", "parameter1")
    assert seen.stdout.splitlines()[-1] == "this layer reads nothing of the input"
