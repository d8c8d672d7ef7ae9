"""Self-attention written as matrix products becomes `attention`, within shifted windows too (Swin).

Nothing is matched by the form of the nodes between the products, which differs from exporter to exporter: how values
move from the projection to the products, and back, is compared with how `attention` moves them.
"""

from __future__ import annotations

import dataclasses
from array import array
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from math import isclose, log, prod, sqrt
from typing import Any, NamedTuple

from convcalc.errors import ModelError
from convcalc.formats.draft import Draft, DraftLayer, operator
from convcalc.formats.onnx.calls import decimal
from convcalc.formats.onnx.values import MAX_KNOWN, Const, is_readable
from convcalc.formats.onnx.views import Factors, Traced, View, normal, trace, whole
from convcalc.ops.add import Add
from convcalc.ops.clip import Clip
from convcalc.ops.constant import MASKED
from convcalc.ops.dense import Dense
from convcalc.ops.exp import Exp
from convcalc.ops.l2norm import L2norm
from convcalc.ops.matmul import Matmul
from convcalc.ops.multiply import Multiply
from convcalc.ops.pad import Pad
from convcalc.ops.parameter import LearnedTensor
from convcalc.ops.reshape import Reshape
from convcalc.ops.roll import Roll
from convcalc.ops.scale import Scale
from convcalc.ops.slice import Slice
from convcalc.ops.softmax import Softmax
from convcalc.ops.transpose import Transpose
from convcalc.shapes import Shape
from convcalc.weights.tensors import StoredTensor, little_endian

MAX_FACTOR = 100.0  # of cosines (Liu et al. 2022, Swin V2)
MAX_EPS = 1e-10  # of the length of queries and keys that attention by cosines neglects


class Core(NamedTuple):
    """Attention between its projections. entry, exit: the dense layers; softmax: its layer; added: the layers whose
    outputs are added to the scores, with the shape of the scores there. scale: the factor of the products; logits: the
    logarithms of the heads' factors, for scores that are cosines."""

    entry: int
    exit: int
    softmax: int
    windows: int
    places: int
    heads: int
    scale: float
    added: tuple[tuple[int, Shape], ...]
    logits: StoredTensor | None = None


class Around(NamedTuple):
    """Where the windows come from and go to. source: the layer of the map; end: the layer with the result."""

    source: int
    end: int
    window: tuple[int, int]
    shift: tuple[int, int]


def fuse_attention(draft: Draft, constants: Mapping[int, Const]) -> None:
    """Replaces every self-attention of the draft. constants: the known values of parameters, by layer."""
    if not any(isinstance(layer.op, Softmax) for layer in draft.layers):
        return
    readers = _readers(draft)
    for index, layer in enumerate(draft.layers):
        if not isinstance(layer.op, Softmax):
            continue
        core = _core(draft, index, readers)
        if core is None:
            continue
        around = _windowed(draft, core, readers)
        if around is None and core.windows == 1:
            around = _whole(draft, core)
        elif around is not None and draft.shape(around.source)[:2] == around.window:
            around = around._replace(window=(0, 0))  # all positions of the map
        if around is not None:
            _replace(draft, core, around, constants)


def _readers(draft: Draft) -> dict[int, list[int]]:
    """The layers that read each layer, among those that are needed; −1 for an output of the network."""
    found: dict[int, list[int]] = {}
    for index in draft.needed():
        for source in draft.layers[index].inputs:
            found.setdefault(source, []).append(index)
    for _, index in draft.outputs:
        found.setdefault(index, []).append(-1)
    return found


def _only_reader(readers: Mapping[int, list[int]], index: int) -> int | None:
    """The only layer that reads a layer."""
    found = readers.get(index, [])
    return found[0] if len(found) == 1 and found[0] >= 0 else None


def _core(draft: Draft, softmax: int, readers: Mapping[int, list[int]]) -> Core | None:
    """The attention around a softmax, from the projection to queries, keys and values to that of the output."""
    rows = draft.layers[softmax]
    product = _only_reader(readers, softmax)
    while product is not None and isinstance(draft.layers[product].op, Reshape):
        product = _only_reader(readers, product)
    if product is None or len(rows.shape) < 2 or not isinstance(rows.op, Softmax):
        return None
    last = rows.op.axis in ("last", len(rows.shape) - 1)
    mixed = draft.layers[product]
    if not last or not _plain_product(mixed):
        return None
    weights = trace(draft, mixed.inputs[0], softmax)
    if weights is None or weights.source != softmax or not _keeps_order(weights, rows.shape):
        return None
    scores, factor, added, logits = _scores(draft, rows.inputs[0])
    if scores is None or not _plain_product(draft.layers[scores], turned=True):
        return None
    sides = [*draft.layers[scores].inputs, mixed.inputs[1]]
    q, k = (trace(draft, side) if logits is None else _unit(draft, side) for side in sides[:2])
    v = trace(draft, sides[2])
    if q is None or k is None or v is None or not q.source == k.source == v.source or v.factor != 1:
        return None
    entry = q.source
    if entry < 0 or not _is_projection(draft.layers[entry]):
        return None
    width = draft.layers[entry].shape[-1]
    features, tokens = width // 3, prod(draft.layers[entry].shape[:-1])
    *lead, places, depth = draft.shape(sides[0])
    if (
        width % 3
        or features % depth
        or draft.shape(entry if entry < 0 else draft.layers[entry].inputs[0])[-1] != features
    ):
        return None
    heads = features // depth
    if prod(lead) % heads:
        return None
    windows = prod(lead) // heads
    if windows * places != tokens:
        return None
    outer = ((windows, places * width), (heads, depth))
    by_row = normal([*outer, (places, width), (depth, 1)])
    by_column = normal([*outer, (depth, 1), (places, width)])
    keys = by_row if draft.layers[scores].op.shown_fields()["transpose_b"] else by_column
    if (q.view.factors, q.view.offset) != (by_row, 0) or (k.view.factors, k.view.offset) != (keys, features):
        return None
    if (v.view.factors, v.view.offset) != (by_row, 2 * features):
        return None
    end = product
    while (reader := _only_reader(readers, end)) is not None and isinstance(
        draft.layers[reader].op, (Reshape, Transpose)
    ):
        end = reader
    back = trace(draft, end, product)
    exit_ = _only_reader(readers, end)
    if back is None or exit_ is None or not _is_projection(draft.layers[exit_]):
        return None
    wanted = normal([(windows, features * places), (places, depth), (heads, places * depth), (depth, 1)])
    out = draft.layers[exit_]
    if back.view.factors != wanted or back.source != product or out.shape[-1] != features:
        return None
    if draft.shape(end)[-1] != features:
        return None
    scale = q.factor * k.factor * factor
    if logits is not None and (scale != 1 or logits.shape != (heads, 1, 1) or _biased(draft.layers[entry])):
        return None
    return Core(entry, exit_, softmax, windows, places, heads, scale, tuple(added), logits)


def _keeps_order(traced: Traced, shape: Shape) -> bool:
    """Whether a chain leaves all values of a tensor in sequence, and as they are."""
    return traced.view.factors == normal([(prod(shape), 1)]) and traced.factor == 1


def _unit(draft: Draft, side: int) -> Traced | None:
    """What is above vectors of unit length, a factor of a product that may be transposed: as if they had any length."""
    after = trace(draft, side)
    norm = draft.layers[after.source] if after is not None and after.source >= 0 else None
    if after is None or norm is None or not isinstance(norm.op, L2norm) or norm.op.eps > MAX_EPS:
        return None
    if norm.op.axis != "last" or len(norm.shape) < 2:
        return None
    inner = trace(draft, norm.inputs[0])
    if inner is None or _keeps_order(after, norm.shape):
        return inner
    plain = whole(norm.shape).dimensions
    if after.factor != 1 or after.view.factors != View((*plain[:-2], plain[-1], plain[-2])).factors:
        return None
    dimensions = inner.view.dimensions
    turned = View((*dimensions[:-2], dimensions[-1], dimensions[-2]), inner.view.offset)
    return inner._replace(view=turned)


def _biased(entry: DraftLayer) -> bool:
    """Whether keys have a bias, which attention by cosines has not."""
    if "bias" not in entry.tensors:
        return False
    try:
        values = entry.tensors["bias"].values()
    except ModelError:
        return True
    third = len(values) // 3
    return any(values[third : 2 * third])


def _plain_product(layer: DraftLayer, *, turned: bool = False) -> bool:
    """Whether a layer is a matrix product as it stands. turned: or with its second matrix transposed."""
    return isinstance(layer.op, Matmul) and not layer.op.transpose_a and (turned or not layer.op.transpose_b)


def _is_projection(layer: DraftLayer) -> bool:
    return isinstance(layer.op, Dense) and layer.op.axis == "last" and layer.shares is None


class Scores(NamedTuple):
    """The product of queries and keys, the factor after it, what is added, and the logarithms of heads' factors."""

    product: int | None
    factor: float = 1.0
    added: tuple[tuple[int, Shape], ...] = ()
    logits: StoredTensor | None = None


def _scores(draft: Draft, index: int) -> Scores:
    """What a softmax reads, back to the product of queries and keys."""
    found = Scores(None)
    while index >= 0:
        traced = trace(draft, index, slices=False)
        if traced is None or traced.source < 0:
            return Scores(None)
        layer = draft.layers[traced.source]
        ordered = traced.view.factors == normal([(prod(layer.shape), 1)])
        if not ordered or (found != Scores(None) and traced.factor != 1):
            return Scores(None)
        found = found._replace(factor=found.factor * traced.factor)
        if isinstance(layer.op, Matmul):
            return found._replace(product=traced.source)
        if isinstance(layer.op, Scale) and len(layer.shape) == 3 and found.logits is None:
            if not _are_factors(layer, "weight"):
                return Scores(None)
            found = found._replace(logits=_logarithms(layer.tensors["weight"], (layer.shape[0], 1, 1)))
            index = layer.inputs[0]
            continue
        if len(layer.inputs) != 2 or traced.factor != 1 or not isinstance(layer.op, (Add, Multiply)):
            return Scores(None)
        own = [source for source in layer.inputs if _depends_on_product(draft, source)]
        if len(own) != 1 or draft.shape(own[0]) != layer.shape:
            return Scores(None)
        (other,) = [source for source in layer.inputs if source != own[0]]
        if isinstance(layer.op, Add):
            if found.logits is not None:
                return Scores(None)
            found = found._replace(added=(*found.added, (other, layer.shape)))
        else:
            logits = _logits(draft, other, layer.shape)
            if logits is None or found.logits is not None:
                return Scores(None)
            found = found._replace(logits=logits)
        index = own[0]
    return Scores(None)


def _logits(draft: Draft, index: int, scores: Shape) -> StoredTensor | None:
    """The logarithms of the heads' factors, at most 100, that multiply the scores."""
    shape = scores[-3], 1, 1
    moved = trace(draft, index, slices=False) if draft.shape(index)[-3:] == shape else None
    if moved is None or moved.source < 0 or moved.factor != 1 or prod(draft.shape(moved.source)) != shape[0]:
        return None
    power = draft.layers[moved.source]
    if isinstance(power.op, LearnedTensor) and _are_factors(power, ""):  # an exporter has worked them out
        return _logarithms(power.tensors[""], shape)
    bound = draft.layers[power.inputs[0]] if isinstance(power.op, Exp) and power.inputs[0] >= 0 else None
    if bound is None or not isinstance(bound.op, Clip) or bound.op.min is not None or bound.inputs[0] < 0:
        return None
    source = draft.layers[bound.inputs[0]]
    if not isclose(bound.op.max or 0, log(MAX_FACTOR), rel_tol=1e-6) or not isinstance(
        source.op, LearnedTensor
    ):
        return None
    return dataclasses.replace(source.tensors[""], shape=shape)


def _are_factors(layer: DraftLayer, name: str) -> bool:
    """Whether a tensor holds factors of cosines, from 0 to 100."""
    try:
        return all(0 < value <= MAX_FACTOR * (1 + 1e-6) for value in layer.tensors[name].values())
    except ModelError:
        return False


def _logarithms(tensor: StoredTensor, shape: Shape) -> StoredTensor:
    """The natural logarithms of a tensor's numbers."""
    return StoredTensor(
        tensor.name, shape, "F32", lambda: little_endian(array("f", map(log, tensor.values())))
    )


def _depends_on_product(draft: Draft, index: int) -> bool:
    """Whether a chain of moves and sums leads back to a matrix product."""
    for _ in range(16):
        if index < 0:
            return False
        layer = draft.layers[index]
        if isinstance(layer.op, Matmul):
            return True
        if isinstance(layer.op, (Add, Multiply)):
            return any(_depends_on_product(draft, source) for source in layer.inputs)
        if len(layer.inputs) != 1:
            return False
        index = layer.inputs[0]
    return False


def _whole(draft: Draft, core: Core) -> Around | None:
    """Attention among all positions."""
    source = draft.layers[core.entry].inputs[0]
    shape = draft.shape(source)
    if len(shape) < 2 or shape != draft.shape(core.exit):
        return None
    return Around(source, core.exit, (0, 0), (0, 0))


def _windowed(draft: Draft, core: Core, readers: Mapping[int, list[int]]) -> Around | None:
    """The map that windows are cut from, and the layer where they are put back."""
    start = draft.layers[core.entry].inputs[0]
    inward = trace(draft, start, slices=False)
    if inward is None or inward.factor != 1 or len(draft.shape(inward.source)) != 3:
        return None
    height, width, features = draft.shape(inward.source)
    window = _window(core, height, width, features, inward.view.factors)
    if window is None:
        return None
    source, shift = inward.source, (0, 0)
    if source >= 0 and isinstance(draft.layers[source].op, Roll):
        moved = draft.layers[source].op.shifts(3)  # type: ignore[attr-defined]
        shift = (-moved.get(0, 0), -moved.get(1, 0))
        if moved.get(2) or min(shift) < 0 or any(s >= w for s, w in zip(shift, window, strict=True)):
            return None
        source = draft.layers[source].inputs[0]
    padded = source >= 0 and isinstance(draft.layers[source].op, Pad)
    if padded:
        pad = draft.layers[source].op
        inner = draft.layers[source].inputs[0]
        margins = pad.margins(draft.shape(inner))  # type: ignore[attr-defined]
        fits = all(
            before == 0 and after < w for (before, after), w in zip(margins, (*window, 1), strict=True)
        )
        if not fits or pad.mode != "constant" or pad.value:  # type: ignore[attr-defined]
            return None
        source = inner
    end = core.exit
    (rows, columns), (high, wide) = (height // window[0], width // window[1]), window
    inside = high * wide * features
    wanted = normal([
        (rows, columns * inside), (high, wide * features), (columns, inside), (wide, features), (features, 1),
    ])  # fmt: skip
    while not _is_map(draft, end, core.exit, (height, width, features), wanted):
        reader = _only_reader(readers, end)
        if reader is None or not isinstance(draft.layers[reader].op, (Reshape, Transpose)):
            return None
        end = reader
    if shift != (0, 0):
        reader = _only_reader(readers, end)
        op = None if reader is None else draft.layers[reader].op
        if reader is None or not isinstance(op, Roll):
            return None
        moved = op.shifts(3)
        if (moved.get(0, 0), moved.get(1, 0), moved.get(2, 0)) != (*shift, 0):
            return None
        end = reader
    while padded and draft.shape(end) != draft.shape(source):
        reader = _only_reader(readers, end)
        op = None if reader is None else draft.layers[reader].op
        if reader is None or not isinstance(op, Slice) or op.first or op.step != 1:
            return None
        end = reader
    return Around(source, end, window, shift) if draft.shape(end) == draft.shape(source) else None


def _is_map(draft: Draft, end: int, start: int, shape: Shape, wanted: Factors) -> bool:
    """Whether a chain of moves has put windows back in their places."""
    back = trace(draft, end, start)
    return (
        draft.shape(end) == shape
        and back is not None
        and back.source == start
        and back.view.factors == wanted
    )


def _window(core: Core, height: int, width: int, features: int, factors: Factors) -> tuple[int, int] | None:
    """The window whose cutting gives these factors."""
    for high in range(1, core.places + 1):
        wide = core.places // high
        if core.places % high or height % high or width % wide:
            continue
        wanted = normal([
            (height // high, high * width * features), (width // wide, wide * features), (high, width * features),
            (wide, features), (features, 1),
        ])  # fmt: skip
        if factors == wanted and height // high * (width // wide) == core.windows:
            return high, wide
    return None


def _replace(draft: Draft, core: Core, around: Around, constants: Mapping[int, Const]) -> None:
    """Puts `attention` in place of the last layer, if what is added to the scores is a bias or a mask of windows."""
    entry, out = draft.layers[core.entry], draft.layers[core.exit]
    square = (core.places, core.places)
    bias: int | None = None
    masked = False
    for layer, scores in core.added:
        shape = draft.shape(layer)
        wide = (1,) * (len(scores) - len(shape)) + shape
        lead = [(size, own) for size, own in zip(wide[:-2], scores[:-2], strict=True) if own != 1]
        if wide[-2:] != square:
            return
        by_head = wide[-3] == core.heads and prod(wide[:-3]) == 1
        if by_head and bias is None and scores[-3] == core.heads:
            bias = layer
        elif not masked and _is_own_mask(core, around, draft, layer, lead, constants):
            masked = True
        else:
            return
    if around.shift != (0, 0) and not masked:  # `attention` would mask itself
        return
    inputs = [around.source]
    if bias is not None:
        if draft.shape(bias) != (core.heads, *square):
            draft.layers[core.softmax] = DraftLayer(
                operator("reshape", shape=(core.heads, *square)), (bias,), (core.heads, *square),
                draft.layers[core.softmax].path, "Reshape", source=draft.layers[core.softmax].source,
            )  # fmt: skip
            bias = core.softmax
        inputs.append(bias)
    assert isinstance(entry.op, Dense)
    assert isinstance(out.op, Dense)
    op = operator(
        "attention", heads=core.heads, in_bias=entry.op.bias, out_bias=out.op.bias,
        bias=None if bias is None else "bias",
    )  # fmt: skip
    if around.window != (0, 0):
        window, shift = ((a if a == b else (a, b)) for a, b in (around.window, around.shift))
        op = replace(op, window=window, shift=shift)  # type: ignore[call-arg]
    depth = out.shape[-1] // core.heads
    if core.logits is not None:
        op = replace(op, similarity="cosine")  # type: ignore[call-arg]
    elif not isclose(core.scale, 1 / sqrt(depth), rel_tol=1e-5):
        op = replace(op, scale=decimal(core.scale))  # type: ignore[call-arg]
    shapes = tuple(draft.shape(source) for source in inputs)
    tensors = {
        "in_proj_weight": entry.tensors["weight"], "out_proj.weight": out.tensors["weight"],
        **({"in_proj_bias": entry.tensors["bias"]} if entry.op.bias else {}),
        **({"out_proj.bias": out.tensors["bias"]} if out.op.bias else {}),
    }  # fmt: skip
    if core.logits is not None:
        tensors["logit_scale"] = core.logits
    path = _common(entry.path, out.path)
    draft.layers[around.end] = DraftLayer(
        op.bind(shapes), tuple(inputs), shapes[0], path, "attention", tensors,
        source=out.source, inside=path not in ("", entry.path, out.path),
    )  # fmt: skip


def _is_own_mask(
    core: Core,
    around: Around,
    draft: Draft,
    layer: int,
    lead: list[tuple[int, int]],
    constants: Mapping[int, Const],
) -> bool:
    """Whether what is added is the mask that shifted windows have of themselves: −100, or less, between their parts."""
    const = constants.get(layer)
    shape = draft.shape(around.source)
    if const is None or around.shift == (0, 0) or const.count > MAX_KNOWN or not is_readable(const):
        return False
    if [size for size, _ in lead if size != 1] != [core.windows]:
        return False
    size = tuple(-(-n // w) * w for n, w in zip(shape[:2], around.window, strict=True))
    return _mask(around.window, size, around.shift) == [max(float(value), MASKED) for value in const.values()]


@lru_cache(maxsize=16)
def _mask(window: tuple[int, int], size: Shape, shift: tuple[int, int]) -> list[float]:
    rule: Any = operator("constant", rule="window_mask", window=window, size=size, shift=shift)
    values: list[float] = rule.values()
    return values


def _common(a: str, b: str) -> str:
    """The deepest module that both paths lie in."""
    shared = []
    for one, other in zip(a.split("."), b.split("."), strict=False):
        if one != other:
            break
        shared.append(one)
    return ".".join(shared)
