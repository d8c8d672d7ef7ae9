"""A variable that nothing reads is an error of the file that writes it."""

from __future__ import annotations

import pytest

from convcalc.errors import UsageError
from convcalc.language import bundled
from convcalc.language.documents import read_spec
from convcalc.language.load import load_graph
from convcalc.language.variables import check_read, variables

BASE = """
name: base
input: [3, 8, 8]
vars: {width: 4, spare: $(2 * depth), depth: 1}
layers: [conv: {K: $width, F: 1}]
"""


def test_a_misspelled_variable_changes_nothing_and_is_an_error(specs):
    """`clases: 10` over a base with another name: nothing reads it."""
    error = specs.error("name: t\nextends: torchvision/resnet50\nvars: {clases: 10}")
    assert error.message == "nothing reads the variable 'clases'; did you mean 'classes'?"
    assert (error.mark.line, error.mark.column, error.mark.length) == (3, 8, 6)


def test_the_suggestion_is_a_variable_that_is_read(specs):
    specs.write(BASE, "base.yaml")
    error = specs.error("name: t\nextends: base.yaml\nvars: {widht: 8}")
    assert error.message == "nothing reads the variable 'widht'; did you mean 'width'?"
    assert error.hint == "variables that are read: width, depth"


def test_a_spec_without_other_variables_is_told_how_one_is_read(specs):
    error = specs.error("vars: {width: 8}\nlayers: [relu]")
    assert error.message == "nothing reads the variable 'width'"
    assert error.hint == "write $width where its value belongs, or leave it out"


@pytest.mark.parametrize(
    "text",
    [
        "layers: [conv: {K: $x, F: 1}]",
        "layers: [conv: {K: $(x + 1), F: 1}]",
        "layers: [relu: {name: act$x}]",
        "layers: [relu: {if: $(x > 0)}]",
        "layers: [tanh, relu: {if: false, repeat: $x}]",  # switched off
        "layers: [{group: {layers: [{concat: [[relu], [{conv: {K: $x, F: 1}}]]}]}}]",
        "layers: [{foreach: {in: [1], as: k, layers: [conv: {K: $x, F: 1}]}}]",
        "layers: [{use: {block: conv, K: $x, F: 1}}]",
        "blocks: {never: {layers: [conv: {K: $x, F: 1}]}}\nlayers: [relu]",  # used by no layer
        "blocks: {unit: {params: {wide: $x}, layers: [relu]}}\nlayers: [relu]",
        # the name stands in an expression, whatever it means there
        "blocks: {unit: {params: [x], layers: [conv: {K: $x, F: 1}]}}\nlayers: [unit: 3]",
        "defaults: {conv: {K: $x}}\nlayers: [relu]",
        "preprocess: {resize: $x}\nlayers: [relu]",
        "input: [$x, 5, 6]\nlayers: [relu]",
        "input: {channels: 3, length: $x}\nlayers: [relu]",
    ],
)
def test_what_counts_as_read(specs, text):
    specs.load(f"vars: {{x: 3}}\n{text}")


def test_another_variable_reads_it(specs):
    specs.load("vars: {x: 3, y: $(x + 1)}\nlayers: [conv: {K: $y, F: 1}]")


@pytest.mark.parametrize(
    "text",
    [
        "title: $x\nlayers: [relu]",  # texts are no expressions
        "notes: [costs $x]\nlayers: [relu]",
        "layers: [relu: {name: x}]",
        "layers: [relu: {if: $('x' == 'y')}]",
    ],
)
def test_what_does_not(specs, text):
    assert specs.error(f"vars: {{x: 3}}\n{text}").message == "nothing reads the variable 'x'"


def test_every_unread_variable_is_reported_at_its_line(specs):
    errors = specs.errors("vars:\n  a: 1\n  b: 2\n  c: 3\nlayers: [conv: {K: $b, F: 1}]")
    assert [(error.message[-3:], error.mark.text.strip()) for error in errors] == [
        ("'a'", "a: 1"),
        ("'c'", "c: 3"),
    ]


def test_inherited_variables_are_never_blamed(specs):
    """The base's `width` is read no more once the layers are others; that is the base's affair."""
    specs.write(BASE, "base.yaml")
    assert len(specs.load("name: t\nextends: base.yaml\nlayers: [relu]")) == 1
    # what this file writes is, inherited name or not
    error = specs.error("name: t\nextends: base.yaml\nvars: {width: 9}\nlayers: [relu]")
    assert error.message == "nothing reads the variable 'width'"
    assert len(specs.load("name: t\nextends: base.yaml\nvars: {width: 9}")) == 1


def test_a_familys_own_variables_are_read_too(specs):
    text = "vars: {depth: required, width: required}\nlayers: [relu: {repeat: $depth}]"
    error = specs.error(text, settings={"depth": "1", "width": "2"})
    assert error.message == "nothing reads the variable 'width'"


def test_a_value_that_the_base_requires_may_be_for_nothing(specs):
    """Without it the file would be a family."""
    specs.write("name: f\ninput: [3, 4]\nvars: {depth: required}\nlayers: [relu: {repeat: $depth}]", "f.yaml")
    assert len(specs.load("name: t\nextends: f.yaml\nvars: {depth: 1}\nlayers: [tanh]")) == 1


def test_settings_that_nothing_reads(specs):
    specs.write(BASE, "base.yaml")
    path = specs.write("name: t\nextends: base.yaml\nlayers: [relu]")
    with pytest.raises(UsageError) as caught:
        load_graph(path, settings={"width": "9"})
    assert caught.value.message == "--set width: nothing reads the variable 'width'"


def test_a_misspelled_read_is_one_error(specs):
    """The unknown name is reported, with the variable as its suggestion; the variable is not blamed besides."""
    error = specs.error("vars: {width: 3}\nlayers: [conv: {K: $widht, F: 1}]")
    assert error.message == "no variable 'widht' here; did you mean 'width'?"


@pytest.mark.parametrize(
    "variables",
    ["{a: $a}", "{a: {b: 1}}", "{a: $(1 // 0)}", "{from: 3}", "{a: $(1 +)}"],
)
def test_a_variable_in_error_has_that_error_only(specs, variables):
    assert "reads" not in specs.error(f"vars: {variables}\nlayers: [relu]").message


def test_an_expression_that_is_cut_off_reads_its_rest(specs):
    error = specs.error("vars: {a: 1, b: 2}\nlayers:\n  - conv: {filters: $(max(a, b)), kernel: 3}")
    assert "cut short" in error.message


@pytest.mark.parametrize("name", bundled.names())
def test_no_bundled_spec_or_family_writes_a_variable_for_nothing(name):
    spec = read_spec(name)
    check_read(spec, {}, variables(spec, {}))
    assert not spec.problems
