"""Candidate networks for a figure: the requested network with another input size or a switch flipped, its namesakes
and the rest of its family."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from convcalc.analysis.counting.items import Tally
from convcalc.errors import ConvcalcError
from convcalc.formats.open import open_graph
from convcalc.graph import Graph
from convcalc.language import bundled
from convcalc.language.quantities import Figure
from convcalc.shapes import show

SIDES = (224, 227, 256, 299, 320, 384, 288, 192, 160, 128, 96, 64, 32, 331, 380, 448, 456, 480, 512, 528, 600)
MAX_LAYERS_READ = 8_000  # in total, over the variants with other input sizes; also per flipped switch


class Source(NamedTuple):
    """A candidate network, with its changes in words and how far they depart from the requested network."""

    tally: Tally
    changes: str
    departures: float

    @property
    def graph(self) -> Graph:
        """The network."""
        return self.tally.graph


def namesakes(graph: Graph) -> Iterator[Source]:
    """Other bundled versions of the network: the paper's, torchvision's."""
    for name in bundled.names():
        if name != graph.name and _last(name) == _last(graph.name):
            yield from _read(name, "", 1.25)


def switched(graph: Graph, arch: str, settings: Mapping[str, str]) -> Iterator[Source]:
    """The network with each of the spec's boolean variables flipped in turn."""
    if len(graph) > MAX_LAYERS_READ:
        return
    for name, value in graph.variables.items():
        if isinstance(value, bool):
            text = "false" if value else "true"
            changed = {**settings, name: text}
            shapes = {entry.name: entry.shape for entry in graph.inputs}
            yield from _read(arch, f"--set {name}={text}", 1.0, settings=changed, input_shape=shapes)


def resized(graph: Graph, figure: Figure, arch: str, settings: Mapping[str, str]) -> Iterator[Source]:
    """The network at other common input sizes; only the most common ones if it has many layers."""
    if figure.unit == "params" or len(graph.inputs) > 1 or len(graph.input_shape) != 3:
        return
    for side in SIDES[: MAX_LAYERS_READ // len(graph)]:
        shape = (graph.input_shape[0], side, side)
        if shape != graph.input_shape:
            yield from _read(arch, f"input {show(shape)}", 1.5, settings=settings, input_shape=shape)


def relatives(graph: Graph) -> Iterator[Source]:
    """The other bundled networks of the same family."""
    for name in bundled.names():
        if _last(name) != _last(graph.name) and _family(name) == _family(graph.name):
            yield from _read(name, "", 2.0)


def _read(arch: str, changes: str, departures: float, **options: Any) -> Iterator[Source]:
    """The network as a source; nothing if it came from standard input or does not load with these options."""
    if arch != "-":
        with suppress(ConvcalcError):
            yield Source(Tally(open_graph(arch, **options)), changes, departures)


def _last(name: str) -> str:
    """`alexnet` for alexnet-paper and torchvision/alexnet."""
    return name.rsplit("/", 1)[-1].split("-")[0]


def _family(name: str) -> str:
    """`resnet` for resnet50 and torchvision/resnet101."""
    match = re.match(r"[a-z]+", name.rsplit("/", 1)[-1].lower())
    return match[0] if match else name
