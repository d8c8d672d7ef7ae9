"""Two networks aligned by role and order, and what differs: fields, weights, MACs, and why.

Layers are paired so that the pairs are as alike as possible while both orders are kept (Needleman & Wunsch 1970);
names do not count. Each difference in weights comes with its arithmetic, the common factors taken out.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Literal, NamedTuple

from convcalc.analysis import Analysis
from convcalc.explain import weight_factors
from convcalc.graph import INPUT, Node
from convcalc.ops.base import Operator
from convcalc.ops.working import grouped, product

MAX_CELLS = 4_000_000  # of the alignment's table; beyond, only pairs near the diagonal are looked at


class Delta(NamedTuple):
    """B less A."""

    weights: int
    params: int
    macs: int


class Pair(NamedTuple):
    """A layer of A, its counterpart in B, or one of them alone.

    changes: field → (A's value, B's), `kind` and `input_shape` among them. working: the arithmetic of the
    weights' difference. cause: the layer of B whose change made this one's weights differ.
    """

    a: Node | None
    b: Node | None
    status: Literal["same", "changed", "added", "removed"]
    changes: dict[str, tuple[Any, Any]]
    delta: Delta
    working: str = ""
    cause: str | None = None


class Diff(NamedTuple):
    """All pairs in order, and both networks' figures."""

    a: Analysis
    b: Analysis
    pairs: tuple[Pair, ...]

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return all(pair.status == "same" for pair in self.pairs)

    def total_delta(self) -> dict[str, int]:
        """B's totals less A's, by name."""
        return {name: getattr(self.b.totals, name) - getattr(self.a.totals, name) for name in TOTALS}

    def total_ratio(self) -> dict[str, float | None]:
        """B's totals over A's; None where A's is 0."""
        return {
            name: getattr(self.b.totals, name) / getattr(self.a.totals, name)
            if getattr(self.a.totals, name)
            else None
            for name in TOTALS
        }


TOTALS = (
    "layers", "weights", "biases", "params", "buffers", "macs", "activation_bytes", "peak_activation_bytes",
    "param_bytes",
)  # fmt: skip


def compare(a: Analysis, b: Analysis) -> Diff:
    """The difference between two analysed networks."""
    pairs = [_pair(a, b, first, second) for first, second in align(a.graph.nodes, b.graph.nodes)]
    changed = {pair.b.index: pair for pair in pairs if pair.b is not None}
    return Diff(a, b, tuple(_with_cause(b, pair, changed) for pair in pairs))


def align(a: Sequence[Node], b: Sequence[Node]) -> list[tuple[Node | None, Node | None]]:
    """Pairs in order; a layer without a counterpart stands alone."""
    start = 0
    while start < min(len(a), len(b)) and a[start].op == b[start].op:
        start += 1
    stop = 0
    while stop < min(len(a), len(b)) - start and a[-1 - stop].op == b[-1 - stop].op:
        stop += 1
    middle = _align(a[start : len(a) - stop], b[start : len(b) - stop])
    head = list(zip(a[:start], b[:start], strict=True))
    tail = list(zip(a[len(a) - stop :], b[len(b) - stop :], strict=True)) if stop else []
    return [*head, *middle, *tail]


def _align(a: Sequence[Node], b: Sequence[Node]) -> list[tuple[Node | None, Node | None]]:
    if not a or not b:
        return [*((node, None) for node in a), *((None, node) for node in b)]
    band = len(b) if len(a) * len(b) <= MAX_CELLS else max(1, MAX_CELLS // len(a) // 2)
    alike: dict[tuple[Operator, Operator], int] = {}
    rows: list[
        tuple[int, list[int]]
    ] = []  # per layer of A: the first column, and the best scores up to there
    first, best = 0, [0] * (len(b) + 1)
    rows.append((0, best))
    for i, node in enumerate(a):
        centre = i * len(b) // len(a)
        low, high = max(0, centre - band), min(len(b), centre + band)
        previous_low, previous = first, best
        first, best = low, []
        for j in range(low, high + 1):
            above = _at(previous, j - previous_low)
            score = above
            if j > low:
                score = max(score, best[-1])
            if j > 0:
                other = b[j - 1]
                key = (node.op, other.op)
                gain = alike.get(key)
                if gain is None:
                    gain = alike[key] = likeness(node.op, other.op)
                if gain:
                    score = max(score, _at(previous, j - 1 - previous_low) + gain)
            best.append(score)
        rows.append((first, best))
    result: list[tuple[Node | None, Node | None]] = []
    i, j = len(a), len(b)
    while i or j:
        here = _at(rows[i][1], j - rows[i][0])
        if i and j:
            diagonal = _at(rows[i - 1][1], j - 1 - rows[i - 1][0])
            gain = alike.get((a[i - 1].op, b[j - 1].op), 0)
            if gain and here == diagonal + gain:
                i, j = i - 1, j - 1
                result.append((a[i], b[j]))
                continue
        if j and (not i or here == _at(rows[i][1], j - 1 - rows[i][0])):
            j -= 1
            result.append((None, b[j]))
        else:
            i -= 1
            result.append((a[i], None))
    return result[::-1]


def _at(scores: list[int], position: int) -> int:
    """The score there; at its nearest edge outside of what was looked at."""
    return scores[max(0, min(position, len(scores) - 1))]


def likeness(a: Operator, b: Operator) -> int:
    """0 for different roles; else more, the more is alike: the kind, then the fields."""
    if a is b or a == b:
        return 12
    if a.role != b.role or (a.kind != b.kind and a.role in ("identity", "reshape")):
        return 0
    if a.kind != b.kind:
        return 3
    names = a.fields()
    equal = sum(getattr(a, name) == getattr(b, name) for name in names)
    return 6 + (5 * equal // len(names) if names else 5)


def _pair(a: Analysis, b: Analysis, first: Node | None, second: Node | None) -> Pair:
    if first is None or second is None:
        node, sign = (first, -1) if second is None else (second, 1)
        assert node is not None
        layer = (a if second is None else b).layers[node.index]
        delta = Delta(sign * layer.weights, sign * layer.params, sign * layer.macs)
        factors = weight_factors((a if second is None else b).graph, node) if layer.weights else ()
        working = f"{grouped(factors)} = {delta.weights:+,}".replace("-", "−") if factors else ""
        return Pair(first, second, "removed" if second is None else "added", {}, delta, working)
    one, two = a.layers[first.index], b.layers[second.index]
    changes: dict[str, tuple[Any, Any]] = {}
    if first.kind != second.kind:
        changes["kind"] = (first.kind, second.kind)
    for name in {**one.fields, **two.fields}:
        if name in one.fields and name in two.fields and one.fields[name] != two.fields[name]:
            changes[name] = (one.fields[name], two.fields[name])
    delta = Delta(two.weights - one.weights, two.params - one.params, two.macs - one.macs)
    if not changes and any(delta):
        changes["input_shape"] = (list(first.input_shapes[0]), list(second.input_shapes[0]))
    working = ""
    if delta.weights:
        working = difference(weight_factors(a.graph, first), weight_factors(b.graph, second))
        working = working or f"{two.weights:,} − {one.weights:,} = {delta.weights:+,}".replace("-", "−")
    return Pair(first, second, "changed" if changes else "same", changes, delta, working)


def difference(a: Sequence[int], b: Sequence[int]) -> str:
    """`3·3·(512·1024 − 384·384) = +3,391,488`: B's product less A's, the common factors taken out."""
    if not a or not b:
        return ""
    result = f"{prod(b) - prod(a):+,}".replace("-", "−")
    if len(a) != len(b) or a == b:
        return f"{grouped(b)} − {grouped(a)} = {result}"
    unequal = [position for position, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
    before = [b[position] for position in range(unequal[-1]) if position not in unequal]
    after = [*b[unequal[-1] + 1 :]]
    inner = f"({product([b[p] for p in unequal])} − {product([a[p] for p in unequal])})"
    if not after and len(before) > 1 and len(unequal) == 1:
        return f"({product(before)})·{inner} = {result}"
    return "·".join([*map(str, before), inner, *map(str, after)]) + f" = {result}"


def _with_cause(b: Analysis, pair: Pair, by_node: dict[int, Pair]) -> Pair:
    """The pair with the earlier layer of B whose change reaches this one's input channels."""
    if pair.a is None or pair.b is None or not pair.delta.weights:
        return pair
    if pair.a.input_shapes[0] == pair.b.input_shapes[0]:
        return pair
    source = pair.b.inputs[0]
    while source != INPUT:
        upstream = by_node[source]
        if upstream.status in ("added", "removed") or any(
            name in upstream.changes for name in ("filters", "units", "kind")
        ):
            assert upstream.b is not None
            return pair._replace(cause=upstream.b.name)
        node = b.graph.nodes[source]
        if len(node.inputs) != 1:
            return pair
        source = node.inputs[0]
    return pair
