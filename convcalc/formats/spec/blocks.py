"""Blocks: groups that are alike become uses of one block, innermost first.

In each wave stand the groups that hold no other groups any more. Those of one structure form a class, and classes that
differ by one or two optional entries merge. A class becomes a block if that saves lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from convcalc.formats.spec.block_names import block_name
from convcalc.formats.spec.finish import Paths
from convcalc.formats.spec.parameters import DraftBlock, Parametriser, name_references
from convcalc.formats.spec.parts import Body, Part
from convcalc.formats.spec.patterns import Pattern, Patterns
from convcalc.formats.spec.runs import fold_runs
from convcalc.graph import Graph

MAX_PARAMETERS = 8
MIN_SAVED = 4  # lines that a block has to save
MAX_OPTIONAL = 2  # entries of a block that an instance may lack
MAX_CLASSES = 60  # classes of a wave that are tried for merging
MAX_WORK = 400_000  # instances times pairs of classes


@dataclass(slots=True, eq=False)
class _Node:
    """A group in the tree of groups. rank: the wave that it is in."""

    part: Part
    parent: _Node | None
    children: list[_Node] = field(default_factory=list)
    rank: int = 0


class Folding:
    """Turns groups of a body into uses of blocks. classes: the class of the module behind a scope, by path."""

    def __init__(self, graph: Graph, paths: Paths, classes: Mapping[str, str]) -> None:
        self.graph = graph
        self.patterns = Patterns(paths)
        self.classes = classes
        self.blocks: dict[str, DraftBlock] = {}

    def fold(self, body: Body) -> None:
        """Fold all groups of the network."""
        top = _Node(Part("group", body=body), None)
        _add_groups(top, body)
        self._rank(top)
        waves: dict[int, list[Part]] = {}
        for node in _all(top):
            waves.setdefault(node.rank, []).append(node.part)
        for rank in sorted(waves):
            self._wave([part for part in waves[rank] if not part.is_use])
            fold_runs(body)

    # -- waves --------------------------------------------------------------------------------------------------

    def _rank(self, top: _Node) -> None:
        """Give each group its wave: after the groups within it, and not before the groups beside it, so that a group
        that differs from its neighbours by an inner group is compared with them. Groups of one structure share a wave.
        """
        structures: dict[object, list[_Node]] = {}
        for node in _all(top):
            structures.setdefault(self.patterns.structure(node.part), []).append(node)
        _raise_ranks(top)
        for _ in range(8):
            changed = False
            for alike in structures.values():
                ranks = {node.rank for node in alike}
                if len(ranks) == 1:
                    continue
                highest, lowest = max(ranks), min(ranks)
                may_rise = all(
                    node.parent is None or node.parent.parent is None or node.parent.rank > highest
                    for node in alike
                )
                for node in alike:
                    node.rank = highest if may_rise else lowest
                changed = True
            if not changed:
                return

    def _wave(self, groups: list[Part]) -> None:
        """Make blocks of the groups of one wave."""
        classes: dict[object, list[Part]] = {}
        for group in groups:
            classes.setdefault(self.patterns.structure(group), []).append(group)
        strict = [self.patterns.stacked(alike) for alike in classes.values()]
        for merged in self._merged(strict):
            if not self._make(merged[0]) and len(merged) > 1:
                for pattern in merged[1:]:
                    self._make(pattern)

    def _merged(self, strict: list[Pattern]) -> list[list[Pattern]]:
        """Classes merged, each followed by the classes that it was made from."""
        clusters = [[pattern, pattern] for pattern in sorted(strict, key=lambda p: -len(p.instances))]
        if (
            len(clusters) > MAX_CLASSES
            or len(clusters) ** 2 * sum(len(p.instances) for p in strict) > MAX_WORK
        ):
            return [cluster[:1] for cluster in clusters]
        for allowance in range(1, MAX_OPTIONAL + 1):
            place = 0
            while place < len(clusters):
                for other in range(len(clusters) - 1, place, -1):
                    found = self.patterns.merge(clusters[place][0], clusters[other][0], allowance)
                    if found is not None:
                        clusters[place] = [found, *clusters[place][1:], *clusters[other][1:]]
                        del clusters[other]
                place += 1
        return clusters

    def _make(self, pattern: Pattern) -> bool:
        """Make a block of a class, unless it saves too little. Returns whether it did."""
        if len(pattern.instances) < 2:
            return False
        pattern = pattern.in_order()
        instances = pattern.instances
        draft = Parametriser(self.graph, self.blocks, pattern).block("", None)
        before = sum(lines(part) for part in instances)
        after = body_lines(draft.body) + 3 + bool(draft.refs) + draft.indexed
        after += sum(1 + (len(arguments) > 6) for arguments in draft.arguments)
        if before - after < MIN_SAVED or len(draft.params) > MAX_PARAMETERS:
            return False
        if len(draft.body.parts) == 1 and not any(draft.body.parts[0].bodies()):
            return False
        name, class_name = block_name(pattern, draft.body, self.classes, self.blocks)
        draft.name, draft.class_name = name, class_name
        name_references(draft.body, draft.refs)
        self.blocks[name] = draft
        for part, arguments in zip(instances, draft.arguments, strict=True):
            part.kind, part.is_use, part.fields = name, True, arguments
        return True


def _raise_ranks(node: _Node) -> int:
    """Set the ranks below a group: more than those of the groups within, and equal among neighbours."""
    heights = [_raise_ranks(child) for child in node.children]
    level = max(heights, default=-1)
    for child in node.children:
        child.rank = level
    node.rank = level + 1
    return node.rank


def _add_groups(node: _Node, body: Body) -> None:
    for part in body.parts:
        if part.body is not None:
            child = _Node(part, node)
            node.children.append(child)
            _add_groups(child, part.body)
        else:
            for inner in part.branches or ():
                _add_groups(node, inner)


def _all(top: _Node) -> Iterator[_Node]:
    stack = list(top.children)
    while stack:
        node = stack.pop()
        yield node
        stack += node.children


def lines(part: Part) -> int:
    """About the number of lines that a part takes."""
    if part.is_use:
        return 1
    if part.body is not None:
        inner = [lines(entry) for entry in part.body.parts]
        if len(inner) <= 2 and all(count == 1 for count in inner) and part.body.parts[0].body is None:
            return len(inner)  # on one line, but as dense as two
        return 3 + sum(inner)
    if part.branches is not None:
        return 1 + sum(body_lines(branch) or 1 for branch in part.branches)
    return 1


def body_lines(body: Body) -> int:
    """About the number of lines of a list."""
    return sum(map(lines, body.parts))
