"""What a drawing shows as one box: a layer with the pointwise layers behind it, or a folded block; and which boxes are
framed because they follow one another several times. Records without coordinates: layouts place them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from convcalc.analysis import box_words
from convcalc.analysis.analyse import Analysis
from convcalc.analysis.box_modules import Module, common_segments, modules
from convcalc.analysis.box_units import MAX_DEPTH, Folding, Repeat
from convcalc.analysis.fold import FoldedRow, row_of, rows
from convcalc.graph import Node, copies_path, uncollected
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
    with uncollected():
        return _boxes(analysis, depth, unfold, branches)


def _boxes(analysis: Analysis, depth: int | None, unfold: bool, branches: bool) -> Boxes:
    graph = analysis.graph
    parts = rows(analysis, depth=depth, drawn=True)
    reads, ends = _reads(analysis, parts)
    parts, constants = _with_constants(analysis, parts, reads, ends)
    if constants:
        reads, ends = _reads(analysis, parts)
    if not branches:
        parts = list(_merged(analysis, parts, modules(parts, reads, ends, len(graph.inputs))))
        reads, ends = _reads(analysis, parts)
    folding = Folding(graph, parts, reads, ends) if not unfold else None
    home = [folding.home(part) for part in range(len(parts))] if folding else list(range(len(parts)))
    prefix = _common_prefix(parts)
    inputs = [
        Box(key=key, name=entry.name, kind="input", op=None, words=(entry.name,), shape=entry.shape)
        for key, entry in enumerate(graph.inputs)
    ]
    keys: list[int] = []  # per part, of the box that is drawn for it
    copies: dict[int, list[tuple[int, ...]]] = {}
    count = len(inputs)
    for part, drawn in enumerate(home):
        keys.append(count if drawn == part else keys[drawn])
        if drawn == part:
            count += 1
        else:
            copies.setdefault(drawn, []).append(tuple([node.index for node in parts[part].nodes]))
    drawn_boxes = [
        _box(
            analysis,
            keys[part],
            row,
            [node for node in row.nodes if row.block or node.index not in constants],
            prefix,
            tuple(dict.fromkeys([keys[source] if source >= 0 else -1 - source for source in reads[part]])),
            tuple(copies.get(part, ())),
        )
        for part, row in enumerate(parts)
        if home[part] == part
    ]
    by_node = {node.index: keys[part] for part, row in enumerate(parts) for node in row.nodes}
    outputs = tuple(
        [
            (output.name, by_node[output.node] if output.node >= 0 else -1 - output.node)
            for output in graph.outputs
        ]
    )
    frames = tuple([_frame(repeat, keys, prefix) for repeat in folding.repeats]) if folding else ()
    return Boxes(
        graph.name, graph.title or "", tuple(_distinct([*inputs, *drawn_boxes])), frames, outputs, prefix
    )


def _distinct(found: Iterable[Box]) -> Iterator[Box]:
    """The boxes, a number behind a name that an earlier box has: of a block whose layers do not follow one another."""
    seen: dict[str, int] = {}
    names: set[str] = set()
    for box in found:
        name = box.name
        while name in names:
            seen[box.name] = seen.get(box.name, 1) + 1
            name = f"{box.name} ({seen[box.name]})"
        names.add(name)
        yield box if name == box.name else box._replace(name=name)


def _reads(analysis: Analysis, parts: Sequence[FoldedRow]) -> tuple[list[list[int]], set[int]]:
    """Per part, the parts and inputs that it reads, each once; and the parts that give outputs of the network."""
    own = {node.index: place for place, part in enumerate(parts) for node in part.nodes}
    reads = [
        list(
            dict.fromkeys(
                [
                    own[source] if source >= 0 else source
                    for node in part.nodes
                    for source in node.inputs
                    if source < 0 or own[source] != place
                ]
            )
        )
        for place, part in enumerate(parts)
    ]
    return reads, {own[output.node] for output in analysis.graph.outputs if output.node >= 0}


def _with_constants(
    analysis: Analysis, parts: list[FoldedRow], reads: Sequence[Sequence[int]], ends: set[int]
) -> tuple[list[FoldedRow], set[int]]:
    """The parts, those that depend on no input and that one part alone needs taken into it, unless it is a join: the
    table of a Swin transformer's attention. And the nodes that were taken in."""
    fixed: list[bool] = []
    readers: list[list[int]] = [[] for _ in parts]
    for place, sources in enumerate(reads):
        fixed.append(not parts[place].block and all(source >= 0 and fixed[source] for source in sources))
        for source in sources:
            if source >= 0:
                readers[source].append(place)
    owner = list(range(len(parts)))
    for place in reversed(range(len(parts))):
        if fixed[place] and len(readers[place]) == 1 and place not in ends:
            (reader,) = readers[place]
            joins = parts[reader].nodes[0].op.role == "join" or parts[reader].block
            if fixed[reader]:
                owner[place] = owner[reader] if owner[reader] != reader else place
            elif not joins:
                owner[place] = reader
    taken: dict[int, list[Node]] = {}
    for place, part in enumerate(parts):
        if owner[place] != place:
            taken.setdefault(owner[place], []).extend(part.nodes)
    return [
        row_of(analysis, part.name, [*taken[place], *part.nodes], False) if place in taken else part
        for place, part in enumerate(parts)
        if owner[place] == place
    ], {node.index for nodes in taken.values() for node in nodes}


def _merged(analysis: Analysis, parts: Sequence[FoldedRow], found: Iterable[Module]) -> Iterator[FoldedRow]:
    """The parts, those of each module as one."""
    done = 0
    for first, last, path in found:
        yield from parts[done:first]
        nodes = sorted(
            [node for part in parts[first : last + 1] for node in part.nodes], key=lambda node: node.index
        )
        yield row_of(analysis, path, nodes, True)
        done = last + 1
    yield from parts[done:]


def _box(
    analysis: Analysis,
    key: int,
    part: FoldedRow,
    main: Sequence[Node],
    prefix: str,
    inputs: tuple[int, ...],
    copies: tuple[tuple[int, ...], ...],
) -> Box:
    name = part.name.removeprefix(prefix)
    op = main[0].op
    return Box(
        key=key,
        name=name,
        kind="block" if part.block else op.drawn_as,
        op=None if part.block else op,
        words=box_words.of_block(name, part.nodes) if part.block else box_words.of_layers(main),
        shape=part.output_shape,
        inputs=inputs,
        layers=tuple([node.index for node in part.nodes]),
        weights=part.weights,
        biases=part.biases,
        macs=part.macs,
        activation_bytes=sum([analysis.layers[node.index].activation_bytes for node in part.nodes]),
        form="box" if part.block else _form(op),
        symbol="" if part.block else op.sign,
        copies=copies,
    )


def _frame(repeat: Repeat, keys: Sequence[int], prefix: str) -> Frame:
    first, last = (_short_path(path.removeprefix(prefix)) for path in (repeat.path, repeat.last_path))
    return Frame(
        name=copies_path(first, last) if first.count(".") == last.count(".") else f"{first} – {last}",
        first=keys[repeat.first],
        last=max(keys[repeat.first : repeat.last + 1]),
        times=repeat.times,
        note=repeat.note,
        depth=repeat.depth,
    )


def _short_path(path: str) -> str:
    """The last two segments; more if these are only numbers."""
    segments = path.split(".")
    count = 2
    while count < len(segments) and all(segment.isdigit() for segment in segments[-count:]):
        count += 1
    return ".".join(segments[-count:])


def _form(op: Operator) -> Form:
    if not op.sign:
        return "box"
    return "pill" if op.sign == op.kind else "join"


def _common_prefix(parts: Sequence[FoldedRow]) -> str:
    """The path segments, with a dot, that all names begin with."""
    if len(parts) < 2:
        return ""
    names = [part.name for part in parts]
    ends = [name.split(".", MAX_DEPTH) for name in (min(names), max(names))]
    shared = ".".join(common_segments(ends))
    return f"{shared}." if shared else ""
