"""The order of nodes: each after those whose values it reads, as ONNX asks for; files of some tools are not so."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from typing import NoReturn

from convcalc.errors import ModelError
from convcalc.formats.onnx.records import OnnxGraph, OnnxNode
from convcalc.formats.onnx.wire import WireFile, shown

WITH_GRAPHS = frozenset({"If", "Loop", "Scan", "SequenceMap"})
SHOWN = 6  # nodes of a cycle


def in_order(
    file: WireFile, nodes: Sequence[OnnxNode], known: Collection[str], outputs: Sequence[str], *, inner: bool
) -> tuple[OnnxNode, ...]:
    """The nodes in an order in which they can be computed, that of the file if possible.

    known: names of inputs and initializers. inner: whether it is a subgraph, which may read values of the graphs around
    it. Raises ModelError for a value that two nodes make or none, and for nodes that wait for each other.
    """
    makers: dict[str, int] = {}
    given = set(known)
    for place, node in enumerate(nodes):
        for name in node.outputs:
            if not name:
                continue
            if name in given or name in makers:
                other = nodes[makers[name]].described if name in makers else "an input or tensor"
                raise file.invalid(f"{node.described} and {other} both make {shown(name)}")
            makers[name] = place
    reads = [_read_by(node) for node in nodes]
    ordered = True
    seen = given
    for node, names in zip(nodes, reads, strict=True):
        for name in names:
            if name not in seen:
                if name in makers:
                    ordered = False
                elif not inner:
                    _undefined(file, node, name)
        seen.update(node.outputs)
    for name in outputs:
        if name not in seen and not inner:
            raise ModelError(
                f"{file.path}: output {shown(name)} is made by no node",
                hint="the file is damaged or was cut out of a larger model",
            )
    return tuple(nodes) if ordered else tuple(_sorted(file, nodes, reads, makers))


def _undefined(file: WireFile, node: OnnxNode, name: str) -> NoReturn:
    raise ModelError(
        f"{file.path}: {node.described} reads {shown(name)}, which no input, tensor or node gives",
        hint="the file is damaged or was cut out of a larger model",
    )


def _read_by(node: OnnxNode) -> list[str]:
    """The values that a node reads, those that its subgraphs read of the graphs around them included."""
    names = [name for name in node.inputs if name]
    if node.op in WITH_GRAPHS:
        for value in node.attributes.values():
            if isinstance(value, OnnxGraph):
                names += _captured(value)
    return names


def _captured(graph: OnnxGraph) -> list[str]:
    """The values of graphs around it that a subgraph reads."""
    own = {value.name for value in graph.inputs} | graph.initializers.keys()
    own.update(name for node in graph.nodes for name in node.outputs)
    read = [name for node in graph.nodes for name in _read_by(node)]
    read += [value.name for value in graph.outputs]
    return [name for name in dict.fromkeys(read) if name not in own]


def _sorted(
    file: WireFile, nodes: Sequence[OnnxNode], reads: list[list[str]], makers: dict[str, int]
) -> Iterator[OnnxNode]:
    """The nodes in topological order (Kahn 1962)."""
    sources = [{makers[name] for name in names if name in makers} for names in reads]
    waiting = [len(found) for found in sources]
    readers: list[list[int]] = [[] for _ in nodes]
    for place, found in enumerate(sources):
        for source in found:
            readers[source].append(place)
    ready = deque(place for place, count in enumerate(waiting) if not count)
    done = 0
    while ready:
        place = ready.popleft()
        done += 1
        yield nodes[place]
        for reader in readers[place]:
            waiting[reader] -= 1
            if not waiting[reader]:
                ready.append(reader)
    if done < len(nodes):
        _refuse_cycle(file, nodes, sources, waiting)


def _refuse_cycle(
    file: WireFile, nodes: Sequence[OnnxNode], sources: list[set[int]], waiting: list[int]
) -> NoReturn:
    """Walk backwards among the nodes that wait until one comes again: the cycle."""
    place = next(place for place, count in enumerate(waiting) if count)
    path: list[int] = []
    seen: dict[int, int] = {}
    while place not in seen:
        seen[place] = len(path)
        path.append(place)
        place = min(source for source in sources[place] if waiting[source])
    cycle = [nodes[found].described for found in reversed(path[seen[place] :])]
    listing = ", ".join(cycle[:SHOWN]) + (f" and {len(cycle) - SHOWN} more" if len(cycle) > SHOWN else "")
    text = (
        f"{listing} reads its own output"
        if len(cycle) == 1
        else f"these nodes wait for each other: {listing}"
    )
    raise file.invalid(text)
