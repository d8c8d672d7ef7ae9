"""The files of a conversion to YAML: the spec, and its weights beside it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace

from convcalc.formats.convert import NO_WEIGHTS, NewFile, Request, Written
from convcalc.formats.spec.fold import folded
from convcalc.formats.tensor_files import weights_file
from convcalc.graph import Graph, Input, Output
from convcalc.language.words import output_problem, segment_problem

WEIGHTS_SUFFIX = ".safetensors"


def write(request: Request) -> Written:
    """The spec, and a .safetensors of the same name if there are weights."""
    graph = request.graph
    if request.tensors:
        beside = request.beside(WEIGHTS_SUFFIX)
        graph = replace(graph, weights=os.path.basename(beside))
    elif isinstance(graph.weights, str):
        graph = replace(graph, weights=None)  # a file beside the source is not beside the target
    if request.exported:
        graph = plainly_named(graph)
    text = folded(graph, request.classes)[1]
    data = text.encode()
    lines = text.count("\n")
    files = [NewFile(request.target, lambda: [data], f"spec, {lines:,} line{'s' * (lines != 1)}", len(data))]
    if request.tensors:
        files.append(weights_file(beside, request.tensors))
    return Written(tuple(files), request.origin if request.tensors else NO_WEIGHTS)


def plainly_named(graph: Graph) -> Graph:
    """The graph of a model with names as a spec has them: a single input is `input`, a single output is called as its
    layer, and others have names that the language allows."""
    inputs = [Input("input", graph.input_shape)]
    if len(graph.inputs) > 1:
        names = _allowed([entry.name for entry in graph.inputs], segment_problem, "input")
        inputs = [Input(name, entry.shape) for name, entry in zip(names, graph.inputs, strict=True)]
    outputs = [Output(graph.input_name(graph.output), graph.output)]
    if len(graph.outputs) > 1:
        names = _allowed([output.name for output in graph.outputs], output_problem, "output")
        outputs = [Output(name, output.node) for name, output in zip(names, graph.outputs, strict=True)]
    return replace(graph, inputs=tuple(inputs), outputs=tuple(outputs))


def _allowed(names: list[str], problem: Callable[[str], str | None], stem: str) -> list[str]:
    """The names with characters replaced that the language does not allow, all different."""
    found: list[str] = []
    for name in names:
        word = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:100].lstrip("-") or stem
        candidate, number = word, 2
        while candidate in found or problem(candidate) is not None:
            candidate = f"{word}_{number}"
            number += 1
        found.append(candidate)
    return found
