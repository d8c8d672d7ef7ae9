"""Operators of aten that move and cut values."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from convcalc.formats.torch.read.constants import rule_of
from convcalc.formats.torch.read.layers import operator
from convcalc.formats.torch.read.mapping import Handler, Mapper, Unmapped, Value, Values, tensor
from convcalc.formats.torch.read.moving import permuted
from convcalc.formats.torch.read.records import Call, Stored
from convcalc.ops import get
from convcalc.shapes import Shape

MAX_PLACES = 1 << 17  # that are listed


def reshape(mapper: Mapper, call: Call) -> Value | Stored:
    """view, reshape, flatten, unflatten, squeeze, unsqueeze: another shape for the same numbers."""
    value = mapper.value(call.arguments.get("self", call.arguments.get("input")))
    return mapper.reshaped(value, mapper.program.size(mapper.result()), mapper.result())


def permute(mapper: Mapper, call: Call) -> Value:
    """permute, transpose, t, movedim."""
    value = mapper.value(call.arguments["self"])
    rank = len(value.shape)
    arguments = call.arguments
    if "dims" in arguments:
        order = [dimension % rank for dimension in arguments["dims"]]
    else:
        order = list(range(rank))
        given = [value for name, value in arguments.items() if name in ("dim0", "dim1", "axis0", "axis1")]
        first, second = [dimension % rank for dimension in given] if given else (0, rank - 1)
        order[first], order[second] = order[second], order[first]
    return _normalised(mapper, permuted(mapper, value, order)) or permuted(mapper, value, order)


def _normalised(mapper: Mapper, value: Value) -> Value | None:
    """Channels moved last, layernorm, and moved back, by one module: a layernorm over the channels."""
    if value.index < 0 or mapper.draft.op(value.index) is None:
        return None
    layer = mapper.draft.layers[value.index]
    if layer.op.kind != "transpose" or layer.inputs[0] < 0:
        return None
    norm = mapper.draft.layers[layer.inputs[0]]
    if norm.op.kind != "layernorm" or norm.path != mapper.call.path or norm.inputs[0] < 0:
        return None
    before = mapper.draft.layers[norm.inputs[0]]
    rank = len(norm.shape)
    last = [*range(1, rank), 0]
    fields = norm.op.shown_fields()
    if before.op.kind != "transpose" or before.path != norm.path or before.op.shown_fields()["order"] != last:
        return None
    if layer.op.shown_fields()["order"] != [rank - 1, *range(rank - 1)] or fields["axis"] != "last":
        return None
    op = operator("layernorm", eps=fields["eps"], affine=fields["affine"])
    index = mapper.draft.add(
        op, before.inputs, path=norm.path, call=norm.call, tensors=norm.tensors, shares=norm.shares,
        source=norm.source,
    )  # fmt: skip
    return Value(index, value.shape)


def sliced(
    mapper: Mapper, value: Value, dim: int, start: int, stop: int, shape: Shape, step: int = 1
) -> Value:
    """Part of a dimension; no layer for all of it."""
    axis = mapper.axis(value.shape, dim)
    if axis is None:
        if (start, step) == (0, 1) and stop >= mapper.program.batch:
            return value.shaped(shape)
        raise Unmapped("it cuts the batch")
    size = mapper.size(value)
    total = size[axis]
    if value.shape[dim % len(value.shape)] != total:
        raise Unmapped("it cuts the batch")
    if (start, stop, step) == (0, total, 1):
        return value.shaped(shape)
    fields: dict[str, Any] = {"start": start} if start else {}
    if stop < total:
        fields["stop"] = stop
    if step != 1:
        fields["step"] = step
    return mapper.add(operator("slice", axis=axis, **fields), (value.index,), shape)


def _bounded(given: Any, default: int, size: int) -> int:
    place = default if given is None else given
    return max(0, min(size, place + size if place < 0 else place))


def slice_(mapper: Mapper, call: Call) -> Value:
    """slice and narrow."""
    value = mapper.value(call.arguments["self"])
    dim = call.arguments["dim"]
    size = value.shape[dim]
    start = _bounded(call.arguments["start"], 0, size)
    if "length" in call.arguments:
        stop = start + call.arguments["length"]
    else:
        stop = _bounded(call.arguments["end"], size, size)
    return sliced(mapper, value, dim, start, stop, mapper.result(), call.arguments.get("step", 1))


def picked(mapper: Mapper, value: Value, dim: int, place: int, shape: Shape) -> Value:
    """One entry of a dimension, which is left out."""
    dim %= len(value.shape)
    if mapper.axis(value.shape, dim) is None:
        if place == 0:
            return value.shaped(shape)
        raise Unmapped("it takes an image of the batch")
    place %= value.shape[dim]
    kept = (*value.shape[:dim], 1, *value.shape[dim + 1 :])
    return mapper.reshaped(
        sliced(mapper, value, dim, place, place + 1, kept), mapper.program.size(shape), shape
    )


def select(mapper: Mapper, call: Call) -> Value:
    """select: one entry of a dimension."""
    value = mapper.value(call.arguments["self"])
    return picked(mapper, value, call.arguments["dim"], call.arguments["index"], mapper.result())


def unbind(mapper: Mapper, call: Call) -> Values:
    """unbind: every entry of a dimension."""
    value = mapper.value(call.arguments["self"])
    return tuple(
        picked(mapper, value, call.arguments["dim"], place, shape)
        for place, shape in enumerate(call.shapes)
        if shape is not None
    )


def split(mapper: Mapper, call: Call) -> Values:
    """chunk, split, split_with_sizes, tensor_split: parts one after another."""
    value = mapper.value(call.arguments["self"])
    dim = call.arguments["dim"] % len(value.shape)
    parts: list[Value | None] = []
    start = 0
    for shape in call.shapes:
        if shape is None:
            raise Unmapped("a part is no tensor")
        parts.append(sliced(mapper, value, dim, start, start + shape[dim], shape))
        start += shape[dim]
    return tuple(parts)


def getitem(mapper: Mapper, call: Call) -> Value:
    """One of several results."""
    found = mapper.given(call.arguments["self"])
    if not isinstance(found, tuple):
        raise Unmapped("it has no parts")
    part = found[call.arguments["index"]]
    if not isinstance(part, Value):
        raise Unmapped("the part is not known")
    return part


def roll(mapper: Mapper, call: Call) -> Value:
    """roll along dimensions."""
    value = mapper.value(call.arguments["self"])
    axes = [mapper.axis(value.shape, dim) for dim in call.arguments["dims"]]
    if None in axes or not axes:
        raise Unmapped("it moves the batch")
    shifts = dict(zip(axes, call.arguments["shifts"], strict=True))
    moved = {axis: shift for axis, shift in shifts.items() if shift and axis is not None}
    if not moved:
        return value
    places = tuple(sorted(moved))
    op = get("roll")(
        shift=tuple(moved[place] for place in places), axis=places if len(places) > 1 else places[0]
    )  # type: ignore[call-arg]
    return mapper.add(op, (value.index,))


def flip(mapper: Mapper, call: Call) -> Value:
    """flip: dimensions read backwards."""
    value = mapper.value(call.arguments["self"])
    for dim in call.arguments["dims"]:
        axis = mapper.axis(value.shape, dim)
        if axis is None:
            raise Unmapped("it turns the batch")
        value = mapper.add(operator("slice", axis=axis, step=-1), (value.index,), value.shape)
    return value


def index(mapper: Mapper, call: Call) -> Value:
    """index and index_select by fixed places: a gather, a slice, or nothing."""
    if "dim" in call.arguments:
        dim, places = call.arguments["dim"], mapper.stored(call.arguments["index"])
    else:
        given = call.arguments["indices"]
        known = [place for place, entry in enumerate(given) if entry is not None]
        if len(known) != 1:
            raise Unmapped("it has several indices")
        dim, places = known[0], mapper.stored(given[known[0]])
    value = mapper.value(call.arguments["self"])
    axis = mapper.axis(value.shape, dim)
    if places is None or axis is None or places.dtype == "BOOL":
        raise Unmapped("its places are not fixed")
    numbers = [int(place) for place in tensor(places).values()]
    size = mapper.size(value)[axis]
    numbers = [place + size if place < 0 else place for place in numbers]
    flat = (*mapper.size(value)[:axis], len(numbers), *mapper.size(value)[axis + 1 :])
    steps = {b - a for a, b in pairwise(numbers)} or {1}
    if len(steps) == 1 and 0 not in steps:
        step = steps.pop()
        fields: dict[str, Any] = {"start": numbers[0], "step": step}
        if step > 0:
            fields["stop"] = numbers[-1] + 1
        elif numbers[-1] > 0:
            fields["stop"] = numbers[-1] - 1
        found = value.index
        if (numbers[0], len(numbers), step) != (0, size, 1):
            found = mapper.add(operator("slice", axis=axis, **fields), (found,), ()).index
        return mapper.reshaped(Value(found, ()), mapper.program.size(mapper.result()), mapper.result())
    table = _index_layer(mapper, places, len(numbers))
    if table is None:
        if len(numbers) > MAX_PLACES:
            raise Unmapped("its places are many")
        op = get("select")(indices=tuple(numbers), axis=axis)  # type: ignore[call-arg]
        found = mapper.add(op, (value.index,), ()).index
        return mapper.reshaped(Value(found, ()), mapper.program.size(mapper.result()), mapper.result())
    rows = mapper.add(get("gather")(indices="index", axis=axis), (value.index, table), ())  # type: ignore[call-arg]
    if mapper.size(rows) != flat:
        rows = mapper.reshaped(rows, flat, ())
    return mapper.reshaped(rows, mapper.program.size(mapper.result()), mapper.result())


def _index_layer(mapper: Mapper, places: Stored, count: int) -> int | None:
    """The constant layer with the places; None if no rule makes them."""
    side = round(count**0.5)
    size = (side, side)
    if side * side != count:
        return None
    key = (places.key, size)
    if key in mapper.layers and places.key:
        return mapper.layers[key]
    rule = rule_of(places, size)
    if rule is None:
        return None
    path = places.key or mapper.call.path
    layer = mapper.draft.add(rule, (), path=path, call="buffer", source=places.key)
    mapper.layers[key] = layer
    return layer


def shuffle(kind: str, name: str, ours: str) -> Handler:
    """pixel_shuffle, pixel_unshuffle, channel_shuffle."""

    def rearranged(mapper: Mapper, call: Call) -> Value:
        value = mapper.value(call.arguments["self"])
        return mapper.add(operator(kind, **{ours: call.arguments[name]}), (value.index,))

    return rearranged


HANDLERS: dict[str, Handler] = {
    "view": reshape, "reshape": reshape, "_unsafe_view": reshape, "view_as": reshape, "flatten": reshape,
    "unflatten": reshape, "squeeze": reshape, "unsqueeze": reshape, "reshape_as": reshape,
    "permute": permute, "transpose": permute, "t": permute, "swapaxes": permute, "swapdims": permute,
    "numpy_T": permute,
    "slice": slice_, "narrow": slice_, "select": select, "unbind": unbind,
    "chunk": split, "split": split, "split_with_sizes": split, "tensor_split": split, "unsafe_chunk": split,
    "unsafe_split": split, "getitem": getitem, "roll": roll, "flip": flip, "index": index, "index_select": index,
    "pixel_shuffle": shuffle("pixel_shuffle", "upscale_factor", "factor"),
    "pixel_unshuffle": shuffle("pixel_unshuffle", "downscale_factor", "factor"),
    "channel_shuffle": shuffle("channel_shuffle", "groups", "groups"),
    "native_channel_shuffle": shuffle("channel_shuffle", "groups", "groups"),
}  # fmt: skip
