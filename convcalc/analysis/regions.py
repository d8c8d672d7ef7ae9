"""Exact sets of the pixels that a unit sees and the units that a pixel reaches, propagated through the graph.

A receptive field by formula (receptive.py) is a size, a stride and a start. What a single unit sees also depends
on the borders, where windows are clipped and intermediate maps end, on the gaps of dilated kernels, and on branches
with fields of different sizes. Here sets of positions are propagated one layer at a time:

* a `Span` is an interval of positions on one dimension, both ends included;
* a `Box` is the Cartesian product of its spans per dimension, channels first;
* a `Region` is a union of boxes.

Channels are included, so that a unit of a concatenation sees only what its own branch sees. A region may be too
large, never too small: where filters share a group, after a channel shuffle, and beyond `MAX_BOXES`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise, product
from math import ceil, prod

from convcalc.graph import INPUT, Graph, Node
from convcalc.ops import AxisReach, Beyond, Operator, Reach
from convcalc.shapes import Shape

Span = tuple[int, int]
Spans = tuple[Span, ...]
Box = tuple[Spans, ...]
Region = tuple[Box, ...]

MAX_BOXES = 64  # per region; more are replaced by their bounding box
MAX_POSITIONS = 100_000  # handled individually; more are replaced by the interval around them
MAX_RUNS = 4096  # contiguous pieces of a flattened map; with more, the whole map is taken


# -- spans and boxes -------------------------------------------------------------------------------------


def merged(spans: Iterable[Span]) -> Spans:
    """The spans sorted, with adjacent or overlapping spans joined and empty ones dropped."""
    result: list[Span] = []
    for low, high in sorted(spans):
        if low > high:
            continue
        if result and low <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(high, result[-1][1]))
        else:
            result.append((low, high))
    return tuple(result)


def clipped(spans: Spans, size: int) -> Spans:
    """The parts of the spans that lie within a dimension of `size`."""
    return tuple((max(0, low), min(size - 1, high)) for low, high in spans if high >= 0 and low < size)


def common(a: Spans, b: Spans) -> Spans:
    """The intersection of two lists of spans."""
    return merged((max(x[0], y[0]), min(x[1], y[1])) for x in a for y in b)


def everything(shape: Shape) -> Box:
    """The box of all positions of a tensor."""
    return tuple(((0, size - 1),) for size in shape)


def hull(region: Region) -> tuple[Span, ...] | None:
    """The bounding box: first and last position per dimension; None for an empty region."""
    if not region:
        return None
    dimensions = zip(*region, strict=True)
    return tuple(
        (min(spans[0][0] for spans in boxes), max(spans[-1][1] for spans in boxes)) for boxes in dimensions
    )


def simplified(boxes: Iterable[Box]) -> Region:
    """The same region in fewer boxes: joins boxes that differ in one dimension, drops boxes inside another."""
    kept = list(dict.fromkeys(box for box in boxes if all(box)))
    if len(kept) < 2:
        return tuple(kept)
    for dimension in range(len(kept[0])):
        groups: dict[tuple[Box, Box], list[Span]] = {}
        for box in kept:
            groups.setdefault((box[:dimension], box[dimension + 1 :]), []).extend(box[dimension])
        kept = [(*before, merged(spans), *after) for (before, after), spans in groups.items()]
    if len(kept) > MAX_BOXES:
        return (tuple(merged(s for box in kept for s in box[d]) for d in range(len(kept[0]))),)
    return tuple(box for box in kept if not any(box is not other and _within(box, other) for other in kept))


def _within(box: Box, other: Box) -> bool:
    return all(
        inner == outer or common(inner, outer) == inner for inner, outer in zip(box, other, strict=True)
    )


def meet(a: Region, b: Region) -> Region:
    """The intersection of two regions."""
    return simplified(tuple(map(common, left, right)) for left in a for right in b)


def count(region: Sequence[Box]) -> int:
    """The number of positions in a region; overlaps count once."""
    if not region:
        return 0
    if not region[0]:
        return 1
    if len(region) == 1 or len(region[0]) == 1:
        box = region[0] if len(region) == 1 else (merged(span for box in region for span in box[0]),)
        return prod(sum(high - low + 1 for low, high in spans) for spans in box)
    edges = sorted({edge for box in region for low, high in box[0] for edge in (low, high + 1)})
    total = 0
    known: dict[frozenset[Box], int] = {}  # sizes of slabs between two edges, by the boxes that cross them
    for low, after in pairwise(edges):
        inside = frozenset(
            box[1:] for box in region if any(span[0] <= low and after - 1 <= span[1] for span in box[0])
        )
        if inside not in known:
            known[inside] = count(tuple(inside))
        total += (after - low) * known[inside]
    return total


def spatial(region: Region) -> Region:
    """The region of a `(C, *spatial)` tensor projected onto its spatial dimensions."""
    return simplified(box[1:] for box in region)


# -- one operator ----------------------------------------------------------------------------------------


def read(walk: AxisReach, outputs: Spans, size: int) -> Spans:
    """The positions of an input dimension of `size` that these output positions read."""
    if not isinstance(walk, Reach):
        return ((0, size - 1),)
    start, stride, extent, gap = walk.start, walk.stride, walk.size, walk.gap
    if stride < 0:  # reversed slice: the same as output −o at the positive stride
        stride, outputs = -stride, tuple((-high, -low) for low, high in outputs)
    found: list[Span] = []  # windows without gaps between them form one interval; others are listed
    for first_output, last_output in outputs:
        low, high = walk.leader(first_output), walk.leader(last_output)
        if high - low >= MAX_POSITIONS or (not gap and extent >= stride * walk.block):
            found.append((ceil(low * stride + start), ceil(high * stride + start + extent) - 1))
        elif gap and stride == 1:
            taps = [start + tap * gap for tap in range(ceil(extent / gap))]
            found += [(low + int(tap), high + int(tap)) for tap in taps if tap % 1 == 0]
        elif gap:
            for output in range(low, high + 1, walk.block):
                taps = [output * stride + start + tap * gap for tap in range(ceil(extent / gap))]
                found += [(int(tap), int(tap)) for tap in taps if tap % 1 == 0]
        else:
            for output in range(low, high + 1, walk.block):
                first = output * stride + start
                found.append((ceil(first), ceil(first + extent) - 1))
    if walk.beyond:
        found += [span for place in found for span in _continued(place, size, walk.beyond)]
    return clipped(merged(found), size)


def _continued(span: Span, size: int, beyond: Beyond) -> list[Span]:
    """The real positions that the parts of a span before and after a dimension of `size` copy their values from."""
    low, high = span
    found = []
    if low < 0:
        last = min(high, -1)
        found.append({"reflect": (-last, -low), "circular": (low + size, last + size)}.get(beyond, (0, 0)))
    if high >= size:
        first, end = max(low, size), size - 1
        mirrored, around = (2 * end - high, 2 * end - first), (first - size, high - size)
        found.append({"reflect": mirrored, "circular": around}.get(beyond, (end, end)))
    return found


def _copies(span: Span, size: int, beyond: Beyond) -> list[Span]:
    """The padding positions before and after a dimension of `size` that repeat the values of a span."""
    low, high = span
    if beyond == "reflect":
        return [(-high, -low), (2 * (size - 1) - high, 2 * (size - 1) - low)]
    if beyond == "circular":
        return [(low - size, high - size), (low + size, high + size)]
    return [(-size, -1)] * (low == 0) + [(size, 2 * size - 1)] * (high == size - 1)


def readers(walk: AxisReach, inputs: Spans, size: int, length: int) -> Spans:
    """The positions of an output dimension of `size` that read any of these positions of an input of `length`."""
    if not isinstance(walk, Reach):
        return ((0, size - 1),)
    start, stride, extent, gap = walk.start, walk.stride, walk.size, walk.gap
    if walk.beyond:
        inputs = (*inputs, *(span for place in inputs for span in _copies(place, length, walk.beyond)))
    if stride < 0:  # reversed slice: count the outputs from the other end, at the positive stride
        other_way = Reach(walk.out, extent, -stride, start + (size - 1) * stride, gap)
        turned = readers(other_way, inputs, size, length)
        return tuple((size - 1 - high, size - 1 - low) for low, high in reversed(turned))
    found: list[Span] = []  # solves o·stride + start ≤ p < o·stride + start + extent for output o
    for low, high in inputs:
        if high - low >= MAX_POSITIONS or (not gap and extent >= 1):
            found.append(walk.led(int((low - start - extent) // stride) + 1, int((high - start) // stride)))
            continue
        for position in range(low, high + 1):
            if gap:
                rests = [position - start - tap * gap for tap in range(ceil(extent / gap))]
                leaders = [int(rest // stride) for rest in rests if rest % stride == 0]
                found += [walk.led(leader, leader) for leader in leaders]
            else:
                first = int((position - start - extent) // stride) + 1
                found.append(walk.led(first, int((position - start) // stride)))
    return clipped(merged(found), size)


@lru_cache(maxsize=8192)
def _walks(op: Operator, shapes: tuple[Shape, ...], index: int) -> tuple[AxisReach, ...]:
    """`op.reach`, cached: the depth table asks for each layer once per layer after it."""
    return op.reach(shapes, index)


def backwards(op: Operator, shapes: tuple[Shape, ...], index: int, region: Region, output: Shape) -> Region:
    """The region of input number `index` that a region of the output reads."""
    shape = shapes[index]
    if op.regroups:
        moved = _regrouped(region, output, shape)
        if moved is not None:
            return moved
    walks = _walks(op, shapes, index)
    return simplified(
        tuple(
            read(walk, box[walk.out] if isinstance(walk, Reach) else (), size)
            for walk, size in zip(walks, shape, strict=True)
        )
        for box in region
    )


def forwards(op: Operator, shapes: tuple[Shape, ...], index: int, region: Region, output: Shape) -> Region:
    """The region of the output that reads a region of input number `index`."""
    shape = shapes[index]
    if op.regroups:
        moved = _regrouped(region, shape, output)
        if moved is not None:
            return moved
    walks = _walks(op, shapes, index)
    boxes = []
    for box in region:
        reached = list(everything(output))
        for walk, spans, length in zip(walks, box, shape, strict=True):
            if isinstance(walk, Reach):
                found = readers(walk, spans, output[walk.out], length)
                reached[walk.out] = common(reached[walk.out], found)
        boxes.append(tuple(reached))
    return simplified(boxes)


def _regrouped(region: Region, before: Shape, after: Shape) -> Region | None:
    """The same elements under another shape; None if they form more than MAX_RUNS contiguous pieces."""
    runs: list[Span] = []
    for box in region:
        found = _runs(box, before)
        if found is None or len(runs) + len(found) > MAX_RUNS:
            return None
        runs += found
    if len(after) == 1:
        return ((merged(runs),),) if runs else ()
    return simplified(box for low, high in merged(runs) for box in _boxes(low, high, after))


def _runs(box: Box, shape: Shape) -> list[Span] | None:
    """The row-major offsets of a box's elements, as spans; None if there are more than MAX_RUNS."""
    inner = len(shape) - 1
    while inner and box[inner] == ((0, shape[inner] - 1),):
        inner -= 1
    leading = [sum(high - low + 1 for low, high in spans) for spans in box[:inner]]
    if prod(leading) * len(box[inner]) > MAX_RUNS:
        return None
    step = prod(shape[inner + 1 :])
    places = [[n for low, high in spans for n in range(low, high + 1)] for spans in box[:inner]]
    runs = []
    for place in product(*places):
        offset = 0
        for position, size in zip(place, shape, strict=False):
            offset = offset * size + position
        offset *= shape[inner]
        runs += [((offset + low) * step, (offset + high + 1) * step - 1) for low, high in box[inner]]
    return runs


def _boxes(low: int, high: int, shape: Shape) -> list[Box]:
    """Boxes of `shape` for a run of row-major offsets: partial first and last rows, and the full rows between."""
    if len(shape) == 1:
        return [(((low, high),),)]
    step = prod(shape[1:])
    first, head = divmod(low, step)
    last, tail = divmod(high, step)
    if first == last:
        return [(((first, first),), *rest) for rest in _boxes(head, tail, shape[1:])]
    boxes: list[Box] = []
    if head:
        boxes += [(((first, first),), *rest) for rest in _boxes(head, step - 1, shape[1:])]
        first += 1
    if tail < step - 1:
        boxes += [(((last, last),), *rest) for rest in _boxes(0, tail, shape[1:])]
        last -= 1
    if first <= last:
        boxes.append((((first, last),), *everything(shape[1:])))
    return boxes


# -- a whole network -------------------------------------------------------------------------------------


def seen(graph: Graph, index: int, region: Region) -> dict[int, Region]:
    """By index of each node and input involved, the region that a region of node `index`'s output depends on."""
    found: dict[int, Region] = {index: region}
    for node in reversed(graph.nodes[: index + 1]):
        if node.index not in found or not found[node.index]:
            continue
        for position, source in enumerate(node.inputs):
            part = backwards(node.op, node.input_shapes, position, found[node.index], node.output_shape)
            found[source] = simplified((*found[source], *part)) if source in found else part
    return found


def reached(graph: Graph, region: Region, origin: int = INPUT) -> list[Region]:
    """Per node, the region of its output that a region of the network's input `origin` reaches."""
    found: list[Region] = []
    for node in graph:
        parts: list[Box] = []
        for position, source in enumerate(node.inputs):
            part = found[source] if source >= 0 else region if source == origin else ()
            if part:
                parts += forwards(node.op, node.input_shapes, position, part, node.output_shape)
        found.append(simplified(parts))
    return found


def unclipped(graph: Graph, index: int, unit: Sequence[Span], origin: int = INPUT) -> tuple[Span, ...] | None:
    """Per spatial dimension of the network's input `origin`, the first and last pixel of a unit's window, padding
    included: as if every map on the way were infinite. None for a unit that does not read this input.

    unit: first and last position of the unit, per dimension of the output (channels first).
    """
    found: dict[int, tuple[Span, ...]] = {index: tuple(unit)}
    for node in reversed(graph.nodes[: index + 1]):
        window = found.get(node.index)
        if window is None:
            continue
        for position, source in enumerate(node.inputs):
            part = _through(node, position, window)
            if part is None:
                continue
            other = found.get(source)
            found[source] = part if other is None else tuple(map(_around, other, part))
    if origin not in found:
        return None
    return found[origin][1:] if len(found[origin]) > 1 else found[origin]


def _through(node: Node, position: int, window: tuple[Span, ...]) -> tuple[Span, ...] | None:
    shape = node.input_shapes[position]
    if node.op.regroups:
        box = tuple((span,) for span in window)
        moved = (
            _regrouped((box,), node.output_shape, shape)
            if all(map(_inside, window, node.output_shape))
            else None
        )
        if moved is not None:
            return hull(moved)
    result: list[Span] = []
    for walk, size in zip(_walks(node.op, node.input_shapes, position), shape, strict=True):
        if isinstance(walk, Reach):
            low, high = map(walk.leader, window[walk.out])
            if walk.stride < 0:
                low, high = high, low
            low, high = (
                ceil(low * walk.stride + walk.start),
                ceil(high * walk.stride + walk.start + walk.size) - 1,
            )
            if walk.beyond and low <= high:
                ends = [(low, high), *_continued((low, high), size, walk.beyond)]
                low, high = min(first for first, _ in ends), max(last for _, last in ends)
            if low > high or (not result and (high < 0 or low >= size)):  # empty, or outside the channels
                return None
            result.append((low, high))
        else:
            result.append((0, size - 1))
    return tuple(result)


def _around(a: Span, b: Span) -> Span:
    return min(a[0], b[0]), max(a[1], b[1])


def _inside(span: Span, size: int) -> bool:
    return span[0] >= 0 and span[1] < size
