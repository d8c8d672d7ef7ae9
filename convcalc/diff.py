"""Two networks aligned by role and order, and what differs: fields, weights, MACs, and why.

Each difference in weights comes with its arithmetic, the common factors taken out.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Literal, NamedTuple

from convcalc.alignment import align
from convcalc.analysis import Analysis
from convcalc.costs import Reduction, reductions
from convcalc.explain import weight_factors
from convcalc.graph import INPUT, Node
from convcalc.ops.working import grouped, product


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

    def reductions(self) -> list[tuple[Reduction, bool]]:
        """1×1 convolutions that one network has and the other has not, added (True) or removed, and what they save
        in layers that both have."""
        found = []
        for analysis, added in ((self.b, True), (self.a, False)):
            pairs = {(pair.b if added else pair.a): pair for pair in self.pairs}
            for one in reductions(analysis.graph):
                kept = tuple(s for s in one.savings if pairs[s.reader].status not in ("added", "removed"))
                if pairs[one.node].status in ("added", "removed") and (kept or not one.savings):
                    found.append((one._replace(savings=kept), added))
        return found

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
    causes = _causes(b, changed)
    return Diff(a, b, tuple(_with_cause(pair, causes) for pair in pairs))


def _pair(a: Analysis, b: Analysis, first: Node | None, second: Node | None) -> Pair:
    if first is None or second is None:
        node, sign = (first, -1) if second is None else (second, 1)
        assert node is not None
        layer = (a if second is None else b).layers[node.index]
        delta = Delta(sign * layer.weights, sign * layer.params, sign * layer.macs)
        factors = weight_factors((a if second is None else b).graph, node) if layer.weights else ()
        minus = "−" if sign < 0 else ""
        working = f"{minus}{grouped(factors)} = {delta.weights:+,}".replace("-", "−") if factors else ""
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


CHANNELS = ("filters", "units", "kind", "start", "stop", "shape")  # what changes how many channels go on


def _with_cause(pair: Pair, causes: list[str | None]) -> Pair:
    """The pair with the earlier layer of B whose change reaches this one's input channels."""
    if pair.a is None or pair.b is None or not pair.delta.weights:
        return pair
    source = pair.b.inputs[0]
    if pair.a.input_shapes[0] == pair.b.input_shapes[0] or source == INPUT:
        return pair
    return pair._replace(cause=causes[source])


def _causes(b: Analysis, by_node: dict[int, Pair]) -> list[str | None]:
    """Per layer of B, the nearest layer, itself included, that was added or changes the channels; one that acts on
    each position by itself cannot. Where several branches do, the join's name stands for them."""
    causes: list[str | None] = []
    for node in b.graph:
        pair = by_node[node.index]
        found = {causes[source] for source in node.inputs if source != INPUT} - {None}
        if not node.op.pointwise and (
            pair.status == "added" or any(name in pair.changes for name in CHANNELS)
        ):
            causes.append(node.name)
        elif len(found) == 1:
            causes.append(found.pop())
        else:
            causes.append(node.name if found else None)
    return causes
