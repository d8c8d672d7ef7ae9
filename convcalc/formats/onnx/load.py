"""ONNX file → Model: read, mapped to layers, with its weights to be read on demand."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from convcalc.errors import ModelError, UsageError, did_you_mean
from convcalc.formats.model import Model
from convcalc.formats.naming import clean_path
from convcalc.formats.onnx.mapping import map_model
from convcalc.formats.onnx.reader import read_model
from convcalc.formats.onnx.records import OnnxModel, ValueInfo
from convcalc.graph import MAX_LAYERS, uncollected
from convcalc.shapes import Shape

if TYPE_CHECKING:
    from convcalc.language.input import Given


def load_onnx(path: str, given: Given | None = None, max_layers: int = MAX_LAYERS) -> Model:
    """The network of an ONNX file, named after the file, and its weights.

    given: shapes for inputs without the batch, as `--input` gives them. Raises ModelError for a file that cannot be
    read as layers, UsageError for a shape that does not fit or is needed.
    """
    model = read_model(path, max(max_layers, MAX_LAYERS))  # a layer may be many nodes
    shapes = _shapes(model, given)
    with uncollected():
        draft = map_model(model, shapes, max_layers)
        built = draft.built(os.path.splitext(os.path.basename(path))[0])
    if not built.graph.nodes:
        raise ModelError(
            f"{path}: the model has no layers: it returns its input", hint="export the model with its layers"
        )
    missing = tuple(
        dict.fromkeys(t.missing for t in model.graph.initializers.values() if t.missing is not None)
    )
    notes = built.notes
    if missing:
        lost = " and ".join(f"{name} is" for name in missing if name) or "the numbers of its weights are"
        notes = (*notes, f"{lost} missing: forward and convert need --weights")
    graph = replace(built.graph, notes=notes)
    return Model(graph, built.tensors, path, notes, missing, built.classes)


def _shapes(model: OnnxModel, given: Given | None) -> Mapping[str, Shape]:
    """The given shapes by the names of inputs in the file. Raises UsageError."""
    if given is None:
        return {}
    inputs = model.graph.inputs
    if isinstance(given, str) and "=" in given:
        name, _, text = given.partition("=")
        given = {name.strip(): text}
    if not isinstance(given, Mapping):
        shown = given if isinstance(given, str) else "x".join(map(str, given))
        if len(inputs) != 1:
            names = [_clean(info.name) for info in inputs]
            raise UsageError(
                f"--input {shown}: the network has {len(inputs)} inputs: {', '.join(names[:8])}",
                hint=f"say which: --input {names[0] if names else 'NAME'}={shown}",
            )
        return {inputs[0].name: _shape(inputs[0], given)}
    by_name = {_clean(info.name): info for info in inputs} | {info.name: info for info in inputs}
    shapes: dict[str, Shape] = {}
    for name, value in given.items():
        info = by_name.get(name)
        if info is None:
            shown = value if isinstance(value, str) else "x".join(map(str, value))
            raise UsageError(
                f"--input {name}={shown}: the network has no input '{name}'{did_you_mean(name, by_name)}",
                hint=f"its inputs: {', '.join(_clean(info.name) for info in inputs[:8])}",
            )
        shapes[info.name] = _shape(info, value)
    return shapes


def _shape(info: ValueInfo, given: Shape | str) -> Shape:
    """The shape in a text: all sizes, those without channels, or one size for all axes."""
    if not isinstance(given, str):
        return given
    from convcalc.language.input import parse_input

    sizes = info.shape or ()
    own = sizes[1:] if len(sizes) > 1 else sizes
    if not own or not isinstance(own[0], int):
        return parse_input(given)
    return parse_input(given, (own[0], *(size if isinstance(size, int) else 1 for size in own[1:])))


def _clean(name: str) -> str:
    """The name that the network shows for an input."""
    return clean_path(name.replace(".", "_")) or "input"
