"""What a page's script reads: the figures of one or two networks, as JSON.

    {"networks": [network, …], "diff": diff|null, "digits": digits|null}

    network  {"name", "title", "described", "source", "notes": [text], "warnings": [text], "inputs": [[name, shape]],
              "batch", "dtype", "unit": bytes of a number, times the batch,
              "layers": [layer, …],                  # in running order; elsewhere a layer is its place here
              "fields": [[axis, …], …],              # the different receptive fields, by number
              "totals": {"weights", "biases", "buffers", "macs", "activation_bytes", "peak_activation_bytes"},
              "outputs": [[name, layer]],
              "drawings": [drawing, …],              # one per depth, the coarsest first; the SVGs stand in the page
              "shown": which of them is shown first,
              "maps": {layer: [[src, width, height, text]]|layer}, # with an image; src: a PNG as a data URI. A
                                                     # layer instead: the one behind it whose maps are shown
              "answer": {"image", "src", "text", "top": [[label, probability|null]]}|null,
              "picture": src|null,                   # of the first input's size, what receptive fields are drawn on
              "formulas": …|null}                    # what evaluator.js reads; without it there are no sliders
    layer    [name, kind, operator, fill, shape, weights, biases, buffers, macs, bytes, inputs, working, field, shares,
              field_text]
             # operator: "conv K96 F11 S4"; fill: a role of the palette; shape: [C, *spatial]; bytes: of the output, for
             # the batch; inputs: layers, or -1, -2, … for the network's inputs; working: [[figure, text]]; field: its
             # number in fields, or null; shares: the layer whose weights it uses, or null; field_text: "19", "13×20"
    axis     [[lows, highs, step, output_axis|null], …]
             # per spatial axis of the first input: a unit sees the hull of these. At place u = q·period + r of the
             # output's dimension output_axis it sees the pixels lows[r] + q·step to highs[r] + q·step; period: their
             # number
    drawing  {"label", "copies": {box: [layers, …]}, "texts": [[number, layer, before, after, main]]}
             # copies: of a box in a frame drawn once for several; texts: the text elements of the SVG, counted from 0,
             # that hold the size of a layer's output, or its channels between what stands before and after them, main
             # being the layer that a box's words name; without a layer, what a frame says of its copies
    diff     {"rows": [[layer of A|null, layer of B|null, status, change, weights, params, macs, working, cause]],
              "totals": [[figure, A, B, difference, ratio|null]]}
    digits   see `convcalc.page.digits`

The script keeps a layer's figures as {shape, weights, biases, buffers, macs, bytes}, and `applyFigures(network,
[figures of each layer])` of base.js writes other ones everywhere; null puts back those of the page. Controls stand in
the element with the id `controls`, in the section `settings`, which is hidden until a script shows it.

Numbers are exact up to 2**53, as JavaScript's are.
"""

from __future__ import annotations

from typing import Any

from convcalc.analysis.analyse import DTYPES, Analysis, LayerFigures
from convcalc.analysis.diff import Diff, Pair
from convcalc.analysis.explain import explain
from convcalc.analysis.receptive import Track
from convcalc.errors import clean
from convcalc.graph import INPUT, Node
from convcalc.report import diff as diff_report
from convcalc.report import words

MAX_NAME = 200  # characters of a title or a name; those of a model file can be of any length
MAX_TEXT = 2_000  # of a source or a note


def network(analysis: Analysis) -> dict[str, Any]:
    """The figures of a network, without drawings, maps and formulas."""
    graph = analysis.graph
    fields: dict[Any, int] = {}
    layers = [
        _layer(node, figures, _working(analysis, node), _field(analysis, node, fields))
        for node, figures in zip(graph, analysis.layers, strict=True)
    ]
    totals = analysis.totals
    return {
        "name": graph.name,
        "title": shortened(graph.title or graph.name),
        "described": shortened(words.network(graph)),
        "source": graph.source and shortened(graph.source, MAX_TEXT),
        "notes": [shortened(note, MAX_TEXT) for note in graph.notes],
        "warnings": [shortened(warning, MAX_TEXT) for warning in analysis.warnings],
        "inputs": [[shortened(entry.name), list(entry.shape)] for entry in graph.inputs],
        "unit": DTYPES[analysis.dtype] * analysis.batch,
        "batch": analysis.batch,
        "dtype": analysis.dtype,
        "layers": layers,
        "fields": [_axes(track) for track in fields],
        "totals": {
            "weights": totals.weights,
            "biases": totals.biases,
            "buffers": totals.buffers,
            "macs": totals.macs,
            "activation_bytes": totals.activation_bytes,
            "peak_activation_bytes": totals.peak_activation_bytes,
        },
        "outputs": [[output.name, output.node] for output in graph.outputs],
        "drawings": [],
        "shown": 0,
        "maps": {},
        "answer": None,
        "picture": None,
        "formulas": None,
    }


def _layer(node: Node, figures: LayerFigures, working: list[list[str]], field: int | None) -> list[Any]:
    return [
        shortened(node.name),
        shortened(node.kind),
        shortened(words.operator(node.op)),
        node.op.drawn_as,
        list(node.output_shape),
        figures.weights,
        figures.biases,
        figures.buffers,
        figures.macs,
        figures.activation_bytes,
        list(node.inputs),
        working,
        field,
        node.shares,
        words.field(figures.receptive_field),
    ]


def _working(analysis: Analysis, node: Node) -> list[list[str]]:
    return [[line.what, line.text] for line in explain(analysis, node)]


def _field(analysis: Analysis, node: Node, known: dict[Any, int]) -> int | None:
    """The number of the layer's receptive field on the first input; None where it has none, or none that is known."""
    track = analysis.track(INPUT, node.index)
    if not track or not all(track):
        return None
    return known.setdefault(track, len(known))


def _axes(track: Track) -> list[Any]:
    return [
        [[list(field.lows), list(field.highs), field.step, field.output_axis] for field in axis]
        for axis in track
    ]


def diff(found: Diff) -> dict[str, Any]:
    """The pairs of layers of two networks with what differs, and their totals."""
    delta, ratio = found.total_delta(), found.total_ratio()
    return {
        "rows": [_pair(pair) for pair in found.pairs],
        "totals": [
            [title, _total(found.a, name), _total(found.b, name), delta[name], ratio[name]]
            for name, title in (("layers", "layers"), *diff_report.SHOWN_TOTALS)
        ],
    }


def _total(analysis: Analysis, name: str) -> int:
    return int(getattr(analysis.totals, name))


def _pair(pair: Pair) -> list[Any]:
    return [
        None if pair.a is None else pair.a.index,
        None if pair.b is None else pair.b.index,
        pair.status,
        diff_report.changes(pair),
        pair.delta.weights,
        pair.delta.params,
        pair.delta.macs,
        pair.working,
        pair.cause,
    ]


def shortened(text: str, most: int = MAX_NAME) -> str:
    """A text without control characters, cut after `most` characters."""
    text = " ".join(clean(text[: 2 * most]).split())
    return text if len(text) <= most else text[: most - 1] + "…"
