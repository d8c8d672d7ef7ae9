"""The memory alive at each moment of a training step.

Forward: the layers run in order; an output is freed after its last reader unless it is saved. Backward: in reverse
order, each layer gets the gradient of its output, makes those of its inputs and of its parameters, and frees what it
was the first to save. Gradients of parameters are kept to the end. Gradients of one tensor from several readers are
added as they come. The layers of a checkpointed span save nothing in the forward pass; they are computed again when the
backward pass comes to the last of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from convcalc.analysis.saved import Amount, SavedTensors
from convcalc.graph import Graph, Node
from convcalc.shapes import elements

Pass = Literal["forward", "backward"]


class Moment(NamedTuple):
    """What is alive while a layer runs."""

    layer: int
    during: Pass
    alive: Amount


class Plan(NamedTuple):
    """A network to be trained. unit: bytes of a number. start: what is there from the beginning: weights, buffers and
    optimiser state. spans: the checkpointed layers, by index."""

    graph: Graph
    saved: SavedTensors
    unit: int
    start: int
    spans: tuple[range, ...]


class _Memory:
    """What is alive, by name; names are freed once."""

    def __init__(self, start: Amount) -> None:
        self.each, self.once = start
        self.alive: dict[object, Amount] = {}

    def hold(self, name: object, amount: Amount) -> None:
        if name not in self.alive:
            self.alive[name] = amount
            self.each += amount.each
            self.once += amount.once

    def free(self, name: object) -> None:
        amount = self.alive.pop(name, None)
        if amount is not None:
            self.each -= amount.each
            self.once -= amount.once

    @property
    def amount(self) -> Amount:
        return Amount(self.each, self.once)


def largest_batch(found: Sequence[Moment], memory: int) -> int:
    """The largest batch of which no moment exceeds `memory` bytes; 0 if one image does."""
    if any(moment.alive.once > memory for moment in found):
        return 0
    return min((memory - alive.once) // alive.each for _, _, alive in found if alive.each)


class Step(NamedTuple):
    """A training step: every moment in order, and what is saved at the end of the forward pass."""

    moments: tuple[Moment, ...]
    kept: Amount


def step(plan: Plan) -> Step:
    """The memory of a training step."""
    run = _Step(plan)
    kept = run.kept
    return Step(tuple(run.run()), kept)


class _Step:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.graph, self.saved, self.unit = plan.graph, plan.saved, plan.unit
        images = sum(elements(entry.shape) for entry in self.graph.inputs)
        self.memory = _Memory(Amount(images * self.unit, plan.start))
        self.moments: list[Moment] = []
        self.dying = self._dying()
        self.inside = {index: span for span in plan.spans for index in span}
        self.pinned = self._pinned(index for index in range(len(self.graph)) if index not in self.inside)

    @property
    def kept(self) -> Amount:
        """What is saved at the end of the forward pass."""
        outside = [index for index in range(len(self.graph)) if index not in self.inside]
        amounts = [use.amount for index in outside for use in self.saved.uses[index] if use.storage is None]
        amounts += [self._size(storage) for storage in self.pinned]
        return Amount(sum(amount.each for amount in amounts), sum(amount.once for amount in amounts))

    def run(self) -> list[Moment]:
        count = len(self.graph)
        self._forward(range(count), "forward")
        for output in self.graph.outputs:
            self._gradient(output.node)
        for index in reversed(range(count)):
            span = self.inside.get(index)
            if span is not None and index == span[-1]:
                self._again(span)
            self._backward(self.graph.nodes[index])
        return self.moments

    # -- forward ----------------------------------------------------------------------------------------

    def _dying(self) -> dict[int, list[int]]:
        """By node, the storages that it is the last to read. The network's outputs are not freed before
        their gradients are taken."""
        last = dict.fromkeys(self.saved.storages, -1)
        for node in self.graph:
            for source in (*node.inputs, node.index):
                if source >= 0:
                    last[self.saved.storage(source)] = node.index
        for output in self.graph.outputs:
            last[self.saved.storage(output.node)] = len(self.graph)
        dying = defaultdict(list)
        for storage, reader in last.items():
            dying[reader].append(storage)
        return dying

    def _pinned(self, nodes: Iterable[int]) -> set[int]:
        """The storages that these nodes save, and those that a checkpointed span reads from outside it."""
        found = {
            use.storage
            for index in nodes
            for use in self.saved.uses[index]
            if use.storage is not None and use.storage >= 0
        }
        return found | {storage for span in self.plan.spans for storage in self._read_by(span)}

    def _read_by(self, span: range) -> set[int]:
        read = {self.saved.storage(s) for index in span for s in self.graph.nodes[index].inputs}
        return {storage for storage in read if storage >= 0 and storage not in span}

    def _forward(self, indices: Sequence[int], during: Pass, *, again: bool = False) -> None:
        """Run layers; `again`: those of a span, which now save what they need."""
        for index in indices:
            storage = self.saved.storages[index]
            if storage == index:
                self.memory.hold(storage, self._size(storage))
            if again or index not in self.inside:
                self._hold_made(index)
            self.moments.append(Moment(index, during, self.memory.amount))
            for dead in self.dying.get(index, ()):
                if dead not in self.pinned and (not again or dead in indices):
                    self.memory.free(dead)

    def _hold_made(self, index: int) -> None:
        for place, use in enumerate(self.saved.uses[index]):
            if use.storage is None and not use.saved.buffer:
                self.memory.hold((index, place), use.amount)

    def _again(self, span: range) -> None:
        """Compute a checkpointed span again."""
        self.pinned |= self._pinned(span)
        self._forward(span, "backward", again=True)

    def _size(self, index: int) -> Amount:
        """The bytes of a node's output; nothing of a parameter or constant, which are among the weights."""
        node = self.graph.nodes[index]
        size = elements(node.output_shape) * self.unit if node.inputs else 0
        return Amount(size) if self.saved.batched[index] else Amount(once=size)

    # -- backward ---------------------------------------------------------------------------------------

    def _gradient(self, index: int) -> None:
        """Hold the gradient of a node's output."""
        if index >= 0 and self.saved.trained[index]:
            self.memory.hold(("gradient", index), self._size(index))

    def _backward(self, node: Node) -> None:
        index = node.index
        if self.saved.trained[index]:
            passes = node.op.passes_gradient
            temporary = Amount()
            for source in dict.fromkeys(node.inputs):
                if source < 0 or not self.saved.trained[source]:
                    continue
                if ("gradient", source) in self.memory.alive:
                    temporary = temporary.plus(self._size(source))  # added to the one that is there
                elif not passes:
                    self._gradient(source)
            if node.learned and node.shares is None:
                self.memory.hold(("parameters", index), Amount(once=node.learned * self.unit))
            alive = self.memory.amount
            self.moments.append(Moment(index, "backward", alive.plus(temporary)))
            self.memory.free(("gradient", index))
            if passes:
                for source in node.inputs:
                    self._gradient(source)
        self._free_saved(node)

    def _free_saved(self, node: Node) -> None:
        index = node.index
        for place, use in enumerate(self.saved.uses[index]):
            if use.storage is None:
                self.memory.free((index, place))
            elif use.first == index:
                self.memory.free(use.storage)
        self.memory.free(index)  # at the latest: nothing before it reads its output
