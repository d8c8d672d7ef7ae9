"""Memory and MACs of training a network: weights, gradients, optimiser state, what each layer saves for its backward
pass, and the peak.

What is saved follows PyTorch's autograd on a processor in 32-bit floats, to the byte: each operator says which tensors
it saves (`ops/_saved.py`), and a tensor that several layers save counts once. Whether activations work in place makes
no difference to what is saved. Not counted: workspaces inside an operator, the optimiser's temporaries, the allocator's
rounding. Mixed precision is not modelled: `dtype` is that of all floating-point tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from convcalc.analysis.analyse import DTYPES, Analysis
from convcalc.analysis.saved import SavedTensors, Use, saved_tensors
from convcalc.analysis.training_peak import Pass, Plan, largest_batch, step
from convcalc.errors import UsageError, did_you_mean
from convcalc.graph import Graph, Node

# Numbers of optimiser state per parameter.
OPTIMIZERS = {"sgd": 0, "momentum": 1, "adam": 2, "adamw": 2}


class KeptTensor(NamedTuple):
    """A tensor that a layer saves. shared_with: the layer that saved it first, or the network's input that it is; its
    bytes are counted there. None: counted here."""

    what: str
    bytes: int
    shared_with: str | None


class TrainedLayer(NamedTuple):
    """What a layer saves for its backward pass, and the MACs of that pass for one image."""

    name: str
    kind: str
    kept: tuple[KeptTensor, ...]
    macs_backward: int

    @property
    def bytes(self) -> int:
        """What it is the first to save."""
        return sum(tensor.bytes for tensor in self.kept if tensor.shared_with is None)


class TrainingBytes(NamedTuple):
    """weights: parameters and buffers. kept: all that is saved at the end of the forward pass, running statistics
    included. peak: the most at any moment; it includes the images."""

    weights: int
    gradients: int
    optimizer: int
    kept: int
    peak: int


class TrainingMacs(NamedTuple):
    """Multiply-accumulates for one image. backward includes what checkpointing computes again."""

    forward: int
    backward: int


class Training(NamedTuple):
    """The cost of a training step. peak_layer, peak_pass: when the most is alive. memory: the limit that was asked
    about, in bytes; largest_batch: the most images that fit, 0 if not even one does."""

    analysis: Analysis
    optimizer: str
    checkpoint: tuple[str, ...]
    bytes: TrainingBytes
    peak_layer: str
    peak_pass: Pass
    macs: TrainingMacs
    memory: int | None
    largest_batch: int | None
    layers: tuple[TrainedLayer, ...]


def training(
    analysis: Analysis,
    *,
    optimizer: str = "sgd",
    checkpoint: Sequence[str] = (),
    memory: int | None = None,
) -> Training:
    """The cost of a training step with the batch and number type of `analysis`.

    optimizer: a key of OPTIMIZERS. checkpoint: blocks whose layers save nothing but what the block reads, and that are
    computed again in the backward pass. memory: bytes, for the largest batch. Raises UsageError for an unknown block.
    """
    graph, batch, unit = analysis.graph, analysis.batch, DTYPES[analysis.dtype]
    spans = _spans(graph, checkpoint)
    saved = saved_tensors(graph, unit)
    learned, buffers = analysis.totals.params, analysis.totals.buffers
    state = OPTIMIZERS[optimizer] * learned
    found = step(Plan(graph, saved, unit, start=(learned + buffers + state) * unit, spans=spans))
    peak = max(found.moments, key=lambda moment: moment.alive.bytes(batch))
    layers = tuple([_layer(node, saved, graph, batch) for node in graph])
    again = sum(
        graph.nodes[index].op.macs(graph.nodes[index].input_shapes) for span in spans for index in span
    )
    return Training(
        analysis=analysis,
        optimizer=optimizer,
        checkpoint=tuple(checkpoint),
        bytes=TrainingBytes(
            weights=(learned + buffers) * unit,
            gradients=learned * unit,
            optimizer=state * unit,
            kept=found.kept.bytes(batch),
            peak=peak.alive.bytes(batch),
        ),
        peak_layer=graph.nodes[peak.layer].name,
        peak_pass=peak.during,
        macs=TrainingMacs(graph.macs, sum(layer.macs_backward for layer in layers) + again),
        memory=memory,
        largest_batch=None if memory is None else largest_batch(found.moments, memory),
        layers=layers,
    )


def _layer(node: Node, saved: SavedTensors, graph: Graph, batch: int) -> TrainedLayer:
    kept = [
        KeptTensor(use.saved.what, use.amount.bytes(batch), _owner(use, node, graph))
        for use in saved.uses[node.index]
    ]
    return TrainedLayer(node.name, node.kind, tuple(kept), _macs_backward(node, saved))


def _owner(use: Use, node: Node, graph: Graph) -> str | None:
    """The layer or input whose tensor it is; None if the layer itself is the first to save it."""
    if use.first is None:
        assert use.storage is not None
        return graph.input_name(use.storage)
    return None if use.first == node.index else graph.nodes[use.first].name


def _macs_backward(node: Node, saved: SavedTensors) -> int:
    """As many MACs for the gradient of the weights as forward, and as many for that of the input if it needs one. In a
    product of two tensors each needs its own."""
    macs = node.op.macs(node.input_shapes)
    if not macs:
        return 0
    needed = sum(source >= 0 and saved.trained[source] for source in dict.fromkeys(node.inputs))
    if not node.learned:
        return macs * needed
    return macs * (1 + bool(needed))


def _spans(graph: Graph, blocks: Sequence[str]) -> tuple[range, ...]:
    """The layers of each block, as ranges of indices. Raises UsageError for an unknown block, or if blocks overlap."""
    spans: list[range] = []
    for block in blocks:
        found = [node.index for node in graph if node.name == block or node.name.startswith(f"{block}.")]
        if not found:
            known = {node.name for node in graph} | {
                node.name[:place] for node in graph for place, letter in enumerate(node.name) if letter == "."
            }
            raise UsageError(
                f"{graph.name} has no block {block!r}{did_you_mean(block, known)}",
                hint="a block is the first part of its layers' paths, such as layer1 or layer1.0",
            )
        span = range(found[0], found[-1] + 1)
        if len(span) != len(found):
            foreign = next(graph.nodes[index].name for index in span if index not in found)
            raise UsageError(f"{block} cannot be checkpointed: {foreign} runs between its layers")
        if any(span[0] <= other[-1] and other[0] <= span[-1] for other in spans):
            raise UsageError(f"checkpointed blocks overlap: {block} and another")
        spans.append(span)
    return tuple(spans)
