"""Operators of aten that join, repeat and pad values."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from convcalc.formats.torch.read.layers import operator
from convcalc.formats.torch.read.mapping import Handler, Mapper, Unmapped, Value
from convcalc.formats.torch.read.moving import permuted
from convcalc.formats.torch.read.records import Call, Stored
from convcalc.formats.torch.read.shaping import sliced
from convcalc.ops import get
from convcalc.shapes import Shape

MAX_COPIES = 64  # of a value that is repeated


def cat(mapper: Mapper, call: Call) -> Value:
    """cat: the join of what has been joined before, and what is added, if there is one."""
    dim = call.arguments["dim"]
    given = [mapper.value(entry) for entry in call.arguments["tensors"]]
    given = [value for value in given if value.shape != (0,)]
    return joined(mapper, given, dim, mapper.result())


def joined(mapper: Mapper, given: Sequence[Value], dim: int, shape: Shape) -> Value:
    """Values one after another along a dimension of PyTorch's."""
    batch = mapper.program.batch
    whole = next((value for value in given if batch in value.shape), given[0])
    axis = mapper.axis(whole.shape, dim)
    if axis is None:
        raise Unmapped("it joins along the batch")
    if len(given) == 1:
        return given[0]
    rank = len(mapper.size(whole))
    indices = [value.index for value in given]
    if any(len(mapper.size(value)) != rank for value in given):
        raise Unmapped("a part has other dimensions")
    key = (axis, *indices)
    before = mapper.joins.get(key[:-1]) if len(indices) > 2 else None
    path = None
    if before is not None:
        path = mapper.draft.layers[indices[-1]].path.rpartition(".")[0] if indices[-1] >= 0 else None
        indices = [before, indices[-1]]
    value = mapper.add(operator("concat", axis=axis), indices, shape, path=path)
    mapper.joins[key] = value.index
    return value


def stack(mapper: Mapper, call: Call) -> Value:
    """stack: each value with a dimension more, joined along it."""
    given = [mapper.value(entry) for entry in call.arguments["tensors"]]
    dim = call.arguments["dim"] % (len(given[0].shape) + 1)
    if mapper.program.batch not in given[0].shape:
        raise Unmapped("it makes a batch")
    wide = []
    for value in given:
        shape = (*value.shape[:dim], 1, *value.shape[dim:])
        wide.append(mapper.reshaped(value, mapper.program.size(shape), shape))
    return joined(mapper, wide, dim, mapper.result())


def expand(mapper: Mapper, call: Call) -> Value | Stored:
    """expand: nothing where elements are combined, which repeats by itself; else copies."""
    found = mapper.given(call.arguments["self"])
    if not isinstance(found, Value):
        raise Unmapped("it is no layer")
    before, after = found.shape, mapper.result()
    full = (1,) * (len(after) - len(before)) + tuple(before)
    differing = [place for place, (a, b) in enumerate(zip(full, after, strict=True)) if a != b]
    if not any(after[place] != mapper.program.batch for place in differing):
        return mapper.reshaped(found, mapper.program.size(after), after)
    size = mapper.program.size(full)
    value = mapper.reshaped(found, size, full)
    if mapper.readers(call.name) <= BROADCASTING:
        return value.shaped(full)
    return repeated(mapper, value, after)


BROADCASTING = {"add", "sub", "mul", "div", "add_", "sub_", "mul_", "div_", "maximum", "minimum", "rsub"}


def repeated(mapper: Mapper, value: Value, after: Shape) -> Value:
    """The value with its dimensions of 1 repeated: spatial ones by resizing, others by joining copies."""
    before = mapper.size(value)
    size = mapper.program.size(after)
    if len(before) != len(size):
        raise Unmapped("it repeats the batch")
    places = [place for place, (a, b) in enumerate(zip(before, size, strict=True)) if a != b]
    if any(before[place] != 1 for place in places):
        raise Unmapped("it repeats more than one entry")
    spatial = [place for place in places if place > 0]
    if spatial and len(size) in (2, 3, 4):
        value = mapper.add(operator("upsample", size=size[1:]), (value.index,), after)
        places = [place for place in places if place == 0]
    for place in places:
        if size[place] > MAX_COPIES:
            raise Unmapped("it makes many copies")
        value = mapper.add(operator("concat", axis=place), [value.index] * size[place], after)
    return value.shaped(after)


def repeat(mapper: Mapper, call: Call) -> Value:
    """repeat: copies along dimensions."""
    value = mapper.value(call.arguments["self"])
    times = call.arguments["repeats"]
    full = (1,) * (len(times) - len(value.shape)) + tuple(value.shape)
    value = mapper.reshaped(value, mapper.program.size(full), full)
    for dim, count in enumerate(times):
        if count == 1 or count == mapper.program.batch:
            continue
        axis = mapper.axis(full, dim)
        if axis is None or count > MAX_COPIES:
            raise Unmapped("it makes many copies")
        value = mapper.add(operator("concat", axis=axis), [value.index] * count, full)
    return value.shaped(mapper.result())


def repeat_interleave(mapper: Mapper, call: Call) -> Value:
    """repeat_interleave: each entry of a dimension several times; of the batch, each image."""
    value = mapper.value(call.arguments["self"])
    count, dim = call.arguments["repeats"], call.arguments["dim"]
    if not isinstance(count, int) or dim is None or count > MAX_COPIES:
        raise Unmapped("it makes many copies")
    dim %= len(value.shape)
    after = mapper.result()
    if count == 1:
        return value.shaped(after)
    axis = mapper.axis(value.shape, dim)
    size = mapper.size(value)
    place = dim if axis is None else axis + 1
    wide = mapper.reshaped(value, (*size[:place], 1, *size[place:]), ())
    copies = mapper.add(operator("concat", axis=place), [wide.index] * count, ())
    return mapper.reshaped(copies, mapper.program.size(after), after)


def unfold(mapper: Mapper, call: Call) -> Value:
    """unfold: windows along a dimension, each with its entries last."""
    value = mapper.value(call.arguments["self"])
    dim = call.arguments["dimension"] % len(value.shape)
    size, step = call.arguments["size"], call.arguments["step"]
    count = (value.shape[dim] - size) // step + 1
    if count > MAX_COPIES or mapper.axis(value.shape, dim) is None:
        raise Unmapped("it cuts many windows")
    order = [place for place in range(len(value.shape)) if place != dim] + [dim]
    windows = []
    for start in range(0, count * step, step):
        shape = (*value.shape[:dim], size, *value.shape[dim + 1 :])
        moved = permuted(mapper, sliced(mapper, value, dim, start, start + size, shape), order)
        shape = (*moved.shape[:dim], 1, *moved.shape[dim:])
        windows.append(mapper.reshaped(moved, mapper.program.size(shape), shape))
    return joined(mapper, windows, dim, mapper.result())


def copy(mapper: Mapper, call: Call) -> Value:
    """copy_: the numbers of another tensor, of as many."""
    value = mapper.value(call.arguments["src"])
    if prod(mapper.size(value)) != prod(mapper.program.size(mapper.result())):
        raise Unmapped("it repeats what it copies")
    return mapper.reshaped(value, mapper.program.size(mapper.result()), mapper.result())


def pad(mapper: Mapper, call: Call) -> Value:
    """pad and constant_pad_nd: pairs from the last dimension on."""
    value = mapper.value(call.arguments["self"])
    amounts = call.arguments["pad"]
    mode = call.arguments.get("mode") or "constant"
    fill = call.arguments.get("value")
    size = mapper.size(value)
    margins = [(0, 0)] * len(size)
    for place in range(len(amounts) // 2):
        pair = (amounts[2 * place], amounts[2 * place + 1])
        if pair == (0, 0):
            continue
        axis = mapper.axis(value.shape, len(value.shape) - 1 - place)
        if axis is None:
            raise Unmapped("it pads the batch")
        margins[axis] = pair
    after = mapper.result()
    for axis, (first, last) in enumerate(margins):
        if min(first, last) < 0:
            start, stop = max(0, -first), mapper.size(value)[axis] - max(0, -last)
            value = mapper.add(operator("slice", axis=axis, start=start, stop=stop), (value.index,), after)
            margins[axis] = (max(0, first), max(0, last))
    if not any(map(any, margins)):
        return value.shaped(after)
    fields: dict[str, Any] = {"mode": mode}
    if mode == "constant" and fill:
        fields["value"] = float(fill)
    if any(margins[0]):
        fields["channels"] = margins[0]
    if any(map(any, margins[1:])):
        fields["padding"] = _padding(margins[1:])
    return mapper.add(get("pad")(**fields), (value.index,), after)


def _padding(margins: Sequence[tuple[int, int]]) -> Any:
    """Margins in their shortest form: one number, one per axis, or pairs."""
    if all(before == after for before, after in margins):
        numbers = tuple(before for before, _ in margins)
        return numbers[0] if len(set(numbers)) == 1 else numbers
    return tuple(margins)


HANDLERS: dict[str, Handler] = {
    "cat": cat, "concat": cat, "concatenate": cat, "stack": stack, "expand": expand, "expand_as": expand,
    "repeat": repeat, "repeat_interleave": repeat_interleave, "unfold": unfold, "copy": copy, "pad": pad,
    "constant_pad_nd": pad,
}  # fmt: skip
