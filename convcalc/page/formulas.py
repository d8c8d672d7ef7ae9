"""The formulas of a network's figures as the data of a page, which `script/evaluator.js` evaluates.

    {"sliders":    [{"label", "kind", "value", "low", "high", "step", "option"}],
     "constants":  [number, …],                        # null: none, as of a division by zero
     "operations": [operation, left, right, …],        # three numbers each; of one operand, right is left again
     "rows":       [[shape, weights, biases, buffers, macs, bytes, said], …],
     "layouts":    [[row, …], …],                      # a row per layer
     "said":       [[[[guards, operator, drawn], …], [[guards, [[label, text, label if alike], …]], …]], …],
     "texts":      [[piece, …], …],
     "variants":   [{"guards": [guard, …], "inputs": [shape, …], "layout", "error",
                    "fields": [guards, [text of each layer, …]]}, …],
     "inputs":     [[name, [slider or −1 − size, …]], …],  # what --input gives
     "command":    "convcalc show alexnet",
     "structural": [variable, …]}

A value is an index: first come the sliders in their order, then the constants, then the operations, each of which reads
values before it. An operation is an index of `OPERATIONS`; integers and floats mean what they mean in Python. A shape
is a list of values. A truth is 0 or 1.

A guard is 2·value + truth, and holds if the value has this truth. The first variant all of whose guards hold gives the
figures. Its `layout` is null where there is no network with these layers: `error` is then the text that says why, or
null if there is a network with other layers. What is said of a layer, of its operator and in its worked figures, is in
each of the two lists of `said` the first entry whose guards hold. Lines one after another whose texts are equal and
that have the same third label are one line with that label: the output's height and width. A text is a list of pieces:
a text, 2·value for a number, or 2·value + 1 for one with its thousands separated by commas.

kind: size, channels, batch or variable. option: what the command line calls it, as `--set width`, or null for a size.
always: whether the command names it even where it stands. inputs: none where the spec computes the sizes.
structural: variables that decide which layers there are, and have no slider.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from convcalc.analysis import box_words
from convcalc.analysis.analyse import Analysis
from convcalc.analysis.explain import worked_figures
from convcalc.analysis.tracing.formulas import Formulas, Variant
from convcalc.analysis.tracing.numbers import Hole
from convcalc.analysis.tracing.sliders import BATCH
from convcalc.analysis.tracing.table import CONSTANT, SYMBOL, evaluated, needs
from convcalc.analysis.tracing.texts import Describe, LayerText, Text
from convcalc.analysis.tracing.variants import formulas
from convcalc.graph import Graph, Node
from convcalc.language.bundled import is_model
from convcalc.language.load import Loader
from convcalc.ops import Operator
from convcalc.report import words
from convcalc.shapes import AXIS_NAMES

MAX_LAYERS = 5_000  # of a network with sliders

# As evaluator.js numbers them.
OPERATIONS = (
    "+", "-", "*", "//", "%", "/", "<", "<=", "==", "!=", "&", "|", "max", "floor", "ceil", "trunc", "round",
)  # fmt: skip

# Labels of a worked size per axis, and the label of one for all axes.
ALIKE = {f"output {name}": "output size" for names in AXIS_NAMES.values() if len(names) > 1 for name in names}


def worked(graph: Graph, node: Node) -> list[tuple[str, str]]:
    """The worked figures of a layer, apart from its receptive field."""
    return [(line.what, line.text) for line in worked_figures(graph, node)]


def named(op: Operator) -> list[tuple[str, str]]:
    """An operator in the table, and in its box of the drawing."""
    return [("operator", words.operator(op)), ("drawn", box_words.first_line(op))]


DESCRIBE = Describe(named, worked, words.field)


def network_formulas(analysis: Analysis, arch: str, settings: Mapping[str, str]) -> dict[str, Any] | None:
    """The data of the sliders of a network; None where it is too large, or where its formulas are not its figures.

    arch, settings: what it was loaded with. Of what is no spec in a file, only the batch has a slider.
    """
    if len(analysis.graph) > MAX_LAYERS:
        return None
    loader = None if arch == "-" or is_model(arch) else Loader(arch)
    found = formulas(analysis, loader, settings, DESCRIBE)
    if found is None:
        return None
    command = ["convcalc", "show", arch]
    moved = {slider.symbol for slider in found.sliders}
    for name, text in settings.items():
        if name not in moved:
            command += ["--set", f"{name}={text}"]
    if analysis.dtype != "float32":
        command += ["--dtype", analysis.dtype]
    own = loader and loader.inputs(settings, {})
    always = {*settings, *([BATCH] if analysis.batch != 1 else [])}
    if own is not None and own != analysis.graph.inputs:
        always |= {symbol for _, axes in found.inputs for symbol in axes}
    return value(found, shlex.join(command), always)


def value(found: Formulas, command: str, always: Collection[str] = ()) -> dict[str, Any]:
    """The data of a page's sliders. command: what shows the same network on the command line; always: the symbols that
    are in it even where their sliders have not moved."""
    places = {slider.symbol: place for place, slider in enumerate(found.sliders)}
    writer = _Writer(found)
    variants = [writer.variant(variant) for variant in found.variants]
    return {
        "sliders": [
            {
                "label": slider.label,
                "kind": slider.kind,
                "value": slider.value,
                "low": slider.low,
                "high": slider.high,
                "step": slider.step,
                "option": {"variable": f"--set {slider.symbol}", "batch": "--batch"}.get(slider.kind),
                "always": slider.symbol in always,
            }
            for slider in found.sliders
        ],
        "constants": writer.constants,
        "operations": writer.operations,
        "rows": list(writer.rows),
        "layouts": [list(layout) for layout in writer.layouts],
        "said": list(writer.said),
        "texts": [list(text) for text in writer.texts],
        "variants": variants,
        "inputs": [
            [name, [places.get(symbol, -1 - int(found.values[symbol])) for symbol in axes]]
            for name, axes in found.inputs
        ],
        "command": command,
        "structural": list(found.structural),
    }


class _Writer:
    """Numbers the values that are needed, and what occurs more than once."""

    def __init__(self, found: Formulas) -> None:
        table = found.table
        self.constants: list[Any] = []
        self.operations: list[int] = []
        self.rows: dict[tuple[Any, ...], int] = {}
        self.layouts: dict[tuple[int, ...], int] = {}
        self.said: dict[tuple[Any, ...], int] = {}
        self.texts: dict[tuple[Any, ...], int] = {}
        self._index: dict[int, int] = {}
        sliders = {slider.symbol: place for place, slider in enumerate(found.sliders)}
        needed = sorted(needs(table, _nodes(found.variants)))
        fixed: dict[int, Any] = {}  # nodes that no slider moves, by node
        at = evaluated(table, found.values, needed)
        for node in needed:
            operation, left, right = table.nodes[node]
            if operation == SYMBOL and left in sliders:
                continue
            is_leaf = operation in (SYMBOL, CONSTANT)
            if is_leaf or (left in fixed and (right < 0 or right in fixed)):
                fixed[node] = at[node]
        operands = self._operands(found, needed, fixed)
        known: dict[tuple[type, Any], int] = {}
        for node in needed:
            operation, left, right = table.nodes[node]
            if node in fixed:
                if node not in operands:
                    continue
                number = int(at[node]) if isinstance(at[node], bool) else at[node]
                number = number if math.isfinite(number) else None
                place = known.setdefault((type(number), number), len(known))
                if place == len(self.constants):
                    self.constants.append(number)
                self._index[node] = len(sliders) + place
        first = len(sliders) + len(self.constants)
        for node in needed:
            operation, left, right = table.nodes[node]
            if node in fixed:
                continue
            if operation == SYMBOL:
                self._index[node] = sliders[left]
                continue
            self._index[node] = first + len(self.operations) // 3
            second = left if right < 0 else right
            self.operations += [OPERATIONS.index(operation), self._index[left], self._index[second]]

    def _operands(self, found: Formulas, needed: Iterable[int], fixed: dict[int, Any]) -> set[int]:
        """The nodes that operations read, or that are themselves asked for."""
        operands = set(_nodes(found.variants))
        for node in needed:
            if node not in fixed:
                _, left, right = found.table.nodes[node]
                operands.update([left, right] if right >= 0 else [left])
        return operands

    def variant(self, variant: Variant) -> dict[str, Any]:
        """A variant's entry."""
        index = self._index
        rows: list[int] = []
        for place, layer in enumerate(variant.layers):
            row: tuple[Any, ...] = (
                tuple([index[node] for node in layer.shape]),
                *[index[node] for node in layer[1:6]],
                self.saying(variant.texts[place]) if variant.texts else None,
            )
            rows.append(self.rows.setdefault(row, len(self.rows)))
        fields = variant.fields
        layout = self.layouts.setdefault(tuple(rows), len(self.layouts)) if rows else None
        return {
            "guards": self.guards(variant.guards),
            "inputs": [[index[node] for node in shape] for shape in variant.inputs],
            "layout": layout,
            "error": self.text(variant.error) if variant.error else None,
            "fields": fields and [self.guards(fields.guards), [self.text(text) for text in fields.layers]],
        }

    def guards(self, guards: Mapping[int, bool]) -> tuple[int, ...]:
        """Guards as numbers."""
        return tuple([2 * self._index[node] + truth for node, truth in guards.items()])

    def saying(self, text: LayerText) -> int:
        """The number of what is said of a layer."""
        operator = tuple(
            [
                (self.guards(each.guards), *[self.text(line) for _, line in each.lines])
                for each in text.operator
            ]
        )
        working = tuple(
            [
                (
                    self.guards(each.guards),
                    tuple([(label, self.text(line), ALIKE.get(label)) for label, line in each.lines]),
                )
                for each in text.working
            ]
        )
        return self.said.setdefault((operator, working), len(self.said))

    def text(self, text: Text) -> int:
        """The number of a text."""
        pieces: tuple[str | int, ...] = tuple(
            [
                piece if isinstance(piece, str) else 2 * self._index[piece.node] + (piece.form == ",")
                for piece in text
            ]
        )
        return self.texts.setdefault(pieces, len(self.texts))


def _nodes(variants: Iterable[Variant]) -> set[int]:
    """The nodes that variants ask for."""
    found: set[int] = set()
    for variant in variants:
        found.update(variant.guards)
        found.update(node for shape in variant.inputs for node in shape)
        found.update(piece.node for piece in variant.error if isinstance(piece, Hole))
        for layer in variant.layers:
            found.update(layer.shape, layer[1:6])
        if variant.fields:
            found.update(variant.fields.guards)
            found.update(
                piece.node for text in variant.fields.layers for piece in text if isinstance(piece, Hole)
            )
        for text in {id(text): text for text in variant.texts}.values():
            found |= text.guards()
            for wording in (*text.operator, *text.working):
                for _, line in wording.lines:
                    found.update(piece.node for piece in line if isinstance(piece, Hole))
    return found
