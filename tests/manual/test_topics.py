"""The manual's topics: found by name, searched by word, whole in the package."""

from __future__ import annotations

import re

import pytest

from convcalc import ops
from convcalc.errors import UsageError
from convcalc.manual.topics import OPERATORS, TOPICS, docs, names, search


def test_every_topic_has_a_page_that_begins_with_its_heading() -> None:
    for name in names():
        assert re.match(r"# \S", docs(name).text), name


def test_the_contents_name_every_topic_and_operator() -> None:
    contents = docs().text
    assert re.findall(r"^\| \[(\w+)\]\(\w+\.md\)", contents, re.MULTILINE) == list(TOPICS)
    assert sorted(re.findall(rf"\[(\w+)\]\({OPERATORS}/\w+\.md\)", contents)) == sorted(ops.names())


@pytest.mark.parametrize(
    "written", ["leaky_relu", "leaky-relu", "LEAKY_RELU", "leaky_relu.md", " leaky_relu "]
)
def test_a_topic_is_found_however_it_is_written(written: str) -> None:
    assert docs(written).name == "leaky_relu"


@pytest.mark.parametrize(
    ("written", "suggestion"),
    [
        ("langauge", "; did you mean 'language'"),
        ("maxpol", "; did you mean 'maxpool'"),
        ("Conv2d", ": convcalc calls it 'conv'"),  # the words of other tools
        ("linear", ": convcalc calls it 'dense'"),
        ("swish", ": convcalc calls it 'silu'"),
    ],
)
def test_a_topic_that_is_none_gets_a_suggestion(written: str, suggestion: str) -> None:
    with pytest.raises(UsageError, match=f"no topic '{written}'{suggestion}"):
        docs(written)


def test_a_path_is_no_topic() -> None:
    with pytest.raises(UsageError, match="no topic"):
        docs("../operators/conv")


def test_search_gives_topic_heading_and_line() -> None:
    found = [line for line in search("Dilation") if line.topic == "conv"]
    (row,) = (line for line in found if line.heading == "Fields")
    assert "dilation" in docs("conv").text.splitlines()[row.line - 1]
    assert row.text.startswith("`dilation`  integer")


def test_search_goes_by_topics_in_the_order_of_the_contents() -> None:
    topics = list(dict.fromkeys(line.topic for line in search("padding")))
    assert topics == sorted(topics, key=names().index)
    assert {"language", "conv"} <= set(topics)


def test_search_leaves_out_what_commands_print() -> None:
    """`24 more` stands in no sentence, only in the outputs of commands."""
    text = docs("lecture").text
    printed = "sparse connectivity: each output reads its window only"
    assert printed in text
    with pytest.raises(UsageError, match="does not say"):
        search(printed)


def test_search_for_a_word_that_is_not_there_suggests_one_that_is() -> None:
    with pytest.raises(UsageError, match="did you mean 'dilation'"):
        search("dilatoin")


def test_search_for_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing to search for"):
        search("  ")
