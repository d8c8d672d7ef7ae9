"""Which tensors a network's layers save for the backward pass, and which of them share memory.

A storage is the memory behind a tensor, numbered by the node that makes it, or by the index of a network's input. Views
(flatten, transpose, slice, …) have the storage of what they are a view of, unless strides do not allow it: reshaping a
transposed tensor copies it.
"""

from __future__ import annotations

from typing import NamedTuple

from convcalc.graph import Graph, Node
from convcalc.ops import OUTPUT, Saved, contiguous
from convcalc.shapes import elements

INTEGER_BYTES = 8


class Amount(NamedTuple):
    """Bytes of memory: `each` for every image of the batch, and `once` for the batch."""

    each: int = 0
    once: int = 0

    def bytes(self, batch: int) -> int:
        """The bytes for a batch of images."""
        return self.each * batch + self.once

    def plus(self, other: Amount) -> Amount:
        """The sum."""
        return Amount(self.each + other.each, self.once + other.once)


class Use(NamedTuple):
    """A tensor that a layer saves. storage: of an input or the output; None if it is made for the backward pass. first:
    the node that is the first to save it; None for a network's input, which the caller keeps."""

    saved: Saved
    storage: int | None
    first: int | None
    amount: Amount


class SavedTensors(NamedTuple):
    """By node: its storage, whether a gradient reaches it, whether its output is there for each image (what follows
    from parameters and constants alone is not), and what it saves."""

    storages: tuple[int, ...]
    trained: tuple[bool, ...]
    batched: tuple[bool, ...]
    uses: tuple[tuple[Use, ...], ...]

    def storage(self, index: int) -> int:
        """The storage of a node's output or of a network's input."""
        return self.storages[index] if index >= 0 else index


def saved_tensors(graph: Graph, unit: int) -> SavedTensors:
    """The tensors that each layer of a network saves when all its parameters are trained. unit: bytes of a number."""
    storages = _storages(graph)
    trained = _trained(graph)
    batched = _batched(graph)
    first: dict[int, int] = {}
    uses = []
    for node in graph:
        found: list[Use] = []
        for entry in node.op.saved(node.input_shapes) if trained[node.index] else ():
            if entry.tensor is None:
                found.append(Use(entry, None, node.index, _made(entry, unit, batched[node.index])))
            elif _is_needed(entry, node, trained):
                index = node.index if entry.tensor == OUTPUT else node.inputs[entry.tensor]
                storage = storages[index] if index >= 0 else index
                if storage >= 0 and not graph.nodes[storage].inputs:
                    if graph.nodes[storage].learned or storage in first:
                        continue  # a parameter: its memory is that of the weights
                    first[storage] = node.index
                    size = elements(graph.shape(storage)) * unit
                    found.append(Use(entry._replace(buffer=True), None, node.index, Amount(once=size)))
                    continue
                owner = first.setdefault(storage, node.index) if storage >= 0 else None
                if all(use.storage != storage for use in found):
                    size = elements(graph.shape(storage)) * unit
                    each = storage < 0 or batched[storage]
                    found.append(Use(entry, storage, owner, Amount(size) if each else Amount(once=size)))
        uses.append(tuple(found))
    return SavedTensors(storages, trained, batched, tuple(uses))


def _made(entry: Saved, unit: int, batched: bool) -> Amount:
    size = entry.elements * (INTEGER_BYTES if entry.integers else unit)
    return Amount(size) if batched and not entry.once else Amount(once=size)


def _batched(graph: Graph) -> tuple[bool, ...]:
    """Whether each node reads an input of the network, directly or through others."""
    found: list[bool] = []
    for node in graph:
        found.append(any(source < 0 or found[source] for source in node.inputs))
    return tuple(found)


def _is_needed(entry: Saved, node: Node, trained: tuple[bool, ...]) -> bool:
    """Whether a factor is needed: it is for the gradients of the other inputs."""
    if node.op.saves != "inputs" or len(node.inputs) == 1:
        return True
    others = [source for place, source in enumerate(node.inputs) if place != entry.tensor]
    return any(source >= 0 and trained[source] for source in others)


def _storages(graph: Graph) -> tuple[int, ...]:
    found: list[int] = []
    strides: dict[int, tuple[int, ...]] = {}  # of views
    for node in graph:
        storage = node.index
        if node.inputs:
            source = node.inputs[0]
            given = strides.get(source) or contiguous(node.input_shapes[0])
            view = node.op.view(node.input_shapes, given)
            if view is not None:
                storage = found[source] if source >= 0 else source
                strides[node.index] = view
        found.append(storage)
    return tuple(found)


def _trained(graph: Graph) -> tuple[bool, ...]:
    """Whether each node has parameters, or reads a node that a gradient reaches."""
    found: list[bool] = []
    for node in graph:
        found.append(bool(node.learned) or any(source >= 0 and found[source] for source in node.inputs))
    return tuple(found)
