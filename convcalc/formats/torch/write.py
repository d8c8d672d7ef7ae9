"""The files of a conversion to PyTorch source: the module, and its weights beside it."""

from __future__ import annotations

import os
from dataclasses import replace

from convcalc.formats.convert import NO_WEIGHTS, NewFile, Request, Written, file_key
from convcalc.formats.tensor_files import weights_file
from convcalc.formats.torch.source.text import source
from convcalc.weights.tensors import StoredTensor

WEIGHTS_SUFFIX = ".safetensors"


def write(request: Request) -> Written:
    """The source, and a .safetensors of the same name if there are weights. Its keys are those of the state_dict: the
    layers' paths."""
    beside = request.beside(WEIGHTS_SUFFIX) if request.tensors else None
    text = source(request.graph, request.classes, None if beside is None else os.path.basename(beside))
    data = text.encode()
    lines = text.count("\n")
    files = [NewFile(request.target, lambda: [data], f"PyTorch source, {lines:,} lines", len(data))]
    if beside is not None:
        files.append(weights_file(beside, state_tensors(request)))
    return Written(tuple(files), request.origin if request.tensors else NO_WEIGHTS)


def state_tensors(request: Request) -> dict[str, StoredTensor]:
    """The request's tensors by the keys of the module's state_dict; a spec's `keys` do not count there."""
    found = {}
    tensors = request.tensors or {}
    for node in request.graph:
        for parameter in node.parameters if node.shares is None else ():
            tensor = tensors.get(file_key(node, parameter))
            if tensor is not None:
                key = parameter.key(node.name)
                found[key] = replace(tensor, name=key)
    return found
