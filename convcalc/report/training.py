"""`show --training`: memory and MACs of a training step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from convcalc.analysis.training import KeptTensor, TrainedLayer, Training
from convcalc.render.table import Column, Table, Total, drop, shorten
from convcalc.report import words
from convcalc.report.values import CONVENTIONS

NOT_MODELLED = (
    "not counted: workspaces inside operators, temporaries of the optimiser; mixed precision is not modelled"
)


class TrainingRow(NamedTuple):
    """A layer, or a block's layers together."""

    name: str
    kept: tuple[KeptTensor, ...]
    bytes: int
    macs_backward: int


class CsvLine(NamedTuple):
    """A row of the CSV: a layer and one of the tensors that it keeps, or none."""

    layer: TrainedLayer
    kept: KeptTensor | None


COLUMNS = (
    Column("layer", "layer", lambda row: row.name, wrap=True, style="cyan"),
    Column("kept", "kept for the backward pass", lambda row: _kept(row.kept), wrap=True),
    Column("bytes", "bytes", lambda row: row.bytes, short=(lambda row: words.size(row.bytes),), right=True),
    Column(
        "macs_backward", "MACs backward", lambda row: row.macs_backward,
        short=(lambda row: words.rounded(row.macs_backward),), right=True,
    ),
)  # fmt: skip
NARROWING = (*shorten("macs_backward"), *shorten("bytes"), *drop("macs_backward"))
DATA = (
    Column("layer", "", lambda line: line.layer.name),
    Column("kind", "", lambda line: line.layer.kind),
    Column("what", "", lambda line: line.kept and line.kept.what),
    Column("bytes", "", lambda line: line.kept.bytes if line.kept else 0),
    Column("shared_with", "", lambda line: line.kept and line.kept.shared_with),
    Column("macs_backward", "", lambda line: line.layer.macs_backward),
)


def training_summary(result: Training) -> str:
    """`Training of resnet50 with sgd, batch 32: 3.0 GB at most`."""
    analysis = result.analysis
    return (
        f"Training of {analysis.graph.name} with {result.optimizer}, batch {analysis.batch}: "
        f"{words.size(result.bytes.peak)} at most"
    )


def training_table(result: Training, depth: int | None = None, all: bool = False) -> Table:
    """A row per layer that keeps something or has MACs; with `depth` per block, with `all` for every layer."""
    rows = _rows(result, depth, all)
    graph = result.analysis.graph
    total = TrainingRow("total", (), sum(row.bytes for row in rows), sum(row.macs_backward for row in rows))
    labels = {
        "layer": ("total",),
        "bytes": (words.count(total.bytes), words.size(total.bytes)),
        "macs_backward": (words.count(total.macs_backward), words.rounded(total.macs_backward)),
    }
    return Table(
        columns=COLUMNS,
        rows=rows,
        title=f"{graph.title or graph.name} in training",
        subtitle=f"{words.network(graph)}, batch {result.analysis.batch}, {result.analysis.dtype}",
        footer=[Total(None, labels)],
        lines=list(_lines(result)),
        narrowing=NARROWING,
        data_columns=DATA,
        data=lambda: [CsvLine(layer, kept) for layer in result.layers for kept in (layer.kept or (None,))],
    )


def _rows(result: Training, depth: int | None, all: bool) -> Sequence[TrainingRow]:
    if depth is None:
        return [
            TrainingRow(layer.name, layer.kept, layer.bytes, layer.macs_backward)
            for layer in result.layers
            if all or layer.kept or layer.macs_backward
        ]
    blocks: dict[str, list[TrainedLayer]] = {}
    for layer in result.layers:
        blocks.setdefault(".".join(layer.name.split(".")[:depth]), []).append(layer)
    return [
        TrainingRow(
            name,
            tuple([tensor for layer in layers for tensor in layer.kept]),
            sum(layer.bytes for layer in layers),
            sum(layer.macs_backward for layer in layers),
        )
        for name, layers in blocks.items()
        if all or any(layer.kept or layer.macs_backward for layer in layers)
    ]


MAX_SHOWN = 3


def _kept(kept: Sequence[KeptTensor]) -> str:
    """`input, mean and deviation`; a tensor that another layer has saved is `input of relu1`; a block's are counted."""
    if not kept:
        return "–"
    if len(kept) > MAX_SHOWN + 2:
        own = sum(tensor.shared_with is None for tensor in kept)
        return f"{words.plural(own, 'tensor')}, {words.count(len(kept) - own)} shared"
    return ", ".join(
        tensor.what if tensor.shared_with is None else f"{tensor.what} (with {tensor.shared_with})"
        for tensor in kept
    )


def _lines(result: Training) -> Iterator[str]:
    sizes = result.bytes
    every = sum(layer.bytes for layer in result.layers)
    freed = f" of {words.size(every)}" if sizes.kept < every else ""
    state = f" + {result.optimizer} {words.size(sizes.optimizer)}" if sizes.optimizer else ""
    yield (
        f"weights {words.size(sizes.weights)} + gradients {words.size(sizes.gradients)}{state}"
        f" + kept for the backward pass {words.size(sizes.kept)}{freed}"
    )
    batch = "one image" if result.analysis.batch == 1 else f"{result.analysis.batch:,} images"
    yield (
        f"peak {words.size(sizes.peak)} for {batch}, {result.peak_pass} at {result.peak_layer}; "
        f"{result.optimizer if result.optimizer != 'sgd' else 'sgd without momentum'}"
    )
    backward = f"{words.rounded(result.macs.backward)} backward"
    if result.checkpoint:
        backward += f", with {', '.join(result.checkpoint)} computed again"
    yield f"MACs for one image: {words.rounded(result.macs.forward)} forward + {backward}"
    if result.memory is not None:
        most = result.largest_batch
        fits = f"largest batch {most:,}" if most else "not even one image fits"
        yield f"in {words.size(result.memory)}: {fits}"
    yield NOT_MODELLED


def training_value(result: Training) -> dict[str, Any]:
    """JSON of `show --training`."""
    return {
        "name": result.analysis.graph.name,
        "conventions": f"{CONVENTIONS}; bytes for the whole batch, MACs for one image; kept: what PyTorch's autograd "
        f"saves, each tensor once; {NOT_MODELLED}",
        "batch": result.analysis.batch,
        "dtype": result.analysis.dtype,
        "optimizer": result.optimizer,
        "checkpoint": list(result.checkpoint),
        "bytes": result.bytes._asdict(),
        "peak_at": {"layer": result.peak_layer, "pass": result.peak_pass},
        "macs": result.macs._asdict(),
        "memory": result.memory,
        "largest_batch": result.largest_batch,
        "layers": [
            {
                "name": layer.name,
                "kind": layer.kind,
                "kept": [tensor._asdict() for tensor in layer.kept],
                "macs_backward": layer.macs_backward,
            }
            for layer in result.layers
        ],
    }
