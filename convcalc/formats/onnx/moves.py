"""Mapping of operators that move values: reshape, transpose, slice, concat, gather and their like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod

from convcalc.formats.draft import operator
from convcalc.formats.onnx.calls import (
    Activation,
    Call,
    Invalid,
    Unmapped,
    Value,
    broadcast,
    normal,
    pieces,
    sliced,
    target_shape,
    without,
)
from convcalc.formats.onnx.fold_moves import order_of, reshaped_shape
from convcalc.formats.onnx.mapper import Mapper
from convcalc.formats.onnx.paths import parameter_path
from convcalc.formats.onnx.values import Const
from convcalc.formats.onnx.windows import resized
from convcalc.ops import axis_dimensions
from convcalc.ops.roll import Roll
from convcalc.ops.slice import Slice
from convcalc.shapes import Shape

MAX_SELECTED = 1024  # indices that a layer may list

Handler = Callable[[Mapper, Call], "Value | Sequence[Value | None]"]


def reshape(mapper: Mapper, call: Call) -> Value:
    """Reshape: the batch is where the product of the dimensions before it stays the same."""
    x = call.activation()
    if call.op == "Reshape":
        target = call.integers("shape") if call.opset < 5 else call.whole(1)
        shape = target_shape(
            for_one(target or (), x, mapper.batch), x.shape, bool(call.integer("allowzero", 0))
        )
    else:
        shape = reshaped_shape(call, x.shape)
    return mapper.regrouped(call, x, shape, *batch_after(x, shape))


def for_one(target: Sequence[int], x: Activation, batch: int) -> list[int]:
    """A target shape written for `batch` inputs, for one of them."""
    sizes = list(target)
    if batch == 1 or x.batch is None:
        return sizes
    before = prod(x.shape[: x.batch])
    product = 1
    for place, size in enumerate(sizes):
        if product == before and size > 0 and size % batch == 0:
            if -1 in sizes or prod(sizes) == prod(x.shape) * batch:
                sizes[place] = size // batch
            break
        if size < 0:
            break
        product *= size or (x.shape[place] if place < len(x.shape) else 1)
    return sizes


def batch_after(x: Activation, shape: Shape) -> tuple[int | None, bool]:
    """Where the batch is in a new shape with the same values: its dimension, and whether it is merged into it."""
    if x.batch is None:
        return None, False
    before = prod(x.shape[: x.batch])
    product = 1
    for place, size in enumerate(shape):
        if product == before:
            return place, size != 1
        product *= size
    return None, False


def squeeze(mapper: Mapper, call: Call) -> Value:
    """Squeeze and Unsqueeze: the batch keeps its place among the other dimensions, unless it is removed."""
    x = call.activation()
    rank = len(x.shape)
    if call.op == "Squeeze":
        axes = call.axes(1, 13)
        dropped = {normal(axis, rank) for axis in axes} if axes is not None else {
            axis for axis, size in enumerate(x.shape) if size == 1 and axis != x.axis
        }  # fmt: skip
        if any(x.shape[axis] != 1 for axis in dropped):
            raise Invalid(f"axes {sorted(dropped)} of {list(x.shape)} are not all 1")
        shape = tuple(size for axis, size in enumerate(x.shape) if axis not in dropped)
        batch = x.batch
        if batch is not None:
            batch = None if batch in dropped else batch - sum(axis < batch for axis in dropped)
    else:
        shape = reshaped_shape(call, x.shape)
        added = {normal(axis, len(shape)) for axis in call.axes(1, 13) or ()}
        stayed = [axis for axis in range(len(shape)) if axis not in added]
        batch = None if x.batch is None else stayed[x.batch]
    return mapper.regrouped(call, x, shape, batch, x.merged and batch is not None)


def transpose(mapper: Mapper, call: Call) -> Value:
    """Transpose: the batch moves along; without it, the order may be the same."""
    x = call.activation()
    order = order_of(call, len(x.shape))
    shape = tuple(x.shape[axis] for axis in order)
    batch = None if x.batch is None else order.index(x.batch)
    own = [x.own_axis(axis) for axis in order if axis != x.axis]
    result = Activation(x.layer, shape, batch, x.merged)
    if own == sorted(own):
        return result
    return result._replace(layer=mapper.add(call, operator("transpose", order=tuple(own)), [x.layer]))


def slice_(mapper: Mapper, call: Call) -> Value:
    """Slice: one layer for each dimension that is cut."""
    x = call.activation()
    kept = sliced(call, len(x.shape), x.shape)
    return cut(mapper, call, x, kept)


def cut(mapper: Mapper, call: Call, x: Activation, kept: Sequence[range]) -> Activation:
    """The indices that are kept of each dimension."""
    cropped = _cropped(mapper, call, x, kept)
    if cropped is not None:
        return cropped
    for axis, part in enumerate(kept):
        size = x.shape[axis]
        if part == range(size):
            continue
        if not part:
            raise Unmapped("a slice that keeps nothing")
        own = x.own_axis(axis)
        stop: int | None = part[-1] + (1 if part.step > 0 else -1)
        if len(part) == 1:
            part, stop = range(part[0], part[0] + 1), part[0] + 1
        op = operator("slice",
            axis=own, start=part[0] if part[0] != (0 if part.step > 0 else size - 1) else None,
            stop=None if stop is None or stop < 0 or stop >= size else stop, step=part.step,
        )  # fmt: skip
        layer = mapper.add(call, op, [x.layer])
        x = resized(x, mapper.draft.shape(layer), layer)
    return x


def _cropped(mapper: Mapper, call: Call, x: Activation, kept: Sequence[range]) -> Activation | None:
    """The same as one crop, if several spatial dimensions of a map are cut without steps and nothing else is."""
    cuts = [axis for axis, part in enumerate(kept) if part != range(x.shape[axis])]
    own = [x.own_axis(axis) for axis in cuts if axis != x.axis]
    rank = len(x.own)
    plain = all(kept[axis] and (kept[axis].step == 1 or len(kept[axis]) == 1) for axis in cuts)
    if len(cuts) < 2 or len(own) < len(cuts) or 0 in own or rank > 4 or not plain:
        return None
    parts = {x.own_axis(axis): kept[axis] for axis in cuts}
    spatial = range(1, rank)
    size = tuple(len(parts[d]) if d in parts else x.own[d] for d in spatial)
    offset = tuple(parts[d][0] if d in parts else 0 for d in spatial)
    layer = mapper.add(call, operator("crop", size=size, offset=offset), [x.layer])
    return resized(x, mapper.draft.shape(layer), layer)


def split(mapper: Mapper, call: Call) -> Sequence[Value | None]:
    """Split: one slice for each output that is read."""
    x = call.activation()
    axis = normal(call.integer("axis", 0), len(x.shape))
    found: list[Value | None] = []
    start = 0
    for name, size in zip(call.node.outputs, pieces(call, x.shape[axis]), strict=False):
        kept = [range(length) for length in x.shape]
        kept[axis] = range(start, start + size)
        found.append(cut(mapper, call, x, kept) if name and mapper.uses[name] else None)
        start += size
    return found


def concat(mapper: Mapper, call: Call) -> Value:
    """Concat; of constants as well, which become parameters."""
    given = [value for value in call.inputs if value is not None]
    given = [value for value in given if 0 not in value.shape] or given
    activations = [value for value in given if isinstance(value, Activation)]
    first = activations[0]
    if len(given) == 1:
        return first
    axis = normal(call.integer("axis", 0), len(first.shape))
    batch = first.batch, first.merged
    if any((x.batch, x.merged) != batch for x in activations):
        given = [mapper.unbatched(call, v) if isinstance(v, Activation) else v for v in given]
        first = next(value for value in given if isinstance(value, Activation))
    own = first.own_axis(axis)
    layers = []
    for value in given:
        if isinstance(value, Activation):
            layers.append(value.layer)
            continue
        shape = value.shape
        if first.axis is not None and shape[first.axis] == mapper.batch != 1:
            shape = mapper._one_of_batch(shape, first.axis, value)
            value = mapper._first(value, shape)
        if first.axis is not None and shape[first.axis] != 1:
            raise Unmapped("a constant for several inputs")
        layers.append(
            mapper.materialised(value, without(shape, first.axis), mapper.paths.of(call.node)).layer
        )
    return joined(mapper, call, first, own, layers)


def joined(mapper: Mapper, call: Call, like: Activation, axis: int, layers: Sequence[int]) -> Activation:
    """A concat; of two parts of one layer, whose end comes first, a roll. A join that extends an earlier one reads that
    one (DenseNet) and belongs to the module of its last part."""
    rolled = _rolled(mapper, call, axis, layers)
    if rolled is not None:
        return like._replace(layer=rolled, shape=_with(like, mapper.draft.shape(rolled)))
    earlier = mapper.concats.get((axis, tuple(layers[:-1]))) if len(layers) > 2 else None
    path = None
    key = axis, tuple(layers)
    if earlier is not None:
        before = mapper.draft.layers[earlier]
        if len(before.inputs) == 2:
            before.path = _scope_of(mapper, before.inputs[-1])
        path = _scope_of(mapper, layers[-1])
        layers = [earlier, layers[-1]]
    layer = mapper.add(call, operator("concat", axis=axis), layers, path=path)
    mapper.concats[key] = layer
    return resized(like, mapper.draft.shape(layer), layer)


def _with(like: Activation, own: Shape) -> Shape:
    return own if like.axis is None else (*own[: like.axis], 1, *own[like.axis :])


def _scope_of(mapper: Mapper, index: int) -> str:
    """The module that contains a layer's module."""
    if index < 0:
        return ""
    layer = mapper.draft.layers[index]
    return layer.path.rpartition(".")[0] if layer.tensors else layer.path


def _rolled(mapper: Mapper, call: Call, axis: int, layers: Sequence[int]) -> int | None:
    """The layer `roll`, if two slices of one layer are joined, the end first."""
    if len(layers) != 2 or min(layers) < 0:
        return None
    last, first = (mapper.draft.layers[index] for index in layers)
    a, b = last.op, first.op
    if not isinstance(a, Slice) or not isinstance(b, Slice) or last.inputs != first.inputs:
        return None
    rank = len(last.shape)
    places = {axis_dimensions(op.axis, rank)[0] for op in (a, b)}
    size = mapper.draft.shape(last.inputs[0])[axis]
    if places != {axis} or (a.step, b.step, b.first) != (1, 1, 0) or (a.first, a.stop) != (b.stop, size):
        return None
    source, shifts = last.inputs[0], {axis: -a.first if 2 * a.first <= size else size - a.first}
    before = mapper.draft.layers[source] if source >= 0 else None
    if before is not None and isinstance(before.op, Roll) and axis not in before.op.shifts(rank):
        shifts |= before.op.shifts(rank)
        source = before.inputs[0]
    axes = tuple(sorted(shifts))
    moved = tuple(shifts[place] for place in axes)
    one = len(axes) == 1
    op = operator("roll", shift=moved[0] if one else moved, axis=axes[0] if one else axes)
    return mapper.add(call, op, [source])


def gather(mapper: Mapper, call: Call) -> Value:
    """Gather by known indices: consecutive or evenly spaced ones are a slice, all of them no layer."""
    indices = call.const(1)
    data = call.value(0)
    if isinstance(data, Const):
        data = mapper.materialised(data)
    axis = normal(call.integer("axis", 0), len(data.shape))
    size = data.shape[axis]
    table = _table_lookup(mapper, call, data, indices, axis)
    if table is not None:
        return table
    if not indices.known:
        raise Unmapped("indices that are not known without the weights")
    wanted = [int(index) + (size if index < 0 else 0) for index in indices.values()]
    if any(not 0 <= index < size for index in wanted):
        raise Invalid(f"an index outside of {size} entries")
    shape = (*data.shape[:axis], *indices.shape, *data.shape[axis + 1 :])
    if (
        wanted == list(range(size)) and indices.shape
    ):  # all of them in order: another shape, as `as_strided` writes it
        return mapper.regrouped(call, data, shape, *batch_after(data, shape))
    picked = data if axis == data.axis else pick(mapper, call, data, axis, wanted)
    batch = picked.batch
    if batch is not None and batch == axis:
        batch = None if len(indices.shape) != 1 else batch
    elif batch is not None and batch > axis:
        batch += len(indices.shape) - 1
    return mapper.regrouped(call, picked, shape, batch, picked.merged and batch is not None)


def gather_nd(mapper: Mapper, call: Call) -> Value:
    """GatherND by known indices: Gather along the first dimensions, taken as one."""
    data, indices = call.value(0), call.const(1)
    if call.integer("batch_dims", 0):
        raise Unmapped("indices for each entry of leading dimensions")
    count = indices.shape[-1] if indices.shape else 0
    if not 1 <= count <= len(data.shape):
        raise Invalid(f"vectors of {count} indices for {len(data.shape)} dimensions")
    sizes = data.shape[:count]
    if not indices.known:
        raise Unmapped("indices that are not known without the weights")
    places: list[int] = []
    numbers = [int(number) for number in indices.values()]
    for start in range(0, len(numbers), count):
        place = 0
        for index, size in zip(numbers[start : start + count], sizes, strict=True):
            if not -size <= index < size:
                raise Invalid(f"an index outside of {size} entries")
            place = place * size + index % size
        places.append(place)
    flat = Const(indices.shape[:-1], indices.dtype, values=places)
    if isinstance(data, Const):
        data = mapper.materialised(data)
    if data.axis is not None and (count > 1 or data.axis == 0):
        data = mapper.unbatched(call, data)
    if count > 1:
        data = mapper.regrouped(call, data, (prod(sizes), *data.shape[count:]), None, False)
    return gather(mapper, Call(call.node, call.opset, [data, flat]))


def pick(mapper: Mapper, call: Call, x: Activation, axis: int, wanted: Sequence[int]) -> Activation:
    """Entries of a dimension: as a slice if they are evenly spaced, else selected."""
    if not wanted:
        raise Unmapped("a slice that keeps nothing")
    if len(wanted) > MAX_SELECTED and _run(wanted) is None:
        raise Unmapped(f"{len(wanted):,} entries in no order")
    run = _run(wanted)
    if run is not None:
        kept = [range(length) for length in x.shape]
        kept[axis] = run
        return cut(mapper, call, x, kept)
    layer = mapper.add(call, operator("select", indices=tuple(wanted), axis=x.own_axis(axis)), [x.layer])
    return resized(x, mapper.draft.shape(layer), layer)


def _run(wanted: Sequence[int]) -> range | None:
    """Indices as a range, if they are evenly spaced."""
    step = wanted[1] - wanted[0] if len(wanted) > 1 else 1
    if not step or any(b - a != step for a, b in pairwise(wanted)):
        return None
    return range(wanted[0], wanted[-1] + (1 if step > 0 else -1), step)


def _table_lookup(mapper: Mapper, call: Call, data: Activation, indices: Const, axis: int) -> Value | None:
    """A lookup in a table of relative positions (Swin) as `gather` with the constant that has the indices."""
    places = indices.count
    side = round(places**0.5)
    if axis or data.axis == 0 or side * side != places or not indices.known or places < 4:
        return None
    window = _window(data.shape[0], side)
    if window is None:
        return None
    rule = operator("constant", rule="relative_positions", window=window)
    if list(map(int, rule.values())) != [int(index) for index in indices.values()]:  # type: ignore[attr-defined]
        return None
    path = parameter_path(indices.tensor.name) if indices.tensor is not None else ""
    constant = mapper.add(call, rule, [], path=path or None)
    shape = (*indices.shape, *data.shape[1:])
    layer = mapper.add(call, operator("gather", indices="indices"), [data.layer, constant])
    return mapper.regrouped(call, Activation(layer, mapper.draft.shape(layer)), shape, None, False)


def _window(entries: int, places: int) -> tuple[int, int] | None:
    """The two-dimensional window of `places` positions whose table has `entries` offsets."""
    for height in range(1, places + 1):
        if places % height == 0 and (2 * height - 1) * (2 * (places // height) - 1) == entries:
            return height, places // height
    return None


def expand(mapper: Mapper, call: Call) -> Value:
    """Expand to the shape that the input has; other repetitions by joining."""
    x = call.activation()
    wanted = call.whole(1) or []
    if x.batch is not None and not x.merged and mapper.batch != 1:
        place = x.batch + len(wanted) - len(x.shape)
        if 0 <= place < len(wanted) and wanted[place] == mapper.batch:
            wanted[place] = 1
    shape = broadcast(x.shape, wanted)
    added = len(shape) - len(x.shape)
    batch = None if x.batch is None else x.batch + added
    wide = mapper.regrouped(call, x, (1,) * added + x.shape, batch, x.merged)
    return repeated(mapper, call, wide, [m // n for n, m in zip(wide.shape, shape, strict=True)])


def tile(mapper: Mapper, call: Call) -> Value:
    """Tile: dimensions joined to themselves."""
    x, times = call.activation(), call.whole(1) or []
    if len(times) != len(x.shape) or min(times, default=1) < 1:
        raise Invalid(f"{times} repetitions of {list(x.shape)}")
    return repeated(mapper, call, x, times)


def repeated(mapper: Mapper, call: Call, x: Activation, times: Sequence[int]) -> Activation:
    """Each dimension joined to itself a number of times."""
    for axis, count in enumerate(times):
        if count == 1:
            continue
        if count > 64:
            raise Unmapped(f"{count} repetitions")
        layer = mapper.add(call, operator("concat", axis=x.own_axis(axis)), [x.layer] * count)
        x = resized(x, mapper.draft.shape(layer), layer)
    return x


def crop(mapper: Mapper, call: Call) -> Value:
    """CenterCropPad as slices, where it does not pad."""
    x = call.activation()
    sizes = call.whole(1) or []
    rank = len(x.shape)
    given = call.integers("axes")
    axes = list(range(rank)) if given is None else [normal(axis, rank) for axis in given]
    if len(axes) != len(sizes):
        raise Invalid(f"{len(sizes)} sizes for {len(axes)} axes")
    kept = [range(size) for size in x.shape]
    pads = [(0, 0)] * rank
    for axis, size in zip(axes, sizes, strict=True):
        missing = size - x.shape[axis]
        if missing < 0:
            kept[axis] = range(-missing // 2, -missing // 2 + size)
        else:
            pads[axis] = missing // 2, missing - missing // 2
    x = cut(mapper, call, x, kept)
    if any(map(any, pads)):
        own = [pair for axis, pair in enumerate(pads) if axis != x.axis]
        if x.axis is not None and any(pads[x.axis]):
            x.own_axis(x.axis)
        if len(own) > 4:
            raise Unmapped("padding of more than 4 dimensions")
        op = operator("pad", channels=own[0], padding=tuple(own[1:]) or None)
        layer = mapper.add(call, op, [x.layer])
        x = resized(x, mapper.draft.shape(layer), layer)
    return x


HANDLERS: dict[str, Handler] = {
    "Reshape": reshape, "Flatten": reshape, "Squeeze": squeeze, "Unsqueeze": squeeze, "Transpose": transpose,
    "Slice": slice_, "Split": split, "Concat": concat, "Gather": gather, "GatherND": gather_nd,
    "Expand": expand, "Tile": tile, "CenterCropPad": crop,
}  # fmt: skip
