"""`budget` and `lint` of a spec: figures as people write them, expressions, inheritance, the schema's keys."""

from __future__ import annotations

import pytest

from convcalc.analysis.analyse import DTYPES as NUMBER_TYPES
from convcalc.errors import UsageError
from convcalc.language import budget
from convcalc.language.schema import schema


@pytest.mark.parametrize(
    ("quantity", "written", "value"),
    [
        ("params", 5_000_000, 5_000_000),
        ("params", "3M", 3_000_000),
        ("macs", "1.5G", 1_500_000_000),
        ("macs", 2.5e6, 2_500_000),
        ("layers", 0, 0),
        ("param_bytes", "20MB", 20_000_000),
        ("activation_bytes", "4MiB", 4 * 2**20),
        ("peak_activation_bytes", "1.5 GiB", 3 * 2**29),
    ],
)
def test_figures_as_people_write_them(quantity, written, value):
    assert budget.limit(quantity, written) == value


@pytest.mark.parametrize(
    ("quantity", "written"),
    [("params", "3MB"), ("layers", True), ("macs", "3 params"), ("flops", 2.5), ("param_bytes", [1])],
)
def test_what_is_no_limit(quantity, written):
    with pytest.raises(UsageError, match="needs the largest"):
        budget.limit(quantity, written)


def test_values_may_be_expressions_and_have_their_place(specs):
    found = specs.load(
        """
        vars: {most: 3M, images: 8}
        budget:
          params: $most
          macs: $(2 * 10 ** 6)
          batch: $images
          dtype: float16
          input: [4, 24, 40]
        layers: [relu]
        """
    ).budget
    assert found.limits == {"params": 3_000_000, "macs": 2_000_000}
    assert (found.batch, found.dtype, found.input) == (8, "float16", (4, 24, 40))
    line, column = found.marks["macs"].line, found.marks["macs"].column
    assert found.marks["macs"].text[column - 1 :].startswith("macs:")
    assert line == found.marks["params"].line + 1


def test_several_inputs_have_their_shapes_by_name(specs):
    text = """
        inputs: {left: [3, 16, 20], right: [3, 16, 20]}
        budget: {layers: 1, input: {right: [3, 8, 20], left: [3, 8, 20]}}
        layers:
          - concat: {from: [left, right]}
        """
    assert specs.load(text).budget.input == {"left": (3, 8, 20), "right": (3, 8, 20)}
    error = specs.error(text.replace("input: {right: [3, 8, 20], left: [3, 8, 20]}", "input: [3, 8, 20]"))
    assert error.message == "budget: input needs shapes by the inputs' names"


def test_a_budget_is_not_inherited_and_silenced_lints_are(specs):
    specs.write(
        "budget: {params: 1}\nlint: {ignore: [dropped_pixels, narrow_groups]}\nlayers: [relu]", "base.yaml"
    )
    graph = specs.load("extends: base.yaml")
    assert graph.budget is None
    assert graph.ignored_lints == ("dropped_pixels", "narrow_groups")


def test_one_lint_may_stand_alone(specs):
    assert specs.load("lint: {ignore: unread_layer}\nlayers: [relu]").ignored_lints == ("unread_layer",)


def test_the_schema_knows_the_same_words():
    properties = schema()["properties"]
    assert set(properties["budget"]["properties"]) == {*budget.QUANTITIES, *budget.CONDITIONS}
    assert properties["lint"]["properties"]["ignore"]["anyOf"][0]["enum"] == list(budget.LINTS)
    assert tuple(NUMBER_TYPES) == budget.DTYPES
