"""`refs` of blocks: layers where the block is used."""

from __future__ import annotations

import pytest

UP = "blocks: {up: {params: [K], refs: [skip], layers: [{conv: {K: $K, F: 1}}, {concat: {from: [conv1, $skip]}}]}}\n"


def test_a_reference_is_looked_up_where_the_block_is_used(specs):
    text = UP + "layers: [{relu: {name: conv1}}, tanh, {up: {K: 3, skip: conv1}}, {up: {K: 5, skip: input}}]"
    assert specs.wiring(text) == (
        "conv1(input) tanh1(conv1) up1.conv1(tanh1) up1.concat1(up1.conv1 conv1) "
        "up2.conv1(up1.concat1) up2.concat1(up2.conv1 input)"
    )


def test_an_inputs_name(specs):
    text = "inputs: {a: [3, 8, 8], b: [3, 8, 8]}\n" + UP + "layers: [{up: {K: 3, from: a, skip: b}}]"
    assert specs.wiring(text) == "up1.conv1(a) up1.concat1(up1.conv1 b)"


def test_a_reference_alone(specs):
    text = "blocks: {back: {refs: [skip], layers: [tanh, {relu: {from: $skip}}]}}\nlayers: [elu, gelu, back: elu1]"
    assert specs.wiring(text) == "elu1(input) gelu1(elu1) back1.tanh1(gelu1) back1.relu1(elu1)"


def test_a_reference_is_handed_on(specs):
    text = """\
        blocks:
          inner: {refs: [there], layers: [tanh, {add: {from: [tanh1, $there]}}]}
          outer: {refs: [skip], layers: [{elu: {name: tanh1}}, {inner: {name: i, there: $skip}}]}
        layers: [{relu: {name: far}}, gelu, {outer: {name: o, skip: far}}]
    """
    assert specs.wiring(text) == (
        "far(input) gelu1(far) o.tanh1(gelu1) o.i.tanh1(o.tanh1) o.i.add1(o.i.tanh1 far)"
    )


def test_paths_and_scopes_and_expressions(specs):
    text = """\
        vars: {level: 1}
        blocks: {up: {refs: [skip], layers: [{add: {from: [input, $skip]}}]}}
        layers:
          - group: {name: e1, layers: [relu, tanh]}
          - up: {skip: e1.relu1}
          - up: {skip: e$level}
          - foreach: {in: [relu1, tanh1], as: n, layers: [{up: {skip: e1.$n}}]}
    """
    assert specs.wiring(text).split(" ", 2)[2] == (
        "up1.add1(input e1.relu1) up2.add1(input e1.tanh1) up3.add1(input e1.relu1) up4.add1(input e1.tanh1)"
    )


def test_null_is_the_layer_before(specs):
    text = "blocks: {b: {refs: [skip], layers: [tanh, {relu: {from: $skip, if: $(skip == null)}}]}}\n"
    assert specs.wiring(text + "layers: [elu, {b: {skip: null}}]").endswith("b1.relu1(b1.tanh1)")
    assert specs.wiring(text + "layers: [elu, {b: {skip: elu1}}]").endswith("b1.tanh1(elu1)")


def test_a_field_that_names_a_layer(specs):
    """attention's mask is added to the scores of 5 positions: (5, 5)."""
    text = """\
        input: [5, 8]
        blocks: {masked: {refs: [m], layers: [{attention: {heads: 2, mask: $m}}]}}
        layers:
          - parameter: {name: mask, shape: [5, 5]}
          - masked: {from: input, m: mask}
    """
    assert specs.wiring(text) == "mask() masked1.attention1(input mask)"


def test_a_size_like_a_reference(specs):
    text = """\
        blocks:
          up: {refs: [skip], layers: [{upsample: {like: $skip}}, {concat: {from: [upsample1, $skip]}}]}
        layers: [{relu: {name: upsample1}}, {maxpool: {F: [4, 3]}}, {up: {skip: upsample1}}]
    """
    graph = specs.load(text)
    assert [node.output_shape for node in graph][2:] == [(4, 16, 16), (8, 16, 16)]
    assert graph.nodes[3].inputs == (2, 0)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("[{up: {K: 3}}]", "block up needs skip"),
        ("[{up: {K: 3, skip: nowhere}}]", "no earlier layer 'nowhere'"),
        ("[{up: {K: 3, skipp: input}}]", "no parameter 'skipp' for block up; did you mean 'skip'?"),
        ("[{up: {K: 3, skip: $shape}}]", "no variable 'shape' here"),
        ("[{up: {K: 3, skip: [input]}}]", "skip needs a word, not a list of 1"),
    ],
)
def test_uses_that_make_no_sense(specs, layers, message):
    assert specs.error(UP + f"layers: {layers}").message == message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("[{conv: {K: $(skip + 1), F: 1}}]", "arithmetic needs numbers, not a reference to a layer"),
        ("[{conv: {K: $skip, F: 1}}]", "conv1: filters needs an integer, not a reference to a layer"),
        ("[{relu: {name: r$skip}}]", "a reference to a layer cannot become part of a text"),
        ("[{relu: {name: $skip}}]", "name needs a word, not a reference to a layer"),
        ("[{relu: {from: $skip.relu1}}]", "a reference to a layer cannot become part of a text"),
        ("[{relu: {if: $skip}}]", "if needs true or false, not a reference to a layer"),
        ("[{relu: {repeat: $skip}}]", "repeat needs an integer, not a reference to a layer"),
        ("[{foreach: {in: $skip, as: x, layers: [relu]}}]", "foreach goes through a list, not a reference to a layer"),
        ("[{relu: {if: $(len(skip) > 1)}}]", "len needs a list or text; it was given a reference to a layer"),
    ],
)  # fmt: skip
def test_a_reference_is_no_value(specs, body, message):
    error = specs.error(
        f"blocks: {{b: {{refs: [skip], layers: {body}}}}}\nlayers: [elu, {{b: {{skip: elu1}}}}]"
    )
    assert error.message.removeprefix("b1.").startswith(message.split(";")[0].split(" needs a list")[0])


@pytest.mark.parametrize("origin", ["$source", "[relu1, $source]"])
def test_a_parameter_in_from_names_refs(specs, origin):
    kind = "add" if "[" in origin else "tanh"
    body = f"[relu, {{{kind}: {{from: {origin}}}}}]"
    error = specs.error(f"blocks: {{b: {{params: [source], layers: {body}}}}}\nlayers: [elu, {{b: elu1}}]")
    assert error.message == "$source is a parameter of block b, and from needs a layer"
    assert error.hint.startswith("write refs: [source] beside params")


@pytest.mark.parametrize(
    ("refs", "message"),
    [
        ("skip", "refs needs a list of names"),
        ("[K]", "'K' is named twice"),
        ("[a, a]", "'a' is named twice"),
        ("[[a]]", "a reference is a name"),
        ("[shape]", "'shape' cannot name a reference: it is the input's shape"),
    ],
)
def test_refs_that_make_no_sense(specs, refs, message):
    error = specs.error(f"blocks: {{b: {{params: [K], refs: {refs}, layers: [relu]}}}}\nlayers: [tanh]")
    assert error.message == message
