"""`matrix -o FILE`: the whole matrix as a figure, CSV, or NumPy's .npz."""

from __future__ import annotations

from array import array

from convcalc.errors import UsageError
from convcalc.layer.unroll import UnrolledNetwork
from convcalc.render.drawing import files
from convcalc.report.matrix import AnyUnrolled

SUFFIXES = (*files.SUFFIXES, ".csv", ".npz")


def check_suffix(path: str) -> None:
    """Raises UsageError if `matrix` cannot write a file of this name."""
    files.suffix_of(path, SUFFIXES)


def layers_file(network: UnrolledNetwork, path: str) -> bytes:
    """Raises UsageError: a file holds the matrix of one layer."""
    check_suffix(path)
    raise UsageError(
        "--output writes one layer's matrix", hint=f"convcalc matrix {network.name} {network.layers[0].name}"
    )


def unrolled_file(layer: AnyUnrolled, path: str, *, transposed: bool = False) -> bytes:
    """The bytes of the file, as its suffix says. An entry is the number of its weight, from 1, or the weight's
    value if the weights were given. transposed: a row per input, a column per output. Raises UsageError."""
    suffix = files.suffix_of(path, SUFFIXES)
    if suffix in files.SUFFIXES:
        from convcalc.report.matrix_figure import matrix_scene

        return files.encoded(matrix_scene(layer, transposed=transposed), suffix)
    entries = layer.matrix()
    height, width = layer.counts.outputs, layer.counts.inputs
    if transposed:
        turned = array("i", bytes(4 * len(entries)))
        for row in range(height):
            turned[row::height] = entries[row * width : (row + 1) * width]
        entries, height, width = turned, width, height
    return {".csv": _csv, ".npz": _npz}[suffix](layer, entries, (height, width), path)


def _csv(layer: AnyUnrolled, entries: array[int], shape: tuple[int, int], path: str) -> bytes:
    counts = layer.counts
    texts = ["0", *(layer.texts or map(str, range(1, counts.weights + 1)))]
    rows = (
        ",".join([texts[entry] for entry in entries[start : start + shape[1]]])
        for start in range(0, len(entries), shape[1])
    )
    return ("\n".join(rows) + "\n").encode()


def _npz(layer: AnyUnrolled, entries: array[int], shape: tuple[int, int], path: str) -> bytes:
    from convcalc.weights.npz import npy, npz

    if layer.letters:
        raise UsageError(
            f"--output {path}: letters are not numbers", hint="use .csv or .svg, or number weights"
        )
    if not layer.values:
        return npz({"matrix": npy(shape, "<i4", entries)})
    values = array("d", [0.0, *map(float, layer.values)])
    return npz({"matrix": npy(shape, "<f8", array("d", [values[entry] for entry in entries]))})
