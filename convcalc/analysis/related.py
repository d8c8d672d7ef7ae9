"""The networks that a figure may be of: the one asked for, with another input size or a switch turned, its namesakes
and the rest of its family."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from convcalc.analysis.counting.items import Tally
from convcalc.analysis.quantities import Figure
from convcalc.errors import ConvcalcError
from convcalc.graph import Graph
from convcalc.language import bundled
from convcalc.language.load import load_graph
from convcalc.shapes import show

SIDES = (224, 227, 256, 299, 320, 384, 288, 192, 160, 128, 96, 64, 32, 331, 380, 448, 456, 480, 512, 528, 600)
MAX_LAYERS_READ = 8_000  # of all networks together that are read with other sizes, or with one other switch


class Source(NamedTuple):
    """A network the figure may be of, with what is changed in it and how far that departs from what was asked."""

    tally: Tally
    changes: str
    departures: float

    @property
    def graph(self) -> Graph:
        """The network."""
        return self.tally.graph


def namesakes(graph: Graph) -> Iterator[Source]:
    """The bundled networks of the same name: the paper's, torchvision's."""
    for name in bundled.names():
        if name != graph.name and _last(name) == _last(graph.name):
            yield from _read(name, "", 1.25)


def switched(graph: Graph, arch: str, settings: Mapping[str, str]) -> Iterator[Source]:
    """The network with one of the spec's own switches turned."""
    if len(graph) > MAX_LAYERS_READ:
        return
    for name, value in graph.variables.items():
        if isinstance(value, bool):
            text = "false" if value else "true"
            changed = {**settings, name: text}
            shapes = {entry.name: entry.shape for entry in graph.inputs}
            yield from _read(arch, f"--set {name}={text}", 1.0, settings=changed, input_shape=shapes)


def resized(graph: Graph, figure: Figure, arch: str, settings: Mapping[str, str]) -> Iterator[Source]:
    """The network at other common input sizes, the most common ones if it is large."""
    if figure.unit == "params" or len(graph.inputs) > 1 or len(graph.input_shape) != 3:
        return
    for side in SIDES[: MAX_LAYERS_READ // len(graph)]:
        shape = (graph.input_shape[0], side, side)
        if shape != graph.input_shape:
            yield from _read(arch, f"input {show(shape)}", 1.5, settings=settings, input_shape=shape)


def relatives(graph: Graph) -> Iterator[Source]:
    """The other bundled networks of the family."""
    for name in bundled.names():
        if _last(name) != _last(graph.name) and _family(name) == _family(graph.name):
            yield from _read(name, "", 2.0)


def _read(arch: str, changes: str, departures: float, **options: Any) -> Iterator[Source]:
    """The network as a source, unless it cannot be read again or has no such size."""
    if arch != "-":
        with suppress(ConvcalcError):
            yield Source(Tally(load_graph(arch, **options)), changes, departures)


def _last(name: str) -> str:
    """`alexnet` for alexnet-paper and torchvision/alexnet."""
    return name.rsplit("/", 1)[-1].split("-")[0]


def _family(name: str) -> str:
    """`resnet` for resnet50 and torchvision/resnet101."""
    match = re.match(r"[a-z]+", name.rsplit("/", 1)[-1].lower())
    return match[0] if match else name
