"""Where a figure met elsewhere comes from: which convention, input size or variant of a network gives it.

Tools count differently. What each may add to the multiply-accumulates of convolutions and dense layers, or leave
out of the parameters, is a term: how many there are, and how much each counts. All combinations are tried, those
that depart least from our own conventions first; then other input sizes, then the other bundled networks of the
same family and the spec's own switches.

Two counters much quoted are known as a whole, from the tables in their READMEs: thop (PyTorch-OpCounter) counts
dense layers twice, biases, and 4 per element of batch normalisation; ptflops counts biases, activations, what
pools read, and 2 per element of batch normalisation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import product
from math import prod
from typing import NamedTuple

from convcalc.analysis.analyse import Analysis, analyse
from convcalc.analysis.quantities import Figure
from convcalc.errors import ConvcalcError
from convcalc.graph import Graph
from convcalc.language import bundled
from convcalc.language.load import load_graph
from convcalc.shapes import elements, show

SIDES = (224, 227, 256, 299, 320, 384, 288, 192, 160, 128, 96, 64, 32, 331, 380, 448, 456, 480, 512, 528, 600)
MOST = 6  # explanations reported
MOST_LAYERS = 5_000  # of a network that is read again with other sizes and switches
ENOUGH = 2.0  # departures after which other networks and sizes are tried too


class Term(NamedTuple):
    """One kind of thing that is counted: how many there are, and how much each counts."""

    what: str
    number: int
    each: int

    @property
    def sum(self) -> int:
        """number · each."""
        return self.number * self.each


class Explanation(NamedTuple):
    """A way to count that gives the figure or comes near it.

    network: whose counts; changes: what differs from the network asked for ("input 3×256×256"); convention: in
    words; terms: what is counted; departures: how far from our own conventions, less is more likely; reading: the
    figure as read (megabytes of 10⁶ or 2²⁰); tool: a counter that counts so; cut: the figure is the total with
    digits cut off, not rounded.
    """

    network: str
    changes: str
    convention: str
    terms: tuple[Term, ...]
    departures: float
    reading: Figure
    tool: str = ""
    cut: bool = False

    @property
    def total(self) -> int:
        """The terms' sum."""
        return sum(term.sum for term in self.terms)

    @property
    def left_over(self) -> Fraction:
        """The figure less the total."""
        return self.reading.value - self.total


class Reconciliation(NamedTuple):
    """The explanations of a figure, most likely first; or the nearest, where none gives it."""

    analysis: Analysis
    figure: Figure
    found: tuple[Explanation, ...]
    nearest: Explanation | None


class Choice(NamedTuple):
    """One way to treat a part of the network: in words ("" for our own), its terms, and how unusual it is."""

    words: str
    terms: tuple[Term, ...]
    departures: float
    tools: frozenset[str] = frozenset()


THOP, PTFLOPS = frozenset({"thop"}), frozenset({"ptflops"})
BOTH = THOP | PTFLOPS
NONE: frozenset[str] = frozenset()


def reconcile(
    analysis: Analysis, figure: Figure, arch: str, settings: Mapping[str, str] | None = None
) -> Reconciliation:
    """The explanations of a figure for a network; arch and settings are how it was asked for."""
    own = list(_explain(analysis.graph, figure, analysis.graph.name, "", 0.0))
    found = [one for one in own if one.reading.matches(one.total)]
    if not found or min(one.departures for one in found) > ENOUGH:
        found += [
            one
            for graph, name, changes, far in _variants(analysis.graph, figure, arch, settings or {})
            for one in _explain(graph, figure, name, changes, far)
            if one.reading.matches(one.total)
        ]
    if not found:
        found = [one._replace(cut=True) for one in own if one.reading.cut(one.total)]
    found.sort(key=lambda one: (one.departures, abs(one.left_over)))
    kept = _distinct(found)
    nearest = None
    if not kept:
        likely = [one for one in own if one.departures <= ENOUGH]
        nearest = min(likely or own, key=lambda one: (abs(one.left_over), one.departures), default=None)
    return Reconciliation(analysis, figure, tuple(kept), nearest)


def _distinct(found: Iterable[Explanation]) -> list[Explanation]:
    """The likely ones: no sum twice, and none that departs much further than the best."""
    kept: list[Explanation] = []
    for one in found:
        if any(one.total == other.total for other in kept) or len(kept) == MOST:
            continue
        if kept and one.departures > kept[0].departures + 1.5:
            break
        kept.append(one)
    return kept


def _explain(graph: Graph, figure: Figure, name: str, changes: str, far: float) -> Iterator[Explanation]:
    """Every way to count a graph that a figure of this unit may mean."""
    ways: list[list[list[Choice]]] = []
    readings = [("", 0.0, figure)]
    if figure.unit in ("params", "any"):
        ways.append(_parameters(graph))
    if figure.unit in ("macs", "flops", "any"):
        ways += [_operations(graph, 1, figure), _operations(graph, 2, figure)]
    if figure.unit == "bytes":
        ways += _memory(graph)
        if figure.binary is None and figure.scale > 1:
            readings.append(("in units of 1,024", 0.25, figure.in_powers_of_1024()))
    for parts, (words, unusual, reading) in product(ways, readings):
        for choices in product(*parts):
            terms = tuple(term for choice in choices for term in choice.terms if term.sum)
            if terms:
                convention = ", ".join(filter(None, (*(choice.words for choice in choices), words)))
                departures = sum(choice.departures for choice in choices)
                tools = frozenset.intersection(*(choice.tools for choice in choices))
                tool = min(tools) if tools and departures else ""
                departures = far + unusual + (min(1.0, departures) if tool else departures)
                yield Explanation(name, changes, convention, terms, departures, reading, tool)


# -- what can be counted ---------------------------------------------------------------------------------


def _operations(graph: Graph, factor: int, figure: Figure) -> list[list[Choice]]:
    """The choices for multiply-accumulates (factor 1) or operations, two per MAC (factor 2)."""
    macs = {"dense": 0, "conv": 0}
    counts = dict.fromkeys(("bias", "batchnorm", "activation", "average", "pooled", "join"), 0)
    for node in graph:
        op, outputs = node.op, elements(node.output_shape)
        if own := op.macs(node.input_shapes):
            macs["dense" if node.kind == "dense" else "conv"] += own
            counts["bias"] += outputs * any(parameter.role == "bias" for parameter in node.parameters)
        elif node.kind == "batchnorm":
            counts["batchnorm"] += outputs
        elif op.role == "activation":
            counts["activation"] += outputs
        elif op.role == "pooling":
            counts["pooled"] += elements(node.input_shapes[0])
            counts["average"] += _averaging(node.kind, node.input_shapes[0], node.output_shape, op)
        elif node.kind in ("add", "multiply"):
            counts["join"] += outputs * (len(node.inputs) - 1)
    unusual = {1: 0.5 if figure.unit == "flops" else 0.0, 2: 0.0 if figure.unit == "flops" else 1.0}[factor]
    if figure.unit == "macs" and factor == 2:
        unusual = 3.0
    base = "MACs" if factor == 1 else "FLOPs, 2 per MAC"
    conv = Term("multiply-accumulates of convolutions", macs["conv"], factor)
    dense = Term("multiply-accumulates of dense layers", macs["dense"], factor)
    tools = BOTH if factor == 1 else NONE
    parts = [[Choice(base, (conv,), unusual, tools)]]
    if macs["dense"] and macs["conv"]:
        parts.append(
            [
                Choice("", (dense,), 0.0, PTFLOPS),
                Choice("dense layers left out", (), 1.5),
                *(
                    [Choice("dense layers at 2 per MAC", (dense._replace(each=2),), 2.0, THOP)]
                    if factor == 1
                    else []
                ),
            ]
        )
    elif macs["dense"]:
        parts[0] = [Choice(base, (dense,), unusual, PTFLOPS & tools)]
    extras = (
        ("bias", "additions of biases", "biases", {1: BOTH}, 1.0),
        (
            "batchnorm",
            "elements normalised by batch",
            "batch normalisation",
            {2: PTFLOPS, 1: NONE, 4: THOP},
            1.0,
        ),
        ("activation", "elements of activations", "activations", {0: THOP, 1: PTFLOPS}, 1.25),
        ("average", "additions and divisions of average pools", "average pooling", {0: BOTH, 1: NONE}, 1.25),
        ("pooled", "elements read by pools", "pooling", {0: THOP, 1: PTFLOPS}, 1.5),
        ("join", "elements joined", "joins of branches", {0: BOTH, 1: NONE}, 1.5),
    )
    for key, what, words, tools_of, far in extras:
        if counts[key]:
            each = [number for number in tools_of if number]
            taken = [
                Choice(
                    f"with {words}" + (f" at {number}" if len(each) > 1 else ""),
                    (Term(what, counts[key], number),),
                    far + 0.5 * place,
                    tools_of[number],
                )
                for place, number in enumerate(each)
            ]
            parts.append([Choice("", (), 0.0, tools_of.get(0, NONE)), *taken])
    return parts


def _averaging(kind: str, shape: tuple[int, ...], output: tuple[int, ...], op: object) -> int:
    """What thop counts for average pools: per output, its window's additions and one division."""
    if kind in ("global_avgpool", "adaptive_avgpool"):
        window = prod(size // out for size, out in zip(shape[1:], output[1:], strict=True))
        return (window + 1) * elements(output)
    if kind == "avgpool":
        kernel = getattr(op, "kernel", 1)
        return prod(kernel if isinstance(kernel, tuple) else (kernel,) * (len(shape) - 1)) * elements(output)
    return 0


def _numbers(graph: Graph) -> dict[str, int]:
    """How many numbers of each kind a network keeps; shared ones once."""
    counts = dict.fromkeys(("conv", "dense", "scale", "bias", "shift", "buffer", "batches"), 0)
    for node in graph:
        if node.shares is not None:
            continue
        norm = node.op.role == "normalisation"
        for parameter in node.parameters:
            size = prod(parameter.shape)
            if parameter.role == "buffer":
                counts["buffer"] += size
            elif parameter.role == "bias":
                counts["shift" if norm else "bias"] += size
            else:
                counts["scale" if norm else "dense" if node.kind == "dense" else "conv"] += size
        counts["batches"] += node.kind == "batchnorm"
    return counts


def _parameters(graph: Graph, each: int = 1) -> list[list[Choice]]:
    """The choices for parameters; each: 1, or the bytes of a number."""
    counts = _numbers(graph)

    def term(what: str, key: str) -> tuple[Term, ...]:
        return (Term(what, counts[key], each),) if counts[key] else ()

    weights = term("weights of convolutions and others", "conv")
    dense = term("weights of dense layers", "dense")
    norm = (*term("weights of normalisation", "scale"), *term("biases of normalisation", "shift"))
    biases = term("biases", "bias")
    buffers = term("running statistics", "buffer")
    parts = [[Choice("params", weights, 0.0)]]
    if dense:
        parts.append(
            [Choice("", dense, 0.0), *([Choice("dense layers left out", (), 1.5)] if weights else [])]
        )
    if biases:
        parts.append([Choice("", biases, 0.0), Choice("biases left out", (), 1.0)])
    if norm:
        parts.append([Choice("", norm, 0.0), Choice("normalisation left out", (), 1.5)])
    if buffers:
        counters = term("counters of batches seen", "batches")
        parts.append(
            [
                Choice("", (), 0.0),
                Choice("with running statistics", buffers, 1.0),
                Choice(
                    "with running statistics and batch counters, as in a file", (*buffers, *counters), 1.5
                ),
            ]
        )
    return parts


def _memory(graph: Graph) -> list[list[list[Choice]]]:
    """The choices for bytes: parameters or activations, as numbers of 4, 2, 1 or 8 bytes."""
    ways = []
    activations = sum(elements(node.output_shape) for node in graph)
    peak = analyse(graph, dtype="int8").totals.peak_activation_bytes
    for dtype, each, far in (("float32", 4, 0.0), ("float16", 2, 1.0), ("int8", 1, 1.0), ("float64", 8, 1.5)):
        ways.append([*_parameters(graph, each), [Choice(f"as {dtype}", (), far)]])
        for what, count, unusual in (("activations", activations, 1.0), ("peak of activations", peak, 1.0)):
            ways.append([[Choice(f"{what} as {dtype}", (Term(what, count, each),), unusual + far)]])
    return ways


# -- other networks ----------------------------------------------------------------------------------------


def _variants(
    graph: Graph, figure: Figure, arch: str, settings: Mapping[str, str]
) -> Iterator[tuple[Graph, str, str, float]]:
    """Other graphs the figure may be of: graph, name, what is changed, how far that departs."""
    if len(graph) > MOST_LAYERS:
        return
    for name, value in graph.variables.items():
        if isinstance(value, bool):
            text = "false" if value else "true"
            other = _loaded(arch, settings={**settings, name: text}, input_shape=graph.input_shape)
            if other is not None:
                yield other, graph.name, f"--set {name}={text}", 1.0
    if figure.unit != "params" and len(graph.input_shape) == 3:
        for side in SIDES:
            shape = (graph.input_shape[0], side, side)
            other = (
                _loaded(arch, settings=settings, input_shape=shape) if shape != graph.input_shape else None
            )
            if other is not None:
                yield other, graph.name, f"input {show(shape)}", 1.5
    for name in bundled.members():
        if name != graph.name and _family(name) == _family(graph.name):
            other = _loaded(name)
            if other is not None:
                yield other, name, "", 1.25 if _last(name) == _last(graph.name) else 2.0


def _loaded(arch: str, **options: object) -> Graph | None:
    if arch == "-":
        return None
    try:
        return load_graph(arch, **options)  # type: ignore[arg-type]
    except ConvcalcError:
        return None


def _last(name: str) -> str:
    return name.rsplit("/", 1)[-1].split("-")[0]


def _family(name: str) -> str:
    """`resnet` for resnet50 and torchvision/resnet101."""
    match = re.match(r"[a-z]+", name.rsplit("/", 1)[-1].lower())
    return match[0] if match else name
