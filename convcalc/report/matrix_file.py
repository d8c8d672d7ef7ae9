"""`matrix -o FILE`: the whole matrix as a picture, CSV, or NumPy's .npz."""

from __future__ import annotations

import os
from array import array

from convcalc.errors import UsageError
from convcalc.layer.unroll import UnrolledNetwork
from convcalc.report.matrix import AnyUnrolled, rgb

SUFFIXES = (".png", ".csv", ".npz")


def check_suffix(path: str) -> None:
    """Raises UsageError if `matrix` cannot write a file of this name."""
    if os.path.splitext(path)[1].lower() not in SUFFIXES:
        raise UsageError(f"--output {path}: cannot write such a file", hint=f"use {', '.join(SUFFIXES)}")


def layers_file(network: UnrolledNetwork, path: str) -> bytes:
    """Raises UsageError: a file holds the matrix of one layer."""
    check_suffix(path)
    raise UsageError(
        "--output writes one layer's matrix", hint=f"convcalc matrix {network.name} {network.layers[0].name}"
    )


def unrolled_file(layer: AnyUnrolled, path: str, *, transposed: bool = False) -> bytes:
    """The bytes of the file, as its suffix says. An entry is the number of its weight, from 1, or the weight's
    value if the weights were given. transposed: a row per input, a column per output. Raises UsageError."""
    check_suffix(path)
    entries = layer.matrix()
    height, width = layer.counts.outputs, layer.counts.inputs
    if transposed:
        turned = array("i", bytes(4 * len(entries)))
        for row in range(height):
            turned[row::height] = entries[row * width : (row + 1) * width]
        entries, height, width = turned, width, height
    suffix = os.path.splitext(path)[1].lower()
    return {".png": _png, ".csv": _csv, ".npz": _npz}[suffix](layer, entries, (height, width), path)


def _png(layer: AnyUnrolled, entries: array[int], shape: tuple[int, int], path: str) -> bytes:
    from convcalc.images.rasters import indexed_png

    counts = layer.counts
    colours = [rgb(index, counts.weights) for index in range(min(counts.weights, 255))]
    return indexed_png(shape[1], shape[0], entries, colours)


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
            f"--output {path}: letters are not numbers", hint="use .csv or .png, or number weights"
        )
    if not layer.values:
        return npz({"matrix": npy(shape, "<i4", entries)})
    values = array("d", [0.0, *map(float, layer.values)])
    return npz({"matrix": npy(shape, "<f8", array("d", [values[entry] for entry in entries]))})
