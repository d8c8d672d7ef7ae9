"""Worksheets: a network's table with blanks, or random single layers, with answers and working.

All randomness comes from a seed and `random()`, whose sequence Python guarantees. A single layer depends only on
its level, the seed and its number, so its name, `2.7.3`, suffices to reproduce it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Container, Iterator, Sequence
from math import prod
from typing import Any, NamedTuple, TypeVar

from convcalc import ops
from convcalc.analysis.analyse import Analysis, analyse
from convcalc.analysis.explain import explain
from convcalc.errors import ShapeError, UsageError
from convcalc.graph import INPUT, Builder, Graph, Node, single_input
from convcalc.language.synonyms import suggest
from convcalc.ops.dense import Dense
from convcalc.shapes import Shape, elements

Answer = int | tuple[int, ...]
Item = TypeVar("Item")

ASKS = {
    "output": "output size",
    "weights": "weights",
    "biases": "biases",
    "params": "params",
    "macs": "MACs",
    "field": "receptive field",
    "memory": "bytes of output",
}
HINTS = {
    "output": "each side is (W − F + 2P)/S + 1, rounded down; the depth is the number of filters",
    "weights": "a filter has F·F weights for each channel that it reads, and there are K filters; "
    "a dense unit has one for each input, a pool has none",
    "biases": "one for each filter or unit",
    "params": "weights and biases together",
    "macs": "the weights of one filter, once for every value of the output",
    "field": "the field before, and (F − 1) steps as wide as all strides before",
    "memory": "the values of the output, times 4 bytes of a float32",
}
LEVELS = range(1, 5)
MAX_AMOUNT = 200
NAME = re.compile(r"([1-4])\.(\d{1,9})\.(\d{1,4})")


class Exercise(NamedTuple):
    """A question. asks: the quantity, a key of ASKS; name: its number on the sheet, for a random layer
    level.seed.number; network: "" for a random layer; input_asked: whether the layer's input shape is the answer to
    another question of the sheet."""

    name: str
    network: str
    analysis: Analysis
    node: Node
    asks: str
    input_asked: bool = False

    @property
    def given_input(self) -> Shape | None:
        """The layer's input shape, channels first; None if the sheet asks for it."""
        return None if self.input_asked else self.node.input_shapes[0]

    @property
    def answer(self) -> Answer:
        """A shape, channels first; a receptive field's size per axis; or a number."""
        return value(self.analysis, self.node, self.asks)

    @property
    def working(self) -> str:
        """The worked line, such as `(227 − 11 + 2·0)/4 + 1 = 55`."""
        return "; ".join(_working(self))


class SheetRow(NamedTuple):
    """A layer on a worksheet, and the cells left blank."""

    name: str
    analysis: Analysis
    node: Node
    blanks: frozenset[str]

    def figure(self, asks: str) -> Answer | None:
        """One of the layer's figures; None if it has none."""
        if asks == "field" and self.analysis.layers[self.node.index].receptive_field is None:
            return None
        return value(self.analysis, self.node, asks)


class Sheet(NamedTuple):
    """A worksheet. columns: the keys of ASKS shown; network: "" for random layers; seed: None if nothing is random."""

    title: str
    network: str
    columns: tuple[str, ...]
    rows: tuple[SheetRow, ...]
    exercises: tuple[Exercise, ...]
    seed: int | None


def value(analysis: Analysis, node: Node, asks: str) -> Answer:
    """The quantity asked for."""
    layer = analysis.layers[node.index]
    if asks == "output":
        return layer.output_shape
    if asks == "field":
        assert layer.receptive_field is not None
        return tuple(int(size) for size in layer.receptive_field.size)
    number = layer.activation_bytes if asks == "memory" else getattr(layer, asks)
    assert isinstance(number, int)
    return number


def parse_asks(given: str | Sequence[str]) -> tuple[str, ...]:
    """Parse `output,weights` or a list into keys of ASKS, in their order. Raises UsageError."""
    text = given if isinstance(given, str) else ",".join(given)
    names = {part.strip().lower() for part in text.split(",") if part.strip()}
    for name in names:
        if name not in ASKS:
            raise UsageError(
                f"--blank: there is nothing called '{name}' to leave out{suggest(name, ASKS, 'column')}",
                hint=f"choose from {', '.join(ASKS)}",
            )
    if not names:
        raise UsageError("--blank names nothing to leave out", hint=f"choose from {', '.join(ASKS)}")
    return tuple(name for name in ASKS if name in names)


def parse_levels(given: str | int) -> list[int]:
    """Parse the levels in `2` or `1-4`. Raises UsageError."""
    first, dash, last = str(given).partition("-")
    try:
        low, high = int(first), int(last if dash else first)
    except ValueError:
        low = high = 0
    if not 1 <= low <= high <= 4:
        raise UsageError(
            f"--level {given}: needs a level from 1 to 4, or a range", hint="for example --level 2-4"
        )
    return list(range(low, high + 1))


def worksheet(
    analysis: Analysis | None = None,
    *,
    blank: str | Sequence[str] | None = None,
    amount: int | None = None,
    seed: int = 0,
    level: str | int = "1-4",
) -> Sheet:
    """A worksheet of a network, or of random single layers of these levels.

    blank: the keys of ASKS to ask; amount: number of random cells instead of all, or of random layers. Raises
    UsageError.
    """
    if amount is not None and amount < 1:
        raise UsageError(f"--amount {amount}: needs at least 1")
    if not 0 <= seed < 10**9:
        raise UsageError(f"--seed {seed}: needs a number from 0 to 999,999,999")
    asks = None if blank is None else parse_asks(blank)
    if analysis is not None:
        return network_sheet(analysis, asks or ("output", "weights"), amount, seed)
    return layers_sheet(parse_levels(level), asks, amount or 8, seed)


# -- a network's table -----------------------------------------------------------------------------------


def network_sheet(analysis: Analysis, asks: Sequence[str], amount: int | None, seed: int) -> Sheet:
    """A network's layers with blanks: all quantities in `asks`, or `amount` of them at random."""
    graph = analysis.graph
    nodes = [node for node in graph if node.inputs and (not node.op.pointwise or node.parameters)]
    cells = [(node, name) for node in nodes for name in asks if _askable(analysis, node, name)]
    if not cells:
        raise UsageError(
            f"{graph.name} has nothing to ask about {', '.join(asks)}", hint=f"choose from {', '.join(ASKS)}"
        )
    drawn = amount is not None and amount < len(cells)
    if drawn and amount is not None:
        chosen = set(_sample(random.Random(f"{graph.name} {seed}"), len(cells), amount))
        cells = [cell for number, cell in enumerate(cells) if number in chosen]
    blanks: dict[int, set[str]] = {node.index: set() for node in nodes}
    for node, name in cells:
        blanks[node.index].add(name)
    rows = tuple(SheetRow(node.name, analysis, node, frozenset(blanks[node.index])) for node in nodes)
    asked = {node.index for node, name in cells if name == "output"}
    exercises = tuple(
        Exercise(str(number), graph.name, analysis, node, name, _reads_asked(graph, node, asked))
        for number, (node, name) in enumerate(cells, 1)
    )
    shown = tuple(name for name in ASKS if name in asks or name in ("output", "weights"))
    title = graph.title or graph.name
    return Sheet(title, graph.name, shown, rows, exercises, seed if drawn else None)


def _reads_asked(graph: Graph, node: Node, asked: Container[int]) -> bool:
    """Whether the shown input shape would reveal an answer: the layer reads the output of a layer that is asked
    for, directly or through pointwise layers."""
    for source, shape in zip(node.inputs, node.input_shapes, strict=True):
        index = source
        while index >= 0 and index not in asked and graph.nodes[index].op.pointwise:
            index = graph.nodes[index].inputs[0]
        if index in asked and shape == node.input_shapes[0]:
            return True
    return False


def _askable(analysis: Analysis, node: Node, asks: str) -> bool:
    """Whether the quantity is worth asking: the output always; weights if there are any, or if a student might
    think so."""
    layer = analysis.layers[node.index]
    if asks == "output":
        return True
    if asks == "memory":
        return not node.op.pointwise
    if asks == "field":
        return layer.receptive_field is not None and not node.op.pointwise
    if asks == "macs":
        return layer.macs > 0
    return layer.params > 0 or (asks == "weights" and node.op.role == "pooling")


def _sample(chance: random.Random, total: int, amount: int) -> list[int]:
    """`amount` distinct numbers below `total`."""
    numbers = list(range(total))
    for place in range(amount):
        other = place + int(chance.random() * (total - place))
        numbers[place], numbers[other] = numbers[other], numbers[place]
    return numbers[:amount]


# -- single layers -----------------------------------------------------------------------------------------


def layers_sheet(levels: Sequence[int], asks: Sequence[str] | None, amount: int, seed: int) -> Sheet:
    """`amount` random single layers with rising levels. Raises UsageError."""
    if amount > MAX_AMOUNT:
        raise UsageError(f"--amount {amount}: at most {MAX_AMOUNT} single layers", hint="make several sheets")
    rows, exercises = [], []
    for number in range(1, amount + 1):
        level = levels[(number - 1) * len(levels) // amount]
        name = f"{level}.{seed}.{number}"
        analysis = single_layer(level, seed, number)
        node = analysis.graph.nodes[0]
        wanted = asks or (("output", "weights") if level < 3 else ("output", "weights", "macs"))
        asked = [key for key in wanted if _askable(analysis, node, key)]
        rows.append(SheetRow(name, analysis, node, frozenset(asked)))
        exercises += [Exercise(name, "", analysis, node, key) for key in asked]
    used = {exercise.asks for exercise in exercises}
    title = "Layers by hand, " + (
        f"levels {levels[0]} to {levels[-1]}" if len(levels) > 1 else f"level {levels[0]}"
    )
    return Sheet(title, "", tuple(key for key in ASKS if key in used), tuple(rows), tuple(exercises), seed)


def single_layer(level: int, seed: int, number: int) -> Analysis:
    """The random layer with this name.

    1: a convolution without padding. 2: padding and strides without remainder, pools. 3: different heights and
    widths, strides with a remainder. 4: dilation, groups, depthwise, `same`, uneven padding, deconvolution.
    """
    chance = random.Random(f"layer {level} {seed} {number}")
    for _ in range(10_000):
        kind, fields, shape = next(_random_drafts(level, chance))
        infos = ops.get(kind).fields()
        builder = Builder(single_input(shape), 1)
        try:
            builder.add(
                kind, ops.get(kind)(**{n: infos[n].kind.check(v) for n, v in fields.items()}), (INPUT,)
            )
        except ShapeError:
            continue
        node = builder.nodes[0]
        if _fits_level(level, node):
            return analyse(Graph.of("a layer", shape, (node,), 0))
    raise AssertionError("no layer of this level was found")  # pragma: no cover - drafts mostly fit


def _random_drafts(level: int, chance: random.Random) -> Iterator[tuple[str, dict[str, Any], Shape]]:
    def pick(items: Sequence[Item]) -> Item:
        return items[int(chance.random() * len(items))]

    while True:
        channels = pick((1, 3) if level == 1 else (3, 6, 16, 32, 64))
        side = pick(range(6, 33)) if level == 1 else pick(range(8, 65))
        other = side if level < 3 else pick(range(8, 65))
        filters = pick((2, 4, 6, 8, 10, 16) if level == 1 else (8, 16, 20, 32, 64, 96))
        kernel: Any = pick((2, 3, 5, 7) if level == 1 else (1, 2, 3, 5, 7, 11))
        shape = (channels, side, other)
        fields: dict[str, Any] = {"filters": filters, "kernel": kernel}
        if level == 1:
            yield "conv", fields, shape
        elif level < 4:
            fields |= {"stride": pick((1, 2, 3, 4)), "padding": pick((0, 1, 2, 3))}
            if pick(range(4)):
                yield "conv", fields, shape
            else:
                window = {"kernel": pick((2, 3)), "stride": pick((1, 2))}
                yield pick(("maxpool", "avgpool")), window, shape
        else:
            stride = pick((1, 2))
            twist = pick(("dilation", "groups", "depthwise", "same", "uneven", "rectangle", "deconv", "ceil"))
            fields |= {"stride": stride, "padding": pick((0, 1, 2))}
            if twist == "deconv":
                yield "deconv", fields | {"stride": 2, "filters": pick((8, 16, 32))}, shape
            elif twist == "ceil":
                yield "maxpool", {"kernel": 3, "stride": 2, "rounding": "ceil"}, shape
            else:
                yield "conv", fields | _special_fields(twist, pick), shape


def _special_fields(twist: str, pick: Any) -> dict[str, Any]:
    return {
        "dilation": {"dilation": pick((2, 3)), "kernel": 3},
        "groups": {"groups": pick((2, 4)), "filters": pick((16, 32, 64)), "kernel": pick((1, 3))},
        "depthwise": {"depthwise": True, "filters": None, "kernel": pick((3, 5)), "padding": 1},
        "same": {"padding": "same"},
        "uneven": {"padding": [[0, 1], [pick((1, 2)), 0]], "kernel": pick((2, 3))},
        "rectangle": {"kernel": [1, pick((3, 5, 7))], "padding": [0, 1]},
    }[twist]


def _fits_level(level: int, node: Node) -> bool:
    if min(node.output_shape[1:]) < 2:
        return False
    windows = node.op.windows(node.input_shapes)
    if any(2 * max(axis.before, axis.after) >= max(2, axis.extent) for axis in windows):
        return False
    remainders = [axis.remainder for axis in windows]
    if level == 2:
        return not any(remainders)
    if level == 3:
        return any(remainders) and node.output_shape[1] != node.output_shape[2]
    return True


def find(name: str, asks: str) -> Exercise | None:
    """The exercise on a random layer with this name; None if it is not such a name."""
    match = NAME.fullmatch(name.strip())
    if match is None or asks not in ASKS:
        return None
    analysis = single_layer(*map(int, match.groups()))
    return Exercise(name.strip(), "", analysis, analysis.graph.nodes[0], asks)


# -- working -----------------------------------------------------------------------------------------------


def _working(exercise: Exercise) -> list[str]:
    node, asks = exercise.node, exercise.asks
    layer = exercise.analysis.layers[node.index]
    lines = {line.what: line.text for line in explain(exercise.analysis, node)}
    if asks == "output":
        texts = [
            text if what == "output size" else f"{what.removeprefix('output ')} {text}"
            for what, text in lines.items()
            if what.startswith("output ")
        ]
        return texts or [_size_reason(node)]
    if asks == "params":
        return [f"{layer.weights:,} weights + {layer.biases:,} biases = {layer.params:,}"]
    if asks == "memory":
        shape = "·".join(map(str, node.output_shape))
        return [f"{shape} values · {layer.activation_bytes // elements(node.output_shape)} bytes"]
    if asks == "biases" and layer.biases:
        return [f"one for each output channel: {layer.biases:,}"]
    text = lines.get(ASKS[asks], "")
    if not text and not exercise.answer:
        return [f"{node.kind} has no {ASKS[asks]}: 0"]
    return [text] if text else []


def _size_reason(node: Node) -> str:
    if isinstance(node.op, Dense):
        return f"one for each of its units: {node.output_shape[-1]}"
    if node.input_shapes[0] == node.output_shape:
        return f"{node.kind} keeps its input's shape"
    if prod(node.output_shape[1:]) == 1:
        return f"{node.kind} leaves one value of each channel"
    return ""
