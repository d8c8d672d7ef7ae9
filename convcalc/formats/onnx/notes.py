"""Remarks for the user on what an exporter changed in a network, and on what is not counted."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from math import prod

from convcalc.formats.draft import Draft
from convcalc.formats.onnx.paths import parameter_path
from convcalc.formats.onnx.records import OnnxModel
from convcalc.formats.onnx.values import Const
from convcalc.language.bundled import path as bundled_path

MAX_REASONS = 5
FUSED = "pkg.onnxscript.rewriter.rule_name"  # the notes of an exporter on what it fused


def notes(
    model: OnnxModel, draft: Draft, constants: Mapping[int, Const], reasons: Mapping[int, str]
) -> list[str]:
    """Remarks, each a sentence without a full stop. constants: parameters' constants by layer; reasons: why layers are
    not mapped."""
    needed = draft.needed()
    return [
        *_unmapped([reasons[layer] for layer in needed if layer in reasons]),
        *_folded(model, draft, needed),
        *_merged(draft, needed),
        *_held(draft, needed, constants),
    ]


def _unmapped(reasons: Sequence[str]) -> list[str]:
    more = len(reasons) - MAX_REASONS
    return [*reasons[:MAX_REASONS], *([f"{more} more nodes are not mapped"] if more > 0 else [])]


def _folded(model: OnnxModel, draft: Draft, needed: Sequence[int]) -> list[str]:
    """Batch normalisation that the exporter folded into convolutions, and the published number of parameters if it
    follows from that: a folded one leaves a bias of F numbers for its 2·F."""
    if "pytorch" not in model.producer.lower():
        return []
    fused = {
        name
        for node in model.graph.nodes
        if "BatchNorm" in node.metadata.get(FUSED, "")
        for name in node.inputs
    }
    filters = []
    for index in needed:
        layer = draft.layers[index]
        bias, weight = layer.tensors.get("bias"), layer.tensors.get("weight")
        if (
            layer.call not in ("Conv", "ConvTranspose")
            or bias is None
            or weight is None
            or layer.shares is not None
        ):
            continue
        lost = not parameter_path(weight.name) and not parameter_path(bias.name)
        if lost or bias.name.endswith("weight_bias") or weight.name in fused or bias.name in fused:
            filters.append(prod(bias.shape))
    if not filters:
        return []
    count = f"{len(filters):,} batch normalisations are" if len(filters) > 1 else "1 batch normalisation is"
    text = f"{count} folded into convolutions by the exporter"
    own = _learned(draft, needed)
    name, published = _published(model.path)
    if published in (own + sum(filters), own + 2 * sum(filters)):
        return [f"{text}: {own:,} parameters here, {published:,} in {name} as published"]
    return [f"{text}, so the module has more parameters than the file"]


def _learned(draft: Draft, needed: Sequence[int]) -> int:
    """The number of weights and biases."""
    total = 0
    for index in needed:
        layer = draft.layers[index]
        if layer.shares is None:
            shapes = tuple([draft.shape(source) for source in layer.inputs])
            total += sum(prod(p.shape) for p in layer.op.parameters(shapes) if p.role != "buffer")
    return total


def _published(file: str) -> tuple[str, int | None]:
    """The bundled network that a file is called after, and its published number of parameters."""
    stem = re.sub(r"[^a-z0-9]+", "_", os.path.splitext(os.path.basename(file))[0].lower())
    for name in (f"torchvision/{stem}", stem):
        spec = bundled_path(name)
        if spec is not None:
            with open(spec, encoding="utf-8") as text:
                found = re.search(r"^published:.*?\bparams: *(\d+)", text.read(), re.MULTILINE | re.DOTALL)
            if found:
                return name, int(found[1])
    return "", None


def _merged(draft: Draft, needed: Sequence[int]) -> list[str]:
    """Tensors that the exporter stored once, as their values are equal."""
    readers: dict[int, set[int]] = {}
    for index in needed:
        layer = draft.layers[index]
        for tensor in layer.tensors.values() if layer.shares is None else ():
            if prod(tensor.shape) > 1 and tensor.name:
                readers.setdefault(id(tensor.read), set()).add(index)
    merged = sum(len(layers) for layers in readers.values() if len(layers) > 1)
    once = sum(len(layers) > 1 for layers in readers.values())
    if not merged:
        return []
    return [
        f"{merged:,} tensors have equal values in groups, and the file holds {once:,} of them; each layer has its own"
    ]


def _held(draft: Draft, needed: Sequence[int], constants: Mapping[int, Const]) -> list[str]:
    """Constants of the file that are no parameters of a module, but count as such here."""
    held = [
        constants[index]
        for index in needed
        if index in constants and draft.layers[index].tensors and not constants[index].learned
    ]
    numbers = sum(const.count for const in held)
    if not held or numbers < 2:
        return []
    count = f"{len(held):,} constants" if len(held) > 1 else "1 constant"
    return [f"{count} of the file with {numbers:,} numbers in all count as parameters"]
