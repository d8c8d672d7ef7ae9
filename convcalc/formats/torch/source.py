"""PyTorch source of a network that a person would keep."""

from __future__ import annotations

import re

from convcalc.formats.torch.flat import Flat
from convcalc.formats.torch.helpers import HELPERS, with_needed
from convcalc.formats.torch.symbols import class_name
from convcalc.graph import Graph
from convcalc.shapes import show


def source(graph: Graph, weights: str | None = None) -> str:
    """The source of a network."""
    return flat_source(graph, weights)


def flat_source(graph: Graph, weights: str | None = None) -> str:
    """The source of one class for the whole graph. weights: the name of the weights' file beside it."""
    flat = Flat(graph, network_name(graph))
    lines = flat.lines()
    return assembled(docstring(graph, weights), sorted(flat.helpers), [lines])


def network_name(graph: Graph) -> str:
    """The name of the network's class: its title if that spells its name, such as ResNet50 for resnet50."""
    last = graph.name.rpartition("/")[2] or "network"
    title = re.sub(r"\(.*\)", "", graph.title or "").strip()
    if _letters(title) == _letters(last):
        return class_name(title)
    return class_name(last)


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def docstring(graph: Graph, weights: str | None) -> list[str]:
    """The lines of the module's docstring: the network's name, parameters and multiply-accumulates."""
    params = sum(size for node in graph if node.shares is None for size in [_elements(node)])
    title = " ".join((graph.title or graph.name).split())
    sizes = ", ".join(f"{entry.name} {show(entry.shape)}" for entry in graph.inputs)
    if len(graph.inputs) == 1:
        sizes = show(graph.inputs[0].shape)
    first = f"{title}: {params:,} parameters, {graph.macs:,} multiply-accumulates at {sizes}."
    return [
        line.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
        for line in [first, *([weights] if weights else [])]
    ]


def _elements(node: object) -> int:
    from math import prod

    return sum(prod(parameter.shape) for parameter in node.parameters if parameter.role != "buffer")  # type: ignore[attr-defined]


def assembled(header: list[str], helpers: list[str], classes: list[list[str]]) -> str:
    """The whole file: docstring, imports, helpers, classes."""
    start = [f'"""{header[0]}"""'] if len(header) == 1 else [f'"""{header[0]}', "", *header[1:], '"""']
    parts = [HELPERS[name].rstrip("\n") for name in with_needed(helpers)]
    parts += ["\n".join(lines) for lines in classes]
    body = "\n\n\n".join(parts)
    imports = [
        line
        for word, line in (
            (r"\btorch\.", "import torch"),
            (r"\bnn\.", "from torch import nn"),
            (r"\bfunctional\.", "from torch.nn import functional"),
        )
        if re.search(word, body)
    ]
    return "\n".join([*start, "", *imports, "", "", body, ""])
