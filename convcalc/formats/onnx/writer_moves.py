"""Forms in ONNX of the operators that move values, reshape, slice, pad and others, and of tensors that are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcalc.formats.onnx.writer_encoding import Attribute
from convcalc.formats.onnx.writer_forms import form
from convcalc.formats.onnx.writer_layer import LayerDraft
from convcalc.formats.onnx.writer_network import Value
from convcalc.ops import axis_dimensions
from convcalc.ops.channel_shuffle import ChannelShuffle
from convcalc.ops.constant import Constant
from convcalc.ops.crop import Crop
from convcalc.ops.flatten import Flatten
from convcalc.ops.gather import Gather
from convcalc.ops.pad import Pad
from convcalc.ops.parameter import LearnedTensor
from convcalc.ops.pixel_shuffle import PixelShuffle
from convcalc.ops.pixel_unshuffle import PixelUnshuffle
from convcalc.ops.reshape import Reshape
from convcalc.ops.roll import Roll
from convcalc.ops.select import Select
from convcalc.ops.slice import Slice
from convcalc.ops.transpose import Transpose

MODES = {
    "constant": "constant",
    "zeros": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}


# -- tensors of the file --------------------------------------------------------------------------------------


@form(LearnedTensor)
def parameter(layer: LayerDraft[LearnedTensor]) -> Value:
    """An initializer, without a node."""
    return layer.tensor(batch=not layer.is_read_by(Gather))


@form(Constant)
def constant(layer: LayerDraft[Constant]) -> Value:
    """An initializer, without a node; of integers if layers only index with it."""
    if layer.node.shares is None and layer.is_read_by(Gather):
        return layer.indices([round(value) for value in layer.op.values()])
    return layer.tensor()


@form(Gather)
def gather(layer: LayerDraft[Gather]) -> Value:
    """Gather by an initializer of integers; of a learned table, then a Reshape that adds the batch axis."""
    table, given = layer.inputs
    source = layer.source(1)
    assert isinstance(source, Constant)
    if layer.is_integer(given):
        indices = given.name
    else:
        indices = layer.integers("indices", [round(value) for value in source.values()], given.shape)
    dimension = layer.op.dimension(table.shape)
    if layer.has_batch(table):
        return layer.add("Gather", [table, indices], layer.shape, axis=dimension + 1)
    found = layer.add_plain("Gather", [table, indices], layer.shape, "", axis=dimension)
    wanted = layer.integers("shape", (1, *layer.shape))
    return layer.add("Reshape", [found, wanted], layer.shape, "batch_axis")


# -- shapes ----------------------------------------------------------------------------------------------------


@form(Flatten)
def flatten(layer: LayerDraft[Flatten]) -> Value:
    """Flatten of all dimensions but the batch."""
    return layer.add("Flatten", [layer.x], layer.shape, axis=1)


@form(Reshape)
def reshape(layer: LayerDraft[Reshape]) -> Value:
    """Reshape; its 0 in front keeps the batch."""
    shape = layer.integers("shape", (0, *layer.shape))
    return layer.add("Reshape", [layer.x, shape], layer.shape)


@form(Transpose)
def transpose(layer: LayerDraft[Transpose]) -> Value:
    """Transpose; the batch stays in front."""
    return layer.add("Transpose", [layer.x], layer.shape, perm=[0, *(place + 1 for place in layer.op.order)])


@form(ChannelShuffle)
def channel_shuffle(layer: LayerDraft[ChannelShuffle]) -> Value:
    """Reshape, Transpose, Reshape."""
    channels, *spatial = layer.shape
    groups = layer.op.groups
    parts = layer.reshape(layer.x, (groups, channels // groups, *spatial), "split")
    mixed = layer.transpose(parts, [1, 0, *range(2, len(parts.shape))], "shuffle")
    return layer.reshape(mixed, layer.shape, "merge")


@form(PixelShuffle)
def pixel_shuffle(layer: LayerDraft[PixelShuffle]) -> Value:
    """DepthToSpace of maps from opset 11 on; else Reshape, Transpose, Reshape."""
    factor = layer.op.factor
    channels, *spatial = layer.shape
    if len(spatial) == 2 and layer.opset >= 11:
        return layer.add("DepthToSpace", [layer.x], layer.shape, blocksize=factor, mode="CRD")
    rank = len(spatial)
    parts = layer.reshape(layer.x, (channels, *(factor,) * rank, *layer.x.shape[1:]), "split")
    order = [0, *(place for axis in range(1, rank + 1) for place in (rank + axis, axis))]
    return layer.reshape(layer.transpose(parts, order, "shuffle"), layer.shape, "merge")


@form(PixelUnshuffle)
def pixel_unshuffle(layer: LayerDraft[PixelUnshuffle]) -> Value:
    """Reshape, Transpose, Reshape: SpaceToDepth orders the channels otherwise."""
    factor = layer.op.factor
    channels, *spatial = layer.x.shape
    rank = len(spatial)
    blocks = [size for axis in spatial for size in (axis // factor, factor)]
    parts = layer.reshape(layer.x, (channels, *blocks), "split")
    order = [0, *range(2, 2 * rank + 1, 2), *range(1, 2 * rank + 1, 2)]
    return layer.reshape(layer.transpose(parts, order, "shuffle"), layer.shape, "merge")


# -- parts -------------------------------------------------------------------------------------------------------


def sliced(layer: LayerDraft[Any], value: Value, kept: dict[int, range], part: str = "slice") -> Value:
    """The places of a range in each of the given dimensions. Slice has steps, and ends counted from behind the first
    place, from opset 10 on; before, places that do not follow one another are gathered."""
    shape = tuple([len(kept[d]) if d in kept else size for d, size in enumerate(value.shape)])
    if layer.opset >= 10:
        stops = [places.stop if places.stop >= 0 else -(value.shape[d] + 1) for d, places in kept.items()]
        steps = [places.step for places in kept.values()]
        inputs = [
            layer.integers(
                f"{part}_starts" if part else "starts", [places.start for places in kept.values()]
            ),
            layer.integers(f"{part}_ends" if part else "ends", stops),
            layer.integers(f"{part}_axes" if part else "axes", [d + 1 for d in kept]),
        ]
        if any(step != 1 for step in steps):
            inputs.append(layer.integers(f"{part}_steps" if part else "steps", steps))
        return layer.add("Slice", [value, *inputs], shape, part)
    if all(places.step == 1 for places in kept.values()):
        return layer.add(
            "Slice",
            [value],
            shape,
            part,
            starts=[places.start for places in kept.values()],
            ends=[places.stop for places in kept.values()],
            axes=[d + 1 for d in kept],
        )
    ((dimension, places),) = kept.items()
    return gathered(layer, value, dimension, list(places), part)


def gathered(
    layer: LayerDraft[Any], value: Value, dimension: int, places: Sequence[int], part: str = "gather"
) -> Value:
    """The given places of one dimension, in this order."""
    shape = (*value.shape[:dimension], len(places), *value.shape[dimension + 1 :])
    indices = layer.integers(f"{part}_places" if part else "places", places)
    return layer.add("Gather", [value, indices], shape, part, axis=dimension + 1)


@form(Select)
def select(layer: LayerDraft[Select]) -> Value:
    """Gather of the indices."""
    dimension = axis_dimensions(layer.op.axis, len(layer.shape))[0]
    return gathered(layer, layer.x, dimension, layer.op.indices, "")


@form(Slice)
def slice_(layer: LayerDraft[Slice]) -> Value:
    """Slice of one dimension."""
    op = layer.op
    dimension = axis_dimensions(op.axis, len(layer.x.shape))[0]
    return sliced(layer, layer.x, {dimension: op.kept}, "")


@form(Crop)
def crop(layer: LayerDraft[Crop]) -> Value:
    """Slice of all spatial dimensions."""
    return sliced(layer, layer.x, dict(enumerate(layer.op.parts((layer.x.shape,)), 1)), "")


@form(Roll)
def roll(layer: LayerDraft[Roll]) -> Value:
    """For each dimension two Slices and a Concat."""
    return rolled(layer, layer.x, layer.op.shifts(len(layer.shape)))


def rolled(layer: LayerDraft[Any], value: Value, shifts: dict[int, int]) -> Value:
    """The value with dimensions shifted in a circle, each by its number of places."""
    for dimension, shift in shifts.items():
        size = value.shape[dimension]
        cut = -shift % size
        if cut:
            back = sliced(layer, value, {dimension: range(cut, size)}, "slice")
            front = sliced(layer, value, {dimension: range(cut)}, "slice")
            value = layer.add("Concat", [back, front], value.shape, "concat", axis=dimension + 1)
    return value


# -- padding -----------------------------------------------------------------------------------------------------


@form(Pad)
def pad(layer: LayerDraft[Pad]) -> Value:
    """Pad; from opset 11 on its margins are inputs. Before opset 19, which has the mode wrap, circular padding is made
    of Slices and Concats."""
    op, value = layer.op, layer.x
    margins = op.margins(value.shape)
    mode = MODES[op.mode]
    if mode != "wrap" or layer.opset >= 19:
        return padded(layer, value, margins, op.value, mode, "")
    for dimension, (before, after) in enumerate(margins):
        size = value.shape[dimension]
        ends = [range(size - before, size), range(after)]
        parts = [sliced(layer, value, {dimension: end}) if end else None for end in ends]
        pieces = [part for part in (parts[0], value, parts[1]) if part is not None]
        if len(pieces) > 1:
            shape = (*value.shape[:dimension], before + size + after, *value.shape[dimension + 1 :])
            value = layer.add("Concat", pieces, shape, "concat", axis=dimension + 1)
    return value


def padded(
    layer: LayerDraft[Any],
    value: Value,
    margins: Sequence[tuple[int, int]],
    fill: float = 0.0,
    mode: str = "constant",
    part: str = "pad",
) -> Value:
    """The value with margins before and after each dimension."""
    pads = [0, *(before for before, _ in margins), 0, *(after for _, after in margins)]
    shape = tuple([before + size + after for size, (before, after) in zip(value.shape, margins, strict=True)])
    if layer.opset < 11:
        attributes: dict[str, Attribute] = {"pads": pads, "mode": mode}
        if mode == "constant":
            attributes["value"] = float(fill)
        return layer.add("Pad", [value], shape, part, **attributes)
    inputs = [layer.integers(f"{part}_margins" if part else "margins", pads)]
    if mode == "constant" and fill:
        inputs.append(layer.floats(f"{part}_fill" if part else "fill", [fill]))
    return layer.add("Pad", [value, *inputs], shape, part, mode=mode)
