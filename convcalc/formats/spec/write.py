"""The files of a conversion to YAML: the spec, and its weights beside it."""

from __future__ import annotations

import os
from dataclasses import replace

from convcalc.formats.convert import NO_WEIGHTS, NewFile, Request, Written
from convcalc.formats.spec.fold import folded
from convcalc.formats.tensor_files import weights_file

WEIGHTS_SUFFIX = ".safetensors"


def write(request: Request) -> Written:
    """The spec, and a .safetensors of the same name if there are weights."""
    graph = request.graph
    if request.tensors:
        beside = request.beside(WEIGHTS_SUFFIX)
        graph = replace(graph, weights=os.path.basename(beside))
    elif isinstance(graph.weights, str):
        graph = replace(graph, weights=None)  # a file beside the source is not beside the target
    text = folded(graph, request.classes)[1]
    data = text.encode()
    lines = text.count("\n")
    files = [NewFile(request.target, lambda: [data], f"spec, {lines:,} line{'s' * (lines != 1)}", len(data))]
    if request.tensors:
        files.append(weights_file(beside, request.tensors))
    return Written(tuple(files), request.origin if request.tensors else NO_WEIGHTS)
