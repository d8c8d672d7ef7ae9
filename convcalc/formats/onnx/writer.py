"""Writes a network and its weights as an ONNX model.

The file is encoded here: the `onnx` package is not needed. ResNet-152, whose weights take 240 MB, is written in 0.9 to
1.5 s with 3 MB of memory besides the weights; building and saving the same tensors with `onnx` took 1.7 to 2.4 s and
1,180 MB (measured in turn on one machine).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from convcalc._version import __version__
from convcalc.errors import UsageError
from convcalc.files import check_place, write_whole
from convcalc.formats.onnx import (
    writer_attention,
    writer_moves,
    writer_normalisation,
    writer_resampling,
    writer_windows,
)
from convcalc.formats.onnx.writer_file import Heading, layout
from convcalc.formats.onnx.writer_forms import form_of
from convcalc.formats.onnx.writer_network import LayerDraft, NetworkDraft, Value, input_values
from convcalc.graph import Graph
from convcalc.ops import Operator
from convcalc.weights.load import Weights

# Importing them enters the forms of their operators into the table.
FORMS_IN = (writer_attention, writer_moves, writer_normalisation, writer_resampling, writer_windows)

OLDEST, NEWEST, DEFAULT = 7, 25, 17  # opsets; in the oldest, element-wise operators begin to broadcast

# The version of the file format for each opset: the one that came with it, but at least 4, the first that need not list
# the initializers among the inputs.
FORMAT_VERSIONS = {
    7: 4, 8: 4, 9: 4, 10: 5, 11: 6, 12: 7, 13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10,
    23: 11, 24: 12, 25: 13,
}  # fmt: skip


@dataclass(frozen=True)
class OnnxFiles:
    """A model, ready to be written. contents: the bytes of each file by path, the model's last; they are read once.

    external: whether the weights have a file of their own.
    """

    contents: Mapping[str, Iterable[bytes]]
    opset: int
    external: bool


def onnx_files(
    graph: Graph, weights: Weights | None, path: str, *, opset: int = DEFAULT, external: bool = False
) -> OnnxFiles:
    """The network as an ONNX model at `path`. The batch is its free dimension `N`.

    weights: None leaves their numbers out. external: put them into `path` + `.data`, which happens anyway if the model
    would exceed 2 GB. Raises UsageError for an opset that is not written, and ConvcalcError for a layer for which it,
    or ONNX as a whole, has no operators.
    """
    if not OLDEST <= opset <= NEWEST:
        raise UsageError(
            f"opset {opset} is not written", hint=f"use one of {OLDEST} to {NEWEST}; the default is {DEFAULT}"
        )
    network = drafted(graph, None if weights is None else weights.nodes, opset)
    remarks = {"title": graph.title, "source": graph.source}
    heading = Heading(
        "convcalc",
        __version__,
        FORMAT_VERSIONS[opset],
        opset,
        {key: value for key, value in remarks.items() if value},
    )
    contents, apart = layout(network, heading, path, external)
    return OnnxFiles(contents, opset, apart)


def write_onnx(
    graph: Graph, weights: Weights | None, path: str, *, opset: int = DEFAULT, external: bool = False
) -> OnnxFiles:
    """Writes the model, and returns what was written. Raises what `onnx_files` raises, and ConvcalcError if a file
    cannot be written."""
    files = onnx_files(graph, weights, path, opset=opset, external=external)
    for place in files.contents:
        check_place(place)
    for place, content in files.contents.items():
        write_whole(place, content)
    return files


def drafted(
    graph: Graph, weights: Sequence[Mapping[str, Sequence[float]]] | None, opset: int
) -> NetworkDraft:
    """The nodes, values and initializers of the network's file."""
    network = NetworkDraft(graph, opset, weights)
    names: dict[int, list[str]] = {}  # of the outputs, by the node that gives them
    for output, name in zip(graph.outputs, network.outputs, strict=True):
        names.setdefault(output.node, []).append(name)
    values: dict[int, Value] = input_values(network)
    for node in graph:
        first = len(network.nodes)
        layer = LayerDraft[Operator](network, node, [values[index] for index in node.inputs])
        value = form_of(node.op)(layer)
        if node.inputs and value in layer.inputs:  # nothing to do, as in an upsample to the same size
            value = layer.add("Identity", [value], value.shape)
        if value.name in network.values:
            wanted = names.get(node.index)
            name = wanted.pop(0) if wanted else network.unused(node.name)
            network.rename(first, value.name, name)
            value = value._replace(name=name)
        values[node.index] = value
    for index, wanted in names.items():  # of inputs and tensors, and further names of an output
        for name in wanted:
            network.add_copy(values[index], name)
    return network
