"""The inputs of a model: their shapes with free dimensions set, and whether the first dimension is a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from convcalc.errors import ModelError, UsageError
from convcalc.formats.onnx.calls import Activation
from convcalc.formats.onnx.records import OnnxGraph, OnnxModel, ValueInfo
from convcalc.formats.onnx.values import INTEGERS
from convcalc.graph import Input
from convcalc.shapes import Shape

# Operators whose first dimension is a batch by definition.
BATCHED = {
    "Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "BatchNormalization",
    "InstanceNormalization", "GroupNormalization", "LRN", "DepthToSpace", "SpaceToDepth", "LpPool", "GlobalLpPool",
    "MaxUnpool", "ConvInteger", "QLinearConv", "DeformConv",
}  # fmt: skip


class Entries(NamedTuple):
    """The inputs for the draft and for the mapper. batch: the size of the batch in the file, 1 if it is free.
    guessed: whether the first dimension is taken for a batch without an operator or a symbol that says so."""

    inputs: tuple[Input, ...]
    activations: dict[str, Activation]
    batch: int
    guessed: bool


def entries(model: OnnxModel, given: Mapping[str, Shape], batched: bool = True) -> Entries:
    """The inputs of a model. given: shapes by name, with or without the batch. batched: False if the first dimension
    is known to be no batch. Raises ModelError for an input that is no tensor or whose shape is not known, UsageError
    for a name that no input has or a shape that does not fit."""
    graph = model.graph
    if not graph.inputs:
        raise ModelError(f"{model.path}: the model has no inputs, so there is nothing to compute")
    names = [info.name for info in graph.inputs]
    for name in given:
        if name not in names:
            raise UsageError(
                f"{model.path or 'the model'} has no input {name!r}", hint=f"its inputs: {', '.join(names)}"
            )
    certain = _has_batched(graph)
    found: list[Input] = []
    activations: dict[str, Activation] = {}
    batch = 1
    guessed = False
    for info in graph.inputs:
        shape, batch_here, sure = _shape(model, info, given.get(info.name), certain, batched)
        guessed = guessed or (batch_here > 0 and not sure)
        batch = max(batch, batch_here)
        axis = 0 if batch_here else None
        if axis == 0:
            shape = (1, *shape[1:])
        own = shape[1:] if axis == 0 else shape
        activations[info.name] = Activation(-1 - len(found), shape, axis, integral=info.dtype in INTEGERS)
        found.append(Input(_name(info.name, found), own or (1,)))
    return Entries(tuple(found), activations, batch, guessed)


def _has_batched(graph: OnnxGraph) -> bool:
    return any(node.op in BATCHED for node in graph.nodes)


def _kernel_rank(graph: OnnxGraph, name: str) -> int | None:
    """The rank of a convolution's kernel that reads the input: that of the input itself, batch included."""
    for node in graph.nodes:
        if node.op in ("Conv", "ConvTranspose") and node.inputs[:1] == (name,) and len(node.inputs) > 1:
            kernel = graph.initializers.get(node.inputs[1])
            if kernel is not None:
                return len(kernel.shape)
    return None


def _shape(
    model: OnnxModel, info: ValueInfo, given: Shape | None, certain: bool, batched: bool
) -> tuple[Shape, int, bool]:
    """The shape, the size of its batch (0: none), and whether that is certain."""
    where = f"{model.path}: input {info.name!r}" if model.path else f"input {info.name!r}"
    if info.dtype is None:
        raise ModelError(f"{where} has no known type", hint="export the model with the types of its inputs")
    if info.shape is None:
        if given is None:
            raise UsageError(
                f"{where} has no known shape", hint="give it without the batch: --input 3x224x224"
            )
        if certain and batched and len(given) != _kernel_rank(model.graph, info.name):
            return (1, *given), 1, True
        return given, int(certain and batched), True
    sizes = list(info.shape)
    first = sizes[0] if sizes else None
    symbolic = bool(sizes) and not isinstance(first, int)
    has_batch = bool(sizes) and batched and (
        symbolic or (certain and len(sizes) >= 2) or (first == 1 and len(sizes) >= 2)
    )  # fmt: skip
    sure = certain or symbolic
    if given is not None:
        sizes, has_batch = _with_given(where, info, sizes, given, has_batch, symbolic)
    size = sizes[0] if has_batch and isinstance(sizes[0], int) else 1
    if has_batch and not isinstance(sizes[0], int):
        sizes[0] = 1
    free = [str(size) for size in sizes if not isinstance(size, int) or size < 1]
    if free:
        known = "×".join(str(size) if isinstance(size, int) else (size or "?") for size in sizes[has_batch:])
        raise UsageError(
            f"{where} has free dimensions: {known}",
            hint=f"give its shape without the batch: --input {_example(sizes[has_batch:])}",
        )
    return tuple(int(size) for size in sizes if size is not None), max(1, size) if has_batch else 0, sure


def _with_given(
    where: str, info: ValueInfo, sizes: list[int | str | None], given: Shape, has_batch: bool, symbolic: bool
) -> tuple[list[int | str | None], bool]:
    """The sizes with those that the user gives, with or without the batch."""
    if len(given) == len(sizes) - 1 and (has_batch or symbolic):
        wanted: Sequence[int] = (1, *given)
        has_batch = True
    elif len(given) == len(sizes):
        wanted = given
    else:
        rank = len(sizes) - has_batch
        raise UsageError(f"{where} has {rank} dimensions without the batch, not {len(given)}")
    return list(wanted), has_batch


def _example(sizes: Sequence[int | str | None]) -> str:
    return "x".join(str(size) if isinstance(size, int) and size > 0 else "224" for size in sizes)


def _name(name: str, found: Sequence[Input]) -> str:
    """The name of an input as a spec can have it."""
    from convcalc.formats.naming import clean_path

    clean = clean_path(name.replace(".", "_")) or "input"
    taken = {entry.name for entry in found}
    number = 1
    result = clean
    while result in taken:
        number += 1
        result = f"{clean}_{number}"
    return result
