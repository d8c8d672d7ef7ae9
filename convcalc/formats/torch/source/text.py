"""PyTorch source of a network that a person would keep."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from math import prod

from convcalc.formats.spec.fold import fold
from convcalc.formats.torch.source.classes import Classes
from convcalc.formats.torch.source.flat import Flat
from convcalc.formats.torch.source.helpers import HELPERS, with_needed
from convcalc.formats.torch.source.layout import WIDTH
from convcalc.formats.torch.source.site import InexpressibleError, quoted
from convcalc.formats.torch.source.symbols import class_name
from convcalc.graph import Graph
from convcalc.shapes import show

IMPORTS = (
    (r"\bOrderedDict\(", "from collections import OrderedDict"),
    (r"\btorch\.", "import torch"),
    (r"\bnn\.", "from torch import nn"),
    (r"\bfunctional\.", "from torch.nn import functional"),
)

FLATTER = 1.6  # how many times longer a source with classes may be than one without


def source(graph: Graph, classes: Mapping[str, str] | None = None, weights: str | None = None) -> str:
    """The source of a network: classes where they can express it, else one class with a step for each layer.

    classes: the class of the module behind a scope in its original source, by path. weights: the name of the weights'
    file beside it. Raises InexpressibleError for operators that PyTorch source cannot express.
    """
    try:
        text = class_source(graph, classes, weights)
    except InexpressibleError:
        return flat_source(graph, weights)
    flat = flat_source(graph, weights)
    # classes that stand for one place each say less than the layers do one by one
    if FLATTER * flat.count("\n") < text.count("\n"):
        return flat
    return text


def class_source(graph: Graph, classes: Mapping[str, str] | None = None, weights: str | None = None) -> str:
    """The source with a class for each block. Raises InexpressibleError, with the reason, where classes cannot express
    the wiring."""
    program = Classes(graph, fold(graph, classes), network_name(graph))
    written = program.written()
    return assembled(docstring(graph, weights), sorted(program.helpers), written)


def flat_source(graph: Graph, weights: str | None = None) -> str:
    """The source of one class for the whole graph. Raises InexpressibleError."""
    flat = Flat(graph, network_name(graph))
    lines = flat.lines()
    return assembled(docstring(graph, weights), sorted(flat.helpers), [lines])


def network_name(graph: Graph) -> str:
    """The name of the network's class: its title if that spells its name, such as ResNet50 for resnet50."""
    last = graph.name.rpartition("/")[2] or "network"
    title = re.sub(r"\(.*\)|,.*", "", graph.title or "").strip()
    name = class_name(title if _letters(title) == _letters(last) else last)
    return f"{name}Net" if name in HELPERS or name == "OrderedDict" else name


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def docstring(graph: Graph, weights: str | None) -> list[str]:
    """The paragraphs of the module's docstring: name, parameters and multiply-accumulates, and where weights are."""
    learned = [p for node in graph if node.shares is None for p in node.parameters if p.role != "buffer"]
    params = sum(prod(parameter.shape) for parameter in learned)
    title = " ".join((graph.title or graph.name).split())
    sizes = ", ".join(f"{entry.name} {show(entry.shape)}" for entry in graph.inputs)
    if len(graph.inputs) == 1:
        sizes = show(graph.inputs[0].shape)
    paragraphs = [f"{title}: {params:,} parameters, {graph.macs:,} multiply-accumulates at {sizes}."]
    if weights is not None:
        paragraphs.append(f"Weights: load_state_dict(safetensors.torch.load_file({quoted(weights)})).")
    return [_escaped(paragraph) for paragraph in paragraphs]


def _escaped(text: str) -> str:
    """A text that cannot end a docstring or change its meaning."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return plain.replace("\\", "\\\\").replace('"""', "'" * 3)


def assembled(header: list[str], helpers: list[str], classes: list[list[str]]) -> str:
    """The whole file: docstring, imports, helpers, classes."""
    wrapped = [
        textwrap.fill(text, WIDTH - 6, break_long_words=False, break_on_hyphens=False) for text in header
    ]
    start = f'"""{wrapped[0]}"""'
    if len(wrapped) > 1 or "\n" in wrapped[0]:
        start = "\n\n".join(['"""' + wrapped[0], *wrapped[1:]]) + '\n"""'
    bodies = _needed(["\n".join(lines) for lines in classes])
    words = set(re.findall(r"\w+", "\n".join(bodies)))
    parts = [HELPERS[name].rstrip("\n") for name in with_needed(words & set(helpers))]
    parts += bodies
    body = "\n\n\n".join(parts)
    imports = [line for pattern, line in IMPORTS if re.search(pattern, body)]
    if imports[0].startswith("from collections"):
        imports.insert(1, "")
    return "\n".join([start, "", *imports, "", "", body, ""])


def _needed(classes: list[str]) -> list[str]:
    """The classes that the last one uses, directly or through others."""
    found: list[str] = []
    for text in reversed(classes):
        name = re.match(r"(?:class|def) (\w+)", text)
        assert name
        if not found or any(re.search(rf"\b{name[1]}\b", other) for other in found):
            found.insert(0, text)
    return found
