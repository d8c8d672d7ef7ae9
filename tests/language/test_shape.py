"""`$shape`, slices, numbers as names, and sharing of whole scopes."""

from __future__ import annotations

import pytest

from convcalc.language.expressions import Names, compile_text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$(items[1:])", [20, 30, 40]),
        ("$(items[:-1])", [10, 20, 30]),
        ("$(items[1:3])", [20, 30]),
        ("$(items[::2])", [10, 30]),
        ("$(items[::-1])", [40, 30, 20, 10]),
        ("$(items[:])", [10, 20, 30, 40]),
        ("$(items[2:99])", [30, 40]),
        ("$(items[len(items) - 1:])", [40]),
        ("$(items[4 / 2:])", [30, 40]),
        ("$(sum(items[1:]))", 90),
        ("$(items[1:] == [20, 30, 40])", True),
    ],
)
def test_slices(text, value):
    """As Python has them."""
    assert compile_text(text).evaluate(Names({"items": [10, 20, 30, 40]})) == value


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("$([1, 2][::0])", "a slice's step is not 0"),
        ("$([1, 2]['a':])", "a slice goes from integer to integer, not 'a'"),
        ("$([1, 2][0.5:])", "a slice goes from integer to integer, not 0.5"),
        ("$('ab'[1:])", "only a list has slices, not 'ab'"),
    ],
)
def test_slices_that_make_no_sense(specs, entry, message):
    assert specs.error(f'- conv: {{K: "{entry}", F: 1}}').message == message


def test_the_shape_of_an_entrys_input(specs):
    """4×16×16 → conv → 5×14×15: a global pool by hand, and a squeeze over all but the channels."""
    graph = specs.load("""\
        - conv: {K: 5, F: [3, 2]}
        - maxpool: {F: "$(shape[1:])"}
        - reshape: ["$(shape[0])"]
    """)
    assert [node.output_shape for node in graph] == [(5, 14, 15), (5, 1, 1), (5,)]


def test_the_shape_follows_from_repeats_and_branches(specs):
    graph = specs.load("""\
        - conv: {name: c, repeat: 3, K: "$(shape[0] + shape[1])", F: 2}
        - concat:
            - [{maxpool: {F: "$(shape[-2])"}}]
            - [{avgpool: {F: "$(shape[1:])"}}]
        - dense: {from: input, units: "$(shape[0] * 10)", axis: last}
    """)
    shapes = [node.output_shape for node in graph]
    # 4 + 16 = 20 channels at 15×15, 20 + 15 = 35 at 14×14, 35 + 14 = 49 at 13×13
    assert shapes[:3] == [(20, 15, 15), (35, 14, 14), (49, 13, 13)]
    assert shapes[3:6] == [(49, 1, 1), (49, 1, 1), (98, 1, 1)]
    assert shapes[6][-1] == 40


def test_the_shape_in_a_block_is_that_of_its_own_layers(specs):
    text = """\
        blocks:
          b: {params: {size: "$(shape[1])"}, layers: [{conv: {K: 3, F: 2}}, {maxpool: {F: "$(shape[1] - size + 2)"}}]}
        layers: [b]
    """
    # size is 16, the block's input; behind the conv the height is 15: a window of 1
    assert specs.load(text).output_shape == (3, 15, 15)


def test_a_condition_on_the_shape_looks_at_the_layer_that_from_names(specs):
    text = """\
        - conv: {name: half, K: 8, F: 2, S: 2}
        - relu: {from: input, if: "$(shape[1] == 16)"}
        - tanh: {from: half, if: "$(shape[1] == 16)"}
    """
    assert specs.wiring(text) == "half(input) relu1(input)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("vars: {shape: 3}\nlayers: [relu: {name: $shape}]", "'shape' cannot name a variable: it is the input's shape"),
        ("- relu: {from: $shape}", "no variable 'shape' here"),
        ("input: [$shape, 3]\nlayers: [relu]", "no variable 'shape' here"),
        ("- conv: {K: $(shape), F: 1}", "conv1: filters needs an integer, not a list of 3"),
        ("- conv: {K: '$(shape[3])', F: 1}", "no item [3] in a list of 3; its last item is [2]"),
    ],
)  # fmt: skip
def test_the_shape_where_there_is_none(specs, text, message):
    assert specs.error(text).message == message


@pytest.mark.parametrize(
    ("word", "instead"),
    [("height", "shape[-2]"), ("width", "shape[-1]"), ("length", "shape[-1]"), ("depth", "shape[-3]")],
)
def test_the_sizes_by_their_words(specs, word, instead):
    error = specs.error(f"- conv: {{K: ${word}, F: 1}}")
    assert error.message.startswith(f"no variable '{word}' here")
    assert f"$({instead})" in error.hint
    assert specs.load(f"vars: {{{word}: 3}}\nlayers: [conv: {{K: ${word}, F: 1}}]").output_shape[0] == 3


def test_the_shape_of_several_inputs_is_known_once_from_has_said_which(specs):
    text = "inputs: {a: [2, 9, 7], b: [3, 8, 6]}\nlayers: [{maxpool: {from: b, F: '$(shape[1:])'}}, {relu: {from: a}}]"
    assert specs.load(text).nodes[0].output_shape == (3, 1, 1)


# -- numbers as names --------------------------------------------------------------------------------------


def test_a_number_as_a_name_sets_the_counter(specs):
    text = """\
        - group:
            name: features
            naming: index
            layers: [relu, {tanh: {name: 3}}, elu, {gelu: {name: last}}, silu, {relu: {name: 10}}, tanh]
    """
    names = [node.name.removeprefix("features.") for node in specs.load(text)]
    assert names == ["0", "3", "4", "last", "6", "10", "11"]


def test_elsewhere_a_number_is_a_name_like_others(specs):
    assert [node.name for node in specs.load("- relu: {name: 3}\n- relu\n- tanh")] == ["3", "relu2", "tanh1"]


def test_a_number_that_is_taken(specs):
    error = specs.error("- group: {naming: index, layers: [relu, tanh, {elu: {name: 0}}]}")
    assert error.message == "there is already a layer or scope group1.0"


# -- share on scopes ---------------------------------------------------------------------------------------


def shares(graph):
    return {node.name: graph.nodes[node.shares].name for node in graph if node.shares is not None}


def test_a_group_shares_layer_by_layer(specs):
    text = """\
        inputs: {l: [3, 9, 7], r: [3, 9, 7]}
        layers:
          - group:
              name: a
              from: l
              layers: [{conv: {K: 4, F: 3}}, relu, {group: {name: g, layers: [{conv: {K: 5, F: 1}}, batchnorm]}}]
          - group:
              name: b
              from: r
              share: a
              layers: [{conv: {K: 4, F: 3}}, relu, {group: {name: g, layers: [{conv: {K: 5, F: 1}}, batchnorm]}}]
          - add: {from: [a, b]}
    """
    graph = specs.load(text)
    assert shares(graph) == {
        "b.conv1": "a.conv1", "b.g.conv1": "a.g.conv1", "b.g.batchnorm1": "a.g.batchnorm1",
    }  # fmt: skip


def test_a_block_a_use_and_copies_share(specs):
    text = """\
        vars: {kind: branch}
        blocks: {branch: {params: {K: 4}, layers: [{conv: {K: $K, F: 1, repeat: 2}}, relu]}}
        layers:
          - branch: {name: a}
          - branch: {name: b, from: input, share: a}
          - use: {block: $kind, name: c, from: input, share: b}
          - branch: {name: d, from: input, repeat: 2, share: a}
    """
    graph = specs.load(text)
    found = shares(graph)
    assert {name: owner for name, owner in found.items() if not name.startswith("d.1")} == {
        "b.conv1.0": "a.conv1.0", "b.conv1.1": "a.conv1.1", "c.conv1.0": "a.conv1.0", "c.conv1.1": "a.conv1.1",
        "d.0.conv1.0": "a.conv1.0", "d.0.conv1.1": "a.conv1.1",
    }  # fmt: skip
    assert found["d.1.conv1.0"] == "a.conv1.0"


def test_branches_of_a_shared_scope(specs):
    join = (
        "{concat: {name: j, branches: [{name: l, layers: [{conv: {K: 2, F: 1}}]}, [{conv: {K: 3, F: 1}}]]}}"
    )
    second = f"{{group: {{name: b, from: input, share: a, layers: [{join}]}}}}"
    graph = specs.load(f"layers: [{{group: {{name: a, layers: [{join}]}}}}, {second}]")
    assert shares(graph) == {"b.j.l.conv1": "a.j.l.conv1", "b.j.conv1": "a.j.conv1"}


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("[{conv: {K: 4, F: 3}}, {conv: {K: 4, F: 1}}]", "b.conv2: a has no weights called 'conv2' to share"),
        ("[{conv: {K: 5, F: 3}}]", "b.conv1: cannot share the weights of a.conv1"),
        ("[{conv: {K: 4, F: 3, name: other}}]", "b.other: a has no weights called 'other' to share"),
    ],
)
def test_scopes_that_differ_cannot_share(specs, second, message):
    first = "{group: {name: a, layers: [{conv: {K: 4, F: 3}}]}}"
    text = f"layers: [{first}, {{group: {{name: b, from: input, share: a, layers: {second}}}}}]"
    assert specs.error(text).message.startswith(message)


@pytest.mark.parametrize(
    ("share", "message"),
    [("c", "'c' is a layer, and share on a scope needs a group, block or network"), ("nowhere", "no earlier layer")],
)  # fmt: skip
def test_what_a_scope_cannot_share_with(specs, share, message):
    text = f"layers: [{{conv: {{name: c, K: 4, F: 3}}}}, {{group: {{share: {share}, layers: [relu]}}}}]"
    assert specs.error(text).message.startswith(message)


def test_a_layer_within_may_share_with_another(specs):
    text = """\
        - conv: {name: c, K: 4, F: 1}
        - group: {name: a, layers: [{conv: {K: 4, F: 1}}]}
        - group: {name: b, share: a, layers: [{conv: {K: 4, F: 1, share: c}}]}
    """
    assert shares(specs.load(text)) == {"b.conv1": "c"}


# -- the name ----------------------------------------------------------------------------------------------


def test_the_name_is_the_files_where_it_says_none(specs, tmp_path):
    from convcalc.language.load import load_graph

    (tmp_path / "my net.v2.yaml").write_text("input: [3, 8, 8]\nlayers: [relu]\n")
    assert load_graph(str(tmp_path / "my net.v2.yaml")).name == "my net.v2"
