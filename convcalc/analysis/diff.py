"""Differences between two networks aligned by role and order: fields, weights, MACs, and why they differ.

Each difference in weights comes with its arithmetic, common factors taken out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from convcalc.analysis.align import Aligned, align
from convcalc.analysis.analyse import Analysis
from convcalc.analysis.costs import Reduction, reductions
from convcalc.analysis.explain import weight_factors
from convcalc.graph import Graph, Node, Output, input_index
from convcalc.ops import grouped, product

if TYPE_CHECKING:
    from convcalc.analysis.value_diff import ValueDiff


class Delta(NamedTuple):
    """B minus A."""

    weights: int
    params: int
    macs: int


class Pair(NamedTuple):
    """A layer of A and its counterpart in B; either is None for a layer that only the other network has.

    changes: field → (A's value, B's value); besides fields, `kind`, `input_shape`, `from` (names of the inputs) and
    `share` (the name of the layer whose weights are reused, or None). working: the arithmetic of the difference in
    weights. cause: the layer of B whose change made the weights of this layer differ.
    """

    a: Node | None
    b: Node | None
    status: Literal["same", "changed", "added", "removed"]
    changes: dict[str, tuple[Any, Any]]
    delta: Delta
    working: str = ""
    cause: str | None = None


class OutputPair(NamedTuple):
    """An output of A and its counterpart in B, None if there is none. same: whether their layers are paired."""

    a: Output | None
    b: Output | None
    same: bool


class Diff(NamedTuple):
    """All pairs of layers in order, the figures of both networks, and their outputs in pairs. values: the differences
    in weights, if they were compared."""

    a: Analysis
    b: Analysis
    pairs: tuple[Pair, ...]
    outputs: tuple[OutputPair, ...] = ()
    values: ValueDiff | None = None

    def reductions(self) -> list[tuple[Reduction, bool]]:
        """1×1 reductions that only one network has, with what they save in layers that both networks have; True for
        added, False for removed."""
        found = []
        for analysis, added in ((self.b, True), (self.a, False)):
            pairs = {(pair.b if added else pair.a): pair for pair in self.pairs}
            for reduction in reductions(analysis.graph):
                kept = tuple(
                    saving
                    for saving in reduction.savings
                    if pairs[saving.reader].status not in ("added", "removed")
                )
                if pairs[reduction.node].status in ("added", "removed") and (kept or not reduction.savings):
                    found.append((reduction._replace(savings=kept), added))
        return found

    @property
    def same_layers(self) -> bool:
        """Whether layers and outputs are the same."""
        return all(pair.status == "same" for pair in self.pairs) and all(pair.same for pair in self.outputs)

    @property
    def same(self) -> bool:
        """Whether nothing differs, including the weights if they were compared."""
        return self.same_layers and (self.values is None or self.values.same)

    def total_delta(self) -> dict[str, int]:
        """B's totals minus A's, by name."""
        return {name: getattr(self.b.totals, name) - getattr(self.a.totals, name) for name in TOTALS}

    def total_ratio(self) -> dict[str, float | None]:
        """B's totals divided by A's, by name; None where A's is 0."""
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
    aligned = align(a.graph.nodes, b.graph.nodes)
    wiring = _Wiring.of(aligned, paired_inputs(a.graph, b.graph))
    pairs = [_pair(a, b, first, second, wiring) for first, second in aligned]
    changed = {pair.b.index: pair for pair in pairs if pair.b is not None}
    causes = _causes(b, changed)
    return Diff(
        a, b, tuple(_with_cause(pair, causes) for pair in pairs), _paired_outputs(a.graph, b.graph, wiring)
    )


class _Wiring(NamedTuple):
    """Which node or input of B corresponds to which of A, and the reverse."""

    of_a: dict[int, int]
    of_b: dict[int, int]

    @classmethod
    def of(cls, aligned: Aligned, inputs: dict[int, int]) -> _Wiring:
        """The wiring of aligned layers. All ReLUs look alike, so two of them only correspond if their inputs do."""
        of_a = dict(inputs)
        for first, second in aligned:
            if first and second:
                if first.op.pointwise and first.inputs and of_a.get(first.inputs[0]) != second.inputs[0]:
                    continue
                of_a[first.index] = second.index
        return cls(of_a, {second: first for first, second in of_a.items()})

    def differs(self, first: Node, second: Node) -> bool:
        """Whether two paired layers read different layers, among the layers that both networks have. A layer that
        only one network has may stand in for an input of the other, so that many mismatches are allowed."""
        read_by_a = [self.of_a[source] for source in first.inputs if source in self.of_a]
        read_by_b = [source for source in second.inputs if source in self.of_b]
        left, right = Counter(read_by_a) - Counter(read_by_b), Counter(read_by_b) - Counter(read_by_a)
        alone = len(first.inputs) - len(read_by_a), len(second.inputs) - len(read_by_b)
        if left.total() > alone[1] or right.total() > alone[0]:
            return True
        common = set(read_by_a) & set(read_by_b)
        order_a, order_b = (
            [source for source in read if source in common] for read in (read_by_a, read_by_b)
        )
        return not second.op.commutative and order_a != order_b

    def shares_otherwise(self, first: Node, second: Node) -> bool:
        """Whether two paired layers reuse the weights of different layers."""
        if first.shares is None or second.shares is None:
            return first.shares != second.shares
        return self.of_a.get(first.shares) != (second.shares if second.shares in self.of_b else None)


def paired_inputs(a: Graph, b: Graph) -> dict[int, int]:
    """The inputs of A paired with those of B: first by name, then the rest in order."""
    names = {entry.name: input_index(position) for position, entry in enumerate(b.inputs)}
    pairs = {
        index: names.pop(a.input_name(index)) for index in a.input_indices if a.input_name(index) in names
    }
    left = [index for index in a.input_indices if index not in pairs]
    return pairs | dict(zip(left, names.values(), strict=False))


def _paired_outputs(a: Graph, b: Graph, wiring: _Wiring) -> tuple[OutputPair, ...]:
    """The outputs of A paired with those of B: by name, then by paired layers, then by the role of their layers, then
    in order; unpaired outputs come last."""
    left, right = list(a.outputs), list(b.outputs)
    pairs: list[OutputPair] = []

    def role(graph: Graph, output: Output) -> str:
        return graph.nodes[output.node].op.role if output.node >= 0 else "input"

    for alike in (
        lambda first, second: first.name == second.name,
        lambda first, second: wiring.of_a.get(first.node) == second.node,
        lambda first, second: role(a, first) == role(b, second),
        lambda first, second: True,
    ):
        for first in list(left):
            second = next((output for output in right if alike(first, output)), None)
            if second is not None:
                pairs.append(OutputPair(first, second, wiring.of_a.get(first.node) == second.node))
                left.remove(first)
                right.remove(second)
    places = {output: place for place, output in enumerate(a.outputs)}
    pairs.sort(key=lambda pair: places[pair.a] if pair.a else 0)
    return (
        *pairs,
        *(OutputPair(output, None, False) for output in left),
        *(OutputPair(None, output, False) for output in right),
    )


def _pair(a: Analysis, b: Analysis, first: Node | None, second: Node | None, wiring: _Wiring) -> Pair:
    """Two aligned layers, or a single one, with what differs between them; the cause is added later."""
    if first is None or second is None:
        node, sign = (first, -1) if second is None else (second, 1)
        assert node is not None
        layer = (a if second is None else b).layers[node.index]
        delta = Delta(weights=sign * layer.weights, params=sign * layer.params, macs=sign * layer.macs)
        factors = weight_factors((a if second is None else b).graph, node) if layer.weights else ()
        minus = "−" if sign < 0 else ""
        working = f"{minus}{grouped(factors)} = {delta.weights:+,}".replace("-", "−") if factors else ""
        return Pair(first, second, "removed" if second is None else "added", {}, delta, working)
    layer_a, layer_b = a.layers[first.index], b.layers[second.index]
    changes: dict[str, tuple[Any, Any]] = {}
    if first.kind != second.kind:
        changes["kind"] = (first.kind, second.kind)
    for name, value in layer_a.fields.items():
        if name in layer_b.fields and value != layer_b.fields[name]:
            changes[name] = (value, layer_b.fields[name])
    if wiring.differs(first, second):
        changes["from"] = (list(layer_a.inputs), list(layer_b.inputs))
    if wiring.shares_otherwise(first, second):
        changes["share"] = (_owner(a, first), _owner(b, second))
    delta = Delta(
        weights=layer_b.weights - layer_a.weights,
        params=layer_b.params - layer_a.params,
        macs=layer_b.macs - layer_a.macs,
    )
    if not changes and any(delta) and first.input_shapes[:1] != second.input_shapes[:1]:
        changes["input_shape"] = (list(first.input_shapes[0]), list(second.input_shapes[0]))
    working = ""
    if delta.weights:
        working = difference(_own_factors(a, first), _own_factors(b, second))
        working = working or f"{layer_b.weights:,} − {layer_a.weights:,} = {delta.weights:+,}".replace(
            "-", "−"
        )
    return Pair(first, second, "changed" if changes else "same", changes, delta, working)


def _owner(analysis: Analysis, node: Node) -> str | None:
    return None if node.shares is None else analysis.graph.nodes[node.shares].name


def _own_factors(analysis: Analysis, node: Node) -> tuple[int, ...]:
    """The factors of the weights counted for this layer: none if it reuses another layer's."""
    return weight_factors(analysis.graph, node) if node.shares is None else ()


def difference(a: Sequence[int], b: Sequence[int]) -> str:
    """`3·3·(512·1024 − 384·384) = +3,391,488`: B's product minus A's, common factors taken out."""
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


CHANNELS = ("filters", "units", "kind", "start", "stop", "shape")  # fields that set the output channels


def _with_cause(pair: Pair, causes: list[str | None]) -> Pair:
    """The pair with its cause: the earlier layer of B whose change altered this layer's input channels."""
    if pair.a is None or pair.b is None or not pair.delta.weights:
        return pair
    if not pair.a.inputs or not pair.b.inputs:
        return pair
    source = pair.b.inputs[0]
    if pair.a.input_shapes[0] == pair.b.input_shapes[0] or source < 0:
        return pair
    return pair._replace(cause=causes[source])


def _causes(b: Analysis, by_node: dict[int, Pair]) -> list[str | None]:
    """Per layer of B, the nearest layer up to and including itself that was added or changes the channels, which a
    pointwise layer cannot do. If several branches have one, the name of the join stands for them."""
    causes: list[str | None] = []
    for node in b.graph:
        pair = by_node[node.index]
        found = {causes[source] for source in node.inputs if source >= 0} - {None}
        rewired = pair.a and "from" in pair.changes and pair.a.output_shape[0] != node.output_shape[0]
        if not node.op.pointwise and (
            pair.status == "added" or rewired or any(name in pair.changes for name in CHANNELS)
        ):
            causes.append(node.name)
        elif len(found) == 1:
            causes.append(found.pop())
        else:
            causes.append(node.name if found else None)
    return causes
