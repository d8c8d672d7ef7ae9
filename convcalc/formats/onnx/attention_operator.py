"""Mapping of ONNX's Attention (opset 23 on) as matrix products and a softmax, after ONNX's own definition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product as places
from math import inf, prod, sqrt
from typing import Any

from convcalc.formats.draft import operator
from convcalc.formats.onnx.calls import Activation, Call, Invalid, Unmapped, Value, broadcast
from convcalc.formats.onnx.fold_tools import expanded
from convcalc.formats.onnx.mapper import Mapper
from convcalc.formats.onnx.moves import batch_after
from convcalc.formats.onnx.products import product
from convcalc.formats.onnx.values import MAX_KNOWN, Array, Const, is_readable

Handler = Callable[[Mapper, Call], "Value | Sequence[Value | None]"]


def attention(mapper: Mapper, call: Call) -> Sequence[Value | None]:
    """Queries, keys and values of (batch, heads, length, depth) or (batch, length, heads·depth); constant masks."""
    q, k, v = (_computed(mapper, call.value(place)) for place in range(3))
    flat = len(q.shape) == 3
    if flat:
        q_heads, kv_heads = call.integer("q_num_heads", 0), call.integer("kv_num_heads", 0)
        q, k, v = (_heads(mapper, call, x, n) for x, n in ((q, q_heads), (k, kv_heads), (v, kv_heads)))
    if {len(q.shape), len(k.shape), len(v.shape)} != {4}:
        raise Invalid("queries, keys and values of other numbers of dimensions than 3 or 4")
    past = call.given(4)
    before = 0 if past is None else past.shape[2]
    if past is not None:
        k, v = _extended(mapper, call, past, k), _extended(mapper, call, call.value(5), v)
    batch, heads, length, depth = q.shape
    keys, groups = k.shape[2], k.shape[1]
    if groups < 1 or heads % groups:
        raise Invalid(f"{heads} heads of queries for {groups} of keys")
    scale = call.attribute("scale")
    factor = call.number("scale", 0.0) if scale is not None else 1 / sqrt(depth)
    wide = (batch, groups, heads // groups * length, depth)
    turned = _permuted(mapper, call, k, (0, 1, 3, 2))
    scores = product(mapper, call, _shaped(mapper, call, q, wide), turned)
    scores = _shaped(mapper, call, scores, (batch, heads, length, keys))
    if factor != 1:
        scores = mapper.same(call, operator("scale", value=factor), scores)
    cap = call.number("softcap", 0.0)
    if cap > 0:
        for op in (operator("scale", value=1 / cap), operator("tanh"), operator("scale", value=cap)):
            scores = mapper.same(call, op, scores)
    shown = scores
    rows: Const | None = None
    mask = _mask(call, batch, length, keys, before)
    if mask is not None:
        mask, rows = _without_full_rows(mask)
        scores = _joined(mapper, call, "add", scores, mask)
    mode = call.integer("qk_matmul_output_mode", 0)
    biased = scores
    scores = mapper.same(call, operator("softmax", axis="last"), scores)
    if rows is not None:
        scores = _joined(mapper, call, "multiply", scores, rows)
    shown = {2: biased, 3: scores}.get(mode, shown)
    mixed = product(mapper, call, _shaped(mapper, call, scores, (*wide[:3], keys)), v)
    result = _shaped(mapper, call, mixed, (batch, heads, length, v.shape[3]))
    if flat:
        result = _permuted(mapper, call, result, (0, 2, 1, 3))
        result = _shaped(mapper, call, result, (batch, length, heads * v.shape[3]))
    return [result, k, v, shown]


def _computed(mapper: Mapper, value: Value) -> Activation:
    return mapper.materialised(value) if isinstance(value, Const) else value


def _shaped(mapper: Mapper, call: Call, x: Activation, shape: tuple[int, ...]) -> Activation:
    return mapper.regrouped(call, x, shape, *batch_after(x, shape))


def _permuted(mapper: Mapper, call: Call, x: Activation, order: tuple[int, ...]) -> Activation:
    shape = tuple(x.shape[axis] for axis in order)
    batch = None if x.batch is None else order.index(x.batch)
    own = tuple(x.own_axis(axis) for axis in order if axis != x.axis)
    return Activation(mapper.add(call, operator("transpose", order=own), [x.layer]), shape, batch, x.merged)


def _heads(mapper: Mapper, call: Call, x: Activation, heads: int) -> Activation:
    """(batch, length, heads·depth) as (batch, heads, length, depth)."""
    if len(x.shape) != 3 or heads < 1 or x.shape[2] % heads:
        raise Invalid(f"{heads} heads of an input of {list(x.shape)}")
    split = _shaped(mapper, call, x, (*x.shape[:2], heads, x.shape[2] // heads))
    return _permuted(mapper, call, split, (0, 2, 1, 3))


def _extended(mapper: Mapper, call: Call, past: Value, x: Activation) -> Activation:
    """Keys or values after those of the past."""
    earlier = mapper.unbatched(call, _computed(mapper, past))
    whole = mapper.unbatched(call, x)
    layer = mapper.add(call, operator("concat", axis=2), [earlier.layer, whole.layer])
    found = Activation(layer, mapper.draft.shape(layer))
    return found if x.axis is None else mapper.regrouped(call, found, found.shape, x.batch, False)


def _joined(mapper: Mapper, call: Call, kind: str, x: Activation, const: Const) -> Activation:
    layers, result = mapper.aligned(Call(call.node, call.opset, [x, const]))
    return result._replace(layer=mapper.add(call, operator(kind), layers))


def _mask(call: Call, batch: int, length: int, keys: int, before: int) -> Const | None:
    """What is added to the scores: the given mask, and −∞ where causality, a window or padding forbids. The numbers in
    between are not computed here. Raises Unmapped if they depend on the network's input."""
    given, counts = call.optional(3), call.whole(6)
    causal = bool(call.integer("is_causal", 0))
    left, right = call.integer("left_window_size", -1), call.integer("right_window_size", -1)
    if given is None and counts is None and not causal and left < 0 and right < 0:
        return None
    shape = [batch if counts is not None else 1, 1, length, keys]
    if given is not None:
        wide = (1,) * (4 - len(given.shape)) + given.shape
        if len(wide) != 4 or wide[3] > keys:
            raise Invalid(f"a mask of {list(given.shape)} for {length} queries and {keys} keys")
        shape = [*broadcast(wide[:3], shape[:3]), keys]
    if prod(shape) > MAX_KNOWN:
        raise Unmapped(f"a mask of {shape}")
    boolean = given is not None and given.dtype == "BOOL"

    def allowed(sample: int, query: int, key: int) -> bool:
        offset = counts[sample] - length if counts is not None and not before else before
        return not (
            (causal and key > query + offset)
            or (left >= 0 and query + offset - key > left)
            or (right >= 0 and key - query - offset > right)
            or (counts is not None and key >= counts[sample])
        )

    def rule(arrays: Sequence[Array]) -> list[float]:
        numbers: Sequence[Any] = [0.0] * prod(shape)
        if arrays:
            own = (1,) * (4 - len(arrays[0].shape)) + arrays[0].shape
            values = list(arrays[0].values)
            if boolean:
                values = [0.0 if value else -inf for value in values]
            padded: list[float] = []
            for start in range(0, len(values), own[3]):
                padded += [
                    *values[start : start + own[3]],
                    *([-inf] * (keys - own[3] if own[3] > 1 or keys == 1 else 0)),
                ]
            last = keys if own[3] > 1 or keys == 1 else 1
            numbers = expanded(Array((*own[:3], last), padded), shape)
        return [
            number if allowed(sample % batch, query, key) else -inf
            for number, (sample, _, query, key) in zip(numbers, places(*map(range, shape)), strict=True)
        ]

    return Const(shape, "F32", sources=() if given is None else (given,), rule=rule)


def _without_full_rows(mask: Const) -> tuple[Const, Const | None]:
    """The mask with rows that forbid everything set to 0, and 0 for these rows and 1 for others, if there are any."""
    if not is_readable(mask):
        return mask, None
    keys = mask.shape[3]
    values = list(mask.values())
    full = [all(value == -inf for value in values[i : i + keys]) for i in range(0, len(values), keys)]
    if not any(full):
        return mask, None
    open_ = [0.0 if full[place // keys] else value for place, value in enumerate(values)]
    rows = Const((*mask.shape[:3], 1), "F32", values=[0.0 if row else 1.0 for row in full])
    return Const(mask.shape, "F32", values=open_), rows


HANDLERS: dict[str, Handler] = {"Attention": attention}
