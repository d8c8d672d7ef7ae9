"""What a drawing shows as one box: a layer with the pointwise layers behind it, or a folded block; and which boxes are
framed because they follow one another several times. Records without coordinates: layouts place them."""

from __future__ import annotations

from typing import Literal, NamedTuple

from convcalc.analysis import box_words
from convcalc.analysis.analyse import Analysis
from convcalc.analysis.fold import FoldedRow, rows
from convcalc.ops import Operator
from convcalc.shapes import Shape

Form = Literal["box", "join", "pill"]


class Box(NamedTuple):
    """What is drawn as one.

    key: its place in `Boxes.boxes`; the inputs of the network come first. name: the path of its layer or folded block,
    without `Boxes.prefix`. kind: the fill, a role of the palette: `conv`, …, `block`, `input`. op: the operator of its
    first layer; None for a block or an input. words: the first line, then smaller ones. shape: of its output. inputs:
    keys of the boxes it reads, each once, in order. layers: indices of its nodes. weights, biases, macs,
    activation_bytes: sums over these. form: `join` is drawn as a circle with `symbol`, `pill` is a concatenation.
    copies: the nodes that correspond to `layers` in each further copy, for a box inside frames.
    """

    key: int
    name: str
    kind: str
    op: Operator | None
    words: tuple[str, ...]
    shape: Shape
    inputs: tuple[int, ...] = ()
    layers: tuple[int, ...] = ()
    weights: int = 0
    biases: int = 0
    macs: int = 0
    activation_bytes: int = 0
    form: Form = "box"
    symbol: str = ""
    copies: tuple[tuple[int, ...], ...] = ()

    @property
    def params(self) -> int:
        """Weights and biases."""
        return self.weights + self.biases


class Frame(NamedTuple):
    """Boxes that follow one another `times` times; only the first copy's are in `Boxes.boxes`.

    first, last: keys, both inside. note: how the copies differ, such as `96 to 256 channels`; "" if they do not.
    depth: the number of frames around it.
    """

    name: str
    first: int
    last: int
    times: int
    note: str = ""
    depth: int = 0


class Boxes(NamedTuple):
    """A network as boxes in running order, inputs first. frames: outer ones first. outputs: the name of each output of
    the network and the key of the box that gives it. prefix: the common first part of all paths, `features.`, that
    the boxes' names leave out."""

    name: str
    title: str
    boxes: tuple[Box, ...]
    frames: tuple[Frame, ...] = ()
    outputs: tuple[tuple[str, int], ...] = ()
    prefix: str = ""


def boxes(
    analysis: Analysis, *, depth: int | None = None, unfold: bool = False, branches: bool = True
) -> Boxes:
    """The boxes of a network. depth: folds whatever lies deeper than this many path segments; unfold: shows every copy
    of what is repeated; branches False: a module with branches is one block."""
    graph = analysis.graph
    parts = rows(analysis, depth=depth)
    prefix = _common_prefix([part.name for part in parts])
    result = [
        Box(
            key=key,
            name=entry.name,
            kind="input",
            op=None,
            words=(entry.name,),
            shape=entry.shape,
        )
        for key, entry in enumerate(graph.inputs)
    ]
    home = {index: key for key, index in enumerate(graph.input_indices)}
    home |= {node.index: key for key, part in enumerate(parts, len(result)) for node in part.nodes}
    for key, part in enumerate(parts, len(result)):
        read = dict.fromkeys(home[source] for node in part.nodes for source in node.inputs)
        result.append(_box(analysis, key, part, prefix, tuple([source for source in read if source != key])))
    outputs = tuple([(output.name, home[output.node]) for output in graph.outputs])
    return Boxes(graph.name, graph.title or "", tuple(result), (), outputs, prefix)


def _box(analysis: Analysis, key: int, part: FoldedRow, prefix: str, inputs: tuple[int, ...]) -> Box:
    name = part.name.removeprefix(prefix)
    op = part.nodes[0].op
    return Box(
        key=key,
        name=name,
        kind="block" if part.block else op.drawn_as,
        op=None if part.block else op,
        words=box_words.of_block(name, part.nodes) if part.block else box_words.of_layers(part.nodes),
        shape=part.output_shape,
        inputs=inputs,
        layers=tuple([node.index for node in part.nodes]),
        weights=part.weights,
        biases=part.biases,
        macs=part.macs,
        activation_bytes=sum([analysis.layers[node.index].activation_bytes for node in part.nodes]),
        form="box" if part.block else _form(op),
        symbol="" if part.block else _symbol(op),
    )


def _form(op: Operator) -> Form:
    if op.role == "join" and op.kind in box_words.SIGNS:
        return "join"
    return "pill" if op.kind == "concat" else "box"


def _symbol(op: Operator) -> str:
    return box_words.SIGNS.get(op.kind, "concat" if op.kind == "concat" else "")


def _common_prefix(names: list[str]) -> str:
    """The path segments, with a dot, that all names begin with; every name keeps at least one segment."""
    if not names:
        return ""
    shared = min(names).split(".")[:-1]
    for other in (max(names),):
        segments = other.split(".")[:-1]
        while segments[: len(shared)] != shared:
            shared.pop()
    return ".".join(shared) + "." if shared else ""
