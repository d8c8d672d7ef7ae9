"""Alignment of two sequences of layers by role and order (Needleman & Wunsch 1970), with affine gaps (Gotoh 1982).

Maximises the similarity of the pairs while keeping both orders. Opening a gap costs and extending it is free, so
an added block stays in one piece. Names only break ties between pairings that are otherwise equally good.
"""

from __future__ import annotations

from collections.abc import Sequence

from convcalc.graph import Node
from convcalc.ops import Operator

MAX_CELLS = 1_500_000  # of the table; beyond this, only pairs near the diagonal are considered

Aligned = list[tuple[Node | None, Node | None]]

ALIKE = 4  # score of one point of likeness
SAME_NAME, SAME_SEGMENT = 2, 1
OPEN = 6  # cost of opening a gap: enough to break ties, too little to pair a 1×1 with a 3×3 convolution
NEVER = -(10**9)

PAIR, FIRST, SECOND = 0, 1, 2  # a step pairs two layers, or leaves a layer of A, or of B, unpaired


def align(a: Sequence[Node], b: Sequence[Node]) -> Aligned:
    """The pairs in order; a layer without a counterpart is paired with None."""
    shortest = min(len(a), len(b))
    start = 0
    while start < shortest and a[start].op == b[start].op:
        start += 1
    stop = 0  # a block added at the end looks like its neighbour, so names decide where the common end begins
    named = (len(a) - start) * (len(b) - start) <= MAX_CELLS
    while stop < shortest - start and a[-1 - stop].op == b[-1 - stop].op:
        if named and a[-1 - stop].name != b[-1 - stop].name:
            break
        stop += 1
    middle = _align(a[start : len(a) - stop], b[start : len(b) - stop])
    head = list(zip(a[:start], b[:start], strict=True))
    tail = list(zip(a[len(a) - stop :], b[len(b) - stop :], strict=True))
    return [*head, *middle, *tail]


def likeness(a: Operator, b: Operator) -> int:
    """Similarity of two operators, 0 to 12: 0 for different roles, then by kind, then by equal fields."""
    if a is b or a == b:
        return 12
    if a.role != b.role or (a.kind != b.kind and a.role in ("identity", "reshape")):
        return 0
    if a.kind != b.kind:
        return 3
    names = a.fields()
    equal = sum(getattr(a, name) == getattr(b, name) for name in names)
    return 6 + (5 * equal // len(names) if names else 5)


class _Gains:
    """Scores of pairs. Operators are numbered, so that each combination of two is compared only once."""

    def __init__(self, a: Sequence[Node], b: Sequence[Node]) -> None:
        numbers: dict[Operator, int] = {}
        self.nodes = a, b
        self.operators = [[numbers.setdefault(node.op, len(numbers)) for node in nodes] for nodes in (a, b)]
        self.names = [[node.name for node in nodes] for nodes in (a, b)]
        self.segments = [[name.rpartition(".")[2] for name in names] for names in self.names]
        self.known: dict[tuple[int, int], int] = {}

    def gain(self, i: int, j: int) -> int:
        """The score of pairing A's layer i with B's layer j; NEVER where their roles differ."""
        key = self.operators[0][i], self.operators[1][j]
        alike = self.known.get(key)
        if alike is None:
            alike = self.known[key] = ALIKE * likeness(self.nodes[0][i].op, self.nodes[1][j].op)
        if not alike:
            return NEVER
        if self.names[0][i] == self.names[1][j]:
            return alike + SAME_NAME
        return alike + (SAME_SEGMENT if self.segments[0][i] == self.segments[1][j] else 0)


def _align(a: Sequence[Node], b: Sequence[Node]) -> Aligned:
    """The best-scoring alignment, within a band around the diagonal for tables of more than MAX_CELLS."""
    if not a or not b:
        return [*((node, None) for node in a), *((None, node) for node in b)]
    n, m = len(a), len(b)
    band = m if n * m <= MAX_CELLS else max(MAX_CELLS // n // 2, m // n + 2)
    gain = _Gains(a, b).gain
    # Gotoh's recurrence, row by row: the best scores that end in each of the three steps, from column `low` on
    low = 0
    pair = [0] + [NEVER] * min(m, band)
    first = [NEVER] * len(pair)
    second = [NEVER] + [-OPEN] * (len(pair) - 1)
    traces = [(0, bytearray([PAIR, PAIR] + [SECOND << 4] * (len(pair) - 2)))]
    for i in range(1, n + 1):
        above, up_pair, up_first, up_second = low, pair, first, second
        low = max(0, i * m // n - band)
        high = min(m, i * m // n + band)
        pair, first, second = [], [], []
        trace = bytearray(high - low + 1)
        for j in range(low, high + 1):
            up = j - above
            best, step = NEVER, 0  # step packs where each of the three scores came from, two bits each
            if 0 < up <= len(up_pair):
                scores = up_pair[up - 1], up_first[up - 1], up_second[up - 1]
                best = max(scores)
                step = scores.index(best)
                best += gain(i - 1, j - 1)
            pair.append(best)
            best = NEVER
            if up < len(up_pair):
                scores = up_pair[up] - OPEN, up_first[up], up_second[up] - OPEN
                best = max(scores)
                step |= scores.index(best) << 2
            first.append(best)
            best = NEVER
            if j > low:
                scores = pair[-2] - OPEN, first[-2] - OPEN, second[-1]
                best = max(scores)
                step |= scores.index(best) << 4
            second.append(best)
            trace[j - low] = step
        traces.append((low, trace))
    ends = pair[-1], first[-1], second[-1]
    return _traced(a, b, traces, ends.index(max(ends)))


def _traced(a: Sequence[Node], b: Sequence[Node], traces: list[tuple[int, bytearray]], step: int) -> Aligned:
    """Backtracking through the table: two bits for each of the three steps give the step that came before it."""
    result: Aligned = []
    i, j = len(a), len(b)
    while i or j:
        low, trace = traces[i]
        before = trace[j - low] >> (2 * step) & 3
        if step == PAIR:
            i, j = i - 1, j - 1
            result.append((a[i], b[j]))
        elif step == FIRST:
            i -= 1
            result.append((a[i], None))
        else:
            j -= 1
            result.append((None, b[j]))
        step = before
    return result[::-1]
