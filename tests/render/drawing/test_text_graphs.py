"""Mermaid and Graphviz: what is written is read back, line by line, by a reader of what we use of their grammars.

Both were also run through the programs themselves, by hand: dot 2.43 and Mermaid 11 in a browser."""

from __future__ import annotations

import html
import re
from typing import NamedTuple

import pytest
from hypothesis import given

from convcalc.analysis.analyse import analyse
from convcalc.analysis.boxes import Box, Boxes, Frame, boxes
from convcalc.graph import Graph
from convcalc.language.load import load_graph
from convcalc.render.drawing import dot, lettering, mermaid, palette
from tests.analysis.generated_graphs import graphs
from tests.render.drawing.hostile import NAMES


class Read(NamedTuple):
    """labels: by box; frames: label and boxes inside; fills: by box."""

    labels: dict[int, list[str]]
    edges: set[tuple[int, int]]
    frames: list[tuple[str, list[int]]]
    fills: dict[int, str]


def entities(text: str) -> str:
    assert not set('"<>[](){}|`\\') & set(text.replace("<br/>", ""))
    return re.sub(r"#(\d+);", lambda found: chr(int(found[1])), text)


def read_mermaid(text: str) -> Read:
    found = Read({}, set(), [], {})
    classes: dict[str, str] = {}
    inside: list[int] = []
    head, _, body = text.partition("flowchart TB\n")
    assert re.fullmatch(r'---\ntitle: "[^\n]*"\n---\n', head)
    for line in body.splitlines():
        line = line.strip()
        if match := re.fullmatch(r'subgraph f(\d+)\["([^"]*)"\]', line):
            assert int(match[1]) == len(found.frames)
            inside.append(len(found.frames))
            found.frames.append((entities(match[2]), []))
        elif line == "end":
            inside.pop()
        elif match := re.fullmatch(r'n(\d+)(\(\(|\(\[|\[)"([^"]*)"(\)\)|\]\)|\])', line):
            key = int(match[1])
            found.labels[key] = [entities(part) for part in match[3].split("<br/>")]
            for frame in inside:
                found.frames[frame][1].append(key)
        elif match := re.fullmatch(r"n(\d+) --> n(\d+)", line):
            found.edges.add((int(match[1]), int(match[2])))
        elif match := re.fullmatch(r"classDef (\w+) fill:(#\w{6}),stroke:#\w{6},color:#\w{6}", line):
            classes[match[1]] = match[2]
        elif match := re.fullmatch(r"class ([nf\d,]+) (\w+)", line):
            found.fills.update(
                {int(key[1:]): classes[match[2]] for key in match[1].split(",") if key[0] == "n"}
            )
        else:
            raise AssertionError(line)
    assert not inside
    return found


STRING = r'"((?:[^"\\]|\\.)*)"'


def unquoted(text: str) -> list[str]:
    lines = [""]
    for token in re.findall(r"\\.|[^\\]", text):
        if token == r"\n":
            lines.append("")
        else:
            lines[-1] += token[-1]
    return [html.unescape(line) for line in lines]


def read_dot(text: str) -> Read:
    found = Read({}, set(), [], {})
    inside: list[int] = []
    first, *lines, last = text.splitlines()
    assert re.fullmatch(rf"digraph {STRING} {{", first)
    assert last == "}"
    for line in lines[3:]:
        line = line.strip()
        if match := re.fullmatch(r"subgraph cluster_(\d+) {", line):
            assert int(match[1]) == len(found.frames)
            inside.append(len(found.frames))
            found.frames.append(("", []))
        elif match := re.fullmatch(rf"label={STRING}; labeljust=.*", line):
            found.frames[inside[-1]] = (unquoted(match[1])[0], found.frames[inside[-1]][1])
        elif line == "}":
            inside.pop()
        elif match := re.fullmatch(
            rf'n(\d+) \[label={STRING}, tooltip={STRING}, fillcolor="(#\w+)", .*\]', line
        ):
            key = int(match[1])
            found.labels[key] = unquoted(match[2])
            found.fills[key] = match[4]
            for frame in inside:
                found.frames[frame][1].append(key)
        elif match := re.fullmatch(r"n(\d+) -> n(\d+)", line):
            found.edges.add((int(match[1]), int(match[2])))
        else:
            raise AssertionError(line)
    assert not inside
    return found


FORMATS = [(mermaid.text, read_mermaid), (dot.text, read_dot)]


def check(drawn: Boxes) -> None:
    for write, read in FORMATS:
        found = read(write(drawn))
        assert list(found.labels) == [box.key for box in drawn.boxes]
        assert found.edges == {(source, box.key) for box in drawn.boxes for source in box.inputs}
        assert [keys for _, keys in found.frames] == [
            list(range(frame.first, frame.last + 1)) for frame in drawn.frames
        ]
        assert found.fills == {box.key: palette.colour(box.kind) for box in drawn.boxes}


@pytest.mark.parametrize(
    "name", ["resnet50", "torchvision/densenet121", "yolov3", "googlenet", "torchvision/swin_t"]
)
def test_bundled_networks(name: str) -> None:
    check(boxes(analyse(load_graph(name))))


@given(graphs())
def test_generated_networks(graph: Graph) -> None:
    check(boxes(analyse(graph)))


@pytest.mark.parametrize(("write", "read"), FORMATS)
def test_labels(write, read) -> None:
    found = read(write(boxes(analyse(load_graph("resnet50")))))
    assert found.labels[1] == ["conv K64 F7 S2 P3", "bn · relu", "64×112×112"]
    assert found.labels[7] == ["+"]
    assert [label for label, _ in found.frames] == [
        "×2 conv2.2–3",
        "×3 conv3.2–4",
        "×5 conv4.2–6",
        "×2 conv5.2–3",
    ]
    last = read(write(boxes(analyse(load_graph("resnet50"))), sizes="hwc"))
    assert last.labels[1][-1] == "112×112×64"


@pytest.mark.parametrize(("write", "read"), FORMATS)
@pytest.mark.parametrize("name", NAMES)
def test_hostile_names(name: str, write, read) -> None:
    drawn = Boxes(
        name,
        name,
        (
            Box(0, "input", "input", None, ("input",), (3, 5, 7)),
            Box(1, name, "block", None, (name, "2 conv"), (3, 5, 7), (0,)),
            Box(2, name, "join", None, ("add",), (3, 5, 7), (1,), form="join", symbol="+"),
        ),
        (Frame(name, 1, 2, 4, "96 to 256 channels"),),
        ((name, 1), ("other", 2)),
    )
    text = write(drawn)
    assert len(text) < 5_000
    assert not re.search("[\\x00-\\x09\\x0b-\\x1f\\u202a-\\u202e\\u2066-\\u2069]", text)
    found = read(text)
    kept = lettering.cut(name, 320, 12)
    if write is mermaid.text:
        kept = kept.replace("\\", "∖")
    assert found.labels[1] == [kept, "2 conv", "3×5×7", lettering.cut(f"→ {kept}", 320, 12)]
    assert found.frames == [(f"×4 {kept} · 96 to 256 channels", [1, 2])]
    assert found.edges == {(0, 1), (1, 2)}


@pytest.mark.parametrize(("write", "read"), FORMATS)
def test_other_fills(write, read) -> None:
    drawn = boxes(analyse(load_graph("lenet5")))
    fills = {box.key: f"ramp:{box.key / 20}" for box in drawn.boxes if box.kind != "input"}
    found = read(write(drawn, fills=fills))
    assert found.fills == {box.key: palette.colour(fills.get(box.key, box.kind)) for box in drawn.boxes}
