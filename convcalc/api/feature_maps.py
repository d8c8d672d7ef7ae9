"""`forward --maps` and `--kernels`: which files there will be, and sheets written as soon as a layer is computed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from convcalc.errors import ConvcalcError, UsageError
from convcalc.files import check_place, write_folder, write_whole
from convcalc.inference.runner import Batch, Failure, Forward, MapFile, keep_nodes

if TYPE_CHECKING:
    from convcalc.graph import Graph
    from convcalc.inference.inputs import InputValues, Sample
    from convcalc.ops import Tensor
    from convcalc.weights.load import Weights

SUFFIX = ".png"
MAX_NAME = 80  # characters of a layer's name in a file's
# Called when a layer is drawn: with 1, the number of layers to draw, and its name.
Drawing = Callable[[int, int, str], None]


def is_folder(path: str) -> bool:
    """Whether a path means a folder of sheets: one that exists, ends in a separator or has no suffix.

    Raises UsageError for a file that is no PNG.
    """
    if os.path.isdir(path) or path.endswith(("/", os.sep)):
        return True
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in ("", SUFFIX):
        raise UsageError(
            f"{path}: cannot write {suffix}; maps are PNG files",
            hint=f"name a file that ends in {SUFFIX}, or a folder: {os.path.splitext(path)[0]}/",
        )
    return not suffix


def map_writer(
    graph: Graph,
    given: Any,
    maps: str | os.PathLike[str] | None,
    layers: Sequence[str],
    keep: Sequence[str],
    drawing: Drawing | None,
) -> MapWriter | None:
    """The writer of the sheets that `Network.forward`, whose arguments these are, was asked for; None if of none.

    Raises UsageError, or ConvcalcError for a file that cannot be written.
    """
    from convcalc.inference.inputs import samples_of

    if maps is None:
        if layers:
            raise UsageError("--layer says which layers --maps draws", hint="give --maps FILE.png or DIR too")
        return None
    if keep:
        raise UsageError("keep and maps exclude each other", hint="layers says what maps are drawn of")
    names = [layers] if isinstance(layers, str) else list(layers)
    return MapWriter(graph, os.fspath(maps), names, samples_of(graph, given)[0], drawing)


class MapWriter:
    """Writes the sheets of layers; `take` is what a run calls with each. files: those written so far, by sample."""

    def __init__(
        self,
        graph: Graph,
        path: str,
        layers: Sequence[str],
        samples: Sequence[Sample],
        drawing: Drawing | None,
    ) -> None:
        """layers: as they were asked for; () for all. Raises UsageError, or ConvcalcError for a file that cannot be
        written, before any work is done."""
        from convcalc.inference.inputs import sample_label

        self._graph = graph
        self._path = path
        self._folder = is_folder(path)
        if self._folder:
            self._check_folder()
        else:
            self._check_file(layers, len(samples))
        names = layers or [node.name for node in graph]
        self.layers = keep_nodes(graph, names)
        self._drawing = drawing
        self._total = len(self.layers) * len(samples)
        self._several = len(samples) > 1
        self._folders: dict[str, list[str]] = {}  # by sample, those that are still to be made
        for sample, folder in zip(samples, _folders(samples), strict=True):
            self._folders.setdefault(sample_label(sample), []).append(folder)
        self._inputs: tuple[InputValues, ...] = ()
        self._own = ""  # the folder of the present sample
        self.files: dict[str, list[MapFile]] = {}

    def _check_folder(self) -> None:
        """Raises ConvcalcError, before anything runs, where a file has the folder's name."""
        if os.path.exists(self._path) and not os.path.isdir(self._path):
            raise ConvcalcError(
                f"--maps {self._path}: is a file, not a folder",
                hint=f"name another folder, or with --layer NAME a file that ends in {SUFFIX}",
            )

    def _check_file(self, layers: Sequence[str], images: int) -> None:
        place = f"--maps {self._path}: a file holds the maps of one layer"
        folder = os.path.splitext(self._path)[0] + "/"
        if len(layers) != 1:
            hint = f"--layer NAME says which; --maps {folder} writes a file for every layer"
            if layers:
                place += f", and there are {len(layers)}"
                hint = f"--maps {folder} writes a file for each"
            raise UsageError(place, hint=hint)
        if images != 1:
            raise UsageError(
                f"{place} of one image, and there are {images:,}",
                hint=f"--maps {folder} makes a folder for each",
            )
        check_place(self._path)

    def take(self, inputs: tuple[InputValues, ...], name: str, tensor: Tensor) -> None:
        """Draws the output of a layer and writes it."""
        from convcalc.inference.inputs import sample_label
        from convcalc.report.forward_maps import map_sheets

        node = self._graph.nodes[self.layers[name]]
        label = sample_label(inputs)
        if inputs is not self._inputs:
            self._inputs, self._own = inputs, self._folders[label].pop(0)
        image = " ".join(os.path.basename(given.label) for given in inputs)
        for place, data in enumerate(map_sheets(self._graph, node, name, tensor, image)):
            file = self._write(name, node.index, place, data)
            self.files.setdefault(label, []).append(MapFile(name, tensor.shape, file))
        if self._drawing:
            self._drawing(1, self._total, name)

    def _write(self, name: str, index: int, place: int, data: bytes) -> str:
        if not self._folder:
            path = numbered(self._path, place)
            write_whole(path, data)
            return path
        digits = len(str(len(self._graph)))
        file = numbered(f"{index + 1:0{digits}}-{file_name(name)}{SUFFIX}", place)
        if self._several:
            file = f"{self._own}/{file}"
        write_folder(self._path, {file: data})
        return os.path.join(self._path, *file.split("/"))

    def named(self, found: Forward | Batch) -> Forward | Batch:
        """The results with the files drawn of each."""
        if isinstance(found, Batch):
            outcomes = [
                outcome if isinstance(outcome, Failure) else self._named(outcome)
                for outcome in found.outcomes
            ]
            return replace(found, outcomes=tuple(outcomes))
        return self._named(found)

    def _named(self, result: Forward) -> Forward:
        return replace(result, maps=tuple(self.files.get(result.image, ())))


def _folders(samples: Sequence[Sample]) -> list[str]:
    """A folder for each sample: the image's name without its suffix, told apart by numbers where two are alike."""
    from convcalc.inference.inputs import sample_label

    found: list[str] = []
    for sample in samples:
        stem = file_name(os.path.splitext(os.path.basename(sample_label(sample)))[0])
        name, count = stem, 1
        while name in found:
            count += 1
            name = f"{stem}-{count}"
        found.append(name)
    return found


def numbered(path: str, place: int) -> str:
    """The path of the sheet at `place`, counted from 0: `maps.png`, `maps-2.png`."""
    stem, suffix = os.path.splitext(path)
    return path if place == 0 else f"{stem}-{place + 1}{suffix}"


def file_name(name: str) -> str:
    """A layer's name as part of a file's on every platform: letters, digits, dots, minus and underscore, cut."""
    text = "".join(c if c.isalnum() or c in ".-_" else "_" for c in name[: MAX_NAME + 1])
    if len(name) > MAX_NAME:
        text = text[:MAX_NAME] + "_"
    return text.strip(".") or "_"


def write_kernels(graph: Graph, weights: Weights, path: str) -> list[str]:
    """Write the filters of the first convolution; the names of the files. Raises UsageError if there is none."""
    from convcalc.report.forward_maps import kernel_sheets

    place = first_convolution(graph, path)
    node = graph.nodes[place]
    source = (
        "random weights" if weights.source == "random" else os.path.basename(weights.path or weights.source)
    )
    sheets = kernel_sheets(graph, node, weights.nodes[place]["weight"], source)
    files = []
    for number, data in enumerate(sheets):
        files.append(numbered(path, number))
        write_whole(files[-1], data)
    return files


def first_convolution(graph: Graph, path: str) -> int:
    """The first convolution, whose filters --kernels writes. Raises UsageError if there is none, or for a file that is
    no PNG; ConvcalcError if it cannot be written."""
    from convcalc.ops.conv import Conv

    if is_folder(path):
        raise UsageError(
            f"--kernels {path}: the filters of the first convolution are one file",
            hint=f"name a file that ends in {SUFFIX}",
        )
    found = next((node.index for node in graph if isinstance(node.op, Conv)), None)
    if found is None:
        raise UsageError(
            f"--kernels: {graph.name} has no convolution", hint="--maps draws the outputs of its layers"
        )
    check_place(path)
    return found
