"""Limits: each a clear error, never a hang or a traceback."""

from __future__ import annotations

import pytest

from convcalc.errors import SpecError, SpecErrors
from convcalc.language import reader


def nested(depth, inner="relu", times=2):
    """Blocks b0, b1, …, each using the next one twice: two to the power of depth uses of the last."""
    uses = [", ".join([f"b{k + 1}"] * times) for k in range(depth)]
    blocks = "".join(f"  b{k}: {{layers: [{used}]}}\n" for k, used in enumerate(uses))
    return f"blocks:\n{blocks}  b{depth}: {{layers: [{inner}]}}\nlayers: [b0]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- group: {repeat: 501, layers: [relu, relu]}", "501 copies of 2 layers, and a network has at most 1,000"),
        ("- relu: {repeat: 1001}", "1,001 copies, and a network has at most 1,000 layers"),
        ("- relu: {repeat: 1000000000000}", "repeat needs an integer of at most"),
        ("- relu: {repeat: $(10 ** 12)}", "repeat needs an integer of at most 2,147,483,647"),
        (nested(50), "more than 1,000 layers"),
        ("- relu\n" * 1001, "more than 1,000 layers"),
        # only shapes decide how many: the builder counts
        ("- group: {repeat: $(250 * channels), layers: [relu, tanh]}", "more than 1,000 layers"),
        # what expands to nothing is bounded too
        (nested(50, "relu: {if: false}"), "expands into too many entries"),
        ("- group: {repeat: 1000, layers: [group: {repeat: 1000, layers: []}]}", "expands into too many entries"),
        ("- foreach: {in: $(range(1000)), as: a, layers: [foreach: {in: $(range(1000)), as: b, layers: []}]}",
         "expands into too many entries"),
        (nested(80, times=1), "nested more than 60 deep"),
        (nested(400, times=1), "nested more than 60 deep"),
        (nested(9_000, times=1), "nested more than 60 deep"),
        ("blocks: {b: {layers: []}}\nlayers: [group: {repeat: 1000, layers: [b: {repeat: 1000}]}]", "too many entries"),
        ("- conv: {filters: 99999999999, kernel: 1}", "filters needs an integer of at most 2,147,483,647"),
        ("- conv: {filters: 2147483647, kernel: 1, P: 2147483647}", "has more than 9,007,199,254,740,992 values"),
        ("- conv: {filters: $(" + "1 + " * 600 + "1), kernel: 1}", "at most 2,000 characters"),
    ],
)  # fmt: skip
def test_limits(specs, text, message):
    assert message in specs.error(text, max_layers=1_000).message


def test_the_limit_of_layers_can_be_raised(specs):
    assert len(specs.load("- relu: {repeat: 3}", max_layers=3)) == 3
    error = specs.error("- relu: {repeat: 3}", max_layers=2)
    assert error.message == "3 copies, and a network has at most 2 layers"
    assert "--max-layers" in error.hint


def test_first_within_first_is_read_once(specs):
    """The layers of copy 0 and of the others are compiled together, not twice per level."""
    text = "relu"
    for _ in range(25):
        text = f"group: {{repeat: 1, first: {{naming: index}}, layers: [{text}]}}"
    assert len(specs.load(f"- {text}")) == 1


def test_costly_expressions_in_a_loop_end(specs, monkeypatch):
    monkeypatch.setattr("convcalc.language.expressions.BUDGET", 1_000_000)
    error = specs.error("- group: {repeat: 1000, layers: [relu: {if: $(sum(range(100000)) > 1)}]}")
    assert "operations" in error.message


def test_too_many_variables(specs):
    chain = "".join(f"  v{k}: {k}\n" for k in range(1001))
    assert specs.error(f"vars:\n{chain}layers: [relu]").message == "more than 1,000 variables"


def test_too_many_parameters(specs):
    names = ", ".join(f"p{k}" for k in range(201))
    assert (
        "more than 200 parameters"
        in specs.error(f"blocks: {{b: {{params: [{names}], layers: [relu]}}}}\nlayers: [relu]").message
    )


def test_a_hundred_errors_are_enough(specs):
    errors = specs.errors("layers:\n" + "  - nothing\n" * 5_000)
    assert len(errors) == 100
    text = str(SpecErrors(errors))
    assert text.count("no layer or block 'nothing'") == 20
    assert text.endswith("and 80 more errors")


def test_long_words_are_cut(specs):
    assert len(specs.error("- " + "x" * 50_000).message) < 200
    assert len(specs.error("- conv: {" + "x" * 50_000 + ": 3, K: 1, F: 1}").message) < 200


@pytest.mark.parametrize("count", [10, 2_000])
def test_every_kind_of_network_grows_with_its_layers(specs, count):
    third = count // 2
    for text in (
        "layers:\n" + "  - conv: {filters: 4, kernel: 3, padding: 1}\n  - relu\n" * third,
        "layers:\n" + "  - add: [[relu], []]\n" * third,
        f"- relu: {{repeat: {2 * third}}}",
        f"- foreach: {{in: $(range({third})), as: k, layers: [relu, tanh]}}",
    ):
        assert len(specs.load(text)) == 2 * third


def test_a_long_circle_is_not_told_in_full(specs):
    blocks = "".join(f"  b{k}: {{layers: [b{(k + 1) % 500}]}}\n" for k in range(500))
    error = specs.error(f"blocks:\n{blocks}layers: [b0]")
    assert error.hint == "b0 → b1 → b2 → b3 → b4 → b5 → b6 → b7 → … → b0; repeat makes copies in sequence"


def test_a_path_is_bounded(specs):
    """Names of 150 characters, nested: 200,000 such layers would be 100 MB of names alone."""
    name = "x" * 150
    inner = "relu"
    for _ in range(4):
        inner = f"group: {{name: {name}, layers: [{inner}]}}"
    error = specs.error(f"- {inner}")
    assert error.message.startswith("a path of more than 500 characters: xxx")
    assert len(error.message) < 120
    assert len(specs.load(f"- group: {{name: {name}, layers: [relu]}}")) == 1


def test_other_names_of_weights_are_bounded(specs):
    error = specs.error(f"- batchnorm: {{keys: {'x' * 5_000}}}")
    assert error.message.startswith("a path of more than 500 characters")


def test_the_inputs_of_joins_count_as_steps(specs):
    names = ", ".join(["relu1"] * 150)
    text = f"- relu\n- group: {{repeat: 900, layers: [concat: {{from: [{names}]}}]}}"
    assert "too many entries" in specs.error(text, max_layers=1_000).message


def test_a_list_longer_than_a_network_is_not_read_to_its_end(specs):
    error = specs.error("layers:\n" + "- relu\n" * 200_001)
    assert error.message == "more than 200,000 entries in one list"
    assert error.hint == "--max-layers raises the limit"
    root = reader.read(reader.YamlSource("net", "- relu\n" * 200_001), max_items=200_001)
    assert len(root.items) == 200_001


@pytest.mark.parametrize(
    ("text", "line"),
    [
        # the sixth entry's line, after those of name, input and layers
        ("layers:\n" + "  - relu\n" * 6, 9),
        (
            "layers:  # all\n\n  # the first\n"
            + "  - conv:\n      filters: 3\n      kernel: 1\n" * 6
            + "title: x\n",
            21,
        ),
        ("layers:\n" + "- relu\n" * 6, 9),
        ("title: x\nlayers:\n" + "    - add:\n        - - relu\n        - []\n" * 6, 20),
    ],
)
def test_too_many_layers_written_out_are_counted_before_they_are_read(specs, monkeypatch, text, line):
    """Each a line that begins in the list's own column; what is in an entry does not count."""

    def build(*_):
        raise AssertionError("the parser has begun")

    path = specs.write(text)
    source = reader.YamlSource("net.yaml", (specs.folder / "net.yaml").read_text())
    assert path
    monkeypatch.setattr(reader, "_build", build)
    with pytest.raises(SpecError, match="more than 5 entries in one list") as caught:
        reader.read(source, max_items=5)
    assert caught.value.mark.line == line
    with pytest.raises(AssertionError):
        reader.read(source, max_items=6)


def test_a_mapping_of_too_many_keys(specs):
    keys = "".join(f"key{k}: 1\n" for k in range(10_001))
    assert specs.error(keys + "layers: [relu]").message == "more than 10,000 keys in one mapping"


def test_expressions_may_cost_in_proportion_to_the_layers(specs, monkeypatch):
    """100 operations a layer are always there; the same without layers is refused."""
    monkeypatch.setattr("convcalc.language.expressions.BUDGET", 1_000)
    terms = " + ".join(["1"] * 20)
    used = f'conv: {{filters: "$({terms} + i - i)", kernel: 1, repeat: 500}}'
    assert len(specs.load(f"- {used}")) == 500
    error = specs.error(f"- group: {{repeat: 500, layers: [relu: {{if: $({terms} + channels < 0)}}]}}")
    assert error.message == "the spec's expressions take more than 1,000 operations, and 100 for each layer"
