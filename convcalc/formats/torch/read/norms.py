"""Normalisations of aten."""

from __future__ import annotations

from typing import Any

from convcalc.formats.torch.read.layers import operator
from convcalc.formats.torch.read.mapping import Handler, Mapper, Unmapped, Value
from convcalc.formats.torch.read.records import Call, Stored
from convcalc.ops import get


def _affine(mapper: Mapper, call: Call) -> dict[str, Stored]:
    """weight and bias of a normalisation; a missing one of the two is a refusal."""
    names = [name for name in ("weight", "bias") if call.arguments.get(name) is not None]
    found = {name: mapper.stored(call.arguments[name]) for name in names}
    if len(names) == 1 or None in found.values():
        raise Unmapped("it has one of weight and bias alone")
    return {name: stored for name, stored in found.items() if stored is not None}


def batch_norm(mapper: Mapper, call: Call) -> Value:
    """batch_norm with running statistics."""
    tensors = _affine(mapper, call)
    for name in ("running_mean", "running_var"):
        stored = mapper.stored(call.arguments[name])
        if stored is None:
            raise Unmapped("it has no running statistics")
        tensors[name] = stored
    if call.arguments.get("training"):
        raise Unmapped("it normalises over the batch")
    value = mapper.value(call.arguments["input"])
    size, place = mapper.size(value), mapper.axis(value.shape, 1)
    if place is None or size[place] != tensors["running_mean"].size[0]:
        raise Unmapped("its channels are the batch")
    op = operator("batchnorm", eps=call.arguments["eps"], affine="weight" in tensors)
    if not place:
        return mapper.add(op, (value.index,), tensors=tensors)
    order = (place, *(axis for axis in range(len(size)) if axis != place))
    back = tuple(order.index(axis) for axis in range(len(size)))
    moved = mapper.add(get("transpose")(order=order), (value.index,), ())  # type: ignore[call-arg]
    found = mapper.add(op, (moved.index,), (), tensors)
    return mapper.add(get("transpose")(order=back), (found.index,))  # type: ignore[call-arg]


def instance_norm(mapper: Mapper, call: Call) -> Value:
    """instance_norm over each map."""
    if not call.arguments.get("use_input_stats", True):
        return batch_norm(mapper, call)
    tensors = _affine(mapper, call)
    value = mapper.value(call.arguments["input"])
    op = operator("instancenorm", eps=call.arguments["eps"], affine="weight" in tensors)
    return mapper.add(op, (value.index,), tensors=tensors)


def group_norm(mapper: Mapper, call: Call) -> Value:
    """group_norm."""
    tensors = _affine(mapper, call)
    value = mapper.value(call.arguments["input"])
    groups = call.arguments["num_groups"]
    op = operator("groupnorm", groups=groups, eps=call.arguments["eps"], affine="weight" in tensors)
    return mapper.add(op, (value.index,), tensors=tensors)


def _last_axes(mapper: Mapper, value: Value, count: int) -> Any:
    """The last dimensions as our `axis`."""
    rank = len(mapper.size(value))
    if mapper.program.batch in value.shape[-count:]:
        raise Unmapped("it normalises over the batch")
    return "last" if count == 1 else tuple(range(rank - count, rank))


def layer_norm(mapper: Mapper, call: Call) -> Value:
    """layer_norm over the last dimensions; with one of weight and bias alone, that is a layer of its own."""
    names = [name for name in ("weight", "bias") if call.arguments[name] is not None]
    value = mapper.value(call.arguments["input"])
    axis = _last_axes(mapper, value, len(call.arguments["normalized_shape"]))
    eps = call.arguments["eps"]
    if len(names) != 1:
        op = operator("layernorm", axis=axis, eps=eps, affine=bool(names))
        return mapper.add(op, (value.index,), tensors=_affine(mapper, call))
    found = mapper.add(operator("layernorm", axis=axis, eps=eps, affine=False), (value.index,))
    stored = mapper.stored(call.arguments[names[0]])
    if stored is None:
        raise Unmapped("its factors depend on the input")
    size = mapper.size(found)
    own = (1,) * (len(size) - len(stored.size)) + stored.size
    learned = mapper.layer_of(stored, own)
    kind = "multiply" if names == ["weight"] else "add"
    return mapper.add(operator(kind), (found.index, learned))


def rms_norm(mapper: Mapper, call: Call) -> Value:
    """rms_norm over the last dimensions."""
    value = mapper.value(call.arguments["input"])
    weight = mapper.stored(call.arguments["weight"])
    axis = _last_axes(mapper, value, len(call.arguments["normalized_shape"]))
    eps = call.arguments["eps"]
    fields = {} if eps is None else {"eps": eps}
    op = operator("rmsnorm", axis=axis, affine=weight is not None, **fields)
    return mapper.add(op, (value.index,), tensors=None if weight is None else {"weight": weight})


HANDLERS: dict[str, Handler] = {
    "batch_norm": batch_norm, "instance_norm": instance_norm, "group_norm": group_norm, "layer_norm": layer_norm,
    "rms_norm": rms_norm,
}  # fmt: skip
