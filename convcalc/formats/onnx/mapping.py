"""ONNX models as drafts: `map_model`, and the table of all functions that map an operator."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from convcalc.errors import ModelError
from convcalc.formats.draft import Draft
from convcalc.formats.onnx import (
    attention_operator,
    elementwise,
    inputs,
    moves,
    norms,
    products,
    resizing,
    unrounded,
    windows,
)
from convcalc.formats.onnx.mapper import Handler, Mapper
from convcalc.formats.onnx.patterns import PATTERNS
from convcalc.formats.onnx.records import OnnxModel
from convcalc.graph import MAX_LAYERS
from convcalc.shapes import Shape

HANDLERS: dict[str, Handler] = {
    **elementwise.HANDLERS, **windows.HANDLERS, **norms.HANDLERS, **moves.HANDLERS, **products.HANDLERS,
    **unrounded.HANDLERS, **resizing.HANDLERS, **attention_operator.HANDLERS,
}  # fmt: skip


def map_model(
    model: OnnxModel, given: Mapping[str, Shape] | None = None, max_layers: int = MAX_LAYERS
) -> Draft:
    """The model's layers, without the batch. given: shapes for its inputs by name, with or without the batch.

    An operator that acts along the first dimension, where that could be a batch of one, means that it is none: the
    model is then mapped again with all dimensions. Raises ModelError with the node for what contradicts itself, for an
    unknown operator whose output's shape the file does not have, and for an input whose shape is not known.
    """
    entries = inputs.entries(model, given or {})
    mapper = Mapper(model, entries.inputs, entries.activations, HANDLERS, PATTERNS, max_layers, entries.batch)
    try:
        draft = mapper.run()
    except ModelError:
        if not entries.guessed:
            raise
        whole = inputs.entries(model, given or {}, batched=False)
        try:
            return Mapper(model, whole.inputs, whole.activations, HANDLERS, PATTERNS, max_layers).run()
        except ModelError:
            pass
        raise
    if mapper.across and entries.guessed:
        whole = inputs.entries(model, given or {}, batched=False)
        again = Mapper(model, whole.inputs, whole.activations, HANDLERS, PATTERNS, max_layers)
        with suppress(ModelError):
            other = again.run()
            if again.unknown < mapper.unknown:
                return other
    return draft
