"""The table of aten operators, by name without overload; an operator that works in place has the same entry."""

from __future__ import annotations

import dataclasses

from convcalc.formats.draft import Built, Draft
from convcalc.formats.onnx.attention import fuse_attention
from convcalc.formats.onnx.values import MAX_KNOWN, Const
from convcalc.formats.torch.read import arithmetic, joining, layers, norms, products, reductions, shaping
from convcalc.formats.torch.read.mapping import Handler, Mapper
from convcalc.formats.torch.read.modules import whole_modules
from convcalc.formats.torch.read.records import Program
from convcalc.graph import MAX_LAYERS

HANDLERS: dict[str, Handler] = {
    name: handler
    for part in (layers, norms, arithmetic, reductions, products, shaping, joining)
    for name, handler in part.HANDLERS.items()
}


def map_program(program: Program, max_layers: int = MAX_LAYERS) -> Built:
    """The graph of a traced module with its tensors. Raises SpecError beyond max_layers."""
    mapper = Mapper(program, max_layers, HANDLERS)
    draft = mapper.run(whole_modules(mapper))
    fuse_attention(draft, _fixed(draft))
    return _with_keys(draft, draft.built(program.name))


def _fixed(draft: Draft) -> dict[int, Const]:
    """The values of fixed tensors that are layers, such as the masks of shifted windows, if there is attention."""
    if not any(layer.op.kind == "softmax" for layer in draft.layers):
        return {}
    return {
        index: Const(layer.shape, "F32", values=layer.tensors[""].values())
        for index, layer in enumerate(draft.layers)
        if layer.op.kind == "parameter"
        and layer.op.shown_fields()["fixed"]
        and layer.tensors[""].count <= MAX_KNOWN
    }


def _with_keys(draft: Draft, built: Built) -> Built:
    """The graph with the names of tensors in the module's state_dict where they are not the layers' own."""
    nodes = list(built.graph.nodes)
    for index, place in enumerate(built.indices):
        if place is None or nodes[place].shares is not None:
            continue
        node, tensors = nodes[place], draft.layers[index].tensors
        keys = {
            parameter.name: tensors[parameter.name].name
            for parameter in node.parameters
            if parameter.name in tensors
            and tensors[parameter.name].name not in ("", parameter.key(node.name))
        }
        if keys:
            nodes[place] = dataclasses.replace(node, keys=keys)
    return dataclasses.replace(built, graph=dataclasses.replace(built.graph, nodes=tuple(nodes)))
