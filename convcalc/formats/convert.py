"""Conversion of a network to the file that somebody else's program reads, by the suffix of the file.

A writer gives the files it would write as parts still to be computed; only when all of them can be written are they
put in place, all or none.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from math import prod
from typing import Any, Literal, NamedTuple

from convcalc.errors import ConvcalcError, UsageError
from convcalc.files import check_place, write_together
from convcalc.graph import Graph, Node
from convcalc.language.bundled import module_parts
from convcalc.ops import Parameter
from convcalc.weights.load import MatchedTensors, parameter_keys
from convcalc.weights.tensors import DTYPES, StoredTensor, little_endian

# Progress callback: bytes written, and in total.
Writing = Callable[[int, int], None]


class Format(NamedTuple):
    """A kind of file to convert to.

    writer: the module whose function `write(request)` makes the files. needs_weights: whether random weights are drawn
    for a network that has none; only_weights: whether it holds nothing else. unknown: whether it can hold layers of
    unknown operators. options: those of the command that it takes, among `opset` and `external`.
    """

    name: str
    writer: str
    needs_weights: bool = False
    only_weights: bool = False
    unknown: bool = False
    options: frozenset[str] = frozenset()


# By suffix. A new kind of file is a line here and a module with `write(request: Request) -> Written`.
FORMATS: dict[str, Format] = {
    ".yaml": Format("spec", "convcalc.formats.spec.write", unknown=True),
    ".py": Format("pytorch", "convcalc.formats.torch.write"),
    ".onnx": Format(
        "onnx", "convcalc.formats.onnx.writer", needs_weights=True, options=frozenset({"opset", "external"})
    ),
    ".safetensors": Format(
        "safetensors", "convcalc.formats.tensor_files", needs_weights=True, only_weights=True
    ),
    ".npz": Format("npz", "convcalc.formats.tensor_files", needs_weights=True, only_weights=True),
}


@dataclass(frozen=True)
class WeightsOrigin:
    """Where the weights of a conversion come from: the model that was opened, a file, or a seed; or there are none."""

    source: Literal["model", "file", "random", "none"]
    path: str | None = None
    seed: int | None = None


NO_WEIGHTS = WeightsOrigin("none")


@dataclass(frozen=True)
class Request:
    """What a writer is to write.

    target: the path of the file asked for. tensors: the weights by key, values computed when read; None if the file is
    to have none. origin: where they come from. classes: the class of the module behind a scope, by path. options:
    those of the command that belong to single formats (`opset`, `external`). exported: whether the network was read
    from a model, whose inputs and outputs have names that an exporter made up.
    """

    graph: Graph
    target: str
    tensors: Mapping[str, StoredTensor] | None
    origin: WeightsOrigin = NO_WEIGHTS
    classes: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    exported: bool = False

    def beside(self, suffix: str) -> str:
        """The path of a second file, with the target's name and this suffix."""
        return os.path.splitext(self.target)[0] + suffix


class NewFile(NamedTuple):
    """A file to write. parts: makes its contents, once; holds: what is in it, for the report; size: its bytes, if
    known, for the progress."""

    path: str
    parts: Callable[[], Iterable[bytes]]
    holds: str
    size: int = 0


class FileWritten(NamedTuple):
    """A file that was written. holds: what is in it; size: its bytes."""

    path: str
    holds: str
    size: int


@dataclass(frozen=True)
class Written:
    """What a writer made of a request. origin: of the weights it holds; opset: of an ONNX file."""

    files: tuple[NewFile, ...]
    origin: WeightsOrigin
    notes: tuple[str, ...] = ()
    opset: int | None = None


@dataclass(frozen=True)
class Conversion:
    """A finished conversion. source: ARCH as given; weights: the origin of those written; files: the target first."""

    graph: Graph
    source: str
    target: str
    format: str
    weights: WeightsOrigin
    files: tuple[FileWritten, ...]
    notes: tuple[str, ...] = ()
    opset: int | None = None

    @property
    def params(self) -> int:
        """Weights and biases of the network; shared ones count once."""
        return self.graph.params

    @property
    def unknown(self) -> tuple[Node, ...]:
        """The layers of operators that convcalc does not know."""
        return tuple([node for node in self.graph if not node.op.is_known])


def format_of(path: str) -> Format:
    """The format of a path's suffix. Raises UsageError, with a list, for any other."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in FORMATS:
        raise UsageError(
            f"{path}: convert does not write {suffix or 'a file without a suffix'}",
            hint=f"name a file that ends in {', '.join(FORMATS)}",
        )
    return FORMATS[suffix]


def check_target(path: str, force: bool, source: str) -> None:
    """Raise UsageError or ConvcalcError if the path cannot be written, before any work is done. source: ARCH."""
    format_of(path)
    _check_free(path, force, source)


def _check_free(path: str, force: bool, source: str) -> None:
    if os.path.exists(path):
        module = module_parts(source)
        read = module[0] if module else source
        if os.path.exists(read) and os.path.samefile(read, path):
            raise UsageError(f"{path} is what is converted", hint="name another file")
        if not force:
            raise UsageError(f"{path} exists already", hint="--force replaces it, or name another file")
    check_place(path)


def convert(
    request: Request,
    source: str,
    *,
    notes: Iterable[str] = (),
    force: bool = False,
    writing: Writing | None = None,
) -> Conversion:
    """Write the files of a request. source: ARCH as given. force: replace existing files.

    Raises UsageError for another suffix, for an existing file without `force`, and for a file of weights of a network
    that has none; ConvcalcError if the network has layers that the format cannot hold, or a file cannot be written.
    """
    kind = format_of(request.target)
    _check_known(request.graph, kind, request.target)
    if kind.only_weights and not request.tensors:
        why = "it has no weights" if request.tensors is not None else "--no-weights leaves nothing to write"
        raise UsageError(f"{request.target}: {request.graph.name}: {why}", hint="convert it to .yaml")
    written: Written = import_module(kind.writer).write(request)
    for file in written.files:
        _check_free(file.path, force, source)
    sizes = _write(written.files, writing)
    return Conversion(
        request.graph,
        source,
        request.target,
        kind.name,
        written.origin,
        tuple([FileWritten(file.path, file.holds, sizes[file.path]) for file in written.files]),
        (*notes, *written.notes),
        written.opset,
    )


def _write(files: tuple[NewFile, ...], writing: Writing | None) -> dict[str, int]:
    """Write all files or none; the number of bytes of each."""
    total = sum(file.size for file in files)
    sizes = dict.fromkeys((file.path for file in files), 0)

    def counted(file: NewFile) -> Iterator[bytes]:
        for part in file.parts():
            yield part
            sizes[file.path] += len(part)
            if writing is not None:
                writing(sum(sizes.values()), total)

    write_together({file.path: partial(counted, file) for file in files})
    return sizes


def _check_known(graph: Graph, kind: Format, target: str) -> None:
    unknown = [node for node in graph if not node.op.is_known]
    if unknown and not kind.unknown:
        names = ", ".join(f"{node.name} ({node.op.shown_fields()['op']})" for node in unknown[:3])
        more = f" and {len(unknown) - 3:,} more" if len(unknown) > 3 else ""
        raise ConvcalcError(
            f"{target}: {graph.name} has layers of operators that convcalc does not know: {names}{more}",
            hint="such a network converts to .yaml, where each of them keeps its place as an unknown layer",
        )


# -- weights ------------------------------------------------------------------------------------------------------


def file_key(node: Node, parameter: Parameter) -> str:
    """The key of a parameter in the files that we write: the spec's `keys` where it gives some, else its path."""
    return parameter_keys(node, parameter)[-1]


def matched_tensors(graph: Graph, matched: MatchedTensors) -> dict[str, StoredTensor]:
    """The stored tensors of a file or model by key, with the shapes that the layers have. What a rule computes is not
    among them."""
    found = {}
    for node, tensors in zip(graph, matched.nodes, strict=True):
        for parameter in node.parameters if node.shares is None else ():
            tensor = tensors.get(parameter.name)
            if tensor is not None:
                key = file_key(node, parameter)
                found[key] = StoredTensor(key, parameter.shape, tensor.dtype, tensor.read)
    return found


def random_tensors(graph: Graph, seed: int) -> dict[str, StoredTensor]:
    """The random weights of a graph by key, the same as `forward` draws; each is drawn when it is read."""
    found = {}
    for node in graph:
        for parameter in node.parameters if node.shares is None else ():
            if parameter.rule is None:
                key = file_key(node, parameter)
                drawn = partial(_drawn, parameter, parameter.key(node.name), seed)
                found[key] = StoredTensor(key, parameter.shape, "F32", drawn)
    return found


def _drawn(parameter: Parameter, name: str, seed: int) -> bytes:
    if parameter.fan_in is None:
        return little_endian(array("f", [parameter.initial]) * prod(parameter.shape))
    from convcalc.weights.initialise import he_normal

    return little_endian(he_normal(name, parameter.shape, parameter.fan_in, seed))


def tensor_bytes(tensor: StoredTensor) -> int:
    """The number of bytes of a tensor's values."""
    return prod(tensor.shape) * DTYPES[tensor.dtype][0]
