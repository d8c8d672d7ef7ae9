"""Writes a network and its weights as an ONNX model.

The file is encoded here: the `onnx` package is not needed. ResNet-152's weights, 240 MB, go from a .safetensors file
into a model in 0.7 to 1.4 s, one tensor in memory at a time; building and saving a model of the same tensors with
`onnx` took 6 to 9 s and 1.4 GB (measured in turn, on a busy machine).
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from convcalc._version import __version__
from convcalc.errors import UsageError
from convcalc.formats.convert import NewFile, Request, Written
from convcalc.formats.onnx import (
    writer_attention,
    writer_joins,
    writer_moves,
    writer_normalisation,
    writer_resampling,
    writer_windows,
)
from convcalc.formats.onnx.writer_file import Heading, layout
from convcalc.formats.onnx.writer_forms import FORMS, form_of
from convcalc.formats.onnx.writer_layer import LayerDraft
from convcalc.formats.onnx.writer_network import NetworkDraft, Value, input_values
from convcalc.graph import Graph
from convcalc.ops import Operator
from convcalc.weights.tensors import StoredTensor

# Importing them enters the forms of their operators into the table.
FORMS_IN = (
    writer_attention,
    writer_joins,
    writer_moves,
    writer_normalisation,
    writer_resampling,
    writer_windows,
)

OLDEST, NEWEST, DEFAULT = 7, 25, 17  # opsets; in the oldest, element-wise operators begin to broadcast

# The version of the file format for each opset: the one that came with it, but at least 4, the first that need not list
# the initializers among the inputs.
FORMAT_VERSIONS = {
    7: 4, 8: 4, 9: 4, 10: 5, 11: 6, 12: 7, 13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10,
    23: 11, 24: 12, 25: 13,
}  # fmt: skip


def write(request: Request) -> Written:
    """The model's file, with the option `opset`; and one for its weights with `external`, or if they exceed 2 GB."""
    opset = request.options.get("opset", DEFAULT)
    external = bool(request.options.get("external"))
    files = onnx_files(request.graph, request.tensors, request.target, opset=opset, external=external)
    notes = []
    if len(files) > 1 and not external:
        notes.append(f"the weights are in {files[1].path}, because a file of ONNX holds at most 2 GB")
    others = sorted({tensor.dtype for tensor in (request.tensors or {}).values()} - {"F32"})
    if others:
        notes.append(f"weights stored as {' and '.join(others)} are written as 32-bit floats")
    return Written(files, request.origin, tuple(notes), opset)


def onnx_files(
    graph: Graph,
    tensors: Mapping[str, StoredTensor] | None,
    path: str,
    *,
    opset: int = DEFAULT,
    external: bool = False,
) -> tuple[NewFile, ...]:
    """The network as an ONNX model at `path`; its batch is the free dimension `N`.

    tensors: the weights by key; None leaves their numbers out. external: put them into `path` + `.data`, which also
    happens if the model would exceed 2 GB. Raises UsageError for an opset that is not written, and ConvcalcError for a
    layer for which it, or ONNX as a whole, has no operators.
    """
    if not OLDEST <= opset <= NEWEST:
        raise UsageError(
            f"opset {opset} is not written", hint=f"use one of {OLDEST} to {NEWEST}; the default is {DEFAULT}"
        )
    remarks = {"title": graph.title, "source": graph.source}
    heading = Heading(
        "convcalc",
        __version__,
        FORMAT_VERSIONS[opset],
        opset,
        {key: value for key, value in remarks.items() if value},
    )
    return layout(drafted(graph, tensors, opset), heading, path, external)


def drafted(graph: Graph, tensors: Mapping[str, StoredTensor] | None, opset: int) -> NetworkDraft:
    """The nodes, values and initializers of the network's file."""
    network = NetworkDraft(graph, opset, tensors)
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


def form_text(operator: type[Operator]) -> str:
    """What an operator becomes in a file, in a sentence or two."""
    form = FORMS.get(operator)
    if form is None:
        return f"{operator.onnx_operator}."
    return " ".join((inspect.getdoc(form) or "").split())
