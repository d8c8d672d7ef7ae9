"""YAML as we read it."""

# ruff: noqa: E501 (a table reads best with a case per line)

from __future__ import annotations

import pytest
import yaml

from convcalc.errors import SpecError
from convcalc.language import reader


def read(text):
    return reader.read(reader.YamlSource("t.yaml", text))


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True), ("false", False), ("null", None), ("", None), ("3", 3), ("-3", -3), ("+3", 3), ("007", 7),
        ("0.5", 0.5), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0), ("1e-6", 1e-6), ("1.5E+2", 150.0), ("-0.25", -0.25),
        # what YAML 1.1 makes of these is not what a person means
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("True", "True"), ("NULL", "NULL"), ("~", "~"), ("0x10", "0x10"),
        ("0o7", "0o7"), ("1_000", "1_000"), ("12:30", "12:30"), ("2015-12-10", "2015-12-10"), (".inf", ".inf"),
        (".nan", ".nan"), ("1e", "1e"), ("1.2.3", "1.2.3"), ("'3'", "3"), ('"true"', "true"), ("''", ""),
        # no infinity and no number as long as a book
        ("1e999", "1e999"), ("9" * 60, "9" * 60), ("9" * 20, 99999999999999999999), ("３", "３"),
        ("[1, a, [true]]", [1, "a", [True]]), ("{a: 1, 2: b}", {"a": 1, "2": "b"}), ("[]", []), ("{}", {}),
    ],
)  # fmt: skip
def test_scalars_are_typed_by_the_language(written, value):
    node = read(f"k: {written}").entries["k"]
    assert node.value == value
    assert type(node.value) is type(value)


@pytest.mark.parametrize("loader", ["CLoader", "SafeLoader"])
def test_both_parsers_say_the_same(loader, monkeypatch):
    if loader == "SafeLoader":
        monkeypatch.delattr(yaml, "CLoader", raising=False)
    root = read("a: {b: [1, 'x', true]}\nc:\n  - d: 0.5\n    e:\n")
    assert root.value == {"a": {"b": [1, "x", True]}, "c": [{"d": 0.5, "e": None}]}
    inner = root.entries["a"].entries["b"].items[1]
    assert (inner.line, inner.column, inner.length, inner.plain) == (0, 11, 3, False)


def test_marks():
    root = read("name: x\nlayers:\n  - conv: {filters: 16, kernal: 5}\n")
    key = root.entries["layers"].items[0].entries["conv"].keys["kernal"]
    assert str(key.mark) == "t.yaml:3:25"
    assert key.mark.excerpt() == ["    - conv: {filters: 16, kernal: 5}", "                          ^^^^^^"]


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("a: &x 1", "1:4", "an anchor (&x) is not part of the spec language", "use vars for a value, blocks for layers"),
        ("a: *x", "1:4", "an alias (*x) is not part", "use vars"),
        ("a: !!int 3", "1:4", "a tag (tag:yaml.org,2002:int) is not part", "use vars"),
        ("a: {<<: 3}", "1:5", "a merge key (<<) is not part", "defaults for fields"),
        ("a: 1\nb: 2\na: 3", "3:1", "'a' is given twice", "first given at line 1"),
        ("a: {b: 1, b: 2}", "1:11", "'b' is given twice", "line 1"),
        ("a: 1\n---\nb: 2", "2:1", "a spec is one document", "a file of its own"),
        ("", "1:1", "the spec is empty", "name, input and layers"),
        ("# nothing\n", "1:1", "the spec is empty", "name, input and layers"),
        ("{[1]: 2}", "1:2", "a key must be a word", None),
        ("a:\n\t- b", "2:1", "a tab", "spaces, not tabs"),
        ("title: AlexNet: the paper", "1:15", "a second ': ' on one line", "needs quotes"),
        ("- conv: {name: a: b}", "1:17", "a second ': ' in one value", "needs quotes"),
        ("input: {channels: 3 height: 2}", "1:27", "a comma is missing", "before height"),
        ("l:\n  - conv: {filters: $([1, 2][0])}", "2:23", "an expression is cut short", "quote an expression"),
        ("l:\n  - conv: {filters: ${w}}", "2:22", "an expression in braces", "write $name"),
        ("l:\n  - conv: {filters: 3, kernel: 3\n  - relu", "2:11", "the { that opens here is not closed", "close it with }"),
        ("l: [1, 2\nm: 3", "1:4", "the [ that opens here is not closed", "close it with ]"),
        ("l:\n  - conv: {filters: 3 # wide}\n  - relu", "2:11", "the { that opens here is not closed", "starts a comment"),
        ("l:\n  - conv: {filters: 3}}", "2:23", "nothing is open that this } could close", "leave it out"),
        ("l:\n  - a: 3\n - b", "3:2", "not in line with the keys above", "same column"),
        ("l:\n  - a\n  b: 3", "3:3", "must start with '- '", "start it with '- '"),
        ("a: 1\n b: 2", "2:3", "the line above holds a value already", "column of the line above"),
        ("l:\n  - conv\n      filters: 3", "3:14", "fields under conv, which has no colon", "write conv:"),
        ("a: 'b\nc: d", "1:4", "the quote that opens here is not closed", "close it"),
        ('a: "b" c', "1:8", "goes on after its closing quote", "whole text"),
        ("a: %b", "1:4", "a text cannot start with %", 'quote it: "%b"'),
        ("a: \0", "1:4", "not valid YAML: control characters are not allowed", None),
    ],
)  # fmt: skip
def test_refused(text, place, message, hint):
    with pytest.raises(SpecError) as caught:
        read(text)
    error = caught.value
    assert message in error.message
    assert str(error.mark) == f"t.yaml:{place}"
    assert (hint in error.hint) if hint else not error.hint


@pytest.mark.parametrize("text", ["[" * 200, "{a: " * 200, "- " * 200, "a: [" + "{b: [" * 200])
def test_nesting_is_bounded(text):
    with pytest.raises(SpecError, match="nested more than 100 deep"):
        read(text)


def test_size_is_bounded(monkeypatch):
    monkeypatch.setattr(reader, "MAX_BYTES", 10)
    with pytest.raises(SpecError, match="larger than"):
        read("a: 12345678")


def test_the_number_of_values_is_bounded(monkeypatch):
    monkeypatch.setattr(reader, "MAX_NODES", 10)
    with pytest.raises(SpecError, match="more than 10 values"):
        read("[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]")


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_endings(ending):
    root = read(ending.join(["a: 1", "b:", "  - c: 2"]))
    assert root.value == {"a": 1, "b": [{"c": 2}]}
    assert str(root.entries["b"].items[0].keys["c"].mark) == "t.yaml:3:5"


def test_a_byte_order_mark_is_no_key(specs):
    path = specs.folder / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: x\ninput: [1, 2]\nlayers: [relu]")
    from convcalc.language.load import load_graph

    assert load_graph(str(path)).name == "x"
